"""How the pictures look: colours that colour-blind readers tell apart, axes in hertz, labels apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import (
    EngFormatter,
    Formatter,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

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
THIN = 0.02
"""Height of a band, as a share of the axes, below which its edges would blur the line in its middle."""
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


def value_axis(axis: Axis, low: float, high: float, unit: str, label: str, *, is_log: bool) -> None:
    """An axis of component values with engineering prefixes, from low to high."""
    axes = axis.axes
    which = "x" if axis is axes.xaxis else "y"
    axes.set(**{f"{which}scale": "log" if is_log else "linear", f"{which}lim": (low, high), f"{which}label": label})
    if is_log and high / low > 4:
        decades = math.log10(high / low)
        subs = (1.0,) if decades > 3.5 else (1.0, 3.0) if decades > 2 else (1.0, 2.0, 5.0)
        axis.set_major_locator(LogLocator(subs=subs, numticks=12))
        axis.set_minor_locator(LogLocator(subs=tuple(range(2, 10)), numticks=200))
    else:
        axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
        axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(value_formatter(unit))


def value_formatter(unit: str) -> Formatter:
    """Numbers with engineering prefixes where there is a unit to put them before; plain ones otherwise.

    >>> value_formatter("")(-0.5), value_formatter("")(1500.0)
    ('−0.5', '1500')
    """
    if unit:
        return EngFormatter(unit=unit, sep="\N{NO-BREAK SPACE}")
    return FuncFormatter(lambda value, _: f"{value:.6g}".replace("-", "\N{MINUS SIGN}"))


def shade_band(axes: Axes, f: Any, low: Any, high: Any, *, output: int = 0, label: str = "") -> None:
    """Shade what lies between two curves, in the colour of an output, with edges where it is wide enough to show them.

    Where an end is infinite nothing is known, and the whole height is hatched; NaN leaves a gap. The limits of the axes
    stay as they are.

    Args:
        axes: where to draw, after everything that decides the limits.
        f: what is along the horizontal axis, `(n,)`, for a response the frequency in hertz.
        low, high: the ends of the band in the unit of the vertical axis, `(n,)`.
        output: whose colour to take.
        label: how a legend names it.

    >>> from matplotlib.figure import Figure
    >>> axes = Figure().add_subplot()
    >>> shade_band(axes, [1.0, 2.0, 3.0], [0.1, 0.2, 0.3], [0.3, 0.4, 0.5], label="five per cent parts")
    >>> axes.collections[0].get_label()
    'five per cent parts'
    """
    f, low, high = (np.asarray(part, dtype=float) for part in (f, low, high))
    ink, limits = colour(output), (axes.get_xlim(), axes.get_ylim())
    is_open = (np.isinf(low) | np.isinf(high)) & ~(np.isnan(low) | np.isnan(high))
    known = np.isfinite(low) & np.isfinite(high)
    axes.fill_between(f, low, high, where=known.tolist(), color=ink, alpha=0.22, linewidth=0, zorder=1.2, label=label)
    is_wide = known & (np.subtract(high, low, where=known, out=np.zeros_like(low)) > THIN * abs(np.ptp(limits[1])))
    for edge in (low, high):
        axes.plot(f, np.where(is_wide, edge, np.nan), color=ink, linewidth=0.6, alpha=0.7, zorder=1.3, label="_")
    if is_open.any():
        everywhere = {"transform": axes.get_xaxis_transform(), "zorder": 1.1, "linewidth": 0.0}
        look: dict[str, Any] = {"facecolor": "none", "edgecolor": ink, "hatch": "///", "alpha": 0.35}
        axes.fill_between(f, 0, 1, where=is_open.tolist(), label="_not determined", **look, **everywhere)
    axes.set(xlim=limits[0], ylim=limits[1])


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
