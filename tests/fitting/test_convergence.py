"""What `convergence_at` says of a circuit, against finite differences and against walks that really happened."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import circuits as cc
import losses
from circuits.errors import OptionError, ShapeError
from circuits.fitting.convergence import Convergence, convergence_at

F = cc.tones(1000)
TRUTH = 198.944
LOW = cc.simulate(cc.LowPass(R=TRUTH), F)
BAND = cc.simulate(cc.BandPass(R_low=39.789, R_high=159.155), F)


def low_pass(coordinates: str = "linear") -> Convergence:
    fit = cc.fit(cc.LowPass(R=500.0), LOW, coordinates=coordinates)
    return convergence_at(fit.problem, fit.end)


def numeric_hessian(loss, values: np.ndarray, share: float = 1e-4) -> np.ndarray:
    """Second differences of a function of a few numbers."""
    step, p = share * np.abs(values), len(values)
    eye = np.eye(p) * step
    table = [
        [loss(values + a + b) - loss(values + a - b) - loss(values - a + b) + loss(values - a - b) for b in eye]
        for a in eye
    ]
    return np.array(table) / (4 * np.outer(step, step))


def test_the_curvature_of_a_low_pass_in_ohms_by_hand():
    """At the minimum h = (2/R²)·mean x⁴/(1 + x²)³; over six decades, 2/R² · ¼/ln 10⁶ in the limit of many tones."""
    here = low_pass()
    x = 2 * math.pi * F.numpy() * TRUTH * 1e-6
    expected = 2 / TRUTH**2 * np.mean(x**4 / (1 + x**2) ** 3)
    assert here.curvatures.item() == pytest.approx(expected, rel=1e-6)
    assert here.curvatures.item() == pytest.approx(2 / TRUTH**2 * 0.25 / math.log(1e6), rel=0.05)
    assert (here.names, here.source, here.is_minimum, here.condition) == (("R",), "hessian", True, 1.0)


def test_logarithms_take_the_unit_out():
    """h in ln R is R²·h in R: the same whatever the resistor, and a learning rate that anybody can guess."""
    ohms, logs = low_pass("linear"), low_pass("log")
    assert logs.curvatures.item() == pytest.approx(TRUTH**2 * ohms.curvatures.item(), rel=1e-6)
    assert logs.names == ("ln R",)
    assert 20 < logs.best_lr() < 40 and ohms.stable_lr() > 2e6


@pytest.mark.parametrize("lr", [200.0, 500.0, 1000.0, 1e5, 1e6, 2e6])
def test_the_classroom_rates_shrink_the_error_as_predicted(lr: float):
    here = low_pass()
    stop = cc.Stop(steps=40)
    method = cc.GradientDescent(lr)
    walk = cc.fit(cc.LowPass(R=TRUTH * 1.00001), LOW, method=method, coordinates="linear", stop=stop, history=True)
    error = (walk.history.of("R")[:, 0] - TRUTH).abs()
    measured = (error[5] / error[0]).item() ** (1 / 5)
    assert 1 - measured == pytest.approx(1 - here.factor(lr), rel=1e-3)
    assert here.factor(lr) < 1 and lr < here.stable_lr()


def test_three_million_diverges_and_the_limit_is_where_it_is_said_to_be():
    here = low_pass()
    assert here.stable_lr() < 3e6 and here.factor(3e6) > 1 and here.steps(lr=3e6) == math.inf
    for share, grows in ((0.98, False), (1.02, True)):
        method, stop = cc.GradientDescent(share * here.stable_lr()), cc.Stop(steps=60)
        board = cc.LowPass(R=TRUTH * 1.00001)
        walk = cc.fit(board, LOW, method=method, coordinates="linear", stop=stop, history=True).history.of("R")[:, 0]
        error = (walk - TRUTH).abs()
        assert bool(error[-1] > error[0]) is grows


@pytest.mark.parametrize("lr", [2e4, 1e5, 5e5])
@pytest.mark.parametrize("epsilon", [0.1, 1e-3])
def test_the_steps_to_a_share_of_the_error(lr: float, epsilon: float):
    here = low_pass()
    steps = here.steps(epsilon, lr)
    board, stop = cc.LowPass(R=TRUTH * 1.0001), cc.Stop(steps=int(steps) + 5)
    walk = cc.fit(board, LOW, method=cc.GradientDescent(lr), coordinates="linear", stop=stop, history=True)
    share = ((walk.history.of("R")[:, 0] - TRUTH) / (TRUTH * 0.0001)).abs()
    taken = int((share > epsilon).sum())
    assert taken == pytest.approx(steps, abs=max(1, 0.002 * steps))


@pytest.mark.parametrize("coordinates", ["log", "linear"])
def test_two_curvatures_of_a_band_pass(coordinates: str):
    fit = cc.fit(cc.BandPass(R_low=60.0, R_high=120.0), BAND, coordinates=coordinates)
    here = convergence_at(fit.problem, fit.end)
    f, target = F.numpy(), BAND.values.numpy()

    def loss(v):
        r = np.exp(v) if coordinates == "log" else v
        x, y = 2e-6 * math.pi * f * r[0], 2e-6 * math.pi * f * r[1]
        return np.mean((y / np.sqrt(1 + y**2) / np.sqrt(1 + x**2) - target) ** 2)

    expected = numeric_hessian(loss, fit.end[0].numpy(), share=1e-3)
    values, axes = np.linalg.eigh(expected)
    np.testing.assert_allclose(here.curvatures.numpy(), values, rtol=2e-4)
    np.testing.assert_allclose(np.abs(here.axes.numpy().T @ axes), np.eye(2), atol=1e-3)
    assert here.condition == pytest.approx(values[1] / values[0], rel=5e-4)
    assert here.stable_lr() == pytest.approx(2 / values[1], rel=5e-4)
    assert here.best_lr() == pytest.approx(2 / values.sum(), rel=5e-4)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("share", [0.5, 0.99, 1.01])
def test_a_band_pass_stays_or_leaves_as_predicted(momentum: float, share: float):
    fit = cc.fit(cc.BandPass(R_low=60.0, R_high=120.0), BAND)
    here = convergence_at(fit.problem, fit.end)
    start = 1e-7 if share > 1 else 1e-4
    lr, end = share * here.stable_lr(momentum), fit.problem.coordinates.values(fit.end)[0]
    board = cc.BandPass(*(end * (1 + start * torch.tensor([1, -1]))).tolist())
    method, stop = cc.GradientDescent(lr, momentum), cc.Stop(steps=600)
    walk = cc.fit(board, BAND, method=method, stop=stop, history=True).history.values[:, 0]
    error = (walk.log() - end.log()).norm(dim=-1)
    if share > 1:
        far = int((error > 1e-4).nonzero()[0])
        measured = (error[far] / error[far - 1]).item()
    else:
        far = int((error > 1e-11).nonzero()[-1]) + 1
        half, quarter = far // 2, far // 4
        measured = (error[far - quarter : far].max() / error[half - quarter : half].max()).item() ** (1 / (far - half))
    assert measured == pytest.approx(here.factor(lr, momentum), rel=3e-3)
    assert (here.factor(lr, momentum) < 1) is (share < 1)


def test_the_best_rate_of_a_band_pass_is_best():
    fit = cc.fit(cc.BandPass(R_low=60.0, R_high=120.0), BAND)
    here = convergence_at(fit.problem, fit.end)
    rates = np.linspace(0.3, 1.2, 37) * here.stable_lr()
    factors = [here.factor(lr) for lr in rates]
    assert min(factors) >= here.factor(here.best_lr()) - 1e-12
    kappa = here.condition
    assert here.factor(here.best_lr()) == pytest.approx((kappa - 1) / (kappa + 1), rel=1e-9)
    assert here.steps() == math.ceil(math.log(1e-3) / math.log((kappa - 1) / (kappa + 1)))


def test_a_product_leaves_one_axis_flat_and_it_is_left_out():
    board = cc.LowPass(R=500.0)
    board.C.requires_grad_()
    fit = cc.fit(board, LOW)
    here = convergence_at(fit.problem, fit.end)
    assert len(here.curvatures) == 2 and len(here.seen) == 1 and here.is_minimum
    assert here.seen.item() == pytest.approx(2 * low_pass("log").curvatures.item(), rel=1e-6)
    assert here.axes[:, 1].abs().tolist() == pytest.approx([math.sqrt(0.5)] * 2)


def test_no_minimum_no_rate():
    """Far out a low-pass curves downward: the tail 1/x of its response is convex, the loss is not."""
    fit = cc.fit(cc.LowPass(R=500.0), LOW)
    far = convergence_at(fit.problem, torch.tensor([[math.log(1e6)]], dtype=torch.float64))
    assert not far.is_minimum and far.curvatures.item() < 0
    assert far.stable_lr() == 0.0 and math.isnan(far.condition) and far.steps(lr=1.0) == math.inf
    assert far.factor(1.0) > 1 and "no minimum" in str(far) and far.steps() == math.inf
    with pytest.raises(OptionError, match="no minimum"):
        far.best_lr()


@pytest.mark.parametrize("loss", [losses.Magnitude(), losses.Huber(losses.Magnitude(), 0.1), nn.MSELoss()], ids=repr)
def test_any_loss_has_the_curvature_of_its_own(loss):
    fit = cc.fit(cc.LowPass(R=500.0), LOW, loss)
    here = convergence_at(fit.problem, fit.end)
    x = fit.end.clone()

    def value(v):
        return fit.problem.losses(torch.tensor(v).reshape(1, 1)).item()

    assert here.curvatures.item() == pytest.approx(numeric_hessian(value, x[0].numpy(), 1e-3).item(), rel=1e-3)


class Once(torch.autograd.Function):
    """A square that can be differentiated once only."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 2 * x.detach() * gradient


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(1.5, dtype=torch.float64))

    def forward(self, x):
        return Once.apply(self.w) * x


def test_without_a_second_derivative_gauss_newton_stands_in():
    """At a perfect fit both are 2·mean (∂ŷ/∂w)² = 2·(2w)²·mean x²."""
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    fit = cc.fit(Odd(), (x, 4 * x), losses.Squared())
    here = convergence_at(fit.problem, fit.end)
    assert here.source == "gauss-newton"
    assert here.curvatures.item() == pytest.approx(2 * 16 * 2.5, rel=1e-6)
    bare = cc.fit(Odd(), (x, 4 * x), lambda p, t: (p - t).square().mean())
    with pytest.raises(OptionError, match="no second derivative"):
        convergence_at(bare.problem, bare.end)


def test_one_board_at_a_time():
    fit = cc.fit(cc.LowPass(R=[500.0, 400.0]), LOW)
    with pytest.raises(ShapeError, match="2 boards"):
        convergence_at(fit.problem, fit.end)
    row = torch.tensor([1])
    here = convergence_at(fit.problem.take(row), fit.end[row])
    assert here.curvatures.item() == pytest.approx(low_pass("log").curvatures.item(), rel=1e-6)


def test_it_says_itself():
    assert str(low_pass("log")).startswith("curvatures 0.03")
    assert "ln R: stable for a learning rate below" in str(low_pass("log"))
