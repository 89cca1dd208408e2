"""A prior resolves what the data leave open, and weighs against the noise as it should."""

from __future__ import annotations

import math

import pytest
import torch

import circuits as cc
import losses
from circuits.errors import OptionError, UnknownName

F = cc.log_grid(200, 10.0, 1e5)
NOISE = 0.01


def board(boards: int | None = None) -> cc.LowPass:
    circuit = cc.LowPass(R=500.0) if boards is None else cc.LowPass(R=[500.0] * boards, C=[1e-6] * boards)
    circuit.C.requires_grad_(True)
    return circuit


DATA = cc.simulate(cc.LowPass(R=200.0), F, noise=NOISE, seed=1)
METHODS = ["auto", cc.LBFGS(), lambda x: torch.optim.LBFGS(x, line_search_fn="strong_wolfe", tolerance_change=0)]


@pytest.mark.parametrize("method", METHODS, ids=["auto", "LBFGS", "torch LBFGS"])
@pytest.mark.parametrize("coordinates", ["log", "linear"])
@pytest.mark.parametrize("boards", [None, 2])
@pytest.mark.parametrize("nominal", [1e-6, 1.5e-6])
def test_a_prior_on_the_capacitor_frees_the_resistor(nominal: float, boards: int | None, coordinates: str, method):
    """The data know ln RC with variance s², the prior ln C with t²; so ln R = ln RC − ln C has s² + t²."""
    if coordinates == "linear" and method != "auto":
        pytest.skip("farads and ohms are too far apart for a gradient")
    product = cc.fit(cc.LowPass(R=500.0), DATA)
    s, t = product.errors["R"].item() / product.values["R"].item(), 0.05
    loss = losses.Magnitude() + losses.Prior({"C": nominal}, t)
    stop = cc.Stop(gradient=1e-8, step=1e-12, steps=500) if method != "auto" else None
    found = cc.fit(board(boards), DATA, loss, method=method, coordinates=coordinates, stop=stop)
    for name, value, error in (
        ("C", nominal, t),
        ("R", product.values["R"].item() * 1e-6 / nominal, math.hypot(s, t)),
    ):
        values, errors = found.values[name].reshape(-1), found.errors[name].reshape(-1)
        assert values.tolist() == pytest.approx([value] * (boards or 1), rel=1e-5)
        assert (errors / values).tolist() == pytest.approx([error] * (boards or 1), rel=1e-3)
    correlation = found.correlation.reshape(-1, 2, 2)[0, 0, 1].item()
    assert correlation == pytest.approx(-t / math.hypot(s, t), rel=1e-3)
    verdict = found.identifiability if boards is None else found.identifiability[0]
    assert verdict.complete


@pytest.mark.parametrize("tolerance", [0.001, 0.01, 0.1])
def test_a_prior_on_a_measured_value_pulls_by_inverse_variance(tolerance: float):
    """Two independent estimates of ln R, combined by their weights (to first order in what they differ by)."""
    alone = cc.fit(cc.LowPass(R=500.0), DATA)
    x, s = alone.values["R"].log().item(), (alone.errors["R"] / alone.values["R"]).item()
    nominal = x + s  # one standard error away
    weight = [1 / s**2, 1 / tolerance**2]
    expected = (weight[0] * x + weight[1] * nominal) / sum(weight)
    loss = losses.Magnitude() + losses.Prior({"R": math.exp(nominal)}, tolerance)
    found = cc.fit(cc.LowPass(R=500.0), DATA, loss)
    assert found.values["R"].log().item() == pytest.approx(expected, abs=2e-2 * s)
    assert (found.errors["R"] / found.values["R"]).item() == pytest.approx(sum(weight) ** -0.5, rel=2e-2)


@pytest.mark.parametrize(
    "loss",
    [
        losses.Magnitude(sigma=NOISE),
        losses.Magnitude(sigma=torch.tensor(NOISE, dtype=torch.float64)),
        losses.Magnitude(sigma=torch.full((200,), NOISE, dtype=torch.float64)),
        losses.Decibel(),
    ],
    ids=repr,
)
def test_sigma_may_stand_in_the_loss_or_in_the_data(loss):
    data = cc.Measurements(F, "magnitude", DATA.values) if isinstance(loss, losses.Magnitude) else DATA
    if isinstance(loss, losses.Decibel):
        data = cc.simulate(cc.LowPass(R=200.0), F, "decibels", noise=0.1)
    found = cc.fit(board(), data, loss + losses.Prior({"C": 1e-6}, 0.02))
    assert (found.errors["C"] / found.values["C"]).item() == pytest.approx(0.02, rel=1e-2)
    assert found.converged and found.identifiability.complete


def test_several_priors_and_missing_points():
    values = DATA.values.clone()
    values[::2] = torch.nan
    loss = losses.Magnitude() + losses.Prior({"C": 1e-6}, 0.05) + losses.Prior({"C": 2e-6}, 0.05)
    found = cc.fit(board(), cc.Measurements(F, "magnitude", values, sigma=NOISE), loss)
    assert found.values["C"].item() == pytest.approx(math.sqrt(2) * 1e-6, rel=1e-6)
    assert (found.errors["C"] / found.values["C"]).item() == pytest.approx(0.05 / math.sqrt(2), rel=1e-3)


def test_a_prior_beside_a_likelihood_of_leds():
    lit = cc.simulate(cc.LowPass(R=200.0), cc.tones(500), "led", noise=0.2, seed=3)
    sharp = losses.LogisticLed(sharpness=9)
    product = cc.fit(cc.LowPass(R=500.0), lit, sharp)
    s = (product.errors["R"] / product.values["R"]).item()
    found = cc.fit(board(), lit, sharp + losses.Prior({"C": 1e-6}, 0.05))
    assert found.values["R"].item() == pytest.approx(product.values["R"].item(), rel=1e-5)
    assert (found.errors["R"] / found.values["R"]).item() == pytest.approx(math.hypot(s, 0.05), rel=1e-3)


@pytest.mark.parametrize("data", [cc.Measurements(F, "magnitude", DATA.values), (F, DATA.values)], ids=["data", "pair"])
@pytest.mark.parametrize("loss", [losses.Magnitude(), losses.Magnitude(weights=2.0), losses.Squared()], ids=repr)
def test_without_a_known_noise_a_prior_has_no_weight(data, loss):
    with pytest.raises(OptionError, match=r"Prior.*noise.*sigma"):
        cc.fit(board(), data, loss + losses.Prior({"C": 1e-6}, 0.05))


@pytest.mark.parametrize(("name", "known"), [("Q", "R"), ("C", "R")])
def test_a_prior_on_what_is_not_learned(name: str, known: str):
    with pytest.raises(UnknownName, match=f"{name!r}; known: {known}"):
        cc.fit(cc.LowPass(R=500.0), DATA, losses.Magnitude() + losses.Prior({name: 1e-6}, 0.05))
