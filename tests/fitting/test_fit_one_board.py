"""The quick path for a single board takes the same steps as the general one, which is used when a history is kept."""

from __future__ import annotations

import pytest
import torch

import circuits as cc
import losses
from circuits.fitting import minimisation

F = cc.log_grid(80, 10.0, 1e5)

CIRCUITS = {
    "low-pass": (lambda: cc.LowPass(R=900.0), lambda: cc.LowPass(R=200.0)),
    "high-pass": (lambda: cc.HighPass(R=900.0), lambda: cc.HighPass(R=200.0)),
    "band-pass": (lambda: cc.BandPass(R_low=90.0, R_high=500.0), lambda: cc.BandPass(R_low=40.0, R_high=160.0)),
    "loaded": (
        lambda: cc.LoadedBandPass(R_low=90.0, R_high=500.0),
        lambda: cc.LoadedBandPass(R_low=40.0, R_high=160.0),
    ),
    "bode": (lambda: cc.Bode(2.0, poles=[2e4], zeros=[50.0]), lambda: cc.Bode(1.0, poles=[5e3], zeros=[300.0])),
    "bode-band-pass": (lambda: cc.BodeBandPass(800.0, 90.0), lambda: cc.BodeBandPass(4e3, 1e3)),
    "organ": (
        lambda: cc.ColorOrgan(500.0, (90.0, 500.0), 500.0),
        lambda: cc.ColorOrgan(200.0, (40.0, 160.0), 32.0),
    ),
}
LOSSES = {
    "magnitude": ("magnitude", losses.Magnitude()),
    "magnitude, sigma": ("magnitude", losses.Magnitude(sigma=0.01)),
    "magnitude, weights": ("magnitude", losses.Magnitude(weights=torch.linspace(0, 1, 80, dtype=torch.float64))),
    "decibels": ("decibels", losses.Decibel()),
    "phase": ("phase", losses.Phase()),
    "response": ("response", losses.Complex()),
    "response, weights": ("response", losses.Complex(weights=torch.linspace(0.1, 1, 80, dtype=torch.float64))),
    "Huber": ("magnitude", losses.Huber(losses.Magnitude(), 0.02)),
    "Cauchy": ("magnitude", losses.Cauchy(losses.Magnitude(), 0.02)),
    "shifted": ("led", losses.ShiftedMSE()),
    "logistic": ("led", losses.LogisticLed(sharpness=20)),
    "staged": ("led", losses.LogisticLed()),
    "sum": ("magnitude", 2 * losses.Magnitude() + losses.Huber(losses.Magnitude(), 0.05)),
}
NOISE = {"magnitude": 0.01, "decibels": 0.1, "phase": 1.0, "response": 0.01, "led": 0.2}


@pytest.fixture
def quick_runs(monkeypatch):
    """Counts how often the quick path was taken."""
    runs, original = [], minimisation.run_one_board

    def counted(*arguments):
        runs.append(1)
        return original(*arguments)

    monkeypatch.setattr(minimisation, "run_one_board", counted)
    return runs


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "missing"])
@pytest.mark.parametrize("which", LOSSES)
@pytest.mark.parametrize("kind", CIRCUITS)
def test_quick_and_general_path_agree(kind: str, which: str, missing: bool, quick_runs):
    if (kind, which) == ("bode", "staged"):
        pytest.skip("elbows under a sharp likelihood: after a thousand steps rounding alone tells the two paths apart")
    if (kind, which, missing) == ("bode", "Huber", True):
        pytest.skip("one point alone decides the pole, and is met exactly: its error is rounding in both paths")
    start, truth = CIRCUITS[kind]
    quantity, loss = LOSSES[which]
    data = cc.simulate(truth(), F, quantity, noise=NOISE[quantity], seed=1)
    if missing:
        values = data.values.clone()
        values[..., ::7] = torch.nan
        data = cc.Measurements(F, quantity, values, data.sigma, data.outputs)
    # a method given by name: no second look from other starts, which would be a batch
    quick = cc.fit(start(), data, loss, method="levenberg-marquardt", history=False)
    assert quick_runs
    del quick_runs[:]
    general = cc.fit(start(), data, loss, method="levenberg-marquardt", history=True)
    assert not quick_runs
    assert (quick.steps, quick.reason) == (general.steps, general.reason)
    assert quick.loss == pytest.approx(general.loss, rel=1e-9)
    for name, value in general.values.items():
        assert quick.values[name].item() == pytest.approx(value.item(), rel=1e-8)
        assert quick.errors[name].item() == pytest.approx(general.errors[name].item(), rel=1e-6)


@pytest.mark.parametrize(
    ("board", "options"),
    [
        (lambda: cc.LowPass(R=900.0), {"bounds": {"R": (1.0, 1e4)}}),
        (lambda: cc.LowPass(R=900.0), {"coordinates": "linear"}),
        (lambda: cc.LowPass(R=900.0), {"method": cc.LBFGS()}),
        (lambda: cc.LowPass(R=torch.tensor(900.0)), {}),
        (lambda: cc.LowPass(R=[900.0]), {}),
        (lambda: cc.LowPass(R=900.0), {"loss": losses.Magnitude(sigma=0.01) + losses.Prior({"R": 200.0}, 0.1)}),
    ],
    ids=["bounds", "linear", "LBFGS", "float32", "batch of one", "prior"],
)
def test_what_the_quick_path_does_not_serve_goes_the_general_way(board, options, quick_runs):
    found = cc.fit(board(), cc.simulate(cc.LowPass(R=200.0), F), history=False, **options)
    assert not quick_runs
    assert found.values["R"].item() == pytest.approx(200.0, rel=1e-4)


def test_a_stop_holds_on_both_paths():
    data = cc.simulate(cc.LowPass(R=200.0), F)
    for stop in (cc.Stop(steps=2), cc.Stop(loss=1e-3), cc.Stop(gradient=1e-2), cc.Stop(step=0.1), cc.Stop(patience=3)):
        quick, general = (cc.fit(cc.LowPass(R=9e5), data, stop=stop, history=kept) for kept in (False, True))
        assert (quick.steps, quick.reason) == (general.steps, general.reason), stop
        assert quick.values["R"].item() == pytest.approx(general.values["R"].item(), rel=1e-9), stop
