"""What was sent: messages and numbers from every process to every other, beside what the formulas say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from circuits.fitting.workers.exchange import PATTERNS, Cost, Exchange


@dataclass(frozen=True, eq=False)
class Traffic:
    """Every message of a fit, counted where it was sent.

    Args:
        exchange: name of the pattern.
        workers: how many processes had data.
        messages: `(processes, processes)`, how many were sent from the row's process to the column's.
        numbers: the same for the numbers in them.
        sums: how often a row of each length was added up over the workers.
        itemsize: bytes a number.
    """

    exchange: str
    workers: int
    messages: Tensor
    numbers: Tensor
    sums: Mapping[int, int]
    itemsize: int = 8

    @property
    def bytes(self) -> int:
        """Bytes of payload that were sent in all."""
        return int(self.numbers.sum()) * self.itemsize

    def expected(self) -> Cost:
        """What the pattern's formula says that these sums cost together."""
        kind = PATTERNS[self.exchange]
        costs = [(kind.cost(self.workers, length), times) for length, times in self.sums.items()]
        return Cost(
            sum(cost.messages * times for cost, times in costs),
            sum(cost.numbers * times for cost, times in costs),
            sum(cost.rounds * times for cost, times in costs),
            sum(cost.through * times for cost, times in costs),
        )

    def __str__(self) -> str:
        sums = ", ".join(f"{times} of {length} numbers" for length, times in sorted(self.sums.items()))
        return (
            f"{self.exchange} of {self.workers} workers: {int(self.messages.sum())} messages, "
            f"{int(self.numbers.sum())} numbers, {self.bytes} bytes (sums: {sums or 'none'})"
        )


def gather_traffic(exchange: Exchange, itemsize: int) -> Traffic:
    """Bring together what each process has sent so far; every process calls it, and none of this is counted."""
    wire = exchange.wire
    own = torch.stack([wire.messages, wire.numbers])
    rows = [torch.empty_like(own) for _ in range(wire.processes)]
    dist.all_gather(rows, own)
    messages, numbers = torch.stack(rows).unbind(1)
    return Traffic(exchange.name, exchange.workers, messages, numbers, dict(wire.sums), itemsize)
