"""Ridge regression in both its forms, and as extra rows of data."""

from __future__ import annotations

import torch
from torch import Tensor

from circuits.errors import OptionError, ShapeError


def check_rows(matrix: Tensor, target: Tensor) -> None:
    """Refuse tables that are not X `(n, p)` and y `(n,)`.

    Raises:
        ShapeError: shapes that do not agree.
    """
    if matrix.ndim != 2 or target.shape != matrix.shape[:1]:
        raise ShapeError(f"X {tuple(matrix.shape)} and y {tuple(target.shape)}; expected (n, p) and (n,)")


def ridge_solution(matrix: Tensor, target: Tensor, penalty: float, *, form: str | None = None) -> Tensor:
    """The w that minimises ‖y − Xw‖² + λ‖w‖², by the smaller of two systems.

    (XᵀX + λI)⁻¹Xᵀy, a system with one row an unknown, equals Xᵀ(XXᵀ + λI)⁻¹y, one with one row a data point. A step of
    Levenberg–Marquardt is this with X the scaled Jacobian, y the residuals and λ the damping.

    Args:
        matrix: X `(n, p)`.
        target: y `(n,)`.
        penalty: λ > 0, for the *sum* of squares; for their mean, give n·λ.
        form: "unknowns" or "points"; None takes the smaller.

    Raises:
        ShapeError: shapes that do not agree.
        OptionError: a penalty that is not positive, or another form.

    >>> ridge_solution(torch.tensor([[1.0], [2.0]]), torch.tensor([1.0, 3.0]), 2.0)
    tensor([1.])
    """
    check_rows(matrix, target)
    if not penalty > 0:
        raise OptionError(f"penalty={penalty!r}; expected a positive number")
    n, p = matrix.shape
    form = form or ("points" if n < p else "unknowns")
    if form not in ("points", "unknowns"):
        raise OptionError(f"form={form!r}; expected 'points', 'unknowns' or None")
    if form == "points":
        return matrix.mT @ _solve(matrix @ matrix.mT, penalty, target)
    return _solve(matrix.mT @ matrix, penalty, matrix.mT @ target)


def _solve(square: Tensor, penalty: float, right: Tensor) -> Tensor:
    """Solve (A + λI) u = b for a positive A."""
    factor = torch.linalg.cholesky(square + penalty * torch.eye(len(square), dtype=square.dtype, device=square.device))
    return torch.cholesky_solve(right.unsqueeze(-1), factor).squeeze(-1)


def prior_rows(covariance: Tensor) -> Tensor:
    """Rows Γ with ΓᵀΓ = Σ⁻¹, which say in data what a prior N(0, Σ) says in words.

    Γ = L⁻¹ with Σ = LLᵀ. Appended to data whose noise is one, with zero targets, they add wᵀΣ⁻¹w to the sum of
    squares: −2 ln of the prior's density.

    Args:
        covariance: Σ `(p, p)`, symmetric and positive.

    Raises:
        ShapeError: not a square.
        OptionError: not symmetric, or not positive.

    >>> prior_rows(torch.diag(torch.tensor([4.0, 0.25])))
    tensor([[0.5000, 0.0000],
            [0.0000, 2.0000]])
    """
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise ShapeError(f"the covariance has shape {tuple(covariance.shape)}; expected (p, p)")
    factor, trouble = torch.linalg.cholesky_ex(covariance)
    if int(trouble) or not torch.allclose(covariance, covariance.mT):
        raise OptionError("the covariance is not symmetric and positive; expected one that every direction has some of")
    return torch.linalg.solve_triangular(factor, torch.eye(len(factor), dtype=factor.dtype), upper=False)


def with_prior(
    matrix: Tensor, target: Tensor, covariance: Tensor, *, noise: Tensor | float = 1.0, mean: Tensor | float = 0.0
) -> tuple[Tensor, Tensor]:
    """The data and the prior N(mean, Σ) as one table of rows, all with noise one: X `(n + p, p)` and y `(n + p,)`.

    Ordinary least squares on it is the most probable w: −2 ln(likelihood · prior) is its sum of squares. With
    Σ = s²·I it is ridge with λ = noise²/s². `losses.Prior` does the same in ln(value/nominal), a tolerance being s.

    Args:
        matrix: X `(n, p)`.
        target: y `(n,)`.
        covariance: Σ `(p, p)` of the prior.
        noise: standard deviation of each target, a number or `(n,)`.
        mean: what the prior expects, a number or `(p,)`.

    Raises:
        ShapeError: shapes that do not agree.
        OptionError: a covariance that is not symmetric and positive.

    >>> x, y = with_prior(torch.tensor([[1.0], [2.0]]), torch.tensor([1.0, 3.0]), torch.tensor([[0.5]]))
    >>> torch.linalg.lstsq(x, y).solution
    tensor([1.])
    """
    check_rows(matrix, target)
    gamma = prior_rows(covariance)
    if gamma.shape[1] != matrix.shape[1]:
        raise ShapeError(f"a prior on {gamma.shape[1]} unknowns; X has {matrix.shape[1]}")
    sigma = torch.as_tensor(noise, dtype=matrix.dtype).expand(len(target))
    expected = torch.as_tensor(mean, dtype=matrix.dtype).expand(matrix.shape[1])
    return torch.cat([matrix / sigma.unsqueeze(-1), gamma]), torch.cat([target / sigma, gamma @ expected])
