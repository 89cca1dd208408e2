"""Stopping descent early does what a ridge penalty does: it leaves alone what the data hardly see."""

from __future__ import annotations

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.theory.momentum import Numbers, as_numbers
from circuits.fitting.theory.ridge import check_rows


def descent_filter(singular_value: Numbers, lr: float, steps: Numbers) -> Tensor:
    """Share of the way to the solution walked along a singular vector of X, from zero: 1 − (1 − ηs²)ᵗ.

    For descent on ½‖y − Xw‖². Where ηs²t ≪ 1 it is ηs²t: what is hardly seen is hardly touched.

    >>> descent_filter([1.0, 0.1], lr=0.5, steps=4)
    tensor([0.9375, 0.0199], dtype=torch.float64)
    """
    return 1 - (1 - lr * as_numbers(singular_value).square()) ** as_numbers(steps)


def ridge_filter(singular_value: Numbers, penalty: Numbers) -> Tensor:
    """The share that ridge with λ walks along the same: s²/(s² + λ). Descent for t steps is close to λ = 1/(ηt).

    >>> ridge_filter([1.0, 0.1], penalty=0.5)
    tensor([0.6667, 0.0196], dtype=torch.float64)
    """
    square = as_numbers(singular_value).square()
    return square / (square + as_numbers(penalty))


def descent_solution(matrix: Tensor, target: Tensor, *, lr: float, steps: int) -> Tensor:
    """Weights after t steps of descent on ½‖y − Xw‖² from zero, at once: V·diag((1 − (1 − ηs²)ᵗ)/s)·Uᵀy.

    Args:
        matrix: X `(n, p)`.
        target: y `(n,)`.
        lr: learning rate η.
        steps: t.

    Raises:
        ShapeError: shapes that do not agree.

    >>> descent_solution(torch.tensor([[1.0, 0.0], [0.0, 0.1]]), torch.tensor([1.0, 1.0]), lr=0.5, steps=4)
    tensor([0.9375, 0.1985])
    """
    check_rows(matrix, target)
    left, s, right = torch.linalg.svd(matrix, full_matrices=False)
    share = descent_filter(s, lr, steps).to(matrix.dtype)
    along = torch.where(s > 0, share / torch.where(s > 0, s, torch.ones_like(s)), torch.zeros_like(s))
    return right.mT @ (along * (left.mT @ target))


def norm_bound(matrix: Tensor, target: Tensor, *, lr: float, steps: int) -> float:
    """How long the weights of that descent can be at most: t·η·α‖y‖, with α the largest singular value of X.

    Each step adds at most ηα‖y‖, since ‖w_t‖ ≤ ‖(I − ηXᵀX) w_{t−1}‖ + η‖Xᵀy‖ and the first factor shrinks while
    η ≤ 2/α². The solution itself may be as long as ‖y‖ over the *smallest* singular value.

    Args:
        matrix: X `(n, p)`.
        target: y `(n,)`.
        lr: learning rate η, at most 2/α².
        steps: t.

    Raises:
        ShapeError: shapes that do not agree.
        OptionError: a learning rate that diverges.

    >>> norm_bound(torch.tensor([[1.0, 0.0], [0.0, 0.1]]), torch.tensor([1.0, 1.0]), lr=0.5, steps=4)
    2.8284
    """
    check_rows(matrix, target)
    alpha = torch.linalg.matrix_norm(matrix, 2).item()
    if not 0 < lr <= 2 / alpha**2:
        raise OptionError(f"lr={lr!r}; expected a learning rate above 0 and at most 2/α² = {2 / alpha**2:.6g}")
    return steps * lr * alpha * torch.linalg.vector_norm(target).item()
