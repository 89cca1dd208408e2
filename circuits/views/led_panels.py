"""Panels of LEDs: the curves with their threshold, and under them a strip of tones for each output."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from circuits.views import style
from circuits.views.scene import Scene

LIT, DARK = 0.70, 0.30
"""Heights of the marks in a strip."""


def draw_curves(axes: Axes, scene: Scene) -> None:
    """Magnitudes with the threshold above which an LED is lit; the start dashed."""
    for k in range(len(scene.outputs)):
        if scene.start is not None:
            start = scene.start
            axes.plot(start.f, start.values[k], color=style.colour(k), linestyle=style.START, linewidth=1.3, alpha=0.6)
        if scene.curve is not None:
            axes.plot(
                scene.curve.f, scene.curve.values[k], color=style.colour(k), linestyle=style.line(k), linewidth=2.4
            )
    axes.set_ylabel("magnitude |H|")
    axes.set_ylim(0.0, 1.04)
    if scene.curve is not None and scene.spread:
        for k, (curve, error) in enumerate(zip(scene.curve.values, scene.spread[0], strict=True)):
            style.shade_band(axes, scene.curve.f, curve - error, curve + error, output=k)
    if scene.threshold is not None:
        axes.axhline(scene.threshold, color=style.INK, linewidth=1.0, zorder=1.5)
        axes.annotate(
            f"LED lit above {scene.threshold:.3f}",
            (0.004, scene.threshold),
            (0, -3),
            textcoords="offset points",
            xycoords=axes.get_yaxis_transform(),
            va="top",
            fontsize=9.5,
        )


def draw_strip(axes: Axes, scene: Scene, k: int) -> None:
    """The tones of one output: filled marks lit, hollow ones dark, over a band where the fit predicts light."""
    observed, ink = scene.observed, style.colour(k)
    axes.set_ylim(0.0, 1.0)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_ylabel(scene.outputs[k] or "LED", rotation=0, ha="right", va="center", color=ink, fontweight="bold")
    if observed is None:
        return
    if scene.curve is not None and scene.threshold is not None:
        lit = scene.curve.values[k] > scene.threshold
        axes.fill_between(scene.curve.f, 0, 1, where=lit.tolist(), color=ink, alpha=0.18, linewidth=0, zorder=1)
    seen = observed.values[k]
    size = 5.0 if len(seen) <= 100 else 4.0 if len(seen) <= 400 else 3.2
    for state, height, face in ((1.0, LIT, ink), (0.0, DARK, "white")):
        f = observed.f[seen == state]
        axes.plot(
            f,
            np.full(len(f), height),
            "o",
            color=ink,
            markersize=size,
            markerfacecolor=face,
            markeredgewidth=0.7,
            linestyle="none",
            zorder=2,
        )
    wrong = wrong_leds(scene)[k]
    heights = np.where(seen[wrong] > 0, LIT, DARK)
    axes.plot(observed.f[wrong], heights, "x", color="black", markersize=8, markeredgewidth=1.8, zorder=4)


def wrong_leds(scene: Scene) -> np.ndarray:
    """Which LEDs were seen otherwise than the curve predicts, `(k, n)`; none where nothing predicts."""
    observed, curve = scene.observed, scene.curve
    if observed is None:
        return np.zeros((len(scene.outputs), 0), dtype=bool)
    if curve is None or curve.at_data is None or scene.threshold is None:
        return np.zeros(observed.values.shape, dtype=bool)
    predicted = curve.at_data > scene.threshold
    return ~np.isnan(observed.values) & (predicted != (observed.values > 0.5))


def key(scene: Scene) -> list[Line2D | Patch]:
    """What the marks in the strips mean."""
    wrong = int(wrong_leds(scene).sum())
    mark = {"marker": "o", "color": style.INK, "linestyle": "none", "markersize": 5}
    entries: list[Line2D | Patch] = [
        Line2D([], [], label="LED seen lit", **mark),
        Line2D([], [], label="seen dark", markerfacecolor="white", **mark),
    ]
    if scene.curve is not None:
        entries.append(Patch(color=style.INK, alpha=0.18, linewidth=0, label="predicted lit"))
        cross = {"marker": "x", "color": "black", "linestyle": "none", "markersize": 7, "markeredgewidth": 1.8}
        entries.append(Line2D([], [], label=f"seen otherwise than predicted: {wrong or 'none'}", **cross))
    return entries
