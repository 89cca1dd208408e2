"""Noise on the inputs: on average it is a ridge penalty."""

from __future__ import annotations

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.theory.ridge import check_rows, ridge_solution


def noisy_loss(matrix: Tensor, target: Tensor, w: Tensor, sigma: float) -> Tensor:
    """The mean of (y − (x + ν)ᵀw)² over the rows and over noise ν ~ N(0, σ²I): mean (y − xᵀw)² + σ²‖w‖².

    Args:
        matrix: X `(n, p)`.
        target: y `(n,)`.
        w: weights `(p,)`.
        sigma: standard deviation of the noise on each input.

    Raises:
        ShapeError: shapes that do not agree.

    >>> noisy_loss(torch.tensor([[2.0]]), torch.tensor([3.0]), torch.tensor([1.0]), sigma=0.5)
    tensor(1.2500)
    """
    check_rows(matrix, target)
    return (target - matrix @ w).square().mean() + sigma**2 * w.square().sum()


def noisy_solution(matrix: Tensor, target: Tensor, sigma: float) -> Tensor:
    """The w that is best on average over the noise: ridge with λ = σ² on the mean loss, nσ² on the sum of squares.

    For one number x it is xy/(x² + σ²).

    Args:
        matrix: X `(n, p)`.
        target: y `(n,)`.
        sigma: standard deviation of the noise on each input, above 0.

    Raises:
        ShapeError: shapes that do not agree.
        OptionError: a σ that is not positive.

    >>> noisy_solution(torch.tensor([[2.0]]), torch.tensor([3.0]), sigma=1.0)
    tensor([1.2000])
    """
    if not sigma > 0:
        raise OptionError(f"sigma={sigma!r}; expected a positive standard deviation")
    return ridge_solution(matrix, target, len(target) * sigma**2)


def noisy_curvature(matrix: Tensor, sigma: float) -> Tensor:
    """Eigenvalues of XᵀX/n + σ²I, the curvatures of half the noisy loss: the noise is added to each.

    Descent of the expected weights is stable for learning rates below 2 over the largest: 2/(x² + σ²) for one number.

    >>> noisy_curvature(torch.tensor([[2.0, 0.0], [0.0, 0.2]]), sigma=1.0)
    tensor([1.0200, 3.0000])
    """
    return torch.linalg.eigvalsh(matrix.mT @ matrix / len(matrix)) + sigma**2


def expected_walk(matrix: Tensor, target: Tensor, sigma: float, *, lr: float, steps: int, start: float = 0.0) -> Tensor:
    """E[w] after each step of descent on half the squared error with fresh noise every step, `(steps + 1, p)`.

    E[w] ← (I − η(XᵀX/n + σ²I)) E[w] + ηXᵀy/n; for one number (1 − η(x² + σ²)) E[w] + ηxy. The noise of a step is
    independent of the weights that it meets, which is why the expectation follows a recurrence of its own.

    Args:
        matrix: X `(n, p)`.
        target: y `(n,)`.
        sigma: standard deviation of the noise on each input.
        lr: learning rate η.
        steps: how many.
        start: every weight at the start.

    Raises:
        ShapeError: shapes that do not agree.

    >>> expected_walk(torch.tensor([[2.0]]), torch.tensor([3.0]), 1.0, lr=0.1, steps=2).flatten()
    tensor([0.0000, 0.6000, 0.9000])
    """
    check_rows(matrix, target)
    n, p = matrix.shape
    shrink = torch.eye(p, dtype=matrix.dtype) * (1 - lr * sigma**2) - lr / n * (matrix.mT @ matrix)
    push = lr / n * (matrix.mT @ target)
    walk = [torch.full((p,), start, dtype=matrix.dtype)]
    for _ in range(steps):
        walk.append(shrink @ walk[-1] + push)
    return torch.stack(walk)
