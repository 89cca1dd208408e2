"""The loop beneath every fit: a generator that yields one record a step, and what is remembered of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from circuits.fitting.history import Recorder
from circuits.fitting.methods.method import Method, State
from circuits.fitting.problem import Problem
from circuits.fitting.progress import Bar
from circuits.fitting.stopping import CONVERGED, Stop, Watch


@dataclass(frozen=True)
class Step:
    """One record of the walk.

    Args:
        index: steps taken so far; 0 is the start.
        state: coordinates, loss and gradient of the boards in `rows`.
        rows: which boards these are, or None for all of them.
        done: which of them had stopped before this step; what the record says of those is of no more use.
        ended: reason by row for the boards that stop here, "" for those that go on.
        problem: the problem of these boards.
    """

    index: int
    state: State
    rows: Tensor | None
    done: np.ndarray
    ended: np.ndarray
    problem: Problem

    @property
    def loss(self) -> Tensor:
        """Loss of every board, `(boards,)`."""
        return self.state.loss

    @property
    def gradient(self) -> Tensor:
        """Gradient of the loss with respect to the coordinates, `(boards, p)`."""
        return self.state.gradient

    @property
    def values(self) -> dict[str, Tensor]:
        """Values in their own units, by name, `(boards,)` each."""
        table = self.problem.coordinates.values(self.state.x)
        return dict(zip(self.problem.model.names, table.unbind(-1), strict=True))


def walk(problem: Problem, method: Method, stop: Stop, x: Tensor) -> Iterator[Step]:
    """Yield the start, then a record after each step, until every board has a reason to stop."""
    stop.check()
    state = method.begin(problem, x)
    rows, done = None, np.zeros(len(x), dtype=bool)
    watch = Watch(stop, len(x))
    for index in count():
        ended = (
            _ended_one(problem, watch, index, state)
            if len(done) == 1
            else _ended_each(problem, watch, index, state, done)
        )
        yield Step(index, state, rows, done, ended, problem)
        if len(done) == 1:
            if ended[0]:
                return
            state = _next(problem, method, stop, state)
            continue
        done = done | (ended != "")
        if done.all():
            return
        if method.separable and 2 * done.sum() > len(done):
            keep = np.flatnonzero(~done)
            picked = torch.as_tensor(keep, device=x.device)
            problem, state, done = problem.take(picked), state.take(picked), done[keep]
            rows = picked if rows is None else rows[picked]
            watch.keep(keep)
        state = _next(problem, method, stop, state)


def _next(problem: Problem, method: Method, stop: Stop, state: State) -> State:
    """One step; its size is worked out here when somebody asks for it and the method does not tell."""
    after = method.step(problem, state)
    fits = problem.coordinates.in_range(after.x)
    if not bool(fits.all()):
        after = replace(after, loss=torch.where(fits, after.loss, torch.nan))
    if stop.step is not None and after.move is None:
        after = replace(after, move=problem.coordinates.relative(after.x - state.x, state.x))
    return after


WORSE = 1e-6
"""A board that comes to rest with a loss larger than its best by more than this share of the two, the best and the
first, has diverged, not arrived."""

SMALL = 16
"""Up to this many components the largest slope of a single board is found on plain numbers, which is quicker."""


def inward(problem: Problem, state: State) -> Tensor:
    """The gradient, less the part that a bound holds against: that will never vanish."""
    blocked = problem.coordinates.blocked(state.x, state.gradient)
    return state.gradient if blocked is None else state.gradient.masked_fill(blocked, 0.0)


def _ended_one(problem: Problem, watch: Watch, index: int, state: State) -> np.ndarray:
    """The reason to stop of a single board."""
    slope = inward(problem, state)
    if slope.shape[1] <= SMALL:
        slopes = slope.tolist()[0]
        gradient = max(map(abs, slopes)) if all(one == one for one in slopes) else float("nan")
    else:
        gradient = slope.abs().amax().item()
    decrease, move = (None if table is None else table.item() for table in (state.decrease, state.move))
    return np.array([watch.reason(index, state.loss.item(), gradient, move, decrease)], dtype=object)


def _ended_each(problem: Problem, watch: Watch, index: int, state: State, done: np.ndarray) -> np.ndarray:
    """The reason to stop of every running board, or ''."""
    gradient = inward(problem, state).abs().amax(-1).numpy(force=True)
    reasons = watch.reasons(index, state.loss.numpy(force=True), gradient, _array(state.move), _array(state.decrease))
    return np.where(done, "", reasons)


def _array(tensor: Tensor | None) -> np.ndarray | None:
    return None if tensor is None else tensor.numpy(force=True)


@dataclass
class Outcome:
    """Where every board ended: the state of lowest loss that it saw, and why it went no further.

    `x (boards, p)`, `loss (boards,)`, `gradient (boards, p)`, `steps (boards,)`, `reasons (boards,)`; `spread
    (boards,)` is the variance of plain targets, where it was seen on the way.
    """

    x: Tensor
    loss: Tensor
    gradient: Tensor
    steps: np.ndarray
    reasons: np.ndarray
    best: float = float("inf")
    first: Any = 0.0
    spread: Tensor | None = None

    @classmethod
    def none_yet(cls, x: Tensor) -> Outcome:
        """Before the first step."""
        boards = len(x)
        return cls(
            x,
            x.new_full((boards,), torch.inf),
            torch.full_like(x, torch.nan),
            np.zeros(boards, dtype=np.int64),
            np.full(boards, "running", dtype=object),
        )

    def take_in(self, step: Step) -> None:
        """Keep what is better than before, and the reasons of the boards that stop."""
        rows = step.rows
        if len(self.x) == 1:
            return self._take_in_one(step)
        self._take_in_rows(step, rows)
        going = ~step.done
        where = np.arange(len(self.x)) if rows is None else rows.numpy(force=True)
        self.steps[where[going]] = step.index
        best, loss = self.loss.numpy(force=True)[where], step.state.loss.numpy(force=True)
        if step.index == 0:
            self.first = loss.copy()
        behind = np.isin(step.ended, CONVERGED) & (loss > best + WORSE * (np.abs(best) + np.abs(self.first[where])))
        ended = np.where(behind, "diverged", step.ended)
        self.reasons[where] = np.where(ended != "", ended, self.reasons[where])
        if step.state.next_x is not None and (ended == "decrease").any():
            self._take_last_step(step.state, where, ended == "decrease")

    def _take_last_step(self, state: State, where: np.ndarray, arrived: np.ndarray) -> None:
        """Boards that expect no more from their next step take it: it is solved for, and the last digits are in it."""
        device = self.x.device
        gains = torch.as_tensor(arrived, device=device) & (cast(Tensor, state.decrease) > 0)
        rows = torch.as_tensor(where, device=device)[gains]
        self.x = self.x.index_copy(0, rows, cast(Tensor, state.next_x)[gains])
        self.loss = self.loss.index_copy(0, rows, (state.loss * (1 - cast(Tensor, state.decrease)))[gains])

    def _take_in_one(self, step: Step) -> None:
        """The same for a single board."""
        loss = step.state.loss.item()
        if step.index == 0:
            self.first = loss
        if loss <= self.best:
            self.x, self.loss, self.gradient, self.best = step.state.x, step.state.loss, step.state.gradient, loss
        self.steps[0] = step.index
        if step.ended[0]:
            left_behind = step.ended[0] in CONVERGED and loss > self.best + WORSE * (abs(self.best) + abs(self.first))
            self.reasons = np.array(["diverged"], dtype=object) if left_behind else step.ended
            if self.reasons[0] == "decrease" and step.state.next_x is not None:
                self._take_last_step(step.state, np.zeros(1, dtype=np.int64), np.ones(1, dtype=bool))

    def _take_in_rows(self, step: Step, rows: Tensor | None) -> None:
        """The same for many boards."""
        state = step.state
        rows = torch.arange(len(self.x), device=self.x.device) if rows is None else rows
        better = (state.loss <= self.loss[rows]) & ~torch.as_tensor(step.done, device=self.x.device)
        where = rows[better]
        self.x = self.x.index_copy(0, where, state.x[better])
        self.loss = self.loss.index_copy(0, where, state.loss[better])
        self.gradient = self.gradient.index_copy(0, where, state.gradient[better])


def run(problem: Problem, method: Method, stop: Stop, x: Tensor, recorder: Recorder | None, bar: Bar) -> Outcome:
    """Walk to the end, keeping the best state; Ctrl-C ends the walk and keeps what there is."""
    outcome = Outcome.none_yet(x)
    if recorder is not None:
        recorder.begin(problem.loss)
    try:
        for step in walk(problem, method, stop, x):
            outcome.take_in(step)
            if recorder is not None:
                recorder.record(step.state, step.rows)
            bar.show(step.index, step.state.loss)
    except KeyboardInterrupt:
        outcome.reasons[outcome.reasons == "running"] = "interrupted"
    return outcome
