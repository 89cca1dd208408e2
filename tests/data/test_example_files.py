"""The files that the package ships: they say what they claim to say."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from circuits.data import read

FOLDER = Path(__file__).parents[2] / "examples" / "data"
THRESHOLD = 1 / math.sqrt(2)


def low(f, corner):
    return 1 / np.sqrt(1 + (f / corner) ** 2)


def high(f, corner):
    return (f / corner) / np.sqrt(1 + (f / corner) ** 2)


def test_the_lights_are_those_of_the_color_organ():
    bench = read(FOLDER / "organ_leds.csv")
    assert (bench.quantity, bench.outputs, len(bench)) == ("led", ("low", "band", "high"), 1000)
    f = bench.f.numpy()
    levels = np.stack([low(f, 800), low(f, 4000) * high(f, 1000), high(f, 5000)])
    assert np.array_equal(bench.values.numpy(), levels > THRESHOLD)
    assert bench.values.mean(-1).min() > 0 and bench.values.mean(-1).max() < 1


def test_the_tones_are_spread_evenly_in_the_logarithm():
    f = read(FOLDER / "organ_leds.csv").f
    assert f[0] >= 1 and f[-1] <= 1e6
    share = f.log10() / 6 - (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    assert share.abs().max() < 0.05


def test_the_low_pass_is_as_noisy_as_it_says():
    sweep = read(FOLDER / "low_pass_magnitude.csv")
    assert (sweep.quantity, sweep.outputs, len(sweep)) == ("magnitude", (), 60)
    assert (sweep.f[0].item(), sweep.f[-1].item()) == (10.0, 1e5)
    assert set(sweep.sigma.tolist()) == {0.01}
    chi_squared = (((sweep.values.numpy() - low(sweep.f.numpy(), 800)) / 0.01) ** 2).sum()
    assert chi_squared == pytest.approx(60, abs=3 * math.sqrt(120))
