"""Where a rising function crosses zero, for many rows at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

ROUNDS = 120
CLOSE, NARROW = 1e-10, 1e-13
"""A row is done where |h| is this small, or its bracket this narrow in relation to its end."""

Height = Callable[[Tensor, Tensor], Tensor]


def crossings(height: Height, first: Tensor, reach: Tensor) -> Tensor:
    """The distance d > 0 at which each row's h(d) rises through zero, `(rows,)`; infinite where h(reach) is below it.

    h(0) = −1. The first guesses are lengthened, h being taken as a straight line, until the zero is bracketed; then the
    Illinois variant of false position (M. Dowell and P. Jarratt, BIT 11, 1971) closes the bracket, or its middle
    where h is no number. NaN where neither comes to an end.

    Args:
        height: h of distances `(k,)` at rows `(k,)`.
        first: where to look first, `(rows,)`, above zero.
        reach: how far to look, `(rows,)`.

    >>> crossings(lambda d, rows: d**2 - 1, torch.tensor([0.5, 3.0]).double(), torch.tensor([9.0, 9.0]).double())
    tensor([1., 1.], dtype=torch.float64)
    """
    low, high = torch.zeros_like(first), torch.full_like(first, torch.inf)
    below, above = torch.full_like(first, -1.0), torch.full_like(first, torch.inf)
    found, side = torch.full_like(first, torch.nan), torch.zeros_like(first)
    at, rows = torch.minimum(first, reach), torch.arange(len(first), device=first.device)
    for _ in range(ROUNDS):
        h = torch.nan_to_num(height(at[rows], rows), nan=torch.inf)
        here, under = at[rows], h < 0
        # an end that stays for a second time counts half, or it would stay for ever
        above[rows] = torch.where(under, above[rows] * torch.where(side[rows] < 0, 0.5, 1.0), h)
        below[rows] = torch.where(under, h, below[rows] * torch.where(side[rows] > 0, 0.5, 1.0))
        low[rows], high[rows] = torch.where(under, here, low[rows]), torch.where(under, high[rows], here)
        side[rows] = 1.0 - 2.0 * under.to(side.dtype)
        beyond = under & (here >= reach[rows])
        is_narrow = high[rows].isfinite() & (high[rows] - low[rows] <= NARROW * high[rows])
        done = beyond | (h.abs() <= CLOSE) | is_narrow
        found[rows] = torch.where(beyond, torch.inf, torch.where(done, here, torch.nan))
        rows = rows[~done]
        if len(rows) == 0:
            break
        at[rows] = _next(low[rows], high[rows], below[rows], above[rows], reach[rows])
    return found


def _next(low: Tensor, high: Tensor, below: Tensor, above: Tensor, reach: Tensor) -> Tensor:
    """The next distance: inside the bracket, or up to four times as far where there is none."""
    straight = low / (1 + below).clamp_min(1e-3)
    farther = torch.minimum(torch.maximum(torch.minimum(1.05 * straight, 4 * low), 1.5 * low), reach)
    inside = low + (high - low) * (below / (below - above))
    is_inside = (inside > low) & (inside < high) & above.isfinite()
    inside = torch.where(is_inside, inside, 0.5 * (low + high))
    return torch.where(high.isfinite(), inside, farther)
