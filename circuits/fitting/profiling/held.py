"""The minimum over all coordinates but one, for many rows of boards at once, each with a held coordinate of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from circuits.fitting.coordinates import Coordinates
from circuits.fitting.loop import run
from circuits.fitting.methods import Method
from circuits.fitting.minimisation import choose_method
from circuits.fitting.model import CircuitModel
from circuits.fitting.problem import Problem
from circuits.fitting.progress import Bar

CHUNK = 4_000_000
"""Elements of the Jacobian that rows walking side by side may have together."""

STEPS = 200
"""Steps within which the other coordinates follow the held one; each walk begins near its end."""


@dataclass
class HeldProblem(Problem):
    """A problem whose rows have bounds of their own, `(rows, p)`, equal where a coordinate is held."""

    def take(self, rows: Tensor) -> Problem:
        """The same problem for some of the rows."""
        part = super().take(rows)
        return part if part is self else replace(part, coordinates=_cut(self.coordinates, rows))


def _cut(coordinates: Coordinates, rows: Tensor) -> Coordinates:
    if coordinates.low is None or coordinates.high is None:
        return coordinates
    return replace(coordinates, low=coordinates.low[rows], high=coordinates.high[rows])


def held_at(problem: Problem, x: Tensor, columns: Tensor) -> Problem:
    """The problem of rows at x `(rows, p)` in which the coordinate `columns (rows,)` of each stays where it is."""
    own = problem.coordinates
    at = torch.nn.functional.one_hot(columns, x.shape[1]).bool()
    low = torch.full_like(x, -torch.inf) if own.low is None else own.low.expand_as(x)
    high = torch.full_like(x, torch.inf) if own.high is None else own.high.expand_as(x)
    bounded = replace(own, low=torch.where(at, x, low), high=torch.where(at, x, high))
    return HeldProblem(problem.model, problem.target, problem.loss, bounded, problem.sigma, problem.present)


def follow(problem: Problem, boards: Tensor, x: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates `(rows, p)` and losses `(rows,)` when all but one coordinate of each row have been minimised over.

    Args:
        problem: of all boards. boards: which one each row is, `(rows,)`.
        x: where the rows start, `(rows, p)`. columns: what each row holds, `(rows,)`.

    Raises:
        KeyboardInterrupt: interrupted from the keyboard.
    """
    method = choose_method(problem)
    if not isinstance(problem.model, CircuitModel):  # a plain module is one problem, and takes one row at a time
        singles = [_minimum(problem, x[i : i + 1], columns[i : i + 1], method) for i in range(len(x))]
        ends, losses = zip(*singles, strict=True)
        return torch.cat(ends), torch.cat(losses)
    return _minimum(problem.take(boards), x, columns, method)


def _minimum(problem: Problem, x: Tensor, columns: Tensor, method: Method) -> tuple[Tensor, Tensor]:
    stop = replace(method.default_stop(x.dtype), steps=STEPS)
    outcome = run(held_at(problem, x, columns), method, stop, x, None, Bar(False, None))
    if (outcome.reasons == "interrupted").any():
        raise KeyboardInterrupt
    return outcome.x, torch.where(outcome.loss.isnan(), torch.inf, outcome.loss)


def in_chunks(problem: Problem, rows: int, work: Callable[[slice], Tensor]) -> Tensor:
    """What `work` gives for all rows, so many at a time that they fit into memory."""
    points = problem.target[0].numel() * len(problem.model.names)
    size = max(1, CHUNK // max(points, 1))
    pieces = [work(slice(begin, begin + size)) for begin in range(0, rows, size)]
    return torch.cat(pieces)
