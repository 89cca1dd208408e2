"""Levenberg–Marquardt: damped Gauss–Newton from exact Jacobians, every board with a damping of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.methods.method import Method, State, dot
from circuits.fitting.model import ModuleModel
from circuits.fitting.problem import Problem
from circuits.fitting.quadratic import Quadratic, Rows
from circuits.fitting.stopping import Stop

ROUNDING = 1e-12
"""Relative decrease of the loss below which rounding hides whether a step was good: such a step is trusted, until the
next one promises no less."""


@dataclass(frozen=True, kw_only=True)
class Damped(State):
    """A state that has already solved for the step it will try next; `decrease` and `move` speak of that step.

    `scale (boards, p)` is the length by which each coordinate is measured, `damping` and `growth (boards, 1)` are the
    damping and its next growth factor, and `expected (boards,)` is the decrease of the loss that the step to `next_x`
    promises.
    """

    model: Quadratic | Rows
    scale: Tensor
    damping: Tensor
    growth: Tensor
    expected: Tensor


@dataclass(frozen=True)
class LevenbergMarquardt(Method):
    """Minimise by (A + λD²) δ = −g, with A = JᵀJ and g = Jᵀr, and λ moved by how well the step kept its promise.

    For a likelihood A is the Fisher information of the points (Fisher scoring). D holds the column norms of J,
    falling to no less than half from step to step (after J. J. Moré, 1978, who never lets them fall; a parameter that
    starts where it matters too much would then be frozen), λ follows H. B. Nielsen (1999): after a step that did what
    was expected λ falls to a third, after a bad one it grows by 2, 4, 8, …. Positive components in log coordinates
    change by a factor of e⁴ at most in one step. Circuits use the p × p normal equations of all boards at once; a
    plain module is one problem, solved by the singular values of its Jacobian, which keeps all digits of badly scaled
    problems.

    Args:
        damping: λ at the start, relative to the scaled curvature.

    Raises:
        OptionError: a damping that is not positive.

    >>> LevenbergMarquardt()
    LevenbergMarquardt(damping=0.001)
    """

    damping: float = 1e-3

    def __post_init__(self):
        if not 0 < self.damping < math.inf:
            raise OptionError(f"LevenbergMarquardt(damping={self.damping!r}): expected a positive, finite number")

    def default_stop(self, dtype: torch.dtype) -> Stop:
        if dtype == torch.float32:
            return Stop(gradient=0.0, decrease=1e-5, step=1e-6, steps=2000)
        return Stop(gradient=0.0, decrease=1e-16, step=1e-14, steps=2000)

    def begin(self, problem: Problem, x: Tensor) -> State:
        model = _look(problem, x)
        damping = x.new_full((len(x), 1), self.damping)
        return _aim(problem, x, model, model.sizes(), damping, torch.full_like(damping, 2.0))

    def step(self, problem: Problem, state: Damped) -> State:
        x = cast(Tensor, state.next_x)
        model = _look(problem, x)
        rounded = (state.expected <= ROUNDING * state.loss) & (model.loss <= (1 + 1e-9) * state.loss)
        ratio = torch.where(rounded, 1.0, (state.loss - model.loss) / state.expected)
        better = (model.loss < state.loss) | rounded
        if len(x) == 1:
            x, model, damping, growth = _accept_one(state, x, model, bool(better), float(ratio))
        else:
            x, model, damping, growth = _accept_each(state, x, model, better, ratio)
        ahead = _aim(problem, x, model, torch.maximum(model.sizes(), 0.5 * state.scale), damping, growth)
        stuck = (state.expected <= ROUNDING * state.loss) & (ahead.expected > 0.5 * state.expected)
        return replace(ahead, decrease=torch.where(stuck, 0.0, cast(Tensor, ahead.decrease)))


def _look(problem: Problem, x: Tensor) -> Any:
    """The quadratic model at x: rows for a plain module, normal equations for boards of a circuit."""
    return problem.rows(x) if isinstance(problem.model, ModuleModel) else problem.quadratic(x)


def _accept_one(state: Damped, x: Tensor, model: Any, better: bool, ratio: float) -> tuple:
    """The single board moves, or stays with more damping."""
    if not better:
        return state.x, state.model, state.damping * state.growth, state.growth * 2
    shrink = max(1 / 3, 1 - (2 * min(ratio, 2.0) - 1) ** 3)
    return x, model, state.damping * shrink, torch.full_like(state.growth, 2.0)


def _accept_each(state: Damped, x: Tensor, model: Any, better: Tensor, ratio: Tensor) -> tuple:
    """Every board moves, or stays with more damping."""
    row = better.unsqueeze(-1)
    shrink = (1 - (2 * ratio.clamp(max=2.0).unsqueeze(-1) - 1) ** 3).clamp(min=1 / 3)
    old = cast(Quadratic, state.model)
    kept = Quadratic(
        torch.where(better, model.loss, old.loss),
        torch.where(row, model.gradient, old.gradient),
        torch.where(row.unsqueeze(-1), model.curvature, old.curvature),
    )
    damping = state.damping * torch.where(row, shrink, state.growth)
    return torch.where(row, x, state.x), kept, damping, torch.where(row, 2.0, state.growth * 2)


def _aim(problem: Problem, x: Tensor, model: Any, scale: Tensor, damping: Tensor, growth: Tensor) -> Damped:
    """Solve for the next step, and say what it promises."""
    damping = damping.clamp(min=1e-12 if x.dtype == torch.float64 else 1e-6)
    lengths = torch.where(scale > 0, scale, 1.0)
    blocked = problem.coordinates.blocked(x, model.gradient)
    step, curved = model.damped_step(damping, lengths, blocked)
    limited = problem.coordinates.limit(step)
    if limited is not step:
        shrink = (limited * step).sum(-1) / (step * step).sum(-1).clamp_min(torch.finfo(step.dtype).tiny)
        curved, step = curved * shrink**2, limited
    expected = -(dot(model.gradient, step) + 0.5 * curved)
    if isinstance(model, Rows) and model.residual is not None:
        step = step + _acceleration(problem, x, model, model.residual, step, damping, lengths)
    return Damped(
        x=x,
        loss=model.loss,
        gradient=model.gradient,
        decrease=expected / model.loss.abs(),
        move=problem.coordinates.relative(step, x),
        model=model,
        scale=scale,
        damping=damping,
        growth=growth,
        next_x=problem.coordinates.clip(x + step),
        expected=expected,
    )


def _acceleration(
    problem: Problem, x: Tensor, rows: Rows, residual: Tensor, step: Tensor, damping: Tensor, scale: Tensor
) -> Tensor:
    """Half the geodesic acceleration: how a curved valley bends along the step, by one more look at the residuals.

    The second derivative of the residuals along δ is a difference of two first derivatives; it is used only while it is
    a correction, 2|Da| ≤ 0.75 |Dδ| (M. K. Transtrum and J. P. Sethna, arXiv:1201.5885).
    """
    h = 0.1
    ahead = problem.residual(problem.coordinates.clip(x + h * step))
    bend = (2 / h) * ((ahead - residual) / h - rows.jacobian @ step[0])
    if not bool(torch.isfinite(bend).all()):
        return torch.zeros_like(step)
    blocked = problem.coordinates.blocked(x, rows.gradient)
    acceleration, _ = rows.with_residual(bend).damped_step(damping, scale, blocked)
    small = 2 * (scale * acceleration).norm() <= 0.75 * (scale * step).norm()
    return 0.5 * acceleration if bool(small) else torch.zeros_like(step)
