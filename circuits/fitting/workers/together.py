"""Walking together: the same steps in every process of a group, each with its own part of the data."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from circuits.errors import OptionError, UnknownName, WorkerError
from circuits.fitting.fitter import HowToMove, as_method
from circuits.fitting.history import Recorder
from circuits.fitting.learnable import Fixed
from circuits.fitting.methods import LBFGS, LevenbergMarquardt, Method
from circuits.fitting.minimisation import Minimum, Plan, minimise
from circuits.fitting.model import ModuleModel
from circuits.fitting.movement import Bounds, How
from circuits.fitting.problem import Problem
from circuits.fitting.progress import Bar
from circuits.fitting.result import Fit
from circuits.fitting.setup import Data, make_problem
from circuits.fitting.stopping import Stop, check_stop
from circuits.fitting.workers.exchange import PATTERNS, Exchange
from circuits.fitting.workers.sharded import ShardedProblem, shard_of
from circuits.fitting.workers.traffic import Traffic, gather_traffic
from circuits.fitting.workers.wire import Wire


class Together(NamedTuple):
    """What many workers bring back.

    Args:
        fit: the same `Fit` as from one process.
        traffic: every message that was sent for it.
    """

    fit: Fit
    traffic: Traffic


@dataclass
class Work:
    """What one process does: its part of the problem, how the parts are added up, and how to move."""

    problem: ShardedProblem
    exchange: str
    method: Method
    stop: Stop | None


@dataclass
class Walked:
    """What comes out of the walk in every process alike."""

    found: Minimum
    recorder: Recorder
    traffic: Traffic


def walk_in_group(work: Work) -> Walked:
    """Walk to the end in the process group that is running; every process of the group calls it with its own part.

    Raises:
        WorkerError: another process died or fell silent, or the processes came to different places.
    """
    wire = Wire(dist.get_rank(), dist.get_world_size())
    exchange: Exchange = PATTERNS[work.exchange](wire)
    problem = replace(work.problem, exchange=exchange)
    # with its history the walk takes the general road: the quick one for a single board knows nothing of other workers
    recorder = Recorder(problem.boards, problem.model.names)
    plan = Plan(work.method, work.stop, Bar(False, None))
    found = minimise(problem, problem.start().unsqueeze(0), plan, recorder)
    traffic = gather_traffic(exchange, problem.start().element_size())
    _check_same_place(found.outcome.x)
    return Walked(found, recorder, traffic)


def _check_same_place(x: Tensor) -> None:
    """Refuse an outcome that is not the same in every process, to the last bit."""
    own = x.contiguous()
    all_ends = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(all_ends, own)
    apart = [rank for rank, end in enumerate(all_ends) if not torch.equal(end.nan_to_num(), all_ends[0].nan_to_num())]
    if apart:
        raise WorkerError(
            f"process {apart[0]} walked to another place than process 0; a loss or method that draws random numbers or "
            "looks at the clock has to do so in the same way everywhere"
        )


def state_work(
    model: nn.Module,
    data: Data,
    loss: Any,
    exchange: str,
    method: HowToMove,
    stop: Stop | None,
    options: Mapping[str, Any],
) -> tuple[Problem, Work]:
    """The whole problem, and the work of a group with the problem's place left to be filled by a part.

    `options` are coordinates, bounds, fixed and tied, as in `fit`.

    Raises:
        OptionError: a stop by the clock, which would end the processes at different steps, and what else `fit` refuses.
        UnknownName: an unknown pattern.
    """
    if exchange not in PATTERNS:
        raise UnknownName("exchange", exchange, PATTERNS)
    check_stop(stop)
    if stop is not None and stop.time is not None:
        raise OptionError("Stop(time=...) would end the workers at different steps; give steps= or another condition")
    problem = make_problem(model, data, loss, **options)
    chosen = as_method(method, problem)
    if method == "auto" and isinstance(chosen, LevenbergMarquardt) and isinstance(problem.model, ModuleModel):
        chosen = LBFGS()
    return problem, Work(shard_of(problem, 0, 1), exchange, chosen, stop)


def as_fit(
    model: nn.Module, data: Data, problem: Problem, work: Work, walked: Walked, began: float, keeps: bool
) -> Together:
    """The walk's outcome beside the whole problem: a `Fit` like any other, the module holding the fitted values."""
    found = walked.found
    whole = replace(found, problems=[problem.with_loss(part.loss) for part in found.problems])
    problem.model.store(problem.coordinates.values(found.outcome.x))
    recorder = walked.recorder if keeps else None
    fit = Fit(model, data, problem, whole, recorder, problem.start(), work.method, time.perf_counter() - began)
    return Together(fit, walked.traffic)


def fit_in_group(
    model: nn.Module,
    data: Data,
    loss: Any = None,
    *,
    exchange: str = "ring",
    method: HowToMove = "auto",
    coordinates: How = None,
    stop: Stop | None = None,
    bounds: Bounds = None,
    fixed: Fixed = None,
    tied: Mapping[str, str] | None = None,
    history: bool = True,
) -> Together:
    """Fit within a process group that is running already, as under torchrun: every process calls this alike.

    Each process keeps every n-th point of the data, and all return the same fit. With exchange="server" the last
    process is the server.

    Args:
        model, data, loss, method, coordinates, stop, bounds, fixed, tied, history: as in `circuits.fit`.
        exchange: "all-to-all", "server" or "ring".

    Raises:
        OptionError: no process group is running, or it is too small.
        WorkerError: another process died or fell silent.

    >>> import circuits as cc
    >>> fit_in_group(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5)))
    Traceback (most recent call last):
    circuits.errors.OptionError: no process group is running; start one with torchrun, or use fit_with_workers
    """
    if not dist.is_initialized():
        raise OptionError("no process group is running; start one with torchrun, or use fit_with_workers")
    began = time.perf_counter()
    options = {"coordinates": coordinates, "bounds": bounds, "fixed": fixed, "tied": tied}
    problem, work = state_work(model, data, loss, exchange, method, stop, options)
    workers = dist.get_world_size() - PATTERNS[exchange].servers
    if workers < 1:
        raise OptionError("a server needs a worker beside it: run at least two processes, or use exchange='ring'")
    work.problem = shard_of(problem, min(dist.get_rank(), workers), workers)
    return as_fit(model, data, problem, work, walk_in_group(work), began, history)
