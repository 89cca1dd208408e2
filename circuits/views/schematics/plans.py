"""How each kind of circuit is laid out on a sheet; a new circuit brings its own plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from circuits.bode import Bode, BodeBandPass
from circuits.circuit import Circuit
from circuits.errors import OptionError
from circuits.filters import BandPass, HighPass, LoadedBandPass, LowPass
from circuits.views.schematics.sheet import BODY, GAP, SMALL, Part, Point, Sheet, width_of

Parts: TypeAlias = Mapping[str, Part]
Plan: TypeAlias = Callable[[Sheet, Point, Parts], Point]

DROP = 2.3
"""How far below the signal the ground is."""

TOP = 1.1
"""How far above the signal a part or a box may reach."""

_LEAD = 0.8


def _span(part: Part) -> float:
    """The length of a part that lies in the signal's way: its label fits above it."""
    return max(2.6, width_of(part.text) + 0.5, 2 * BODY[0] + 1.0)


def _reach(part: Part) -> float:
    """How far the label of a part that stands reaches to the right."""
    return BODY[1] + GAP + width_of(part.text) + 0.25


def _low_section(sheet: Sheet, start: Point, along: Part, down: Part) -> Point:
    """A resistor in the way of the signal, a capacitor to ground; returns the node between them."""
    node = (start[0] + _span(along), start[1])
    sheet.resistor(start, node, along)
    foot = (node[0], node[1] - DROP)
    sheet.capacitor(node, foot, down)
    return _finished(sheet, node, foot)


def _high_section(sheet: Sheet, start: Point, along: Part, down: Part) -> Point:
    """A capacitor in the way of the signal, a resistor to ground."""
    node = (start[0] + _span(along), start[1])
    sheet.capacitor(start, node, along)
    foot = (node[0], node[1] - DROP)
    sheet.resistor(node, foot, down)
    return _finished(sheet, node, foot)


def _finished(sheet: Sheet, node: Point, foot: Point) -> Point:
    sheet.ground(foot)
    sheet.node(node)
    return node


def _wired(sheet: Sheet, start: Point, length: float) -> Point:
    end = (start[0] + length, start[1])
    sheet.wire(start, end)
    return end


def low_pass(sheet: Sheet, start: Point, parts: Parts) -> Point:
    """R, then C to ground."""
    node = _low_section(sheet, start, parts["R"], parts["C"])
    return _wired(sheet, node, _reach(parts["C"]))


def high_pass(sheet: Sheet, start: Point, parts: Parts) -> Point:
    """C, then R to ground."""
    node = _high_section(sheet, start, parts["C"], parts["R"])
    return _wired(sheet, node, _reach(parts["R"]))


def band_pass(sheet: Sheet, start: Point, parts: Parts) -> Point:
    """A low-pass section, a buffer, a high-pass section."""
    node = _low_section(sheet, start, parts["R_low"], parts["C_low"])
    before = _wired(sheet, node, _LEAD)
    after = sheet.buffer(before)
    sheet.text((before[0], after[1] + 1.05), "buffer", size=SMALL)
    room = max(_reach(parts["C_low"]) - (after[0] - node[0]), _LEAD)
    node = _high_section(sheet, _wired(sheet, after, room / 2), parts["C_high"], parts["R_high"])
    return _wired(sheet, node, _reach(parts["R_high"]))


def loaded_band_pass(sheet: Sheet, start: Point, parts: Parts) -> Point:
    """A low-pass section that the high-pass section after it loads."""
    node = _low_section(sheet, start, parts["R_low"], parts["C_low"])
    room = max(_reach(parts["C_low"]) - _span(parts["C_high"]) + BODY[0], _LEAD)
    node = _high_section(sheet, _wired(sheet, node, room), parts["C_high"], parts["R_high"])
    return _wired(sheet, node, _reach(parts["R_high"]))


def bode(sheet: Sheet, start: Point, parts: Parts) -> Point:
    """A box with the corners of a straight-line model, which is made of no parts."""
    titles = ["straight-line Bode model", "(a formula, no parts)"]
    rows = list(parts.values())
    width = max(width_of(text) for text in [*titles, *(part.text for part in rows)]) + 0.8
    height = 0.55 * (len(titles) + len(rows)) + 0.5
    left = _wired(sheet, start, _LEAD)[0]
    middle = (left + width / 2, start[1] + TOP - height / 2)
    sheet.box(middle, (width / 2, height / 2))
    y = start[1] + TOP - 0.5
    for text in titles:
        sheet.text((middle[0], y), text, "center", size=SMALL)
        y -= 0.55
    for part in rows:
        sheet.mark((middle[0], y), (width / 2 - 0.2, 0.22), part.is_learned)
        sheet.text((middle[0], y), part.text, "center")
        y -= 0.55
    return _wired(sheet, (left + width, start[1]), _LEAD)


PLANS: dict[type[Circuit], Plan] = {
    LowPass: low_pass,
    HighPass: high_pass,
    BandPass: band_pass,
    LoadedBandPass: loaded_band_pass,
    Bode: bode,
    BodeBandPass: bode,
}
"""The plan of each kind of circuit: draws it from a point on, given its parts by name, and returns its output."""


def plan_of(circuit: Circuit) -> Plan:
    """The plan of a circuit's own kind; what a subclass computes may be another circuit.

    Raises:
        OptionError: there is none.
    """
    kind = type(circuit)
    if kind not in PLANS:
        known = ", ".join(sorted(plan.__name__ for plan in PLANS))
        raise OptionError(
            f"no plan to draw a {kind.__name__} by; expected ColorOrgan, {known}, or a plan of your own in "
            "circuits.views.schematics.PLANS; draw_graph draws any circuit"
        )
    return PLANS[kind]
