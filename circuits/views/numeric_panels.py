"""Panels of measured numbers: the points over the curves, and what is left between them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from circuits.views import style
from circuits.views.scene import Array, Curve, Observed, Scene


@dataclass(frozen=True)
class View:
    """One real quantity: its axis label, how it follows from the values, and its σ from that of the values."""

    label: str
    unit: str
    of: Callable[[Array], Array]
    spread: Callable[[Array, Array], Array]
    is_angle: bool = False


_DECIBELS = 20 / math.log(10)
_PLAIN = {
    "magnitude": View("magnitude |H|", "", np.real, lambda values, sigma: sigma),
    "decibels": View("magnitude (dB)", "dB", np.real, lambda values, sigma: sigma),
    "phase": View("phase (°)", "°", np.real, lambda values, sigma: sigma, is_angle=True),
}
_COMPLEX = (
    View("magnitude (dB)", "dB", lambda v: 20 * np.log10(np.abs(v)), lambda v, s: _DECIBELS * s / np.abs(v)),
    View("phase (°)", "°", lambda v: np.degrees(np.angle(v)), lambda v, s: np.degrees(s / np.abs(v)), is_angle=True),
)


def views_of(quantity: str, unit: str = "") -> tuple[View, ...]:
    """The panels that a quantity needs: two for a complex response, one for anything else.

    A response with a unit, such as ohms, says what its decibels are counted from.
    """
    views = _COMPLEX if quantity == "response" else (_PLAIN[quantity],)
    return tuple(replace(view, label=_IN_A_UNIT[view.unit].format(unit)) for view in views) if unit else views


_IN_A_UNIT = {"": "magnitude ({})", "dB": "magnitude (dB above 1 {})", "°": "phase (°)"}


def draw_values(axes: Axes, scene: Scene, view: View, spread: Array | None = None) -> None:
    """The measured points with their error bars, the fitted curve in its band, and dashed the curve of the start."""
    for k in range(len(scene.outputs)):
        if scene.observed is not None:
            _points(axes, scene.observed.f, *_with_spread(scene.observed, view, k), k)
        if scene.start is not None:
            _curve(axes, scene.start, view, k, linestyle=style.START, linewidth=1.3, alpha=0.6)
        if scene.curve is not None:
            _curve(axes, scene.curve, view, k, linestyle=style.line(k), linewidth=2.2)
    if scene.curve is not None and spread is not None:
        for k, (curve, error) in enumerate(zip(scene.curve.values, spread, strict=True)):
            middle = unbroken(view, curve)
            style.shade_band(axes, scene.curve.f, middle - error, middle + error, output=k)
    axes.set_ylabel(view.label)
    if view.is_angle:
        _quarter_turns(axes)
    elif view.unit == "dB":
        axes.yaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 3, 5, 6, 10]))


def draw_residuals(axes: Axes, scene: Scene, view: View) -> None:
    """What was measured less what is predicted."""
    observed, curve = scene.observed, scene.curve
    if observed is None or curve is None or curve.at_data is None:
        return
    axes.axhline(0.0, color=style.PALE, linewidth=1.0, zorder=1)
    for k in range(len(scene.outputs)):
        values, spread = _with_spread(observed, view, k)
        left = values - view.of(curve.at_data[k])
        left = (left + 180) % 360 - 180 if view.is_angle else left
        _points(axes, observed.f, left, spread, k)
    reach = max(abs(end) for end in axes.get_ylim())
    axes.set_ylim(-1.2 * reach, 1.2 * reach)
    axes.set_ylabel(f"residual{f' ({view.unit})' if view.unit else ''}")


def _with_spread(observed: Observed, view: View, k: int) -> tuple[Array, Array | None]:
    values = observed.values[k]
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = None if observed.sigma is None else view.spread(values, observed.sigma[k])
        return view.of(values), spread


def _points(axes: Axes, f: Array, values: Array, spread: Array | None, k: int) -> None:
    size = 5.5 if len(f) <= 100 else 4.0 if len(f) <= 400 else 2.8
    axes.errorbar(
        f,
        values,
        yerr=spread,
        fmt="o",
        color=style.colour(k),
        markersize=size,
        markerfacecolor="white",
        markeredgewidth=1.1,
        elinewidth=0.9,
        capsize=2.0 if len(f) <= 100 else 0.0,
        zorder=2.5,
        alpha=1.0 if len(f) <= 400 else 0.6,
    )


def _curve(axes: Axes, curve: Curve, view: View, k: int, **look: Any) -> None:
    axes.plot(curve.f, unbroken(view, curve.values[k]), color=style.colour(k), zorder=3, **look)


def unbroken(view: View, values: Array) -> Array:
    """A curve, interrupted where an angle jumps from −180° to 180°."""
    with np.errstate(all="ignore"):
        shown = view.of(values).astype(float)
    if view.is_angle:
        shown = np.where(np.abs(np.diff(shown, prepend=shown[0])) > 180, np.nan, shown)
    return shown


def _quarter_turns(axes: Axes) -> None:
    """Ticks at parts of a right angle where the axis is long enough for them."""
    low, high = axes.get_ylim()
    step = 90 if high - low > 270 else 45 if high - low > 100 else 15 if high - low > 30 else None
    if step is not None:
        axes.set_yticks(np.arange(math.ceil(low / step) * step, high + 1e-9, step))
