"""Whether a fit explains its data at all, before anybody believes its errors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from circuits.fitting.problem import Problem, led_term
from circuits.fitting.uncertainty import is_noise_known
from losses import LeastSquares

MISFIT_CHI_SQUARE = 6.0
"""Standard deviations by which χ² may exceed its expectation before the data count as not explained."""

MISFIT_SHARE = 0.5
"""Share of the data's spread that a fit without known σ may leave before the data count as not explained."""

MISFIT_LEDS = 0.1
"""Share of LEDs that a fit may leave wrong before the data count as not explained."""


def misfit_of(problem: Problem, x: Tensor, loss: Tensor) -> tuple[np.ndarray, list[str]]:
    """Whether each board's data are explained, and a sentence."""
    count = np.broadcast_to(torch.as_tensor(problem.count).numpy(force=True), (len(x),))
    left_over = loss.numpy(force=True)
    if led_term(problem.loss) is not None:
        right = count - problem.wrong_leds(x).numpy(force=True)
        said = [f"{int(r)} of {int(n)} LEDs explained" for r, n in zip(right, count, strict=True)]
        return right >= (1 - MISFIT_LEDS) * count, said
    least_squares = all(isinstance(term, LeastSquares) for term in problem.loss.terms())
    if not least_squares or problem.loss.priors:
        return np.isfinite(left_over), [f"loss {value:.4g}" for value in left_over]
    numbers = np.broadcast_to(torch.as_tensor(problem.numbers).numpy(force=True), (len(x),))
    free = np.maximum(numbers - x.shape[1], 1)
    if is_noise_known(problem):
        chi = left_over * count
        good = chi <= free + MISFIT_CHI_SQUARE * np.sqrt(2 * free)
        return good, [f"χ² = {c:.4g} for {int(f)} degrees of freedom" for c, f in zip(chi, free, strict=True)]
    spread = np.broadcast_to(problem.spread().numpy(force=True), left_over.shape)
    left = left_over / np.maximum(spread, 1e-300)
    noise = np.sqrt(left_over * count / free)
    return (left <= MISFIT_SHARE) | (spread == 0), [
        f"{_share(part, flat)}residual noise {sigma:.3g}" for part, sigma, flat in zip(left, noise, spread, strict=True)
    ]


def _share(left: float, spread: float) -> str:
    """How much of the data's spread is explained, where they have any."""
    if spread <= 0:
        return ""
    if left >= 1:
        return "no better than a constant, "
    return f"{100 * (1 - left):.4g} % of the data's spread explained, "
