"""Losses by the names that a command line knows, and losses out of whatever compares two tensors."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from losses.checks import LossError, transformed
from losses.hard_led import HardLed
from losses.led import HingeLed, LogisticLed, ShiftedMSE
from losses.loss import Loss
from losses.prior import Prior
from losses.regression import Complex, Decibel, Magnitude, Phase, Relative, Squared

_BY_NAME = {
    "squared": Squared,
    "magnitude": Magnitude,
    "decibel": Decibel,
    "complex": Complex,
    "relative": Relative,
    "phase": Phase,
    "shifted-mse": ShiftedMSE,
    "logistic-led": LogisticLed,
    "hinge-led": HingeLed,
    "hard-led": HardLed,
}
NAMES = tuple(_BY_NAME)


def by_name(name: str) -> Loss:
    """Return a new loss, with its default settings, by its name in `NAMES`.

    Args:
        name: such as "logistic-led".

    Raises:
        LossError: no loss has that name; the message lists those that there are.

    >>> by_name("logistic-led")
    LogisticLed()
    """
    if name not in NAMES:
        raise LossError(f"no loss {name!r}; known: {', '.join(NAMES)}")
    return _BY_NAME[name]()


class Scalar(Loss):
    """Any function (prediction, target) → scalar as a loss; it has no points, no curvature and no likelihood.

    The function is given the points that are present, as one row when any is missing.

    Args:
        function: what compares a prediction with a target, such as nn.L1Loss().

    >>> loss = Scalar(lambda prediction, target: (prediction - target).abs().max())
    >>> loss(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, 0.0, torch.nan]))
    tensor(2.)
    """

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        """Take the function."""
        super().__init__()
        self.function = function

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return what the function says of the points present.

        Raises:
            LossError: the function returns something else than one real number in a tensor.
        """
        if not transformed():
            missing = torch.isnan(target)
            if missing.any():
                present = ~missing.expand_as(prediction)
                prediction, target = prediction[present], target.expand_as(prediction)[present]
        value = self.function(prediction, target)
        if not isinstance(value, Tensor) or value.numel() != 1 or value.is_complex():
            given = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
            raise LossError(f"{self!r} returned {given}; expected one real number, such as its mean()")
        return value.reshape(())

    def extra_repr(self) -> str:
        """Return the name of the function."""
        if isinstance(self.function, nn.Module):
            return repr(self.function)
        return getattr(self.function, "__name__", type(self.function).__name__)


def as_loss(given: object) -> Loss:
    """Return `given` as a loss: a loss as it is, nn.MSELoss() as `Squared`, another callable as `Scalar`.

    Args:
        given: a loss, or a function or module (prediction, target) → scalar.

    Raises:
        LossError: it compares nothing, being a prior, a class, or no function at all.

    >>> as_loss(nn.MSELoss()), as_loss(nn.L1Loss()), as_loss(Magnitude())
    (Squared(), Scalar(L1Loss()), Magnitude())
    """
    if isinstance(given, Loss):
        return given
    if isinstance(given, Prior):
        raise LossError(f"{given!r} compares nothing with the data; add it to a loss: Magnitude() + prior")
    if isinstance(given, type):
        raise LossError(f"the loss is the class {given.__name__}; expected an object, {given.__name__}()")
    if isinstance(given, nn.modules.loss._Loss) and given.reduction == "none":
        raise LossError(f"{given!r} returns one number a point; expected a scalar, reduction='mean'")
    if isinstance(given, nn.MSELoss):
        return Squared()
    if callable(given):
        return Scalar(given)  # pyright: ignore[reportArgumentType]
    raise LossError(
        f"the loss is {given!r}; expected one of losses, such as losses.Magnitude(), "
        "or a function of prediction and target"
    )
