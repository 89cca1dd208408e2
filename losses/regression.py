r"""Least squares, the loss of numbers read from an instrument, one class a quantity.

    loss = w·|p − t|²,   w = 1/σ², or the weight given, or 1

σ, the standard deviation of each point, makes the errors of a fit absolute. Weights are inverse variances up
to one common scale, which the fit then estimates from the residuals, as it does when nothing is given. With
Gaussian noise of that σ the loss is −2 ln(likelihood) itself; for a complex response σ is that of its real
and of its imaginary part.

Reference: C. F. Gauss, Theoria combinationis observationum erroribus minimis obnoxiae (1823).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from losses.checks import LossError, like, positive_tensor
from losses.loss import Loss, plain


class LeastSquares(Loss):
    """The base of the least-squares family: w·|p − t|² of any real or complex prediction.

    Args:
        sigma: standard deviation of each point, in the unit of the prediction; a number, or a tensor that
            broadcasts.
        weights: inverse variances up to a common scale, in place of `sigma`; zero ignores a point.

    Raises:
        LossError: both are given, or one is negative, NaN or infinite.
    """

    deviance = 1.0
    gauss_newton = True

    def __init__(self, sigma: Tensor | float | None = None, weights: Tensor | float | None = None) -> None:
        """Take what is known about the noise of each point."""
        super().__init__()
        if sigma is not None and weights is not None:
            raise LossError("both sigma and weights are given; expected one of them (weight = 1/sigma²)")
        for name in ("_sigma", "_weights", "_root", "_slope"):
            self.register_buffer(name, None, persistent=False)
        # A plain flag spares the hot path the lookup of a buffer.
        self._weighted = False
        if sigma is not None:
            self._sigma = positive_tensor("sigma", sigma)
            self._weigh(1 / self._sigma)
        elif weights is not None:
            self._weights = positive_tensor("weights", weights, zero=True)
            self._weigh(torch.sqrt(self._weights))

    def _weigh(self, root: Tensor) -> None:
        self._root, self._slope, self._weighted = root, 2 * root.square(), True

    @property
    def sigma(self) -> Tensor | None:
        """The known standard deviation of each point, in the unit of the prediction, or None."""
        return self._sigma

    @property
    def weights(self) -> Tensor | None:
        """The inverse variances given in place of sigma, or None."""
        return self._weights

    @property
    def is_even(self) -> bool:
        """Whether all points weigh alike."""
        return not self._weighted

    def unweighted(self) -> tuple[LeastSquares, Tensor | None]:
        """Return this loss for points that all weigh alike, and the weight 1/σ² of every point, None where they do.

        >>> Magnitude(sigma=torch.tensor([0.1, 0.5])).unweighted()
        (Magnitude(), tensor([100.,   4.]))
        """
        if not self._weighted or self._root.numel() == 1:
            return self, None
        plain = copy.deepcopy(self)
        plain._sigma = plain._weights = plain._root = plain._slope = None
        plain._weighted = False
        return plain, self._root.square()

    def difference(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return prediction − target, the one thing that members of the family see differently."""
        return prediction - target

    def residuals(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return √w·(p − t), whose squared modulus is `pointwise`.

        >>> Magnitude(sigma=0.1).residuals(torch.tensor([0.8]), torch.tensor([0.6]))
        tensor([2.0000])
        """
        difference = self.difference(prediction, target)
        return difference * like(self._root, difference) if self._weighted else difference

    def pointwise(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return w·|p − t|² of each point.

        >>> Complex()(torch.tensor([1.0 + 1.0j]), torch.tensor([0.0j]))
        tensor(2.)
        """
        residuals = self.residuals(prediction, target)
        if residuals.is_complex():
            # Not abs(), whose second derivative is NaN where the fit is perfect.
            return residuals.real.square() + residuals.imag.square()
        return residuals.square()

    def quadratic(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor | float]:
        """Return d = 2w·(p − t) and c = 2w, exact: the loss is its own parabola.

        >>> Squared().quadratic(torch.tensor([3.0]), torch.tensor([1.0]))
        (tensor([4.]), 2.0)
        """
        difference = self.difference(plain(prediction), target)
        if not self._weighted:
            return difference * 2.0, 2.0
        slope = like(self._slope, difference)
        return difference * slope, slope

    def with_sigma(self, sigma: Tensor | float | None) -> LeastSquares:
        """Return a copy that knows `sigma`, unless this loss has a sigma or weights of its own."""
        if sigma is None or self._weighted:
            return self
        known = copy.deepcopy(self)
        known._sigma = positive_tensor("sigma", sigma)
        known._weigh(1 / known._sigma)
        return known

    def extra_repr(self) -> str:
        """Return the noise as it was given."""
        given = (("sigma", self._sigma), ("weights", self._weights))
        return ", ".join(f"{name}={_shown(value)}" for name, value in given if value is not None)


class Squared(LeastSquares):
    """Squared difference of whatever is predicted, in its own unit.

    >>> Squared()(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(2.)
    """


class Magnitude(LeastSquares):
    """Squared difference of magnitudes |H|, ratios without unit.

    >>> Magnitude(sigma=0.01)(torch.tensor([0.72]), torch.tensor([0.70]))
    tensor(4.0000)
    """

    quantity = "magnitude"


class Decibel(LeastSquares):
    """Squared difference of 20·log10|H|, both in decibels: relative errors weigh alike at every level.

    >>> Decibel()(torch.tensor([-3.0]), torch.tensor([-5.0]))
    tensor(4.)
    """

    quantity = "decibels"


class Complex(LeastSquares):
    """Squared distance of two complex responses H; σ is that of the real and of the imaginary part.

    >>> Complex(sigma=0.5)(torch.tensor([1.0 + 0.0j]), torch.tensor([0.0 + 1.0j]))
    tensor(8.)
    """

    quantity = "response"


class Relative(LeastSquares):
    """Squared distance of two complex responses relative to what was measured, |p − t|²/|t|²: modulus weighting.

    Impedances span decades, and an instrument is off by so many percent of each. `sigma` is relative: 0.01 is 1 % of
    the modulus, in the real and in the imaginary part. Measurements that bring a σ of their own are weighted by that
    instead. A target of zero counts for nothing.

    >>> Relative(sigma=0.01)(torch.tensor([101.0 + 0.0j, 2.02 + 0.0j]), torch.tensor([100.0 + 0.0j, 2.0 + 0.0j]))
    tensor(1.0000)
    """

    quantity = "response"

    def residuals(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return √w·(p − t)/|t|."""
        return super().residuals(prediction, target) * _one_over(target)

    def quadratic(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor | float]:
        """Return d = 2w·(p − t)/|t|² and c = 2w/|t|²."""
        slope, curvature = super().quadratic(prediction, target)
        weight = _one_over(target).square()
        return slope * weight, weight * curvature

    def with_sigma(self, sigma: Tensor | float | None) -> LeastSquares:
        """Return `Complex` with this σ, the measurement's own, unless this loss has a sigma or weights."""
        return self if sigma is None or self._weighted else Complex(sigma)

    @property
    def is_even(self) -> bool:
        """Never: every point has a weight of its own."""
        return False


class Phase(LeastSquares):
    """Squared difference of two phases in degrees, taken the short way round: within [−180, 180).

    >>> Phase()(torch.tensor([179.0]), torch.tensor([-179.0]))
    tensor(4.)
    """

    quantity = "phase"

    def difference(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return prediction − target, less the whole turns in it."""
        turn = prediction - target
        # Not remainder(turn + 180) − 180: that rounds small differences to the grid of 180.
        return turn - 360.0 * torch.floor((turn + 180.0) / 360.0)


def _one_over(target: Tensor) -> Tensor:
    """1/|t|, and zero where the target is."""
    size = target.abs()
    return torch.where(size > 0, 1 / torch.where(size > 0, size, 1.0), 0.0)


def _shown(value: Tensor) -> str:
    """Return a number as itself and many as their shape."""
    return f"{value.item():.6g}" if value.numel() == 1 else f"<{'×'.join(map(str, value.shape))} values>"
