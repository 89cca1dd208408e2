"""Rows of LEDs: what is predicted above what was seen, lit or dark, tone by tone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from circuits.views import style

Array = Any
RED, DARK = style.COLOURS[0], style.PALE
_LIT_UP, _DARK_DOWN = 0.2, -0.2


class LedRows:
    """Two rows for each output, predicted above seen; lit is filled, red and high in its row, dark hollow and low.

    A thousand tones become bars, which stay apart because lit and dark stand at different heights. A black tick
    between the rows marks every tone that is seen otherwise than predicted.

    Args:
        axes: an empty panel; its horizontal axis is left alone.
        f: tones, `(n,)`.
        outputs: k names.
        seen: 1 lit, 0 dark, NaN not seen, `(k, n)`, or None where nothing was.
    """

    def __init__(self, axes: Axes, f: Array, outputs: Sequence[str], seen: Array | None):
        self.f, self.seen, self._rows = np.asarray(f), seen, len(outputs)
        self._pitch = 1 if seen is None else 2
        self._size = 4.5 if len(self.f) <= 60 else 3.2 if len(self.f) <= 300 else 2.4
        axes.set_ylim(-0.5, self._pitch * self._rows - 0.5)
        axes.grid(visible=False)
        axes.spines["left"].set_visible(False)
        names = [output or "LED" for output in outputs]
        labels = [(self._height(k, 0), f"{name}: predicted") for k, name in enumerate(names)]
        if seen is not None:
            labels += [(self._height(k, 1), "seen") for k in range(self._rows)]
        axes.set_yticks([y for y, _ in labels], [text for _, text in labels], fontsize=8.5)
        axes.tick_params(axis="y", length=0)
        for k in range(1, self._rows):
            axes.axhline(self._pitch * k - 0.5, color=style.GRID, linewidth=1.0)
        if seen is not None:
            self._show(self._lines(axes), seen, 1)
        self._moving = self._lines(axes)
        (self._wrong,) = axes.plot([], [], "|", color="black", markersize=6, markeredgewidth=0.9)

    @property
    def artists(self) -> list[Artist]:
        """What moves."""
        return [*self._moving, self._wrong]

    def show(self, lit: Array) -> None:
        """Light the LEDs `(k, n)` that are predicted lit."""
        self._show(self._moving, lit, 0)
        if self.seen is not None:
            k, n = np.nonzero(~np.isnan(self.seen) & (lit != (self.seen > 0.5)))
            self._wrong.set_data(self.f[n], self._height(k, 0.5))

    def _height(self, k: Any, row: float) -> Any:
        return self._pitch * (self._rows - 1 - k) + (self._pitch - 1 - row)

    def _lines(self, axes: Axes) -> list[Any]:
        look = {"linestyle": "none", "markersize": self._size, "markeredgewidth": 0.7}
        (lit,) = axes.plot([], [], "o", color=RED, **look)
        (dark,) = axes.plot([], [], "o", color=DARK, markerfacecolor="white", **look)
        return [lit, dark]

    def _show(self, lines: list[Any], states: Array, row: int) -> None:
        for line, state, shift in zip(lines, (1, 0), (_LIT_UP, _DARK_DOWN), strict=True):
            k, n = np.nonzero(states == state)
            line.set_data(self.f[n], self._height(k, row) + shift)
