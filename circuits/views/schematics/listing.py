"""A schematic without a plan: every part in a row of its own between its nodes, as a netlist lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from circuits.component import Placed
from circuits.views.schematics.sheet import BODY, SMALL, SYMBOLS, Part, Point, Sheet, width_of

ROWS, HEIGHT, MOST = 12, 1.55, 60
"""Rows under each other before a new column begins, the height of one, and parts that are drawn at most."""

_LEAD, _BETWEEN, _BESIDE = 0.45, 1.0, 0.35


def draw_listing(sheet: Sheet, wiring: Sequence[Placed], parts: Mapping[str, Part]) -> None:
    """Draw the parts in columns, in their order.

    Args:
        sheet: to draw on.
        wiring: the parts and their nodes.
        parts: every component of the circuit by dotted name, as it is written.
    """
    shown, x = wiring[:MOST], 0.0
    for first in range(0, len(shown), ROWS):
        column = shown[first : first + ROWS]
        left = max(width_of(_ends(part)[0]) for part in column) + _BESIDE
        length = max(_length(_label(part, parts).text) for part in column)
        for row, part in enumerate(column):
            _draw(sheet, (x + left, -row * HEIGHT), length, part, parts)
        x += left + length + max(width_of(_ends(part)[1]) for part in column) + _BESIDE + _BETWEEN
    if len(wiring) > MOST:
        sheet.text((0.0, -ROWS * HEIGHT), f"… and {len(wiring) - MOST} more parts", size=SMALL)


def _draw(sheet: Sheet, start: Point, length: float, part: Placed, parts: Mapping[str, Part]) -> None:
    """One part: its symbol, or a box with what it is, between its nodes."""
    end, label = (start[0] + length, start[1]), _label(part, parts)
    is_marked = any(name in parts for name in part.components.values())
    before, after = _ends(part)
    sheet.terminal(start, before, "left")
    sheet.terminal(end, after, "right")
    sheet.two_ended(part.letter, start, end, label, is_marked=is_marked)


def _ends(part: Placed) -> tuple[str, str]:
    """What stands on either side: a node, or the two nodes of a port, the controlled one on the right."""
    nodes = part.nodes
    if len(nodes) == 2 and part.letter in SYMBOLS:
        return nodes[0], nodes[1]
    if part.letter == "T":
        return _pair(nodes[:2]), _pair(nodes[2:])
    return _pair(nodes[2:]), _pair(nodes[:2])


def _pair(nodes: Sequence[str]) -> str:
    return ", ".join(nodes)


def _label(part: Placed, parts: Mapping[str, Part]) -> Part:
    """`R1 = 1 kΩ`, or all that a part has: `T1.z0 = 50 Ω, T1.td = 5 ns`."""
    own = [parts[name] for name in part.components.values() if name in parts]
    texts = [one.text for one in own] + ([part.value] if part.value else [])
    return Part(", ".join(texts) or part.name, any(one.is_learned for one in own))


def _length(text: str) -> float:
    return max(2.4, width_of(text) + 2 * _LEAD, 2 * BODY[0] + 2 * _LEAD)
