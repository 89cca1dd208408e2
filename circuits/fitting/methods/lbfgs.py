"""Limited-memory BFGS for any differentiable loss, every board with a memory and a line search of its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.methods.method import Method, State, dot
from circuits.fitting.problem import Problem
from circuits.fitting.stopping import Stop

SUFFICIENT, CURVATURE, TRIES = 1e-4, 0.9, 40


@dataclass(frozen=True, kw_only=True)
class Remembering(State):
    """A state with the last steps and gradient changes, `(boards, memory, p)`, newest first; unused rows are zero."""

    steps: Tensor
    changes: Tensor


@dataclass(frozen=True)
class LBFGS(Method):
    """x ← x − t · B g, with B built from the last `memory` steps and t found by a weak Wolfe line search.

    The two-loop recursion of J. Nocedal (1980); the line search brackets and bisects (A. S. Lewis and M. L. Overton,
    2013), which also serves losses with kinks, such as a hinge. A pair whose curvature is not positive is left out.

    Args:
        memory: steps remembered.

    Raises:
        OptionError: a memory below one.

    >>> LBFGS()
    LBFGS(memory=10)
    """

    memory: int = 10

    def __post_init__(self):
        if self.memory < 1:
            raise OptionError(f"LBFGS(memory={self.memory!r}): expected at least 1")

    def default_stop(self, dtype: torch.dtype) -> Stop:
        if dtype == torch.float32:
            return Stop(gradient=1e-6, step=1e-6, steps=5000)
        return Stop(gradient=1e-12, step=1e-12, steps=5000)

    def begin(self, problem: Problem, x: Tensor) -> State:
        loss, gradient = problem.gradient(x)
        empty = x.new_zeros(len(x), self.memory, x.shape[1])
        return Remembering(x=x, loss=loss, gradient=gradient, steps=empty, changes=empty)

    def step(self, problem: Problem, state: Remembering) -> State:
        blocked = problem.coordinates.blocked(state.x, state.gradient)
        slope = state.gradient if blocked is None else state.gradient.masked_fill(blocked, 0.0)
        direction = -_two_loops(slope, state.steps, state.changes)
        uphill = dot(direction, slope) >= 0
        direction = torch.where(uphill.unsqueeze(-1), -slope, direction)
        if blocked is not None:
            direction = direction.masked_fill(blocked, 0.0)
        direction = problem.coordinates.limit(direction)
        first = (state.steps[:, 0] == 0).all(-1)
        length = torch.where(first, (1 / direction.norm(dim=-1)).clamp(max=1.0), torch.ones_like(state.loss))
        x, loss, gradient = _search(problem, state, direction, length)
        move, change = x - state.x, gradient - state.gradient
        keeps = (dot(move, change) > 1e-12 * move.norm(dim=-1) * change.norm(dim=-1)).view(-1, 1, 1)
        steps = torch.where(keeps, torch.cat([move.unsqueeze(1), state.steps[:, :-1]], 1), state.steps)
        changes = torch.where(keeps, torch.cat([change.unsqueeze(1), state.changes[:, :-1]], 1), state.changes)
        relative = problem.coordinates.relative(move, state.x)
        return Remembering(x=x, loss=loss, gradient=gradient, move=relative, steps=steps, changes=changes)


def _two_loops(gradient: Tensor, steps: Tensor, changes: Tensor) -> Tensor:
    """The inverse Hessian that the remembered pairs imply, times the gradient."""
    curvature = (steps * changes).sum(-1)
    inverse = torch.where(curvature > 0, 1 / curvature.clamp_min(torch.finfo(gradient.dtype).tiny), 0.0)
    q, weights = gradient, []
    for i in range(steps.shape[1]):
        weights.append(inverse[:, i] * dot(steps[:, i], q))
        q = q - weights[-1].unsqueeze(-1) * changes[:, i]
    size = changes[:, 0].square().sum(-1)
    q = q * torch.where(size > 0, curvature[:, 0] / size, 1.0).unsqueeze(-1)
    for i in reversed(range(steps.shape[1])):
        weight = weights[i] - inverse[:, i] * dot(changes[:, i], q)
        q = q + weight.unsqueeze(-1) * steps[:, i]
    return q


def _search(problem: Problem, state: State, direction: Tensor, length: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bracket and bisect until the loss has fallen enough and the slope has flattened enough, board by board."""
    slope = dot(direction, state.gradient)
    low, high = torch.zeros_like(length), torch.full_like(length, torch.inf)
    x, loss, gradient = state.x, state.loss, state.gradient
    open_ = torch.ones_like(length, dtype=torch.bool)
    for _ in range(TRIES):
        trial = problem.coordinates.clip(state.x + length.unsqueeze(-1) * direction)
        trial_loss, trial_gradient = problem.gradient(trial)
        falls = trial_loss <= state.loss + SUFFICIENT * length * slope
        flat = dot(direction, trial_gradient) >= CURVATURE * slope
        better = (open_ & falls & (trial_loss <= loss)).unsqueeze(-1)
        x, gradient = torch.where(better, trial, x), torch.where(better, trial_gradient, gradient)
        loss = torch.where(better[:, 0], trial_loss, loss)
        low, high = torch.where(falls, length, low), torch.where(falls, high, length)
        open_ = open_ & ~(falls & flat)
        if not bool(open_.any()):
            break
        length = torch.where(open_, torch.where(high.isinf(), 2 * length, (low + high) / 2), length)
    return x, loss, gradient
