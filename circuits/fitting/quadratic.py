"""The loss near a point, as Gauss–Newton sees it: loss + gᵀδ + ½ δᵀAδ, and the damped steps that follow from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Quadratic:
    """One quadratic a board: `loss (boards,)`, `gradient (boards, p)`, `curvature (boards, p, p)`."""

    loss: Tensor
    gradient: Tensor
    curvature: Tensor

    def take(self, rows: Tensor) -> Quadratic:
        """The quadratics of some of the boards."""
        return Quadratic(self.loss[rows], self.gradient[rows], self.curvature[rows])

    def sizes(self) -> Tensor:
        """Square root of the curvature along each coordinate alone, `(boards, p)`."""
        return self.curvature.diagonal(dim1=-2, dim2=-1).sqrt()

    def damped_step(self, damping: Tensor, scale: Tensor, blocked: Tensor | None) -> tuple[Tensor, Tensor]:
        """δ with (A + λD²) δ = −g for λ `(boards, 1)` and D `(boards, p)`, and its δᵀAδ; what is blocked stays."""
        gradient, matrix = self.gradient / scale, self.curvature / (scale.unsqueeze(-1) * scale.unsqueeze(-2))
        if blocked is not None:
            gradient = gradient.masked_fill(blocked, 0.0)
            matrix = matrix.masked_fill(blocked.unsqueeze(-1) | blocked.unsqueeze(-2), 0.0)
        if matrix.shape[-1] == 1:
            step = -gradient / (matrix.squeeze(-1) + damping)
            return step / scale, (step * step * matrix.squeeze(-1)).squeeze(-1)
        damped = matrix + torch.diag_embed(damping.expand_as(scale))
        factor, _ = torch.linalg.cholesky_ex(damped)
        step = -torch.cholesky_solve(gradient.unsqueeze(-1), factor)
        return step.squeeze(-1) / scale, (step.mT @ matrix @ step).reshape(-1)


@dataclass(frozen=True)
class Rows:
    """The same for a single board with one row a data point: A = JᵀJ, `jacobian (m, p)`, `residual (m,)`, g = Jᵀr.

    Working on the rows keeps twice the digits that the product JᵀJ would keep. `residual` is None for a likelihood that
    is no sum of squares.
    """

    loss: Tensor
    gradient: Tensor
    jacobian: Tensor
    residual: Tensor | None

    def take(self, rows: Tensor) -> Rows:
        """There is only one board to take."""
        return self

    def sizes(self) -> Tensor:
        """Norm of every column of J, `(1, p)`."""
        return torch.linalg.vector_norm(self.jacobian, dim=0).unsqueeze(0)

    def damped_step(self, damping: Tensor, scale: Tensor, blocked: Tensor | None) -> tuple[Tensor, Tensor]:
        """The same step from the singular values of the scaled Jacobian."""
        jacobian, gradient = self.jacobian / scale, self.gradient / scale
        if blocked is not None:
            jacobian, gradient = jacobian.masked_fill(blocked, 0.0), gradient.masked_fill(blocked, 0.0)
        if not bool(torch.isfinite(jacobian).all()):
            nothing = torch.full_like(gradient, math.nan)
            return nothing, nothing.sum(-1)
        left, values, right = torch.linalg.svd(jacobian, full_matrices=False)
        along = right @ gradient[0] if self.residual is None else values * (left.T @ self.residual)
        along = along / (values**2 + damping[0])
        return -(right.T @ along).unsqueeze(0) / scale, ((values * along) ** 2).sum().reshape(1)

    def with_residual(self, residual: Tensor) -> Rows:
        """The same rows for other residuals."""
        return Rows(self.loss, (self.jacobian.T @ residual).unsqueeze(0), self.jacobian, residual)
