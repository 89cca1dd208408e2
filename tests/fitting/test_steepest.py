"""Steps of steepest descent in any norm, against a search over all steps, and against the methods of a fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import nn

import circuits as cc
from circuits.errors import OptionError
from circuits.fitting.theory.steepest import conjugate, dual_vector, steepest_step

ORDERS = [1.0, 1.5, 2.0, 3.0, 8.0, math.inf]
G = torch.tensor([3.0, -4.0, 0.0, 0.5], dtype=torch.float64)


def price(step, g, alpha: float, order: float) -> float:
    return float(np.dot(g, step) + np.linalg.norm(step, order) ** 2 / alpha)


def test_the_lesson_s_two_answers():
    """ℓ2: −(α/2) g;  ℓ∞: −(α/2)‖g‖₁ sign(g); and ℓ1 moves one coordinate only."""
    alpha = 0.3
    torch.testing.assert_close(steepest_step(G, alpha), -alpha / 2 * G)
    torch.testing.assert_close(steepest_step(G, alpha, math.inf), -alpha / 2 * 7.5 * torch.sign(G))
    assert steepest_step(G, alpha, 1).tolist() == pytest.approx([0.0, 0.6, 0.0, 0.0])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("alpha", [0.1, 2.0])
def test_no_other_step_is_cheaper(order: float, alpha: float):
    best = steepest_step(G, alpha, order).numpy()
    least = price(best, G.numpy(), alpha, order)
    q = conjugate(order)
    assert least == pytest.approx(-alpha / 4 * np.linalg.norm(G.numpy(), q) ** 2, rel=1e-12)
    generator = np.random.default_rng(0)
    for scale in (1e-3, 1e-1, 1.0, 10.0):
        for _ in range(2000):
            assert price(best + scale * generator.normal(size=4), G.numpy(), alpha, order) >= least - 1e-12
    for trial in range(5):
        options = {"maxiter": 20_000, "maxfev": 20_000, "xatol": 1e-9, "fatol": 1e-12}
        start = generator.normal(size=4)
        found = minimize(price, start, (G.numpy(), alpha, order), method="Nelder-Mead", options=options)
        assert found.fun >= least - 1e-12, trial


@pytest.mark.parametrize("order", ORDERS)
def test_the_dual_vector_is_as_long_as_the_gradient_in_the_dual_norm(order: float):
    v = dual_vector(G, order)
    size = torch.linalg.vector_norm(G, ord=conjugate(order)).item()
    assert torch.linalg.vector_norm(v, ord=order).item() == pytest.approx(size, rel=1e-12)
    assert torch.dot(v, G).item() == pytest.approx(size**2, rel=1e-12)
    batch = torch.stack([G, 2 * G, torch.zeros(4)])
    torch.testing.assert_close(dual_vector(batch, order), torch.stack([v, 2 * v, torch.zeros(4)]))


def one_step(method) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradient met, and the step taken, by a method on a band-pass in logarithms."""
    data = cc.simulate(cc.BandPass(R_low=40.0, R_high=160.0), cc.log_grid(60, 10.0, 1e5))
    stop = cc.Stop(steps=1)
    found = cc.fit(cc.BandPass(R_low=80.0, R_high=300.0), data, method=method, stop=stop, history=True)
    return found.history.gradient[0, 0], found.history.values[:, 0].log().diff(dim=0)[0]


@pytest.mark.parametrize(
    ("method", "order"), [(cc.GradientDescent(0.1), 2.0), (cc.SignDescent(0.1, scaled=True), math.inf)], ids=repr
)
def test_methods_take_these_steps(method, order: float):
    """A learning rate is α/2."""
    gradient, step = one_step(method)
    torch.testing.assert_close(step, steepest_step(gradient, 0.2, order), rtol=1e-9, atol=1e-14)


def test_scaled_sign_descent_to_the_last_bit():
    """The sum of slopes times the sign, as it was written before norms were spoken of."""
    layer, x = nn.Linear(3, 1, bias=False).double(), torch.tensor([[1.0, 0.1, 0.01], [0.3, -0.7, 0.2]]).double()
    nn.init.constant_(layer.weight, 0.3)
    y, w = torch.tensor([[1.0], [0.5]]).double(), torch.full((3,), 0.3, dtype=torch.float64)
    method, stop = cc.SignDescent(0.1, shrink=0.7, scaled=True), cc.Stop(steps=30)
    found = cc.fit(layer, (x, y), method=method, stop=stop, history=True)
    size, g = torch.full((3,), 0.1, dtype=torch.float64), found.history.gradient[:, 0]
    for k in range(30):
        w = w - size * g[k].sign() * g[k].abs().sum(-1, keepdim=True)
        assert torch.equal(found.history.values[k + 1, 0], w)
        size = torch.where(g[k + 1] * g[k] < 0, size * 0.7, size)


def test_a_unit_of_length_is_a_change_of_coordinates():
    """Descent on ln R steps by −lr·R²·dL/dR in ohms, to first order: steepest when lengths are relative."""
    data = cc.simulate(cc.BandPass(R_low=40.0, R_high=160.0), cc.log_grid(60, 10.0, 1e5))
    values = torch.tensor([80.0, 300.0], dtype=torch.float64)
    lr, stop = 1e-6, cc.Stop(steps=1)

    def walk(coordinates: str):
        board, method = cc.BandPass(*values.tolist()), cc.GradientDescent(lr)
        return cc.fit(board, data, method=method, coordinates=coordinates, stop=stop, history=True).history

    in_ohms = walk("linear").gradient[0, 0]
    step = walk("log").values[:, 0].diff(dim=0)[0]
    torch.testing.assert_close(step, steepest_step(in_ohms, 2 * lr, size=values), rtol=1e-5, atol=0)


@pytest.mark.parametrize("order", [0.5, 0.0, -1.0, math.nan])
def test_below_one_there_is_no_norm(order: float):
    for call in (dual_vector, lambda g, p: steepest_step(g, 1.0, p)):
        with pytest.raises(OptionError, match="order"):
            call(G, order)


@pytest.mark.parametrize("alpha", [0.0, -1.0, math.nan])
def test_alpha_is_positive(alpha: float):
    with pytest.raises(OptionError, match="alpha"):
        steepest_step(G, alpha)
