"""A netlist as dictionaries, lists, numbers and text, for files, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from circuits.errors import NetlistError
from circuits.netlist.elements import KINDS, Element, Netlist, Parameter, Sweep
from circuits.netlist.expressions import Call, Expression, Name, Number


def to_plain(netlist: Netlist) -> dict[str, Any]:
    """A netlist as JSON can hold it: a number is itself, a name a text, a call a list that begins with its function.

    >>> plain = to_plain(Netlist("", (Element("R", "R1", ("a", "0"), {"value": Call("*", (Number(2.0), Name("r")))}),)))
    >>> plain["elements"]
    [['R', 'R1', ['a', '0'], {'value': ['*', 2.0, 'r']}, []]]
    """
    elements = [
        [e.kind, e.name, list(e.nodes), {role: _plain(value) for role, value in e.values.items()}, list(e.controls)]
        for e in netlist.elements
    ]
    parameters = {
        p.name: {
            "value": _plain(p.value),
            "unit": p.unit,
            "positive": p.positive,
            "tolerance": p.tolerance,
            "low": p.low,
            "high": p.high,
            "learn": p.learn,
        }
        for p in netlist.parameters.values()
    }
    sweep = None if netlist.sweep is None else dict(vars(netlist.sweep))
    return {
        "title": netlist.title,
        "elements": elements,
        "parameters": parameters,
        "sweep": sweep,
        "source": netlist.source,
    }


def from_plain(plain: Mapping[str, Any]) -> Netlist:
    """The netlist that `to_plain` wrote.

    Raises:
        NetlistError: an element of a kind that there is not. KeyError, TypeError, ValueError: no such thing at all.

    >>> netlist = Netlist("divider", (), {"r": Parameter("r", Number(2.0), "Ω")}, Sweep("dec", 5, 1, 10))
    >>> from_plain(to_plain(netlist)) == netlist
    True
    """
    elements = []
    for kind, name, nodes, values, controls in plain["elements"]:
        if kind not in KINDS or set(values) != set(KINDS[kind].roles):
            raise NetlistError(f"{name} is no element that can be read back; expected the kinds {', '.join(KINDS)}")
        expressions = {role: _expression(value) for role, value in values.items()}
        elements.append(Element(kind, str(name), tuple(nodes), expressions, tuple(controls)))
    parameters = {
        name: Parameter(name, **{**parameter, "value": _expression(parameter["value"])})
        for name, parameter in plain["parameters"].items()
    }
    sweep = None if plain["sweep"] is None else Sweep(**plain["sweep"])
    return Netlist(plain["title"], tuple(elements), parameters, sweep, plain["source"])


def _plain(expression: Expression) -> Any:
    if isinstance(expression, Number):
        return float(expression.value)
    if isinstance(expression, Name):
        return expression.name
    return [expression.function, *map(_plain, expression.arguments)]


def _expression(plain: Any) -> Expression:
    if isinstance(plain, str):
        return Name(plain)
    if isinstance(plain, list):
        return Call(str(plain[0]), tuple(map(_expression, plain[1:])))
    return Number(float(plain))
