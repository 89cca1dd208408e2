"""Noise on the inputs is ridge, by drawing it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import circuits as cc
from circuits.errors import OptionError, ShapeError
from circuits.fitting.theory.input_noise import expected_walk, noisy_curvature, noisy_loss, noisy_solution
from circuits.fitting.theory.learning_rates import stable_lr

X, Y = torch.tensor([[2.0]], dtype=torch.float64), torch.tensor([3.0], dtype=torch.float64)


def table(n: int = 6, p: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(*s, generator=generator, dtype=torch.float64) for s in ((n, p), (n,)))


@pytest.mark.parametrize("sigma", [0.1, 1.0])
def test_the_loss_averaged_over_drawn_noise(sigma: float):
    x, y = table()
    w = torch.tensor([1.0, -0.5, 2.0], dtype=torch.float64)
    noise = np.random.default_rng(0).normal(scale=sigma, size=(200_000, 6, 3))
    drawn = np.square(y.numpy() - (x.numpy() + noise) @ w.numpy()).mean(1)
    expected = noisy_loss(x, y, w, sigma).item()
    assert expected == pytest.approx(drawn.mean(), abs=4 * drawn.std() / np.sqrt(len(drawn)))
    bare = (y - x @ w).square().mean().item()
    assert expected - bare == pytest.approx(sigma**2 * 5.25, rel=1e-9)


def test_the_best_weights_are_ridge_on_the_mean_loss():
    x, y = table()
    sigma = 0.7
    w = noisy_solution(x, y, sigma)
    a = x.numpy()
    expected = np.linalg.solve(a.T @ a / 6 + sigma**2 * np.eye(3), a.T @ y.numpy() / 6)
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-10)
    leaf = w.clone().requires_grad_()
    noisy_loss(x, y, leaf, sigma).backward()
    assert leaf.grad.abs().max().item() < 1e-12
    assert noisy_solution(X, Y, sigma).item() == pytest.approx(6 / (4 + 0.49), rel=1e-12)


@pytest.mark.parametrize("sigma", [0.05, 0.5])
def test_a_fit_of_many_noisy_copies_finds_them(sigma: float):
    """Every row copied 40,000 times with noise of its own, and a plain least-squares fit on the pile."""
    x, y = table()
    generator = torch.Generator().manual_seed(1)
    copies = x.repeat(40_000, 1)
    copies = copies + sigma * torch.randn(copies.shape, generator=generator, dtype=torch.float64)
    layer = nn.Linear(3, 1, bias=False).double()
    nn.init.zeros_(layer.weight)
    found = cc.fit(layer, (copies, y.repeat(40_000).unsqueeze(-1)))
    difference = (layer.weight[0].detach() - noisy_solution(x, y, sigma)).abs()
    assert bool((difference < 5 * found.errors["weight"][0] + 1e-4).all())
    plain = torch.linalg.lstsq(x, y).solution
    assert layer.weight[0].detach().norm() < plain.norm()


def test_one_number_follows_the_recurrence_of_the_lesson():
    x, y, sigma, lr = 2.0, 3.0, 1.0, 0.1
    w, walk = 0.0, [0.0]
    for _ in range(50):
        w = (1 - lr * (x * x + sigma * sigma)) * w + lr * x * y
        walk.append(w)
    np.testing.assert_allclose(expected_walk(X, Y, sigma, lr=lr, steps=50)[:, 0].numpy(), walk, rtol=1e-12)
    assert walk[-1] == pytest.approx(x * y / (x * x + sigma * sigma), rel=1e-9)


def test_the_expectation_is_that_of_walks_with_fresh_noise():
    """20,000 walks of w ← w − η(x + ν)((x + ν)w − y); their mean, within four standard errors at every step."""
    generator = np.random.default_rng(0)
    lr, sigma, w = 0.1, 0.5, np.zeros(20_000)
    expected = expected_walk(X, Y, sigma, lr=lr, steps=25)[:, 0].numpy()
    for step in range(1, 26):
        noisy = 2.0 + sigma * generator.normal(size=w.shape)
        w -= lr * noisy * (noisy * w - 3.0)
        assert w.mean() == pytest.approx(expected[step], abs=4 * w.std() / np.sqrt(len(w)))


@pytest.mark.parametrize("sigma", [0.3, 1.0, 3.0])
def test_stable_up_to_two_over_x_squared_plus_sigma_squared(sigma: float):
    limit = stable_lr(noisy_curvature(X, sigma))
    assert limit == pytest.approx(2 / (4 + sigma**2), rel=1e-12)
    solution = 6 / (4 + sigma**2)
    near = expected_walk(X, Y, sigma, lr=0.98 * limit, steps=800)[-1].item()
    far = expected_walk(X, Y, sigma, lr=1.02 * limit, steps=800)[-1].item()
    assert near == pytest.approx(solution, rel=1e-6)
    assert abs(far) > 1e6


def test_several_weights_go_to_ridge_and_no_faster_than_their_curvatures():
    x, y = table()
    sigma = 0.7
    h = noisy_curvature(x, sigma)
    np.testing.assert_allclose(h.numpy(), np.linalg.eigvalsh(x.numpy().T @ x.numpy() / 6) + sigma**2, rtol=1e-10)
    walk = expected_walk(x, y, sigma, lr=0.9 * stable_lr(h), steps=800, start=1.0)
    torch.testing.assert_close(walk[-1], noisy_solution(x, y, sigma), rtol=1e-9, atol=1e-12)
    assert walk[0].tolist() == [1.0, 1.0, 1.0]


def test_noise_bad_input():
    with pytest.raises(OptionError, match="sigma=0"):
        noisy_solution(X, Y, 0)
    for call in (
        lambda: noisy_loss(X, torch.ones(2), torch.ones(1), 1.0),
        lambda: expected_walk(X, torch.ones(2), 1.0, lr=0.1, steps=1),
    ):
        with pytest.raises(ShapeError):
            call()
