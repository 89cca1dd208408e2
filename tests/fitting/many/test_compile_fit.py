"""A fit that is made once and called again and again."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

import circuits as cc
import losses
from circuits.errors import DataError, OptionError, ShapeError

HAS_COMPILER = any(map(shutil.which, ("cc", "gcc", "clang")))
pytestmark = pytest.mark.skipif(not HAS_COMPILER, reason="NOT RUN: no C compiler (cc, gcc or clang)")
F = cc.log_grid(120, 20.0, 5e4)


def organ(low: float = 500.0) -> cc.ColorOrgan:
    return cc.ColorOrgan(low, (60.0, 500.0), 100.0)


def noisy(seed: int, truth: cc.Circuit, quantity: str = "magnitude") -> cc.Measurements:
    data = cc.simulate(truth, F, quantity, noise=0.01, seed=seed)
    return cc.Measurements(F, quantity, data.values, outputs=data.outputs)


def test_every_call_answers_like_a_fit():
    again = cc.compile_fit(organ(), noisy(0, organ(300.0)))
    for seed in (1, 2, 3):
        data = noisy(seed, cc.ColorOrgan(100.0 * seed, (40.0, 160.0 * seed), 32.0))
        wanted, found = cc.fit(organ(), data, history=False, compile=False), again(data.values.numpy())
        assert found.converged and found.loss == pytest.approx(wanted.loss, rel=1e-9)
        for name, value in wanted.values.items():
            assert found.values[name] == pytest.approx(value.item(), rel=1e-8)


def test_many_boards_at_once_and_one_alone_are_the_same():
    again = cc.compile_fit(organ(), noisy(0, organ(300.0)))
    tables = np.stack([noisy(seed, organ(200.0)).values.numpy() for seed in range(5)])
    many = again(tables)
    assert many.converged.all() and many.loss.shape == (5,)
    for board, table in enumerate(tables):
        alone = again(table)
        assert (alone.loss, alone.steps, alone.reason) == (
            many.loss[board],
            many.steps[board],
            many.reason[board],
        )
        for name in alone.values:
            assert alone.values[name] == many.values[name][board]


def test_a_complex_response_with_a_sigma_of_every_point():
    sigma = torch.linspace(0.005, 0.02, len(F), dtype=torch.float64)
    data = cc.simulate(cc.LowPass(330.0), F, "response", noise=0.01, seed=4)
    again = cc.compile_fit(cc.LowPass(800.0), cc.Measurements(F, "response", data.values, sigma))
    wanted = cc.fit(cc.LowPass(800.0), cc.Measurements(F, "response", data.values, sigma), compile=False)
    assert again(data.values.numpy()).values["R"] == pytest.approx(wanted.values["R"].item(), rel=1e-9)


def test_it_starts_where_the_circuit_stood_and_leaves_it_alone():
    board = organ()
    again = cc.compile_fit(board, noisy(0, organ(300.0)), stop=cc.Stop(steps=0))
    with torch.no_grad():
        board.low.R.fill_(1.0)
    assert again(noisy(1, organ(300.0)).values).values["low.R"] == pytest.approx(500.0)
    assert board.low.R.item() == 1.0


def test_bounds_and_linear_coordinates():
    data = noisy(0, organ(300.0))
    again = cc.compile_fit(organ(), data, bounds={"low.R": (350.0, None)}, coordinates={"high.R": "linear"})
    found = again(data.values.numpy())
    assert found.values["low.R"] == pytest.approx(350.0) and found.values["high.R"] == pytest.approx(100.0, rel=0.05)


def test_wrong_values_are_met_at_the_door():
    again = cc.compile_fit(organ(), noisy(0, organ(300.0)))
    with pytest.raises(ShapeError, match=r"values of shape \(3, 7\); expected \(3, 120\)"):
        again(np.ones((3, 7)))
    bad = noisy(1, organ(300.0)).values.numpy().copy()
    bad[1, 5] = np.nan
    for table in (bad, np.stack([bad, bad])):
        with pytest.raises(DataError, match="missing or not finite"):
            again(table)


def test_what_cannot_be_compiled_says_so(monkeypatch):
    with pytest.raises(OptionError, match="without stages"):
        cc.compile_fit(organ(), cc.simulate(organ(300.0), F, "led"))
    with pytest.raises(OptionError, match="one board"):
        cc.compile_fit(cc.LowPass([1.0, 2.0]), (F, torch.ones(2, len(F))))
    monkeypatch.setenv("OHMGRAD_NATIVE", "0")
    with pytest.raises(OptionError, match="cannot be compiled"):
        cc.compile_fit(organ(), noisy(0, organ(300.0)), losses.Magnitude())
