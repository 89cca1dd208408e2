"""Monte Carlo: what a thousand boards would show, counted in blocks that fit into the cache and never kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.lab.production.answers import Answer, answer_of, evaluated
from circuits.lab.production.tolerances import Tolerances, checked

NUMBERS = 2**17
"""Numbers of an answer that are computed at once: a megabyte, so that the processor's cache holds them."""
LARGEST = 4096
"""Boards in a block at most."""


@dataclass(frozen=True, eq=False)
class Spread:
    """How m numbers scatter over boards: each `(m,)`, in the unit of what was asked.

    `nominal` is that of the board with nominal parts, `mean`, `sigma`, `low` and `high` those of the boards drawn. Of
    an LED, `mean` is the share of boards on which it is lit.
    """

    labels: tuple[str, ...]
    nominal: Tensor
    mean: Tensor
    sigma: Tensor
    low: Tensor
    high: Tensor
    boards: int


def monte_carlo(
    circuit: Circuit,
    tolerances: Tolerances,
    f: Any = None,
    quantity: str = "magnitude",
    *,
    boards: int = 10_000,
    seed: int = 0,
) -> Spread:
    """Scatter of a quantity over frequency, or of the corner frequencies, over boards drawn from the tolerances.

    Args:
        circuit: a single board with its nominal values.
        tolerances: how its parts scatter.
        f: hertz, `(n,)`; None for the corner frequencies. The numbers run over outputs first, then over f.
        quantity: "magnitude", "decibels", "phase", "group_delay" or "led".
        boards: how many to draw.
        seed: of the draws; the same seed gives the same boards everywhere in this room.

    Raises:
        OptionError: a quantity or a number of boards that there cannot be. UnknownName, ShapeError: as for `checked`.

    >>> from circuits.filters import LowPass
    >>> corners = monte_carlo(LowPass(R=1000.0), Tolerances({"R": 0.05, "C": 0.10}))
    >>> round(corners.nominal.item(), 1), round(corners.sigma.item(), 1)
    (159.2, 5.9)
    """
    answer = answer_of(circuit, f, quantity)
    values = checked(circuit, tolerances)
    nominal = evaluated(circuit, tolerances.names, values, answer)
    total, squares = torch.zeros_like(nominal), torch.zeros_like(nominal)
    low, high = torch.full_like(nominal, torch.inf), torch.full_like(nominal, -torch.inf)
    for block in _answers(circuit, tolerances, values, answer, boards, seed):
        low, high = torch.minimum(low, block.amin(0)), torch.maximum(high, block.amax(0))
        apart = block.sub_(nominal)  # from a number near the mean, so that squares lose no digits
        total += apart.sum(0)
        squares += apart.square_().sum(0)
    mean = total / boards
    sigma = (squares / boards - mean.square()).clamp_min(0).sqrt()
    return Spread(answer.labels, nominal, nominal + mean, sigma, low, high, boards)


def block_size(numbers: int) -> int:
    """Boards to compute at once when each gives so many numbers.

    >>> block_size(600), block_size(8)
    (218, 4096)
    """
    return min(max(NUMBERS // max(numbers, 1), 16), LARGEST)


def _answers(
    circuit: Circuit, tolerances: Tolerances, values: Tensor, answer: Answer, boards: int, seed: int
) -> Iterator[Tensor]:
    for deviations in tolerances.blocks(boards, block_size(len(answer.labels)), seed):
        yield evaluated(circuit, tolerances.names, deviations.add_(1).mul_(values), answer)
