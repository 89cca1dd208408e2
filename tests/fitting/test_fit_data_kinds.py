"""What can be measured can be fitted: every quantity, precision, missing values, outputs left out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import circuits as cc
import losses

F = cc.log_grid(80, 10.0, 1e5)
ORGAN = cc.ColorOrgan(200.0, (40.0, 160.0), 32.0)
TRUTH = {"low.R": 200.0, "band.R_low": 40.0, "band.R_high": 160.0, "high.R": 32.0}


def organ() -> cc.ColorOrgan:
    return cc.ColorOrgan(500.0, (90.0, 500.0), 500.0)


def agrees(found: cc.Fit, truth: dict[str, float], rel: float = 1e-6) -> bool:
    return all(found.values[name].item() == pytest.approx(value, rel=rel) for name, value in truth.items())


@pytest.mark.parametrize("quantity", ["magnitude", "decibels", "phase", "response"])
@pytest.mark.parametrize(
    ("start", "truth"),
    [
        (lambda: cc.LowPass(R=500.0), cc.LowPass(R=200.0)),
        (lambda: cc.HighPass(R=500.0), cc.HighPass(R=200.0)),
        (lambda: cc.BandPass(R_low=60.0, R_high=300.0), cc.BandPass(R_low=40.0, R_high=160.0)),
        (lambda: cc.LoadedBandPass(R_low=60.0, R_high=300.0), cc.LoadedBandPass(R_low=40.0, R_high=160.0)),
        (organ, ORGAN),
    ],
    ids=["low", "high", "band", "loaded", "organ"],
)
def test_every_quantity_of_every_circuit(start, truth, quantity: str):
    found = cc.fit(start(), cc.simulate(truth, F, quantity))
    expected = {name: truth.get_parameter(name).item() for name in found.values}
    assert found.converged and agrees(found, expected)


@pytest.mark.parametrize(
    ("quantity", "loss"),
    [
        ("magnitude", losses.Decibel()),
        ("decibels", losses.Magnitude()),
        ("response", losses.Magnitude()),
        ("response", losses.Decibel()),
        ("response", losses.Phase()),
        ("response", losses.Huber(losses.Decibel(), 1.0)),
        ("decibels", losses.Squared()),
        ("response", losses.Squared()),
    ],
    ids=str,
)
def test_data_are_read_as_what_the_loss_compares(quantity: str, loss):
    found = cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), F, quantity), loss)
    assert agrees(found, {"R": 200.0})


def test_sigma_follows_into_decibels():
    data = cc.simulate(cc.LowPass(R=200.0), F, noise=1e-4, seed=1)
    ratio, decibels = (cc.fit(cc.LowPass(R=500.0), data, loss) for loss in (losses.Magnitude(), losses.Decibel()))
    assert decibels.errors["R"].item() == pytest.approx(ratio.errors["R"].item(), rel=0.02)
    assert decibels.values["R"].item() == pytest.approx(ratio.values["R"].item(), abs=ratio.errors["R"].item() / 10)


@pytest.mark.parametrize("turns", [-1, 1, 3])
def test_phase_is_compared_round_the_circle(turns: int):
    phase = cc.LowPass(R=200.0).phase(F).detach() + 360.0 * turns
    assert agrees(cc.fit(cc.LowPass(R=500.0), cc.Measurements(F, "phase", phase)), {"R": 200.0})


def test_noise_that_wraps_round_does_not_drag():
    """A band-pass far below its corners stands at +90°, and noise carries some points of a shifted copy past 180°."""
    truth = cc.BandPass(R_low=40.0, R_high=160.0)
    phase = truth.phase(F).detach() + 5 * torch.randn(80, generator=torch.Generator().manual_seed(0), dtype=F.dtype)
    wrapped = torch.remainder(phase + 180.0 + 95.0, 360.0) - 180.0 - 95.0
    straight, found = (
        cc.fit(cc.BandPass(R_low=60.0, R_high=300.0), cc.Measurements(F, "phase", p)) for p in (phase, wrapped)
    )
    for name, value in straight.values.items():
        assert found.values[name].item() == pytest.approx(value.item(), rel=1e-9)


# precision

SINGLE = {
    "low-pass": (lambda: cc.LowPass(R=torch.tensor(500.0)), cc.LowPass(R=200.0)),
    "batch": (lambda: cc.LowPass(R=torch.tensor([500.0, 3.0])), cc.LowPass(R=200.0)),
    "organ": (lambda: organ().to(torch.float32), ORGAN),
}


@pytest.mark.parametrize(
    "method", ["auto", cc.LBFGS(), lambda x: torch.optim.Adam(x, lr=0.1)], ids=["auto", "LBFGS", "Adam"]
)
@pytest.mark.parametrize("quantity", ["magnitude", "decibels", "phase", "response", "led"])
@pytest.mark.parametrize("case", SINGLE)
def test_a_single_precision_circuit_stays_single(case: str, quantity: str, method):
    start, truth = SINGLE[case]
    circuit = start()
    grid = cc.log_grid(400, 10.0, 1e5) if quantity == "led" else F
    found = cc.fit(circuit, cc.simulate(truth, grid, quantity), method=method, stop=rough(method))
    assert all(p.dtype == torch.float32 for p in circuit.parameters())
    assert all(v.dtype == torch.float32 for v in (*found.values.values(), *found.errors.values()))
    assert found.history.loss.dtype == torch.float32
    for name, value in found.values.items():
        expected = truth.get_parameter(name).item()
        near = 0.05 if quantity == "led" else 2e-2 if callable(method) else 2e-4
        assert value.reshape(-1).tolist() == pytest.approx([expected] * value.numel(), rel=near)
    if method == "auto":
        assert bool(torch.as_tensor(found.converged).all())
        assert bool(torch.as_tensor(found.steps).max() < 100)


def rough(method) -> cc.Stop | None:
    return cc.Stop(gradient=1e-5, steps=400) if callable(method) else None


@pytest.mark.parametrize(
    "kind",
    [list, np.asarray, lambda v: np.asarray(v, np.float32), torch.tensor, tuple],
    ids=["list", "array", "single array", "tensor", "tuple"],
)
def test_a_plain_pair_of_any_kind_of_numbers(kind):
    f, values = F.tolist(), cc.LowPass(R=200.0)(F).tolist()
    assert agrees(cc.fit(cc.LowPass(R=500.0), (kind(f), kind(values))), {"R": 200.0}, rel=1e-5)
    assert agrees(cc.fit(cc.LowPass(R=500.0), [kind(f), kind(values)]), {"R": 200.0}, rel=1e-5)


def test_a_plain_pair_is_what_the_loss_compares():
    truth = cc.LowPass(R=200.0)
    for loss, values in (
        (losses.Decibel(), truth.decibels(F)),
        (losses.Phase(), truth.phase(F)),
        (losses.Complex(), truth.response(F)),
        (None, truth.response(F)),
    ):
        assert agrees(cc.fit(cc.LowPass(R=500.0), (F, values.detach()), loss), {"R": 200.0})


def test_a_plain_pair_for_an_organ():
    assert agrees(cc.fit(organ(), (F, ORGAN(F).detach())), TRUTH)


# missing values and outputs


@pytest.mark.parametrize("quantity", ["magnitude", "decibels", "phase", "response", "led"])
def test_missing_cells_are_left_out(quantity: str):
    """Dropping points of one output or marking them as missing is the same."""
    noise = {"decibels": 0.1, "phase": 1.0, "led": 0.2}.get(quantity, 0.01)
    data = cc.simulate(cc.LowPass(R=200.0), F, quantity, noise=noise, seed=2)
    keep = torch.arange(80) % 3 > 0
    values = torch.where(keep, data.values, torch.nan)
    sigma = None if data.sigma is None else data.sigma
    holes = cc.fit(cc.LowPass(R=500.0), cc.Measurements(F, quantity, values, sigma))
    fewer = cc.fit(cc.LowPass(R=500.0), cc.Measurements(F[keep], quantity, data.values[keep], sigma))
    assert holes.values["R"].item() == pytest.approx(fewer.values["R"].item(), rel=1e-9)
    assert holes.errors["R"].item() == pytest.approx(fewer.errors["R"].item(), rel=1e-6)
    assert holes.misfit == fewer.misfit


@pytest.mark.parametrize("loss", [lambda p, t: (p - t).square().mean(), losses.Huber(losses.Magnitude(), 0.02)])
@pytest.mark.parametrize("boards", [None, 2])
def test_missing_cells_are_left_out_of_any_loss(loss, boards: int | None):
    data = cc.simulate(cc.LowPass(R=200.0), F, noise=0.01, seed=2)
    keep = torch.arange(80) % 3 > 0
    start = 500.0 if boards is None else [500.0] * boards
    values = torch.where(keep, data.values, torch.nan)
    holes = cc.fit(cc.LowPass(R=start), (F, values), loss)
    fewer = cc.fit(cc.LowPass(R=start), (F[keep], data.values[keep]), loss)
    torch.testing.assert_close(holes.values["R"], fewer.values["R"], rtol=1e-6, atol=0)
    torch.testing.assert_close(holes.errors["R"], fewer.errors["R"], rtol=1e-4, atol=0)


def test_missing_leds_of_an_organ():
    lit = cc.simulate(ORGAN, cc.tones(1000, seed=3), "led")
    values = lit.values.clone()
    values[torch.rand(values.shape, generator=torch.Generator().manual_seed(0)) < 0.3] = torch.nan
    found = cc.fit(organ(), cc.Measurements(lit.f, "led", values, outputs=lit.outputs))
    present = int((~values.isnan()).sum())
    assert found.misfit == f"{present} of {present} LEDs explained"
    for name, value in TRUTH.items():
        low, high = found.intervals[name].tolist()
        assert low <= value <= high


@pytest.mark.parametrize("outputs", [("low",), ("low", "band"), ("high", "low"), ("band", "low", "high")], ids=str)
@pytest.mark.parametrize("quantity", ["magnitude", "led"])
def test_outputs_in_any_order_and_some_left_out(outputs: tuple[str, ...], quantity: str):
    data = cc.simulate(ORGAN, cc.tones(1000, seed=1), quantity).select(outputs)
    found = cc.fit(organ(), data)
    for name, value in TRUTH.items():
        if name.split(".")[0] in outputs:
            assert found.values[name].item() == pytest.approx(value, rel=1e-6 if quantity == "magnitude" else 0.06)
        else:
            assert name in found.identifiability.invisible
            assert found.errors[name].isinf()


def test_one_named_output_serves_a_circuit_with_one():
    data = cc.simulate(ORGAN, F).select(("low",))
    assert agrees(cc.fit(cc.LowPass(R=500.0), data), {"R": 200.0})


def test_uneven_sigma_weighs_the_points():
    """A wild point with a large σ is all but ignored."""
    values, sigma = cc.LowPass(R=200.0)(F).detach().clone(), torch.full((80,), 0.01, dtype=F.dtype)
    values[40] += 0.3
    plain = cc.fit(cc.LowPass(R=500.0), (F, values)).values["R"].item()
    sigma[40] = 100.0
    weighed = cc.fit(cc.LowPass(R=500.0), cc.Measurements(F, "magnitude", values, sigma)).values["R"].item()
    in_loss = cc.fit(cc.LowPass(R=500.0), (F, values), losses.Magnitude(sigma=sigma)).values["R"].item()
    as_weights = cc.fit(cc.LowPass(R=500.0), (F, values), losses.Magnitude(weights=1 / sigma**2)).values["R"].item()
    assert abs(plain / 200 - 1) > 1e-3
    assert weighed == pytest.approx(200.0, rel=1e-6) == in_loss == as_weights


@pytest.mark.parametrize("boards", [None, 2])
@pytest.mark.parametrize("history", [False, True])
@pytest.mark.parametrize(
    "sigma", [0.01, torch.full((80,), 0.01, dtype=torch.float64), torch.full((3, 80), 0.01, dtype=torch.float64)]
)
def test_sigma_of_the_loss_in_any_shape_that_broadcasts(sigma, history: bool, boards: int | None):
    whole = boards or 1
    if boards is None:
        start, data = organ(), cc.simulate(ORGAN, F, noise=0.01)
    else:
        start = cc.ColorOrgan([500.0] * 2, ([90.0] * 2, [500.0] * 2), [500.0] * 2)
        data = cc.simulate(cc.ColorOrgan([200.0] * 2, ([40.0] * 2, [160.0] * 2), [32.0] * 2), F, noise=0.01)
    in_data = cc.fit(start, data, history=history)
    bare = cc.Measurements(F, "magnitude", data.values, outputs=data.outputs)
    in_loss = cc.fit(start, bare, losses.Magnitude(sigma=sigma), history=history)
    for name, error in in_data.errors.items():
        assert in_loss.errors[name].reshape(-1).tolist() == pytest.approx(error.reshape(-1).tolist(), rel=1e-6)
        assert error.numel() == whole


def test_one_point_determines_one_value():
    found = cc.fit(cc.LowPass(R=500.0), ([1000.0], [0.5]))
    assert found.values["R"].item() == pytest.approx(math.sqrt(3) / (2e3 * math.pi * 1e-6), rel=1e-9)
    # and leaves nothing to estimate the noise from
    assert not found.errors["R"].isfinite() or found.errors["R"] == 0
    assert str(found)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("f_kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("quantity", ["magnitude", "response"])
def test_frequencies_and_values_need_not_be_of_one_precision(kind, f_kind, quantity):
    f = cc.log_grid(60, 10.0, 1e5).to(f_kind)
    data = cc.simulate(cc.LowPass(200.0, dtype=torch.float32), f, quantity, noise=0.01)
    found = cc.fit(cc.LowPass(500.0, dtype=kind), data)
    assert found.values["R"].dtype == kind
    assert found.values["R"].item() == pytest.approx(200.0, rel=0.03)
