"""The wire between processes: messages sent and received over `torch.distributed`, each one counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch import Tensor

from circuits.errors import WorkerError


class Unreachable(WorkerError):
    """Another process did not answer: it has died, or was silent for too long."""


class Wire:
    """Sends to and receives from the other processes of the group that is running.

    Args:
        rank: which process this is, counted from 0.
        processes: how many there are.

    Attributes:
        messages: how many messages went from here to each process, `(processes,)`.
        numbers: how many numbers they held, `(processes,)`.
        sums: how often a row of each length was added up.
    """

    def __init__(self, rank: int, processes: int):
        self.rank, self.processes = rank, processes
        self.messages = torch.zeros(processes, dtype=torch.int64)
        self.numbers = torch.zeros(processes, dtype=torch.int64)
        self.sums: Counter[int] = Counter()

    def swap(self, out: Mapping[int, Tensor], sizes: Mapping[int, int], like: Tensor) -> dict[int, Tensor]:
        """Send each row of `out` to its process while receiving a row of each of `sizes`; empty rows do not travel.

        Args:
            out: what to send, by the number of the process that it is for.
            sizes: how many numbers come from which process.
            like: a tensor of the kind of number that travels.

        Raises:
            Unreachable: a process that does not answer.
        """
        arrived = {source: like.new_empty(size) for source, size in sizes.items()}
        try:
            works = [dist.irecv(row, source) for source, row in arrived.items() if len(row)]
            for other, row in out.items():
                if len(row):
                    works.append(dist.isend(row.contiguous(), other))
                    self.messages[other] += 1
                    self.numbers[other] += len(row)
            for work in works:
                if work is not None:
                    work.wait()
        except RuntimeError as error:
            raise Unreachable(f"process {self.rank} lost another one: {str(error).splitlines()[0]}") from error
        return arrived
