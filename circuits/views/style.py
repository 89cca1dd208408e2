"""How the pictures look: colours that colour-blind readers tell apart, axes in hertz, labels apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter, NullLocator

from circuits.views.scene import Corner

COLOURS = ("#D55E00", "#009E73", "#0072B2", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette (2008), the three of the color organ first: low is warm, high is cold."""

LINES: tuple[Any, ...] = ("-", (0, (6, 1.2, 1.2, 1.2)), (0, (1.4, 1.0)), (0, (8, 1)), "-.", ":")
START: Any = (0, (4, 3))
INK, PALE, GRID = "#222222", "#8a8a8a", "#e3e3e3"

SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 11.0,
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "ohmgrad",
}
"""Matplotlib settings of every picture, whatever the user's own are."""

WIDTH = 9.0
CHARACTER = 0.0083
"""Width of a character of a corner's label, as a share of the axes."""


def colour(output: int) -> str:
    """The colour of an output."""
    return COLOURS[output % len(COLOURS)]


def line(output: int) -> Any:
    """The line style of an output: told apart without colour, too."""
    return LINES[output % len(LINES)]


def frequency_axis(axes: Axes, low: float, high: float, *, labelled: bool) -> None:
    """A logarithmic axis in hertz with engineering prefixes, from low to high."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    decades = math.log10(high / low)
    subs = (1.0,) if decades > 2.6 else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=20))
    axes.xaxis.set_major_formatter(EngFormatter(unit="Hz"))
    axes.xaxis.set_minor_locator(LogLocator(subs=tuple(range(2, 10)), numticks=200) if labelled else NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", which="both", labelbottom=labelled, bottom=labelled, color=PALE)
    axes.tick_params(axis="y", color=PALE)
    if labelled:
        axes.set_xlabel("frequency")


def mark_corners(axes: Axes, corners: Sequence[Corner], *, labelled: bool) -> None:
    """A thin line at every corner; the labels stand above the axes, in as many rows as they need."""
    low, high = axes.get_xlim()
    shown = [corner for corner in corners if low < corner.hertz < high]
    places = label_places(shown, low, high)
    if max((row for row, _ in places), default=0) > 0:  # too crowded for the errors, which the table has as well
        shown = [replace(corner, text=corner.short or corner.text) for corner in shown]
        places = label_places(shown, low, high)
    for corner, (row, side) in zip(shown, places, strict=True):
        ink = colour(corner.output)
        axes.axvline(corner.hertz, color=ink, linewidth=0.9, alpha=0.75, zorder=1)
        if labelled:
            _label(axes, corner, row, side)


def _label(axes: Axes, corner: Corner, row: int, side: str) -> None:
    """The frequency above the axes, and the line drawn on to it."""
    ink = colour(corner.output)
    place = {"xycoords": axes.get_xaxis_transform(), "textcoords": "offset points", "annotation_clip": False}
    foot = (corner.hertz, 1.0)
    axes.annotate(
        corner.text, foot, (3 * _SIDES[side], 3 + 13 * row), ha=side, va="bottom", fontsize=9.5, color=ink, **place
    )
    top = 13 * row + (0 if side == "center" else 13)
    if top > 0:
        look = {"arrowstyle": "-", "color": ink, "alpha": 0.75, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", foot, (0, top), arrowprops=look, **place)


_SIDES = {"left": 1, "center": 0, "right": -1}
"""Where the text begins, seen from its line, by its alignment."""


def label_places(corners: Sequence[Corner], low: float, high: float) -> list[tuple[int, str]]:
    """The row and the alignment of each label, so that no two overlap; corners come in rising order.

    Of two corners close together the lower has its label on the left of its line, the upper on the right.

    >>> label_places([Corner(1e3, 0, "1 kHz"), Corner(1.05e3, 0, "1.05 kHz"), Corner(1e5, 0, "100 kHz")], 1.0, 1e6)
    [(0, 'right'), (0, 'left'), (0, 'center')]
    """
    at = [math.log(corner.hertz / low) / math.log(high / low) for corner in corners]
    widths = [(len(corner.text) + 2) * CHARACTER for corner in corners]
    ends: list[float] = []
    places = []
    for i, (x, width) in enumerate(zip(at, widths, strict=True)):
        has_left = i > 0 and x - at[i - 1] < (width + widths[i - 1]) / 2
        has_right = i + 1 < len(at) and at[i + 1] - x < (width + widths[i + 1]) / 2
        is_next_closer = has_right and not (has_left and x - at[i - 1] < at[i + 1] - x)
        side = "right" if is_next_closer and x > width else "left" if has_left and x + width < 1 else "center"
        start = x - width * {"left": 0.0, "center": 0.5, "right": 1.0}[side]
        row = next((r for r, end in enumerate(ends) if end <= start), len(ends))
        ends[row : row + 1] = [start + width]
        places.append((row, side))
    return places
