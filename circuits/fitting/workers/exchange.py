"""Three patterns by which workers add up their shares, with every message written out and its cost in advance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.workers.wire import Wire


@dataclass(frozen=True)
class Cost:
    """What one sum costs.

    Args:
        messages: how many are sent in all.
        numbers: how many numbers they hold together.
        rounds: messages that have to wait for each other, one after the other.
        through: numbers that pass one after the other through the busiest process.
    """

    messages: int
    numbers: int
    rounds: int
    through: float

    def seconds(self, latency: float, rate: float, size: int = 8) -> float:
        """Time for one sum: rounds · latency + through · size / rate.

        Args:
            latency: seconds before a message begins to arrive.
            rate: bytes a second on the way in or out of one process.
            size: bytes a number.
        """
        return self.rounds * latency + self.through * size / rate


class Exchange(ABC):
    """Adds up one row of numbers over all workers; every process ends with the same sum, bit by bit.

    Args:
        wire: to the other processes of the group.
    """

    name: ClassVar[str]
    servers: ClassVar[int] = 0
    """Processes beside the workers; they come last and have no data."""

    def __init__(self, wire: Wire):
        self.wire = wire
        self.workers = wire.processes - self.servers

    @property
    def is_server(self) -> bool:
        """Whether this process has no share of its own."""
        return self.wire.rank >= self.workers

    def sum(self, numbers: Tensor) -> Tensor:
        """The sum over the workers of a row `(p,)`; all processes call it at the same time."""
        self.wire.sums[len(numbers)] += 1
        return self._sum(numbers)

    def total(self, compute: Callable[[], Tensor], like: Tensor, shape: Sequence[int]) -> Tensor:
        """The sum of tables of this shape and of the kind of `like`, which each worker computes when it is asked."""
        return self.sum(compute().detach().reshape(-1)).reshape(shape)

    def rows(self, rows: Tensor) -> Tensor:
        """Tables `(points, n)` of all workers, one below the other, which are no sum and so not every pattern's.

        Raises:
            OptionError: a pattern that only adds.
        """
        raise OptionError(f"the pattern {self.name!r} only adds up; use circuits.fit_distributed")

    @abstractmethod
    def _sum(self, numbers: Tensor) -> Tensor:
        """Send, receive and add."""

    @classmethod
    @abstractmethod
    def cost(cls, workers: int, p: int) -> Cost:
        """What one sum of p numbers over n workers costs."""


class AllToAll(Exchange):
    """Everybody sends everything to everybody: n(n − 1) messages of p numbers, in one round.

    >>> AllToAll.cost(workers=4, p=1000)
    Cost(messages=12, numbers=12000, rounds=1, through=3000)
    """

    name = "all-to-all"

    def _sum(self, numbers: Tensor) -> Tensor:
        others = [other for other in range(self.workers) if other != self.wire.rank]
        rows = self.wire.swap(dict.fromkeys(others, numbers), dict.fromkeys(others, len(numbers)), numbers)
        rows[self.wire.rank] = numbers
        return _added(rows)

    @classmethod
    def cost(cls, workers: int, p: int) -> Cost:
        messages = workers * (workers - 1) * (p > 0)
        return Cost(messages, messages * p, int(workers > 1), (workers - 1) * p)


class ParameterServer(Exchange):
    """All n workers send to one server, which adds and sends back: 2n messages of p numbers, in two rounds.

    The server is a process beside the n workers, the last one; it walks along with them, without data of its own, and
    so knows what comes next.

    >>> ParameterServer.cost(workers=4, p=1000)
    Cost(messages=8, numbers=8000, rounds=2, through=8000)
    """

    name = "server"
    servers = 1

    def _sum(self, numbers: Tensor) -> Tensor:
        workers, server = range(self.workers), self.workers
        if self.is_server:
            total = _added(self.wire.swap({}, dict.fromkeys(workers, len(numbers)), numbers))
            self.wire.swap(dict.fromkeys(workers, total), {}, numbers)
            return total
        self.wire.swap({server: numbers}, {}, numbers)
        return self.wire.swap({}, {server: len(numbers)}, numbers)[server]

    @classmethod
    def cost(cls, workers: int, p: int) -> Cost:
        messages = 2 * workers * (p > 0)
        return Cost(messages, messages * p, 2, messages * p)


class RingAllReduce(Exchange):
    """Each sends to its right neighbour only: 2n(n − 1) messages of p/n numbers, in 2(n − 1) rounds.

    The row is cut into n pieces. In the first n − 1 rounds every piece travels once around and is added to on its way;
    in the next n − 1 rounds the finished pieces travel around. Where n does not divide p some pieces are longer by one;
    of fewer than n numbers each is a piece, and the empty pieces are not sent.

    Reference: P. Patarasuk, X. Yuan, Bandwidth optimal all-reduce algorithms for clusters of workstations, J. Parallel
    Distrib. Comput. 69 (2009) 117-124.

    >>> RingAllReduce.cost(workers=4, p=1000)
    Cost(messages=24, numbers=6000, rounds=6, through=1500.0)
    """

    name = "ring"

    def _sum(self, numbers: Tensor) -> Tensor:
        n, rank = self.workers, self.wire.rank
        pieces = list(numbers.clone().tensor_split(n))
        for step in range(n - 1):
            mine, next_one = (rank - step) % n, (rank - step - 1) % n
            pieces[next_one] = pieces[next_one] + self._passed_on(pieces[mine], len(pieces[next_one]))
        for step in range(n - 1):
            mine, next_one = (rank - step + 1) % n, (rank - step) % n
            pieces[next_one] = self._passed_on(pieces[mine], len(pieces[next_one]))
        return torch.cat(pieces)

    def _passed_on(self, piece: Tensor, size: int) -> Tensor:
        """Send a piece to the right while one of this size comes from the left."""
        right, left = (self.wire.rank + 1) % self.workers, (self.wire.rank - 1) % self.workers
        return self.wire.swap({right: piece}, {left: size}, piece)[left]

    @classmethod
    def cost(cls, workers: int, p: int) -> Cost:
        rounds = 2 * (workers - 1)
        return Cost(rounds * min(workers, p), rounds * p, rounds, rounds * p / workers)


PATTERNS: Mapping[str, type[Exchange]] = {kind.name: kind for kind in (AllToAll, ParameterServer, RingAllReduce)}
"""The patterns by name."""


def _added(rows: Mapping[int, Tensor]) -> Tensor:
    """The sum of rows in the order of the processes, so that everybody rounds alike."""
    first, *others = (rows[rank] for rank in sorted(rows))
    total = first.clone()
    for row in others:
        total += row
    return total
