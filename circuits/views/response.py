"""The response over frequency: what was measured, what the fit says, and where it began."""

from __future__ import annotations

import io
import os
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from circuits.circuit import Circuit
from circuits.data import Measurements
from circuits.errors import OptionError
from circuits.files import replace_file
from circuits.fitting.result import Fit
from circuits.fitting.saved import SavedFit
from circuits.views import led_panels, numeric_panels, style
from circuits.views.scene import Corner, Scene, scene_of

FORMATS = ("png", "svg", "pdf")
DOTS_PER_INCH = 200
"""Of a saved picture; 9 inches are shown at half that, 900 pixels wide."""

TITLE = 84
"""Letters of a title that stand in a line."""


class Picture(Figure):
    """A matplotlib figure that belongs to no pyplot window, and shows itself in a notebook."""

    def _repr_png_(self) -> bytes:
        return rendered(self, "png")


def plot_response(
    thing: Fit | SavedFit | Circuit | Measurements, path: str | os.PathLike[str] | None = None, *, board: int = 0
) -> Figure:
    """Draw a response over frequency and save the picture where a path is given.

    A fit shows its data over the fitted curve, the start dashed, the corners as thin lines, and what is left;
    LEDs stand in strips under the curves, those that the fit does not explain crossed. A circuit alone is a Bode
    plot, measurements alone are points.

    Args:
        thing: the result of a fit of a circuit, a circuit, or measurements.
        path: a .png, .svg or .pdf to write, or None.
        board: which board of a batch, counted in rows.

    Returns:
        The figure, of matplotlib's own kind, unknown to pyplot.

    Raises:
        OptionError: something without a response, a board that is not there, or an unknown ending of the path.

    >>> import circuits as cc
    >>> figure = plot_response(cc.simulate(cc.LowPass(R=200.0), cc.log_grid(30, 10.0, 1e5)))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['magnitude |H|']
    """
    kind = None if path is None else format_of(path)
    scene = scene_of(thing, board)
    with mpl.rc_context(style.SETTINGS):
        figure = _led_figure(scene) if scene.quantity == "led" else _numeric_figure(scene)
    if path is not None and kind is not None:
        replace_file(path, rendered(figure, kind))
    return figure


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that the ending of a path asks for.

    Raises:
        OptionError: none that can be written.
    """
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        raise OptionError(f"cannot draw to {str(path)!r}; its name must end in .{', .'.join(FORMATS)}")
    return suffix


def rendered(figure: Figure, format: str) -> bytes:
    """The whole picture as bytes."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if format == "svg" else {"CreationDate": None} if format == "pdf" else {}
    with mpl.rc_context(style.SETTINGS):
        figure.savefig(buffer, format=format, dpi=DOTS_PER_INCH, metadata=metadata)
    return buffer.getvalue()


def _numeric_figure(scene: Scene) -> Figure:
    """A panel for each real quantity, and one of residuals under it where there is a fit."""
    views = numeric_panels.views_of(scene.quantity, scene.unit)
    has_residuals = scene.observed is not None and scene.curve is not None
    value = 3.2 if len(views) == 1 else 2.4
    heights = [height for _ in views for height in ((value, 0.35 * value) if has_residuals else (value,))]
    figure, panels = _panels(scene, heights)
    for i, view in enumerate(views):
        own = panels[2 * i : 2 * i + 2] if has_residuals else panels[i : i + 1]
        numeric_panels.draw_values(own[0], scene, view, scene.spread[i] if scene.spread else None)
        if has_residuals:
            numeric_panels.draw_residuals(own[1], scene, view)
    _finish(figure, panels, scene, lambda panel: scene.corners)
    return figure


def _led_figure(scene: Scene) -> Figure:
    """The curves, where there are any, over one strip of tones for each output."""
    has_curves = scene.curve is not None
    figure, panels = _panels(scene, [3.6] * has_curves + [0.42] * len(scene.outputs))
    if has_curves:
        led_panels.draw_curves(panels[0], scene)
    for k, axes in enumerate(panels[has_curves:]):
        led_panels.draw_strip(axes, scene, k)
    _finish(
        figure,
        panels,
        scene,
        lambda panel: [c for c in scene.corners if panel < has_curves or c.output == panel - has_curves],
    )
    figure.legend(
        handles=led_panels.key(scene),
        loc="outside lower center",
        ncols=4,
        fontsize=9.5,
        columnspacing=1.6,
        handletextpad=0.4,
    )
    return figure


def _panels(scene: Scene, heights: list[float]) -> tuple[Figure, list[Any]]:
    """A figure with panels of these heights in inches, one above the other, all along one frequency axis."""
    rows = _legend_rows(scene)
    size = (style.WIDTH, sum(heights) + 1.3 + 0.22 * len(rows))
    figure = Picture(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06))
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    return figure, [figure.add_subplot(cell) for cell in grid]


def _finish(figure: Figure, panels: list[Any], scene: Scene, corners_of: Callable[[int], Sequence[Corner]]) -> None:
    """What all pictures have: the frequency axis, corners, title, and the legend with the values."""
    low, high = _span(scene)
    for i, axes in enumerate(panels):
        style.frequency_axis(axes, low, high, labelled=axes is panels[-1])
        style.mark_corners(axes, corners_of(i), labelled=i == 0)
    figure.align_ylabels(panels)
    figure.legend(
        handles=_legend_rows(scene),
        title=textwrap.fill(scene.title, TITLE),
        alignment="left",
        loc="outside upper left",
        fontsize=10.5,
        title_fontproperties={"size": 13, "weight": "bold"},
        handlelength=3.2,
        labelspacing=0.3,
        borderpad=0.0,
    )


def _span(scene: Scene) -> tuple[float, float]:
    """The ends of the frequency axis."""
    if scene.curve is not None:
        return float(scene.curve.f[0]), float(scene.curve.f[-1])
    f = scene.observed.f if scene.observed is not None else (1.0, 1e6)
    low, high = float(min(f)), float(max(f))
    return (low / 1.25, high * 1.25) if high > low else (low / 10, high * 10)


def _legend_rows(scene: Scene) -> list[Line2D | Patch]:
    """A row for each output with its values; then the dashed start."""
    if scene.curve is None and scene.quantity == "led":  # the strips bear their names
        return []
    rows: list[Line2D | Patch] = []
    for k, output in enumerate(scene.outputs):
        text = "  ".join(part for part in (output, scene.notes[k] if scene.notes else "") if part)
        look: dict[str, Any] = {"linestyle": style.line(k), "linewidth": 2.4}
        look = look if scene.curve else {"linestyle": "none", "marker": "o"}
        if text:
            rows.append(Line2D([], [], color=style.colour(k), label=text, **look))
    if scene.start is not None:
        rows.append(Line2D([], [], color=style.PALE, linestyle=style.START, linewidth=1.3, label="where the fit began"))
    if any(np.isfinite(part).any() for part in scene.spread):
        rows.append(Patch(color=style.PALE, alpha=0.4, linewidth=0, label="one standard error of the fitted curve"))
    if any(np.isinf(part).any() for part in scene.spread):
        look = {"facecolor": "none", "edgecolor": style.PALE, "hatch": "///", "linewidth": 0}
        rows.append(Patch(label="hatched: the data do not determine this curve", **look))
    return rows
