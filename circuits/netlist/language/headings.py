"""The first words of `.subckt` and `X` lines: names, and nodes."""

from __future__ import annotations

from circuits.netlist.elements import GROUND
from circuits.netlist.language.limits import MAX_NAME
from circuits.netlist.language.lines import Line
from circuits.netlist.language.words import Word, split_words

_GROUNDS = (GROUND, "gnd")


def heading(line: Line) -> tuple[list[Word], int | None]:
    """The words of a `.subckt` or `X` line before its first `name=value`, and where that begins, or None.

    Raises:
        NetlistError: what is neither a name nor an assignment, or too long a name.

    >>> line = Line("x.cir", "X1 in out filter params: R=1k C=1n", (0,), (1,))
    >>> names, start = heading(line)
    >>> [name.text for name in names], line.text[start:]
    (['X1', 'in', 'out', 'filter'], 'R=1k C=1n')
    """
    found = split_words(line)
    end = next((index - 1 for index, word in enumerate(found) if word.kind == "equals"), len(found))
    start = found[end].offset if 0 < end < len(found) else None
    names = [word for word in found[:end] if word.text.lower() not in ("params:", "params")]
    for word in names:
        if word.kind != "word":
            raise line.fault(f"expected a name, found {word.text[:40]!r}; give values as name=value", word.offset)
        if len(word.text) > MAX_NAME:
            raise line.fault(f"a name of more than {MAX_NAME} characters; choose a shorter one", word.offset)
    if end < len(found) and start is None:
        raise line.fault("'=' without a name before it; write name=value", found[0].offset)
    return names, start


def is_ground(name: str) -> bool:
    """Whether a node is the one that all voltages are counted from.

    >>> is_ground("0"), is_ground("GND"), is_ground("00")
    (True, True, False)
    """
    return name.lower() in _GROUNDS


def ports_of(line: Line, names: list[Word]) -> tuple[str, ...]:
    """The nodes of a subcircuit, each once and none of them ground.

    Raises:
        NetlistError: anything else.
    """
    seen: set[str] = set()
    for word in names:
        key = word.text.lower()
        if key in seen:
            raise line.fault(f"node {word.text} stands twice; give every node of a subcircuit once", word.offset)
        if is_ground(key) or key == "optional:":
            raise line.fault(f"{word.text} cannot be a node of a subcircuit; leave it out", word.offset)
        seen.add(key)
    return tuple(word.text for word in names)
