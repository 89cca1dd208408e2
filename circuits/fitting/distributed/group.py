"""The group of processes that torchrun started: who is in it, and the three ways in which they speak."""

from __future__ import annotations

import itertools
import os
import pickle
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from circuits.errors import OptionError, WorkerError
from circuits.fitting.workers.launch import loopback

_meetings = itertools.count()


class Group:
    """The processes that fit together; one process alone is a group too, and sends nothing.

    Args:
        rank: which process this is, counted from 0. size: how many there are.

    Attributes:
        sums: how often a row of each length was added up. gathers: the same for rows that were gathered, by the bytes
            that this process brought.
    """

    def __init__(self, rank: int = 0, size: int = 1):
        self.rank, self.size = rank, size
        self.sums: Counter[int] = Counter()
        self.gathers: Counter[int] = Counter()

    def sum(self, row: Tensor) -> Tensor:
        """The sum of a row of numbers over all processes; every process has the same, bit by bit."""
        total = row.detach().clone()
        self.sums[total.numel() * total.element_size()] += 1
        if self.size > 1:
            with self._reaching("add up"):
                dist.all_reduce(total)
        return total

    def gather(self, thing: Any) -> list[Any]:
        """What each process says, by its number: any small thing that can be pickled."""
        if self.size == 1:
            return [thing]
        said: list[Any] = [None] * self.size
        self.gathers[len(pickle.dumps(thing))] += 1
        with self._reaching("compare notes"):
            dist.all_gather_object(said, thing)
        return said

    def rows(self, rows: Tensor) -> Tensor:
        """Tables `(rows, n)` of all processes, one below the other in the order of the processes."""
        if self.size == 1:
            return rows
        counts = self.gather(len(rows))
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        tables = [torch.empty_like(padded) for _ in counts]
        self.gathers[padded.numel() * padded.element_size()] += 1
        with self._reaching("gather what was found"):
            dist.all_gather(tables, padded)
        return torch.cat([table[:count] for table, count in zip(tables, counts, strict=True)])

    @contextmanager
    def _reaching(self, purpose: str) -> Iterator[None]:
        """Say in one sentence that the others are not there."""
        try:
            yield
        except RuntimeError as error:
            raise WorkerError(
                f"process {self.rank} of {self.size} lost another one, which died or was silent for too long, when "
                f"they were to {purpose} ({str(error).splitlines()[0][:120]}); start all of them again"
            ) from error


@contextmanager
def joined(device: torch.device | str = "cpu", timeout: float = 600.0) -> Iterator[Group]:
    """The group that is running; or that of torchrun, entered here and left at the end; or this process alone.

    Processes on CPUs speak by gloo, tensors on CUDA devices by nccl.

    Args:
        device: where the tensors are that will be sent.
        timeout: seconds after which a silent process counts as lost, in a group that is entered here.

    Raises:
        WorkerError: the others did not come, or were lost.
        OptionError: a timeout that is not positive.

    >>> with joined() as group:
    ...     group.size, group.gather("alone")
    (1, ['alone'])
    """
    if not 0 < timeout < float("inf"):
        raise OptionError(f"timeout={timeout!r}; expected a positive number of seconds")
    if dist.is_available() and dist.is_initialized():
        yield Group(dist.get_rank(), dist.get_world_size())
        return
    rank, size = place()
    if size == 1:
        yield Group()
        return
    hook = sys.excepthook
    _enter(rank, size, torch.device(device), timedelta(seconds=timeout))
    try:
        yield Group(rank, size)
    finally:
        sys.excepthook = hook  # torch puts the rank before every line, once more for each group
        dist.destroy_process_group()


def place() -> tuple[int, int]:
    """Which process this is and how many there are, as torchrun says it in the environment; (0, 1) without it.

    Raises:
        OptionError: an environment that makes no sense.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return 0, 1
    said = os.environ["RANK"], os.environ["WORLD_SIZE"]
    if not all(text.isdigit() for text in said) or not int(said[0]) < int(said[1]):
        raise OptionError(f"RANK={said[0]} of WORLD_SIZE={said[1]}; expected what torchrun sets, such as 0 of 2")
    return int(said[0]), int(said[1])


def part_of(length: int, rank: int | None = None, size: int | None = None) -> slice:
    """The rows that one process holds of so many, in one piece; the pieces differ by one row at most.

    Args:
        length: how many rows there are in all.
        rank, size: which process of how many; None takes those of torchrun.

    >>> [part_of(10, rank, 4) for rank in range(4)]
    [slice(0, 2, None), slice(2, 5, None), slice(5, 7, None), slice(7, 10, None)]
    >>> part_of(10)
    slice(0, 10, None)
    """
    here = place()
    rank, size = here[0] if rank is None else rank, here[1] if size is None else size
    return slice(rank * length // size, (rank + 1) * length // size)


def _enter(rank: int, size: int, device: torch.device, wait: timedelta) -> None:
    """Meet the others, each meeting by a name of its own: a process may meet them again for the next fit."""
    if not dist.is_available():
        raise OptionError("this PyTorch was built without torch.distributed; fit in one process")
    if os.environ.get("LOCAL_WORLD_SIZE") == str(size):  # all on this machine: they speak within it
        interface = loopback()
        if interface is not None:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    try:
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")  # who has died has left an address behind
        store = dist.PrefixStore(f"fit-{attempt}-{next(_meetings)}", _meeting_place(rank, size, wait))
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=wait)
    except RuntimeError as error:
        raise WorkerError(
            f"process {rank} of {size} did not meet the others ({str(error).splitlines()[0][:120]}); start all of them "
            "with torchrun, and give them a longer timeout if they come late"
        ) from error


@cache
def _meeting_place(rank: int, size: int, wait: timedelta) -> Any:
    """The store of which torchrun tells the address."""
    return next(dist.rendezvous("env://", rank, size, timeout=wait))[0]
