"""The version space of LED data on many boards at once: the ends of every component, all rows walked side by side."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from circuits.fitting.linear_programs import farthest_points
from circuits.fitting.model import CircuitModel
from circuits.fitting.problem import Problem
from circuits.fitting.version_space import REACH, ROUNDS, led_intervals

CHUNK = 4_000_000
"""Elements of the Jacobian that rows walking side by side may have together."""

FAR = 25.0
"""Distance in coordinates at which an end counts as infinite."""

MANY = 12
"""Components that hang together, above which each board is left to a solver of sparse programs."""


@torch.no_grad()
def led_ends(problem: Problem, x: Tensor) -> Tensor:
    """Lowest and highest coordinates with which every LED can still be explained, the others free, `(boards, p, 2)`.

    What `version_space.led_intervals` finds for one board: the margins are linearised, a linear program is solved
    within a box, and this is repeated at its solution. Here the rows are boards × components × sides. Components that
    no output depends on together cannot help each other, so a program holds only those that hang together: one for a
    single filter of a color organ. A row that does not come to rest is left to that other function.

    Args:
        problem: of the boards.
        x: coordinates `(boards, p)` that explain every LED.
    """
    boards, p = x.shape
    if type(problem) is not Problem or not isinstance(problem.model, CircuitModel):  # data in several places
        return torch.stack([_alone(problem, x, board) for board in range(boards)])
    size = max(1, CHUNK // (problem.target[0].numel() * p))
    precise = x.double()
    pieces = [_ends(problem, precise, part) for part in torch.arange(boards, device=x.device).split(size)]
    ends = torch.cat(pieces).to(x.dtype)
    for board in ends.isnan().flatten(1).any(1).nonzero().flatten().tolist():
        unsettled = ends[board].isnan()
        ends[board] = torch.where(unsettled, _alone(problem, x, board), ends[board])
    return ends


def _alone(problem: Problem, x: Tensor, board: int) -> Tensor:
    one = problem.take(torch.tensor([board], device=x.device)) if len(x) > 1 else problem
    return led_intervals(one, x[board : board + 1]).to(x.device)


def _ends(problem: Problem, x: Tensor, boards: Tensor) -> Tensor:
    """The ends of some boards, `(boards, p, 2)`, NaN where a row did not come to rest."""
    _, slopes = _margins(problem, boards, x[boards])
    ends = torch.full((*x[boards].shape, 2), torch.nan, dtype=x.dtype, device=x.device)
    for group in _groups((slopes != 0).any(0)):
        if len(group) > MANY:
            continue
        for column in range(len(group)):
            for side in (0, 1):
                ends[:, group[column], side] = _walk(problem, x[boards], boards, group, column, 2.0 * side - 1)
    return ends


def _groups(touched: Tensor) -> Iterator[Tensor]:
    """Components that hang together through the points that they move, from `touched (p, points)`."""
    table = touched.double()
    joined = ((table @ table.T) > 0) | torch.eye(len(table), dtype=torch.bool, device=table.device)
    for _ in range(len(table).bit_length()):
        joined = (joined.double() @ joined.double()) > 0
    seen = torch.zeros(len(table), dtype=torch.bool, device=table.device)
    for row in joined:
        if not bool((seen & row).any()):
            seen |= row
            yield row.nonzero().flatten()


def _walk(problem: Problem, start: Tensor, boards: Tensor, group: Tensor, column: int, sign: float) -> Tensor:
    """How far one coordinate of the boards goes in one direction, `(boards,)`."""
    here, end = start.clone(), torch.full_like(start[:, 0], torch.nan)
    reach, going = torch.full_like(end, REACH), torch.arange(len(boards), device=start.device)
    own = int(group[column])
    for _ in range(ROUNDS):
        margins, slopes = _margins(problem, boards[going], here[going])
        slopes = slopes[:, group]
        touched = (slopes != 0).any(1).any(0)
        normals, room = -slopes[:, :, touched].mT, margins[:, touched]
        columns = torch.full_like(going, column)
        step, found = farthest_points(normals, room, columns, torch.full_like(end[going], sign), reach[going])
        after = here[going]
        after[:, group] += step
        back = start[going] + 0.5 * (after - start[going])
        here[going] = torch.where(found.unsqueeze(1), after, back)
        reach[going] = torch.where(found, reach[going], 0.25 * reach[going])
        at = here[going, own]
        far = found & ((at - start[going, own]).abs() > FAR)
        still = found & (step[:, column].abs() <= 1e-12 * (1 + at.abs()))
        end[going] = torch.where(far, sign * torch.inf, torch.where(still, at, end[going]))
        going = going[~(far | still)]
        if len(going) == 0:
            break
    return end


def _margins(problem: Problem, boards: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """By how much every LED is explained, `(rows, m)`, infinite for one not seen, and the slopes, `(rows, p, m)`."""
    some = problem.take(boards)
    values = problem.coordinates.values(x)
    prediction, jacobian = some.model.linearize(values)
    prediction = some.board_first(prediction).clamp_min(1e-300)
    target = some.target
    margins = some.led.margins(prediction, target).flatten(1)
    stretch = problem.coordinates.slope(values)
    towards = ((2 * target - 1) / prediction).flatten(1).unsqueeze(1)
    slopes = jacobian.reshape(*values.shape, -1) * towards
    slopes = slopes if stretch is None else slopes * stretch.unsqueeze(-1)
    if some.present is not None:
        seen = some.present.flatten(1).bool().expand(margins.shape)
        margins = margins.masked_fill(~seen, torch.inf)
        slopes = slopes.masked_fill(~seen.unsqueeze(1), 0.0)
    return margins, slopes
