"""Looking back at a walk: which loss was walked at a step, and the problem of one board at that step."""

import pytest
import torch

import circuits as cc
import losses
from circuits.errors import OptionError

TONES = cc.tones(200)


def leds(batch=None):
    truth = cc.LowPass([200.0, 900.0] if batch else 200.0)
    return cc.simulate(truth, TONES, "led")


def numbers():
    return cc.simulate(cc.LowPass(200.0), TONES, "magnitude", 0.01)


@pytest.mark.parametrize("boards", [1, 2])
def test_the_history_repeats_its_losses_with_the_loss_that_was_walked(boards):
    circuit = cc.LowPass([500.0, 500.0]) if boards == 2 else cc.LowPass(500.0)
    fit = cc.fit(circuit, leds(batch=boards == 2))
    history = fit.history
    assert len(history.walks) > 1 and history.walks[0][0] == 0
    for step in range(len(history)):
        for board in range(boards):
            x = fit.problem.coordinates.from_values(history.values[step, board : board + 1])
            again = fit.problem_at(step, board).losses(x)
            torch.testing.assert_close(again, history.loss[step, board : board + 1], rtol=1e-12, atol=0)


@pytest.mark.parametrize("quantity", ["led", "magnitude"])
def test_a_history_has_one_row_for_every_step_and_the_start(quantity):
    fit = cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), TONES, quantity))
    assert len(fit.history) == fit.steps + 1
    moved = fit.history.values[1:, 0, 0] != fit.history.values[:-1, 0, 0]
    assert bool(moved.all())


def test_each_walk_begins_where_its_loss_is_first_used():
    fit = cc.fit(cc.LowPass(500.0), leds())
    firsts = [first for first, _ in fit.history.walks]
    sharpness = [loss.sharpness for _, loss in fit.history.walks]
    assert firsts == sorted(set(firsts)) and firsts[-1] < len(fit.history)
    assert sharpness == sorted(sharpness)
    assert fit.history.loss_at(firsts[1]).sharpness == sharpness[1]
    assert fit.history.loss_at(firsts[1] - 1).sharpness == sharpness[0]


def test_the_walks_of_a_long_history_are_counted_in_rows():
    stop = cc.Stop(steps=1500, gradient=0.0)
    fit = cc.fit(cc.LowPass(500.0), leds(), losses.HardLed(), method=cc.SignDescent(lr=1e-6), stop=stop)
    firsts = [first for first, _ in fit.history.walks]
    assert firsts == [0, *(1501 + 1500 * i for i in range(len(firsts) - 1))] and len(firsts) > 1
    assert len(fit.history) == 1500 * len(firsts) + 1 == fit.steps + 1


def test_a_single_walk_is_one_row_of_the_table():
    fit = cc.fit(cc.LowPass(500.0), numbers())
    assert [first for first, _ in fit.history.walks] == [0]
    assert fit.problem_at(-1).losses(fit.end).item() == pytest.approx(fit.loss, rel=1e-12)


def test_the_history_can_be_asked_for_twice():
    fit = cc.fit(cc.LowPass(500.0), numbers())
    again = fit._recorder.history(fit.problem.coordinates)
    assert torch.equal(again.values, fit.history.values) and len(again) == fit.steps + 1


def test_the_winning_start_brings_its_own_walks():
    fit = cc.fit(cc.LowPass(500.0), leds(), starts=3)
    for step in (0, len(fit.history) - 1):
        x = fit.problem.coordinates.from_values(fit.history.values[step, :1])
        again = fit.problem_at(step).losses(x)
        torch.testing.assert_close(again, fit.history.loss[step, :1], rtol=1e-12, atol=0)


def test_the_final_problem_has_the_loss_of_the_last_stage():
    fit = cc.fit(cc.LowPass([500.0, 500.0]), leds(batch=True))
    for board in (0, 1):
        loss = fit.final_problem(board).losses(fit.end[board : board + 1])
        torch.testing.assert_close(loss, fit.loss[board : board + 1], rtol=1e-12, atol=0)


def test_what_cannot_be_looked_at_is_said():
    fit = cc.fit(cc.LowPass(500.0), numbers(), history=False)
    with pytest.raises(OptionError, match="kept no history.*history=True"):
        fit.problem_at(0)
    fit = cc.fit(cc.LowPass(500.0), numbers())
    with pytest.raises(OptionError, match=r"no step 99 in a history of steps 0 to \d+"):
        fit.problem_at(99)
    with pytest.raises(OptionError, match="no board 1; expected 0 to 0"):
        fit.final_problem(1)
