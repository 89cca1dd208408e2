"""The tug of war: how every data point pulls at each component, at one step of a fit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from circuits.circuit import Circuit
from circuits.errors import OptionError
from circuits.files import replace_file
from circuits.fitting.landscape import column_of
from circuits.fitting.model import CircuitModel
from circuits.fitting.per_sample_gradients import contributions
from circuits.fitting.problem import Problem, led_term
from circuits.fitting.result import Fit
from circuits.notation import format as engineering
from circuits.views import style
from circuits.views.history import history_of
from circuits.views.response import Picture, format_of, rendered
from circuits.views.scene import Array

MOST = 6
"""Components that are drawn at most, one panel each, unless they are named."""

BALANCED = 1e-3
"""Share of all the pulling that may be left over before one side counts as the winner."""

DOWN, UP = style.COLOURS[0], style.COLOURS[2]
"""Colours of what pulls a value down (a positive derivative) and up."""


@dataclass(frozen=True)
class Pull:
    """What is drawn: the derivative of the loss by each coordinate through each data point, at one step.

    `derivative (names, k, n)`, NaN where nothing was measured; `at (n,)` frequencies in hertz or the number of the
    point; `lit (k, n)` for LEDs.
    """

    names: tuple[str, ...]
    values: Array
    derivative: Array
    at: Array
    outputs: tuple[str, ...]
    lit: Array | None
    step: int
    is_log: tuple[bool, ...]


def plot_contributions(
    fit: Fit,
    step: int = -1,
    path: str | os.PathLike[str] | None = None,
    *,
    names: str | Sequence[str] | None = None,
    board: int = 0,
) -> Figure:
    """Draw how every data point pulls at each component at one step, and save the picture where a path is given.

    A mark is the derivative of the loss by the component (by its logarithm, where the fit moves that) through one data
    point. Above zero a point pulls the value down, below zero up, since descent walks against the derivative; their
    sum is the gradient. LEDs seen lit are filled, dark ones hollow.

    Args:
        fit: the result of a fit, with its history.
        step: which step, 0 being the start; negative ones count from the end.
        path: a .png, .svg or .pdf to write, or None.
        names: which of the fitted components; None takes all, at most six.
        board: which board of a batch, counted in rows.

    Returns:
        The figure, of matplotlib's own kind, unknown to pyplot.

    Raises:
        OptionError: no history, no such step or board, a component that is held fixed, or an unknown ending of the
            path. UnknownName: a component that the fit did not learn.

    >>> import circuits as cc
    >>> fit = cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), cc.log_grid(50, 10.0, 1e5)))
    >>> plot_contributions(fit, step=0).axes[0].get_ylabel()
    '∂loss/∂ln R'
    """
    kind = None if path is None else format_of(path)
    pull = pull_of(fit, step, names=names, board=board)
    with mpl.rc_context(style.SETTINGS):
        figure = _figure(fit, pull, board)
    if path is not None and kind is not None:
        replace_file(path, rendered(figure, kind))
    return figure


def pull_of(fit: Fit, step: int = -1, *, names: str | Sequence[str] | None = None, board: int = 0) -> Pull:
    """Work out what `plot_contributions` draws, and raise what it raises."""
    if not isinstance(fit, Fit):
        raise OptionError(f"cannot draw the pull of the data on a {type(fit).__name__}; expected the result of a fit")
    history = history_of(fit, board)
    if isinstance(step, bool) or not isinstance(step, (int, np.integer)):
        raise OptionError(
            f"step={step!r}; expected a whole number from 0 to {len(history) - 1}, or negative from the end"
        )
    problem = fit.problem_at(step, board)
    chosen = fit.names[:MOST] if names is None else (names,) if isinstance(names, str) else tuple(names)
    columns = [column_of(problem, name) for name in chosen]
    if not columns:
        raise OptionError(f"names={names!r} names no component; expected some of {', '.join(fit.names[:MOST])}")
    values = history.values[step, board : board + 1]
    derivative = contributions(problem, problem.coordinates.from_values(values))[0, columns].numpy(force=True)
    if problem.present is not None:
        derivative = np.where(problem.present[0].numpy(force=True) > 0, derivative, np.nan)
    outputs, at, shape = _points(fit, problem)
    led = led_term(problem.loss)
    log = problem.coordinates.log
    return Pull(
        chosen,
        values[0, columns].numpy(force=True),
        derivative.reshape(len(columns), *shape),
        at,
        outputs,
        None if led is None else problem.target.reshape(shape).numpy(force=True) > 0.5,
        step % len(history),
        tuple(log if isinstance(log, bool) else bool(log[column]) for column in columns),
    )


def _points(fit: Fit, problem: Problem) -> tuple[tuple[str, ...], Array, tuple[int, int]]:
    """Names of the outputs, where the points lie along the axis, and the shape (k, n)."""
    if isinstance(problem.model, CircuitModel) and isinstance(fit.circuit, Circuit):
        f = problem.model.f.reshape(-1, problem.model.f.shape[-1])[0].numpy(force=True)
        outputs = fit.circuit.outputs or ("",)
        return outputs, f, (len(outputs), len(f))
    count = problem.target.numel()
    return ("",), np.arange(1, count + 1), (1, count)


def _figure(fit: Fit, pull: Pull, board: int) -> Figure:
    panels = len(pull.names)
    height = 2.6 if panels == 1 else 1.9
    figure = Picture(
        figsize=(style.WIDTH, height * panels + 1.5), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    )
    grid = figure.add_gridspec(panels, 1)
    for i in range(panels):
        axes = figure.add_subplot(grid[i, 0])
        _panel(axes, fit, pull, i)
        _along(axes, fit, pull, labelled=i == panels - 1)
    figure.align_ylabels()
    where = f", board {board}" if fit.batch_shape else ""
    figure.legend(
        handles=_key(pull),
        title=f"How every data point pulls, at step {pull.step}{where}",
        alignment="left",
        loc="outside upper left",
        ncols=4,
        fontsize=10,
        title_fontproperties={"size": 13, "weight": "bold"},
        borderpad=0.0,
        columnspacing=1.4,
        handletextpad=0.5,
    )
    return figure


def _panel(axes: Axes, fit: Fit, pull: Pull, i: int) -> None:
    """All points of one component; an output that it is no part of is left out."""
    derivative = pull.derivative[i]
    axes.axhline(0.0, color=style.INK, linewidth=0.9, zorder=1.5)
    count = derivative.size
    size = 5.0 if count <= 100 else 3.6 if count <= 400 else 2.6
    for k in range(len(pull.outputs)):
        if len(pull.outputs) > 1 and not _is_pulling(derivative[k]):
            continue
        for pulls, ink in ((derivative[k] > 0, DOWN), (derivative[k] <= 0, UP)):
            axes.vlines(pull.at[pulls], 0, derivative[k][pulls], color=ink, linewidth=0.7, alpha=0.45, zorder=2)
            for is_lit in (True, False):
                shown = pulls if pull.lit is None else pulls & (pull.lit[k] == is_lit)
                if pull.lit is None and not is_lit:
                    continue
                axes.plot(
                    pull.at[shown],
                    derivative[k][shown],
                    _MARKS[k % len(_MARKS)],
                    color=ink,
                    markersize=size,
                    markerfacecolor=ink if is_lit else "white",
                    markeredgewidth=0.7,
                    zorder=3,
                )
    finite = derivative[np.isfinite(derivative)]
    reach = 1.12 * float(np.abs(finite).max(initial=0.0)) or 1.0
    axes.set_ylim(-reach, reach)
    axes.set_ylabel(f"∂loss/∂{'ln ' if pull.is_log[i] else ''}{pull.names[i]}")
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
    axes.set_title(_sum(fit, pull, i), loc="right", fontsize=10)


_MARKS = ("o", "s", "D", "P", "X", "v")


def _is_pulling(derivative: Array) -> bool:
    return bool(np.nan_to_num(derivative).any())


def _sum(fit: Fit, pull: Pull, i: int) -> str:
    """What all points come to, and which way that moves the component."""
    total = float(np.nansum(pull.derivative[i]))
    unit = fit.units.get(pull.names[i], "")
    value = engineering(float(pull.values[i]), unit, 4) if unit else f"{pull.values[i]:.4g}"
    effort = float(np.nansum(np.abs(pull.derivative[i])))
    verdict = "pulled up" if total < 0 else "pulled down"
    if abs(total) <= BALANCED * effort:
        verdict = "balanced" if effort > 0 else "nothing pulls"
    return f"{pull.names[i]} = {value}: the sum is {total:.2g}, {verdict}".replace("-", "\N{MINUS SIGN}")


def _along(axes: Axes, fit: Fit, pull: Pull, *, labelled: bool) -> None:
    """The axis along which the points lie."""
    if isinstance(fit.circuit, Circuit):
        low, high = float(pull.at.min()), float(pull.at.max())
        pad = 1.25 if high > low else 10.0
        style.frequency_axis(axes, low / pad, high * pad, labelled=labelled)
        return
    axes.tick_params(axis="x", labelbottom=labelled, color=style.PALE)
    if labelled:
        axes.set_xlabel("data point")


def _key(pull: Pull) -> list[Line2D]:
    """What the colours and marks mean."""
    mark: dict[str, Any] = {"linestyle": "none", "markersize": 6}
    handles = [
        Line2D([], [], marker="o", color=DOWN, label="above zero: pulls the value down", **mark),
        Line2D([], [], marker="o", color=UP, label="below zero: pulls it up", **mark),
    ]
    if pull.lit is not None:
        handles += [
            Line2D([], [], marker="o", color=style.INK, label="LED seen lit", **mark),
            Line2D([], [], marker="o", color=style.INK, markerfacecolor="white", label="seen dark", **mark),
        ]
    if len(pull.outputs) > 1:
        shown = [k for k in range(len(pull.outputs)) if _is_pulling(pull.derivative[:, k])]
        for k in shown:
            ink = {"color": style.PALE, "marker": _MARKS[k % len(_MARKS)]}
            handles.append(Line2D([], [], label=pull.outputs[k], **ink, **mark))
    return handles
