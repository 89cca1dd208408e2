"""Values that can be bought: a decade of preferred numbers, repeated."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.errors import OptionError

E24 = (1.0, 1.1, 1.2, 1.3, 1.5, 1.6, 1.8, 2.0, 2.2, 2.4, 2.7, 3.0) + (
    3.3, 3.6, 3.9, 4.3, 4.7, 5.1, 5.6, 6.2, 6.8, 7.5, 8.2, 9.1,
)  # fmt: skip
E12 = E24[::2]


@dataclass(frozen=True)
class Levels:
    """The preferred numbers of one decade, which repeat in every decade (IEC 60063).

    Args:
        decade: numbers from 1 up to below 10, rising, the first being 1.

    Raises:
        OptionError: numbers that are not such a decade.

    >>> Levels().nearest(torch.tensor([195.0, 31.8]))
    tensor([180.,  33.])
    """

    decade: tuple[float, ...] = E12

    def __post_init__(self):
        numbers = self.decade
        rising = all(a < b for a, b in zip(numbers, numbers[1:], strict=False))
        if not numbers or numbers[0] != 1 or not numbers[-1] < 10 or not rising:
            raise OptionError(f"Levels({numbers!r}): expected rising numbers from 1 to below 10, as E12 or E24")

    def around(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The levels at or below and above positive values, and how far in between each lies by its logarithm, 0 to 1.

        >>> low, high, share = Levels().around(torch.tensor([1000.0, 1095.4451]))
        >>> low, high, share
        (tensor([1000., 1000.]), tensor([1200., 1200.]), tensor([0.0000, 0.5000]))
        """
        exact = values.detach().double()
        power = torch.floor(torch.log10(exact))
        table = torch.tensor([*self.decade, 10.0], dtype=torch.float64, device=values.device)
        # rounding may have put a value at the end of a decade beyond it; and 1e3/1e3 must count as level 1 itself
        number = (exact / 10.0**power).clamp(1.0, math.nextafter(10.0, 0.0)) * (1 + 1e-12)
        index = (torch.searchsorted(table, number, right=True) - 1).clamp(0, len(self.decade) - 1)
        low, high = _scaled(table[index], power), _scaled(table[index + 1], power)
        share = (torch.log(exact / low) / torch.log(high / low)).clamp(0.0, 1.0)
        return low.to(values), high.to(values), share.to(values)

    def nearest(self, values: Tensor) -> Tensor:
        """The level nearest to each value, by ratio."""
        low, high, share = self.around(values)
        return torch.where(share < 0.5, low, high)


def _scaled(number: Tensor, power: Tensor) -> Tensor:
    """Numbers of three digits at most, times a power of ten, as a calculator shows them: 2.2 · 10² is 220 exactly."""
    tens = torch.tensor([10.0**k for k in range(23)], dtype=torch.float64, device=number.device)
    exponent = (power - 2).long()
    whole = (number * 100).round()
    return torch.where(exponent >= 0, whole * tens[exponent.clamp(0, 22)], whole / tens[(-exponent).clamp(0, 22)])
