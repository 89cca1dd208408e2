"""The ends of every component of many boards of LEDs, against one linear program after the other."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

import circuits as cc
import losses
from circuits.fitting import led_boards as module
from circuits.fitting.led_boards import led_ends
from circuits.fitting.linear_programs import farthest_points
from circuits.fitting.setup import make_problem
from circuits.fitting.version_space import explains_every_led, led_intervals


def reference(problem, x):
    """One board, component and side after the other."""
    ones = [torch.tensor([board]) for board in range(len(x))]
    return torch.stack([led_intervals(problem.take(one) if len(x) > 1 else problem, x[one]) for one in ones])


def seen(circuit, tones=120, seed=0):
    f = cc.tones(tones, 10.0, 1e5, torch.Generator().manual_seed(seed))
    return cc.simulate(circuit, f, "led")


def organs(boards, seed=0):
    def draw(low, high):
        share = torch.rand(boards, generator=generator, dtype=torch.float64)
        return low * (high / low) ** share

    generator = torch.Generator().manual_seed(seed)
    low = draw(3.0, 100.0)
    return cc.ColorOrgan(low=draw(10.0, 1e3), band=(low, low * draw(5.0, 25.0)), high=draw(10.0, 1e3))


def freed(circuit):
    for parameter in circuit.parameters():
        parameter.requires_grad_(True)
    return circuit


def with_gaps(data):
    values = data.values.clone()
    values[..., ::3] = torch.nan
    return cc.Measurements(data.f, data.quantity, values, outputs=data.outputs)


CASES = {
    "organs": lambda: (organs(8), seen(organs(8))),
    "few tones": lambda: (organs(6, 1), seen(organs(6, 1), 25)),
    "missing": lambda: (organs(4, 2), with_gaps(seen(organs(4, 2)))),
    "one low-pass": lambda: (cc.LowPass(R=200.0), seen(cc.LowPass(R=200.0))),
    "free capacitor": lambda: (freed(cc.LowPass(R=[200.0, 90.0], C=[1e-6, 2e-6])), seen(cc.LowPass(R=[200.0, 90.0]))),
    "both free": lambda: (
        freed(cc.BandPass(R_low=[40.0, 60.0], R_high=[400.0, 300.0], C_low=[1e-6, 2e-6], C_high=[1e-6, 3e-6])),
        seen(cc.BandPass(R_low=[40.0, 60.0], R_high=[400.0, 300.0], C_low=[1e-6, 2e-6], C_high=[1e-6, 3e-6])),
    ),
    "loaded": lambda: (
        cc.LoadedBandPass(R_low=[40.0, 70.0], R_high=[400.0, 900.0]),
        seen(cc.LoadedBandPass(R_low=[40.0, 70.0], R_high=[400.0, 900.0])),
    ),
    "own capacitors": lambda: (
        cc.BandPass(R_low=[40.0, 40.0], R_high=[400.0, 400.0], C_low=[1e-6, 2e-6]),
        seen(cc.BandPass(R_low=[40.0, 40.0], R_high=[400.0, 400.0], C_low=[1e-6, 2e-6])),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_are_those_of_one_program_after_the_other(case, monkeypatch):
    monkeypatch.setattr(module, "_alone", lambda *_: pytest.fail("a single program was asked for"))
    circuit, data = case()
    problem = make_problem(circuit, data, losses.LogisticLed(sharpness=300.0))
    x = problem.start()
    found = led_ends(problem, x)
    expected = reference(problem, x)
    assert torch.equal(found.isinf(), expected.isinf())
    finite = expected.isfinite()
    assert torch.equal(found[~finite], expected[~finite])
    assert (found[finite] - expected[finite]).abs().max() < 1e-9 if finite.any() else True


def test_are_where_the_last_led_would_change():
    circuit = organs(40, 3)
    problem = make_problem(circuit, seen(circuit, 60), losses.LogisticLed(sharpness=300.0))
    x = problem.start()
    ends = led_ends(problem, x)
    for column, name in ((0, "low.R"), (3, "high.R")):  # alone in their outputs
        assert problem.model.names[column] == name
        for side, out in ((0, -1e-9), (1, 1e-9)):
            at = x.clone()
            at[:, column] = ends[:, column, side] - out
            assert explains_every_led(problem, at).all()
            at[:, column] = ends[:, column, side] + out
            assert not explains_every_led(problem, at).any()


def test_a_fit_gives_no_interval_to_a_board_that_leaves_some_wrong():
    truth = organs(3, 4)
    data = seen(truth)
    values = data.values.clone()
    values[1, 0, data.f.argmin()] = 0.0
    data = cc.Measurements(data.f, "led", values, outputs=data.outputs)
    start = cc.ColorOrgan(low=[200.0] * 3, band=([40.0] * 3, [400.0] * 3), high=[100.0] * 3)
    found = cc.fit(start, data, losses.LogisticLed()).intervals
    assert found is not None
    for name, ends in found.items():
        assert ends[1].isnan().all()
        value = truth.get_parameter(name)[[0, 2]]
        assert bool(((ends[[0, 2], 0] <= value) & (value <= ends[[0, 2], 1])).all())


def test_a_row_that_does_not_come_to_rest_is_left_to_the_single_program(monkeypatch):
    circuit = organs(2, 5)
    problem = make_problem(circuit, seen(circuit, 60), losses.LogisticLed(sharpness=300.0))
    expected = led_ends(problem, problem.start())
    monkeypatch.setattr(module, "ROUNDS", 1)
    assert (led_ends(problem, problem.start()) - expected).abs().max() < 1e-9


@pytest.mark.parametrize("q", [1, 2, 3, 6])
def test_many_programs_at_once_are_those_of_scipy(q):
    generator = torch.Generator().manual_seed(q)
    normals = torch.randn(60, 40, q, generator=generator, dtype=torch.float64)
    room = torch.rand(60, 40, generator=generator, dtype=torch.float64) - torch.linspace(-0.2, 0.1, 60).view(-1, 1)
    room[:, ::7] = torch.inf
    column = torch.arange(60) % q
    sign = torch.where(torch.arange(60) % 3 > 0, 1.0, -1.0).double()
    reach = torch.full((60,), 0.7, dtype=torch.float64)
    d, found = farthest_points(normals, room, column, sign, reach)
    some = 0
    for i in range(60):
        cost = np.zeros(q)
        cost[column[i]] = -sign[i]
        keep = room[i].isfinite()
        answer = linprog(cost, normals[i][keep].numpy(), room[i][keep].numpy(), bounds=[(-0.7, 0.7)] * q)
        assert bool(found[i]) == (answer.status == 0)
        if answer.status == 0:
            some += 1
            assert float(d[i, column[i]] * sign[i]) == pytest.approx(-answer.fun, abs=1e-9)
            assert bool((normals[i] @ d[i] <= room[i] + 1e-11).all())
    assert some > 10
    assert some < 60 or q > 2


def test_the_ends_of_a_thousand_boards_take_no_solver_of_others(monkeypatch):
    monkeypatch.setattr(module, "_alone", lambda *_: pytest.fail("a single program was asked for"))
    circuit = organs(300, 6)
    problem = make_problem(circuit, seen(circuit, 100), losses.LogisticLed(sharpness=300.0))
    ends = led_ends(problem, problem.start())
    assert ends.shape == (300, 4, 2)
    assert not ends.isnan().any()
    assert bool((ends[..., 0] <= problem.start()).all() & (ends[..., 1] >= problem.start()).all())
    assert math.isfinite(float(ends[:, 0].abs().max()))
