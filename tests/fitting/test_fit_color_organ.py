"""The main job: four resistors of a color organ from nothing but which LEDs were lit."""

from __future__ import annotations

import math

import pytest
import torch

import circuits as cc
import losses

PUBLISHED = {"low.R": 198.944, "band.R_low": 39.789, "band.R_high": 159.155, "high.R": 31.831}
WIDE = {"low.R": 1000.0, "band.R_low": 20.0, "band.R_high": 400.0, "high.R": 5.0}
OTHER = {"low.R": 318.3, "band.R_low": 31.83, "band.R_high": 318.3, "high.R": 10.0}
DRAWS = 40


def organ(ohms: dict[str, float]) -> cc.ColorOrgan:
    return cc.ColorOrgan(ohms["low.R"], (ohms["band.R_low"], ohms["band.R_high"]), ohms["high.R"])


@pytest.mark.parametrize("truth", [PUBLISHED, WIDE, OTHER], ids=["published", "wide", "other"])
def test_forty_draws_of_a_thousand_tones(truth: dict[str, float]):
    errors = []
    for seed in range(DRAWS):
        bench = cc.simulate(organ(truth), cc.tones(1000, seed=seed), "led")
        found = cc.fit(cc.ColorOrgan(500.0, (500.0, 500.0), 500.0), bench)
        assert found.misfit == "3000 of 3000 LEDs explained", seed
        assert found.converged and found.explains, seed
        for name, value in truth.items():
            low, high = found.intervals[name].tolist()
            assert low <= value <= high, (seed, name)
            assert low <= found.values[name].item() <= high, (seed, name)
            assert 0 < found.errors[name].item() < high - low, (seed, name)
        errors.append([abs(found.values[name].item() / value - 1) for name, value in truth.items()])
    errors = torch.tensor(errors)
    assert (errors.median(0).values <= 0.01).all()
    assert (errors.quantile(0.95, 0) <= 0.03).all()


@pytest.mark.parametrize("circuit", [cc.LowPass, cc.HighPass])
@pytest.mark.parametrize("count", [12, 100, 1000])
def test_the_interval_ends_at_the_neighbouring_tones(circuit, count: int):
    """A first-order filter has its corner between two tones: R between 1/(2πC f) of the one and of the other."""
    f = cc.tones(count, 10.0, 1e5, seed=count)
    found = cc.fit(circuit(R=500.0), cc.simulate(circuit(R=200.0), f, "led"))
    corner = 1 / (2 * math.pi * 200.0 * 1e-6)
    ends = sorted(1 / (2 * math.pi * 1e-6 * t) for t in (f[f < corner].max().item(), f[f > corner].min().item()))
    assert found.intervals["R"].tolist() == pytest.approx(ends, rel=1e-6)
    assert found.errors["R"].item() == pytest.approx(
        found.values["R"].item() * math.log(ends[1] / ends[0]) / math.sqrt(12), rel=1e-3
    )


def test_a_handful_of_tones_still_gives_an_error():
    """With eight tones every LED is far from the threshold; the interval is wide, yet it is known."""
    found = cc.fit(cc.LowPass(R=300.0), cc.simulate(cc.LowPass(R=200.0), cc.log_grid(8, 10.0, 1e5), "led"))
    low, high = found.intervals["R"].tolist()
    assert low < 200 < high
    assert 0 < found.errors["R"].item() < high - low
    assert "nothing in these data depends on" not in str(found)


def test_single_precision_leds_have_errors_too():
    board = cc.LowPass(R=torch.tensor(1000.0))
    found = cc.fit(board, cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5), "led"))
    assert board.R.dtype == torch.float32 and found.misfit == "60 of 60 LEDs explained"
    low, high = found.intervals["R"].tolist()
    assert low < 200 < high
    assert 0 < found.errors["R"].item() < high - low


def test_the_table_shows_the_interval_beside_the_value():
    bench = cc.simulate(organ(PUBLISHED), cc.tones(300, seed=1), "led")
    text = str(cc.fit(cc.ColorOrgan(500.0, (500.0, 500.0), 500.0), bench))
    assert "every LED explained from … to" in text
    assert "900 of 900 LEDs explained" in text
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    for name in PUBLISHED:
        assert "±" in rows[name] and " … " in rows[name] and rows[name].count("Ω") == 3
    for corner in ("low.cutoff", "band.low_pass", "band.high_pass", "high.cutoff"):
        assert "Hz" in rows[corner] and "±" in rows[corner]


def test_leds_with_noise_have_no_interval_and_say_how_many_are_explained():
    bench = cc.simulate(cc.LowPass(R=200.0), cc.tones(300), "led", noise=0.3, seed=1)
    found = cc.fit(cc.LowPass(R=500.0), bench)
    assert found.intervals is None
    right = int(losses.LogisticLed().explained(found.circuit(bench.f), bench.values).sum())
    assert right < 300 and found.misfit == f"{right} of 300 LEDs explained"
    assert found.explains


def test_leds_that_no_low_pass_can_light_are_not_explained():
    f = cc.log_grid(100, 10.0, 1e5)
    found = cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.HighPass(R=200.0), f, "led"))
    assert not found.explains
    assert "does not explain these data" in str(found)
