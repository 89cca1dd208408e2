"""The comparator itself, which has no slope, and two ways to descend it nevertheless."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from losses.checks import LossError, positive
from losses.led import HALF_POWER, LedLoss
from losses.loss import Loss

SHRINKING = (0.3, 0.1, 0.03, 0.01)


class HardLed(LedLoss):
    r"""The share of LEDs that a perfect comparator gets wrong, with the slope of its mean under jitter.

        loss = 1 where lit ≠ (p > threshold), else 0

    Its derivative is zero almost everywhere. Let u = ln(p/threshold) jitter by spread·ε, ε ~ N(0, 1), and the
    expected loss of an LED on the side s = ±1 is smooth, Φ(−s·u/spread), so that the backward pass has

        d loss/du = −s·φ(u/spread)/spread                                  in closed form, or
        d loss/du = Σ (lossᵢ − mean loss)·εᵢ/(samples − 1)/spread          by the score function,

    which asks the comparator for its 0 or 1 at u + spread·εᵢ and never for a derivative. Taking off the mean
    gives each sample the mean of the others as its baseline: no bias, and far less variance. The minimum of
    the expected loss moves as the spread grows; a fit that shrinks the spread ends at the comparator's own.

    Args:
        threshold: the magnitude above which the LED is lit.
        spread: standard deviation of the jitter in ln|H|, above 0; None for the stages 0.3, 0.1, 0.03, 0.01, as the
            first of which it is evaluated.
        samples: None for the closed form, or the number of samples of the score function, at least 2.
        seed: of the samples; every call draws new ones, and a new loss begins again.

    Raises:
        LossError: a setting is out of its range.

    Reference: R. J. Williams, Simple statistical gradient-following algorithms for connectionist
    reinforcement learning, Machine Learning 8 (1992) 229-256.

    >>> p = torch.tensor([0.9, 0.9, 0.0], requires_grad=True)
    >>> loss = HardLed()(p, torch.tensor([1.0, 0.0, 0.0]))
    >>> loss.backward()
    >>> loss.item(), p.grad
    (0.3333333432674408, tensor([-0.3565,  0.3565,  0.0000]))
    """

    def __init__(
        self, threshold: float = HALF_POWER, spread: float | None = None, samples: int | None = None, seed: int = 0
    ) -> None:
        """Take the threshold, the jitter and how to follow it."""
        super().__init__(threshold)
        if samples is not None and (not isinstance(samples, int) or samples < 2):
            raise LossError(f"samples is {samples!r}; expected a whole number of at least 2, or None")
        self.spread = None if spread is None else positive("spread", spread)
        self._spread = SHRINKING[0] if self.spread is None else self.spread
        self.samples, self.seed = samples, seed
        self._generators: dict[torch.device, torch.Generator] = {}

    def pointwise(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return 1 for each LED on the wrong side, else 0, with the slope of the mean under jitter."""
        log_ratio = self.log_ratio(prediction)
        side = torch.where(target > 0.5, 1.0, -1.0).to(prediction.dtype)
        # Compared without the logarithm, whose rounding could tip an LED that sits on the threshold.
        wrong = (~self.explained(prediction, target)).to(prediction.dtype)
        here = log_ratio.detach()
        # Zero in value, one in slope: so the derivative is said, not derived, under every transform of torch.
        slope = self._expected(here, side) if self.samples is None else self._sampled(here, side, self.samples)
        return wrong + slope * (log_ratio - here)

    def expectation(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return Φ(−s·u/spread), the smooth loss whose slope the backward pass takes.

        >>> HardLed(threshold=0.5).expectation(torch.tensor([0.5]), torch.tensor([1.0]))
        tensor([0.5000])
        """
        return 0.5 * torch.erfc(self.margins(prediction, target) / (self._spread * math.sqrt(2)))

    def _expected(self, log_ratio: Tensor, side: Tensor) -> Tensor:
        """Return −s·φ(u/spread)/spread."""
        height = 1 / (self._spread * math.sqrt(2 * math.pi))
        return -side * height * torch.exp(-0.5 * (log_ratio / self._spread).square())

    def _sampled(self, log_ratio: Tensor, side: Tensor, samples: int) -> Tensor:
        """Return Σ (lossᵢ − mean loss)·εᵢ/(samples − 1)/spread."""
        device = log_ratio.device
        shape = torch.Size((samples, *log_ratio.shape))
        noise = torch.randn(shape, dtype=log_ratio.dtype, device=device, generator=self._generator(device))
        wrong = ((log_ratio + self._spread * noise > 0) != (side > 0)).to(log_ratio.dtype)
        return ((wrong - wrong.mean(0)) * noise).sum(0) / ((samples - 1) * self._spread)

    def _generator(self, device: torch.device) -> torch.Generator:
        if device not in self._generators:
            self._generators[device] = torch.Generator(device).manual_seed(self.seed)
        return self._generators[device]

    def stages(self) -> tuple[Loss, ...]:
        """Return the losses of less and less jitter, or this one when its spread was given.

        >>> HardLed().stages()[-1], HardLed(spread=0.2).stages()
        (HardLed(spread=0.01), (HardLed(spread=0.2),))
        """
        if self.spread is not None:
            return (self,)
        return tuple(HardLed(self.threshold, spread, self.samples, self.seed) for spread in SHRINKING)

    def _settings(self) -> list[tuple[str, float | None]]:
        return [*super()._settings(), ("spread", self.spread), ("samples", self.samples)]
