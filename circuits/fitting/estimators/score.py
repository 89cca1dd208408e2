"""The score-function estimator: a slope from values alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.errors import UnknownName
from circuits.fitting.estimators.estimator import Estimator, check_samples, check_spread, normal_draws
from circuits.fitting.estimators.objective import Objective, objective_of
from circuits.fitting.problem import Problem

CONTROLS = ("pairs", "baseline", "none")


@dataclass(frozen=True)
class ScoreFunction(Estimator):
    """∇ E L(x + σε) = E [L(x + σε) ε] / σ with ε ~ N(0, 1): asks for values, never for a slope of L.

    It therefore works on a loss with steps, whose slope is zero almost everywhere. The mean is taken over

        "none":     Lᵢ εᵢ / σ
        "baseline": (Lᵢ − mean L) εᵢ n/(n − 1) / σ, the mean of the others being each sample's baseline
        "pairs":    (L(x + σεᵢ) − L(x − σεᵢ)) εᵢ / 2σ, two losses a draw

    All three have the same mean. On L = x² their variances are, a loss, (x⁴ + 14 x²σ² + 15 σ⁴)/σ² without control and
    16 x² with pairs: the first explodes as σ → 0.

    Args:
        sigma: σ, in units of the coordinate: 0.1 is ten per cent of a value in log coordinates.
        samples: losses a step, at least 2.
        seed: of the draws.
        control: "pairs", "baseline" or "none".

    Raises:
        OptionError: a σ that is not positive, or too few samples. UnknownName: an unknown control.

    Reference: R. J. Williams, Machine Learning 8 (1992) 229-256; S. Mohamed et al., J. Mach. Learn. Res. 21 (2020) 132.

    >>> estimator = ScoreFunction(sigma=0.5, samples=100_000)
    >>> estimator.gradient(lambda x: (x[..., 0] > 0).double(), torch.zeros(1, 1, dtype=torch.float64))  # 1/(σ√2π)
    tensor([[0.80]], dtype=torch.float64)
    """

    sigma: float = 0.1
    samples: int = 64
    seed: int = 0
    control: str = "pairs"

    def __post_init__(self):
        check_spread("ScoreFunction", self.sigma)
        check_samples("ScoreFunction", self.samples, 2)
        if self.control not in CONTROLS:
            raise UnknownName("control of the variance", self.control, CONTROLS)

    @torch.no_grad()
    def gradient(self, problem: Problem | Objective, x: Tensor, draw: int = 0) -> Tensor:
        objective = objective_of(problem)
        if self.control == "pairs":
            noise = normal_draws(x, self.samples // 2, self.seed, draw)
            ahead, behind = objective(torch.cat([x + self.sigma * noise, x - self.sigma * noise])).chunk(2)
            return (((ahead - behind).unsqueeze(-1) * noise).mean(0)) / (2 * self.sigma)
        noise = normal_draws(x, self.samples, self.seed, draw)
        losses = objective(x + self.sigma * noise).unsqueeze(-1)
        if self.control == "none":
            return (losses * noise).mean(0) / self.sigma
        return ((losses - losses.mean(0)) * noise).sum(0) / ((self.samples - 1) * self.sigma)
