"""Netlists made by hand or by chance, as the language would yield them, and their SPICE text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from circuits.netlist.elements import KINDS, Element, Netlist, Parameter, Sweep
from circuits.netlist.expressions import Expression, Name, Number

_PREFIXES = {"CPE": "X", "WARBURG": "X", "WARBURG_OPEN": "X", "WARBURG_SHORT": "X"}


class Bench:
    """Elements put down one after another.

    >>> bench = Bench("divider")
    >>> bench.add("V", "1", "in 0", ac=1.0)
    >>> bench.add("R", "1", "in out", 1e3)
    >>> bench.add("R", "2", "out 0", 3e3)
    >>> print(to_text(bench.netlist()))
    divider
    V1 in 0 DC 0.0 AC 1.0 0.0
    R1 in out 1000.0
    R2 out 0 3000.0
    .options noopac
    .end
    """

    def __init__(self, title: str = "by hand"):
        self.title = title
        self.elements: list[Element] = []
        self.parameters: dict[str, Parameter] = {}

    def add(
        self,
        kind: str,
        name: str,
        nodes: str | Sequence[str],
        value: float | None = None,
        *,
        of: Sequence[str] = (),
        roles: Mapping[str, float] | None = None,
        ac: float = 0.0,
        phase: float = 0.0,
        dc: float = 0.0,
    ) -> None:
        """One element: `name` without its letter, `nodes` as one text or a list, `of` what it refers to."""
        full = _PREFIXES.get(kind, kind) + name
        source = {"dc": dc, "ac": ac, "phase": phase} if kind in "VI" else {}
        given: dict[str, float] = {**({} if value is None else {"value": value}), **(roles or {}), **source}
        values = {role: self._parameter(kind, full, role, given[role]) for role in KINDS[kind].roles}
        nodes = tuple(nodes.split()) if isinstance(nodes, str) else tuple(nodes)
        self.elements.append(Element(kind, full, nodes, values, tuple(of)))

    def _parameter(self, kind: str, element: str, role: str, value: float) -> Expression:
        if kind in "VI":  # as the language has it: what drives a circuit is no component of it
            return Number(value)
        roles = KINDS[kind].roles
        name = element if len(roles) == 1 else f"{element}.{role}"
        positive = role not in KINDS[kind].signed
        self.parameters[name] = Parameter(name, Number(value), roles[role], positive)
        return Name(name)

    def netlist(self, sweep: Sweep | None = None) -> Netlist:
        """What has been put down so far."""
        return Netlist(self.title, tuple(self.elements), dict(self.parameters), sweep)


def numbers(netlist: Netlist) -> dict[str, float]:
    """The free parameters of a netlist by name."""
    return {name: p.value.value for name, p in netlist.parameters.items() if isinstance(p.value, Number)}


def to_text(netlist: Netlist) -> str:
    """SPICE text of a netlist whose values are plain numbers; `noopac` because not every net has an operating point."""
    lines = [netlist.title, *(_line(element, numbers(netlist)) for element in netlist.elements)]
    sweep = netlist.sweep
    card = [] if sweep is None else [f".ac {sweep.kind} {sweep.points} {sweep.low!r} {sweep.high!r}"]
    return "\n".join([*lines, ".options noopac", *card, ".end", ""])


def _line(element: Element, known: Mapping[str, float]) -> str:
    value = {role: repr(_number(expression, known)) for role, expression in element.values.items()}
    words = [element.name, *element.nodes, *element.controls]
    if element.kind in "VI":
        words += ["DC", value["dc"], "AC", value["ac"], value["phase"]]
    elif list(value) == ["value"]:
        words += [value["value"]]
    else:
        words += [element.kind] if element.name.startswith("X") else []
        words += [f"{role}={text}" for role, text in value.items()]
    return " ".join(words)


def _number(expression: Expression, known: Mapping[str, float]) -> float:
    return float(known[expression.name] if isinstance(expression, Name) else expression.value)  # type: ignore
