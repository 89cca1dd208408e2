"""`to_spice`: any circuit as a netlist that ngspice runs as it is, and `to_netlist`: the same as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from torch import nn

from circuits.circuit import Circuit
from circuits.errors import NetlistError, OptionError, UnknownName
from circuits.netlist.elements import KINDS, Element, Netlist, Parameter, Sweep
from circuits.netlist.expressions import Call, Expression, Name, Number, evaluate, to_text
from circuits.netlist.netlist_circuit import NetlistCircuit
from circuits.netlist.writing.boards import Board, value_of
from circuits.netlist.writing.fractional import definitions
from circuits.netlist.writing.spelling import element_names, parameter_names
from circuits.netlist.writing.stock import stock_netlist

WHOLE = Sweep("dec", 20, 1.0, 1e6)
"""What is swept where nothing says what to sweep, hertz."""


def to_spice(circuit: Circuit | Netlist, *, board: Board = None, tolerances: Mapping[str, float] | None = None) -> str:
    """Write a circuit as a SPICE netlist, with the values that it has now.

    Every digit of a value is written. What is learned is marked `@learn`, and a known tolerance `@tol=5%`, in comments
    that ngspice passes over and `read_netlist` understands. Names that SPICE cannot have are spelled anew, the dotted
    name beside them in a comment. A resistance of zero becomes a source of 0 V, since ngspice would take it for 1 mΩ.
    Constant-phase and Warburg elements come with a network of resistors and capacitors under their name, for ngspice.

    Args:
        circuit: a stock filter, a circuit read from a netlist, or a netlist.
        board: index of the one board to write, where the circuit is a batch of them.
        tolerances: relative tolerance by component, such as `{"R": 0.01}`, beside those that the circuit knows.

    Raises:
        OptionError: a circuit that has no netlist, or a batch of boards and none chosen.
        NetlistError: an element that has no such network. UnknownName: a tolerance of no component.

    >>> from circuits.filters import LowPass
    >>> print(to_spice(LowPass(R="4.7k", C="10n"), tolerances={"C": 0.1}))
    LowPass
    <BLANKLINE>
    V1 in 0 DC 0.0 AC 1.0
    R in out 4700.0  ; @learn
    C out 0 1e-08  ; @tol=10%
    <BLANKLINE>
    .options noopac
    .ac dec 20 10.0 1000000.0
    .end
    <BLANKLINE>
    """
    netlist = to_netlist(circuit, board=board)
    netlist = replace(netlist, parameters=_tolerated(netlist, tolerances or {}))
    return "\n".join([*_lines(netlist), ""])


def to_netlist(circuit: Circuit | Netlist, *, board: Board = None) -> Netlist:
    """The netlist of a circuit, with the values that it has now.

    Args:
        circuit: a stock filter, a circuit read from a netlist, or a netlist, which stays what it is.
        board: index of the one board to take, where the circuit is a batch of them.

    Raises:
        OptionError: a circuit that has no netlist, or a batch of boards and none chosen.

    >>> from circuits.filters import LowPass
    >>> to_netlist(LowPass(R=[100.0, 200.0]), board=1).parameters["R"].value
    Number(value=200.0)
    """
    if isinstance(circuit, NetlistCircuit):
        return _as_it_is_now(circuit, board)
    if isinstance(circuit, Netlist):
        return circuit
    return stock_netlist(circuit, board)


def _as_it_is_now(circuit: NetlistCircuit, board: Board) -> Netlist:
    parameters = dict(circuit.netlist.parameters)
    for name, value in circuit.values().items():
        if isinstance(value, nn.Parameter):
            number = Number(value_of(value, circuit.batch_shape, board))
            parameters[name] = replace(parameters[name], value=number, learn=value.requires_grad)
    if board is not None and not circuit.batch_shape:
        raise OptionError(f"board={board!r} of a circuit that is a single board; leave it out")
    return replace(circuit.netlist, parameters=parameters)


def _tolerated(netlist: Netlist, tolerances: Mapping[str, float]) -> dict[str, Parameter]:
    parameters = dict(netlist.parameters)
    known = {name.casefold(): name for name in parameters}
    for given, tolerance in tolerances.items():
        if given.casefold() not in known:
            raise UnknownName("component", given, parameters)
        name = known[given.casefold()]
        parameters[name] = replace(parameters[name], tolerance=float(tolerance))
    return parameters


# the text


@dataclass(frozen=True)
class _Spelling:
    """What is called how: elements and parameters by their names in the netlist, and the value of each parameter."""

    elements: Mapping[str, str]
    parameters: Mapping[str, str]
    inline: frozenset[str]
    values: Mapping[str, float]
    netlist: Netlist

    def number(self, expression: Expression) -> float:
        return float(evaluate(expression, self.values))

    def text(self, expression: Expression) -> str:
        """A value as it stands in a line: a number, or an expression in braces."""
        expression = self._inlined(expression)
        if isinstance(expression, Number):
            return repr(float(expression.value))
        return f"{{{self.formula(expression)}}}"

    def formula(self, expression: Expression) -> str:
        return to_text(self._renamed(expression))

    def _inlined(self, expression: Expression) -> Expression:
        if isinstance(expression, Name) and expression.name in self.inline:
            return self.netlist.parameters[expression.name].value
        return expression

    def _renamed(self, expression: Expression) -> Expression:
        expression = self._inlined(expression)
        if isinstance(expression, Name):
            return Name(self.parameters[expression.name])
        if isinstance(expression, Call):
            return Call(expression.function, tuple(map(self._renamed, expression.arguments)))
        return expression


def _spelling(netlist: Netlist) -> _Spelling:
    values: dict[str, float] = {}
    for name, parameter in netlist.parameters.items():
        values[name] = float(evaluate(parameter.value, values))
    inline = frozenset(_inline(netlist))
    letters = [(_letter(e, values), e.name) for e in netlist.elements]
    named = parameter_names(name for name in netlist.parameters if name not in inline)
    return _Spelling(element_names(letters), named, inline, values, netlist)


def _letter(element: Element, values: Mapping[str, float]) -> str:
    if element.kind == "R" and evaluate(element.values["value"], values) == 0:
        return "V"
    return element.kind if len(element.kind) == 1 else "X"


def _inline(netlist: Netlist) -> Iterator[str]:
    """Parameters that are a value of an element and named for it: they need no line of their own."""
    for e in netlist.elements:
        for role, expression in e.values.items():
            if isinstance(expression, Name) and expression.name in (e.name, f"{e.name}.{role}"):
                yield expression.name


def _lines(netlist: Netlist) -> Iterator[str]:
    spelling = _spelling(netlist)
    yield " ".join(netlist.title.split()) or "circuit"
    yield ""
    written = [name for name in netlist.parameters if name not in spelling.inline]
    for name in written:
        parameter = netlist.parameters[name]
        line = f".param {spelling.parameters[name]}={spelling.text(parameter.value)}"
        unit = [f"@unit={parameter.unit}"] if parameter.unit else []
        yield _remarked(line, _old(name, spelling.parameters[name]), [*_marks(parameter), *unit])
    if written:
        yield ""
    for element in netlist.elements:
        yield _line(element, spelling)
    yield from definitions(e.kind for e in netlist.elements)
    yield ""
    yield ".options noopac"  # a circuit need not have an operating point to have a response
    sweep = netlist.sweep or WHOLE
    yield f".ac {sweep.kind} {sweep.points} {sweep.low!r} {sweep.high!r}"
    yield ".end"


def _line(element: Element, spelling: _Spelling) -> str:
    name = spelling.elements[element.name]
    old = _old(element.name, name)
    if element.kind == "R" and name[0] == "V":
        return _remarked(" ".join([name, *element.nodes, "0"]), [f"{element.name}, a resistor of 0 Ω"], [])
    words = [name, *element.nodes, *(spelling.elements[control] for control in element.controls)]
    words += _WORDS.get(element.kind, _only_value)(element, spelling)
    return _remarked(" ".join(words), old, _element_marks(element, spelling))


def _element_marks(element: Element, spelling: _Spelling) -> Iterator[str]:
    for role, value in element.values.items():
        if isinstance(value, Name) and value.name in spelling.inline:
            yield from _marks(spelling.netlist.parameters[value.name], "" if len(element.values) == 1 else f"{role}.")


def _only_value(element: Element, spelling: _Spelling) -> list[str]:
    return [spelling.text(element.values["value"])]


def _source(element: Element, spelling: _Spelling) -> list[str]:
    dc, ac, phase = (spelling.text(element.values[role]) for role in ("dc", "ac", "phase"))
    return ["DC", dc, "AC", ac, *([] if phase == "0.0" else [phase])]


def _by_role(element: Element, spelling: _Spelling) -> list[str]:
    return [f"{role}={spelling.text(value)}" for role, value in element.values.items()]


def _instance(element: Element, spelling: _Spelling) -> list[str]:
    if element.kind == "CPE" and not 0 < spelling.number(element.values["alpha"]) < 1:
        alpha = spelling.number(element.values["alpha"])
        where = f"{element.place}: " if element.place.file else ""
        raise NetlistError(
            f"{where}{element.name} has alpha = {alpha:g}, for which there is no network of resistors and "
            "capacitors; expected more than 0 and less than 1, and a capacitor is what 1 would be"
        )
    return [element.kind, *_by_role(element, spelling)]


_WORDS = {"V": _source, "I": _source, "T": _by_role} | {kind: _instance for kind in KINDS if len(kind) > 1}


def _marks(parameter: Parameter, role: str = "") -> Iterator[str]:
    """What the language reads from the comment beside a value."""
    if parameter.tolerance is not None:
        yield f"@{role}tol={100 * parameter.tolerance:.12g}%"
    for key, bound in (("min", parameter.low), ("max", parameter.high)):
        if bound is not None:
            yield f"@{role}{key}={float(bound)!r}"
    if parameter.learn:
        yield f"@{role}learn"


def _old(name: str, spelled: str) -> list[str]:
    return [] if name == spelled else [name]


def _remarked(line: str, old: Iterable[str], marks: Iterable[str]) -> str:
    remark = " ".join([*old, *marks])
    return f"{line}  ; {remark}" if remark else line
