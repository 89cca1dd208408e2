r"""Least squares that a wild point cannot drag away: ρ(|r|²) in place of |r|².

Both are followed by iteratively reweighted least squares: near a prediction the loss is the parabola of
weight ρ′(|r|²). The residuals r of the wrapped loss are counted in standard deviations where σ is known, here
or from the data, else in the unit of the quantity.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from losses.checks import LossError, positive
from losses.loss import Loss, plain
from losses.regression import LeastSquares


class Robust(Loss):
    """The base of the robust wrappers: ρ of the squared residual, and its derivative ρ′ as a weight.

    Args:
        loss: a least-squares loss, such as Magnitude().

    Raises:
        LossError: `loss` is not of the least-squares family.

    Reference: P. W. Holland, R. E. Welsch, Robust regression using iteratively reweighted least-squares,
    Communications in Statistics A6 (1977) 813-827.
    """

    gauss_newton = True

    def __init__(self, loss: LeastSquares) -> None:
        """Take the loss to wrap."""
        super().__init__()
        if not isinstance(loss, LeastSquares):
            raise LossError(f"{type(self).__name__} wraps a least-squares loss, such as Magnitude(); given {loss!r}")
        self.loss, self.quantity = loss, loss.quantity

    @property
    def sigma(self) -> Tensor | None:
        """The standard deviation that the wrapped loss knows."""
        return self.loss.sigma

    def rho(self, squared: Tensor) -> Tensor:
        """Return ρ(|r|²)."""
        raise NotImplementedError

    def weight(self, squared: Tensor) -> Tensor:
        """Return ρ′(|r|²), between 0 and 1."""
        raise NotImplementedError

    def pointwise(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return ρ(|r|²) of each point."""
        return self.rho(self.loss.pointwise(prediction, target))

    def quadratic(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return ρ′·d and ρ′·c of the wrapped loss: d is exact, c never negative."""
        prediction = plain(prediction)
        weight = self.weight(self.loss.pointwise(prediction, target))
        d, c = self.loss.quadratic(prediction, target)
        return weight * d, weight * c

    def with_sigma(self, sigma: Tensor | float | None) -> Loss:
        """Return a copy whose residuals are counted in `sigma`, unless the wrapped loss has its own."""
        loss = self.loss.with_sigma(sigma)
        if loss is self.loss:
            return self
        known = copy.deepcopy(self)
        known.loss = loss
        return known


class Huber(Robust):
    r"""Squared up to delta, straight beyond: a wild point pulls no harder than one at delta.

        ρ = |r|² for |r| ≤ δ, else 2·δ·|r| − δ²

    Args:
        loss: a least-squares loss.
        delta: the residual up to which it is squared; 1.345 standard deviations lose 5 % on clean Gaussian
            data.

    Raises:
        LossError: `loss` is not of the least-squares family, or `delta` is not a finite number above 0.

    Reference: P. J. Huber, Robust estimation of a location parameter, Annals of Mathematical Statistics 35
    (1964) 73-101.

    >>> from losses import Magnitude
    >>> Huber(Magnitude(), delta=1.0).pointwise(torch.tensor([0.5, 3.0]), torch.tensor([0.0, 0.0]))
    tensor([0.2500, 5.0000])
    """

    def __init__(self, loss: LeastSquares, delta: float = 1.345) -> None:
        """Take the loss to wrap and the residual up to which it is squared."""
        super().__init__(loss)
        self.delta = positive("delta", delta)

    def rho(self, squared: Tensor) -> Tensor:
        """Return |r|² up to δ², else 2·δ·|r| − δ²."""
        knee = self.delta**2
        # The clamp keeps the root, in the branch that is not taken, from an infinite slope at zero.
        beyond = 2 * self.delta * torch.sqrt(squared.clamp(min=knee)) - knee
        return torch.where(squared <= knee, squared, beyond)

    def weight(self, squared: Tensor) -> Tensor:
        """Return min(1, δ/|r|)."""
        return self.delta / torch.sqrt(squared.clamp(min=self.delta**2))

    def extra_repr(self) -> str:
        """Return the wrapped loss and delta."""
        return f"{self.loss!r}, delta={self.delta:g}"


class Cauchy(Robust):
    r"""The logarithm of the square: a wild point pulls less the further away it is.

        ρ = s²·ln(1 + |r|²/s²)

    Args:
        loss: a least-squares loss.
        scale: s, the residual at which the pull is greatest; 2.385 standard deviations lose 5 % on clean
            Gaussian data.

    Raises:
        LossError: `loss` is not of the least-squares family, or `scale` is not a finite number above 0.

    Reference: as for `Robust`; the constant is from its table of tuning constants.

    >>> from losses import Magnitude
    >>> Cauchy(Magnitude(), scale=2.0).pointwise(torch.tensor([2.0]), torch.tensor([0.0]))
    tensor([2.7726])
    """

    def __init__(self, loss: LeastSquares, scale: float = 2.385) -> None:
        """Take the loss to wrap and the residual that pulls hardest."""
        super().__init__(loss)
        self.scale = positive("scale", scale)

    def rho(self, squared: Tensor) -> Tensor:
        """Return s²·ln(1 + |r|²/s²)."""
        return self.scale**2 * torch.log1p(squared / self.scale**2)

    def weight(self, squared: Tensor) -> Tensor:
        """Return 1/(1 + |r|²/s²)."""
        return 1 / (1 + squared / self.scale**2)

    def extra_repr(self) -> str:
        """Return the wrapped loss and the scale."""
        return f"{self.loss!r}, scale={self.scale:g}"
