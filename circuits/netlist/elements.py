"""A linear circuit as plain data: what the language yields, and all that the equations need to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from circuits.netlist.expressions import Expression

GROUND = "0"


@dataclass(frozen=True)
class Place:
    """Where something was written, for messages: `organ.cir:12`."""

    file: str
    line: int
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Kind:
    """A kind of element.

    `roles` are the quantities that it has, each with its unit; a circuit's component is named `R1` for an element of
    one role and `T1.z0` for one of several. `signed` are the roles that may be zero or negative. `nodes` is how many
    it joins, `controls` what it refers to by name.
    """

    letter: str
    title: str
    roles: Mapping[str, str]
    nodes: int
    controls: int = 0
    signed: frozenset[str] = frozenset()


def _kind(letter: str, title: str, roles: dict[str, str], nodes: int, controls: int = 0, signed: str = "") -> Kind:
    return Kind(letter, title, roles, nodes, controls, frozenset(signed.split()))


KINDS: Mapping[str, Kind] = {
    kind.letter: kind
    for kind in (
        _kind("R", "resistor", {"value": "Ω"}, 2),
        _kind("L", "inductor", {"value": "H"}, 2),
        _kind("C", "capacitor", {"value": "F"}, 2),
        _kind("K", "coupling of two inductors", {"value": ""}, 0, 2, "value"),
        _kind("V", "voltage source", {"dc": "V", "ac": "V", "phase": "°"}, 2, signed="dc ac phase"),
        _kind("I", "current source", {"dc": "A", "ac": "A", "phase": "°"}, 2, signed="dc ac phase"),
        _kind("E", "voltage-controlled voltage source", {"value": ""}, 4, signed="value"),
        _kind("F", "current-controlled current source", {"value": ""}, 2, 1, "value"),
        _kind("G", "voltage-controlled current source", {"value": "S"}, 4, signed="value"),
        _kind("H", "current-controlled voltage source", {"value": "Ω"}, 2, 1, "value"),
        _kind("T", "lossless line", {"z0": "Ω", "td": "s"}, 4),
        _kind("CPE", "constant-phase element", {"q": "S·s^α", "alpha": ""}, 2),
        _kind("WARBURG", "Warburg element", {"sigma": "Ω/√s"}, 2),
        _kind("WARBURG_OPEN", "finite-length Warburg element, open end", {"r": "Ω", "tau": "s"}, 2),
        _kind("WARBURG_SHORT", "finite-length Warburg element, shorted end", {"r": "Ω", "tau": "s"}, 2),
    )
}
"""Every element of the language; the single letters are SPICE's own, the words are our extensions (written as `X`
instances of subcircuits of that name).

R, C, L, CPE and the Warburg elements are admittances between their two nodes. E and G: nodes are (out+, out−, in+,
in−). F and H: nodes are (out+, out−), `controls` names the voltage source whose current controls. K: `controls` names
the two inductors. T: nodes are (a+, a−, b+, b−). A current through a source or an element is counted from its first
node through it to its second, as SPICE does.

CPE: Y = q·(jω)^alpha. WARBURG: Z = sigma·(1 − j)/√ω. WARBURG_OPEN: Z = r·coth(√(jω·tau))/√(jω·tau).
WARBURG_SHORT: Z = r·tanh(√(jω·tau))/√(jω·tau).
"""


@dataclass(frozen=True)
class Element:
    """One element of a flattened netlist.

    `kind` is a key of `KINDS`; `name` is as written, with the path of its subcircuits before it (`X1.R2`); `nodes` are
    flattened names (`X1.mid`), ground being `0`; `values` gives every role of its kind as an expression over
    `Netlist.parameters` (a plain value is the `Name` of a parameter of its own).
    """

    kind: str
    name: str
    nodes: tuple[str, ...]
    values: Mapping[str, Expression]
    controls: tuple[str, ...] = ()
    place: Place = Place("", 0)


@dataclass(frozen=True)
class Parameter:
    """A named quantity of a netlist: the value of an element, or a `.param`.

    A parameter whose `value` is a `Number` is free, a component of the circuit; any other follows from those that its
    expression names. `tolerance` is relative (0.05), `low` and `high` are bounds, `learn` says that the netlist itself
    asks to learn it.
    """

    name: str
    value: Expression
    unit: str = ""
    positive: bool = True
    tolerance: float | None = None
    low: float | None = None
    high: float | None = None
    learn: bool = False
    place: Place = Place("", 0)


@dataclass(frozen=True)
class Sweep:
    """An `.ac` line: `kind` is "dec", "oct" or "lin", `points` its number, between two frequencies in hertz."""

    kind: str
    points: int
    low: float
    high: float


@dataclass(frozen=True)
class Netlist:
    """A flattened linear netlist: elements in the order written, parameters by name, in an order that lets each be
    evaluated from those before it.
    """

    title: str
    elements: tuple[Element, ...]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    sweep: Sweep | None = None
    source: str = ""
