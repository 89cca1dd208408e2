"""Momentum on a parabola, against NumPy's eigenvalues, brute force and `GradientDescent` itself, step by step."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import circuits as cc
from circuits.errors import OptionError
from circuits.fitting.theory.learning_rates import best_lrs, curvature_of, stable_lr, steps_within
from circuits.fitting.theory.momentum import best_momentum, contraction, errors_by_step, iteration_matrix, repeated_lrs

CASES = [(sigma, beta) for sigma in (0.2, 1.0, 3.0) for beta in (1.0, 0.5, 0.1, 0.01)]


def by_hand(sigma: float, lr: float, beta: float, steps: int) -> np.ndarray:
    """Errors of z ← (1−β)z + βg, w ← w − ηz on the loss (σw)², from w = 1 and z = 0."""
    w, z, walk = 1.0, 0.0, [1.0]
    for _ in range(steps):
        z = (1 - beta) * z + beta * 2 * sigma * sigma * w
        w = w - lr * z
        walk.append(w)
    return np.array(walk)


@pytest.mark.parametrize(("sigma", "beta"), CASES)
@pytest.mark.parametrize("share", [0.1, 0.6, 0.97])
def test_the_matrix_is_that_of_the_lesson_and_walks_as_the_loop_does(sigma: float, beta: float, share: float):
    lr = share * (2 - beta) / (beta * sigma**2)
    matrix = iteration_matrix(curvature_of(sigma), lr, 1 - beta)
    published = np.array([[1 - beta, 2 * beta * sigma**2], [-lr * (1 - beta), 1 - 2 * lr * beta * sigma**2]])
    np.testing.assert_allclose(matrix.numpy(), published, rtol=1e-12)
    assert torch.linalg.det(matrix).item() == pytest.approx(1 - beta, abs=1e-12)
    walk = by_hand(sigma, lr, beta, 60)
    powers = [(np.linalg.matrix_power(published, k) @ [0.0, 1.0])[1] for k in range(61)]
    np.testing.assert_allclose(walk, powers, rtol=1e-9, atol=1e-12)
    found = errors_by_step(curvature_of(sigma), lr, 1 - beta, steps=60)
    np.testing.assert_allclose(found.numpy(), walk, rtol=1e-9, atol=1e-12)
    radius = np.abs(np.linalg.eigvals(published)).max()
    assert contraction(curvature_of(sigma), lr, 1 - beta).item() == pytest.approx(radius, abs=1e-7)


@pytest.mark.parametrize(("sigma", "beta"), CASES)
def test_stable_up_to_two_minus_beta_over_beta_sigma_squared(sigma: float, beta: float):
    """The real-eigenvalue bound, where −1 becomes an eigenvalue: by the walk itself, not by the formula."""
    limit = stable_lr(curvature_of(sigma), 1 - beta)
    assert limit == pytest.approx((2 - beta) / (beta * sigma**2), rel=1e-12)
    assert np.abs(by_hand(sigma, 0.99 * limit, beta, int(1200 / beta))[-10:]).max() < 1e-6
    assert np.abs(by_hand(sigma, 1.01 * limit, beta, 1200)[-10:]).max() > 1e6
    eigenvalues = np.linalg.eigvals(iteration_matrix(curvature_of(sigma), limit, 1 - beta).numpy())
    assert np.isclose(eigenvalues, -1.0, atol=1e-9).any()


@pytest.mark.parametrize(("sigma", "beta"), [case for case in CASES if case[1] < 1])
def test_repeated_eigenvalues_and_the_complex_ones_between(sigma: float, beta: float):
    low, high = (end.item() for end in repeated_lrs(curvature_of(sigma), 1 - beta))
    for end, sign in ((low, -1), (high, 1)):
        assert end == pytest.approx((1 + sign * math.sqrt(1 - beta)) ** 2 / (2 * beta * sigma**2), rel=1e-12)
    for lr in np.linspace(low * (1 + 1e-9), high * (1 - 1e-9), 7):
        values = np.linalg.eigvals(iteration_matrix(curvature_of(sigma), lr, 1 - beta).numpy())
        np.testing.assert_allclose(np.abs(values), math.sqrt(1 - beta), rtol=1e-5)
    for lr in (0.9 * low, 1.1 * high):
        values = np.linalg.eigvals(iteration_matrix(curvature_of(sigma), lr, 1 - beta).numpy())
        assert np.isreal(values).all()
        assert np.abs(values).max() > math.sqrt(1 - beta)


def test_the_published_example():
    """β = 0.1, σ² = 5 and 0.05, to 99.9 %: any η in [0.2634, 3.7973] gives √0.9 and 132 steps, plain descent 346."""
    h = curvature_of([math.sqrt(5), math.sqrt(0.05)])
    low, high = best_lrs(h, momentum=0.9)
    assert 0.2633 < low <= 0.2634 and 3.7973 <= high < 3.7974
    tried = np.linspace(0.0, 3.9, 4001)
    slowest = contraction(h.unsqueeze(-1), torch.as_tensor(tried), 0.9).amax(0).numpy()
    inside = (tried >= low) & (tried <= high)
    np.testing.assert_allclose(slowest[inside], math.sqrt(0.9), atol=1e-9)
    assert (slowest[~inside] > math.sqrt(0.9) + 1e-9).all()
    assert steps_within(1e-3, math.sqrt(0.9)) == 132
    assert steps_within(1e-3, contraction(h, best_lrs(h)[0]).max()) == 346


@pytest.mark.parametrize("momentum", [0.0, 0.2, 0.5, 0.6694, 0.7, 0.9])
@pytest.mark.parametrize("kappa", [1.0, 3.0, 100.0])
def test_no_other_learning_rate_is_better(momentum: float, kappa: float):
    h = torch.tensor([2.0, 2.0 * kappa])
    low, high = best_lrs(h, momentum)
    assert 0 < low <= high < stable_lr(h, momentum)
    tried = torch.linspace(0, stable_lr(h, momentum), 50_001, dtype=torch.float64)
    least = contraction(h.unsqueeze(-1), tried, momentum).amax(0).min().item()
    for lr in (low, high, math.sqrt(low * high)):
        assert contraction(h, lr, momentum).max().item() <= least + 1e-6


@pytest.mark.parametrize("kappa", [1.0, 4.0, 100.0, 1e6])
def test_no_other_pair_is_better(kappa: float):
    h = torch.tensor([0.3, 0.3 * kappa], dtype=torch.float64)
    momentum, lr = best_momentum(h)
    rate = contraction(h, lr, momentum).max().item()
    root = (math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1)
    assert momentum == pytest.approx(root**2, abs=1e-12)
    assert rate == pytest.approx(root, abs=1e-6)
    for other in np.linspace(0.0, 0.999, 200):
        tried = torch.linspace(1e-9, stable_lr(h, other), 501, dtype=torch.float64)
        assert contraction(h.unsqueeze(-1), tried, other).amax(0).min().item() >= rate - 1e-6


@pytest.mark.parametrize(("lr", "momentum"), [(0.2634, 0.9), (3.7, 0.9), (0.19, 0.0), (0.5, 0.6)])
def test_gradient_descent_walks_as_the_matrix_says(lr: float, momentum: float):
    layer, sigma = nn.Linear(2, 1, bias=False).double(), torch.tensor([5.0, 0.05]).double().sqrt()
    nn.init.ones_(layer.weight)
    data = (math.sqrt(2) * torch.diag(sigma), torch.zeros(2, 1, dtype=torch.float64))
    method, stop = cc.GradientDescent(lr, momentum), cc.Stop(steps=150)
    found = cc.fit(layer, data, method=method, stop=stop, history=True)
    expected = errors_by_step(curvature_of(sigma), lr, momentum, steps=150)
    torch.testing.assert_close(found.history.values[:, 0], expected, rtol=1e-8, atol=1e-12)


def test_a_hilltop_and_the_torch_of_another_convention():
    """torch.optim.SGD keeps v = z/β, so that lr·β there walks as lr here."""
    assert contraction(-1.0, 0.1, 0.9).item() > 1
    w = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimiser, walk = torch.optim.SGD([w], lr=0.5 * 0.1, momentum=0.9), [1.0]
    for _ in range(50):
        optimiser.zero_grad()
        (5 * w.square()).sum().backward()
        optimiser.step()
        walk.append(w.item())
    np.testing.assert_allclose(walk, errors_by_step(10.0, 0.5, 0.9, steps=50).numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("momentum", [-0.1, 1.0, 2.0, math.nan])
def test_momentum_is_a_share(momentum: float):
    for call in (iteration_matrix, contraction):
        with pytest.raises(OptionError, match="0 ≤ momentum < 1"):
            call(1.0, 0.1, momentum)
