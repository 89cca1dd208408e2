"""The walk of a fit by its steps: loss, values and gradients."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from circuits.errors import OptionError
from circuits.files import replace_file
from circuits.fitting.history import History
from circuits.fitting.result import Fit
from circuits.fitting.saved import SavedFit
from circuits.views import style
from circuits.views.response import Picture, format_of, rendered
from circuits.views.scene import Array, in_words

MOST = 6
"""Values that are drawn at most, one colour each."""

BINS = 1000
"""Pieces that a long history is cut into; each keeps its lowest and its highest point."""


def plot_history(
    fit: Fit | SavedFit, path: str | os.PathLike[str] | None = None, *, scale: str = "log", board: int = 0
) -> Figure:
    """Draw loss, values and gradients of a fit by its steps, and save the picture where a path is given.

    On a logarithmic axis a gradient is drawn by its size, negative ones dotted, and a loss or a gradient of exactly
    zero stands as a triangle at the foot. Where the loss has stages, a line shows where each begins. A history longer
    than the picture can show is thinned, each piece to its lowest and highest point.

    Args:
        fit: the result of a fit, also of a plain module, or one read back from a file, with its history.
        path: a .png, .svg or .pdf to write, or None.
        scale: "log" or "linear", of all three.
        board: which board of a batch, counted in rows.

    Returns:
        The figure, of matplotlib's own kind, unknown to pyplot.

    Raises:
        OptionError: a fit that kept no history, another scale, no such board, or an unknown ending of the path.

    >>> import circuits as cc
    >>> figure = plot_history(cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), [100.0, 1000.0])))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['loss', 'values', '|∂loss/∂ln value|']
    """
    kind = None if path is None else format_of(path)
    if scale not in ("log", "linear"):
        raise OptionError(f"scale={scale!r}; expected 'log' or 'linear'")
    history = history_of(fit, board)
    with mpl.rc_context(style.SETTINGS):
        figure = _figure(fit, history, scale == "log", board)
    if path is not None and kind is not None:
        replace_file(path, rendered(figure, kind))
    return figure


def history_of(fit: Any, board: int) -> History:
    """The history of a fit that has this board.

    Raises:
        OptionError: something else than a fit, no history, no such board.
    """
    if not isinstance(fit, (Fit, SavedFit)):
        raise OptionError(f"cannot draw the steps of a {type(fit).__name__}; expected the result of a fit")
    if fit.history is None or not len(fit.history):
        raise OptionError("this fit kept no history, so there are no steps to draw; fit again with history=True")
    boards = fit.history.loss.shape[1]
    if not 0 <= board < boards:
        raise OptionError(f"no board {board}; expected 0 to {boards - 1}")
    return fit.history


def _figure(fit: Fit | SavedFit, history: History, is_log: bool, board: int) -> Figure:
    values = history.values[:, board].numpy(force=True)
    gradient = history.gradient[:, board].numpy(force=True)
    chosen = _moved_most(values)
    names = [history.names[i] for i in chosen]
    groups = _by_unit(names, fit.units)
    heights = [2.2, *[2.0] * len(groups), 2.0]
    figure = Picture(figsize=(style.WIDTH, sum(heights) + 1.2), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06))
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    panels = [figure.add_subplot(grid[i, 0]) for i in range(len(heights))]
    _series(panels[0], history.loss[:, board].numpy(force=True), 0, 1, is_log, ink=style.INK)
    panels[0].set_ylabel("loss")
    dashes = ["-" if is_log else style.line(k) for k in range(len(chosen))]
    for axes, (unit, members) in zip(panels[1:-1], groups.items(), strict=True):
        own = values[:, [chosen[k] for k in members]]
        is_positive = bool((own[np.isfinite(own)] > 0).all())
        for column, k in enumerate(members):
            _series(axes, own[:, column], k, len(chosen), is_log and is_positive, dash=dashes[k])
        _value_ticks(axes, own, unit, is_log and is_positive)
    for k, i in enumerate(chosen):
        _series(panels[-1], gradient[:, i], k, len(chosen), is_log, dash=dashes[k])
    panels[-1].set_ylabel(_gradient_label(fit, is_log))
    _finish(figure, panels, fit, history, names, is_log, board)
    return figure


def _moved_most(values: Array) -> list[int]:
    """Columns to draw: all, or those that moved most."""
    if values.shape[1] <= MOST:
        return list(range(values.shape[1]))
    way = np.nansum(np.abs(np.diff(values, axis=0)), 0) / (np.nanmax(np.abs(values), 0) + 1e-300)
    return sorted(np.argsort(-way, kind="stable")[:MOST].tolist())


def _by_unit(names: Sequence[str], units: dict[str, str]) -> dict[str, list[int]]:
    """Positions of the names by their unit: ohms and farads have no axis in common."""
    groups: dict[str, list[int]] = {}
    for k, name in enumerate(names):
        groups.setdefault(units.get(name, ""), []).append(k)
    return groups


def thinned(values: Array) -> Array:
    """Indices of what a picture needs: everything, or the lowest and the highest of every piece, and both ends.

    >>> thinned(np.array([3.0, 1.0, 2.0])).tolist(), len(thinned(np.sin(np.arange(100_000.0)))) <= 2 * BINS + 2
    ([0, 1, 2], True)
    """
    n = len(values)
    if n <= 4 * BINS:
        return np.arange(n)
    width = -(-n // BINS)
    table = np.full(width * -(-n // width), np.nan)
    table[:n] = values
    table = table.reshape(-1, width)
    first = np.arange(len(table)) * width
    lowest = np.where(np.isnan(table), np.inf, table).argmin(1)
    highest = np.where(np.isnan(table), -np.inf, table).argmax(1)
    return np.unique(np.concatenate([[0, n - 1], first + lowest, first + highest]))


def _series(
    axes: Axes, values: Array, k: int, lines: int, is_log: bool, *, ink: str | None = None, dash: Any = "-"
) -> None:
    """One of so many lines by steps; on a logarithmic axis by size, negative parts dotted, zeros at the foot.

    The first lines are the widest, so that one which takes the same way as a later one is still seen behind it.
    """
    at = thinned(values)
    shown = values[at]
    extra = min(max(lines - 1 - k, 0), 2)
    look: dict[str, Any] = {"color": ink or style.colour(k), "linewidth": 1.8 + extra, "zorder": 3}
    if len(values) <= 60:
        look |= {"marker": _MARKERS[k % len(_MARKERS)] if ink is None else "o", "markersize": 3.5 + 1.5 * extra}
    if not is_log:
        axes.plot(at, _finite(shown), linestyle=dash, **look)
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4), useMathText=True)
        return
    axes.set_yscale("log")
    size = np.abs(_finite(shown))
    size[size == 0] = np.nan
    before = np.concatenate([[False], (shown[1:] < 0) & (shown[:-1] > 0)])  # a line to the first negative point
    is_negative = (shown < 0) | np.concatenate([before[1:], [False]])
    after = np.concatenate([[False], (shown[1:] > 0) & (shown[:-1] < 0)])
    look["linestyle"] = "-"
    axes.plot(at, np.where(shown < 0, np.nan, size), **look)
    if is_negative.any():
        below = np.where(is_negative | after, size, np.nan)
        look |= {"linestyle": (0, (1, 1.2))} | ({"markerfacecolor": "white"} if "marker" in look else {})
        axes.plot(at, below, **look)
    zeros = at[shown == 0]
    if len(zeros):
        foot = {"transform": axes.get_xaxis_transform(), "clip_on": False}
        axes.plot(zeros, np.full(len(zeros), 0.03), "v", color=look["color"], markersize=5, label="_zero", **foot)


_MARKERS = ("o", "s", "^", "D", "P", "X")


def _finite(values: Array) -> Array:
    return np.where(np.isfinite(values), values, np.nan)


def _value_ticks(axes: Axes, values: Array, unit: str, is_log: bool) -> None:
    """Engineering notation on the axis of the values."""
    seen = values[np.isfinite(values)]
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (1.0, 1.0)
    if is_log:
        room = max((high / low) ** 0.08, 1.05)
        style.value_axis(axes.yaxis, low / room, high * room, unit, "values", is_log=True)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6))
        axes.yaxis.set_major_formatter(style.value_formatter(unit))
        axes.set_ylabel("values")


def _gradient_label(fit: Fit | SavedFit, is_log: bool) -> str:
    """What the gradient is taken by, where that is known."""
    if not isinstance(fit, Fit):
        return "|gradient|" if is_log else "gradient"
    log = fit.problem.coordinates.log
    by = "ln value" if log is True else "value" if log is False else "coordinate"
    return f"|∂loss/∂{by}|" if is_log else f"∂loss/∂{by}"


def _finish(
    figure: Figure,
    panels: list[Axes],
    fit: Fit | SavedFit,
    history: History,
    names: Sequence[str],
    is_log: bool,
    board: int,
) -> None:
    """What all panels have: the axis of steps, the stages, title and legend."""
    last = len(history) - 1
    for axes in panels:
        axes.set_xlim(-0.01 * max(last, 1), 1.01 * max(last, 1))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=9, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
        axes.tick_params(axis="x", labelbottom=axes is panels[-1], color=style.PALE)
        axes.tick_params(axis="y", color=style.PALE)
        for first, _ in history.walks[1:]:
            axes.axvline(first - 0.5, color=style.PALE, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
        if axes.get_yscale() == "log" and axes.get_ylabel() != "values":
            axes.yaxis.set_major_locator(LogLocator(numticks=7))
            axes.yaxis.set_minor_formatter(NullFormatter())
    panels[-1].set_xlabel("step")
    figure.align_ylabels(panels)
    handles = [_handle(k, name, last, is_log) for k, name in enumerate(names)]
    handles += _keys(panels, history, is_log)
    figure.legend(
        handles=handles,
        title=_title(fit, history, names, board),
        alignment="left",
        loc="outside upper left",
        ncols=min(4, max(1, len(handles))),
        fontsize=10,
        title_fontproperties={"size": 13, "weight": "bold"},
        borderpad=0.0,
    )


def _handle(k: int, name: str, last: int, is_log: bool) -> Line2D:
    """How the legend shows a component: as its lines are drawn."""
    look: dict[str, Any] = {"color": style.colour(k), "linewidth": 1.8}
    if last < 60:
        look |= {"marker": _MARKERS[k % len(_MARKERS)], "markersize": 4}
    return Line2D([], [], linestyle="-" if is_log else style.line(k), label=name, **look)


def _keys(panels: Sequence[Axes], history: History, is_log: bool) -> list[Line2D]:
    """What dotted lines, triangles and the lines between stages mean, where there are any."""
    keys = []
    if is_log and any(line.get_linestyle() not in ("-", "None") for line in panels[-1].lines):
        keys.append(Line2D([], [], color=style.PALE, linestyle=(0, (1, 1.2)), linewidth=1.8, label="negative gradient"))
    if is_log and any(line.get_label() == "_zero" for axes in panels for line in axes.lines):
        keys.append(Line2D([], [], color=style.PALE, marker="v", linestyle="none", markersize=5, label="exactly zero"))
    if len(history.walks) > 1:
        keys.append(
            Line2D([], [], color=style.PALE, linestyle=(0, (2, 2)), linewidth=0.8, label="next stage of the loss")
        )
    return keys


def _title(fit: Fit | SavedFit, history: History, names: Sequence[str], board: int) -> str:
    steps = len(history) - 1
    where = f", board {board}" if fit.batch_shape else ""
    left_out = len(history.names) - len(names)
    more = f"; the {len(names)} of {len(history.names)} values that moved most" if left_out else ""
    name = in_words(fit.model_name) if fit.units else fit.model_name
    return f"{name}{where}: {steps:,} step{'s' if steps != 1 else ''}{more}"
