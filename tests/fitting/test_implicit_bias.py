"""Which of many solutions a method finds, by the methods themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import nn

import circuits as cc
from circuits.errors import DataError, OptionError, ShapeError
from circuits.fitting.theory.implicit_bias import nearest_solution

X = torch.tensor([[1.0, 0.1, 0.01]], dtype=torch.float64)
Y = torch.tensor([1.0], dtype=torch.float64)
ARRIVE = cc.Stop(gradient=1e-13, steps=20_000)


def learned(x: torch.Tensor, y: torch.Tensor, method, stop: cc.Stop = ARRIVE) -> torch.Tensor:
    """Weights that a method finds for xθ = y from zero."""
    layer = nn.Linear(x.shape[1], 1, bias=False).double()
    nn.init.zeros_(layer.weight)
    cc.fit(layer, (x, y.unsqueeze(-1)), method=method, stop=stop)
    return layer.weight[0].detach()


def test_gradient_descent_finds_the_shortest():
    theta = learned(X, Y, cc.GradientDescent(0.3))
    torch.testing.assert_close(theta, X[0] / 1.0101, rtol=1e-9, atol=0)
    torch.testing.assert_close(theta, nearest_solution(X, Y), rtol=1e-9, atol=0)
    torch.testing.assert_close(theta, torch.linalg.pinv(X) @ Y, rtol=1e-9, atol=0)


@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_momentum_changes_the_way_and_not_the_end(momentum: float):
    torch.testing.assert_close(learned(X, Y, cc.GradientDescent(0.3, momentum)), X[0] / 1.0101, rtol=1e-9, atol=0)


@pytest.mark.parametrize("method", [cc.SignDescent(0.05, shrink=0.5), cc.SignDescent(0.2, scaled=True)], ids=repr)
def test_signs_find_the_one_with_the_smallest_largest_weight(method):
    theta = learned(X, Y, method, cc.Stop(step=1e-13, steps=20_000))
    torch.testing.assert_close(theta, torch.full((3,), 1 / 1.11, dtype=torch.float64), rtol=1e-9, atol=0)
    torch.testing.assert_close(theta, nearest_solution(X, Y, order=math.inf), rtol=1e-9, atol=0)


def test_adam_with_a_shrinking_step_finds_it_too():
    """One row: every gradient is a multiple of the row, and Adam divides each coordinate by its own size."""

    def method(parameters):
        return torch.optim.Adam(parameters, lr=0.01, betas=(0.0, 0.999), eps=1e-12)

    torch.testing.assert_close(
        learned(X, Y, method, cc.Stop(gradient=1e-10, steps=5000)),
        torch.full((3,), 1 / 1.11, dtype=torch.float64),
        rtol=1e-5,
        atol=0,
    )


def test_rescaled_inputs_find_another():
    """Inputs divided by their size are all 1; weights of the original inputs are then [1, 10, 100]/3."""
    size = 1 / X[0]
    theta = size * learned(X * size, Y, cc.GradientDescent(0.1))
    torch.testing.assert_close(theta, torch.tensor([1.0, 10.0, 100.0]).double() / 3, rtol=1e-9, atol=0)
    torch.testing.assert_close(theta, nearest_solution(X, Y, size=size), rtol=1e-9, atol=0)


def test_with_one_large_input_least_of_all():
    assert nearest_solution(X, Y, order=1).tolist() == pytest.approx([1.0, 0.0, 0.0], abs=1e-9)


@pytest.mark.parametrize("order", [1, 2, math.inf])
@pytest.mark.parametrize("seed", range(5))
def test_no_other_solution_is_nearer(order: float, seed: int):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(2, 5)), generator.normal(size=2)
    size, start = generator.uniform(0.2, 3, size=5), generator.normal(size=5)
    tensors = (torch.tensor(x), torch.tensor(y))
    theta = nearest_solution(*tensors, order=order, size=torch.tensor(size), start=torch.tensor(start)).numpy()
    np.testing.assert_allclose(x @ theta, y, atol=1e-9)
    null = np.linalg.svd(x)[2][2:]

    def distance(move):
        return np.linalg.norm((theta + move @ null - start) / size, order)

    least = distance(np.zeros(3))
    for scale in (1e-3, 0.1, 1.0):
        assert all(distance(scale * generator.normal(size=3)) >= least - 1e-9 for _ in range(500))
    options = {"maxiter": 20_000, "maxfev": 20_000, "xatol": 1e-10, "fatol": 1e-12}
    assert minimize(distance, generator.normal(size=3), method="Nelder-Mead", options=options).fun >= least - 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_gradient_descent_from_anywhere_finds_the_nearest(seed: int):
    generator = torch.Generator().manual_seed(seed)
    x, y, start = (torch.randn(*s, generator=generator, dtype=torch.float64) for s in ((3, 6), (3,), (6,)))
    layer = nn.Linear(6, 1, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(start)
    cc.fit(layer, (x, y.unsqueeze(-1)), method=cc.GradientDescent(0.1), stop=ARRIVE)
    torch.testing.assert_close(layer.weight[0].detach(), nearest_solution(x, y, start=start), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("method", ["auto", cc.GradientDescent(5.0), cc.SignDescent(0.1, shrink=0.5)], ids=repr)
def test_a_circuit_has_an_implicit_bias_too(method):
    """Data see R·C alone: in logarithms every method changes both by one factor, the nearest point in ln R and ln C."""
    board = cc.LowPass(R=500.0)
    board.C.requires_grad_()
    cc.fit(board, cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5)), method=method)
    start = torch.tensor([500.0, 1e-6], dtype=torch.float64).log()
    both = torch.ones(1, 2, dtype=torch.float64)
    nearest = nearest_solution(both, torch.tensor([2e-4], dtype=torch.float64).log(), start=start).exp()
    assert (board.R.item(), board.C.item()) == pytest.approx(nearest.tolist(), rel=1e-4)
    factor = math.sqrt(200 / 500)
    assert nearest.tolist() == pytest.approx([500 * factor, 1e-6 * factor], rel=1e-12)


def test_a_tolerance_is_a_unit_of_length():
    """What a prior's tolerances do for R and C: each moves in proportion to its variance."""
    both, rest = torch.ones(1, 2, dtype=torch.float64), torch.tensor([-0.9], dtype=torch.float64)
    move = nearest_solution(both, rest, size=torch.tensor([0.05, 0.01]).double())
    assert move.tolist() == pytest.approx([-0.9 * 25 / 26, -0.9 / 26], rel=1e-6)


@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_bad_shapes(shape: tuple[int, ...]):
    with pytest.raises(ShapeError):
        nearest_solution(torch.ones(shape), torch.ones(3))


def test_bad_options_and_contradictions():
    with pytest.raises(OptionError, match="order=3"):
        nearest_solution(X, Y, order=3)
    with pytest.raises(OptionError, match="size"):
        nearest_solution(X, Y, size=-1.0)
    with pytest.raises(DataError, match="contradict"):
        nearest_solution(torch.cat([X, X]), torch.tensor([1.0, 2.0]).double())
