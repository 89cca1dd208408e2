"""The loss over one component or two, with the path that a fit walked on it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, MaxNLocator

from circuits.errors import OptionError
from circuits.files import replace_file
from circuits.fitting.landscape import columns_of, loss_over
from circuits.fitting.minima import floor_of, grid_minima, is_open
from circuits.fitting.result import Fit
from circuits.fitting.saved import SavedFit
from circuits.notation import format as engineering
from circuits.views import style
from circuits.views.history import thinned
from circuits.views.response import Picture, format_of, rendered
from circuits.views.scene import Array

CURVE_POINTS, MAP_POINTS = 601, 121
DEEPEST = 1e-6
"""Share of the highest loss below which a map shows no more differences: a perfect fit has a loss of zero."""
END = style.COLOURS[5]
"""Colour of the point where the fit ended: light blue, under the orange cross of a minimum."""
ZOOMS = 2
"""Times that a minimum of the grid is looked at again on a finer one between its neighbours."""


@dataclass(frozen=True)
class Surface:
    """What is drawn: names, values in SI units along each axis, the loss on the grid, the minima, the path walked.

    `loss (n1,)` or `(n1, n2)`; `minima` are (values, loss) each, the deepest first; `has_lowest` is False where the
    deepest floor runs to the edge, and with `is_valley` the fit ended on it. `path (steps + 1, names)` with the loss of
    each step on the surface where it lies on it, otherwise as it was walked; None without a history.
    """

    names: tuple[str, ...]
    axes: tuple[Array, ...]
    loss: Array
    minima: tuple[tuple[tuple[float, ...], float], ...]
    path: Array | None
    path_loss: Array | None
    is_log: bool
    has_lowest: bool = True
    is_valley: bool = False


def plot_loss_surface(
    fit: Fit,
    names: str | Sequence[str] | None = None,
    path: str | os.PathLike[str] | None = None,
    *,
    span: float | None = None,
    scale: str | None = None,
    points: int | None = None,
    board: int = 0,
) -> Figure:
    """Draw the loss over one component or two, the others as fitted, and save the picture where a path is given.

    One component gives a curve, two a map. The path that the fit walked is drawn on it, and every separate minimum is
    marked with its value; a valley whose floor runs to the edge has none. Where the loss has stages, the surface is
    that of the last one.

    Args:
        fit: the result of a fit, of a circuit or a plain module.
        names: one or two of `fit.names`; None takes the first two, or the only one.
        path: a .png, .svg or .pdf to write, or None.
        span: how far to look: from the fitted value divided by it to the fitted value times it; None takes in the
            whole path.
        scale: "log", "linear", or None: logarithmic where all values are positive.
        points: grid points along each axis.
        board: which board of a batch, counted in rows.

    Returns:
        The figure, of matplotlib's own kind, unknown to pyplot.

    Raises:
        UnknownName: a component that the fit did not learn. OptionError: one that is held fixed, more than two, no
            such board or scale, a fit read back from a file, or an unknown ending of the path.

    >>> import circuits as cc
    >>> fit = cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), cc.log_grid(50, 10.0, 1e5)))
    >>> figure = plot_loss_surface(fit, "R")
    >>> figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()
    ('R', 'loss')
    """
    kind = None if path is None else format_of(path)
    surface = surface_of(fit, names, span=span, scale=scale, points=points, board=board)
    with mpl.rc_context(style.SETTINGS):
        figure = Picture(figsize=(style.WIDTH, 4.6 if len(surface.names) == 1 else 6.0), layout=_layout())
        axes = figure.add_subplot()
        handles = _curve(axes, fit, surface) if len(surface.names) == 1 else _map(figure, axes, fit, surface)
        figure.legend(
            handles=handles,
            title=_title(fit, surface, board),
            alignment="left",
            loc="outside upper left",
            ncols=2 if len(surface.names) == 1 else 3,
            fontsize=10,
            title_fontproperties={"size": 13, "weight": "bold"},
            borderpad=0.0,
        )
    if path is not None and kind is not None:
        replace_file(path, rendered(figure, kind))
    return figure


def surface_of(
    fit: Fit,
    names: str | Sequence[str] | None = None,
    *,
    span: float | None = None,
    scale: str | None = None,
    points: int | None = None,
    board: int = 0,
) -> Surface:
    """Work out what `plot_loss_surface` draws, and raise what it raises."""
    if not isinstance(fit, Fit):
        is_saved = isinstance(fit, SavedFit)
        what = "a fit read back from a file, which has no data with it" if is_saved else f"a {type(fit).__name__}"
        raise OptionError(f"cannot draw the loss of {what}; expected the result of circuits.fit")
    problem = fit.final_problem(board)
    chosen = (names,) if isinstance(names, str) else tuple(fit.names[:2] if names is None else names)
    columns = columns_of(problem, chosen)
    x = fit.end[board : board + 1]
    end = problem.coordinates.values(x)[0].numpy(force=True)[columns]
    walked = None if fit.history is None else fit.history.values[:, board].numpy(force=True)
    path = None if walked is None else walked[:, columns]
    is_log = _is_log(scale, end, path, chosen)
    positive = [problem.model.is_positive(column) for column in columns]
    count = _checked_points(points, len(chosen))
    grids = tuple(
        _grid(end[i], None if path is None else path[:, i], count, span, is_log, positive[i])
        for i in range(len(chosen))
    )
    loss = loss_over(problem, x, chosen, grids).numpy(force=True)
    found = grid_minima(loss)
    has_lowest = not found or not is_open(loss, found[0])
    is_valley = not has_lowest and bool(floor_of(loss, found[0])[_nearest(grids, end)])
    minima = tuple(_refined(problem, x, chosen, grids, at, is_log) for at in found[is_valley:])
    heights = None if walked is None or path is None else _heights(fit, problem, x, chosen, path, board)
    return Surface(chosen, grids, loss, minima, path, heights, is_log, has_lowest, is_valley)


def _nearest(grids: Sequence[Array], values: Array) -> tuple[int, ...]:
    """Indices of the grid point beside these values."""
    return tuple(int(np.abs(grid - value).argmin()) for grid, value in zip(grids, values, strict=True))


def _layout() -> ConstrainedLayoutEngine:
    return ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)


def _is_log(scale: str | None, end: Array, path: Array | None, names: Sequence[str]) -> bool:
    seen = end if path is None else np.concatenate([end[None], path[np.isfinite(path).all(1)]])
    is_positive = bool((seen > 0).all())
    if scale not in (None, "log", "linear"):
        raise OptionError(f"scale={scale!r}; expected 'log', 'linear' or None")
    if scale == "log" and not is_positive:
        raise OptionError(f"{' and '.join(names)} took values that are not positive; expected scale='linear' for those")
    return is_positive if scale is None else scale == "log"


def _checked_points(points: int | None, dimensions: int) -> int:
    if points is None:
        return CURVE_POINTS if dimensions == 1 else MAP_POINTS
    if isinstance(points, bool) or not isinstance(points, int) or points < 3:
        raise OptionError(f"points={points!r}; expected a whole number of grid points along each axis, at least 3")
    return points


def _grid(end: float, path: Array | None, count: int, span: float | None, is_log: bool, is_positive: bool) -> Array:
    """Values along an axis: the whole path with some room, or what the span asks for."""
    if span is not None:
        if isinstance(span, bool) or not isinstance(span, (int, float)) or not 1 < span < math.inf:
            raise OptionError(f"span={span!r}; expected a factor above 1, such as 10")
        low, high = sorted((end / span, end * span)) if end else (-span, span)
        return np.geomspace(low, high, count) if is_log else np.linspace(low, high, count)
    seen = np.array([end]) if path is None else np.append(path[np.isfinite(path)], end)
    if is_log:
        low, high = min(seen.min(), end / 4), max(seen.max(), end * 4)
        room = (high / low) ** 0.06
        return np.geomspace(low / room, high * room, count)
    reach = max(np.ptp(seen), 0.6 * abs(end), 1e-12)
    low, high = min(seen.min(), end - reach / 2), max(seen.max(), end + reach / 2)
    low, high = low - 0.06 * (high - low), high + 0.06 * (high - low)
    return np.linspace(max(low, high / 1000) if is_positive else low, high, count)


def _refined(problem: Any, x: torch.Tensor, names: Sequence[str], grids: Sequence[Array], at: Any, is_log: bool) -> Any:
    """A minimum of the grid, looked at on finer grids between its neighbours: values and loss."""
    spread = np.geomspace if is_log else np.linspace
    for _ in range(ZOOMS):
        ends = [(g[max(i - 1, 0)], g[min(i + 1, len(g) - 1)]) for g, i in zip(grids, at, strict=True)]
        grids = [spread(low, high, 21) for low, high in ends]
        loss = np.nan_to_num(loss_over(problem, x, names, grids).numpy(force=True), nan=np.inf)
        at = np.unravel_index(loss.argmin(), loss.shape)
    return tuple(float(g[i]) for g, i in zip(grids, at, strict=True)), float(loss[at])


def _heights(fit: Fit, problem: Any, x: torch.Tensor, names: Sequence[str], path: Array, board: int) -> Array | None:
    """The loss along the path: on the curve where a single value moved, otherwise as it was walked."""
    if fit.history is None or len(names) == 2:
        return None
    if len(fit.names) > 1:
        heights = fit.history.loss[:, board].numpy(force=True).copy()
        heights[: fit.history.walks[-1][0]] = np.nan  # earlier stages walked another loss
        return heights
    usable = np.isfinite(path[:, 0]) & ((path[:, 0] > 0) | (not problem.model.is_positive(0)))
    heights = np.full(len(path), np.nan)
    shown = thinned(path[:, 0])
    shown = shown[usable[shown]]
    if len(shown):
        heights[shown] = loss_over(problem, x, names, torch.as_tensor(path[shown, 0])).numpy(force=True)
    return heights


def _curve(axes: Axes, fit: Fit, surface: Surface) -> list[Line2D]:
    """The loss over one component."""
    name, grid = surface.names[0], surface.axes[0]
    axes.plot(grid, surface.loss, color=style.COLOURS[2], linewidth=2.2, zorder=2)
    style.value_axis(axes.xaxis, grid[0], grid[-1], fit.units.get(name, ""), name, is_log=surface.is_log)
    axes.set_ylabel("loss")
    axes.tick_params(color=style.PALE)
    finite = surface.loss[np.isfinite(surface.loss)]
    if len(finite):
        room = 0.06 * (np.ptp(finite) or abs(finite[0]) or 1.0)
        axes.set_ylim(finite.min() - room, finite.max() + room)
    handles = [Line2D([], [], color=style.COLOURS[2], linewidth=2.2, label="loss")]
    if surface.path is not None and surface.path_loss is not None:
        handles += _path(axes, surface.path[:, 0], surface.path_loss)
    return [*handles, *_minima(axes, fit, surface, lambda values, loss: (values[0], loss))]


def _map(figure: Figure, axes: Axes, fit: Fit, surface: Surface) -> list[Line2D]:
    """The loss over two components: first along, second up."""
    loss = np.where(np.isfinite(surface.loss), surface.loss, np.nan)
    high, low = float(np.nanmax(loss)), float(np.nanmin(loss))
    is_log = high > 0 and low >= 0 and high > 3 * low
    levels = np.geomspace(max(low, DEEPEST * high), high, 25) if is_log else np.linspace(low, high or 1.0, 25)
    levels = levels if levels[-1] > levels[0] else np.array([low - 0.5, low + 0.5])
    shown = np.clip(loss, levels[0], levels[-1]).T
    norm = LogNorm(levels[0], levels[-1]) if is_log else Normalize(levels[0], levels[-1])
    axes.grid(visible=False)
    filled = axes.contourf(*surface.axes, shown, levels=levels, norm=norm, cmap="cividis")
    axes.contour(*surface.axes, shown, levels=levels[::3], norm=norm, colors="white", linewidths=0.5, alpha=0.5)
    bar = figure.colorbar(filled, ax=axes, label="loss", pad=0.02)
    bar.ax.yaxis.set_major_locator(LogLocator(numticks=8) if is_log else MaxNLocator(6))
    if is_log and levels[-1] / levels[0] > 20:
        bar.ax.yaxis.set_major_formatter(LogFormatterSciNotation())
    for axis, name, grid in zip((axes.xaxis, axes.yaxis), surface.names, surface.axes, strict=True):
        style.value_axis(axis, grid[0], grid[-1], fit.units.get(name, ""), name, is_log=surface.is_log)
    handles = [] if surface.path is None else _path(axes, surface.path[:, 0], surface.path[:, 1], on_dark=True)
    return [*handles, *_minima(axes, fit, surface, lambda values, loss: values)]


def _path(axes: Axes, along: Array, up: Array, *, on_dark: bool = False) -> list[Line2D]:
    """The steps as a line, its start hollow and its end filled."""
    keep = np.union1d(thinned(along), thinned(up))
    keep = keep[np.isfinite(along[keep]) & np.isfinite(up[keep])]
    if len(keep) == 0:
        return []
    ink = "white" if on_dark else style.INK
    look: dict[str, Any] = {"color": ink, "linewidth": 1.4, "marker": "o", "markersize": 3.5 if len(keep) <= 60 else 0}
    if on_dark:  # a white line alone would be lost where the map is bright
        look["path_effects"] = [Stroke(linewidth=3.0, foreground=style.INK), Normal()]
    axes.plot(along[keep], up[keep], zorder=3, **look)
    steps = len(along) - 1 - int(keep[0])
    beginning = "start" if keep[0] == 0 else "first step on this loss"
    ends = (
        (0, 9, "white", f"{beginning}, {steps:,} step{'s' if steps != 1 else ''} before the end"),
        (-1, 11, END, "where the fit ended"),
    )
    handles = [Line2D([], [], label="path walked", **look)]
    for index, size, face, label in ends:
        point = {"marker": "o", "markersize": size, "markerfacecolor": face, "markeredgecolor": style.INK}
        axes.plot(along[keep[index]], up[keep[index]], linestyle="none", zorder=5, **point)
        handles.append(Line2D([], [], linestyle="none", label=label, **point))
    return handles


def _minima(axes: Axes, fit: Fit, surface: Surface, place: Any) -> list[Line2D]:
    """A cross at every minimum; the legend says where it lies."""
    handles = []
    for number, (values, loss) in enumerate(surface.minima):
        look = {"marker": "x", "color": style.COLOURS[4], "markersize": 11, "markeredgewidth": 2.6, "linestyle": "none"}
        axes.plot(*place(values, loss), zorder=6, clip_on=False, **look)
        named = [_with_unit(value, fit.units.get(name, "")) for value, name in zip(values, surface.names, strict=True)]
        is_edge = number == 0 and not surface.has_lowest and not surface.is_valley
        what = "lowest at the edge," if is_edge else "another minimum at" if number else "minimum at"
        handles.append(Line2D([], [], label=f"{what} {', '.join(named)}", **look))
    if surface.is_valley:
        label = "no single minimum: the floor runs to the edge"
        handles.append(Line2D([], [], linestyle="none", label=label))
    return handles


def _with_unit(value: float, unit: str) -> str:
    return engineering(value, unit, 4) if unit else f"{value:.4g}"


def _title(fit: Fit, surface: Surface, board: int) -> str:
    others = [name for name in fit.names if name not in surface.names]
    where = f", board {board}" if fit.batch_shape else ""
    held = "" if not others else f"; {', '.join(others) if len(others) <= 3 else 'the others'} as fitted"
    return f"Loss over {' and '.join(surface.names)}{where}{held}"
