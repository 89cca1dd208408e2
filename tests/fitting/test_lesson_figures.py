"""What the lessons on learning rates, norms and ridge say of the color organ's filters, in numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import circuits as cc
import losses
from circuits.fitting.theory.implicit_bias import nearest_solution
from circuits.fitting.theory.input_noise import noisy_solution
from circuits.fitting.theory.momentum import best_momentum

F = cc.tones(1000)
LOW = cc.simulate(cc.LowPass(R=198.944), F)
BAND = cc.simulate(cc.BandPass(R_low=39.789, R_high=159.155), F)


def predicted_steps(start: float, lr: float) -> float:
    """∫ dR/(lr·slope) from the start to where the slope is 1e-6."""
    curvature = cc.fit(cc.LowPass(R=500.0), LOW, coordinates="linear").convergence().curvatures.item()
    boards = cc.LowPass(R=torch.linspace(198.944 + 1e-6 / curvature, start, 2001, dtype=torch.float64))
    loss = (boards(F) - LOW.values).square().mean(-1)
    (slope,) = torch.autograd.grad(loss.sum(), boards.R)
    return torch.trapezoid(1 / slope, boards.R.detach()).item() / lr


def test_the_classroom_s_steps_are_predicted_by_the_slope():
    """Against a walk on the same tones to the percent; against the published walks, on other tones, to ten."""
    method = cc.GradientDescent(1000.0)
    walk = cc.fit(cc.LowPass(R=500.0), LOW, method=method, coordinates="linear", progress=False)
    assert predicted_steps(500.0, 1000.0) == pytest.approx(walk.steps, rel=0.01)
    for start, lr, published in ((500, 200, 49_260), (500, 500, 18_108), (500, 1000, 8_543), (1000, 200, 86_021)):
        assert predicted_steps(start, lr) == pytest.approx(published, rel=0.1)
    assert predicted_steps(2000, 200) > 100_000
    assert 199.5 < walk.values["R"].item() < 200.5


@pytest.mark.parametrize("R", [31.831, 198.944, 5000.0])
def test_in_logarithms_one_learning_rate_serves_every_filter(R: float):
    target = cc.simulate(cc.LowPass(R=R), F)
    assert cc.fit(cc.LowPass(R=R), target).convergence().stable_lr() == pytest.approx(54.5, abs=1)
    for lr, arrives in ((20.0, True), (40.0, True), (60.0, False)):
        board = cc.LowPass(R=5 * R)
        walk = cc.fit(board, target, method=cc.GradientDescent(lr), stop=cc.Stop(gradient=1e-6, steps=300))
        assert walk.converged is arrives
        assert not arrives or walk.steps < 20


def test_three_million_never_settles():
    stop = cc.Stop(gradient=1e-6, steps=2000)
    for lr, arrives in ((1e6, True), (2e6, True), (3e6, False)):
        method = cc.GradientDescent(lr)
        assert cc.fit(cc.LowPass(R=500.0), LOW, method=method, coordinates="linear", stop=stop).converged is arrives


def test_the_bowl_of_the_organ():
    """In ohms the largest resistor is the flattest axis and the smallest the steepest; in logarithms it is round."""
    organ = cc.simulate(cc.ColorOrgan(low=198.944, band=(39.789, 159.155), high=31.831), F)
    start = {"low": 150.0, "band": (60.0, 120.0), "high": 60.0}
    ohms = cc.fit(cc.ColorOrgan(**start), organ, coordinates="linear").convergence()
    logs = cc.fit(cc.ColorOrgan(**start), organ).convergence()
    largest = ohms.axes.abs().argmax(0)
    assert (ohms.names[largest[0]], ohms.names[largest[-1]]) == ("low.R", "high.R")
    assert ohms.condition == pytest.approx((198.944 / 31.831) ** 2, rel=0.05)
    assert logs.condition < 1.5 and logs.steps() == 4 and ohms.steps() == 133


def test_momentum_on_the_band_pass_in_ohms():
    """Predicted steps to 0.1 %: 59 plain, 132 with too much momentum, 14 with the best; the walks take about these."""
    bowl = cc.fit(cc.BandPass(60.0, 120.0), BAND, coordinates="linear").convergence()
    momentum, lr = best_momentum(bowl.seen)
    end = torch.tensor([39.789, 159.155], dtype=torch.float64)
    settings = ((bowl.best_lr(), 0.0, 59), (bowl.best_lr(0.9), 0.9, 132), (lr, momentum, 14))
    for rate, share, predicted in settings:
        assert bowl.steps(1e-3, rate, share) == predicted
        method = cc.GradientDescent(rate, share)
        board, stop = cc.BandPass(39.789, 200.0), cc.Stop(steps=200)
        walk = cc.fit(board, BAND, method=method, coordinates="linear", stop=stop, history=True)
        error = (walk.history.values[:, 0] - end).norm(dim=-1)
        assert int((error > 1e-3 * error[0]).nonzero()[-1]) + 1 == pytest.approx(predicted, abs=8)


def test_signs_do_not_mind_a_vanishing_gradient():
    """From 900 kΩ each, where the slopes are nearly nothing."""
    stop = cc.Stop(gradient=1e-9, step=1e-9, steps=5000)
    sign = cc.fit(cc.BandPass(9e5, 9e5), BAND, method=cc.SignDescent(0.3, shrink=0.5), stop=stop)
    plain = cc.fit(cc.BandPass(9e5, 9e5), BAND, method=cc.GradientDescent(25.0), stop=stop, progress=False)
    assert sign.converged and sign.steps < 500 and not plain.converged
    assert sign.values["R_low"].item() == pytest.approx(39.789, rel=1e-4)
    assert sign.values["R_high"].item() == pytest.approx(159.155, rel=1e-4)
    assert plain.loss > 1e-3


def test_tolerances_decide_what_the_sweep_does_not():
    """A prior of 1 % and 10 % lands at the nearest solution in these units."""
    sweep = cc.simulate(cc.LowPass(R=200.0), cc.log_grid(200, 10.0, 1e5), noise=1e-4, seed=1)
    board = cc.LowPass(R=210.0)
    board.C.requires_grad_()
    cc.fit(board, sweep, losses.Magnitude() + losses.Prior({"R": 210.0, "C": 1e-6}, {"R": 0.01, "C": 0.1}))
    start, size = torch.tensor([210.0, 1e-6]).double().log(), torch.tensor([0.01, 0.1]).double()
    row, product = torch.ones(1, 2).double(), torch.tensor([2e-4]).double().log()
    nearest = nearest_solution(row, product, size=size, start=start).exp()
    assert (board.R.item(), board.C.item()) == pytest.approx(nearest.tolist(), rel=2e-4)


def test_a_noisy_probe_makes_a_gain_too_small():
    generator = torch.Generator().manual_seed(0)
    v_in = torch.randn(100_000, 1, generator=generator, dtype=torch.float64)
    gain = cc.LowPass(R=198.944)(800.0).item()
    for sigma in (0.5, 1.0):
        layer = nn.Linear(1, 1, bias=False).double()
        read = v_in + sigma * torch.randn(v_in.shape, generator=generator, dtype=torch.float64)
        cc.fit(layer, (read, gain * v_in))
        assert layer.weight.item() == pytest.approx(gain / (1 + sigma**2), rel=0.02)
        ridge = noisy_solution(v_in, gain * v_in[:, 0], sigma).item()
        assert layer.weight.item() == pytest.approx(ridge, rel=0.02)


def test_what_the_sweep_hardly_sees_stays_at_the_start_or_at_the_label():
    """Corners at 1.6 and 1.3 kHz, measured to 400 Hz: R_low ± 80 %, and 20 % where a label says so."""
    f = cc.log_grid(60, 10.0, 400.0)
    data = cc.simulate(cc.BandPass(R_low=100.0, R_high=120.0), f, noise=0.01, seed=2)
    plain = cc.fit(cc.BandPass(110.0, 110.0), data)
    bowl = plain.convergence()
    assert bowl.condition > 1000
    assert (plain.errors["R_low"] / plain.values["R_low"]).item() > 0.5
    stop = cc.Stop(steps=100)
    method = cc.GradientDescent(0.5 * bowl.stable_lr())
    early = cc.fit(cc.BandPass(110.0, 110.0), data, method=method, stop=stop)
    assert early.values["R_low"].item() == pytest.approx(110.0, abs=2)
    assert early.values["R_high"].item() == pytest.approx(119.4, abs=0.3)
    label = losses.Prior({"R_low": 110.0, "R_high": 110.0}, tolerance=0.2)
    known = cc.fit(cc.BandPass(110.0, 110.0), data, losses.Magnitude() + label)
    assert (known.errors["R_low"] / known.values["R_low"]).item() == pytest.approx(0.19, abs=0.02)
    assert (known.errors["R_high"] / known.values["R_high"]).item() < 0.02


@pytest.mark.parametrize("tolerance", [0.05, 0.01])
def test_errors_of_a_sweep_and_a_label_add_in_squares(tolerance: float):
    sweep = cc.simulate(cc.LowPass(R=200.0), cc.log_grid(200, 10.0, 1e5), noise=0.01, seed=1)
    product = cc.fit(cc.LowPass(R=500.0), sweep)
    s = (product.errors["R"] / product.values["R"]).item()
    board = cc.LowPass(R=500.0)
    board.C.requires_grad_()
    fit = cc.fit(board, sweep, losses.Magnitude() + losses.Prior({"C": 1.1e-6}, tolerance))
    assert (fit.errors["R"] / fit.values["R"]).item() == pytest.approx(math.hypot(s, tolerance), rel=1e-3)
    rows = fit.problem.rows(fit.end).jacobian * math.sqrt(200 / 2)
    assert rows.shape == (201, 2)
    assert rows[-1].tolist() == pytest.approx([0.0, 1 / tolerance])
    torch.testing.assert_close(rows[:-1, 0], rows[:-1, 1])
