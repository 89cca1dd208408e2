"""Sign descent: steepest descent when the length of a step is its largest component."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.methods.method import Method, State
from circuits.fitting.problem import Problem
from circuits.fitting.stopping import Stop
from circuits.fitting.theory.steepest import dual_vector


@dataclass(frozen=True, kw_only=True)
class Sizes(State):
    """A state that also remembers the step size of every coordinate."""

    size: Tensor


@dataclass(frozen=True)
class SignDescent(Method):
    """x ← x − s · sign(g), with s = lr, or s = lr · ‖g‖₁ when `scaled`.

    The minimiser of gᵀΔ + ‖Δ‖∞²/α is −(α/2)‖g‖₁ sign(g): the scaled form with lr = α/2. With `shrink` below 1 a
    coordinate whose gradient changes sign takes steps shorter by that factor from then on, so that the walk comes to
    rest; this is the decreasing half of Rprop (M. Riedmiller and H. Braun, 1993).

    Args:
        lr: first step size, in units of the coordinate.
        shrink: factor on a coordinate's step when its gradient changes sign, 0 < shrink ≤ 1.
        scaled: multiply the step by ‖g‖₁.

    Raises:
        OptionError: a step size that is not positive, or a shrink factor outside (0, 1].

    >>> SignDescent(lr=0.1, shrink=0.5)
    SignDescent(lr=0.1, shrink=0.5, scaled=False)
    """

    lr: float
    shrink: float = 1.0
    scaled: bool = False

    def __post_init__(self):
        if not self.lr > 0 or self.lr == float("inf"):
            raise OptionError(f"SignDescent(lr={self.lr!r}): expected a positive, finite step size")
        if not 0 < self.shrink <= 1:
            raise OptionError(f"SignDescent(shrink={self.shrink!r}): expected 0 < shrink ≤ 1")

    def default_stop(self, dtype: torch.dtype) -> Stop:
        return Stop(gradient=0.0, step=1e-8, steps=100_000)

    def begin(self, problem: Problem, x: Tensor) -> State:
        state = super().begin(problem, x)
        return Sizes(x=x, loss=state.loss, gradient=state.gradient, size=torch.full_like(x, self.lr))

    def step(self, problem: Problem, state: Sizes) -> State:
        direction = dual_vector(state.gradient, math.inf) if self.scaled else state.gradient.sign()
        move = state.size * direction
        x = problem.coordinates.clip(state.x - move)
        loss, gradient = problem.gradient(x)
        turned = gradient * state.gradient < 0
        size = torch.where(turned, state.size * self.shrink, state.size)
        relative = problem.coordinates.relative(move, state.x)
        return Sizes(x=x, loss=loss, gradient=gradient, move=relative, size=size)
