"""The schematic of a circuit, its parts labelled with their values, by schemdraw."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import matplotlib as mpl
from torch import Tensor, nn

from circuits.circuit import Circuit
from circuits.color_organ import ColorOrgan
from circuits.errors import OptionError
from circuits.files import replace_file
from circuits.lab.modelling.bench import Bench
from circuits.notation import format as engineering
from circuits.views import style
from circuits.views.response import format_of
from circuits.views.schematics.listing import draw_listing
from circuits.views.schematics.plans import DROP, Parts, plan_of
from circuits.views.schematics.sheet import LARGE, SMALL, Part, Point, Sheet, width_of

DOTS_PER_INCH = 144
"""Of a picture of dots: two a point, as sharp screens have them."""

_COLOUR_NAMES = ("orange", "green", "blue")


@dataclass(frozen=True, repr=False)
class Schematic:
    """A drawn circuit, which shows itself in a notebook.

    >>> from circuits.filters import LowPass
    >>> draw_schematic(LowPass(R=500.0))
    Schematic(LowPass; .svg is its text, .save(path) writes it)
    """

    name: str
    sheet: Sheet

    @cached_property
    def svg(self) -> str:
        """The drawing as SVG text, the same in every run."""
        return self.sheet.svg()

    def render(self, format: str) -> bytes:
        """The picture in one of the formats "svg", "png", "pdf".

        Raises:
            OptionError: another format.
        """
        format_of(f"schematic.{format}")
        if format == "svg":
            return self.svg.encode()
        metadata = {"CreationDate": None} if format == "pdf" else {}
        buffer = io.BytesIO()
        with mpl.rc_context(style.SETTINGS):
            self.sheet.figure().savefig(buffer, format=format, dpi=DOTS_PER_INCH, metadata=metadata)
        return buffer.getvalue()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a .svg, .png or .pdf picture in one step.

        Raises:
            OptionError: another ending. DataError: a place that cannot be written.
        """
        replace_file(path, self.render(format_of(path)))

    def __repr__(self) -> str:
        return f"Schematic({self.name}; .svg is its text, .save(path) writes it)"

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The picture for a notebook, with a line of text for where there are no pictures."""
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}


def draw_schematic(circuit: Circuit, path: str | os.PathLike[str] | None = None, *, board: int = 0) -> Schematic:
    """Draw the schematic of a circuit with the value of every component.

    What a fit may move stands on a filled ground, what is held fixed in a dashed box. A color organ shows its three
    filters on one input, each with its corners, its comparator and its LED. A straight-line Bode plot is a box with its
    corners: it is a formula, and has no parts. A netlist is drawn as it lists its parts, each between its nodes.

    Args:
        circuit: one of the package's circuits; a new kind brings its plan in `circuits.views.schematics.PLANS`.
        path: a .svg, .png or .pdf to write, or None.
        board: which board of a batch, counted in rows.

    Returns:
        The schematic; `.svg` is its text.

    Raises:
        OptionError: no circuit, a kind that has no plan, a board that is not there, an unknown ending of the path.
        DataError: a place that cannot be written.

    Reference: C. J. Delker, schemdraw, https://schemdraw.readthedocs.io.

    >>> from circuits.filters import BandPass
    >>> drawing = draw_schematic(BandPass(R_low=39.789, R_high=159.155))
    >>> [text for text in ("R_low = 39.79 Ω", "C_high = 1 µF", "held fixed") if text in drawing.svg]
    ['R_low = 39.79 Ω', 'C_high = 1 µF', 'held fixed']
    """
    if not isinstance(circuit, Circuit):
        raise OptionError(f"cannot draw a schematic of {type(circuit).__name__}; expected a circuit, or use draw_graph")
    if path is not None:
        format_of(path)
    boards = circuit.batch_shape.numel()
    if not 0 <= board < boards:
        raise OptionError(f"no board {board}; expected 0 to {boards - 1}")
    circuit = circuit.inner if isinstance(circuit, Bench) else circuit  # a gain is no part
    sheet = Sheet()
    draw = _organ if type(circuit) is ColorOrgan else _list if circuit.wiring() else _filter
    draw(sheet, circuit, board)
    title = circuit.title + (f", board {board}" if boards > 1 else "")
    _frame(sheet, title, [part.is_learned for part in _parts(circuit, circuit, board).values()])
    schematic = Schematic(circuit.title, sheet)
    if path is not None:
        schematic.save(path)
    return schematic


def _parts(circuit: Circuit, whole: Circuit, board: int, stem: str = "") -> Parts:
    """The components of a circuit by their own names, written with the names that the whole has for them."""
    units = circuit.units()
    return {
        name: Part(f"{stem}{name} = {_value(p, whole, board, units[name])}", p.requires_grad)
        for name, p in circuit.named_parameters(remove_duplicate=False)
    }


def _value(parameter: Tensor, whole: Circuit, board: int, unit: str) -> str:
    return engineering(parameter.detach().expand(whole.batch_shape).reshape(-1)[board].item(), unit)


def _list(sheet: Sheet, circuit: Circuit, board: int) -> None:
    """A circuit that says how it is wired, part by part."""
    draw_listing(sheet, circuit.wiring(board), _parts(circuit, circuit, board))


def _filter(sheet: Sheet, circuit: Circuit, board: int) -> None:
    """A single filter from its input to its output."""
    plan = plan_of(circuit)
    sheet.terminal((0.0, 0.0), "in", "left")
    end = plan(sheet, (0.0, 0.0), _parts(circuit, circuit, board))
    sheet.terminal(end, "out", "right")


CHANNEL, ABOVE, LANE = 5.0, 2.3, 1.2
"""Least height of a channel of the color organ, that of its words above the signal, and where its filter begins."""


def _organ(sheet: Sheet, organ: Circuit, board: int) -> None:
    """Three filters on one input, their comparators under each other, each with its LED."""
    plans = [plan_of(filter) for _, filter in organ.named_children() if isinstance(filter, Circuit)]
    places: list[Point] = []
    ends: list[Point] = []
    for plan, output in zip(plans, organ.outputs, strict=True):
        place = (LANE, min(places[-1][1] - CHANNEL, sheet.bottom - ABOVE) if places else 0.0)
        places.append(place)
        filter = getattr(organ, output)
        sheet.text((place[0], place[1] + 1.5), _caption(output, filter, organ, board), size=SMALL)
        ends.append(plan(sheet, place, _parts(filter, organ, board, f"{output}.")))
    _lamps(sheet, ends, organ.outputs)
    middle = places[len(places) // 2]
    sheet.wire((0.0, middle[1]), middle)
    sheet.wire((LANE / 2, places[0][1]), (LANE / 2, places[-1][1]))
    for place in (places[0], places[-1]):
        sheet.wire((LANE / 2, place[1]), place)
    sheet.node((LANE / 2, middle[1]))
    sheet.terminal((0.0, middle[1]), "in", "left")


def _caption(output: str, filter: Circuit, organ: Circuit, board: int) -> str:
    """`band: low_pass 4 kHz, high_pass 1 kHz`; a corner that is a component is written in its place already."""
    found = {name: f for name, f in filter.cutoffs().items() if not isinstance(f, nn.Parameter)}
    corners = [f"{name} {_value(f, organ, board, 'Hz')}" for name, f in found.items()]
    return f"{output}: {', '.join(corners)}" if corners else output


def _lamps(sheet: Sheet, ends: list[Point], outputs: Sequence[str]) -> None:
    """What follows each filter: its output node, a comparator with the threshold, and the LED; in columns."""
    names = [f"|H_{output}|" for output in outputs]
    lamps = [f"LED {output} ({_COLOUR_NAMES[k]})" for k, output in enumerate(outputs)]
    column = max(x for x, _ in ends) + 0.3
    lead = max(map(width_of, names)) / 2 + 0.3
    length = max(map(width_of, lamps)) + 0.5
    for k, (end, name, lamp) in enumerate(zip(ends, names, lamps, strict=True)):
        node, start = (column, end[1]), (column + lead, end[1])
        sheet.wire(end, start)
        sheet.node(node)
        sheet.text((node[0], node[1] + 0.25), name, "center", "bottom")
        tip = sheet.comparator(start, "> 1/√2 ?")
        after = (tip[0] + length, tip[1])
        sheet.led(tip, after, style.colour(k), lamp)
        foot = (after[0], after[1] - DROP / 2)
        sheet.wire(after, foot)
        sheet.ground(foot)


def _frame(sheet: Sheet, title: str, learned: list[bool]) -> None:
    """The title above, and below it what the boxes mean."""
    left, top, bottom = sheet.left, sheet.top, sheet.bottom
    sheet.text((left, top + 0.5), title, "left", "bottom", size=LARGE)
    x, y = left, bottom - 0.7
    for is_learned, text in ((True, "learned by a fit"), (False, "held fixed")):
        if is_learned in learned:
            sheet.mark((x + 0.4, y), (0.35, 0.2), is_learned)
            sheet.text((x + 0.95, y), text, size=SMALL)
            x += 0.95 + width_of(text, SMALL) + 0.8
