"""`explore`: a circuit under sliders, with what was measured behind it."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets
import torch
from torch import nn

from circuits.circuit import Circuit
from circuits.errors import OhmgradError, OptionError
from circuits.fitting.fitter import fit as run_fit
from circuits.fitting.problem import Problem, led_term
from circuits.fitting.setup import Data, make_problem
from circuits.notation import format as engineering
from circuits.views.explorer.knob import RED, Knob
from circuits.views.explorer.scope import Scope
from circuits.views.kernel import check_notebook
from circuits.views.playback.player import TIGHT
from losses import LossError


class Explorer(widgets.VBox):
    """A slider for every component of a circuit, the picture of its response, and a fit from where the sliders stand.

    The circuit itself follows the sliders: what they show is what `circuit.R` holds, and "fit from here" is
    `circuits.fit` of that circuit. It can be made without a notebook: set `knobs["R"].slider.value` or
    `knobs["R"].text.value`, call `fit_button.click()`, and look at `image.value`.

    Args:
        circuit: of one board.
        data: what `circuits.fit` takes, or None.
        loss: likewise.

    Raises:
        OptionError: something else than a circuit, a batch of boards, or a loss without data.
        DataError, ShapeError, UnknownName: data that the circuit cannot be fitted to.

    Attributes:
        circuit: the one that was given. `fit`: the result of the last fit, or None.
        knobs: slider, text and tick box by component. `scope`: draws the picture.
        status: loss, LEDs explained and corner frequencies. `image`: the picture. `fit_button`, `result`.

    >>> import circuits as cc
    >>> board = cc.LowPass(R=500.0)
    >>> bench = Explorer(board, cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5)))
    >>> bench.knobs["R"].text.value = "4k7"
    >>> board.R.item(), round(bench.scope.corners()["cutoff"], 3)
    (4700.0, 33.863)
    >>> bench.fit_button.click()
    >>> round(board.R.item(), 6)
    200.0
    """

    _parts: tuple[widgets.Widget, ...] = ()  # closing one that was refused finds nothing to close

    def __init__(self, circuit: Circuit, data: Data | None = None, *, loss: Any = None):
        _check(circuit, data, loss)
        self.circuit, self.fit = circuit, None
        self._data, self._loss = data, loss
        self._parameters = _distinct(circuit)
        self._problem = None
        if data is not None:
            with _all_free(self._parameters):
                self._problem = make_problem(circuit, data, loss)
        kinds = circuit.kinds()
        self.knobs = {
            name: Knob(
                name,
                kinds[name].unit,
                part.item(),
                part.requires_grad,
                self._moved(name),
                self._freed(name),
                kinds[name].positive,
            )
            for name, part in self._parameters.items()
        }
        self.scope = Scope(circuit, self._problem)
        self.status, self.result = widgets.HTML(), widgets.HTML()
        self.image = widgets.Image(format="png", layout={"max_width": "100%", "width": "960px"})
        self.fit_button = widgets.Button(
            description="fit from here",
            disabled=data is None,
            button_style="primary",
            tooltip="circuits.fit from the values of the sliders",
        )
        self.fit_button.on_click(self._on_fit)
        self._draw()
        self._parts = (*self.knobs.values(), self.fit_button, self.status, self.image, self.result)
        rows = [*self.knobs.values(), *([self.fit_button] if data is not None else []), self.status, self.image]
        super().__init__([*rows, self.result])

    def close(self) -> None:
        """Close every widget of the explorer."""
        for part in self._parts:
            part.close()
        super().close()

    def _moved(self, name: str) -> Any:
        def move() -> None:
            with torch.no_grad():
                self._parameters[name].fill_(self.knobs[name].value)
            self._draw()

        return move

    def _freed(self, name: str) -> Any:
        return lambda learns: self._parameters[name].requires_grad_(learns)

    def _draw(self) -> None:
        """Picture and status of the circuit as it stands."""
        picture = self.scope.png()
        corners = [f"{name} {engineering(f, 'Hz')}" for name, f in self.scope.corners().items()]
        parts = [*_verdict(self._problem), *([f"corners: {', '.join(corners)}"] if corners else [])]
        self.status.value = f'<code style="{TIGHT}">{html.escape(" · ".join(parts))}</code>'
        self.image.value = picture  # last of all: whoever sees the picture sees the words beside it

    def _on_fit(self, _: Any) -> None:
        """Fit from the values of the sliders; what goes wrong is said where the table would stand."""
        if self._data is None:
            return
        self.fit_button.disabled, self.result.value = True, "fitting …"
        said = ""
        try:
            self.fit = run_fit(self.circuit, self._data, self._loss, progress=False)
            said = f"<pre>{html.escape(str(self.fit))}</pre>"
        except (OhmgradError, LossError) as error:
            said = _complaint(str(error))
        except Exception as error:
            said = _complaint(f"{type(error).__name__}: {error}")
            raise  # not foreseen: the notebook's log keeps the traceback
        finally:
            self.fit_button.disabled = False
            for name, part in self._parameters.items():
                self.knobs[name].move_to(part.item())
            self._draw()
            self.result.value = said


def _complaint(sentence: str) -> str:
    return f'<span style="color:{RED}">{html.escape(sentence)}</span>'


def explore(circuit: Circuit, data: Data | None = None, *, loss: Any = None) -> Explorer:
    """Move the components of a circuit by sliders in a notebook, and see its response follow.

    Every component has a slider over its decades, on a logarithmic scale, and its value beside it, which can be typed
    in (`4k7`, `4.7e3`). Components that are held fixed are freed by a tick box. With data, the loss follows, LEDs stand
    predicted above seen, and "fit from here" runs `circuits.fit`. The circuit that was given follows the sliders.

    Args:
        circuit: of one board.
        data: what `circuits.fit` takes, or None for the response alone.
        loss: likewise; None for its default.

    Raises:
        NotebookMissing: no notebook is around to show it.
        OptionError: something else than a circuit, a batch of boards, or a loss without data.
        DataError, ShapeError, UnknownName: data that the circuit cannot be fitted to.

    >>> import circuits as cc
    >>> explore(cc.LowPass(R=500.0))
    Traceback (most recent call last):
    circuits.errors.NotebookMissing: explore moves in a notebook and none is around; open JupyterLab, or ...
    """
    check_notebook("explore", "open JupyterLab, or draw one picture with circuits.plot_response")
    return Explorer(circuit, data, loss=loss)


def _check(circuit: Any, data: Any, loss: Any) -> None:
    if not isinstance(circuit, Circuit):
        raise OptionError(f"cannot explore a {type(circuit).__name__}; expected a circuit, such as LowPass(R=500.0)")
    if circuit.batch_shape:
        raise OptionError(
            f"sliders move one board and this circuit is a batch of {tuple(circuit.batch_shape)}; "
            "give every component a single value"
        )
    if data is None and loss is not None:
        raise OptionError("a loss compares with data and none were given; pass the data as well")


def _distinct(circuit: Circuit) -> dict[str, nn.Parameter]:
    """The components by name, those that a fit moves first; one in two places moves as one, by its first name."""
    return dict(sorted(circuit.named_parameters(), key=lambda pair: not pair[1].requires_grad))


@contextmanager
def _all_free(parameters: dict[str, nn.Parameter]) -> Iterator[None]:
    """Every component learnable for a while: the loss is then the same whichever boxes are ticked later."""
    before = {name: part.requires_grad for name, part in parameters.items()}
    try:
        for part in parameters.values():
            part.requires_grad_(True)
        yield
    finally:
        for name, part in parameters.items():
            part.requires_grad_(before[name])


@torch.no_grad()
def _verdict(problem: Problem | None) -> list[str]:
    """The loss where the circuit stands, and how many LEDs that explains."""
    if problem is None:
        return []
    stages = problem.loss.stages()
    x = problem.start()
    words = f"loss {float(problem.with_loss(stages[0]).losses(x)[0]):.4g} by {stages[0]!r}"
    if led_term(problem.loss) is None:
        return [words]
    right = problem.explained(problem.predict(x))
    seen = torch.ones_like(right) if problem.present is None else problem.present > 0
    return [words, f"{int((right & seen).sum())} of {int(seen.sum())} LEDs explained"]
