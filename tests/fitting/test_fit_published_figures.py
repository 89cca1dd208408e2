"""The published exercises: R from magnitudes, from LEDs by the classroom's loss, and the corners of a Bode plot."""

from __future__ import annotations

import math
from itertools import product

import pytest

import circuits as cc
import losses

LOW, HIGH = 198.944, 31.831
"""Ohms for corners at 800 Hz and 5 kHz with 1 µF."""


@pytest.mark.parametrize("start", [1.0, 1e3, 2e3, 1e6])
@pytest.mark.parametrize("seed", range(5))
def test_low_pass_from_a_thousand_magnitudes(start: float, seed: int):
    board = cc.LowPass(R=start)
    found = cc.fit(board, cc.simulate(cc.LowPass(R=LOW), cc.tones(1000, seed=seed)))
    assert board.R.item() == pytest.approx(LOW, rel=1e-6)
    assert found.values["R"].item() == board.R.item()
    assert found.converged and found.explains
    assert found.steps <= 12


@pytest.mark.parametrize(
    ("circuit", "truth", "off", "expected"),
    [
        (cc.LowPass, LOW, {}, LOW),
        (cc.HighPass, HIGH, {}, HIGH),
        (cc.LowPass, LOW, {"off": 1 - 1 / math.sqrt(2)}, LOW),
        (cc.HighPass, HIGH, {"off": 1 - 1 / math.sqrt(2)}, HIGH),
        (cc.LowPass, LOW, {"off": 0.0}, LOW * math.sqrt(3)),
        (cc.HighPass, HIGH, {"off": 0.0}, HIGH / math.sqrt(3)),
    ],
)
def test_shifted_mse_balances_at_the_corner_and_only_there(
    circuit, truth: float, off: dict[str, float], expected: float
):
    lit = cc.simulate(circuit(R=truth), cc.log_grid(20_001, 1.0, 1e6), "led")
    board = circuit(R=500.0)
    assert cc.fit(board, lit, losses.ShiftedMSE(**off)).converged
    assert board.R.item() == pytest.approx(expected, rel=0.005)


def decibels(f):
    """The 4000/1000 Hz band-pass, whose curve is not its asymptote."""
    return cc.simulate(cc.BandPass(R_low=39.789, R_high=159.155), f, "decibels")


@pytest.mark.parametrize("start", list(product((2.0, 5e1, 1e3, 2e4, 5e5), (3.0, 1e2, 3e3, 1e5))))
def test_bode_band_pass_has_one_minimum_from_far_apart_starts(start):
    board = cc.BodeBandPass(*start)
    found = cc.fit(board, decibels(cc.log_grid(4000, 1.0, 1e6)))
    assert board.f_low.item() == pytest.approx(3833, abs=1.5)
    assert board.f_high.item() == pytest.approx(1034, abs=1)
    assert found.loss == pytest.approx(0.971, abs=0.001)


def test_bode_band_pass_from_random_tones():
    """Each corner in 90 % of the draws; how far they scatter is a matter of the tones, the minimum being exact."""
    f_low, f_high = [], []
    for seed in range(40):
        board = cc.BodeBandPass(100.0, 1e4)
        assert cc.fit(board, decibels(cc.tones(1000, seed=seed))).converged
        f_low.append(board.f_low.item())
        f_high.append(board.f_high.item())
    assert sum(3806 <= f <= 3861 for f in f_low) >= 36
    assert sum(1028 <= f <= 1041 for f in f_high) >= 36
