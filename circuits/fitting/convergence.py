"""What the curvature where a fit stands says about descent: stable learning rates, the best one, steps to arrive."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.errors import OptionError, ShapeError
from circuits.fitting.problem import Problem
from circuits.fitting.theory.learning_rates import best_lrs, stable_lr, steps_within
from circuits.fitting.theory.momentum import contraction
from circuits.fitting.uncertainty import hessian

FLAT = 1e-12
"""Curvature, as a share of the largest, below which an axis counts as flat: rounding leaves about 1e-16 of it."""


@dataclass(frozen=True)
class Convergence:
    """How descent moves near one point, in the coordinates of the fit.

    A loss near its minimum is a bowl, ½Σhᵢeᵢ² along the axes of its Hessian. What is said here is exact for the bowl
    and local for everything else. Along an axis that is flat (two components of which the data see only the product)
    nothing moves, and it is left out; a negative curvature means that the point is no minimum, and no learning rate
    is stable there.

    Args:
        names: of the p coordinates: `R`, or `ln R` where the logarithm moves.
        curvatures: `(p,)`, eigenvalues of the Hessian in rising order; loss per coordinate².
        axes: `(p, p)`, the direction of each in its column.
        source: "hessian" by autograd, or "gauss-newton" where an operation has no second derivative.

    >>> bowl = Convergence(("a", "b"), torch.tensor([0.1, 10.0]), torch.eye(2), "hessian")
    >>> bowl.condition, bowl.stable_lr(), bowl.steps(0.001), bowl.steps(0.001, lr=1.0, momentum=0.9)
    (100.0, 0.2, 346, 132)
    """

    names: tuple[str, ...]
    curvatures: Tensor
    axes: Tensor
    source: str

    @property
    def seen(self) -> Tensor:
        """The curvatures that are not flat, in rising order."""
        h = self.curvatures
        return h[h.abs() > FLAT * h.abs().max()]

    @property
    def is_minimum(self) -> bool:
        """Whether the loss curves upward along every axis that is not flat."""
        return bool(len(self.seen)) and bool((self.seen > 0).all())

    @property
    def condition(self) -> float:
        """κ = h_max/h_min, how much longer the valley is than wide, squared; NaN where there is no minimum."""
        return float(self.seen.max() / self.seen.min()) if self.is_minimum else math.nan

    def stable_lr(self, momentum: float = 0.0) -> float:
        """The learning rate below which descent stays near this minimum; 0 where there is none."""
        return stable_lr(self.seen, momentum) if self.is_minimum else 0.0

    def best_lr(self, momentum: float = 0.0) -> float:
        """A learning rate that no other beats (the geometric middle, where a whole range does as well).

        Raises:
            OptionError: the point is no minimum.
        """
        if not self.is_minimum:
            raise OptionError("there is no minimum here, so that no learning rate is best; fit first")
        return math.sqrt(math.prod(best_lrs(self.seen, momentum)))

    def factor(self, lr: float, momentum: float = 0.0) -> float:
        """What a step leaves of the most stubborn error in the long run; above 1 it grows.

        >>> Convergence(("w",), torch.tensor([10.0]), torch.eye(1), "hessian").factor(0.15)
        0.5
        """
        return float(contraction(self.seen, lr, momentum).max()) if len(self.seen) else 1.0

    def steps(self, epsilon: float = 1e-3, lr: float | None = None, momentum: float = 0.0) -> float:
        """Steps until epsilon of the error is left, at this learning rate or (None) at the best; infinite for never."""
        if lr is None:
            lr = self.best_lr(momentum) if self.is_minimum else 1.0
        return steps_within(epsilon, self.factor(lr, momentum))

    def __str__(self) -> str:
        where = ", ".join(self.names)
        h = ", ".join(f"{one:.3g}" for one in self.curvatures.tolist())
        if not self.is_minimum:
            return f"curvatures {h} in {where}: no minimum, no learning rate is stable"
        steps = self.steps()
        return (
            f"curvatures {h} in {where}: stable for a learning rate below {self.stable_lr():.3g}, best "
            f"{self.best_lr():.3g}, which leaves 0.1 % of the error after {steps:.0f} step{'s' if steps > 1 else ''}"
        )


def convergence_at(problem: Problem, x: Tensor) -> Convergence:
    """The curvature of a problem at x, as descent sees it.

    From the exact Hessian, by autograd; where an operation has no second derivative, from the Gauss–Newton curvature
    2JᵀJ/n, which is the same at a point that explains the data perfectly.

    Args:
        problem: a problem with a single board (`problem.take` picks one).
        x: coordinates `(1, p)`.

    Raises:
        ShapeError: more boards than one.
        OptionError: there is neither a Hessian nor a Gauss–Newton curvature.

    >>> import circuits as cc
    >>> fit = cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), cc.log_grid(601, 1.0, 1e6)))
    >>> print(convergence_at(fit.problem, fit.end))
    curvatures 0.0361 in ln R: stable for a learning rate below 55.4, best 27.7, which leaves 0.1 % ... after 1 step
    """
    if problem.boards != 1 or len(x) != 1:
        boards = max(problem.boards, len(x))
        raise ShapeError(f"{boards} boards; expected one: take it by problem.take(torch.tensor([0]))")
    matrix, source = _curvature(problem, x)
    values, axes = torch.linalg.eigh(matrix[0])
    is_log = torch.as_tensor(problem.coordinates.log).expand(x.shape[1]).tolist()
    names = tuple(f"ln {name}" if log else name for name, log in zip(problem.model.names, is_log, strict=True))
    return Convergence(names, values, axes, source)


def _curvature(problem: Problem, x: Tensor) -> tuple[Tensor, str]:
    """The Hessian `(1, p, p)` or what stands in for it, and its name."""
    try:
        exact = hessian(problem, x)
    except RuntimeError:
        exact = x.new_full((1, 1, 1), torch.nan)
    # An operation that knows only its first derivative raises, or leaves zeros without a word.
    if bool(torch.isfinite(exact).all()) and bool(exact.any()):
        return exact, "hessian"
    if not problem.loss.gauss_newton:
        raise OptionError(f"{problem.loss!r} has no second derivative here, and no Gauss–Newton curvature either")
    return problem.quadratic(x).curvature, "gauss-newton"
