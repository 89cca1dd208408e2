"""Gradient descent with momentum, in the form that is taught."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.methods.method import Method, State
from circuits.fitting.problem import Problem


@dataclass(frozen=True, kw_only=True)
class Average(State):
    """A state that also remembers the averaged gradient z."""

    average: Tensor


@dataclass(frozen=True)
class GradientDescent(Method):
    """z ← (1 − β) z + β g,  x ← x − lr · z, with z = 0 at the start and β = 1 − momentum.

    Without momentum β is 1 and z is the gradient g itself. With `coordinates="linear"` the coordinate is the resistance
    in ohms, and the loss's gradient is in 1/Ω: this is why a learning rate of hundreds is right in the classroom.

    Args:
        lr: learning rate, in coordinate² per loss.
        momentum: share of the old average that is kept, 0 ≤ momentum < 1.

    Raises:
        OptionError: a learning rate that is not positive, or a momentum outside [0, 1).

    >>> GradientDescent(lr=200.0)
    GradientDescent(lr=200.0, momentum=0.0)
    """

    lr: float
    momentum: float = 0.0

    def __post_init__(self):
        if not self.lr > 0 or self.lr == float("inf"):
            raise OptionError(f"GradientDescent(lr={self.lr!r}): expected a positive, finite learning rate")
        if not 0 <= self.momentum < 1:
            raise OptionError(f"GradientDescent(momentum={self.momentum!r}): expected 0 ≤ momentum < 1")

    def begin(self, problem: Problem, x: Tensor) -> State:
        state = super().begin(problem, x)
        if not self.momentum:
            return state
        return Average(x=x, loss=state.loss, gradient=state.gradient, average=torch.zeros_like(x))

    def step(self, problem: Problem, state: State) -> State:
        direction = state.gradient
        if isinstance(state, Average):
            direction = state.average * self.momentum + direction * (1 - self.momentum)
        x = problem.coordinates.clip(state.x - self.lr * direction)
        loss, gradient = problem.gradient(x)
        if isinstance(state, Average):
            return Average(x=x, loss=loss, gradient=gradient, average=direction)
        return State(x=x, loss=loss, gradient=gradient)
