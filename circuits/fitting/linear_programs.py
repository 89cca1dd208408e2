"""Many small linear programs at once: one coordinate moved as far as it goes, in a box and below some planes."""

from __future__ import annotations

import torch
from torch import Tensor

TOLERANCE = 1e-12
"""By how much of its size a plane may be overstepped."""

TILT = 1e-11
"""Weight of the coordinates that do not count, which keeps the simplex from going in circles among equals."""

PIVOTS = 60


@torch.no_grad()
def farthest_points(
    normals: Tensor, room: Tensor, column: Tensor, sign: Tensor, reach: Tensor
) -> tuple[Tensor, Tensor]:
    """The d `(rows, q)` that maximises sign·d[column] with normals·d ≤ room and |d| ≤ reach, and which rows have one.

    The dual simplex: it begins at the corner of the box, and while some plane is overstepped the one that is the most
    takes the place of the one whose multiplier vanishes first. All rows pivot side by side, and leave when they are
    done; a row that is not after `PIVOTS` counts as having no solution.

    Args:
        normals: `(rows, m, q)`. room: `(rows, m)`, infinite where a plane does not count.
        column, sign, reach: `(rows,)` each.

    Reference: C. E. Lemke, Naval Research Logistics Quarterly 1 (1954) 36-47.

    >>> one = torch.ones(1, dtype=torch.float64)
    >>> d, found = farthest_points(torch.tensor([[[2.0, 1.0]]]).double(), one.view(1, 1), torch.tensor([0]), one, one)
    >>> d, found
    (tensor([[ 1., -1.]], dtype=torch.float64), tensor([True]))
    """
    rows, _, q = normals.shape
    box = torch.eye(q, dtype=normals.dtype, device=normals.device).expand(rows, q, q)
    planes = torch.cat([box, -box, normals], 1)
    limits = torch.cat([reach.view(-1, 1).expand(-1, 2 * q), room], 1)
    sizes = torch.linalg.vector_norm(planes, dim=-1) + torch.finfo(planes.dtype).tiny
    cost = torch.full_like(planes[:, 0], TILT).scatter(1, column.unsqueeze(1), sign.unsqueeze(1))
    basis = torch.arange(q, device=planes.device).expand(rows, q).clone()
    basis.scatter_(1, column.unsqueeze(1), torch.where(sign > 0, column, column + q).unsqueeze(1))
    answer, found = torch.zeros_like(cost), torch.zeros(rows, dtype=torch.bool, device=planes.device)
    going = torch.arange(rows, device=planes.device)
    for _ in range(PIVOTS):
        inverse = torch.linalg.inv(planes.gather(1, basis.unsqueeze(-1).expand(-1, -1, q)))
        d = (inverse @ limits.gather(1, basis).unsqueeze(-1)).squeeze(-1)
        over = ((planes @ d.unsqueeze(-1)).squeeze(-1) - limits) / sizes
        most, entering = over.max(1)
        is_done = most <= TOLERANCE
        answer[going[is_done]], found[going[is_done]] = d[is_done], True
        leaving, has_way = _leaving(inverse, planes, cost, entering)
        basis = basis.scatter(1, leaving.unsqueeze(1), entering.unsqueeze(1))
        keep = ~is_done & has_way
        going = going[keep]
        if len(going) == 0:
            break
        if not bool(keep.all()):
            planes, limits, sizes, cost, basis = (table[keep] for table in (planes, limits, sizes, cost, basis))
    return answer, found


def _leaving(inverse: Tensor, planes: Tensor, cost: Tensor, entering: Tensor) -> tuple[Tensor, Tensor]:
    """Which plane of each corner makes way for the entering one, and whether any can; if none, nothing fits."""
    q = cost.shape[1]
    normal = planes.gather(1, entering.view(-1, 1, 1).expand(-1, 1, q))
    multipliers = (cost.unsqueeze(1) @ inverse).squeeze(1).clamp_min(0)
    weights = (normal @ inverse).squeeze(1)
    usable = weights > 1e-11 * weights.abs().amax(1, keepdim=True)
    ratio = torch.where(usable, multipliers / torch.where(usable, weights, 1.0), torch.inf)
    return ratio.argmin(1), usable.any(1)
