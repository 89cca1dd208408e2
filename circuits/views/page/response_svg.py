"""A small plot of a response as a few kilobytes of SVG, drawn by hand: a display in a notebook must be quick."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from circuits.notation import format as engineering
from circuits.views import style
from circuits.views.page.markup import Markup, element, joined
from circuits.views.scene import Array, Scene

WIDTH, HEIGHT, STRIP = 470, 190, 20
LEFT, RIGHT, FOOT = 50, 12, 34
CURVE_POINTS = 240
"""Points of a drawn curve: one for every two pixels."""

LOWEST = 60.0
"""Decibels below the highest level that are still shown."""

_DASHES = ("none", "9 3 2 3", "2.5 2.5", "12 3", "6 3 2 3 2 3", "1.5 3")
_START = {"stroke-width": 1.2, "stroke-dasharray": "4 3", "opacity": 0.6}
_LABELS = {"decibels": "dB", "response": "|H| in dB", "phase": "phase in °", "magnitude": "|H|", "led": "|H|"}


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels over a range of frequencies (logarithmic) and of values."""

    top: float
    height: float
    f: tuple[float, float]
    y: tuple[float, float] = (0.0, 1.0)

    def across(self, f: Any) -> Any:
        """Pixels from the left edge of the window."""
        share = np.log(np.asarray(f) / self.f[0]) / math.log(self.f[1] / self.f[0])
        return share * (WIDTH - LEFT - RIGHT)

    def down(self, values: Any) -> Any:
        """Pixels from the top edge of the window, kept near it where values are far outside."""
        share = (self.y[1] - np.asarray(values)) / (self.y[1] - self.y[0])
        return np.clip(share, -1, 2) * self.height

    def around(self, *content: Markup) -> Markup:
        """What is drawn inside, cut off at the edges."""
        place = {"x": LEFT, "y": self.top, "width": WIDTH - LEFT - RIGHT, "height": self.height}
        return element("svg", {**place, "overflow": "hidden"}, *content)


def small_plot(scene: Scene) -> Markup:
    """The response of a scene: points, curve, corners; under the curves of an LED fit the LEDs that were lit.

    >>> import circuits as cc
    >>> from circuits.views.scene import scene_of
    >>> plot = small_plot(scene_of(cc.LowPass(R=200.0), 0))
    >>> plot.startswith("<svg"), len(plot) < 10_000
    (True, True)
    """
    is_led = scene.quantity == "led"
    keyed = scene.curve is not None and (len(scene.outputs) > 1 or scene.start is not None)
    span, top = _span(scene), 26.0 if keyed else 8.0
    body = HEIGHT - top if scene.curve is not None or not is_led else 0.0
    strips = len(scene.outputs) * STRIP if is_led and scene.observed is not None else 0
    end = top + body + (8 + strips if strips else 0)
    parts = [_frequency_axis(Window(top, end - top, span))]
    if body:
        parts.append(_curves(scene, Window(top, body, span, _range(scene))))
    if strips:
        parts += [_strip(scene, k, Window(end - strips + k * STRIP, STRIP, span)) for k in range(len(scene.outputs))]
    if keyed:
        parts.append(_key(scene.outputs if len(scene.outputs) > 1 else ("fit",), scene.start is not None))
    look = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {WIDTH} {end + FOOT:g}",
        "width": WIDTH,
        "height": f"{end + FOOT:g}",
        "role": "img",
        "aria-label": f"Response over frequency. {scene.title}",
        "font-size": 11,
        "fill": style.INK,
    }
    return element("svg", look, *parts)


def _span(scene: Scene) -> tuple[float, float]:
    """The ends of the frequency axis in hertz."""
    f = scene.curve.f if scene.curve is not None else scene.observed.f if scene.observed is not None else [1.0, 1e6]
    low, high = float(np.min(f)), float(np.max(f))
    if scene.curve is None and high > low:
        low, high = low / 1.25, high * 1.25
    return (low, high) if high > low * 1.01 else (low / 10, high * 10)


def _shown(values: Array, quantity: str) -> Array:
    """The values as they are plotted: a complex response by its level."""
    if quantity != "response":
        return np.real(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 20 * np.log10(np.abs(values))


def _range(scene: Scene) -> tuple[float, float]:
    """The lowest and highest value of the plot."""
    if scene.quantity == "led":
        return 0.0, 1.04
    drawn = [part.values for part in (scene.curve, scene.observed) if part is not None]
    values = np.concatenate([_shown(part, scene.quantity).reshape(-1) for part in drawn])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    if scene.quantity in ("response", "decibels"):
        low = max(low, high - LOWEST)
    pad = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    is_ratio = scene.quantity == "magnitude" and low >= 0
    return (0.0 if is_ratio else low - pad), high + pad


def _frequency_axis(window: Window) -> Markup:
    """Grid lines at the decades, and their names under the plot."""
    first, last = (math.log10(end) for end in window.f)
    decades = [10.0**d for d in range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)]
    if len(decades) < 2:
        decades = [float(f) for f in np.geomspace(*window.f, 3)]
    every = math.ceil(len(decades) / 8)
    foot = window.top + window.height
    lines, names = [], []
    for i, f in enumerate(decades):
        x = LEFT + float(window.across(f))
        lines.append(f"M{x:.1f} {window.top:g}V{foot:g}")
        if i % every == 0 and x < WIDTH - 16:
            names.append(_text(x, foot + 14, engineering(f, "Hz", 3), "middle"))
    grid = element("path", {"d": "".join(lines), "stroke": style.GRID})
    middle = (LEFT + WIDTH - RIGHT) / 2
    return joined([grid, *names, _text(middle, foot + 29, "frequency", "middle")])


def _text(x: float, y: float, words: str, anchor: str = "start", colour: str | None = None) -> Markup:
    return element("text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "fill": colour}, words)


def _curves(scene: Scene, window: Window) -> Markup:
    """The panel of curves and points with its value axis."""
    inside = [_corner_lines(scene, window)]
    if scene.threshold is not None:
        inside.append(_level(window, scene.threshold, style.INK))
    for k in range(len(scene.outputs)):
        if scene.observed is not None and scene.quantity != "led":
            values = _shown(scene.observed.values[k], scene.quantity)
            inside.append(_dots(window.across(scene.observed.f), window.down(values), style.colour(k), 3.4, 0.45))
        for curve, is_start in ((scene.start, True), (scene.curve, False)):
            if curve is not None:
                inside.append(_curve(curve.f, _shown(curve.values[k], scene.quantity), window, k, is_start))
    edge = element("path", {"d": f"M{LEFT} {window.top:g}v{window.height:g}", "stroke": style.PALE})
    return joined([_value_axis(window, _LABELS.get(scene.quantity, "")), window.around(*inside), edge])


def _value_axis(window: Window, label: str) -> Markup:
    """Ticks at round numbers, and what is plotted, written upright."""
    parts = []
    for value in _round_numbers(*window.y):
        y = window.top + float(window.down(value))
        parts.append(element("path", {"d": f"M{LEFT} {y:.1f}H{WIDTH - RIGHT}", "stroke": style.GRID}))
        parts.append(_text(LEFT - 5, y + 4, f"{value:g}".replace("-", "−"), "end"))
    middle = window.top + window.height / 2
    turned = {"transform": f"translate(12 {middle:g}) rotate(-90)", "text-anchor": "middle"}
    return joined([*parts, element("text", turned, label)])


def _round_numbers(low: float, high: float, most: int = 5) -> list[float]:
    """At most so many multiples of 1, 2, 2.5 or 5 between two values.

    >>> _round_numbers(0.0, 1.04)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10, 20) if power * factor >= raw * 0.999)
    return [round(step * i, 12) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _level(window: Window, value: float, ink: str) -> Markup:
    y = float(window.down(value))
    return element("path", {"d": f"M0 {y:.1f}H{WIDTH}", "stroke": ink, "stroke-width": 0.9})


def _corner_lines(scene: Scene, window: Window) -> Markup:
    """A thin upright line at every corner frequency."""
    lines = []
    for corner in scene.corners:
        look = {"stroke": style.colour(corner.output), "stroke-width": 0.9, "opacity": 0.7}
        lines.append(element("path", {"d": f"M{float(window.across(corner.hertz)):.1f} 0v{window.height:g}", **look}))
    return joined(lines)


def _curve(f: Array, values: Array, window: Window, output: int, is_start: bool) -> Markup:
    """One line; where it is not finite the pen is lifted."""
    pick = np.unique(np.linspace(0, len(f) - 1, CURVE_POINTS).astype(int))
    x, y = window.across(f[pick]), window.down(values[pick])
    words, pen = [], "M"
    for across, down, known in zip(x.tolist(), y.tolist(), np.isfinite(y).tolist(), strict=True):
        words.append(f"{pen}{across:.1f} {down:.1f}" if known else "")
        pen = "L" if known else "M"
    look = {**_look(output), **(_START if is_start else {})}
    return element("path", {"d": "".join(words), "fill": "none", **look})


def _dots(x: Array, y: Array, ink: str, size: float, opacity: float = 1.0) -> Markup:
    """Round marks, each pixel once: strokes of no length with round caps."""
    known = np.isfinite(x) & np.isfinite(y)
    places = sorted(set(zip(x[known].round().astype(int).tolist(), y[known].round(1).tolist(), strict=True)))
    path = "".join(f"M{across} {down:g}h0" for across, down in places)
    look = {"stroke": ink, "stroke-width": size, "stroke-linecap": "round", "opacity": opacity}
    return element("path", {"d": path, **look}) if places else Markup()


def _strip(scene: Scene, k: int, window: Window) -> Markup:
    """The LEDs of one output: lit ones above, dark ones hollow below, over a band where light is predicted."""
    if scene.observed is None:
        return Markup()
    ink, seen, x = style.colour(k), scene.observed.values[k], window.across(scene.observed.f)
    inside = [_predicted(scene, k, window)]
    inside.append(_dots(x[seen == 1], np.full(int((seen == 1).sum()), 6.5), ink, 4.2))
    dark, height = x[seen == 0], np.full(int((seen == 0).sum()), 13.5)
    inside += [_dots(dark, height, ink, 4.2), _dots(dark, height, "white", 2.4)]
    name = _text(LEFT - 5, window.top + 14, _short(scene.outputs[k] or "LED"), "end", ink)
    return joined([window.around(*inside), name])


def _predicted(scene: Scene, k: int, window: Window) -> Markup:
    """Pale bands over the frequencies where the curve lies above the threshold."""
    if scene.curve is None or scene.threshold is None:
        return Markup()
    lit = np.concatenate([[False], scene.curve.values[k] > scene.threshold, [False]]).astype(int)
    x = window.across(scene.curve.f)
    bands = []
    for first, last in zip(np.flatnonzero(np.diff(lit) == 1), np.flatnonzero(np.diff(lit) == -1), strict=True):
        a, b = float(x[first]), float(x[last - 1])
        place = {"x": f"{a:.1f}", "y": 1, "width": f"{b - a:.1f}", "height": STRIP - 2}
        bands.append(element("rect", {**place, "fill": style.colour(k), "opacity": 0.18}))
    return joined(bands)


def _key(outputs: Sequence[str], has_start: bool) -> Markup:
    """The lines side by side over the plot, each with its name; as many as there is room for."""
    entries = [(_short(name), _look(k)) for k, name in enumerate(outputs)]
    entries += [("where it began", {**_START, "stroke": style.PALE})] if has_start else []
    parts, x = [], float(LEFT)
    for name, look in entries:
        width = 48 + 6.5 * len(name)
        if x + width > WIDTH + 12:
            break
        parts += [element("path", {"d": f"M{x:g} 12h26", **look}), _text(x + 31, 16, name)]
        x += width
    return joined(parts)


def _look(output: int) -> dict[str, object]:
    """The line of an output: told apart without colour, too."""
    return {"stroke": style.colour(output), "stroke-width": 2, "stroke-dasharray": _DASHES[output % len(_DASHES)]}


def _short(name: str, most: int = 12) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
