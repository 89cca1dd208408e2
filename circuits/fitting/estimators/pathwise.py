"""The reparameterised estimator: the mean of slopes nearby."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from circuits.fitting.estimators.estimator import Estimator, check_samples, check_spread, normal_draws
from circuits.fitting.estimators.objective import Objective, slopes_of
from circuits.fitting.problem import Problem


@dataclass(frozen=True)
class Reparameterised(Estimator):
    """∇ E L(x + σε) = E [∇L(x + σε)] with ε ~ N(0, 1): the noise is moved aside, and autograd does the rest.

    Far less noise than the score function where L has a slope: on L = x² a variance of 4σ² a sample, which goes to zero
    with σ. Where L has steps the exchange of mean and slope is wrong, and the estimate of a step's slope is zero.

    Args:
        sigma: σ, in units of the coordinate.
        samples: slopes a step, at least 1.
        seed: of the draws.

    Raises:
        OptionError: a σ that is not positive, or no samples.

    Reference: D. P. Kingma, M. Welling, arXiv:1312.6114, section 2.4.

    >>> import torch
    >>> x = torch.ones(1, 1, dtype=torch.float64)
    >>> Reparameterised(sigma=0.5, samples=100_000).gradient(lambda x: x.square().sum(-1), x)
    tensor([[2.00]], dtype=torch.float64)
    >>> Reparameterised(sigma=0.5).gradient(lambda x: (x[..., 0] > 1).double(), x)
    tensor([[0.]], dtype=torch.float64)
    """

    sigma: float = 0.1
    samples: int = 16
    seed: int = 0

    def __post_init__(self):
        check_spread("Reparameterised", self.sigma)
        check_samples("Reparameterised", self.samples, 1)

    def gradient(self, problem: Problem | Objective, x: Tensor, draw: int = 0) -> Tensor:
        return slopes_of(problem, x + self.sigma * normal_draws(x, self.samples, self.seed, draw)).mean(0)
