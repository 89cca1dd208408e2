"""Coordinates: how the numbers that a method moves relate to the values that a circuit holds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

LARGEST_LOG_STEP = 4.0
"""A Gauss-Newton step may change a positive value by a factor of e⁴ ≈ 55 at most: far from the data the slope is
nearly zero, and the undamped step would leave the range of floating-point numbers."""


@dataclass(frozen=True)
class Coordinates:
    """A one-to-one map between coordinates x and values v, element by element: v = x or v = exp(x).

    Args:
        log: which of the p coordinates are logarithms, `(p,)`; a plain bool speaks for all.
        low, high: bounds on the *coordinates*, `(p,)`, or None where nothing is bounded.
    """

    log: Tensor | bool
    low: Tensor | None = None
    high: Tensor | None = None

    def values(self, x: Tensor) -> Tensor:
        """Values at the coordinates x."""
        if self.log is True:
            return x.exp()
        if self.log is False:
            return x
        return torch.where(self.log, x.exp(), x)

    def from_values(self, values: Tensor) -> Tensor:
        """Coordinates of the values: the inverse of `values`."""
        if self.log is True:
            return values.log()
        if self.log is False:
            return values
        return torch.where(self.log, values.clamp_min(torch.finfo(values.dtype).tiny).log(), values)

    def slope(self, values: Tensor) -> Tensor | None:
        """dv/dx at the values; None stands for one everywhere."""
        if self.log is True:
            return values
        if self.log is False:
            return None
        return torch.where(self.log, values, torch.ones_like(values))

    def clip(self, x: Tensor) -> Tensor:
        """The nearest point inside the bounds."""
        if self.low is None or self.high is None:
            return x
        return torch.minimum(torch.maximum(x, self.low), self.high)

    def in_range(self, x: Tensor) -> Tensor:
        """Which boards have coordinates whose values are finite, and above zero where they must be, `(boards,)`."""
        if self.log is False:
            return torch.isfinite(x).all(-1)
        limit = 0.99 * math.log(torch.finfo(x.dtype).max)
        fits = x.abs() < limit
        return (fits if self.log is True else torch.where(self.log, fits, torch.isfinite(x))).all(-1)

    def blocked(self, x: Tensor, gradient: Tensor) -> Tensor | None:
        """Coordinates at a bound whose descent direction points outward; None when nothing is bounded."""
        if self.low is None or self.high is None:
            return None
        return ((x <= self.low) & (gradient > 0)) | ((x >= self.high) & (gradient < 0))

    def relative(self, step: Tensor, x: Tensor) -> Tensor:
        """Largest relative change of a value that the step makes, `(boards,)`."""
        if self.log is True:
            return step.abs().amax(-1)
        size = x.abs() + torch.finfo(x.dtype).tiny
        if self.log is not False:
            size = torch.where(self.log, torch.ones_like(size), size)
        return (step.abs() / size).amax(-1)

    def limit(self, step: Tensor) -> Tensor:
        """Shorten a step `(B, p)` that moves some logarithm by more than `LARGEST_LOG_STEP`."""
        if self.log is False:
            return step
        size = step.abs() if self.log is True else step.abs() * self.log
        largest = size.amax(-1, keepdim=True)
        if len(step) == 1 and float(largest) <= LARGEST_LOG_STEP:
            return step
        return step * (LARGEST_LOG_STEP / largest).clamp(max=1.0)
