"""Each condition ends a fit and is named as the reason."""

from __future__ import annotations

import time

import pytest
import torch

import circuits as cc
from circuits.errors import OptionError
from circuits.fitting.stopping import CONVERGED, SENTENCES

F = cc.log_grid(60, 10.0, 1e5)
NOISY = cc.simulate(cc.LowPass(R=200.0), F, noise=0.01)
SLOW = cc.GradientDescent(1e-3)

CASES = {
    "gradient": (cc.GradientDescent(4.0), cc.Stop(gradient=1e-3)),
    "step": (cc.SignDescent(0.5, shrink=0.5), cc.Stop(step=1e-4)),
    "loss": (cc.GradientDescent(4.0), cc.Stop(loss=3e-4)),
    "decrease": (cc.LevenbergMarquardt(), cc.Stop(decrease=1e-8)),
    "patience": (cc.GradientDescent(4.0), cc.Stop(patience=5)),
    "steps": (SLOW, cc.Stop(steps=7)),
    "time": (SLOW, cc.Stop(time=0.05)),
}


@pytest.mark.parametrize("boards", [None, 3])
@pytest.mark.parametrize("reason", CASES)
def test_each_condition_gives_its_reason(reason: str, boards: int | None):
    method, stop = CASES[reason]
    board = cc.LowPass(R=500.0 if boards is None else [500.0] * boards)
    found = cc.fit(board, (F, NOISY.values), method=method, stop=stop)
    reasons = [found.reason] if boards is None else found.reason.tolist()
    assert set(reasons) == {reason}
    converged = [found.converged] if boards is None else found.converged.tolist()
    assert set(converged) == {reason in CONVERGED}
    if boards is None:
        assert SENTENCES[reason] in str(found)
        assert ("(not converged)" in str(found)) == (reason not in CONVERGED)


def test_stop_after_the_step_that_fulfils_it():
    found = cc.fit(cc.LowPass(R=500.0), NOISY, method=SLOW, stop=cc.Stop(steps=7), history=True)
    assert found.steps == 7 and len(found.history) == 8
    fulfilled = cc.fit(
        cc.LowPass(R=500.0), NOISY, method=cc.GradientDescent(1e-3), stop=cc.Stop(loss=60.0, steps=10_000), history=True
    )
    assert fulfilled.reason == "loss"
    assert fulfilled.history.loss[-1] <= 60.0 < fulfilled.history.loss[-2]


def test_no_step_at_all():
    board = cc.LowPass(R=500.0)
    found = cc.fit(board, NOISY, stop=cc.Stop(steps=0))
    assert (found.steps, found.reason) == (0, "steps")
    assert board.R.item() == pytest.approx(500.0, rel=1e-14)


def test_time_is_kept():
    began = time.perf_counter()
    cc.fit(cc.LowPass(R=500.0), NOISY, method=cc.GradientDescent(1e-9), stop=cc.Stop(time=0.2))
    assert 0.2 <= time.perf_counter() - began < 2.0


def test_the_first_condition_in_the_list_is_named():
    found = cc.fit(cc.LowPass(R=500.0), NOISY, stop=cc.Stop(gradient=1e9, loss=1e9, steps=0))
    assert found.reason == "gradient"


@pytest.mark.parametrize("call", [cc.fit, lambda *a, **k: list(cc.iterate(*a, **k))], ids=["fit", "iterate"])
def test_no_way_to_stop_is_an_error(call):
    board = cc.LowPass(R=500.0)
    with pytest.raises(OptionError, match=r"no way to stop.*Stop\(steps=1000\)"):
        call(board, NOISY, stop=cc.Stop())
    assert board.R.item() == 500.0


@pytest.mark.parametrize("name", ["gradient", "step", "loss", "decrease", "patience", "steps", "time"])
@pytest.mark.parametrize("value", [-1, float("nan"), "3", True, torch.tensor([1.0, 2.0])], ids=str)
def test_conditions_are_numbers(name: str, value):
    with pytest.raises(OptionError, match=f"{name}="):
        cc.Stop(**{name: value})


@pytest.mark.parametrize("name", ["step", "decrease", "patience", "time"])
def test_conditions_that_zero_would_switch_off(name: str):
    with pytest.raises(OptionError, match="positive"):
        cc.Stop(**{name: 0})


def test_what_is_given_is_shown():
    assert repr(cc.Stop(gradient=1e-6, steps=5)) == "Stop(gradient=1e-06, steps=5)"


def test_converged_means_that_the_state_returned_has_arrived():
    """A step so large that it lands where every slope is zero is no arrival: the best state is the start."""
    board = cc.LowPass(R=300.0)
    found = cc.fit(board, NOISY, method=cc.GradientDescent(1e300), coordinates="linear")
    assert board.R.item() == pytest.approx(300.0)
    assert not found.converged
