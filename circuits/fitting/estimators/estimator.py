"""What an estimator is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.estimators.objective import Objective
from circuits.fitting.problem import Problem

Own = TypeVar("Own", bound="Estimator")


@dataclass(frozen=True)
class Estimator(ABC):
    """Estimates the gradient of an objective at coordinates x, for all boards at once.

    A new estimator is one class with `gradient`; `visible` and `sharpened` may be left as they are.
    """

    @abstractmethod
    def gradient(self, problem: Problem | Objective, x: Tensor, draw: int = 0) -> Tensor:
        """The estimate `(boards, p)` at coordinates `(boards, p)`.

        Args:
            problem: a problem, or a function from places `(samples, boards, p)` to losses `(samples, boards)`.
            x: coordinates, one row a board.
            draw: which draw of random numbers; a walk counts its steps here. All boards see the same numbers, so that
                a board in a batch walks exactly as it would on its own.
        """

    def visible(self, problem: Problem, x: Tensor) -> Tensor:
        """The coordinates that are in force while the walk stands at x: x itself, unless values are quantised."""
        return x

    def sharpened(self: Own, factor: float) -> Own:
        """The same estimator looking less far around, by this factor."""
        has_sigma = any(field.name == "sigma" for field in fields(self))
        return replace(self, **{"sigma": getattr(self, "sigma") * factor}) if has_sigma else self  # noqa: B009


def normal_draws(x: Tensor, samples: int, seed: int, draw: int) -> Tensor:
    """Standard normal numbers `(samples, 1, p)` for coordinates `(boards, p)`; the same for the same seed and draw."""
    generator = torch.Generator().manual_seed(1_000_003 * seed + draw)
    return torch.randn(samples, 1, x.shape[1], dtype=x.dtype, generator=generator).to(x.device)


def check_spread(name: str, sigma: float) -> None:
    """Refuse a width of smoothing that is not positive.

    Raises:
        OptionError: zero, negative, infinite or NaN.
    """
    if not 0 < sigma < float("inf"):
        raise OptionError(f"{name}(sigma={sigma!r}): expected a positive, finite number, in units of the coordinate")


def check_samples(name: str, samples: int, least: int) -> None:
    """Refuse too few samples.

    Raises:
        OptionError: fewer than the least, or no whole number.
    """
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < least:
        raise OptionError(f"{name}(samples={samples!r}): expected a whole number of at least {least}")
