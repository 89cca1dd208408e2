"""Data points shared out: every process has some of them, and all take the same steps, from sums over all."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from circuits.errors import DataError, WorkerError
from circuits.fitting.distributed.agreement import (
    check_agreement,
    mark_of,
    module_terms,
    raise_together,
    together,
)
from circuits.fitting.distributed.group import Group
from circuits.fitting.distributed.task import Task
from circuits.fitting.fitter import as_method
from circuits.fitting.methods import LBFGS, LevenbergMarquardt, Method
from circuits.fitting.minimisation import Plan, minimise
from circuits.fitting.model import ModuleModel
from circuits.fitting.one_sided import refuse_one_sided
from circuits.fitting.problem import Problem
from circuits.fitting.progress import Bar
from circuits.fitting.result import Fit
from circuits.fitting.setup import Data, make_problem
from circuits.fitting.starts import start_table
from circuits.fitting.stopping import check_stop
from circuits.fitting.workers.exchange import Cost, Exchange, RingAllReduce
from circuits.fitting.workers.sharded import ShardedProblem, refuse_one_number, shard_of
from circuits.fitting.workers.wire import Wire

FAILED = 2.0**20
"""What a process adds in the place of its share when it has failed; more than there are processes."""


class AllReduce(Exchange):
    """Adds up by `torch.distributed.all_reduce`: one row, in front of which each process says how it is.

    A process whose own share raised brings zeros and says so, and all raise its sentence at the same step; where one
    was asked to stop from the keyboard, all stop.
    """

    name = "all-reduce"

    def __init__(self, group: Group):
        super().__init__(Wire(group.rank, group.size))
        self.group, self.is_asked_to_stop = group, False

    def _sum(self, numbers: Tensor) -> Tensor:
        return self.group.sum(numbers)

    def total(self, compute: Callable[[], Tensor], like: Tensor, shape: Sequence[int]) -> Tensor:
        row, failure = like.new_zeros(1 + math.prod(shape)), None
        try:
            row[1:] = compute().detach().reshape(-1)
        except Exception as error:  # all of them will say it
            row[0], failure = FAILED, error
        row[0] += float(self.is_asked_to_stop)
        total = self.sum(row)
        state = float(total[0])
        if state >= FAILED:
            raise_together(self.group, failure)
        if state > 0:
            self.is_asked_to_stop = False
            raise KeyboardInterrupt
        return total[1:].reshape(shape)

    def rows(self, rows: Tensor) -> Tensor:
        return self.group.rows(rows)

    @classmethod
    def cost(cls, workers: int, p: int) -> Cost:
        return RingAllReduce.cost(workers, p + 1)


class StepsTogether(LevenbergMarquardt):
    """Levenberg–Marquardt by the general road: the quick ones, for data that are all here, know it by its own name."""


def fit_points(group: Group, model: nn.Module, data: Data, task: Task) -> Fit:
    """Fit to data of which every process has a part; what is asked of the fit, all have to ask. See `fit_distributed`.

    Raises:
        WorkerError: the processes came to different places.
    """
    began = time.perf_counter()
    check_agreement(group, {**task.terms(), **module_terms(model)})
    problem, exchange = _shared_problem(group, model, data, task), AllReduce(group)
    problem.exchange = exchange
    method = together(group, lambda: _method(task, problem))
    bar = Bar(task.progress if group.rank == 0 else False, task.stop.steps if task.stop else None)
    automatic = task.method == "auto" and task.starts is None and task.stop is None
    plan = Plan(method, task.stop, bar, automatic and not isinstance(problem.model, ModuleModel), task.seed)
    table = together(group, lambda: start_table(problem, task.starts, task.seed))
    try:
        with _stopping_together(exchange):
            found = minimise(problem, table, plan, None)
    finally:
        bar.close()
    _check_same_place(group, found.outcome.x)
    problem.model.store(problem.coordinates.values(found.outcome.x))
    start = table[0] if found.start is None else found.start
    return Fit(model, data, problem, found, None, start, method, time.perf_counter() - began)


def _method(task: Task, problem: Problem) -> Method:
    """The method; a plain module is left to gradients, since rows do not add up."""
    check_stop(task.stop)
    chosen = as_method(task.method, problem)
    is_rows = isinstance(chosen, LevenbergMarquardt) and isinstance(problem.model, ModuleModel)
    if is_rows and task.method == "auto":
        return LBFGS()
    return StepsTogether(chosen.damping) if type(chosen) is LevenbergMarquardt else chosen


def _shared_problem(group: Group, model: nn.Module, data: Data, task: Task) -> ShardedProblem:
    """This process's part of the problem."""
    options: Any = {"coordinates": task.coordinates, "bounds": task.bounds, "fixed": task.fixed, "tied": task.tied}
    if task.given == "whole":
        problem = together(group, lambda: make_problem(model, data, task.loss, **options))
        check_agreement(group, {**_terms(problem), "shape of the data": str(tuple(problem.target.shape))})
        check_agreement(group, {"measured values": f"{mark_of({'target': problem.target})} (a mark of them)"})
        return together(group, lambda: shard_of(problem, group.rank, group.size))
    problem = together(group, lambda: make_problem(model, data, task.loss, **options, is_whole=False))
    axis = 1 if isinstance(problem.model, ModuleModel) else problem.target.ndim - 1
    shape = [size if i != axis else "points" for i, size in enumerate(problem.target.shape)]
    check_agreement(group, {**_terms(problem), "shape of the data": str(shape).replace("'", "")})
    together(group, lambda: refuse_one_number(problem.loss))
    return _as_part(group, problem)


def _terms(problem: Problem) -> dict[str, str]:
    """What follows from the data and has to be the same in all processes."""
    sigma = "none" if problem.sigma is None else "given"
    return {"loss": repr(problem.loss), "learned": ", ".join(problem.model.names), "uncertainty (sigma)": sigma}


def _as_part(group: Group, problem: Problem) -> ShardedProblem:
    """A problem stated from a part of the data, told how many points there are in all."""
    target = problem.target
    present = torch.ones_like(target.real) if problem.present is None else problem.present
    total = group.sum(present.flatten(1).sum(-1))
    together(group, lambda: _refuse_too_little(group, problem, present, total))
    return ShardedProblem(
        model=problem.model,
        target=target,
        loss=problem.loss,
        coordinates=problem.coordinates,
        sigma=None if problem.sigma is None else problem.sigma.expand(target.shape),
        present=problem.present,
        total=total.clamp_min(1.0),
        workers=group.size,
    )


def _refuse_too_little(group: Group, problem: Problem, present: Tensor, total: Tensor) -> None:
    """Refuse parts that say nothing, or LEDs that never change, in all parts together."""
    if not bool((total > 0).any()):
        raise DataError("nothing to fit: every value is missing in every process; give at least one measured value")
    if problem.loss.quantity != "led":
        return
    lit, measured = group.sum((problem.target * present).sum(-1)), group.sum(present.sum(-1))
    if bool(((measured > 0) & ((lit == 0) | (lit == measured))).any()):
        refuse_one_sided(problem)


def _check_same_place(group: Group, x: Tensor) -> None:
    """Refuse an outcome that is not the same in every process, to the last bit."""
    marks = group.gather(mark_of({"x": x}))
    apart = [rank for rank, mark in enumerate(marks) if mark != marks[0]]
    if apart:
        raise WorkerError(
            f"process {apart[0]} walked to another place than process 0; a loss or method that draws random numbers or "
            "looks at the clock has to do so in the same way everywhere"
        )


@contextmanager
def _stopping_together(exchange: AllReduce) -> Iterator[None]:
    """While they walk, Ctrl-C in any process ends the walk of all at the same step; twice, it ends this one at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: Any) -> None:
        if exchange.is_asked_to_stop:
            raise KeyboardInterrupt
        exchange.is_asked_to_stop = True

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        exchange.is_asked_to_stop = False
