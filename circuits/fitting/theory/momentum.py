"""Descent with momentum on a parabola: a two-by-two matrix whose eigenvalues tell everything.

Along an axis of curvature h the loss is ½h·e² in the distance e from the minimum, and a step of
`GradientDescent(lr, momentum)` with m = momentum, β = 1 − m is linear in the pair (z, e):

    z ← m·z + β·h·e,   e ← e − lr·z,   that is   (z, e) ← R (z, e).

A loss (y − σw)² has h = 2σ². Reference: B. T. Polyak, Some methods of speeding up the convergence of iteration
methods (1964), where the average z is written lr·z/β.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from circuits.errors import OptionError

Numbers = float | list[float] | tuple[float, ...] | Tensor


def as_numbers(numbers: Numbers) -> Tensor:
    """Numbers as a float64 tensor, whatever they came as."""
    return torch.as_tensor(numbers, dtype=torch.float64)


def check_momentum(momentum: float) -> float:
    """The momentum, if it is a share.

    Raises:
        OptionError: a momentum outside [0, 1).
    """
    if not 0 <= momentum < 1:
        raise OptionError(f"momentum={momentum!r}; expected 0 ≤ momentum < 1")
    return momentum


def as_curvatures(curvature: Numbers) -> Tensor:
    """Curvatures as a float64 tensor, if all are above zero.

    Raises:
        OptionError: none, or one that is not positive and finite.
    """
    table = as_numbers(curvature)
    if table.numel() == 0 or not bool(((table > 0) & torch.isfinite(table)).all()):
        raise OptionError(f"curvature={table.tolist()}; expected positive numbers: only a valley has a stable rate")
    return table


def iteration_matrix(curvature: Numbers, lr: Numbers, momentum: float = 0.0) -> Tensor:
    """The matrix R that one step applies to (z, e), `(…, 2, 2)`: `[[m, βh], [−lr·m, 1 − lr·βh]]`.

    Its determinant is m, whatever the learning rate; its trace is 1 + m − lr·βh.

    Args:
        curvature: h, the second derivative of the loss along an axis; any shape.
        lr: learning rate; broadcasts with it.
        momentum: share m = 1 − β of the old average that is kept.

    Raises:
        OptionError: a momentum outside [0, 1).

    >>> iteration_matrix(10.0, 0.1, momentum=0.75)
    tensor([[ 0.7500,  2.5000],
            [-0.0750,  0.7500]], dtype=torch.float64)
    """
    m = check_momentum(momentum)
    h, rate = torch.broadcast_tensors(as_numbers(curvature), as_numbers(lr))
    push = (1 - m) * h
    rows = [torch.stack([torch.full_like(h, m), push], -1), torch.stack([-m * rate, 1 - rate * push], -1)]
    return torch.stack(rows, -2)


def contraction(curvature: Numbers, lr: Numbers, momentum: float = 0.0) -> Tensor:
    """The factor by which each step shrinks the error in the long run: the spectral radius of `iteration_matrix`.

    With t = 1 + m − lr·βh the eigenvalues are ½(t ± √(t² − 4m)). While they are complex their modulus is √m, whatever
    the curvature; without momentum the factor is |1 − lr·h|.

    Args:
        curvature: h along each axis; any shape, negative for a hilltop.
        lr: learning rate; broadcasts with it.
        momentum: share of the old average that is kept.

    Raises:
        OptionError: a momentum outside [0, 1).

    >>> contraction([0.1, 10.0], 0.1), contraction([0.1, 10.0], 0.1, momentum=0.81)
    (tensor([0.9900, 0.0000], dtype=torch.float64), tensor([0.9895, 0.9000], dtype=torch.float64))
    """
    m = check_momentum(momentum)
    trace = 1 + m - as_numbers(lr) * ((1 - m) * as_numbers(curvature))
    return torch.where(
        trace.square() <= 4 * m,
        torch.full_like(trace, math.sqrt(m)),
        (trace.abs() + (trace.square() - 4 * m).clamp_min(0).sqrt()) / 2,
    )


def repeated_lrs(curvature: Numbers, momentum: float) -> tuple[Tensor, Tensor]:
    """The two learning rates at which both eigenvalues are equal: (1 ∓ √m)²/(βh).

    Between them the eigenvalues are complex, of modulus √m; outside they are real, and the larger is larger.

    Args:
        curvature: h > 0 along each axis.
        momentum: share m = 1 − β of the old average that is kept.

    Raises:
        OptionError: a curvature that is not positive, or a momentum outside [0, 1).

    >>> low, high = repeated_lrs([0.1, 10.0], momentum=0.9)
    >>> low[0], high[1]
    (tensor(0.2633, dtype=torch.float64), tensor(3.7974, dtype=torch.float64))
    """
    m = check_momentum(momentum)
    push = (1 - m) * as_curvatures(curvature)
    return (1 - math.sqrt(m)) ** 2 / push, (1 + math.sqrt(m)) ** 2 / push


def best_momentum(curvature: Numbers) -> tuple[float, float]:
    """The momentum, and the learning rate with it, that no other pair beats on these curvatures.

    √m = (√κ − 1)/(√κ + 1) with κ = h_max/h_min. Both ends of the range are then repeated eigenvalues, and the error
    shrinks by √m a step where plain descent manages (κ − 1)/(κ + 1).

    Args:
        curvature: h > 0 along each axis; those between the smallest and the largest change nothing.

    Raises:
        OptionError: a curvature that is not positive.

    >>> best_momentum([1.0, 100.0])
    (0.6694214876, 0.1)
    """
    h = as_curvatures(curvature)
    low, high = math.sqrt(float(h.min())), math.sqrt(float(h.max()))
    root = (high - low) / (high + low)
    m = root * root
    return m, (1 - root) ** 2 / ((1 - m) * low * low)


def errors_by_step(curvature: Numbers, lr: float, momentum: float = 0.0, *, steps: int) -> Tensor:
    """The error after each step, of a walk that begins with error 1 and no average: `(steps + 1, …)`.

    It is the second component of Rᵏ(0, 1). In the long run it shrinks by `contraction` a step; before that it may
    swing.

    Args:
        curvature: h along each axis; any shape.
        lr: learning rate.
        momentum: share of the old average that is kept.
        steps: how many.

    Raises:
        OptionError: a momentum outside [0, 1).

    >>> errors_by_step(10.0, 0.05, steps=3)
    tensor([1.0000, 0.5000, 0.2500, 0.1250], dtype=torch.float64)
    """
    matrix = iteration_matrix(curvature, lr, momentum)
    pair = torch.zeros(*matrix.shape[:-2], 2, dtype=matrix.dtype)
    pair[..., 1] = 1.0
    walk = [pair]
    for _ in range(steps):
        walk.append((matrix @ walk[-1].unsqueeze(-1)).squeeze(-1))
    return torch.stack(walk)[..., 1]
