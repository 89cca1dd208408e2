"""Stopping early regularises: closed forms against walks of `cc.fit`."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import circuits as cc
from circuits.errors import OptionError, ShapeError
from circuits.fitting.theory.early_stopping import descent_filter, descent_solution, norm_bound, ridge_filter
from circuits.fitting.theory.ridge import ridge_solution

S = torch.tensor([3.0, 1.0, 1e-3], dtype=torch.float64)


def ill_conditioned(n: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    left, right = (
        torch.linalg.qr(torch.randn(size, 3, generator=generator, dtype=torch.float64))[0] for size in (n, 3)
    )
    return left @ torch.diag(S) @ right.T, torch.randn(n, generator=generator, dtype=torch.float64)


def walk(x: torch.Tensor, y: torch.Tensor, lr: float, steps: int) -> torch.Tensor:
    """Weights by `cc.fit`, whose loss is the mean: ½ of the sum of squares is n/2 of it."""
    layer = nn.Linear(x.shape[1], 1, bias=False).double()
    nn.init.zeros_(layer.weight)
    method = cc.GradientDescent(lr * len(y) / 2)
    stop = cc.Stop(steps=steps)
    return cc.fit(layer, (x, y.unsqueeze(-1)), method=method, stop=stop, history=True).history.values[:, 0]


@pytest.mark.parametrize("lr", [0.01, 0.1, 0.2])
def test_descent_after_every_step(lr: float):
    x, y = ill_conditioned()
    found = walk(x, y, lr, 200)
    for t in (0, 1, 2, 17, 200):
        torch.testing.assert_close(found[t], descent_solution(x, y, lr=lr, steps=t), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_a_step_lengthens_the_weights_by_no_more_than_lr_alpha_y(share: float):
    x, y = ill_conditioned()
    lr, size = share * 2 / 9.0, y.norm().item()
    length = walk(x, y, lr, 300).norm(dim=-1)
    assert bool((length.diff() <= lr * 3.0 * size * (1 + 1e-12)).all())
    bounds = [norm_bound(x, y, lr=lr, steps=t) for t in range(301)]
    assert bool((length <= torch.tensor(bounds, dtype=torch.float64) + 1e-12).all())
    assert bounds[10] == pytest.approx(10 * lr * 3.0 * size, rel=1e-9)


def test_the_solution_explodes_where_descent_does_not():
    """Along the singular value 0.001 inversion multiplies the noise by 1000; descent for 100 steps hardly moves."""
    x, y = ill_conditioned()
    inverse, early = torch.linalg.lstsq(x, y).solution, descent_solution(x, y, lr=0.2, steps=100)
    assert inverse.norm().item() > 100 * early.norm().item()
    assert (x @ early - y).norm().item() < 1.5 * y.norm().item()


def test_filters():
    s = np.array([2.0, 1.0, 0.1, 1e-3])
    by_loop = np.zeros(4)
    for _ in range(50):
        by_loop = by_loop - 0.3 * s * (s * by_loop - s)  # towards 1 along every direction
    np.testing.assert_allclose(descent_filter(torch.tensor(s), 0.3, 50).numpy(), by_loop, rtol=1e-9)
    np.testing.assert_allclose(ridge_filter(torch.tensor(s), 0.2).numpy(), s**2 / (s**2 + 0.2), rtol=1e-12)
    x, y = ill_conditioned()
    left, values, right = torch.linalg.svd(x, full_matrices=False)
    expected = right.T @ (ridge_filter(values, 0.4) / values * (left.T @ y))
    torch.testing.assert_close(ridge_solution(x, y, 0.4), expected, rtol=1e-9, atol=0)


def test_a_number_of_steps_is_nearly_a_penalty():
    """With λ = 1/(ηt) the two filters differ by at most 0.21, wherever ηs² is small."""
    product = torch.logspace(-4, 4, 2001, dtype=torch.float64)  # ηs²t = s²/λ
    lr, steps = 1e-6, 1_000_000
    s = (product / (lr * steps)).sqrt()
    apart = descent_filter(s[product < 1e3], lr, steps) - ridge_filter(s[product < 1e3], 1 / (lr * steps))
    assert apart.min() >= 0 and apart.max() == pytest.approx(0.2037, abs=1e-3)
    assert math.isclose(descent_filter(1e-6, 0.1, 10).item(), ridge_filter(1e-6, 1.0).item(), rel_tol=1e-3)


def test_a_direction_that_is_not_seen_stays_at_zero():
    x = torch.tensor([[1.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    found = descent_solution(x, torch.tensor([1.0, 2.0]).double(), lr=0.1, steps=1000)
    assert found.tolist() == pytest.approx([1.0, 0.0], abs=1e-9)


def test_early_stopping_bad_input():
    x, y = ill_conditioned()
    with pytest.raises(OptionError, match="2/α²"):
        norm_bound(x, y, lr=0.3, steps=1)
    with pytest.raises(ShapeError):
        descent_solution(x, y[:2], lr=0.1, steps=1)
