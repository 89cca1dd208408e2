"""Panels of the loss: a curve over one component or a map over two, with the path walked so far."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from circuits.notation import format as engineering
from circuits.views import style
from circuits.views.playback.film import Film, Frame

Array = Any
LEVELS = 10
PATH, HERE = style.INK, style.COLOURS[0]


class LossCurve:
    """The loss over one component, the path up to the step on it, and the slope where it stands.

    `state` is the stage of the loss, which the vertical axis belongs to.
    """

    def __init__(self, axes: Axes, film: Film):
        self._film, self._axes = film, axes
        self._walk, self._losses = film.walk(film.columns[0]), film.losses()
        self._is_log = film.is_log(film.columns[0])
        (grid,) = film.grids(fixed=True)
        scale_axis(axes.xaxis, film, 0)
        axes.set_xlim(_places(grid[[0, -1]], self._is_log))
        axes.set_ylabel("loss")
        axes.set_title(_title(film))
        (self._curve,) = axes.plot([], [], color=style.COLOURS[2], linewidth=2)
        (self._path,) = axes.plot([], [], "o", color=PATH, markersize=3, alpha=0.6)
        (self._slope,) = axes.plot([], [], color=HERE, linewidth=2, linestyle=(0, (4, 1.5)))
        (self._here,) = axes.plot([], [], "o", color=HERE, markersize=8, markeredgecolor="white")
        self.state = -1

    @property
    def artists(self) -> list[Artist]:
        """What moves."""
        return [self._curve, self._path, self._slope, self._here]

    def show(self, frame: Frame) -> None:
        """Move to a step."""
        found = self._film.slice(frame)
        at = _places(found.grids[0], self._is_log)
        self._curve.set_data(at, found.loss)
        if frame.stage != self.state:
            self.state = frame.stage
            self._fit_height(found.loss)
        index = np.searchsorted(self._film.keys, frame.step, side="right")
        same = self._film.key_stages[:index] == frame.stage
        self._path.set_data(_places(self._walk[:index][same], self._is_log), self._losses[:index][same])
        column = self._film.columns[0]
        value = frame.values[column]
        here = float(_places(value, self._is_log))
        self._here.set_data([here], [frame.loss])
        # the gradient is by ln(value) where the axis shows its decades
        slope = frame.gradient[column] * (math.log(10) if self._is_log else 1.0)
        reach = 0.12 * (at[-1] - at[0])
        self._slope.set_data([here - reach, here + reach], [frame.loss - slope * reach, frame.loss + slope * reach])

    def _fit_height(self, loss: Array) -> None:
        """The vertical axis of a stage: the curve, which every point of the path lies on."""
        shown = loss[np.isfinite(loss)]
        low, high = (shown.min(), shown.max()) if len(shown) else (0.0, 1.0)
        pad = 0.08 * (high - low) or 0.5
        self._axes.set_ylim(low - pad, high + pad)


class LossMap:
    """The loss over two components, darker where lower, the path up to the step, and the step itself."""

    state = 0

    def __init__(self, axes: Axes, film: Film):
        self._film = film
        self._is_log = [film.is_log(column) for column in film.columns]
        walks = [_places(film.walk(column), log) for column, log in zip(film.columns, self._is_log, strict=True)]
        self._walk = np.stack(walks)
        grids = [_places(grid, log) for grid, log in zip(film.grids(fixed=True), self._is_log, strict=True)]
        extent = (grids[0][0], grids[0][-1], grids[1][0], grids[1][-1])
        axes.grid(visible=False)
        self._image = axes.imshow(
            np.zeros((2, 2)), cmap="cividis", origin="lower", extent=extent, aspect="auto", interpolation="bilinear"
        )
        self._contours = LineCollection([], colors="white", linewidths=0.6, alpha=0.6)
        axes.add_collection(self._contours)
        (self._path,) = axes.plot([], [], "-", color="white", linewidth=1.6, marker="o", markersize=2.5)
        (self._here,) = axes.plot([], [], "o", color=HERE, markersize=9, markeredgecolor="white")
        scale_axis(axes.xaxis, film, 0)
        scale_axis(axes.yaxis, film, 1)
        axes.set_xlim(extent[0], extent[1])
        axes.set_ylim(extent[2], extent[3])
        axes.set_title(_title(film))
        self._axes, self._drawn = axes, None

    @property
    def artists(self) -> list[Artist]:
        """What moves."""
        return [self._image, self._contours, self._path, self._here]

    def show(self, frame: Frame) -> None:
        """Move to a step."""
        found = self._film.slice(frame)
        if found is not self._drawn:
            self._drawn = found
            self._paint(found.grids, found.loss)
        index = np.searchsorted(self._film.keys, frame.step, side="right")
        here = [
            float(_places(frame.values[column], log))
            for column, log in zip(self._film.columns, self._is_log, strict=True)
        ]
        path = np.column_stack([self._walk[:, :index], here])
        self._path.set_data(path[0], path[1])
        self._here.set_data([here[0]], [here[1]])

    def _paint(self, grids: tuple[Array, ...], loss: Array) -> None:
        """Colours and contours of a slice, by the logarithm of the loss where it has one."""
        loss = np.where(np.isfinite(loss), loss, np.nan)
        lowest = np.nanmin(loss) if np.isfinite(loss).any() else 0.0
        shown = np.log10(loss) if lowest > 0 else loss
        low, high = _ends(shown)
        self._contours.set_segments([])
        self._image.set_data(shown.T)
        self._image.set_clim(low, high)
        if np.nanmin(shown, initial=np.inf) < high:  # a plane has no contours
            x, y = (_places(grid, log) for grid, log in zip(grids, self._is_log, strict=True))
            lines = self._axes.contour(x, y, shown.T, levels=np.linspace(low, high, LEVELS + 2)[1:-1])
            self._contours.set_segments([line for level in lines.allsegs for line in level if len(line)])
            lines.remove()


def loss_panel(axes: Axes, film: Film) -> LossCurve | LossMap:
    """A curve for one component, a map for two."""
    return LossCurve(axes, film) if len(film.names) == 1 else LossMap(axes, film)


def scale_axis(axis: Axis, film: Film, index: int) -> None:
    """Ticks in engineering notation; the axis of a logarithm counts decades."""
    column = film.columns[index]
    unit = film.fit.units.get(film.names[index], "")
    axis.set_label_text(f"{film.names[index]} ({unit})" if unit else film.names[index])
    if not film.is_log(column):
        axis.set_major_locator(MaxNLocator(nbins=6))
        return
    grid = film.grids(fixed=True)[index]
    axis.set_major_locator(FixedLocator([math.log10(value) for value in round_values(grid[0], grid[-1])]))
    axis.set_major_formatter(FuncFormatter(lambda place, _: engineering(10.0**place, "", 3)))


def round_values(low: float, high: float) -> list[float]:
    """Round values between two positive ones, as many as an axis has room for.

    >>> round_values(90.0, 1100.0), round_values(1.0, 1e6)
    ([100.0, 200.0, 500.0, 1000.0], [1.0, 10.0, 100.0, 1000.0, 10000.0, 100000.0, 1000000.0])
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for digits in (range(10, 100), range(1, 10), (1, 2, 5), (1,)):
        found = [float(f"{digit}e{power}") for power in range(first - 1, last + 1) for digit in digits]
        found = sorted({value for value in found if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)})
        if 1 < len(found) <= 7:
            return found
    return found[:: math.ceil(len(found) / 7)] if found else [low, high]


def _ends(shown: Array) -> tuple[float, float]:
    finite = shown[np.isfinite(shown)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    return (low, high) if high > low else (low, low + 1.0)


def _title(film: Film) -> str:
    others = len(film.all_names) - len(film.names)
    shade = "" if len(film.names) == 1 else ", dark where low"
    return f"loss{shade}" + ("; other values as at the step" if others else "")


def _places(values: Any, is_log: bool) -> Any:
    """Where values stand on an axis."""
    return np.log10(values) if is_log else np.asarray(values, dtype=float)
