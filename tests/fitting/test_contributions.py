"""The pull of every data point, against autograd asked for one point at a time."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import circuits as cc
import losses
from circuits.fitting.per_sample_gradients import contributions

F = cc.log_grid(14, 10.0, 1e5)


def one_at_a_time(problem, x):
    """`torch.autograd.grad` of what each point alone costs its board, `(boards, p, points…)`."""
    leaf = x.clone().requires_grad_()
    pointwise = problem.active_loss.pointwise(problem.predict(leaf), problem.target)
    weight = torch.ones(pointwise.shape, dtype=pointwise.dtype) if problem.present is None else problem.present
    count = torch.as_tensor(problem.count).expand(len(x))
    rows = []
    for board, cost in enumerate(pointwise):
        flat = torch.where(weight.expand(pointwise.shape)[board] > 0, cost, 0.0).reshape(-1) / count[board]
        own = [torch.autograd.grad(flat[i], leaf, retain_graph=True)[0][board] for i in range(len(flat))]
        rows.append(torch.stack(own, -1).reshape(x.shape[1], *cost.shape))
    return torch.stack(rows)


def check(problem, x):
    found, expected = contributions(problem, x), one_at_a_time(problem, x)
    assert found.shape == expected.shape == (*x.shape, *problem.target.shape[1:]) and not found.requires_grad
    largest = float(expected.abs().max())
    assert largest > 0
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12 * largest)
    if not problem.loss.priors:
        total = problem.gradient(x)[1]
        torch.testing.assert_close(found.flatten(2).sum(-1), total, rtol=1e-11, atol=1e-11 * largest)


CIRCUITS = {
    "low-pass": lambda: cc.LowPass(300.0),
    "band-pass": lambda: cc.BandPass(60.0, 200.0),
    "loaded band-pass": lambda: cc.LoadedBandPass(60.0, 200.0),
    "organ": lambda: cc.ColorOrgan(300.0, (60.0, 200.0), 50.0),
    "boards": lambda: cc.BandPass([60.0, 80.0], [200.0, 300.0]),
}


def fitted(name, quantity, loss=None, *, missing=False, noise=0.0, **options):
    circuit = CIRCUITS[name]()
    with torch.no_grad():
        other = CIRCUITS[name]()
        for part in other.parameters():
            part.mul_(0.7)
    data = cc.simulate(other, F, quantity, noise)
    values = data.values.clone()
    if quantity == "led":  # a band whose peak lies below the threshold would be dark throughout
        values[..., 7] = 1.0
        values[..., 1] = 0.0
    if missing:
        values[..., ::5] = math.nan
    bench = cc.Measurements(data.f, quantity, values, sigma=data.sigma, outputs=data.outputs)
    return cc.fit(circuit, bench, loss, stop=cc.Stop(steps=1), **options)


@pytest.mark.parametrize("quantity", ["magnitude", "decibels", "phase", "response", "led"])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("name", CIRCUITS)
def test_one_point_at_a_time(name, quantity, missing):
    fit = fitted(name, quantity, missing=missing, noise=0.0 if quantity == "led" else 0.1)
    for x in (fit.start, fit.end):
        check(fit.problem, x)


@pytest.mark.parametrize(
    "loss",
    [losses.LogisticLed(), losses.ShiftedMSE(), losses.HingeLed(), losses.LogisticLed(sharpness=300.0)],
    ids=repr,
)
@pytest.mark.parametrize("name", ["low-pass", "organ", "boards"])
def test_led_losses(name, loss):
    fit = fitted(name, "led", loss)
    check(fit.problem, fit.start)


@pytest.mark.parametrize(
    "loss",
    [
        losses.Huber(losses.Magnitude(sigma=0.05)),
        losses.Cauchy(losses.Magnitude(sigma=0.05)),
        3.0 * losses.Magnitude(),
        losses.Magnitude(weights=torch.linspace(0.1, 2, 14, dtype=torch.float64)),
        losses.Magnitude(sigma=0.05) + losses.Prior({"R_low": 30.0}, 0.1),
    ],
    ids=repr,
)
def test_other_losses(loss):
    fit = fitted("band-pass", "magnitude", loss, missing=True)
    check(fit.problem, fit.start)


def test_priors_are_no_data_points():
    fit = fitted("band-pass", "magnitude", losses.Magnitude(sigma=0.05) + losses.Prior({"R_low": 30.0}, 0.1))
    left = fit.problem.gradient(fit.start)[1] - contributions(fit.problem, fit.start).sum(-1)
    leaf = fit.start.clone().requires_grad_()
    prior = fit.problem.prior_loss(fit.problem.coordinates.values(leaf))
    torch.testing.assert_close(left, torch.autograd.grad(prior.sum(), leaf)[0], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("missing", [False, True])
def test_a_scalar_loss_is_shared_out_by_the_chain_rule(missing):
    def worst(prediction, target):
        return (prediction - target).abs().max() + (prediction - target).square().mean()

    fit = fitted("band-pass", "magnitude", worst, missing=missing)
    problem, x = fit.problem, fit.start
    pull = contributions(problem, x)
    torch.testing.assert_close(pull.sum(-1), problem.gradient(x)[1], rtol=1e-11, atol=1e-13)
    prediction = problem.predict(x)[0]
    leaf = prediction.detach().requires_grad_()
    slope = torch.autograd.grad(problem.reduce(leaf.unsqueeze(0)).sum(), leaf)[0]
    jacobian = torch.autograd.functional.jacobian(lambda c: problem.predict(c)[0], x)[:, 0]
    torch.testing.assert_close(pull[0], (slope.unsqueeze(-1) * jacobian).T, rtol=1e-11, atol=1e-14)
    if missing:
        assert not pull[..., ::5].any()


def test_a_hard_comparator_pulls_by_its_smoothed_slope():
    fit = fitted("low-pass", "led", losses.HardLed(spread=0.3))
    check(fit.problem, fit.start)


@pytest.mark.parametrize("coordinates", ["log", "linear"])
def test_the_units_are_those_of_the_coordinates(coordinates):
    fit = fitted("low-pass", "magnitude", coordinates=coordinates)
    check(fit.problem, fit.start)
    f = F.numpy()
    x = 2 * math.pi * f * 300.0 * 1e-6
    y = fit.problem.target[0].numpy()
    p = (1 + x**2) ** -0.5
    expected = 2 * (p - y) * -(x**2) * (1 + x**2) ** -1.5 / len(f)  # by hand, per relative change
    expected = expected if coordinates == "log" else expected / 300.0
    torch.testing.assert_close(
        contributions(fit.problem, fit.start)[0, 0], torch.as_tensor(expected), rtol=1e-11, atol=1e-18
    )


def test_tied_components_add_up():
    fit = fitted("organ", "magnitude", tied={"high.R": "band.R_low"})
    check(fit.problem, fit.start)


def test_missing_points_pull_at_nothing():
    fit = fitted("organ", "magnitude", missing=True)
    pull = contributions(fit.problem, fit.start)
    assert not pull[..., ::5].any() and pull[..., 7].any()


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor([2.0, 0.5], dtype=torch.float64))

    def forward(self, x):
        return torch.stack([self.a[0] * torch.exp(-self.a[1] * x), self.a.sum() * x], -1)


def test_plain_modules_with_targets_of_any_shape():
    x = torch.linspace(0, 3, 9, dtype=torch.float64)
    target = Two()(x).detach() * 1.2 + 0.1
    fit = cc.fit(Two(), (x, target), stop=cc.Stop(steps=1))
    assert contributions(fit.problem, fit.start).shape == (1, 2, *fit.problem.target.shape[1:])
    check(fit.problem, fit.start)
