"""`Scope`: the response of a circuit, and its LEDs, drawn anew for every move of a slider."""

from __future__ import annotations

import math
from typing import Any

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from torch import Tensor

from circuits.circuit import Circuit
from circuits.color_organ import ColorOrgan
from circuits.data import log_grid
from circuits.fitting.problem import Problem, led_term
from circuits.views import style
from circuits.views.playback.canvas import Canvas, png
from circuits.views.playback.film import CURVE
from circuits.views.playback.ground import Ground
from circuits.views.playback.response_panel import ResponsePanel
from circuits.views.playback.stage import stacked
from losses import HALF_POWER

Array = Any
WIDTH, LOW, HIGH = 9.6, 3.9, 5.2
"""Inches of the picture: its width, and its height with one panel and with several."""

TONES = 121
"""Tones that a color organ without data is played, 1 Hz to 1 MHz."""


class Scope:
    """Draws a circuit of one board as it stands, over the data there are.

    Args:
        circuit: read anew for each picture, and never changed.
        problem: the circuit against its data, or None.
    """

    def __init__(self, circuit: Circuit, problem: Problem | None):
        self.circuit = circuit
        self.ground = _with_data(circuit, problem) if problem is not None else _without_data(circuit)
        self._grid, self._at = torch.as_tensor(self.ground.grid), torch.as_tensor(self.ground.at)
        start = self._predicted(self._grid)
        corners = self.corners()
        settings = {**style.SETTINGS, "font.size": 9.5, "axes.titlesize": 10.5, "axes.titleweight": "bold"}
        with mpl.rc_context(settings):
            size = (WIDTH, LOW if len(self.ground.heights) == 1 else HIGH)
            figure = Figure(figsize=size, dpi=100, layout=ConstrainedLayoutEngine(w_pad=0.07, h_pad=0.05))
            axes = stacked(figure, figure.add_gridspec(1, 1)[0, 0], self.ground.heights)
            self._panel = ResponsePanel(axes, self.ground, start, [], len(corners))
            self._canvas = Canvas(figure, self._panel.artists)

    def picture(self) -> Array:
        """The picture of the circuit as it stands, `(height, width, 4)` of uint8."""
        return self._pixels().copy()

    def png(self) -> bytes:
        """The same as a PNG file."""
        return png(self._pixels())

    def corners(self) -> dict[str, float]:
        """Corner frequencies in hertz by name."""
        with torch.no_grad():
            return {name: float(f.reshape(-1)[0]) for name, f in self.circuit.cutoffs().items()}

    def _pixels(self) -> Array:
        curve = self._predicted(self._grid)
        lit = self._predicted(self._at) > self.ground.threshold if self.ground.threshold is not None else None
        self._panel.show(curve, lit, list(self.corners().values()))
        return self._canvas.pixels()

    def _predicted(self, f: Tensor) -> Array:
        with torch.no_grad():
            return self.circuit.predict(f, self.ground.quantity).reshape(len(self.ground.outputs), -1).numpy(force=True)


def _with_data(circuit: Circuit, problem: Problem) -> Ground:
    """The data's own frequencies, and a little on either side."""
    model: Any = problem.model  # of a circuit, so it knows its frequencies and its quantity
    target = problem.target
    if problem.present is not None:
        target = torch.where(problem.present > 0, target, torch.nan)
    at, outputs = model.f.reshape(-1), circuit.outputs or ("",)
    pad = 1.25 if len(at) > 1 else 10.0
    grid = log_grid(CURVE, float(at.min()) / pad, float(at.max()) * pad)
    led = led_term(problem.loss)
    threshold = (HALF_POWER if led is None else led.threshold) if model.quantity == "led" else None
    seen = target.reshape(len(outputs), -1).numpy(force=True)
    return Ground(model.quantity, outputs, "frequency", grid.numpy(), at.numpy(force=True), seen, threshold)


def _without_data(circuit: Circuit) -> Ground:
    """A Bode plot over the circuit's span, or beyond its corners; a color organ is played tones over its range."""
    outputs = circuit.outputs or ("",)
    if isinstance(circuit, ColorOrgan):
        grid, tones = log_grid(CURVE, 1.0, 1e6).numpy(), log_grid(TONES, 1.0, 1e6).numpy()
        return Ground("led", outputs, "frequency", grid, tones, None, circuit.threshold)
    with torch.no_grad():
        ends = [float(f.reshape(-1)[0]) for f in circuit.cutoffs().values()] or [1e3]
    around = (10.0 ** (round(math.log10(end)) + shift) for end, shift in ((min(ends), -3), (max(ends), 3)))
    low, high = circuit.span() or around
    return Ground("response", outputs, "frequency", log_grid(CURVE, low, high).numpy(), log_grid(2, low, high).numpy())
