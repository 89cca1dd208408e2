"""Every method brings a small problem to its minimum, and every loss has a method that `auto` finds for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

import circuits as cc
import losses

F = cc.log_grid(60, 10.0, 1e5)
LOW = cc.simulate(cc.LowPass(R=200.0), F)
BAND = cc.simulate(cc.BandPass(R_low=40.0, R_high=160.0), F)

METHODS = {
    "auto": "auto",
    "levenberg-marquardt": "levenberg-marquardt",
    "lbfgs": "lbfgs",
    "LevenbergMarquardt": cc.LevenbergMarquardt(),
    "heavily damped": cc.LevenbergMarquardt(damping=1e3),
    "LBFGS": cc.LBFGS(),
    "LBFGS, short memory": cc.LBFGS(memory=1),
    "GradientDescent": cc.GradientDescent(4.0),
    "momentum": cc.GradientDescent(4.0, momentum=0.8),
    "SignDescent": cc.SignDescent(0.5, shrink=0.5),
    "scaled SignDescent": cc.SignDescent(4.0, scaled=True),
    "TorchOptimiser": cc.TorchOptimiser(lambda x: torch.optim.Adam(x, lr=0.1)),
    "Adam": lambda x: torch.optim.Adam(x, lr=0.1),
    "SGD": lambda x: torch.optim.SGD(x, lr=4.0, momentum=0.5),
    "Rprop": torch.optim.Rprop,
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize(
    ("start", "data", "truth"),
    [
        (lambda: cc.LowPass(R=500.0), LOW, {"R": 200.0}),
        (lambda: cc.BandPass(R_low=80.0, R_high=300.0), BAND, {"R_low": 40.0, "R_high": 160.0}),
    ],
    ids=["low-pass", "band-pass"],
)
def test_every_method_arrives(start, data, truth: dict[str, float], method):
    found = cc.fit(start(), data, method=method)
    assert found.converged, found.reason
    for name, value in truth.items():
        assert found.values[name].item() == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(
    "factory",
    [torch.optim.LBFGS, lambda x: torch.optim.LBFGS(x, line_search_fn="strong_wolfe")],
    ids=["plain", "wolfe"],
)
@pytest.mark.parametrize("start", [cc.LowPass(R=500.0), cc.BandPass(R_low=80.0, R_high=300.0)], ids=["low", "band"])
def test_torch_lbfgs_arrives_and_is_not_asked_again_and_again(factory, start):
    """It has tolerances of its own, within which it no longer moves: that is an arrival, too."""
    method = cc.TorchOptimiser(factory)
    data = LOW if isinstance(start, cc.LowPass) else BAND
    found = cc.fit(start, data, method=method, stop=replace(method.default_stop(torch.float64), steps=300))
    assert found.converged, found.reason
    assert cc.fit(start, data).loss == pytest.approx(found.loss, abs=1e-8)


def test_sign_descent_takes_equal_steps_and_halves_them_when_it_turns():
    found = cc.fit(cc.LowPass(R=500.0), LOW, method=cc.SignDescent(0.3, shrink=0.5), history=True)
    steps = found.history.of("R")[:, 0].log().diff()
    assert steps[:4].tolist() == pytest.approx([-0.3, -0.3, -0.3, -0.3])  # ln(500/200) = 0.92: the fourth is too far
    assert steps[4].item() == pytest.approx(0.15)
    assert found.values["R"].item() == pytest.approx(200.0, rel=1e-6)


def test_scaled_sign_descent_moves_by_the_sum_of_slopes():
    """The minimiser of gᵀΔ + ‖Δ‖∞²/α is −(α/2)‖g‖₁ sign(g)."""
    stop = cc.Stop(steps=1)
    found = cc.fit(
        cc.BandPass(R_low=80.0, R_high=300.0), BAND, method=cc.SignDescent(0.1, scaled=True), stop=stop, history=True
    )
    moved = found.history.values.log().diff(dim=0)[0, 0]
    g = found.history.gradient[0, 0]
    torch.testing.assert_close(moved, -0.1 * g.abs().sum() * g.sign(), rtol=1e-12, atol=0)


def test_a_torch_optimiser_walks_as_it_would_by_hand():
    x = torch.tensor([500.0], dtype=torch.float64).log().requires_grad_()
    optimiser, walk = torch.optim.Adam([x], lr=0.05), [500.0]
    for _ in range(30):
        optimiser.zero_grad()
        (cc.functional.low_pass_magnitude(F, x.exp(), 1e-6) - LOW.values).square().mean().backward()
        optimiser.step()
        walk.append(x.exp().item())
    stop = cc.Stop(steps=30)
    found = cc.fit(cc.LowPass(R=500.0), LOW, method=lambda x: torch.optim.Adam(x, lr=0.05), stop=stop, history=True)
    assert found.history.of("R")[:, 0].tolist() == pytest.approx(walk, rel=1e-10)


LEDS = cc.simulate(cc.LowPass(R=200.0), cc.tones(300, 10.0, 1e5), "led")


def fourth_power(prediction, target):
    return (prediction - target).pow(4).mean()


@pytest.mark.parametrize(
    ("loss", "data", "within"),
    [
        (losses.Magnitude(), LOW, 1e-6),
        (losses.Squared(), LOW, 1e-6),
        (losses.Decibel(), LOW, 1e-6),
        (nn.MSELoss(), LOW, 1e-6),
        (nn.L1Loss(), LOW, 1e-3),
        (nn.SmoothL1Loss(), LOW, 1e-4),
        (fourth_power, LOW, 2e-2),
        (losses.Huber(losses.Magnitude(), 0.1), LOW, 1e-6),
        (losses.Cauchy(losses.Magnitude(), 0.1), LOW, 1e-6),
        (losses.LogisticLed(), LEDS, 0.05),
        (losses.LogisticLed(sharpness=50), LEDS, 0.05),
        (losses.HingeLed(), LEDS, 0.10),
        (losses.HingeLed(margin=0.1), LEDS, 0.10),
        (losses.HardLed(), LEDS, 0.05),
        (losses.HardLed(samples=64), LEDS, 0.10),
        (losses.ShiftedMSE(), LEDS, 0.15),
        (losses.ShiftedMSE() + losses.LogisticLed(), LEDS, 0.10),
    ],
    ids=lambda value: getattr(value, "__name__", None) or repr(value),
)
@pytest.mark.parametrize("start", [40.0, 500.0])
def test_auto_finds_a_method_for_every_loss(loss, data, within: float, start: float):
    found = cc.fit(cc.LowPass(R=start), data, loss)
    assert found.converged, found.reason
    assert found.values["R"].item() == pytest.approx(200.0, rel=within)


@pytest.mark.parametrize("loss", [losses.HingeLed(), losses.HardLed()], ids=repr)
def test_losses_without_curvature_tune_a_whole_organ(loss):
    bench = cc.simulate(cc.ColorOrgan(200.0, (40.0, 160.0), 32.0), cc.tones(300, seed=1), "led")
    found = cc.fit(cc.ColorOrgan(100.0, (100.0, 100.0), 100.0), bench, loss)
    explained = losses.LogisticLed().explained(found.circuit(bench.f), bench.values)
    assert explained.double().mean() >= 0.99


@pytest.mark.parametrize("robust", [losses.Huber(losses.Magnitude(), 0.01), losses.Cauchy(losses.Magnitude(), 0.01)])
def test_a_robust_loss_is_not_dragged_away_by_wild_points(robust):
    values = LOW.values + 0.003 * torch.randn(60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values[10:22:2] = 0.1  # a loose probe: a tenth of the points, all on one side
    plain = cc.fit(cc.LowPass(R=500.0), (F, values)).values["R"].item()
    found = cc.fit(cc.LowPass(R=500.0), (F, values), robust)
    assert abs(plain / 200 - 1) > 0.1
    assert found.values["R"].item() == pytest.approx(200.0, rel=0.05)
    assert found.converged


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cc.GradientDescent(0.0), "lr=0.0"),
        (lambda: cc.GradientDescent(-1.0), "positive, finite learning rate"),
        (lambda: cc.GradientDescent(float("inf")), "lr=inf"),
        (lambda: cc.GradientDescent(float("nan")), "lr=nan"),
        (lambda: cc.GradientDescent(1.0, momentum=1.0), "0 ≤ momentum < 1"),
        (lambda: cc.SignDescent(0.0), "lr=0.0"),
        (lambda: cc.SignDescent(1.0, shrink=0.0), "0 < shrink ≤ 1"),
        (lambda: cc.LBFGS(memory=0), "at least 1"),
        (lambda: cc.LevenbergMarquardt(damping=0.0), "positive, finite"),
    ],
)
def test_settings_that_cannot_be(make, message: str):
    with pytest.raises(cc.errors.OptionError, match=message):
        make()
