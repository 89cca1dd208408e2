"""How well the data determine anything that follows from the fitted values: a corner, a point of the fitted curve."""

from __future__ import annotations

import torch
from torch import Tensor

from circuits.fitting.uncertainty import Information

HIDDEN = 1e-6
"""Share of a slope that may point where the data see nothing before what it belongs to counts as undetermined."""


def propagate(slope: Tensor, covariance: Tensor, known: Information, one_sided: Tensor | None = None) -> Tensor:
    """One standard error of quantities that follow from the coordinates, to first order: σ² = gᵀ·Cov·g.

    Infinite where a quantity changes along a direction that the data do not determine, or by a coordinate that they
    bound on one side only. It may be known although no coordinate alone is, as a curve is that only needs a product.

    Args:
        slope: derivative of each quantity by the coordinates, `(boards, p, n)`.
        covariance: of the coordinates, `(boards, p, p)`.
        known: what the data tell of them.
        one_sided: coordinates that are bounded on one side only, `(boards, p)`.

    Returns:
        The errors in the unit of the quantities, `(boards, n)`; NaN where the covariance is.

    >>> eye = torch.eye(2).unsqueeze(0)
    >>> known = Information(torch.ones(1, 2), torch.tensor([[1.0, 0.0]]), eye, torch.tensor([[True, False]]))
    >>> propagate(torch.tensor([[[3.0, 0.0], [0.0, 1.0]]]), 4 * eye, known)
    tensor([[6., inf]])
    """
    error = torch.einsum("bin,bij,bjn->bn", slope, covariance, slope).clamp_min(0).sqrt()
    scaled = slope / known.scale.unsqueeze(-1)
    limit = HIDDEN * scaled.abs().amax(-2).clamp_min(torch.finfo(slope.dtype).tiny)
    hidden = ((known.axes.mT @ scaled).abs() * ~known.seen.unsqueeze(-1)).amax(-2)
    is_open = hidden > limit
    if one_sided is not None:
        is_open |= (scaled.abs() * one_sided.unsqueeze(-1)).amax(-2) > limit
    return torch.where(is_open & (slope != 0).any(-2), torch.inf, error)
