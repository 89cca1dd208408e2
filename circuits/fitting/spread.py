"""How well the data determine anything that follows from the fitted values, such as a point of the fitted curve."""

from __future__ import annotations

import torch
from torch import Tensor

from circuits.fitting.result import Fit

HIDDEN = 1e-6
"""Share of a slope that may point where the data see nothing before what it belongs to counts as undetermined."""


def standard_error(fit: Fit, slope: Tensor, board: int = 0) -> Tensor:
    """One standard error of quantities of one board, to first order: σ² = gᵀ·Cov·g.

    Infinite where a quantity changes along a direction that the data do not determine, or one that the LEDs bound on
    one side only; a quantity may be known although no value alone is, as a curve is that only needs a product.

    Args:
        fit: the result of a fit.
        slope: derivative of each quantity by the values in SI units, `(p, …)`.
        board: which board of a batch, counted in rows.

    Returns:
        The errors in the unit of the quantities, `(…)`; NaN where the loss gives no errors.

    >>> import circuits as cc
    >>> fit = cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), cc.log_grid(50, 10.0, 1e5), noise=0.01))
    >>> error = standard_error(fit, torch.ones(1, 1, dtype=torch.float64))  # of R itself
    >>> torch.allclose(error, fit.errors["R"])
    True
    """
    stretch = fit.problem.coordinates.slope(fit._table)
    g = slope.reshape(len(slope), -1)
    g = g if stretch is None else g * stretch[board].unsqueeze(-1)
    total = fit._covariance[board]
    error = torch.einsum("in,ij,jn->n", g, total, g).clamp_min(0).sqrt()
    known = fit._information
    scaled = g / known.scale[board].unsqueeze(-1)
    hidden = (known.axes[board].mT @ scaled)[~known.seen[board]].abs()
    size = scaled.abs().amax(0).clamp_min(torch.finfo(g.dtype).tiny)
    is_open = (hidden > HIDDEN * size).any(0)
    if fit._intervals is not None and bool(fit._all_lit_right[board]):
        ends = fit._intervals[board]
        one_sided = ~torch.isfinite(ends).all(-1)
        is_open |= (scaled[one_sided].abs() > HIDDEN * size).any(0)
    return torch.where(is_open & (g != 0).any(0), torch.inf, error).reshape(slope.shape[1:])
