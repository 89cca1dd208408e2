"""Sensitivities over frequency: what each part does to the response, and what its tolerance makes of it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from circuits.circuit import Circuit
from circuits.errors import OptionError, UnknownName
from circuits.files import replace_file
from circuits.netlist.answers.sensitivity import Sensitivities, sensitivities
from circuits.notation import format as engineering
from circuits.views import style
from circuits.views.response import Picture, format_of, rendered
from circuits.views.scene import Array, in_words, part_of, scene_of

MOST = 6
"""Components that are drawn at most, one colour each, unless they are named."""

SPIKE = 5.0
"""A curve that reaches this many times further than nine tenths of it do is cut off by the axis."""


def plot_sensitivities(
    circuit: Circuit,
    f: Any = None,
    path: str | os.PathLike[str] | None = None,
    *,
    names: str | Sequence[str] | None = None,
    output: str | None = None,
    board: int = 0,
) -> Figure:
    """Draw how a response follows each of its components over frequency, and save the picture where a path is given.

    Under the level stands S = d ln|H|/d ln p, which is per cent of |H| per cent of the part, then the degrees by which
    the phase turns for a part that is one per cent larger; and where the circuit knows tolerances, by how much they
    change the level: the worst case, and within it the root of the sum of squares. All is to first order.

    Args:
        circuit: any circuit, of a netlist or not.
        f: frequencies in hertz, rising; left out, what the circuit says is worth seeing.
        path: a .png, .svg or .pdf to write, or None.
        names: which components; None takes those that matter most, at most six.
        output: which output of several; the first where None.
        board: which board of a batch, counted in rows.

    Returns:
        The figure, of matplotlib's own kind, unknown to pyplot.

    Raises:
        OptionError: something that is no circuit, no such board, no components, an unknown ending of the path.
        UnknownName: no such component or output.

    >>> import circuits as cc
    >>> figure = plot_sensitivities(cc.LowPass(R=200.0))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['magnitude (dB)', 'd ln|H| / d ln p', '° per % of p']
    """
    kind = None if path is None else format_of(path)
    if not isinstance(circuit, Circuit):
        raise OptionError(f"cannot draw sensitivities of a {type(circuit).__name__}; expected a circuit")
    scene = scene_of(circuit, board)
    k = _place(circuit, output)
    at = torch.from_numpy(scene.curve.f) if f is None and scene.curve is not None else torch.as_tensor(f)
    at = at.reshape(-1).double()
    chosen = (names,) if isinstance(names, str) else names
    if not (circuit.units() if chosen is None else chosen):
        raise OptionError(f"no components of {circuit.title} to draw; expected some of {', '.join(circuit.units())}")
    found = sensitivities(circuit, at, chosen)
    H = circuit.predict(at, "response").detach()
    level = _board(H, board, circuit, 1 + bool(circuit.outputs)).reshape(-1, len(at))[k]
    own = _of_one(found, board, circuit, k)
    drawn = list(own.names) if names is not None else _matter_most(own)
    drawn = drawn or [own.names[0]]
    with mpl.rc_context(style.SETTINGS):
        figure = _figure(circuit, own, level, drawn, k, board)
    if path is not None and kind is not None:
        replace_file(path, rendered(figure, kind))
    return figure


def _place(circuit: Circuit, output: str | None) -> int:
    if output is None:
        return 0
    if output not in circuit.outputs:
        raise UnknownName("output", output, circuit.outputs)
    return circuit.outputs.index(output)


def _board(tensor: torch.Tensor, board: int, circuit: Circuit, behind: int) -> torch.Tensor:
    """One board of a tensor with so many dimensions behind those of the batch."""
    shape = tensor.shape[tensor.ndim - behind :]
    return tensor.expand(*circuit.batch_shape, *shape).reshape(-1, *shape)[board]


def _of_one(found: Sensitivities, board: int, circuit: Circuit, k: int) -> Sensitivities:
    """The sensitivities of one output on one board, `(p, n)`."""
    behind = 3 if circuit.outputs else 2
    parts = [_board(part, board, circuit, behind) for part in (found.magnitude, found.phase)]
    parts = [part[:, k] if circuit.outputs else part for part in parts]
    return Sensitivities(found.names, found.f, parts[0], parts[1], found.tolerances)


def _matter_most(found: Sensitivities) -> list[str]:
    """The components that move the response most, in the order of the circuit."""
    size = torch.hypot(found.magnitude, torch.deg2rad(found.phase)).nan_to_num(0.0, 0.0, 0.0)
    size = size.amax(-1)
    order = size.argsort(descending=True, stable=True)[:MOST]
    return [found.names[i] for i in sorted(order.tolist()) if float(size[i]) > 0]


def _figure(
    circuit: Circuit, found: Sensitivities, H: torch.Tensor, drawn: Sequence[str], k: int, board: int
) -> Figure:
    f = found.f.numpy()
    heights = [1.7, 2.3, 1.9] + [1.4] * bool(found.tolerances)
    rows = math.ceil(len(drawn) / 3) + bool(found.tolerances)
    figure = Picture(
        figsize=(style.WIDTH, sum(heights) + 1.2 + 0.22 * rows), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    )
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    panels = [figure.add_subplot(grid[i, 0]) for i in range(len(heights))]
    with np.errstate(divide="ignore"):
        panels[0].plot(f, 20 * np.log10(np.abs(H.numpy())), color=style.INK, linewidth=2.0, zorder=3)
    panels[0].set_ylabel("magnitude (dB)")
    shown = [found.names.index(name) for name in drawn]
    _draw_lines(panels[1], f, found.magnitude.numpy()[shown], "d ln|H| / d ln p")
    _draw_lines(panels[2], f, found.phase.numpy()[shown] / 100, "° per % of p")
    if found.tolerances:
        _draw_tolerance(panels[3], f, found)
    for axes in panels:
        style.frequency_axis(axes, float(f[0]), float(f[-1]), labelled=axes is panels[-1])
    figure.align_ylabels(panels)
    _legend(figure, circuit, found, drawn, k, board)
    return figure


def _draw_lines(axes: Axes, f: Array, curves: Array, label: str) -> None:
    """A curve for each component, cut off where a zero of the response makes it a spike."""
    axes.axhline(0.0, color=style.PALE, linewidth=0.9, zorder=1)
    reach = _reach(curves)
    for i, curve in enumerate(curves):
        shown = np.where(np.abs(curve) <= 3 * reach, curve, np.nan)
        axes.plot(f, shown, color=style.colour(i), linestyle=style.line(i), linewidth=1.9)
    if (np.abs(curves[np.isfinite(curves)]) > reach).any():
        axes.set_ylim(-reach, reach)
    axes.set_ylabel(label)


def _draw_tolerance(axes: Axes, f: Array, found: Sensitivities) -> None:
    """Bands of what the tolerances do to the level."""
    axes.axhline(0.0, color=style.PALE, linewidth=0.9, zorder=1)
    worst, squares = (20 / math.log(10) * part.numpy() for part in (found.worst_case(), found.rss()))
    reach = 1.1 * min(_reach(worst), float(np.nanmax(worst[np.isfinite(worst)], initial=0.0)))
    axes.set_ylim(-(reach or 1.0), reach or 1.0)
    for width in (worst, squares):
        width = np.where(np.isfinite(width), width, np.nan)
        style.shade_band(axes, f, -width, width, output=2)
    axes.set_ylabel("change (dB)")


def _reach(curves: Array) -> float:
    """How far an axis goes: to twice what nine tenths of the curves reach where the rest is a spike, else anywhere."""
    size = np.abs(curves[np.isfinite(curves)])
    most = float(np.quantile(size, 0.9)) if len(size) else 0.0
    return 2 * most if most > 0 and float(size.max()) > SPIKE * most else math.inf


def _legend(figure: Figure, circuit: Circuit, found: Sensitivities, drawn: Sequence[str], k: int, board: int) -> None:
    """The colour of every component with its value and tolerance; then what the bands are."""
    parts, units = dict(circuit.named_parameters(remove_duplicate=False)), circuit.units()
    handles: list[Line2D | Patch] = []
    for i, name in enumerate(drawn):
        text = f"{name} = {engineering(part_of(circuit, parts[name], board), units[name])}"
        text += f" ± {engineering(100 * found.tolerances[name])} %" if name in found.tolerances else ""
        handles.append(Line2D([], [], color=style.colour(i), linestyle=style.line(i), linewidth=1.9, label=text))
    if found.tolerances:
        ink = style.colour(2)
        handles.append(Patch(color=ink, alpha=0.22, linewidth=0, label="worst case of the tolerances"))
        handles.append(Patch(color=ink, alpha=0.4, linewidth=0, label="root of the sum of squares"))
    where = [f"board {board}"] if circuit.batch_shape else []
    where += [circuit.outputs[k]] if circuit.outputs else []
    left_out = len(found.names) - len(drawn)
    more = f"; the {len(drawn)} of {len(found.names)} parts that matter most" if left_out else ""
    figure.legend(
        handles=handles,
        title=f"{', '.join([in_words(circuit.title), *where])}: sensitivities{more}",
        alignment="left",
        loc="outside upper left",
        ncols=min(3, len(handles)),
        fontsize=10,
        title_fontproperties={"size": 13, "weight": "bold"},
        borderpad=0.0,
        handlelength=3.0,
    )
