"""The panel of the response: the data, where the curve was at first, and the curve that moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator

from circuits.views import style
from circuits.views.numeric_panels import View, unbroken
from circuits.views.playback.ground import Ground
from circuits.views.playback.leds import LedRows

Array = Any
DEEPEST = -90.0
"""Decibels below which no axis reaches: a null has no bottom."""


class ResponsePanel:
    """Curves over the data, the LEDs under them where there are any.

    Args:
        axes: as many empty panels as `ground.heights`, above one another.
        ground: what stays.
        start: the curve that is drawn dashed, `(k, m)`.
        others: further curves that the vertical axes have to hold.
        corners: how many corner frequencies are marked.
    """

    def __init__(self, axes: Sequence[Axes], ground: Ground, start: Array, others: Sequence[Array], corners: int):
        self._ground, self._leds = ground, None
        self._curves: list[tuple[View, int, Any]] = []
        for panel, view in zip(axes, ground.views, strict=False):
            self._still(panel, view, start)
            for k in range(len(ground.outputs)):
                look = {"color": style.colour(k), "linestyle": style.line(k), "linewidth": 2}
                self._curves.append((view, k, panel.plot(ground.grid, np.real(start[k]), **look)[0]))
            panel.set_ylim(*self._span(view, [start, *others]))
        self._corners = [
            [panel.axvline(ground.grid[0], color=style.PALE, linewidth=0.9, linestyle=":") for _ in range(corners)]
            for panel in axes[: len(ground.views)]
        ]
        if ground.has_leds:
            self._leds = LedRows(axes[-1], ground.at, ground.outputs, ground.target)
        ground.draw_axis(axes)
        axes[0].set_title("response (dashed: at the start)")
        if ground.has_leds:
            axes[-1].set_xlabel("frequency (LEDs: filled lit, hollow dark, black where the two differ)")

    @property
    def artists(self) -> list[Artist]:
        """What moves."""
        lines = [*(line for marks in self._corners for line in marks), *(line for _, _, line in self._curves)]
        return [*lines, *(self._leds.artists if self._leds else [])]

    def show(self, curve: Array, lit: Array | None, corners: Sequence[float]) -> None:
        """Move the curves `(k, m)`, the predicted LEDs `(k, n)` and the corners in hertz."""
        for view, k, line in self._curves:
            line.set_ydata(unbroken(view, curve[k]))
        for marks in self._corners:
            for line, f in zip(marks, corners, strict=True):
                line.set_xdata([f, f])
        if self._leds is not None and lit is not None:
            self._leds.show(lit)

    def _still(self, axes: Axes, view: View, start: Array) -> None:
        ground = self._ground
        for k in range(len(ground.outputs)):
            ink = style.colour(k)
            if ground.target is not None and not ground.has_leds:
                size = 4.5 if len(ground.at) <= 100 else 2.6
                look = {"markersize": size, "markerfacecolor": "white", "markeredgewidth": 0.9, "linestyle": "none"}
                with np.errstate(all="ignore"):
                    shown = view.of(ground.target[k])
                axes.plot(ground.at, shown, "o", color=ink if len(ground.outputs) > 1 else style.INK, **look)
            look = {"color": ink, "linestyle": style.START, "linewidth": 1.1, "alpha": 0.6}
            axes.plot(ground.grid, unbroken(view, start[k]), **look)
        if ground.threshold is not None:
            axes.axhline(ground.threshold, color=style.INK, linewidth=0.9)
            axes.annotate(
                f"lit above {ground.threshold:.3f}",
                (0.01, ground.threshold),
                (0, -2),
                xycoords=axes.get_yaxis_transform(),
                textcoords="offset points",
                va="top",
                fontsize=8,
            )
        axes.set_ylabel(view.label)
        if view.is_angle:
            axes.yaxis.set_major_locator(MultipleLocator(90.0))

    def _span(self, view: View, curves: Sequence[Array]) -> tuple[float, float]:
        """What the vertical axis has to hold: the data and the curves, in quarter turns of an angle."""
        target = self._ground.target
        parts = curves if target is None or self._ground.has_leds else [target, *curves]
        with np.errstate(all="ignore"):
            shown = np.concatenate([np.ravel(view.of(part)).astype(float) for part in parts])
        shown = shown[np.isfinite(shown)]
        low, high = (float(shown.min()), float(shown.max())) if len(shown) else (0.0, 1.0)
        if view.label.startswith("magnitude |H|") and high <= 1.1:
            return -0.03, 1.06
        if view.unit == "dB":
            low = min(max(low, DEEPEST), high - 1.0)
        if view.is_angle:
            low, high = 90.0 * np.floor(low / 90.0 + 0.05), 90.0 * np.ceil(high / 90.0 - 0.05)
        pad = 0.06 * (high - low) or 0.5
        return low - pad, high + pad
