"""The truth: a linear circuit solved to 60 digits, straight from the definitions in `circuits.netlist.elements`.

Shares nothing with the package but the plain data. Numbers are pairs of `Decimal` (real, imaginary), which is many
times faster than mpmath; mpmath gives the sines and powers. The equations are Kirchhoff's current law at every node and
one more for every unknown current.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import Any, TypeAlias

import mpmath

from circuits.netlist.elements import GROUND, Element, Netlist
from circuits.netlist.expressions import Expression, Name, Number
from netlist.oracles.elimination import ONE, ZERO, Complex, eliminate, minus, over, plus, scaled, size, times

DIGITS = 60
Values: TypeAlias = "Mapping[str, float | Decimal]"


@dataclass(frozen=True)
class Solution:
    """Voltages by node and currents by element (a line has `T1` and `T1.b`, one a port), at one frequency.

    `exact` holds both with all their digits, currents as `i(R1)`.
    """

    exact: Mapping[str, Complex]
    voltages: Mapping[str, complex] = field(init=False)
    currents: Mapping[str, complex] = field(init=False)

    def __post_init__(self):
        rounded = {name: complex(float(a), float(b)) for name, (a, b) in self.exact.items()}
        object.__setattr__(self, "voltages", {k: v for k, v in rounded.items() if not k.startswith("i(")})
        object.__setattr__(self, "currents", {k[2:-1]: v for k, v in rounded.items() if k.startswith("i(")})


def solve(
    netlist: Netlist, f: float, *, values: Values | None = None, dc: bool = False, digits: int = DIGITS
) -> Solution:
    """All voltages and currents of a netlist.

    Args:
        netlist: the flat list of elements.
        f: hertz, from 0 on.
        values: parameters to replace, by name.
        dc: drive by the DC values of the sources in place of their AC phasors.
        digits: decimal digits carried.

    Raises:
        Singular: there is no single solution.
    """
    with localcontext() as context, mpmath.workdps(digits + 5):
        context.prec = digits
        system = _System(netlist, f, dict(values or {}), dc)
        found = eliminate(system.rows, system.right)
        return Solution(system.answers(found))


def derivatives(
    netlist: Netlist, f: float, names: Iterable[str] | None = None, *, values: Values | None = None, dc: bool = False
) -> dict[str, Solution]:
    """d(every voltage and current)/d(parameter) for each named free parameter, or for all of them.

    Central differences with a step of 1e-20 in 80 digits: 1e-40 off, and right to the last bit of a float.
    """
    free = free_values(netlist) | {name: Decimal(value) for name, value in (values or {}).items()}
    return {name: _derivative(netlist, f, free, name, dc) for name in (free if names is None else names)}


def _derivative(netlist: Netlist, f: float, free: dict[str, Decimal], name: str, dc: bool) -> Solution:
    with localcontext() as context:
        context.prec = 80
        step = (abs(free[name]) or Decimal(1)) * Decimal("1e-20")
        after = solve(netlist, f, values=free | {name: free[name] + step}, dc=dc, digits=80).exact
        before = solve(netlist, f, values=free | {name: free[name] - step}, dc=dc, digits=80).exact
        return Solution({key: over(minus(after[key], before[key]), (2 * step, Decimal(0))) for key in after})


def amplification(netlist: Netlist, f: float, seed: int = 0) -> float:
    """How many times the relative errors of the parameters are magnified in the voltages, relative to the largest.

    The condition of the *circuit*, not of anybody's matrix: every parameter is moved at random by up to 1e-20 of
    itself.

    Raises:
        Singular: there is no single solution.
    """
    chance = random.Random(seed)
    with localcontext() as context:
        context.prec = DIGITS
        moved = {
            k: v * (1 + Decimal(chance.uniform(-1, 1)) * Decimal("1e-20")) for k, v in free_values(netlist).items()
        }
        before, after = solve(netlist, f).exact, solve(netlist, f, values=moved).exact
        nodes = [key for key in before if not key.startswith("i(")]
        scale = max((size(before[node]) for node in nodes), default=Decimal(0))
        change = max((size(minus(after[node], before[node])) for node in nodes), default=Decimal(0))
        return float(change / scale * Decimal("1e20")) if scale else 0.0


def free_values(netlist: Netlist) -> dict[str, Decimal]:
    """The free parameters with the very numbers that their floats are."""
    return {name: Decimal(p.value.value) for name, p in netlist.parameters.items() if isinstance(p.value, Number)}


class _System:
    """The equations of a circuit: sparse rows, right-hand side, and how to read currents out of the solution."""

    def __init__(self, netlist: Netlist, f: float, values: dict, dc: bool):
        self.elements = {element.name: element for element in netlist.elements}
        self.known = _evaluated(netlist, values)
        self.dc = dc
        self.omega = 2 * _decimal(mpmath.pi) * Decimal(f)
        self.rows: dict[str, dict[str, Complex]] = {}
        self.right: dict[str, Complex] = {}
        self.readings: dict[str, dict[str, Complex]] = {}  # a current as a sum over unknowns
        self.given: dict[str, Complex] = {}
        nodes = {node for element in netlist.elements for node in element.nodes} - {GROUND}
        self.nodes = sorted(nodes)
        for node in self.nodes:
            self.rows[node] = {}
        for element in netlist.elements:
            _STAMPS[element.kind](self, element)

    def value(self, element: Element, role: str = "value") -> Decimal:
        return _evaluate(element.values[role], self.known)

    def add(self, row: str, column: str, value: Complex) -> None:
        if GROUND not in (row, column):
            here = self.rows.setdefault(row, {})
            here[column] = plus(here.get(column, ZERO), value)

    def leave(self, node: str, current: Mapping[str, Complex], sign: int = 1) -> None:
        """A current, a sum over unknowns, that leaves a node."""
        for unknown, factor in current.items():
            self.add(node, unknown, scaled(factor, sign))

    def through(self, name: str, p: str, m: str, current: Mapping[str, Complex]) -> None:
        """A current, a sum over unknowns, from node p through an element to node m."""
        self.readings[name] = {unknown: factor for unknown, factor in current.items() if unknown != GROUND}
        self.leave(p, current)
        self.leave(m, current, -1)

    def unknown(self, name: str, p: str, m: str) -> tuple[str, str]:
        """A current of its own as unknown; returns its row and its column, which are yet to get an equation."""
        self.through(name, p, m, {f"i({name})": ONE})
        return f"i({name})", f"i({name})"

    def inject(self, node: str, value: Complex) -> None:
        if node != GROUND:
            self.right[node] = plus(self.right.get(node, ZERO), value)

    def answers(self, found: Mapping[str, Complex]) -> dict[str, Complex]:
        answers: dict[str, Complex] = {node: found[node] for node in self.nodes}
        for name, current in self.readings.items():
            total = ZERO
            for unknown, factor in current.items():
                total = plus(total, times(factor, found[unknown]))
            answers[f"i({name})"] = total
        return answers | {f"i({name})": value for name, value in self.given.items()}


# the elements


def _admittance(system: _System, element: Element, y: Complex) -> None:
    p, m = element.nodes
    if p == m:
        system.readings[element.name] = {}
        return
    system.through(element.name, p, m, {p: y, m: scaled(y, -1)})


def _resistor(system: _System, element: Element) -> None:
    r = system.value(element)
    if r:
        return _admittance(system, element, (1 / r, Decimal(0)))
    p, m = element.nodes
    row, _ = system.unknown(element.name, p, m)
    _voltage(system, row, p, m)


def _capacitor(system: _System, element: Element) -> None:
    _admittance(system, element, (Decimal(0), system.omega * system.value(element)))


def _inductor(system: _System, element: Element) -> None:
    p, m = element.nodes
    row, current = system.unknown(element.name, p, m)
    _voltage(system, row, p, m)
    system.add(row, current, (Decimal(0), -system.omega * system.value(element)))


def _coupling(system: _System, element: Element) -> None:
    first, second = (system.elements[name] for name in element.controls)
    mutual = system.value(element) * (system.value(first) * system.value(second)).sqrt()
    reactance = (Decimal(0), -system.omega * mutual)
    system.add(f"i({first.name})", f"i({second.name})", reactance)
    system.add(f"i({second.name})", f"i({first.name})", reactance)


def _phasor(system: _System, element: Element) -> Complex:
    if system.dc:
        return system.value(element, "dc"), Decimal(0)
    turn = _mp(system.value(element, "phase")) * mpmath.pi / 180
    return scaled((_decimal(mpmath.cos(turn)), _decimal(mpmath.sin(turn))), system.value(element, "ac"))


def _voltage_source(system: _System, element: Element) -> None:
    p, m = element.nodes
    row, _ = system.unknown(element.name, p, m)
    _voltage(system, row, p, m)
    system.right[row] = _phasor(system, element)


def _current_source(system: _System, element: Element) -> None:
    p, m = element.nodes
    current = _phasor(system, element)
    system.inject(p, scaled(current, -1))
    system.inject(m, current)
    system.given[element.name] = current


def _vcvs(system: _System, element: Element) -> None:
    p, m, cp, cm = element.nodes
    row, _ = system.unknown(element.name, p, m)
    _voltage(system, row, p, m)
    _voltage(system, row, cp, cm, -system.value(element))


def _ccvs(system: _System, element: Element) -> None:
    p, m = element.nodes
    row, _ = system.unknown(element.name, p, m)
    _voltage(system, row, p, m)
    system.add(row, f"i({element.controls[0]})", (-system.value(element), Decimal(0)))


def _vccs(system: _System, element: Element) -> None:
    p, m, cp, cm = element.nodes
    g = system.value(element)
    current = {} if cp == cm else {cp: (g, Decimal(0)), cm: (-g, Decimal(0))}
    system.through(element.name, p, m, current)


def _cccs(system: _System, element: Element) -> None:
    p, m = element.nodes
    system.through(element.name, p, m, {f"i({element.controls[0]})": (system.value(element), Decimal(0))})


def _line(system: _System, element: Element) -> None:
    """V_a − z0·I_a = (V_b + z0·I_b)·e^(−jωtd), and the same with a and b exchanged; currents flow into the ports."""
    ap, am, bp, bm = element.nodes
    z0 = system.value(element, "z0")
    angle = _mp(system.omega * system.value(element, "td"))
    delay = _decimal(mpmath.cos(angle)), -_decimal(mpmath.sin(angle))
    row_a, i_a = system.unknown(element.name, ap, am)
    row_b, i_b = system.unknown(f"{element.name}.b", bp, bm)
    for row, here, there, i_here, i_there in (
        (row_a, (ap, am), (bp, bm), i_a, i_b),
        (row_b, (bp, bm), (ap, am), i_b, i_a),
    ):
        _voltage(system, row, *here)
        system.add(row, i_here, (-z0, Decimal(0)))
        for node, sign in zip(there, (-1, 1), strict=True):
            system.add(row, node, scaled(delay, sign))
        system.add(row, i_there, scaled(delay, -z0))


def _constant_phase(system: _System, element: Element) -> None:
    alpha = _mp(system.value(element, "alpha"))
    size = system.value(element, "q") * _decimal(mpmath.power(_mp(system.omega), alpha))
    turn = alpha * mpmath.pi / 2
    _admittance(system, element, scaled((_decimal(mpmath.cos(turn)), _decimal(mpmath.sin(turn))), size))


def _warburg(system: _System, element: Element) -> None:
    y = system.omega.sqrt() / (2 * system.value(element, "sigma"))  # 1/(1 − j) = (1 + j)/2
    _admittance(system, element, (y, y))


def _finite_warburg(shorted: bool) -> Callable[[_System, Element], None]:
    def stamp(system: _System, element: Element) -> None:
        r = system.value(element, "r")
        root = mpmath.sqrt(mpmath.mpc(0, _mp(system.omega * system.value(element, "tau"))))
        if root == 0:
            return _admittance(system, element, (1 / r, Decimal(0)) if shorted else ZERO)
        y = root * (mpmath.coth(root) if shorted else mpmath.tanh(root))
        _admittance(system, element, scaled((_decimal(y.real), _decimal(y.imag)), 1 / r))

    return stamp


def _voltage(system: _System, row: str, p: str, m: str, factor: Decimal | int = 1) -> None:
    """The voltage from p to m, times a factor, added to an equation."""
    system.add(row, p, (Decimal(factor), Decimal(0)))
    system.add(row, m, (-Decimal(factor), Decimal(0)))


_STAMPS: dict[str, Callable[[_System, Element], None]] = {
    "R": _resistor,
    "L": _inductor,
    "C": _capacitor,
    "K": _coupling,
    "V": _voltage_source,
    "I": _current_source,
    "E": _vcvs,
    "F": _cccs,
    "G": _vccs,
    "H": _ccvs,
    "T": _line,
    "CPE": _constant_phase,
    "WARBURG": _warburg,
    "WARBURG_OPEN": _finite_warburg(shorted=False),
    "WARBURG_SHORT": _finite_warburg(shorted=True),
}


# numbers


def _mp(value: Decimal) -> Any:
    return mpmath.mpf(str(value))


def _decimal(value: Any) -> Decimal:
    return Decimal(str(mpmath.nstr(value, mpmath.mp.dps, strip_zeros=False)))


# parameters


def _evaluated(netlist: Netlist, values: Values) -> dict[str, Decimal]:
    """Every parameter in turn; they are listed in an order in which each follows from those before it."""
    known: dict[str, Decimal] = {}
    for name, parameter in netlist.parameters.items():
        known[name] = Decimal(values[name]) if name in values else _evaluate(parameter.value, known)
    return known


def _evaluate(expression: Expression, known: Mapping[str, Decimal]) -> Decimal:
    if isinstance(expression, Number):
        return Decimal(expression.value)
    if isinstance(expression, Name):
        return known[expression.name]
    return _FUNCTIONS[expression.function](*(_evaluate(argument, known) for argument in expression.arguments))


_FUNCTIONS: dict[str, Callable[..., Decimal]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "^": lambda a, b: abs(a) ** b,
    "u-": lambda a: -a,
    "sqrt": lambda a: a.sqrt(),
    "exp": lambda a: a.exp(),
    "ln": lambda a: a.ln(),
    "log": lambda a: a.ln(),
    "log10": lambda a: a.log10(),
    "sin": lambda a: _decimal(mpmath.sin(_mp(a))),
    "cos": lambda a: _decimal(mpmath.cos(_mp(a))),
    "abs": lambda a: abs(a),
    "min": min,
    "max": max,
}
