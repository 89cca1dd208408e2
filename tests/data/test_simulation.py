"""Simulated measurements: exact without noise, scattered as claimed with it, the same for the same seed."""

from __future__ import annotations

import math

import pytest
import torch

from circuits.data import QUANTITIES, log_grid, simulate, tones
from circuits.errors import DataError, FrequencyError, OptionError, ShapeError, UnknownName


class Divider:
    """Three outputs, or one, or a batch of boards, with a response that does not depend on frequency."""

    def __init__(self, shares=(0.5,), outputs=(), batch=()):
        self.outputs = outputs
        self.shares = torch.tensor(shares, dtype=torch.float64).reshape(-1, 1)
        self.batch = batch

    def predict(self, f, quantity):
        share = self.shares if self.outputs else self.shares[0]
        magnitude = (share + 0 * f).expand(*self.batch, *(len(self.outputs),) * bool(self.outputs), f.shape[-1])
        if quantity == "response":
            return magnitude * (0.6 - 0.8j)
        return {"decibels": 20 * torch.log10(magnitude), "phase": -53.13 + 0 * magnitude}.get(quantity, magnitude)


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize(("outputs", "batch"), [((), ()), (("low", "high"), ()), (("low", "high"), (4,)), ((), (4,))])
def test_without_noise_it_is_the_prediction(quantity, outputs, batch):
    divider = Divider((0.9, 0.2), outputs, batch)
    data = simulate(divider, [10.0, 100.0, 1000.0], quantity)
    exact = divider.predict(data.f, quantity)
    exact = (exact > 1 / math.sqrt(2)).double() if quantity == "led" else exact
    assert torch.equal(data.values, exact)
    assert (data.quantity, data.outputs, data.batch_shape, data.sigma) == (quantity, outputs, batch, None)


@pytest.mark.parametrize("quantity", ["magnitude", "decibels", "phase", "response"])
def test_the_noise_is_as_large_as_it_claims(quantity):
    divider = Divider()
    data = simulate(divider, torch.ones(40_000), quantity, noise=0.3, seed=5)
    noise = data.values - divider.predict(torch.ones(1), quantity)
    parts = [noise.real, noise.imag] if noise.is_complex() else [noise]
    assert float(data.sigma) == 0.3
    for part in parts:
        assert float(part.std()) == pytest.approx(0.3, rel=0.02)
        assert abs(float(part.mean())) < 0.01


@pytest.mark.parametrize(("share", "lit"), [(1 / math.sqrt(2), 0.5), (math.exp(0.1) / math.sqrt(2), 0.8413)])
def test_a_comparator_jitters_in_the_logarithm(share, lit):
    data = simulate(Divider((share,)), torch.ones(40_000), "led", noise=0.1, seed=5)
    assert float(data.values.mean()) == pytest.approx(lit, abs=0.01)
    assert data.sigma is None
    assert set(data.values.tolist()) == {0.0, 1.0}


def test_the_seed_decides():
    first, again, other = (simulate(Divider(), torch.ones(5), noise=1.0, seed=seed).values for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    generator = torch.Generator().manual_seed(1)
    assert torch.equal(first, simulate(Divider(), torch.ones(5), noise=1.0, seed=generator).values)
    assert not torch.equal(first, simulate(Divider(), torch.ones(5), noise=1.0, seed=generator).values)


def test_it_says_that_it_is_simulated():
    data = simulate(Divider(), [1.0], noise=0.25, seed=3)
    assert data.understood == "simulated magnitude, noise 0.25"
    assert data.meta == {"simulated": True, "noise": 0.25, "seed": 3}


def test_no_gradient_is_kept():
    divider = Divider()
    divider.shares.requires_grad_(True)
    assert not simulate(divider, [1.0]).values.requires_grad


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"f": [0.0]}, FrequencyError, "frequency 0 Hz"),
        ({"f": [math.nan]}, FrequencyError, "frequency nan Hz"),
        ({"f": []}, DataError, "no frequency at all"),
        ({"f": 1.0}, ShapeError, "one frequency without a list"),
        ({"quantity": "volume"}, UnknownName, "no quantity 'volume'; known: response"),
        ({"noise": -1.0}, OptionError, "noise -1.0; expected a standard deviation of zero or more"),
        ({"noise": math.nan}, OptionError, "noise nan"),
    ],
)
def test_refuses(options, error, said):
    with pytest.raises(error, match=said):
        simulate(Divider(), **{"f": [1.0], **options})


def test_tones_are_even_in_the_logarithm_and_in_order():
    f = tones(20_000, 10.0, 1e5, seed=3)
    assert f.dtype == torch.float64 and f.shape == (20_000,)
    assert bool((f.diff() >= 0).all())
    share = torch.log10(f / 10.0) / 4.0
    expected = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    assert float((share - expected).abs().max()) < 0.012  # Kolmogorov and Smirnov, 0.6 % of draws are further off
    assert torch.equal(f, tones(20_000, 10.0, 1e5, seed=3))
    assert not torch.equal(f, tones(20_000, 10.0, 1e5, seed=4))


def test_tones_of_the_classroom():
    f = tones()
    assert len(f) == 1000 and float(f[0]) >= 1.0 and float(f[-1]) <= 1e6


@pytest.mark.parametrize("n", [2, 3, 50, 999])
def test_the_grid_ends_exactly_and_steps_evenly(n):
    f = log_grid(n, 0.1, 3e5)
    assert (f[0].item(), f[-1].item(), len(f)) == (0.1, 3e5, n)
    torch.testing.assert_close(f.log().diff(), torch.full((n - 1,), math.log(3e6) / (n - 1)).double())


def test_a_grid_of_one():
    assert log_grid(1, 5.0, 50.0).tolist() == [5.0]


@pytest.mark.parametrize("make", [tones, log_grid])
def test_a_span_that_is_none(make):
    for low, high in ((0.0, 1.0), (-1.0, 1.0), (2.0, 1.0), (1.0, math.inf), (math.nan, 1.0)):
        with pytest.raises(FrequencyError, match="expected 0 < low <= high"):
            make(5, low, high)
    with pytest.raises(OptionError, match="0 frequencies; expected at least one"):
        make(0, 1.0, 2.0)


def test_a_real_circuit_goes_through():
    from circuits.color_organ import ColorOrgan

    organ = ColorOrgan(low=198.944, band=(39.789, 159.155), high=31.831)
    data = simulate(organ, [80.0, 2000.0, 50000.0], "led")
    assert data.outputs == ("low", "band", "high")
    assert data.values.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
