"""A second look from other starts is for fits that went astray, not for every LED that jitters."""

from __future__ import annotations

import math

import pytest
import torch

import circuits as cc
import losses
from circuits.fitting import minimisation
from circuits.fitting.led_doubts import entropy, is_astray
from circuits.fitting.setup import make_problem


def jittering(boards, seed=0, sharpness=20.0):
    """Organs, and LEDs that are lit with the probability σ(k·ln(√2·|H|))."""
    truth = cc.ColorOrgan(low=[200.0] * boards, band=([40.0] * boards, [400.0] * boards), high=[30.0] * boards)
    f = cc.log_grid(200, 10.0, 1e5)
    chance = torch.sigmoid(sharpness * (math.sqrt(2) * truth.magnitude(f).detach()).log())
    lit = torch.rand(chance.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) < chance
    return truth, cc.Measurements(f, "led", lit.double(), outputs=truth.outputs)


def test_jitter_alone_is_no_reason_for_a_second_look(monkeypatch):
    truth, data = jittering(5)
    monkeypatch.setattr(minimisation, "_side_by_side", lambda *_: pytest.fail("started again"))
    start = cc.ColorOrgan(low=[500.0] * 5, band=([100.0] * 5, [300.0] * 5), high=[100.0] * 5)
    fit = cc.fit(start, data, losses.LogisticLed(), history=False)
    for name, value in fit.values.items():
        assert (value / truth.get_parameter(name) - 1).abs().max() < 0.25


def test_an_output_in_a_wrong_place_is_astray_and_is_found_again():
    truth, data = jittering(3)
    problem = make_problem(truth, data, losses.LogisticLed(sharpness=20.0))
    x = problem.start()
    assert is_astray(problem, x).tolist() == [False] * 3
    lost = x.clone()
    lost[1, 0] += 4.0
    assert is_astray(problem, lost).tolist() == [False, True, False]
    assert is_astray(problem, torch.full_like(x, torch.nan)).all()


def test_a_loss_without_a_likelihood_doubts_every_wrong_led():
    truth, data = jittering(2)
    problem = make_problem(truth, data, losses.HingeLed())
    x = problem.start()
    assert is_astray(problem, x).all()


def test_entropy_counts_what_was_seen_output_by_output():
    f = torch.tensor([100.0, 200.0, 400.0, 800.0])
    values = torch.tensor([[1.0, 1.0, 0.0, torch.nan], [1.0, 0.0, torch.nan, torch.nan], [0.0, 0.0, 0.0, 1.0]])
    seen = cc.Measurements(f, "led", values, outputs=("low", "band", "high"))
    problem = make_problem(cc.ColorOrgan(low=200.0, band=(40.0, 400.0), high=30.0), seen, losses.LogisticLed())

    def nats(p):
        return -p * math.log(p) - (1 - p) * math.log(1 - p)

    expected = [nats(2 / 3), nats(1 / 2), nats(1 / 4)]
    assert entropy(problem)[0].tolist() == pytest.approx(expected, rel=1e-12)
