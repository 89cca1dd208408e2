"""The generator beneath `fit`: one record a step, the module holding the present values."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import circuits as cc
import losses
from circuits.errors import OptionError, UnknownName

F = cc.log_grid(60, 10.0, 1e5)
LOW = cc.simulate(cc.LowPass(R=200.0), F)
METHODS = {
    "auto": "auto",
    "LBFGS": cc.LBFGS(),
    "descent": cc.GradientDescent(2.0),
    "momentum": cc.GradientDescent(2.0, 0.5),
    "signs": cc.SignDescent(0.3, 0.5),
    "Adam": lambda x: torch.optim.Adam(x, lr=0.1),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("boards", [None, 3])
def test_one_record_a_step_with_the_values_in_the_module(method: str, boards: int | None):
    board = cc.LowPass(R=500.0 if boards is None else [500.0] * boards)
    records = []
    for step in cc.iterate(board, LOW, method=METHODS[method], stop=cc.Stop(steps=6)):
        assert step.index == len(records)
        torch.testing.assert_close(step.values["R"].reshape(board.R.shape), board.R.detach(), rtol=1e-12, atol=0)
        loss = (board(F) - LOW.values).square().mean(-1)
        torch.testing.assert_close(step.loss.reshape(board.R.shape), loss.detach(), rtol=1e-9, atol=1e-25)
        (gradient,) = torch.autograd.grad(loss.sum(), board.R)
        scaled = (gradient * board.R).detach().reshape(-1, 1)
        torch.testing.assert_close(step.gradient, scaled, rtol=1e-6, atol=1e-12)
        records.append(step.values["R"])
    assert len(records) == 7
    assert step.ended.tolist() == ["steps"] * (boards or 1)


def test_the_records_are_the_history_of_the_fit():
    walk = [step.values["R"] for step in cc.iterate(cc.LowPass(R=500.0), LOW)]
    found = cc.fit(cc.LowPass(R=500.0), LOW, history=True)
    assert torch.equal(torch.stack(walk), found.history.of("R"))


def test_the_walk_can_be_broken_out_of():
    board = cc.LowPass(R=500.0)
    before = board.R
    for step in cc.iterate(board, LOW, method=cc.GradientDescent(2.0)):
        if step.index == 3:
            break
    assert board.R is before and isinstance(board.R, nn.Parameter)
    assert 200 < board.R.item() < 500
    assert board.R.item() == pytest.approx(step.values["R"].item(), rel=1e-14)


def test_an_error_in_the_body_leaves_the_parameters():
    board = cc.LowPass(R=500.0)
    before = board.R
    with pytest.raises(ZeroDivisionError):
        for step in cc.iterate(board, LOW, method=cc.GradientDescent(2.0)):
            _ = 1 / (2 - step.index)
    assert board.R is before and isinstance(board.R, nn.Parameter) and board.R.requires_grad
    assert 200 < board.R.item() < 500


def test_an_error_in_the_loss_leaves_the_parameters():
    board, calls = cc.LowPass(R=500.0), []
    before = board.R

    def fails_later(prediction, target):
        calls.append(1)
        if len(calls) > 4:
            raise RuntimeError("later")
        return (prediction - target).square().mean()

    with pytest.raises(RuntimeError, match="later"):
        list(cc.iterate(board, LOW, fails_later, method=cc.GradientDescent(2.0)))
    assert board.R is before and isinstance(board.R, nn.Parameter)


def test_boards_that_have_stopped_keep_their_values_while_others_go_on():
    truth = torch.tensor([200.0] * 5 + [300.0], dtype=torch.float64)
    board = cc.LowPass(R=torch.tensor([200.0] * 5 + [1e5], dtype=torch.float64))
    data = cc.simulate(cc.LowPass(R=truth), F)
    for step in cc.iterate(board, data):
        torch.testing.assert_close(board.R[:5].detach(), truth[:5])
        last = step
    torch.testing.assert_close(board.R.detach(), truth)
    assert last.rows.tolist() == [5]


def test_two_walks_at_a_time_do_not_disturb_each_other():
    boards = [cc.LowPass(R=500.0), cc.LowPass(R=50.0)]
    walks = [cc.iterate(board, LOW, method=cc.GradientDescent(2.0), stop=cc.Stop(steps=300)) for board in boards]
    for _ in zip(*walks, strict=True):
        pass
    assert [board.R.item() for board in boards] == pytest.approx([200.0, 200.0], rel=1e-3)


def test_a_plain_module_is_walked_too():
    layer = nn.Linear(2, 1).double()
    x = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for step in cc.iterate(layer, (x, x.sum(-1, keepdim=True)), method=cc.GradientDescent(0.1), stop=cc.Stop(steps=5)):
        assert set(step.values) == {"weight[0,0]", "weight[0,1]", "bias[0]"}
        torch.testing.assert_close(step.values["weight[0,1]"], layer.weight[0, 1:].detach())
    assert isinstance(layer.weight, nn.Parameter) and layer.weight.shape == (1, 2)


def test_a_loss_with_stages_is_walked_at_its_first():
    lit = cc.simulate(cc.LowPass(R=200.0), F, "led")
    *_, step = cc.iterate(cc.LowPass(R=500.0), lit)
    first = losses.LogisticLed(sharpness=5)
    found = cc.fit(cc.LowPass(R=500.0), lit, first, method=cc.LevenbergMarquardt())
    assert step.values["R"].item() == pytest.approx(found.values["R"].item(), rel=1e-6)


@pytest.mark.parametrize(
    ("options", "error"),
    [({"method": "magic"}, UnknownName), ({"fixed": ["R", "C"]}, OptionError), ({"stop": cc.Stop()}, OptionError)],
    ids=str,
)
def test_bad_options_are_refused_at_the_first_step(options, error):
    with pytest.raises(error):
        next(iter(cc.iterate(cc.LowPass(R=500.0), LOW, **options)))
