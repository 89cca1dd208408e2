"""One part changed, opened or shorted: what that is, and the netlist that it makes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from circuits.errors import OptionError, UnknownName
from circuits.netlist.elements import Element, Netlist
from circuits.netlist.expressions import Number, names
from circuits.netlist.formulation import ADMITTANCES

HOW = ("factor", "open", "short")


@dataclass(frozen=True)
class Change:
    """One what-if: a free parameter times a factor, or a two-terminal part opened or shorted.

    Opened, a part carries no current and couples to nothing; shorted, there is a wire across it.

    >>> print(Change("R1", "open"), Change("R1", "short"), Change("R1", "factor", 2.0), sep=", ")
    R1 open, R1 shorted, R1 × 2
    """

    name: str
    how: str
    factor: float = 1.0

    def __post_init__(self):
        if self.how not in HOW:
            raise OptionError(f"how={self.how!r} for {self.name}; expected one of {', '.join(HOW)}")

    def __str__(self) -> str:
        if self.how == "factor":
            return f"{self.name} × {self.factor:g}"
        return f"{self.name} {'shorted' if self.how == 'short' else 'open'}"


def all_changes(
    netlist: Netlist,
    factors: Sequence[float] = (0.5, 2.0),
    *,
    parts: Collection[str] | None = None,
    opened: bool = True,
    shorted: bool = True,
) -> tuple[Change, ...]:
    """Every part changed in every way: each free parameter of an element or a `.param` times each factor, and each
    two-terminal passive part opened and shorted. The values of independent sources stay as they are.

    Args:
        netlist: flattened.
        factors: what values are multiplied by.
        parts: names of parameters and elements to look at; all where None.
        opened, shorted: whether to open and short.

    >>> divider = Netlist("", (Element("R", "R1", ("in", "out"), {"value": Number(1e3)}),))
    >>> [str(change) for change in all_changes(divider)]
    ['R1 open', 'R1 shorted']
    """
    passive = [e.name for e in netlist.elements if e.kind in ADMITTANCES]
    sources = {name for e in netlist.elements if e.kind in "VI" for value in e.values.values() for name in names(value)}
    free = [name for name, p in netlist.parameters.items() if isinstance(p.value, Number) and name not in sources]
    wanted = None if parts is None else {name.casefold() for name in parts}
    changes = []
    for name in dict.fromkeys([*free, *passive]):
        if wanted is not None and name.casefold() not in wanted:
            continue
        changes += [Change(name, "factor", factor) for factor in factors if name in free]
        changes += [Change(name, how) for how, on in (("open", opened), ("short", shorted)) if on and name in passive]
    return tuple(changes)


def altered(netlist: Netlist, change: Change) -> Netlist:
    """The netlist with a part opened or shorted, as one would write it; a factor leaves it as it is.

    An opened part is a current source of zero under the same name, so that its current can still be asked for.
    """
    if change.how == "factor":
        return netlist
    part = part_of(netlist, change.name)
    zero = {role: Number(0.0) for role in ("dc", "ac", "phase")}
    if change.how == "short":
        wire = Element("V", f"wire across {part.name}", part.nodes, zero, (), part.place)
        return replace(netlist, elements=(*netlist.elements, wire))
    gap = replace(part, kind="I", values=zero)
    left = [gap if e is part else e for e in netlist.elements if part.name not in e.controls]
    return replace(netlist, elements=tuple(left))


def part_of(netlist: Netlist, name: str) -> Element:
    """The two-terminal passive part of that name.

    Raises:
        UnknownName: no such element.
        OptionError: an element that is no such part.
    """
    found: Mapping[str, Element] = {e.name.casefold(): e for e in netlist.elements}
    if name.casefold() not in found:
        raise UnknownName("element", name, (e.name for e in netlist.elements))
    part = found[name.casefold()]
    if part.kind not in ADMITTANCES:
        raise OptionError(
            f"{part.name} is no two-terminal passive part and is neither opened nor shorted; change its value"
        )
    return part
