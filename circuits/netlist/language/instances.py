"""`X` cards: a subcircuit put to use, or one of the elements that SPICE has no letter for."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from circuits.netlist.elements import KINDS
from circuits.netlist.expressions import Name, names
from circuits.netlist.language.assignments import Assignment, read_assignments
from circuits.netlist.language.card import Card
from circuits.netlist.language.definitions import Definition, Device, Instance, Quantity
from circuits.netlist.language.files import Folder
from circuits.netlist.language.functions import expand
from circuits.netlist.language.headings import heading
from circuits.netlist.language.lines import Line, read_lines
from circuits.netlist.language.passives import Conditions
from circuits.netlist.language.structure import Reader

LIBRARY = Path(__file__).parents[1] / "library" / "opamps.lib"
EXTENSIONS = {kind.letter.lower(): kind for kind in KINDS.values() if len(kind.letter) > 1}


@lru_cache(maxsize=1)
def library() -> Definition:
    """The subcircuits that every netlist has: ideal and single-pole operational amplifiers."""
    root = Definition("", Line(LIBRARY.name, "", (0,), (1,)), has_components=False)
    reader = Reader(Folder(None), root)
    reader.read(read_lines(LIBRARY.read_text("utf-8"), LIBRARY.name))
    reader.close()
    return root


def read_instance(card: Card, conditions: Conditions) -> Device | Instance:
    """`X1 in out filter R=1k`, `X2 inp inn out OPAMP_GBW gbw=10meg`, `X3 a b CPE q=1u alpha=0.9`.

    The netlist's own subcircuits count before elements and shipped subcircuits of the same name.

    Raises:
        NetlistError: an unknown subcircuit, other nodes or parameters than it has.
    """
    del conditions
    line = card.line
    found, start = heading(line)
    if len(found) < 2:
        raise card.fault("no subcircuit; write X1 node … name parameter=value")
    called = found[-1]
    key = called.text.lower()
    nodes = tuple(word.text for word in found[1:-1])
    definition = card.definition.subcircuit(key)
    if key in EXTENSIONS and (definition is None or _stands_in(definition)):
        return _extension(card, key, nodes, start)
    definition = definition or library().definitions.get(key)
    if definition is None:
        raise card.fault(f"no subcircuit {called.text!r}; known: {_known(card.definition)}", called)
    if len(nodes) != len(definition.ports):
        raise card.fault(
            f"{definition.name} has {len(definition.ports)} nodes ({' '.join(definition.ports)[:80]}), found "
            f"{len(nodes)}; name as many before {called.text}",
            called,
        )
    return _instance(card, nodes, definition, start)


def _stands_in(definition: Definition) -> bool:
    """Whether a subcircuit only stands in, for programs that lack it, for the element of its name.

    `to_spice` marks so the networks that it writes: `.subckt CPE a b q=1 alpha=0.5 ; for ngspice, @standin`.
    """
    return any("@standin" in remark.split() for _, remark in definition.line.remarks)


def _instance(card: Card, nodes: tuple[str, ...], definition: Definition, start: int | None) -> Instance:
    line, multiplier = card.line, None
    if any(card.notes.values()) and start is None:
        raise card.fault("there is nothing to annotate on this line; annotate a value that it passes")
    values: dict[str, Assignment] = {}
    for given in read_assignments(line, start) if start is not None else ():
        key = given.name.lower()
        tree = expand(given.expression, card.definition.function, line, given.offset)
        if key in values:
            raise line.fault(f"{card.name}: a second value for {given.name}; leave one out", given.offset)
        if key == "m" and key not in definition.parameters:
            multiplier = Quantity(tree, given.offset)
        elif key not in definition.parameters:
            known = ", ".join(found.name for found in definition.parameters.values()) or "none"
            message = f"{card.name}: {definition.name} has no parameter {given.name}; it has {known}"
            raise line.fault(message, given.offset)
        else:
            values[key] = Assignment(given.name, tree, line, given.offset, given.notes)
    _refuse_captured(card, definition, values)
    return Instance(card.name, nodes, definition, values, line, multiplier)


def _refuse_captured(card: Card, definition: Definition, values: dict[str, Assignment]) -> None:
    """A value that names what the subcircuit has too: its own to ngspice, the caller's to other programs."""
    for key, given in values.items():
        for name in names(given.expression):
            other = name.lower()
            if other == key or other not in definition.parameters:
                continue
            passed = values.get(other)
            if passed is None or not (isinstance(passed.expression, Name) and passed.expression.name.lower() == other):
                raise card.line.fault(
                    f"{card.name}: {given.name} is given by {name}, and {definition.name} has a parameter {name} of "
                    "its own, which ngspice would take; rename one of the two",
                    given.offset,
                )


def _extension(card: Card, key: str, nodes: tuple[str, ...], start: int | None) -> Device:
    """An element of this package: its roles are given by name."""
    kind = EXTENSIONS[key]
    if len(nodes) != kind.nodes:
        raise card.fault(f"{kind.letter} joins {kind.nodes} nodes, found {len(nodes)}; see {_usage(key)}")
    card.at = next(index for index, word in enumerate(card.words) if start is None or word.offset >= start)
    found = card.take_rest({role.lower(): role for role in kind.roles}) if start is not None else {}
    missing = [role for role in kind.roles if role not in found]
    if missing:
        raise card.fault(f"{kind.letter} needs {', '.join(missing)}; see {_usage(key)}")
    values = {role: found[role] for role in kind.roles}
    return Device(kind.letter, card.name, nodes, values, card.line, (), card.notes)


def _usage(key: str) -> str:
    kind = EXTENSIONS[key]
    return f"`X1 {'a b c d'[: 2 * kind.nodes - 1]} {kind.letter} {' '.join(f'{role}=…' for role in kind.roles)}`"


def _known(definition: Definition | None) -> str:
    found: dict[str, str] = {}
    while definition is not None:
        found |= {name: one.name for name, one in definition.definitions.items()}
        definition = definition.parent
    own = sorted(found.values())[:20]
    return ", ".join([*own, *(one.name for one in library().definitions.values()), *map(str.upper, EXTENSIONS)])
