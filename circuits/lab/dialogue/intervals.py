"""What is known of one component, as an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

from circuits import notation

SHARE = 0.95
"""The probability with which a component lies within its interval."""


@dataclass(frozen=True)
class Interval:
    """What is known of one component: with 95 % it lies between low and high, in SI units; `middle` is the median.

    >>> print(Interval(196.0, 199.0, 202.0, "Ω"))
    199 Ω (196 Ω to 202 Ω, ±1.5 %)
    """

    low: float
    middle: float
    high: float
    unit: str = ""

    @property
    def relative(self) -> float:
        """Half its width, relative to the middle: 0.01 for ±1 %."""
        return (self.high - self.low) / 2 / abs(self.middle) if self.middle else math.inf

    def __str__(self) -> str:
        middle, low, high = (notation.format(one, self.unit) for one in (self.middle, self.low, self.high))
        share = (
            f", ±{100 * self.relative:.2g} %" if self.relative < 1 else ""
        )  # wider than that a percentage says little
        return f"{middle} ({low} to {high}{share})"
