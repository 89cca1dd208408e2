"""The best response that values within a box could have, if there were a part for every value: many boxes at once."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from circuits.lab.parts.wanted import Block

_STEPS = 60
_FLAT = 1e-11  # share of the cost that a step still promises when the walk is at its end
_NOTHING = 1e-26  # mean square error that is rounding
_LONGEST = 2.0  # of a step, in the logarithm


class Relaxed(NamedTuple):
    """Where each box has its best values `(boxes, p)`, as logarithms, their cost, and a bound of all in the box."""

    x: Tensor
    cost: Tensor
    bound: Tensor


def relax(block: Block, low: Tensor, high: Tensor, starts: Tensor) -> Relaxed:
    """Minimise the mean square error within boxes of logarithms, from several starts each.

    A damped Gauss–Newton walk (Levenberg and Marquardt) with the exact Jacobian, all boxes and starts a batch of
    boards; a component that is at the wall and pulled outwards is left there. The bound is the lowest cost of all
    starts, less what the last step still promises; it holds where one of the starts leads to the lowest minimum.

    Args:
        block: the problem.
        low, high: `(boxes, p)`, logarithms.
        starts: `(starts, boxes, p)`, logarithms; brought into the box.

    Reference: J. J. Moré, The Levenberg–Marquardt algorithm, 1978; projection as in C. Kanzow, N. Yamashita and
    M. Fukushima, J. Comput. Appl. Math. 172 (2004) 375.
    """
    count, boxes, p = starts.shape
    lows, highs = (end.expand(count, boxes, p).reshape(-1, p) for end in (low, high))
    x, cost, left = _walk(block, lows, highs, starts.reshape(-1, p).clamp(lows, highs))
    x, cost, left = x.view(count, boxes, p), cost.view(count, boxes), left.view(count, boxes)
    best = cost.argmin(0)
    rows = torch.arange(boxes)
    return Relaxed(x[best, rows], cost[best, rows], (cost - left).clamp_min(0).amin(0))


def _walk(block: Block, low: Tensor, high: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where every board ends, its cost, and what was still promised there."""
    cost, left = x.new_full((len(x),), torch.inf), x.new_full((len(x),), torch.inf)
    active, now = torch.arange(len(x)), x.clone()
    residual, slope = block.linearize(now.exp())
    damping = torch.full_like(cost, 1e-3)
    for _ in range(_STEPS):
        step, promised = _step(residual, slope, now, low[active], high[active], damping)
        present = residual.square().sum(-1) / block.points
        promised = promised / block.points
        x[active], cost[active], left[active] = now, present, torch.minimum(promised, present)
        going = ~((promised <= _FLAT * present) | (present <= _NOTHING) | (damping > 1e9))
        if not going.any():
            break
        if not going.all():
            active, now, residual, slope = active[going], now[going], residual[going], slope[going]
            step, damping, present = step[going], damping[going], present[going]
        trial = (now + step).clamp(low[active], high[active])
        moved, slopes = block.linearize(trial.exp())
        better = moved.square().sum(-1) / block.points < present
        damping = torch.where(better, (damping / 10).clamp_min(1e-12), damping * 10)
        now = torch.where(better[:, None], trial, now)
        residual = torch.where(better[:, None], moved, residual)
        slope = torch.where(better[:, None, None], slopes, slope)
    return x, cost, left


def _step(
    residual: Tensor, slope: Tensor, x: Tensor, low: Tensor, high: Tensor, damping: Tensor
) -> tuple[Tensor, Tensor]:
    """The damped Gauss–Newton step within the walls, and by how much it promises to lower the sum of squares."""
    gradient = (slope @ residual.unsqueeze(-1)).squeeze(-1)
    held = ((x <= low) & (gradient >= 0)) | ((x >= high) & (gradient <= 0))
    gradient = gradient.masked_fill(held, 0.0)
    slope = slope.masked_fill(held.unsqueeze(-1), 0.0)
    matrix = slope @ slope.mT
    own = matrix.diagonal(dim1=-2, dim2=-1)
    floor = 1e-14 * own.amax(-1, keepdim=True) + 1e-200
    step = -torch.linalg.solve(matrix + torch.diag_embed(own * damping[:, None] + floor), gradient)
    return step.clamp(-_LONGEST, _LONGEST), -(gradient * step).sum(-1)
