"""`Stage`: one step of a fit as a picture of four linked panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from circuits.views import style
from circuits.views.playback.canvas import Canvas, png
from circuits.views.playback.film import Film
from circuits.views.playback.loss_panels import loss_panel
from circuits.views.playback.panels import ContributionsPanel, StepsPanel
from circuits.views.playback.response_panel import ResponsePanel

Array = Any
SIZE = (9.6, 6.3)


class Stage:
    """Draws the steps of a film: response, loss, contributions of the data points, values and gradients.

    Only what moves is drawn again, in front of a background that is kept.

    Args:
        film: what to show.
        dpi: dots per inch; the picture is 9.6 by 6.3 inches.

    >>> import circuits as cc
    >>> fit = cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5)))
    >>> Stage(Film(fit)).picture(3).shape
    (630, 960, 4)
    """

    def __init__(self, film: Film, *, dpi: float = 100.0):
        self.film = film
        settings = {**style.SETTINGS, "font.size": 9.0, "axes.titlesize": 10.0, "axes.titleweight": "bold"}
        with mpl.rc_context(settings):
            figure = Figure(figsize=SIZE, dpi=dpi, layout=ConstrainedLayoutEngine(w_pad=0.07, h_pad=0.05))
            grid = figure.add_gridspec(2, 2, width_ratios=(1.15, 1.0))
            start, end = (film.frame(step) for step in (0, film.last))
            self._response = ResponsePanel(
                stacked(figure, grid[0, 0], film.ground.heights),
                film.ground,
                film.curve(start),
                [film.curve(end)],
                len(film.corners(end)),
            )
            self._loss = loss_panel(figure.add_subplot(grid[0, 1]), film)
            self._panels = [
                self._loss,
                ContributionsPanel(figure.add_subplot(grid[1, 0]), film),
                StepsPanel(stacked(figure, grid[1, 1], (1.0, 1.0)), film),
            ]
            self._show(film.last)
            moving = [artist for panel in (self._response, *self._panels) for artist in panel.artists]
            self._canvas = Canvas(figure, moving)

    @property
    def figure(self) -> Figure:
        """The figure, at the step shown last."""
        return self._canvas.figure

    def picture(self, step: int) -> Array:
        """The picture of a step, `(height, width, 4)` of uint8: red, green, blue, opacity.

        Raises:
            OptionError: no such step.
        """
        return self._canvas.pixels(self._show(step)).copy()

    def png(self, step: int) -> bytes:
        """The picture of a step as a PNG file."""
        return png(self._canvas.pixels(self._show(step)))

    def _show(self, step: int) -> int:
        """Move everything to a step; returns the state of the axes."""
        frame = self.film.frame(step)
        with np.errstate(all="ignore"):
            self._response.show(self.film.curve(frame), self.film.lit(frame), self.film.corners(frame))
            for panel in self._panels:
                panel.show(frame)
        return self._loss.state


def stacked(figure: Figure, cell: Any, heights: Sequence[float]) -> list[Any]:
    """Panels above one another along one axis."""
    grid = cell.subgridspec(len(heights), 1, height_ratios=heights, hspace=0.04)
    first = figure.add_subplot(grid[0])
    return [first, *(figure.add_subplot(grid[i], sharex=first) for i in range(1, len(heights)))]
