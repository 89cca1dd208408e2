"""Finite differences, and the two sides of their error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.estimators.estimator import Estimator
from circuits.fitting.estimators.objective import Objective, objective_of
from circuits.fitting.problem import Problem


@dataclass(frozen=True)
class FiniteDifference(Estimator):
    """g_j = (L(x + h e_j) − L(x − h e_j)) / 2h: the slope between two places, 2p losses in one batched call.

    The difference is also the exact slope of L averaged over the width 2h, which is what it means for a loss with
    steps: with h below the distance between two steps it is zero almost everywhere, and 1/h large at a step.

    Args:
        step: h, in units of the coordinate; see `best_step`.

    Raises:
        OptionError: a step that is not positive.

    >>> FiniteDifference(0.1).gradient(lambda x: x.sum(-1) ** 3, torch.tensor([[1.0]], dtype=torch.float64))
    tensor([[3.0100]], dtype=torch.float64)
    """

    step: float = 1e-5

    def __post_init__(self):
        if not 0 < self.step < math.inf:
            raise OptionError(f"FiniteDifference(step={self.step!r}): expected a positive, finite step")

    @torch.no_grad()
    def gradient(self, problem: Problem | Objective, x: Tensor, draw: int = 0) -> Tensor:
        shifts = self.step * torch.eye(x.shape[1], dtype=x.dtype, device=x.device).unsqueeze(1)
        losses = objective_of(problem)(torch.cat([x + shifts, x - shifts]))
        ahead, behind = losses.split(x.shape[1])
        return ((ahead - behind) / (2 * self.step)).T

    def sharpened(self, factor: float) -> FiniteDifference:
        """The same with a smaller step."""
        return FiniteDifference(self.step * factor)


def difference_error(step: float, size: float, third: float, epsilon: float = 2.0**-53) -> tuple[float, float]:
    """Truncation h²|L‴|/6 and rounding ε|L|/h of a central difference: one grows with the step, the other shrinks.

    Args:
        step: h.
        size: |L|, and `third` the third derivative |L‴|, around x.
        epsilon: relative rounding error of one loss; 2⁻⁵³ is that of float64.

    Reference: J. Nocedal, S. J. Wright, Numerical Optimization, 2nd ed. (2006), section 8.1.

    >>> truncation, rounding = difference_error(best_step(1.0, 1.0), 1.0, 1.0)
    >>> round(rounding / truncation, 6)
    2.0
    """
    return step**2 * third / 6, epsilon * size / step


def best_step(size: float, third: float, epsilon: float = 2.0**-53) -> float:
    """The step h = (3ε|L|/|L‴|)^(1/3) at which the two errors of `difference_error` add up to the least.

    Raises:
        OptionError: a size or a third derivative that is not positive.

    >>> f"{best_step(1.0, 1.0):.1e}"
    '6.9e-06'
    """
    if not (size > 0 and third > 0 and epsilon > 0):
        raise OptionError(f"best_step({size!r}, {third!r}, {epsilon!r}): expected three positive numbers")
    return (3 * epsilon * size / third) ** (1 / 3)
