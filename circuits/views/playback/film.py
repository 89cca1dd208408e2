"""`Film`: a fit looked at step by step, each step worked out from the history when it is asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from circuits.data import Measurements, log_grid
from circuits.errors import OptionError
from circuits.fitting.landscape import columns_of, loss_over
from circuits.fitting.model import CircuitModel, ModuleModel
from circuits.fitting.per_sample_gradients import contributions
from circuits.fitting.problem import Problem, led_term
from circuits.fitting.result import Fit
from circuits.notation import format as engineering
from circuits.views.playback.ground import Ground
from circuits.views.playback.keys import key_steps
from losses import HALF_POWER

Array = Any
KEYS = 240
"""Steps that a slider stops at: one for every few pixels of its track."""

CURVE, LINE, PLANE = 400, 161, 41
"""Points of a drawn response, of a loss over one component, and along each side of one over two."""

BUDGET = 1_500_000
"""Predictions for one slice of the loss where other components move as well and every step has a slice of its own."""

NAMED = 6
"""Values that a caption can list."""


@dataclass(frozen=True)
class Frame:
    """What the history says of one step: the values `(p,)`, their gradient in the fit's coordinates, and the loss.

    `stage` counts the losses that were walked one after another; a loss without stages has only 0.
    """

    step: int
    values: Array
    gradient: Array
    loss: float
    stage: int


@dataclass(frozen=True)
class Slice:
    """The loss over one or two components, `(n,)` or `(n, n)`, the others where they are at a step."""

    grids: tuple[Array, ...]
    loss: Array


class Film:
    """The steps of a fit of one board.

    Nothing is computed for a step before it is asked for, and then for that step alone.

    Args:
        fit: a fit with its history.
        names: one or two learned components whose loss and contributions are shown; None takes the first two.
        board: which board of a batch, counted in rows.

    Raises:
        OptionError: no history, more than two names, a component that is held fixed, or no such board.
        UnknownName: a component that does not exist.

    >>> import circuits as cc
    >>> film = Film(cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5))))
    >>> film.caption(0)
    'step 0 of 5: loss 0.02167, R = 500 Ω'
    """

    def __init__(self, fit: Fit, names: str | Sequence[str] | None = None, *, board: int = 0):
        if not isinstance(fit, Fit):
            raise OptionError(f"cannot replay a {type(fit).__name__}; expected what circuits.fit returned")
        history = fit.history
        if history is None or len(history) == 0:
            raise OptionError("this fit remembers no steps; fit again with history=True")
        boards = history.loss.shape[1]
        if not 0 <= board < boards:
            raise OptionError(f"no board {board}; expected 0 to {boards - 1}")
        self.fit = fit
        self.problem = fit.problem.take(torch.tensor([board])) if fit.batch_shape else fit.problem
        self.all_names = self.problem.model.names
        self.names = self.all_names[:2] if names is None else (names,) if isinstance(names, str) else tuple(names)
        self.columns = columns_of(self.problem, self.names)
        self._values, self._loss, self._gradient = (
            table[:, board] for table in (history.values, history.loss, history.gradient)
        )
        self.last = len(self._loss) - 1
        x = self.problem.coordinates.from_values(self._values).numpy(force=True)
        self.keys = key_steps(x, KEYS)
        walks = history.walks or ((0, self.problem.loss),)
        self._firsts = np.array([first for first, _ in walks])
        self.stages = tuple(loss for _, loss in walks)
        self.key_stages = self._stage(self.keys)
        self._slices: dict[tuple[int, int], Slice] = {}
        self._look_at_data()

    def _look_at_data(self) -> None:
        """Where the data points stand on the horizontal axis, and a grid for the curve."""
        model, problem = self.problem.model, self.problem
        if isinstance(model, CircuitModel):
            outputs, quantity, across = model.circuit.outputs or ("",), model.quantity, "frequency"
            at = model.f.reshape(-1, model.f.shape[-1])[0]
            pad = 1.25 if len(at) > 1 else 10.0
            grid = log_grid(CURVE, float(at.min()) / pad, float(at.max()) * pad)
            self._on_grid = replace(model, f=grid.to(model.f))
        else:
            outputs, at, across = self._look_at_module(cast(ModuleModel, model))
            quantity, self._order = "value", torch.argsort(at, stable=True)
            grid = at[self._order]
        self._outputs = len(outputs)
        target = problem.target
        if problem.present is not None:
            target = torch.where(problem.present > 0, target, torch.nan)
        led = led_term(problem.loss)
        threshold = (HALF_POWER if led is None else led.threshold) if quantity == "led" else None
        table, unit = self._rows(target), model.circuit.response_unit if isinstance(model, CircuitModel) else ""
        places = grid.numpy(force=True), at.numpy(force=True)
        self.ground = Ground(quantity, outputs, across, *places, table, threshold, unit)

    def _look_at_module(self, model: ModuleModel) -> tuple[tuple[str, ...], Tensor, str]:
        """A module is drawn over its one input, or else point by point."""
        shape = self.problem.target.shape[1:]
        columns = shape[-1] if len(shape) == 2 and shape[-1] <= NAMED else 1
        outputs = ("",) if columns == 1 else tuple(f"output {i}" for i in range(columns))
        count = math.prod(shape) // columns
        first = model.inputs[0] if len(model.inputs) == 1 else None
        if isinstance(first, Tensor) and first.numel() == count and first.is_floating_point():
            across = "frequency" if isinstance(self.fit.data, Measurements) else "input"
            return outputs, first.detach().reshape(-1), across
        return outputs, torch.arange(count, dtype=torch.float64), "data point"

    def _rows(self, table: Tensor) -> Array:
        """A table with its board axis as one row for each output, `(k, n)`."""
        table, outputs = table.detach(), self._outputs
        if isinstance(self.problem.model, ModuleModel) and outputs > 1:
            return table.reshape(-1, outputs).mT.numpy(force=True)
        return table.reshape(outputs, -1).numpy(force=True)

    # one step

    def frame(self, step: int) -> Frame:
        """What the history says of a step; a negative one counts from the end.

        Raises:
            OptionError: no such step.
        """
        step = step + self.last + 1 if step < 0 else step
        if not 0 <= step <= self.last:
            raise OptionError(f"no step {step}; this fit has steps 0 to {self.last}")
        values, gradient = (table[step].numpy(force=True) for table in (self._values, self._gradient))
        return Frame(step, values, gradient, float(self._loss[step]), int(self._stage(step)))

    def key(self, step: int) -> int:
        """Index of the key step nearest to a step."""
        right = int(np.searchsorted(self.keys, step))
        if right and (right == len(self.keys) or step - self.keys[right - 1] < self.keys[right] - step):
            right -= 1
        return right

    def caption(self, step: int) -> str:
        """Step, loss and values in words."""
        frame, units = self.frame(step), self.fit.units
        parts = [f"loss {frame.loss:.4g}{f' by {self.stages[frame.stage]!r}' if len(self.stages) > 1 else ''}"]
        for name, value in list(zip(self.all_names, frame.values, strict=True))[:NAMED]:
            parts.append(f"{name} = {engineering(float(value), units.get(name, ''), 5)}")
        more = len(self.all_names) - NAMED
        parts += [f"and {more} more"] if more > 0 else []
        return f"step {frame.step} of {self.last}: {', '.join(parts)}"

    def curve(self, frame: Frame) -> Array:
        """What is predicted over `ground.grid`, `(k, m)`."""
        values = torch.as_tensor(frame.values).unsqueeze(0)
        with torch.no_grad():
            if isinstance(self.problem.model, CircuitModel):
                return self._rows(self._on_grid.predict(values))
            return self._rows(self.problem.model.predict(values))[:, self._order.numpy(force=True)]

    def lit(self, frame: Frame) -> Array | None:
        """Which LEDs are predicted lit at the data points, `(k, n)`; None where there are none."""
        if self.ground.threshold is None:
            return None
        with torch.no_grad():
            prediction = self._rows(self.problem.model.predict(torch.as_tensor(frame.values).unsqueeze(0)))
        return prediction > self.ground.threshold

    def corners(self, frame: Frame) -> list[float]:
        """Corner frequencies of a circuit in hertz."""
        model = self.problem.model
        if not isinstance(model, CircuitModel):
            return []
        values = torch.as_tensor(frame.values).unsqueeze(0)
        with torch.no_grad(), model.learnable.holding(model.tensors(values)):
            return [float(f.reshape(-1)[0]) for f in model.circuit.cutoffs().values()]

    def pulls(self, frame: Frame) -> Array:
        """Derivative of the loss by each of `names` through every data point, `(names, k, n)`.

        Raises:
            OptionError, LossError: a loss that does not say what a single point costs.
        """
        table = contributions(self._problem(frame), self._x(frame))[0]
        return np.stack([self._rows(table[column].unsqueeze(0)) for column in self.columns])

    def slice(self, frame: Frame) -> Slice:
        """The loss over `names`, at the stage of this step, the other components being where they are at it."""
        fixed = len(self.names) == len(self.all_names)
        key = (frame.stage, -1 if fixed else frame.step)
        if key not in self._slices:
            if len(self._slices) >= KEYS:
                self._slices.pop(next(iter(self._slices)))
            grids = self.grids(fixed)
            loss = loss_over(self._problem(frame), self._x(frame), self.names, [torch.as_tensor(g) for g in grids])
            self._slices[key] = Slice(grids, loss.numpy(force=True))
        return self._slices[key]

    def grids(self, fixed: bool) -> tuple[Array, ...]:
        """SI values at which the loss over each of `names` is worked out."""
        points = self.problem.target.numel()
        if len(self.names) == 1:
            count = LINE if fixed else min(max(BUDGET // points, 33), LINE)
        else:
            count = PLANE if fixed else min(max(math.isqrt(BUDGET // points), 9), PLANE)
        return tuple(self.spread(column, count) for column in self.columns)

    def is_log(self, column: int) -> bool:
        """Whether a value is moved, and so drawn, as its logarithm."""
        log = self.problem.coordinates.log
        return log if isinstance(log, bool) else bool(log[column])

    def spread(self, column: int, count: int) -> Array:
        """Values around the walk of one component, evenly spaced in its coordinate."""
        walk = self.walk(column)
        best = walk[np.nanargmin(np.where(np.isfinite(self.losses()), self.losses(), np.inf))]
        walk = walk[np.isfinite(walk)]
        if self.is_log(column):
            walk, best = np.log(walk[walk > 0]), math.log(best)
            walk = walk[abs(walk - best) <= 14.0]
            margin = max(0.2 * np.ptp(walk), 0.35)
            return np.exp(np.linspace(walk.min() - margin, walk.max() + margin, count))
        reach = 20 * max(abs(walk[0] - best), 0.05 * abs(best), 1e-300)
        walk = walk[abs(walk - best) <= reach]
        margin = max(0.25 * np.ptp(walk), 0.05 * abs(best), 1e-6)
        low, high = walk.min() - margin, walk.max() + margin
        if isinstance(self.problem.model, CircuitModel):  # no component is negative, wherever a step may have led
            high = max(high, 1.2 * abs(best))
            low = max(low, 0.2 * walk[walk > 0].min(initial=high))
        return np.linspace(low, high, count)

    # all key steps

    def walk(self, column: int) -> Array:
        """One value at every key step."""
        return self._values[torch.as_tensor(self.keys), column].numpy(force=True)

    def losses(self) -> Array:
        """The loss at every key step."""
        return self._loss[torch.as_tensor(self.keys)].numpy(force=True)

    def gradients(self, column: int) -> Array:
        """The gradient by one coordinate at every key step."""
        return self._gradient[torch.as_tensor(self.keys), column].numpy(force=True)

    # the losses that were walked

    def _x(self, frame: Frame) -> Tensor:
        return self.problem.coordinates.from_values(torch.as_tensor(frame.values).unsqueeze(0))

    def _problem(self, frame: Frame) -> Problem:
        return self.problem.with_loss(self.stages[frame.stage])

    def _stage(self, step: Any) -> Any:
        """Which of the losses was walked at a step, or at each of several."""
        return np.searchsorted(self._firsts, step, side="right") - 1
