"""Gaussian smoothing: the mean of an objective around a place."""

from __future__ import annotations

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.estimators.objective import Objective, objective_of
from circuits.fitting.problem import Problem


@torch.no_grad()
def smoothed(problem: Problem | Objective, x: Tensor, sigma: float, *, samples: int = 256, seed: int = 0) -> Tensor:
    """L_σ(x) = E L(x + σε) with ε ~ N(0, 1), `(places, boards)`: steps become slopes, ripples shorter than σ vanish.

    A ripple cos(kx) keeps exp(−k²σ²/2) of its height. What is left has its minimum somewhere else than L, in general,
    and farther away the larger σ is. The mean is taken over quasi-random points, the same for every place, so that the
    result is a smooth function of x.

    Args:
        problem: a problem, or a function from places `(places, boards, p)` to losses `(places, boards)`.
        x: places `(places, boards, p)`.
        sigma: σ in units of the coordinate, zero or more.
        samples: points of the mean; a power of two is spread most evenly.
        seed: of their scrambling.

    Raises:
        OptionError: a negative σ, or no samples.

    >>> x = torch.tensor([[[0.0]]], dtype=torch.float64)
    >>> smoothed(lambda x: torch.cos(3 * x[..., 0]), x, 0.5)  # exp(−9/8)
    tensor([[0.32]], dtype=torch.float64)
    """
    if not 0 <= sigma < float("inf"):
        raise OptionError(f"smoothed(sigma={sigma!r}): expected a finite number, zero or more")
    if samples < 1:
        raise OptionError(f"smoothed(samples={samples!r}): expected at least 1")
    objective = objective_of(problem)
    if sigma == 0:
        return objective(x)
    places, boards, p = x.shape
    noise = _spread_evenly(samples, p, seed, x).unsqueeze(1)
    around = x.reshape(1, -1, p) + sigma * noise
    around = around.reshape(samples * places, boards, p)
    return objective(around).reshape(samples, places, boards).mean(0)


def _spread_evenly(samples: int, p: int, seed: int, x: Tensor) -> Tensor:
    """Standard normal points `(samples, p)` from a scrambled Sobol sequence; the half step keeps them off 0 and 1."""
    share = torch.quasirandom.SobolEngine(p, scramble=True, seed=seed).draw(samples, dtype=torch.float64) + 2.0**-32
    return torch.special.ndtri(share.clamp(2.0**-32, 1 - 2.0**-32)).to(x)
