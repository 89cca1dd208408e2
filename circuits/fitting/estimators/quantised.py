"""Slopes for values that come in steps: straight through the rounding, or by rounding at random."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.estimators.estimator import Estimator, check_samples
from circuits.fitting.estimators.objective import Objective, objective_of, slopes_of
from circuits.fitting.estimators.preferred import Levels
from circuits.fitting.problem import Problem


@dataclass(frozen=True)
class Rounded(Estimator):
    """What the two estimators below share: the value in force is the nearest level.

    Args:
        levels: the values that can be bought.
    """

    levels: Levels = field(default_factory=Levels)

    def visible(self, problem: Problem, x: Tensor) -> Tensor:
        """Coordinates of the nearest levels."""
        return problem.coordinates.clip(problem.coordinates.from_values(self.levels.nearest(_values(problem, x))))


@dataclass(frozen=True)
class StraightThrough(Rounded):
    """g = ∇L at the nearest level q(x), handed to x as if there were no rounding between the two.

    The rounding's own slope is zero almost everywhere. The estimate is wrong in general, and cannot vanish when no
    level has a vanishing slope: the walk ends by going to and fro between two levels.

    Reference: Y. Bengio, N. Léonard, A. Courville, arXiv:1308.3432.

    >>> StraightThrough()
    StraightThrough(levels=Levels(decade=(1.0, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 3.9, 4.7, 5.6, 6.8, 8.2)))
    """

    def gradient(self, problem: Problem | Objective, x: Tensor, draw: int = 0) -> Tensor:
        return slopes_of(problem, self.visible(_with_coordinates(problem), x).unsqueeze(0))[0]


@dataclass(frozen=True)
class StochasticRounding(Rounded):
    """g_j = E [L(j up) − L(j down)] / gap_j, each value being rounded up with the probability of its share of the gap.

    The mean loss under such rounding is a straight line between neighbouring levels, and this is its exact slope; the
    mean over the other components' roundings is sampled. Only values of L are asked for, 2p a sample.

    Args:
        samples: roundings of the other components, at least 1; with one component there is nothing to sample.
        seed: of the roundings.

    Raises:
        OptionError: no samples.

    >>> StochasticRounding(samples=4).samples
    4
    """

    samples: int = 8
    seed: int = 0

    def __post_init__(self):
        check_samples("StochasticRounding", self.samples, 1)

    @torch.no_grad()
    def gradient(self, problem: Problem | Objective, x: Tensor, draw: int = 0) -> Tensor:
        stated = _with_coordinates(problem)
        low, high, share = self.levels.around(_values(stated, x))
        low, high = stated.coordinates.from_values(low), stated.coordinates.from_values(high)
        generator = torch.Generator().manual_seed(1_000_003 * self.seed + draw)
        uniform = torch.rand(self.samples, 1, x.shape[1], dtype=x.dtype, generator=generator).to(x.device)
        rounded = torch.where(uniform < share, high, low)
        own = torch.eye(x.shape[1], dtype=torch.bool, device=x.device).view(-1, 1, 1, x.shape[1])
        places = torch.stack([torch.where(own, end, rounded) for end in (high, low)])
        losses = objective_of(problem)(places.reshape(-1, *x.shape)).reshape(2, x.shape[1], self.samples, len(x))
        return (losses[0] - losses[1]).mean(1).T / (high - low)


def _values(problem: Problem, x: Tensor) -> Tensor:
    """Values at the coordinates.

    Raises:
        OptionError: a value that is not positive, for which there are no levels.
    """
    values = problem.coordinates.values(x)
    if not bool((values > 0).all()):
        raise OptionError(
            "a value is not positive, and only positive ones have preferred levels; use coordinates='log'"
        )
    return values


def _with_coordinates(problem: Problem | Objective) -> Problem:
    """The problem, whose coordinates say which values are rounded.

    Raises:
        OptionError: a bare function, which has no values.
    """
    if not isinstance(problem, Problem):
        raise OptionError("levels are values of components: give a problem, such as fit.problem, not a bare function")
    return problem
