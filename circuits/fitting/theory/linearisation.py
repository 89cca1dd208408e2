"""A model near where it stands: ŷ(θ + δ) ≈ ŷ(θ) + Φδ, with the features Φ = ∂ŷ/∂θ, and what their SVD says.

The columns of Φ are functions of the input, one a parameter, and all that a small change of the parameters can add to
the prediction is a sum of them. Φ = U S Vᵀ sorts these sums: column k of U is a *principal feature*, row k of Vᵀ the
combination of parameters that makes it, and the singular value s_k how much of it a change of length one makes. A
combination with s = 0 is one that no measurement at these inputs can see.

References: G. H. Golub and C. F. Van Loan, Matrix Computations, 4th ed., 2013, section 2.4 (SVD); A. Jacot, F. Gabriel,
C. Hongler, Neural Tangent Kernel, 2018 (networks as linear models of these features).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from circuits.circuit import Circuit
from circuits.errors import OptionError, ShapeError
from circuits.fitting.learnable import Fixed, find_learnable
from circuits.fitting.model import CircuitModel, ModuleModel
from circuits.fitting.movement import How, make_coordinates
from circuits.fitting.problem import Problem
from circuits.fitting.uncertainty import NULL_SINGULAR

SHOWN = 4
"""Combinations, and names in each, that are written out."""


@dataclass(frozen=True, repr=False)
class Features:
    """The features of a model and their singular value decomposition, Φ = U S Vᵀ.

    Args:
        names: what the p columns are derivatives by.
        table: Φ, `(m, p)`, one row a number predicted; a complex prediction counts as two numbers.

    >>> phi = Features(("a", "b"), torch.tensor([[3.0, 3.0], [0.0, 0.0], [4.0, 4.0]]))
    >>> phi.rank, phi.combination(0)
    (1, {'a': 0.707..., 'b': 0.707...})
    >>> print(phi)
    1 of 2 combinations of a, b can be seen in 3 numbers
    singular value 7.07: 0.71 a + 0.71 b
    singular value 0: 0.71 a - 0.71 b, which no number here depends on
    """

    names: tuple[str, ...]
    table: Tensor

    @cached_property
    def _svd(self) -> tuple[Tensor, Tensor, Tensor]:
        left, values, right = torch.linalg.svd(self.table, full_matrices=False)
        largest = right.gather(1, right.abs().argmax(1, keepdim=True))
        sign = torch.where(largest < 0, -1.0, 1.0).to(left)  # the SVD leaves it open
        return left * sign.T, values, (right * sign).T

    @property
    def singular_values(self) -> Tensor:
        """s₁ ≥ s₂ ≥ … ≥ 0, `(min(m, p),)`."""
        return self._svd[1]

    @property
    def principal(self) -> Tensor:
        """The principal features over the inputs, orthonormal columns U, `(m, min(m, p))`."""
        return self._svd[0]

    @property
    def directions(self) -> Tensor:
        """Combinations of the parameters, orthonormal columns V, `(p, min(m, p))`; the largest entry is positive."""
        return self._svd[2]

    @property
    def rank(self) -> int:
        """How many combinations change the prediction at all, beyond rounding."""
        small = max(NULL_SINGULAR, torch.finfo(self.table.dtype).eps * max(self.table.shape))
        return int((self.singular_values > small * self.singular_values.amax()).sum())

    def __str__(self) -> str:
        total, known = min(self.table.shape), self.rank
        names = ", ".join(self.names[:SHOWN]) + (f" and {len(self.names) - SHOWN} more" * (len(self.names) > SHOWN))
        lines = [f"{known} of {len(self.names)} combinations of {names} can be seen in {len(self.table)} numbers"]
        for k in range(min(total, SHOWN)):
            unseen = ", which no number here depends on" if k >= known else ""
            value = self.singular_values[k].item() if k < known else 0.0
            lines.append(f"singular value {value:.3g}: {self._written(k)}{unseen}")
        return "\n".join(lines + ["…"] * (total > SHOWN))

    def __repr__(self) -> str:
        return f"Features(rank {self.rank} of {len(self.names)}, {len(self.table)} numbers)"

    def _written(self, k: int) -> str:
        """Combination k, its largest parts first, as a sum."""
        parts = sorted(self.combination(k).items(), key=lambda part: -abs(part[1]))
        parts = [(name, share) for name, share in parts if abs(share) >= 0.005][:SHOWN]
        text = " ".join(f"{'-' if share < 0 else '+'} {abs(share):.2f} {name}" for name, share in parts)
        return text.removeprefix("+ ")

    def combination(self, k: int) -> dict[str, float]:
        """Combination k by name; for logarithms of components the exponents of a product."""
        return dict(zip(self.names, self.directions[:, k].tolist(), strict=True))

    def captured(self, target: Tensor) -> Tensor:
        """Share of Σ target² that the first 1, 2, … principal features can make, `(min(m, p),)`.

        A principal feature of singular value zero makes nothing, and adds nothing.
        """
        column = self._column(target)
        along = (self.principal.T @ column).square()
        along[self.rank :] = 0.0
        return along.cumsum(0) / column.square().sum()

    def change(self, target: Tensor, count: int | None = None) -> Tensor:
        """The shortest change δ of the parameters with Φδ closest to the target, `(p,)`.

        With `count`, only through the first so many principal features: δ = Σ v_k (u_kᵀ target) / s_k.

        >>> phi = Features(("R", "C"), torch.tensor([[1.0, 1.0], [2.0, 2.0]]))
        >>> phi.change(torch.tensor([2.0, 4.0]))
        tensor([1.0000, 1.0000])
        """
        count = self._checked(count)
        along = self.principal[:, :count].T @ self._column(target)
        return self.directions[:, :count] @ (along / self.singular_values[:count])

    def continued(self, other: Features, count: int | None = None) -> Tensor:
        """The first `count` principal features at the inputs of `other`, Φ′ v_k / s_k, `(m′, count)`; None: `rank`."""
        if other.names != self.names:
            raise ShapeError(f"features by {len(other.names)} parameters; expected the same {len(self.names)} as here")
        count = self._checked(count)
        return other.table @ self.directions[:, :count] / self.singular_values[:count]

    def shared(self, other: Features, count: int) -> float:
        """How much of the first `count` principal features those of `other` span too, between 0 and 1.

        ‖UᵀU′‖²/count over the same inputs: one if the two sets make the same functions, as they do while a model moves
        so little that it stays its own linearisation.
        """
        if len(self.table) != len(other.table):
            raise ShapeError(f"features over {len(other.table)} numbers; expected the same {len(self.table)} as here")
        mine, theirs = self.principal[:, : self._checked(count)], other.principal[:, : other._checked(count)]
        return ((mine.T @ theirs).square().sum() / max(count, 1)).item()

    def _checked(self, count: int | None) -> int:
        count = self.rank if count is None else count
        if not 0 <= count <= self.rank:
            raise OptionError(f"count={count} principal features; these features have rank {self.rank}")
        return count

    def _column(self, target: Tensor) -> Tensor:
        column = torch.view_as_real(target) if target.is_complex() else target
        if column.numel() != len(self.table):
            raise ShapeError(f"a target of {column.numel()} numbers for features of {len(self.table)}; give one a row")
        return column.reshape(-1).to(self.table)


def features(
    module: nn.Module, x: Any, quantity: str = "magnitude", *, coordinates: How = None, fixed: Fixed = None
) -> Features:
    """Features of a module at inputs x, ∂ŷ/∂θ, with the values that it holds now.

    Args:
        module: a circuit of one board, or any module.
        x: frequencies in hertz for a circuit, else what the module is called with (a tuple is unpacked).
        quantity: of a circuit: `magnitude`, `decibels`, `response`, `phase`, …
        coordinates: "log" for derivatives by the logarithms of the values, "linear" by the values, or a mapping; None
            is "log" for a circuit, as in `fit`.
        fixed: names that do not move.

    Raises:
        ShapeError: a batch of boards. UnknownName: no such quantity or component.
        OptionError: nothing is left to move.

    >>> import circuits as cc
    >>> board = cc.LowPass(R=200.0)
    >>> _ = board.C.requires_grad_()
    >>> phi = features(board, [100.0, 1000.0])
    >>> phi.names, phi.rank
    (('R', 'C'), 1)
    """
    learnable = find_learnable(module, fixed)
    if isinstance(module, Circuit):
        if module.batch_shape:
            raise ShapeError(f"a batch of boards {tuple(module.batch_shape)}; features are those of a single board")
        model = CircuitModel(module, learnable, module._checked(x), quantity, ())
    else:
        model = ModuleModel(module, learnable, x if isinstance(x, tuple) else (x,))
    values = model.values()
    _, jacobian = model.linearize(values)
    jacobian = torch.view_as_real(jacobian) if jacobian.is_complex() else jacobian
    table = jacobian.reshape(len(model.names), -1)
    slope = make_coordinates(model, coordinates, None).slope(values)
    return Features(model.names, (table if slope is None else table * slope.T).T)


def problem_features(problem: Problem, x: Tensor) -> Features:
    """The features that a fit works with at coordinates x `(1, p)`: weighted, so that ΦᵀΦ is its curvature.

    Row i is ∂ŷᵢ/∂x times √(cᵢ/N), with the curvature cᵢ of the loss in the prediction (2/σ² for squares) and N points;
    a prior adds a row. The singular values squared are the eigenvalues of the Gauss–Newton matrix, and
    `Fit.identifiability` and `Fit.covariance` are read off the same numbers, after scaling each column to length one.

    >>> import circuits as cc
    >>> found = cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), cc.log_grid(30, 10.0, 1e5)))
    >>> phi = problem_features(found.final_problem(), found.end)
    >>> curvature = found.final_problem().quadratic(found.end).curvature
    >>> torch.allclose(phi.table.T @ phi.table, curvature)
    True
    """
    return Features(problem.model.names, problem.rows(x).jacobian)
