"""Which of many solutions a method finds: the nearest to its start, in the length that the method measures by."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from circuits.errors import DataError, OptionError, ShapeError


def nearest_solution(
    matrix: Tensor,
    target: Tensor,
    *,
    order: float = 2.0,
    size: Tensor | float = 1.0,
    start: Tensor | float = 0.0,
) -> Tensor:
    """The θ with Xθ = y that is nearest to the start: argmin ‖(θ − θ₀)/size‖.

    Gradient descent moves only within the span of the rows of X, and so ends at the ℓ2 solution
    θ₀ + S²Xᵀ(XS²Xᵀ)⁻¹(y − Xθ₀) with S = diag(size) the units it measures by. Sign descent from zero on a single
    equation ends at the ℓ∞ solution, all components equally large.

    Args:
        matrix: X `(n, p)`, more unknowns than equations.
        target: y `(n,)`.
        order: 2, inf or 1, the norm that is made small.
        size: the unit of length of each unknown, `(p,)`.
        start: θ₀ `(p,)`.

    Raises:
        ShapeError: shapes that do not agree.
        OptionError: another order, or a size that is not positive.
        DataError: equations that contradict each other.

    Reference: S. Gunasekar et al., Characterizing implicit bias in terms of optimization geometry (2018).

    >>> x, y = torch.tensor([[1.0, 0.1, 0.01]]), torch.tensor([1.0])
    >>> nearest_solution(x, y), nearest_solution(x, y, order=math.inf)
    (tensor([0.9901, 0.0990, 0.0099]), tensor([0.9009, 0.9009, 0.9009]))
    """
    if matrix.ndim != 2 or target.shape != matrix.shape[:1]:
        raise ShapeError(f"X {tuple(matrix.shape)} and y {tuple(target.shape)}; expected (n, p) and (n,)")
    if order not in (1, 2, math.inf):
        raise OptionError(f"order={order!r}; expected 2, inf or 1")
    units = torch.as_tensor(size, dtype=matrix.dtype).expand(matrix.shape[1])
    if not bool((units > 0).all()):
        raise OptionError(f"size={units.tolist()}; expected positive units of length")
    origin = torch.as_tensor(start, dtype=matrix.dtype).expand(matrix.shape[1])
    scaled, rest = matrix * units, target - matrix @ origin
    move = torch.linalg.pinv(scaled) @ rest
    if not torch.allclose(scaled @ move, rest, rtol=1e-4 if matrix.dtype == torch.float32 else 1e-8):
        raise DataError("the equations contradict each other; expected a system with at least one solution")
    return origin + units * (move if order == 2 else _by_linear_programme(scaled, rest, order))


def _by_linear_programme(matrix: Tensor, target: Tensor, order: float) -> Tensor:
    """The smallest solution in the ℓ∞ or ℓ1 norm: minimise the bounds t ≥ |θ|, one for all or one each."""
    from scipy.optimize import linprog  # loaded only here: most fits never need it

    x = matrix.numpy(force=True).astype(float)
    p = x.shape[1]
    bounds = np.ones((p, 1)) if math.isinf(order) else np.eye(p)
    cost = np.concatenate([np.zeros(p), np.ones(bounds.shape[1])])
    walls = np.block([[np.eye(p), -bounds], [-np.eye(p), -bounds]])
    equations = np.hstack([x, np.zeros((len(x), bounds.shape[1]))])
    found = linprog(cost, walls, np.zeros(2 * p), equations, target.numpy(force=True), bounds=(None, None))
    return torch.as_tensor(found.x[:p], dtype=matrix.dtype)
