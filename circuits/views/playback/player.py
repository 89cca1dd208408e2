"""`replay`: a fit under a slider, with play and pause."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets

from circuits.fitting.result import Fit
from circuits.views.kernel import check_notebook
from circuits.views.playback.film import Film
from circuits.views.playback.stage import Stage

INTERVAL = 100
"""Milliseconds between two key steps while playing."""

TIGHT = "display:block;line-height:1.35"
"""Lines of a sentence stand closer than widgets do."""


class Replay(widgets.VBox):
    """A slider over the key steps of a fit, play and pause, a step typed in, and the picture of it.

    It can be made without a notebook: set `slider.value` or `exact.value`, and `image.value` is the PNG of that step.

    Args:
        fit: a fit with its history.
        names: one or two components whose loss and contributions are shown; None takes the first two.
        board: which board of a batch.

    Raises:
        OptionError, UnknownName: as for `replay`.

    Attributes:
        film: the steps. `stage`: draws them. `step`: the one shown.
        slider: index of the key step. `play`: moves the slider in the browser. `exact`: any step, typed in.
        text: step, loss and values. `image`: the picture.

    >>> import circuits as cc
    >>> shown = Replay(cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5))))
    >>> shown.slider.value = 2
    >>> shown.step, shown.image.value == shown.stage.png(2)
    (2, True)
    """

    _parts: tuple[widgets.Widget, ...] = ()  # closing one that was refused finds nothing to close

    def __init__(self, fit: Fit, *, names: str | Sequence[str] | None = None, board: int = 0):
        self.film = Film(fit, names, board=board)
        self.stage = Stage(self.film)
        self.step = -1
        last, end = len(self.film.keys) - 1, self.film.last
        self.slider = widgets.IntSlider(
            0,
            0,
            last,
            description="step",
            readout=False,
            layout={"width": "420px"},
            style={"description_width": "36px"},
        )
        self.play = widgets.Play(value=0, min=0, max=last, interval=INTERVAL, show_repeat=False)
        self._link = widgets.jslink((self.play, "value"), (self.slider, "value"))
        self.exact = widgets.BoundedIntText(0, 0, end, description="exactly", layout={"width": "170px"})
        self.text = widgets.HTML(layout={"min_height": "42px"})  # of two lines: the picture stays in its place
        self.image = widgets.Image(format="png", layout={"max_width": "100%", "width": "960px"})
        self.slider.observe(self._on_slider, "value")
        self.exact.observe(self._on_exact, "value")
        self.show(0)
        self._parts = (self._link, self.play, self.slider, self.exact, self.text, self.image)
        super().__init__([widgets.HBox([self.play, self.slider, self.exact]), self.text, self.image])

    def show(self, step: int) -> None:
        """Show a step, and move the slider to the key step nearest to it.

        Raises:
            OptionError: no such step.
        """
        frame = self.film.frame(step)
        if frame.step == self.step:
            return
        picture = self.stage.png(frame.step)
        self.text.value = f'<code style="{TIGHT}">{html.escape(self.film.caption(frame.step))}</code>'
        self.step = frame.step
        self.exact.value = frame.step
        # an exact step between two key steps moves the slider without being moved by it
        self.slider.unobserve(self._on_slider, "value")
        self.slider.value = self.film.key(frame.step)
        self.slider.observe(self._on_slider, "value")
        # last of all: whoever sees the picture sees the number beside it, and what is typed after that stays
        self.image.value = picture

    def close(self) -> None:
        """Close every widget of the replay."""
        for part in (*self._parts, *self.children):
            part.close()
        super().close()

    def _on_slider(self, change: Any) -> None:
        self.show(int(self.film.keys[change["new"]]))

    def _on_exact(self, change: Any) -> None:
        self.show(change["new"])


def replay(fit: Fit, *, names: str | Sequence[str] | None = None, board: int = 0) -> Replay:
    """Replay a fit in a notebook: four linked panels under one slider over its steps, with play and pause.

    The panels are the response with the data, the loss over one component or two with the path walked so far, the
    derivative of the loss through each data point (the tug of war), and values and gradients by step. A long walk is
    shown at its key steps, a few hundred of them; any other is reached by its number.

    Args:
        fit: what `circuits.fit` returned, with its history.
        names: one or two learned components whose loss and contributions are shown; None takes the first two.
        board: which board of a batch, counted in rows.

    Raises:
        NotebookMissing: no notebook is around to show it.
        OptionError: no history, more than two names, a component that is held fixed, or no such board.
        UnknownName: a component that does not exist.

    >>> import circuits as cc
    >>> replay(cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5))))
    Traceback (most recent call last):
    circuits.errors.NotebookMissing: replay moves in a notebook and none is around; write fit.report("fit.html")...
    """
    check_notebook("replay", 'write fit.report("fit.html"), a page with the replay in it, or open JupyterLab')
    return Replay(fit, names=names, board=board)
