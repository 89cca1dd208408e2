r"""Losses of an LED that is lit where |H| exceeds a threshold, by default the half-power point 1/√2.

The prediction p is the magnitude |H|, zero or more; the target is 1 where the LED is lit and 0 where it is
dark. What decides is u = ln(p/threshold), positive where the comparator switches on.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from losses.checks import positive
from losses.loss import Loss, plain

HALF_POWER = 1 / math.sqrt(2)
SHARPENING = (5.0, 20.0, 80.0, 300.0, 1000.0, 3000.0)


class LedLoss(Loss):
    """The base of the LED losses: a threshold on the magnitude, and what it explains.

    Args:
        threshold: the magnitude above which the LED is lit, a ratio above 0.

    Raises:
        LossError: the threshold is not a finite number above 0.
    """

    quantity = "led"

    def __init__(self, threshold: float = HALF_POWER) -> None:
        """Take the threshold of the comparator."""
        super().__init__()
        self.threshold = positive("threshold", threshold)

    def log_ratio(self, prediction: Tensor) -> Tensor:
        """Return u = ln(p/threshold), finite at p = 0.

        >>> LedLoss(0.5).log_ratio(torch.tensor([0.5, 0.0]))
        tensor([  0.0000, -31.1916])
        """
        return torch.log(_above_zero(prediction)) - math.log(self.threshold)

    def margins(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return (2t − 1)·ln(p/threshold), above zero where the LED is right and NaN where it is missing.

        >>> LedLoss(0.5).margins(torch.tensor([1.0, 1.0]), torch.tensor([1.0, 0.0]))
        tensor([ 0.6931, -0.6931])
        """
        return _side(prediction, target) * self.log_ratio(prediction)

    def explained(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Tell where the comparator would show what was seen; a missing LED has nothing left to explain.

        >>> seen = torch.tensor([1.0, 0.0, 0.0, torch.nan])
        >>> LedLoss(0.5).explained(torch.tensor([0.9, 0.9, 0.5, 0.9]), seen)
        tensor([ True, False,  True,  True])
        """
        return ((prediction > self.threshold) == (target > 0.5)) | torch.isnan(target)

    def extra_repr(self) -> str:
        """Return the settings that are not the default."""
        return ", ".join(f"{name}={value:.6g}" for name, value in self._settings() if value is not None)

    def _settings(self) -> list[tuple[str, float | None]]:
        return [("threshold", None if self.threshold == HALF_POWER else self.threshold)]


class ShiftedMSE(LedLoss):
    r"""The classroom's loss: the magnitude is pulled to 1 where the LED is lit and to `off` where it is dark.

        loss = (p − (off + (1 − off)·t))²

    With tones spread evenly in ln f the pull of lit and dark tones balances at the true corner of a
    first-order filter exactly for off = 1 − 1/√2. With off = 0 the resistance is wrong by √3; no value serves
    a band-pass.

    Args:
        off: the magnitude asked of a dark LED, at least 0 and below 1.
        threshold: the magnitude above which an LED counts as lit in `explained`; the loss itself has none.

    Raises:
        LossError: `off` or `threshold` is out of its range.

    >>> ShiftedMSE(off=0.3)(torch.tensor([0.9, 0.5]), torch.tensor([1.0, 0.0]))
    tensor(0.0250)
    """

    gauss_newton = True

    def __init__(self, off: float = 1 - HALF_POWER, threshold: float = HALF_POWER) -> None:
        """Take the level of a dark LED."""
        super().__init__(threshold)
        self.off = positive("off", off, zero=True, below=1.0)

    def residuals(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return p − (off + (1 − off)·t), whose square is `pointwise`.

        >>> ShiftedMSE(off=0.25).residuals(torch.tensor([0.5]), torch.tensor([0.0]))
        tensor([0.2500])
        """
        return torch.sub(prediction, _state(prediction, target), alpha=1 - self.off) - self.off

    def pointwise(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the squared distance of each magnitude to its level."""
        return self.residuals(prediction, target).square()

    def quadratic(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, float]:
        """Return d = 2·(p − level) and c = 2, exact.

        >>> ShiftedMSE(off=0.25).quadratic(torch.tensor([0.5]), torch.tensor([0.0]))
        (tensor([0.5000]), 2.0)
        """
        return self.residuals(plain(prediction), target) * 2.0, 2.0

    def _settings(self) -> list[tuple[str, float | None]]:
        return [("off", None if self.off == 1 - HALF_POWER else self.off), *super()._settings()]


class LogisticLed(LedLoss):
    r"""The negative log-likelihood of LEDs lit with probability σ(k·ln(p/threshold)), σ being logistic.

        loss = −ln σ(k·u) where lit, −ln σ(−k·u) where dark,   u = ln(p/threshold)

    k is the sharpness of the comparator, whose jitter in ln|H| has the standard deviation π/(√3·k). A perfect
    one has no finite k, so without one a fit sharpens step by step and ends where every LED is explained.

    Args:
        threshold: the magnitude above which the LED is lit.
        sharpness: k, above 0; None for the stages 5, 20, 80, 300, 1000, 3000, as the first of which it is
            evaluated.

    Raises:
        LossError: `threshold` or `sharpness` is not a finite number above 0.

    Reference: D. R. Cox, The regression analysis of binary sequences, J. R. Stat. Soc. B 20 (1958) 215-242.

    >>> loss = LogisticLed(threshold=0.5, sharpness=2.0)
    >>> loss(torch.tensor([1.0]), torch.tensor([1.0]))  # P(lit) = 1/(1 + (0.5/1)²) = 0.8
    tensor(0.2231)
    """

    deviance = 2.0
    gauss_newton = True

    def __init__(self, threshold: float = HALF_POWER, sharpness: float | None = None) -> None:
        """Take the threshold and, when it is known, the sharpness."""
        super().__init__(threshold)
        self.sharpness = None if sharpness is None else positive("sharpness", sharpness)
        self._k = SHARPENING[0] if self.sharpness is None else self.sharpness

    def pointwise(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return −ln P(what was seen) of each LED."""
        return -logsigmoid(self._k * self.margins(prediction, target))

    def quadratic(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        r"""Return d = ∓(k/p)·P(other state) and c = (k/p)²·P·(1 − P), the Fisher information of p.

        Reference: P. McCullagh, J. A. Nelder, Generalized Linear Models, 2nd ed. (1989), section 2.5.

        >>> LogisticLed(threshold=0.5, sharpness=2.0).quadratic(torch.tensor([1.0]), torch.tensor([1.0]))
        (tensor([-0.4000]), tensor([0.6400]))
        """
        p = _above_zero(plain(prediction))
        pull = self._k - _state(p, target) * (2 * self._k)  # −k where lit, +k where dark
        wrong = torch.sigmoid((torch.log(p) - math.log(self.threshold)) * pull)
        pull = pull / p
        d = pull * wrong
        return d, pull * torch.addcmul(d, d, wrong, value=-1)

    def stages(self) -> tuple[Loss, ...]:
        """Return the sharper and sharper losses, or this one when its sharpness was given.

        >>> LogisticLed().stages()[-1], LogisticLed(sharpness=7).stages()
        (LogisticLed(sharpness=3000), (LogisticLed(sharpness=7),))
        """
        if self.sharpness is not None:
            return (self,)
        return tuple(LogisticLed(self.threshold, k) for k in SHARPENING)

    def refinements(self) -> tuple[Loss, ...]:
        """Return comparators from blunt to sharp, a factor √2 apart, among which noise chooses the likeliest.

        >>> [round(loss.sharpness, 2) for loss in LogisticLed().refinements()[:4]]
        [1.25, 1.77, 2.5, 3.54]
        """
        if self.sharpness is not None:
            return ()
        return tuple(LogisticLed(self.threshold, 1.25 * math.sqrt(2) ** i) for i in range(21))

    def _settings(self) -> list[tuple[str, float | None]]:
        return [*super()._settings(), ("sharpness", self.sharpness)]


class HingeLed(LedLoss):
    r"""The distance in ln|H| by which an LED misses its side of the threshold; zero once all are explained.

        loss = max(0, margin − (2t − 1)·ln(p/threshold))

    A margin weighs lit tones against dark ones, whose balance is not the corner: over 60 draws of 1000 tones
    the median error of a low-pass grows from 0.6 % at margin 0 to 2 % at 0.1.

    Args:
        threshold: the magnitude above which the LED is lit.
        margin: how far beyond the threshold an LED has to be, in ln|H|; at 0 any explanation is as good as
            another.

    Raises:
        LossError: `threshold` or `margin` is out of its range.

    Reference: C. Cortes, V. Vapnik, Support-vector networks, Machine Learning 20 (1995) 273-297.

    >>> HingeLed(threshold=0.5, margin=1.0)(torch.tensor([1.0]), torch.tensor([1.0]))
    tensor(0.3069)
    """

    def __init__(self, threshold: float = HALF_POWER, margin: float = 0.0) -> None:
        """Take the threshold and the margin."""
        super().__init__(threshold)
        self.margin = positive("margin", margin, zero=True)

    def pointwise(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return how far each LED falls short of its margin."""
        return torch.relu(self.margin - self.margins(prediction, target))

    def _settings(self) -> list[tuple[str, float | None]]:
        return [*super()._settings(), ("margin", self.margin or None)]


def _above_zero(prediction: Tensor) -> Tensor:
    """Lift a magnitude off zero by less than it can resolve, so that ln, 1/p and (k/p)² stay finite."""
    return prediction + torch.finfo(prediction.dtype).eps ** 2


def _state(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the target as 0 and 1 in the precision of the prediction, whatever held it."""
    return target if target.dtype is prediction.dtype else target.to(prediction.dtype)


def _side(prediction: Tensor, target: Tensor) -> Tensor:
    """Return +1 where the LED is lit and −1 where it is dark."""
    return _state(prediction, target) * 2.0 - 1.0
