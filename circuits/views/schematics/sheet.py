"""The paper that a schematic is drawn on: parts, wires and words at given places, and how far they reach."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import schemdraw
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath
from schemdraw import elements as elm
from schemdraw.backends import svg as svg_backend
from schemdraw.segments import SegmentText
from schemdraw.types import BBox

from circuits.views import style
from circuits.views.response import Picture

Point = tuple[float, float]
FONT = "DejaVu Sans"
FALLBACK = "'DejaVu Sans', Verdana, sans-serif"
SIZE, SMALL, LARGE = 12.0, 11.0, 15.0
UNIT = 36.0
"""Points to a unit of length, as schemdraw draws them."""

BODY = (0.72, 0.42)
"""Half the length and half the width of the box around a part."""

SYMBOLS: dict[str, Any] = {
    "R": elm.ResistorIEC,
    "C": elm.Capacitor,
    "L": elm.Inductor2,
    "V": elm.SourceSin,
    "I": elm.SourceI,
    "CPE": elm.CPE,
}
"""How the kinds of parts look that have a symbol of their own and two ends."""

GAP, MARGIN = 0.12, 0.3
_LEARNED, _WIDTH = "#d6e8f5", 1.6


@dataclass(frozen=True)
class Part:
    """A component as it is written, `R_low = 39.79 Ω`, and whether a fit may move it."""

    text: str
    is_learned: bool


class Sheet:
    """Draws at places given in units of length, x to the right and y upwards.

    >>> sheet = Sheet()
    >>> sheet.resistor((0.0, 0.0), (3.0, 0.0), Part("R = 1 kΩ", True))
    >>> "R = 1 kΩ" in sheet.svg()
    True
    """

    def __init__(self):
        self.drawing = schemdraw.Drawing(show=False)
        self.drawing.config(font=FONT, fontsize=SIZE, color=style.INK, lw=_WIDTH, bgcolor="white", margin=0.0)
        self.left = self.bottom = math.inf
        self.right = self.top = -math.inf

    # parts

    def resistor(self, start: Point, end: Point, part: Part) -> None:
        """A resistor with its label above it, or to the right of one that stands."""
        self.two_ended("R", start, end, part)

    def capacitor(self, start: Point, end: Point, part: Part) -> None:
        """A capacitor, labelled as a resistor is."""
        self.two_ended("C", start, end, part)

    def two_ended(self, letter: str, start: Point, end: Point, part: Part, *, is_marked: bool = True) -> None:
        """A part by the letter of its kind as SPICE has it, or a box with that letter; `is_marked` as by `mark`."""
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        stands = start[0] == end[0]
        half = (BODY[1], BODY[0]) if stands else BODY
        if is_marked:
            self.mark(middle, half, part.is_learned)
        symbol = SYMBOLS.get(letter, elm.RBox)
        angle = math.degrees(math.atan2(end[1] - start[1], end[0] - start[0]))  # a source would stand upright
        self._add(symbol().at(start).to(end).theta(angle), start, end)
        if letter not in SYMBOLS:
            self.text(middle, letter, "center", size=SMALL)
        if stands:
            self.text((middle[0] + half[0] + GAP, middle[1]), part.text, "left")
        else:
            self.text((middle[0], middle[1] + half[1] + GAP), part.text, "center", "bottom")

    def mark(self, middle: Point, half: Point, is_learned: bool) -> None:
        """A filled box behind what a fit may move, a dashed one around what it holds."""
        self.box(middle, half, fill=_LEARNED if is_learned else "none", is_dashed=not is_learned, width=0.8)

    def box(
        self, middle: Point, half: Point, *, fill: str = "none", is_dashed: bool = False, width: float = _WIDTH
    ) -> None:
        """A rectangle around a place."""
        low, high = (middle[0] - half[0], middle[1] - half[1]), (middle[0] + half[0], middle[1] + half[1])
        self._add(
            elm.Rect(low, high, fill=fill, ls="--" if is_dashed else "-", lw=width).at((0, 0)).theta(0), low, high
        )

    def buffer(self, start: Point) -> Point:
        """An amplifier of gain 1, which loads nothing; returns its output."""
        return self._triangle(start, "×1")

    def comparator(self, start: Point, text: str) -> Point:
        """A comparator with what it asks inside; returns its output."""
        return self._triangle(start, text)

    def _triangle(self, start: Point, text: str) -> Point:
        size = 0.55 + width_of(text, SMALL) / 2
        x, y = start
        tip = (x + 2.2 * size, y)
        self.wire((x, y + size), tip, (x, y - size), (x, y + size))
        self.text((x + 0.18, y), text, "left", size=SMALL)
        return tip

    def led(self, start: Point, end: Point, colour: str, text: str) -> None:
        """A light-emitting diode of a colour, its name under it."""
        self._add(elm.LED(arrow_color=colour).at(start).to(end).fill(colour), start, end)
        middle = (start[0] + end[0]) / 2
        self.reach((middle, start[1] + 0.95))
        self.text((middle, start[1] - 0.42), text, "center", "top")

    def ground(self, at: Point) -> None:
        """The common return of all signals."""
        self._add(elm.Ground().at(at).theta(0), at, (at[0] - 0.4, at[1] - 0.5), (at[0] + 0.4, at[1]))

    def terminal(self, at: Point, text: str, side: str) -> None:
        """An input or output, an open circle with its name on the left or the right."""
        self._add(elm.Dot(open=True).at(at), at)
        away = -0.2 if side == "left" else 0.2
        self.text((at[0] + away, at[1]), text, "right" if side == "left" else "left")

    def node(self, at: Point) -> None:
        """A dot where wires meet."""
        self._add(elm.Dot().at(at), at)

    def wire(self, *points: Point) -> None:
        """Straight lines from point to point."""
        for start, end in zip(points, points[1:], strict=False):
            self._add(elm.Line().at(start).to(end), start, end)

    def text(
        self,
        at: Point,
        text: str,
        across: str = "left",
        along: str = "center",
        *,
        size: float = SIZE,
        colour: str = style.INK,
    ) -> None:
        """Words at a place, which is their left, center or right, and their top, center or bottom."""
        element = elm.Element()
        align: Any = (across, along)
        element.segments.append(SegmentText((0, 0), text, align=align, fontsize=size, font=FONT, color=colour))
        width, height = width_of(text, size), 1.25 * size / UNIT
        x = at[0] - width * {"left": 0.0, "center": 0.5, "right": 1.0}[across]
        y = at[1] - height * {"bottom": 0.0, "center": 0.5, "top": 1.0}[along]
        self._add(element.at(at).theta(0), (x, y), (x + width, y + height))

    # what becomes of it

    def reach(self, *points: Point) -> None:
        """Make the paper large enough for these places."""
        for x, y in points:
            self.left, self.right = min(self.left, x), max(self.right, x)
            self.bottom, self.top = min(self.bottom, y), max(self.top, y)

    def _add(self, element: Any, *corners: Point) -> None:
        self.drawing.add(element)
        self.reach(*corners)

    def _paper(self) -> BBox:
        ends = (self.left - MARGIN, self.bottom - MARGIN, self.right + MARGIN, self.top + MARGIN)
        return BBox(*(round(end * 8) / 8 for end in ends))

    def svg(self) -> str:
        """The drawing as SVG, its words as text; the same in every run."""
        before = svg_backend.config.text
        svg_backend.config.text = "text"  # where ziamath is installed, words would become outlines
        try:
            picture: Any = self.drawing.draw(show=False, canvas="svg")
            picture.set_bbox(self._paper())
            text = picture.getimage("svg").decode()
        finally:
            svg_backend.config.text = before
        text = text.replace("stroke-dasharray:-;", "")  # schemdraw's word for a line without gaps, not SVG's
        text = re.sub(r"^<\?xml[^>]*\?>\s*", "", text)
        return text.replace(f'font-family="{FONT}"', f'font-family="{FALLBACK}"')

    def figure(self) -> Picture:
        """The drawing as a matplotlib figure, unknown to pyplot."""
        paper = self._paper()
        width, height = paper.xmax - paper.xmin, paper.ymax - paper.ymin
        figure = Picture(figsize=(width * UNIT / 72, height * UNIT / 72))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        self.drawing.draw(show=False, canvas=axes)
        axes.set(xlim=(paper.xmin, paper.xmax), ylim=(paper.ymin, paper.ymax))
        return figure


@cache
def width_of(text: str, size: float = SIZE) -> float:
    """How wide words are, in units of length; measured in the font that matplotlib brings along.

    >>> round(width_of("R_low = 39.79 Ω"), 1)
    2.8
    """
    properties = FontProperties(family=FONT, size=size)
    return TextToPath().get_text_width_height_descent(text.replace("$", r"\$"), properties, False)[0] / UNIT
