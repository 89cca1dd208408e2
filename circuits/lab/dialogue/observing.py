"""What one look at the board says: a tone with its LEDs or its readings, and how likely that is on any board."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

import losses
from circuits.errors import DataError, OptionError, UnknownName

READINGS = ("led", "magnitude", "decibels")
"""The kinds of looks that a session takes."""

_TINY = 1e-300


@dataclass(frozen=True)
class Observation:
    """A tone in hertz and what was seen there, one value an output: 1 lit and 0 dark, or a reading; None not looked at.

    >>> Observation(800.0, (1.0, None, 0.0)).values[0]
    1.0
    """

    tone: float
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Look:
    r"""How values are read off a board, and how far they can be trusted.

    An LED is lit with probability ε + (1 − 2ε)·σ(k·ln(|H|/threshold)): a comparator whose jitter in ln|H| has the
    standard deviation π/(√3·k), and a person who mistakes a share ε of the answers. A reading is |H| or its decibels
    with a Gaussian error `sigma`, of which a share ε is wild: a magnitude by its own size, a level by 10 dB.

    Args:
        quantity: one of `READINGS`.
        threshold: the magnitude above which an LED is lit.
        jitter: standard deviation of ln|H| before the comparator, above 0.
        mistakes: ε, the share of the answers that are plainly wrong, from 0 to below 1/2.
        sigma: one standard deviation of a reading, in its unit, above 0.

    Raises:
        UnknownName: another quantity. OptionError: a number out of its range.

    Reference: D. R. Cox, The regression analysis of binary sequences, J. R. Stat. Soc. B 20 (1958) 215-242.

    >>> Look("led", jitter=0.01).lit(torch.tensor([0.5, 0.70710678, 0.9], dtype=torch.float64))
    tensor([0.0020, 0.5000, 0.9980], dtype=torch.float64)
    """

    quantity: str = "led"
    threshold: float = losses.HALF_POWER
    jitter: float = 0.002
    mistakes: float = 0.002
    sigma: float = 0.01

    def __post_init__(self) -> None:
        if self.quantity not in READINGS:
            raise UnknownName("kind of reading", self.quantity, READINGS)
        for name in ("threshold", "jitter", "sigma"):
            value = getattr(self, name)
            if not (0 < value < math.inf):
                raise OptionError(f"{name}={value}; expected a finite number above 0")
        if not 0 <= self.mistakes < 0.5:
            raise OptionError(f"mistakes={self.mistakes}; expected a share from 0 to below 0.5")

    @property
    def is_led(self) -> bool:
        """Whether answers are lit or dark."""
        return self.quantity == "led"

    def blunted(self, factor: float) -> Look:
        """The same with errors `factor` times as large.

        >>> Look("magnitude", sigma=0.01).blunted(10.0).sigma
        0.1
        """
        return Look(self.quantity, self.threshold, self.jitter * factor, self.mistakes, self.sigma * factor)

    def lit(self, prediction: Tensor) -> Tensor:
        """Probability that the LED is seen lit where the magnitude is `prediction`, elementwise."""
        return self.mistakes + (1 - 2 * self.mistakes) * torch.sigmoid(self._argument(prediction))

    def log_likelihood(self, prediction: Tensor, seen: Tensor) -> Tensor:
        """Logarithm of the probability of what was seen, elementwise, up to a constant; 0 where `seen` is NaN."""
        missing = seen.isnan()
        known = torch.where(missing, 0.0, seen)
        right = self._led(prediction, known) if self.is_led else self._reading(prediction, known)
        return torch.where(missing, 0.0, right)

    def checked(self, value: object) -> float | None:
        """One answer as a number.

        Raises:
            DataError: no answer of this kind.

        >>> Look("led").checked(True), Look("decibels").checked(-3), Look("led").checked(None)
        (1.0, -3.0, None)
        """
        if value is None:
            return None
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise DataError(f"answer {value!r}; expected {self._expected()}") from None
        fine = number in (0.0, 1.0) if self.is_led else math.isfinite(number)
        if not fine or (self.quantity == "magnitude" and number < 0):
            raise DataError(f"answer {value!r}; expected {self._expected()}")
        return number

    def _expected(self) -> str:
        if self.is_led:
            return "1 (lit), 0 (dark), or None (not looked at)"
        return "a ratio of amplitudes, 0 or more" if self.quantity == "magnitude" else "a finite level in decibels"

    def _argument(self, prediction: Tensor) -> Tensor:
        sharpness = math.pi / (math.sqrt(3) * self.jitter)
        return sharpness * (prediction.clamp_min(_TINY).log() - math.log(self.threshold))

    def _led(self, prediction: Tensor, seen: Tensor) -> Tensor:
        right = logsigmoid(self._argument(prediction) * (2 * seen - 1))
        return torch.logaddexp(math.log(max(self.mistakes, _TINY)) + 0 * right, math.log1p(-2 * self.mistakes) + right)

    def _reading(self, prediction: Tensor, seen: Tensor) -> Tensor:
        wild = 10.0 if self.quantity == "decibels" else seen.abs() + self.sigma
        off = prediction - seen
        near = math.log1p(-self.mistakes) - 0.5 * (off / self.sigma).square() - math.log(self.sigma)
        far = torch.as_tensor(wild, dtype=off.dtype)
        return torch.logaddexp(near, math.log(max(self.mistakes, _TINY)) - 0.5 * (off / far).square() - far.log())


def as_tensors(seen: Sequence[Observation], outputs: int) -> tuple[Tensor, Tensor]:
    """The tones `(n,)` and what was seen `(outputs, n)`, NaN where nobody looked."""
    rows = [[math.nan if v is None else v for v in one.values] for one in seen]
    f = torch.tensor([one.tone for one in seen], dtype=torch.float64)
    return f, torch.tensor(rows, dtype=torch.float64).reshape(len(seen), outputs).T
