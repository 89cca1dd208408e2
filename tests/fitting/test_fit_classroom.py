"""The classroom's own setting: raw ohms, plain gradient descent, compared with the loop that a student writes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import circuits as cc

F = cc.tones(1000)
TARGET = cc.simulate(cc.LowPass(R=200.0), F).values
STEPS = 3000


def by_hand(lr: float, beta: float) -> tuple[Tensor, Tensor, Tensor]:
    """Walk of R with z ← (1−β)z + βg, R ← R − lr·z; with the loss and gradient met on the way."""
    R, z, walk = torch.tensor(1000.0, dtype=torch.float64, requires_grad=True), 0.0, []
    for _ in range(STEPS + 1):
        x = 2 * math.pi * F * R * 1e-6
        loss = ((1 + x * x) ** -0.5 - TARGET).square().mean()
        (g,) = torch.autograd.grad(loss, R)
        walk.append((R.item(), loss.item(), g.item()))
        z = (1 - beta) * z + beta * g
        R = (R - lr * z).detach().requires_grad_()
    return tuple(torch.tensor(column, dtype=torch.float64) for column in zip(*walk, strict=True))


@pytest.mark.parametrize(("lr", "momentum"), [(200.0, 0.0), (200.0, 0.9), (2e4, 0.5)])
def test_the_walk_is_that_of_the_hand_written_loop(lr: float, momentum: float):
    method = cc.GradientDescent(lr, momentum)
    board, stop = cc.LowPass(R=1000.0), cc.Stop(steps=STEPS)
    found = cc.fit(board, (F, TARGET), method=method, coordinates="linear", stop=stop, history=True)
    R, loss, gradient = by_hand(lr, 1 - momentum)
    history = found.history
    assert len(history) == STEPS + 1 and history.names == ("R",)
    torch.testing.assert_close(history.of("R")[:, 0], R, rtol=1e-9, atol=0)
    torch.testing.assert_close(history.values[:, 0, 0], R, rtol=1e-9, atol=0)
    torch.testing.assert_close(history.loss[:, 0], loss, rtol=1e-9, atol=1e-22)
    torch.testing.assert_close(history.gradient[:, 0, 0], gradient, rtol=1e-9, atol=1e-18)
    assert board.R.item() == pytest.approx(R[loss.argmin()].item(), rel=1e-9)
    assert (found.steps, found.reason, found.converged) == (STEPS, "steps", False)


def test_the_classroom_comes_closer_and_is_not_there():
    board = cc.LowPass(R=1000.0)
    found = cc.fit(
        board, (F, TARGET), method=cc.GradientDescent(200.0), coordinates="linear", stop=cc.Stop(steps=STEPS)
    )
    walk = found.history.of("R")[:, 0]
    assert (walk.diff() < 0).all()
    assert 900 < board.R.item() < 1000


def test_in_logarithms_the_gradient_is_that_of_the_logarithm():
    """dL/d ln R = R · dL/dR, and the walk starts where it stands."""
    one = {"method": cc.GradientDescent(1e-9), "stop": cc.Stop(steps=1)}
    ohms = cc.fit(cc.LowPass(R=1000.0), (F, TARGET), coordinates="linear", **one).history
    logs = cc.fit(cc.LowPass(R=1000.0), (F, TARGET), **one).history
    assert logs.gradient[0].item() == pytest.approx(1000 * ohms.gradient[0].item(), rel=1e-12)
    assert logs.values[0].item() == pytest.approx(1000.0, rel=1e-14)


def test_a_long_history_is_kept_whole():
    """History is packed every 1024 steps; no step may be lost or doubled at the seams."""
    walks = []
    for steps in (1022, 1023, 1024, 2047, 2048):
        stop = cc.Stop(steps=steps)
        walks.append(
            cc.fit(cc.LowPass(R=1000.0), (F[:50], TARGET[:50]), method=cc.GradientDescent(1.0), stop=stop).history.of(
                "R"
            )
        )
        assert len(walks[-1]) == steps + 1
    assert all(torch.equal(walk, walks[-1][: len(walk)]) for walk in walks)


def test_no_history_where_none_is_wanted():
    fast = {"method": cc.GradientDescent(1.0), "stop": cc.Stop(steps=3)}
    assert cc.fit(cc.LowPass(R=1000.0), (F, TARGET), history=False, **fast).history is None
    many = cc.LowPass(R=[500.0] * 1001)
    assert cc.fit(many, (F[:5], TARGET[:5]), **fast).history is None
    assert len(cc.fit(many, (F[:5], TARGET[:5]), history=True, **fast).history) == 4
