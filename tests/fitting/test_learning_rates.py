"""Stable and best learning rates, and steps to arrive, against plain simulation and against walks of a fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import circuits as cc
from circuits.errors import OptionError
from circuits.fitting.theory.learning_rates import best_lrs, curvature_of, stable_lr, steps_within
from circuits.fitting.theory.momentum import contraction


def descend(sigma: float, lr: float, steps: int, y: float = 1.0) -> float:
    """Distance from y/σ, as a share of the first, after plain descent on (y − σw)² from zero."""
    w = 0.0
    for _ in range(steps):
        w -= lr * 2 * sigma * (sigma * w - y)
    return abs(w - y / sigma) / (y / sigma)


@pytest.mark.parametrize("sigma", [0.01, 1.0, 30.0])
def test_one_weight_is_stable_up_to_one_over_sigma_squared(sigma: float):
    limit = stable_lr(curvature_of(sigma))
    assert limit == pytest.approx(1 / sigma**2, rel=1e-12)
    assert descend(sigma, 0.98 * limit, 400) < 1e-5
    assert descend(sigma, 1.02 * limit, 400) > 1e3


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5 + 1e-9, 0.8, 0.99])
def test_steps_to_within_epsilon(share: float):
    """ln ε/ln|1 − 2ησ²|, rounded up: there the error is below ε, one step before it is not."""
    sigma, epsilon = 0.7, 1e-3
    lr = share / sigma**2
    steps = steps_within(epsilon, contraction(curvature_of(sigma), lr))
    assert steps == max(1, math.ceil(math.log(epsilon) / math.log(abs(1 - 2 * lr * sigma**2))))
    assert descend(sigma, lr, int(steps)) <= epsilon * (1 + 1e-9)
    assert steps == 1 or descend(sigma, lr, int(steps) - 1) > epsilon


@pytest.mark.parametrize("singular", [[0.5, 3.0], [1.0, 1.0], [0.01, 7.0]])
def test_two_singular_values(singular: list[float]):
    """η < 1/σ_max², η* = 1/(σ_min² + σ_max²) and the rate (κ² − 1)/(κ² + 1), found here by trying every rate."""
    low, high = min(singular), max(singular)
    h = curvature_of(singular)
    assert stable_lr(h) == pytest.approx(1 / high**2, rel=1e-12)
    best, same = best_lrs(h)
    assert best == same == pytest.approx(1 / (low**2 + high**2), rel=1e-12)
    kappa = high / low
    rate = (kappa**2 - 1) / (kappa**2 + 1)
    assert contraction(h, best).max().item() == pytest.approx(rate, abs=1e-12)
    tried = np.linspace(0.0, 2.5 * best, 20_001)
    slowest = np.abs(1 - 2 * np.outer(tried, np.square(singular))).max(1)
    assert tried[slowest.argmin()] == pytest.approx(best, rel=2e-4)
    assert slowest.min() == pytest.approx(rate, abs=1e-3)


def test_values_in_between_change_nothing():
    assert best_lrs([0.1, 3.0, 9.9, 10.0]) == best_lrs([0.1, 10.0])
    assert stable_lr([0.1, 3.0, 9.9, 10.0]) == stable_lr([10.0])
    full = contraction([0.1, 3.0, 9.9, 10.0], best_lrs([0.1, 10.0])[0])
    assert full.max() == full[0]


def test_a_fit_of_a_plain_matrix_takes_the_steps_that_are_predicted():
    """Plain descent on condition number 100 to 99.9 %: 346 steps in the worst direction, and the fit takes them."""
    root = math.sqrt(2)
    layer, x = nn.Linear(2, 1, bias=False).double(), root * torch.diag(torch.tensor([5.0, 0.05]).double().sqrt())
    nn.init.zeros_(layer.weight)
    h = curvature_of([math.sqrt(5), math.sqrt(0.05)])  # the mean over two rows takes back the 2 = √2²
    lr, _ = best_lrs(h)
    assert steps_within(1e-3, contraction(h, lr).max()) == 346
    data = (x, x.sum(1, keepdim=True))  # solution (1, 1), error 1 along both axes
    found = cc.fit(layer, data, method=cc.GradientDescent(lr), stop=cc.Stop(steps=346), history=True)
    error = (found.history.values[:, 0] - 1).abs().amax(-1)
    assert error[346] <= 1e-3 < error[345]


def test_steps_at_the_edges():
    assert steps_within(0.5, 0.0) == 1
    assert steps_within(0.5, 1.0) == steps_within(0.5, 1.7) == math.inf
    assert steps_within(1e-3, float("nan")) == math.inf
    assert steps_within(0.999, 0.01) == 1


@pytest.mark.parametrize("call", [stable_lr, best_lrs])
@pytest.mark.parametrize("h", [0.0, -1.0, math.inf, math.nan, []])
def test_only_a_valley_has_a_rate(call, h):
    with pytest.raises(OptionError, match="curvature"):
        call(h)


def test_bad_shares():
    with pytest.raises(OptionError, match="epsilon=1.5"):
        steps_within(1.5, 0.5)
    with pytest.raises(OptionError, match="factor=-0.5"):
        steps_within(0.5, -0.5)
    with pytest.raises(OptionError, match="momentum=1.0"):
        stable_lr(1.0, 1.0)
