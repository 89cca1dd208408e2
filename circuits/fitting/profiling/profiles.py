"""The profile of the loss: its ends at a level, and points along it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.problem import Problem
from circuits.fitting.profiling.held import follow, in_chunks
from circuits.fitting.profiling.roots import crossings
from circuits.fitting.uncertainty import covariance, information, is_noise_known

if TYPE_CHECKING:
    from circuits.fitting.result import Fit

REACH = 25.0
"""How far a logarithm is followed before its end counts as infinite: a factor of e²⁵ = 7·10¹⁰."""

FAR = 1e6
"""The same for a value that moves linearly, in units of its size and standard error."""


@dataclass(frozen=True)
class Place:
    """Where boards came to rest, all with one loss: `x (boards, p)`, `loss (boards,)`.

    `unit (boards,)` is the rise of the loss that is worth one standard error, `free (boards,)` the degrees of freedom
    that the noise was estimated with (infinite for a known one), and `spread (boards, p, p)` the covariance.
    """

    problem: Problem
    x: Tensor
    loss: Tensor
    unit: Tensor
    free: Tensor
    spread: Tensor

    def threshold(self, level: float) -> Tensor:
        """How many standard errors, squared, the profile rises at the ends of this level, `(boards,)`."""
        normal = 2 * torch.special.erfinv(torch.tensor(level, dtype=torch.float64)) ** 2
        if self.free.isinf().all():
            return normal.to(self.unit).expand_as(self.unit)
        from scipy.special import stdtrit  # loaded only where the noise is estimated

        t = stdtrit(self.free.numpy(force=True), 0.5 + 0.5 * level)
        return torch.as_tensor(t).to(self.unit) ** 2

    def steps(self) -> Tensor:
        """One standard error of each coordinate, `(boards, p)`; a tenth where the curvature gives none."""
        size = self.spread.diagonal(dim1=-2, dim2=-1).clamp_min(0).sqrt()
        return torch.where(size.isfinite() & (size > 0), size, 0.1)

    def reach(self, sign: Tensor, columns: Tensor) -> Tensor:
        """How far a row may go from x before it is at its bound, or counts as infinitely far, `(boards, rows)`."""
        own = self.problem.coordinates
        log = torch.as_tensor(own.log, device=self.x.device).expand(self.x.shape[1])[columns]
        x, step = self.x[:, columns], self.steps()[:, columns]
        reach = torch.where(log, REACH, FAR * (x.abs() + step))
        if own.low is None or own.high is None:
            return reach
        room = torch.where(sign > 0, own.high[columns] - x, x - own.low[columns])
        return torch.minimum(reach, room)

    def tangent(self, boards: Tensor, columns: Tensor) -> Tensor:
        """How the coordinates follow the held one at first, `(rows, p)`: its column of the covariance, to scale."""
        column = self.spread[boards, :, columns]
        own = column.gather(1, columns.unsqueeze(1))
        slope = torch.where(own > 0, column / own, 0.0)
        return torch.nan_to_num(slope).scatter(1, columns.unsqueeze(1), 1.0)


def place_of(problem: Problem, x: Tensor, loss: Tensor) -> Place:
    """What has to be known about the minimum.

    Raises:
        OptionError: a loss without a likelihood.
    """
    deviance = problem.loss.deviance
    if deviance is None:
        raise OptionError(f"{problem.loss!r} is no likelihood, so its rise has no probability; fit with one that is")
    count = torch.as_tensor(problem.count, dtype=loss.dtype, device=loss.device).expand(loss.shape)
    unit, free = 1 / (deviance * count), torch.full_like(loss, torch.inf)
    if not is_noise_known(problem):
        numbers = torch.as_tensor(problem.numbers, dtype=loss.dtype, device=loss.device).expand(loss.shape)
        free = numbers - information(problem, x).seen.sum(-1)
        unit = torch.where(free > 0, loss * unit * count / free, torch.nan)
    return Place(problem, x, loss, unit, free, covariance(problem, x, loss).detach())


@torch.no_grad()
def ends_of(fit: Fit, columns: Sequence[int], level: float) -> Tensor:
    """Values at the two ends of each of these components, `(boards, columns, 2)`."""
    ends = fit.end.new_full((len(fit.end), len(columns), 2), torch.nan)
    if not columns:
        return ends
    which = torch.as_tensor(columns, device=fit.end.device)
    for problem, rows, x, loss in fit._stages():
        place = place_of(problem, x, loss)
        ends[torch.as_tensor(rows, device=x.device)] = _ends(place, which, place.threshold(level))
    tables = fit.end.unsqueeze(1).unsqueeze(1).repeat(1, len(columns), 2, 1)
    index = which.view(1, -1, 1, 1).expand(len(ends), -1, 2, 1)
    values = fit.problem.coordinates.values(tables.scatter(-1, index, ends.unsqueeze(-1)))
    return values.gather(-1, index).squeeze(-1)


def _ends(place: Place, columns: Tensor, threshold: Tensor) -> Tensor:
    """Coordinates of the ends, `(boards, columns, 2)`."""
    boards, wanted = len(place.x), len(columns)
    sign = place.x.new_tensor([-1.0, 1.0])
    reach = torch.stack([place.reach(side, columns) for side in sign], -1)
    board = torch.arange(boards, device=place.x.device).view(-1, 1, 1).expand(-1, wanted, 2).reshape(-1)
    column, side = columns.view(1, -1, 1).expand(boards, -1, 2).reshape(-1), sign.repeat(boards * wanted)
    flat = reach.reshape(-1)

    def some(rows: slice) -> Tensor:
        return _distances(place, threshold, board[rows], column[rows], side[rows], flat[rows])

    distance = in_chunks(place.problem, len(flat), some)
    own = place.problem.coordinates
    if own.low is not None and own.high is not None:  # the bound comes first
        bound = torch.where(side > 0, own.high[column], own.low[column])
        distance = torch.where(distance.isinf() & bound.isfinite(), flat, distance)
    return (place.x[board, column] + side * distance).reshape(boards, wanted, 2)


def _distances(place: Place, threshold: Tensor, board: Tensor, column: Tensor, side: Tensor, reach: Tensor) -> Tensor:
    """How far from the minimum each row meets its end, infinite where it never does."""
    wanted, lowest = threshold[board] * place.unit[board], place.loss[board]
    start, last = place.x[board], side.unsqueeze(-1) * place.tangent(board, column)
    exact = (wanted <= 0) | (reach <= 0)  # data that are met exactly leave no room

    def height(distance: Tensor, rows: Tensor) -> Tensor:
        """√(rise/wanted) − 1, which for a parabola is a straight line; `last` is the way there, per unit of length."""
        guess = start[rows] + last[rows] * distance.unsqueeze(-1)
        exactly = start[rows, column[rows]] + side[rows] * distance
        guess = guess.scatter(1, column[rows].unsqueeze(1), exactly.unsqueeze(1))
        x, loss = follow(place.problem, board[rows], place.problem.coordinates.clip(guess), column[rows])
        last[rows] = (x - start[rows]) / distance.unsqueeze(-1)
        return ((loss - lowest[rows]).clamp_min(0) / wanted[rows]).sqrt() - 1

    result = torch.zeros_like(reach)
    going = (~exact & wanted.isfinite()).nonzero().flatten()
    first = threshold[board].sqrt() * place.steps()[board, column]
    if len(going):
        result[going] = crossings(lambda d, rows: height(d, going[rows]), first[going], reach[going])
    return torch.where(wanted.isnan(), torch.nan, result)


@torch.no_grad()
def points_of(fit: Fit, column: int, points: int | Sequence[float] | Tensor, level: float) -> tuple[Tensor, Tensor]:
    """Values of all components along one of them, `(boards, n, p)`, and the rise of −2 ln L there, `(boards, n)`."""
    grid = _grid(fit, column, points, level)
    table = fit.end.new_empty(*grid.shape, fit.end.shape[1])
    rise = torch.empty_like(grid)
    for problem, rows, x, loss in fit._stages():
        place, where = place_of(problem, x, loss), torch.as_tensor(rows, device=x.device)
        ends, losses = _along(place, column, grid[where])
        table[where] = fit.problem.coordinates.values(ends)
        rise[where] = (losses - loss.unsqueeze(-1)) / place.unit.unsqueeze(-1)
    return table, rise


def _along(place: Place, column: int, grid: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates `(boards, n, p)` and losses `(boards, n)` with one coordinate held at each point of the grid."""
    boards, n = grid.shape
    board = torch.arange(boards, device=grid.device).repeat_interleave(n)
    columns = torch.full_like(board, column)
    distance = grid.reshape(-1) - place.x[board, column]
    guess = place.x[board] + place.tangent(board, columns) * distance.unsqueeze(-1)
    guess = place.problem.coordinates.clip(guess).scatter(1, columns.unsqueeze(1), grid.reshape(-1, 1))

    def some(rows: slice) -> Tensor:
        x, loss = follow(place.problem, board[rows], guess[rows], columns[rows])
        return torch.cat([x, loss.unsqueeze(-1)], -1)

    both = in_chunks(place.problem, len(board), some).reshape(boards, n, -1)
    return both[..., :-1], both[..., -1]


def _grid(fit: Fit, column: int, points: int | Sequence[float] | Tensor, level: float) -> Tensor:
    """Coordinates of the points, `(boards, n)`."""
    boards, here = len(fit.end), fit.end[:, column]
    if isinstance(points, int) and not isinstance(points, bool):
        if points < 2:
            raise OptionError(f"points={points}; expected two or more, or the values themselves")
        ends = _coordinate(fit, column, ends_of(fit, [column], level)[:, 0])
        wide = torch.tensor([-2.0, 2.0], dtype=here.dtype, device=here.device)
        ends = torch.where(ends.isfinite(), ends, here.unsqueeze(-1) + wide)
        share = torch.linspace(0, 1, points, dtype=here.dtype, device=here.device)
        return ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * share
    values = torch.as_tensor(points, dtype=here.dtype, device=here.device)
    if values.ndim != 1 or len(values) == 0 or not bool(values.isfinite().all()):
        raise OptionError(f"points={points!r}; expected how many, or a list of finite values")
    grid = _coordinate(fit, column, values.unsqueeze(0))
    if not bool(grid.isfinite().all()):
        raise OptionError(f"points={points!r}; expected values above zero for {fit.names[column]}")
    return grid.expand(boards, -1)


def _coordinate(fit: Fit, column: int, values: Tensor) -> Tensor:
    """Values of one component as coordinates."""
    log = torch.as_tensor(fit.problem.coordinates.log).expand(fit.end.shape[1])[column]
    return values.log() if bool(log) else values
