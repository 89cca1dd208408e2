"""What a loss is: the comparison of one prediction with one target, point by point."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from losses.checks import LossError, transformed

if TYPE_CHECKING:
    from losses.prior import Prior


class Addable:
    """Whatever may stand in a sum: a loss, or a prior beside one."""

    def __add__(self, other: object) -> Loss:
        """Return the sum of two losses, of a loss and a prior, or of two priors."""
        from losses.combine import Sum

        return Sum(self, other) if isinstance(other, Addable) else NotImplemented

    def __radd__(self, other: int) -> Addable:
        """Return this itself when added to the 0 with which `sum` begins."""
        if isinstance(other, int) and other == 0:
            return self
        return NotImplemented


class Loss(Addable, nn.Module):
    r"""The base of every loss; a new one writes `pointwise`, and `quadratic` when it knows its curvature.

    `forward` is the mean of `pointwise` over the points that were measured: a NaN in the target is a missing
    point, of zero value and zero gradient. `a + b` and `2 * a` combine losses.

    Attributes:
        quantity: what is compared, "magnitude", "decibels", "phase", "response", "led", or None for anything.
        deviance: the number with pointwise · deviance = −2 ln(likelihood) up to a constant, None without a
            likelihood.
        gauss_newton: whether `quadratic` may be called.
        sigma: the known standard deviation of each point, or None.
        priors: the `Prior`s that a fit adds to the data, Σ deviance · pointwise + Σ prior.

    >>> class Quartic(Loss):
    ...     def pointwise(self, prediction, target):
    ...         return (prediction - target) ** 4
    >>> Quartic()(torch.tensor([1.0, 2.0, 9.0]), torch.tensor([0.0, 0.0, torch.nan]))
    tensor(8.5000)
    """

    quantity: str | None = None
    deviance: float | None = None
    gauss_newton: bool = False
    priors: tuple[Prior, ...] = ()

    @property
    def sigma(self) -> Tensor | None:
        """The known standard deviation of each point, in the unit of the prediction, or None."""
        return None

    def pointwise(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each point, in the shape of `prediction`; nothing in `target` may be missing.

        Raises:
            LossError: this loss is a single number and has no points.
        """
        raise LossError(f"{self!r} does not say what one point costs; call it for its single number")

    def quadratic(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor | float]:
        """Return slope d and curvature c of the parabola d·δ + c·δ²/2 that `pointwise` follows nearby.

        d is the derivative with respect to the prediction (for a complex one ∂/∂Re + i ∂/∂Im), c ≥ 0 the
        Gauss-Newton curvature, a float where it is the same everywhere. Neither carries an autograd graph.

        Raises:
            LossError: this loss has no Gauss-Newton curvature (`gauss_newton` is False).
        """
        raise LossError(f"{self!r} has no Gauss-Newton curvature; use a method that needs the gradient alone")

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean of `pointwise` over the points present, a scalar; zero when none is.

        Args:
            prediction: what the model says, in the unit of `quantity`, of any shape.
            target: what was measured, broadcastable to that shape; NaN where it is missing.

        Raises:
            LossError: the shapes do not agree, or a complex response meets a loss for real numbers.

        >>> from losses import Squared
        >>> Squared()(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0]))
        tensor(2.5000)
        """
        target = self._matched(prediction, target)
        if complete(target):
            return self.pointwise(prediction, target).mean()
        present = ~torch.isnan(target)
        # Filled before, not only after: a NaN would come back as the gradient 0 · NaN.
        points = self.pointwise(torch.where(present, prediction, 1.0), torch.where(present, target, 0.0))
        return torch.where(present, points, 0.0).sum() / present.sum().clamp(min=1)

    def stages(self) -> tuple[Loss, ...]:
        """Return the losses to minimise one after another, the last of which is meant.

        >>> from losses import LogisticLed, Magnitude
        >>> Magnitude().stages(), len(LogisticLed().stages())
        ((Magnitude(),), 6)
        """
        return (self,)

    def refinements(self) -> tuple[Loss, ...]:
        """Return a finer ladder than `stages`, for data that no stage explains fully; empty where there is none."""
        return ()

    def with_sigma(self, sigma: Tensor | float | None) -> Loss:
        """Return this loss knowing the σ of each point, unless it has its own or no use for one.

        >>> from losses import HingeLed, Magnitude
        >>> Magnitude().with_sigma(0.01), Magnitude(sigma=0.5).with_sigma(0.01), HingeLed().with_sigma(0.01)
        (Magnitude(sigma=0.01), Magnitude(sigma=0.5), HingeLed())
        """
        return self

    def terms(self) -> tuple[Loss, ...]:
        """Return the losses that meet the data, without weights and priors.

        >>> from losses import Magnitude, Prior
        >>> (2 * Magnitude() + Prior({"C": 1e-6}, 0.05)).terms()
        (Magnitude(),)
        """
        return (self,)

    def __mul__(self, weight: float) -> Loss:
        """Return this loss, `weight` times as heavy."""
        from losses.combine import scaled

        return scaled(self, weight) if isinstance(weight, Real) else NotImplemented

    __rmul__ = __mul__

    def __repr__(self) -> str:
        """Return the call that builds this loss."""
        return f"{type(self).__name__}({self.extra_repr()})"

    def _matched(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the target in the shape of the prediction, as floating point."""
        name = type(self).__name__
        for role, given in (("prediction", prediction), ("target", target)):
            if not isinstance(given, Tensor):
                raise LossError(f"the {role} of {name} is a {type(given).__name__}; expected a tensor")
        if prediction.is_complex() and self.quantity not in (None, "response"):
            raise LossError(f"{name} compares {self.quantity}, a real number; the prediction is complex")
        if not (target.is_floating_point() or target.is_complex()):
            target = target.to(prediction.dtype)
        return target if target.shape == prediction.shape else expanded(target, prediction.shape)


def expanded(target: Tensor, shape: torch.Size) -> Tensor:
    """Return `target` broadcast to `shape`, which it may not enlarge: (n,) against (n, 1) is a slip.

    Raises:
        LossError: `target` does not fit into `shape`.

    >>> expanded(torch.zeros(3), torch.Size([3, 1]))
    Traceback (most recent call last):
    losses.checks.LossError: the target has shape (3,), the prediction (3, 1); expected the same shape
    """
    try:
        return target.expand(shape)
    except RuntimeError as error:
        shapes = f"the target has shape {tuple(target.shape)}, the prediction {tuple(shape)}"
        raise LossError(f"{shapes}; expected the same shape") from error


def complete(target: Tensor) -> bool:
    """Tell whether nothing is missing, where asking is cheaper than masking; False is always a safe answer.

    >>> complete(torch.tensor([1.0, 2.0])), complete(torch.tensor([1.0, torch.nan]))
    (True, False)
    """
    if target.device.type != "cpu" or not target.numel() or transformed():
        return False
    total = target.sum().item()
    return total == total


def plain(prediction: Tensor) -> Tensor:
    """Return `prediction` without its graph; asking first is cheaper than detaching always.

    >>> plain(torch.ones(1, requires_grad=True)).requires_grad
    False
    """
    return prediction.detach() if prediction.requires_grad else prediction
