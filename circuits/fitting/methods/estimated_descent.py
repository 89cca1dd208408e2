"""Descent along an estimated gradient, for losses that have no useful one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.estimators.estimator import Estimator
from circuits.fitting.methods.method import Method, State
from circuits.fitting.problem import Problem
from circuits.fitting.stopping import Stop


@dataclass(frozen=True, kw_only=True)
class Estimated(State):
    """A state on a noisy walk.

    `place (boards, p)` is where it stands before any rounding, `average (boards, p)` the averaged estimate, `reach
    (boards,)` the largest move of late, which fades by `shrink` from step to step and is infinite before the first.
    """

    place: Tensor
    average: Tensor
    reach: Tensor
    step: int


@dataclass(frozen=True)
class EstimatedDescent(Method):
    """z ← m z + (1 − m) ĝ,  x ← x − lr · z, with ĝ from an estimator of `circuits.fitting.estimators`.

    Step t uses lr · shrinkᵗ, and the estimator looks shrinkᵗ times as far around: smoothing moves the minimum by an
    amount that grows with σ, and a noisy estimate never comes to rest on its own, so both have to go. The loss that is
    shown is the loss itself, never its smoothed version.

    Args:
        lr: first learning rate, in coordinate² per loss.
        estimator: `ScoreFunction(...)`, `FiniteDifference(...)`, `Reparameterised(...)`, `StraightThrough(...)`, ….
        momentum: share m of the old average that is kept, 0 ≤ momentum < 1.
        shrink: factor on learning rate and σ from step to step, 0 < shrink ≤ 1.

    Raises:
        OptionError: settings out of their range, or something that is no estimator.

    >>> import circuits as cc, losses
    >>> from circuits.fitting.estimators import ScoreFunction
    >>> leds = cc.simulate(cc.LowPass(R=200.0), cc.tones(300), "led")
    >>> method = EstimatedDescent(lr=4.0, estimator=ScoreFunction(sigma=0.5), shrink=0.95)
    >>> cc.fit(cc.LowPass(R=500.0), leds, losses.HardLed(spread=0.1), method=method).misfit
    '300 of 300 LEDs explained'
    """

    lr: float
    estimator: Estimator
    momentum: float = 0.0
    shrink: float = 1.0

    def __post_init__(self):
        if not 0 < self.lr < float("inf"):
            raise OptionError(f"EstimatedDescent(lr={self.lr!r}): expected a positive, finite learning rate")
        if not isinstance(self.estimator, Estimator):
            raise OptionError(
                f"EstimatedDescent(estimator={self.estimator!r}): expected an estimator, as ScoreFunction(sigma=0.1)"
            )
        if not 0 <= self.momentum < 1:
            raise OptionError(f"EstimatedDescent(momentum={self.momentum!r}): expected 0 ≤ momentum < 1")
        if not 0 < self.shrink <= 1:
            raise OptionError(f"EstimatedDescent(shrink={self.shrink!r}): expected 0 < shrink ≤ 1")

    def default_stop(self, dtype: torch.dtype) -> Stop:
        # an estimate of zero only says that no sample saw a difference: neither it nor the step after it ends a walk
        return Stop(step=1e-4, steps=2000) if self.shrink < 1 else Stop(steps=1000)

    def begin(self, problem: Problem, x: Tensor) -> State:
        return self._look(problem, x, torch.zeros_like(x), x.new_full((len(x),), torch.inf), 0)

    def step(self, problem: Problem, state: Estimated) -> State:
        direction = state.average * self.momentum + state.gradient * (1 - self.momentum)
        place = problem.coordinates.clip(state.place - self.lr * self.shrink**state.step * direction)
        moved = problem.coordinates.relative(place - state.place, state.place)
        faded = torch.where(state.reach.isinf(), torch.where(moved > 0, 0.0, state.reach), self.shrink * state.reach)
        return self._look(problem, place, direction, torch.maximum(moved, faded), state.step + 1)

    def _look(self, problem: Problem, place: Tensor, average: Tensor, reach: Tensor, step: int) -> Estimated:
        """The loss that is in force at a place, and the estimate there."""
        gradient = self.estimator.sharpened(self.shrink**step).gradient(problem, place, step)
        x = self.estimator.visible(problem, place)
        with torch.no_grad():
            loss = problem.losses(x)
        return Estimated(
            x=x,
            loss=loss,
            gradient=gradient,
            move=reach,
            place=place,
            average=average,
            reach=reach,
            step=step,
        )
