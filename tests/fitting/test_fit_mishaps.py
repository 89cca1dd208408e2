"""What goes wrong during a fit ends it with a status; the module holds the best state that was seen."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import circuits as cc
import losses

F = cc.log_grid(60, 10.0, 1e5)
LOW = cc.simulate(cc.LowPass(R=200.0), F)
X = torch.linspace(0, 1, 20, dtype=torch.float64)


class Broken(nn.Module):
    """y = a·x, except that there is no answer below a = 3."""

    def __init__(self, a: float, answer: float):
        super().__init__()
        self.a, self.answer = nn.Parameter(torch.tensor(a, dtype=torch.float64)), answer

    def forward(self, x):
        return self.a * x if self.a > 3 else self.a * torch.full_like(x, self.answer)


METHODS = {
    "auto": "auto",
    "LBFGS": cc.LBFGS(),
    "descent": cc.GradientDescent(0.1),
    "signs": cc.SignDescent(0.7),
    "Adam": lambda x: torch.optim.Adam(x, lr=0.3),
}


@pytest.mark.parametrize("answer", [math.nan, math.inf, -math.inf], ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_a_region_without_numbers_ends_the_fit_with_the_best_state(method: str, answer: float):
    module = Broken(10.0, answer)
    found = cc.fit(module, (X, X), method=METHODS[method], history=True)
    assert 3.0 < module.a.item() < 10.0 and math.isfinite(found.loss)
    assert found.loss == pytest.approx(((module.a.detach() * X - X) ** 2).mean().item(), rel=1e-9)
    assert isinstance(module.a, nn.Parameter)
    # methods that judge a step before they take it turn round at the edge instead
    if method in ("descent", "signs", "Adam"):
        assert (found.reason, found.converged) == ("not finite", False)
        assert "the best state was restored" in str(found)
        assert not found.history.loss[-1].isfinite()
    assert found.loss <= found.history.loss[found.history.loss.isfinite()].min() * (1 + 1e-12)
    assert str(found)


@pytest.mark.parametrize("answer", [math.nan, math.inf], ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_no_number_at_the_start(method: str, answer: float):
    module = Broken(1.0, answer)
    found = cc.fit(module, (X, X), method=METHODS[method])
    assert (found.reason, found.converged, module.a.item()) == ("not finite", False, 1.0)
    assert found.errors["a"].isinf()
    assert "(not converged)" in str(found)


@pytest.mark.parametrize("boards", [None, 3])
@pytest.mark.parametrize("coordinates", ["log", "linear"])
def test_a_learning_rate_so_large_that_it_overflows(coordinates: str, boards: int | None):
    board = cc.LowPass(R=150.0 if boards is None else [150.0] * boards)
    method = cc.GradientDescent(1e308)
    target = torch.full((60,), -1e4, dtype=torch.float64)  # a slope that carries the step out of range
    found = cc.fit(board, (F, target), losses.Squared(), method=method, coordinates=coordinates)
    torch.testing.assert_close(board.R.detach(), torch.full_like(board.R.detach(), 150.0))
    reasons = [found.reason] if boards is None else found.reason.tolist()
    assert set(reasons) == {"not finite"}
    assert str(found)


def test_values_of_a_circuit_stay_positive_and_finite_whatever_the_step():
    for lr in (1e3, 1e6, 1e300):
        for start in (150.0, 300.0):
            board = cc.LowPass(R=start)
            cc.fit(board, LOW, method=cc.GradientDescent(lr), stop=cc.Stop(steps=20))
            assert 0 < board.R.item() < math.inf


def fitted(*arguments, **options) -> cc.Fit:
    """A fit whose Ctrl-C must not come through: it would end the whole test run."""
    try:
        return cc.fit(*arguments, **options)
    except KeyboardInterrupt:
        raise AssertionError("the fit let Ctrl-C through") from None


class Interrupting(losses.Squared):
    """Ctrl-C at the nth time that the loss is looked at."""

    def __init__(self, at: int):
        super().__init__()
        self.calls, self.at = 0, at

    def look(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise KeyboardInterrupt

    def quadratic(self, prediction, target):
        self.look()
        return super().quadratic(prediction, target)

    def pointwise(self, prediction, target):
        self.look()
        return super().pointwise(prediction, target)


def interrupting(at: int):
    """The same as a plain function, which only gradients serve."""
    loss = Interrupting(at)
    return lambda prediction, target: loss.pointwise(prediction, target).mean()


@pytest.mark.parametrize("at", [1, 2, 5])
@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize(("make", "method"), [(Interrupting, "auto"), (interrupting, cc.GradientDescent(4.0))])
@pytest.mark.parametrize("boards", [None, 2])
def test_ctrl_c_returns_the_best_state(boards: int | None, make, method, history: bool, at: int):
    start = torch.tensor(1e5 if boards is None else [1e5] * boards, dtype=torch.float64)
    board = cc.LowPass(R=start)
    before = board.R
    found = fitted(board, LOW, make(at), method=method, history=history)
    reasons = [found.reason] if boards is None else found.reason.tolist()
    assert set(reasons) == {"interrupted"}
    assert board.R is before and isinstance(board.R, nn.Parameter)
    if at < 5:
        torch.testing.assert_close(board.R.detach(), start)
    else:
        mean = (board.magnitude(F).detach() - LOW.values).square().mean(-1)
        assert ((board.R > 200) & (0.99 * start > board.R)).all()
        torch.testing.assert_close(torch.as_tensor(found.loss, dtype=torch.float64), mean, rtol=1e-6, atol=1e-12)
    assert "interrupted from the keyboard" in str(found) or boards


@pytest.mark.parametrize("method", ["auto", cc.GradientDescent(4.0), lambda x: torch.optim.Adam(x, lr=0.1)])
def test_ctrl_c_reaches_every_method(method):
    board = cc.LowPass(R=2000.0)
    found = fitted(board, LOW, Interrupting(4), method=method)
    assert (found.reason, found.converged) == ("interrupted", False)
    assert 200 < board.R.item() < 2000


@pytest.mark.parametrize("starts", [3, [{"R": 900.0}, {"R": 300.0}]], ids=str)
def test_ctrl_c_among_several_starts(starts):
    board = cc.LowPass(R=2000.0)
    found = fitted(board, LOW, Interrupting(3), starts=starts)
    assert found.reason == "interrupted" and 0 < board.R.item() < math.inf


def test_ctrl_c_between_the_starts_of_a_module():
    layer = nn.Linear(1, 1).double()
    x = X.unsqueeze(-1)
    found = fitted(layer, (x, 3 * x + 1), interrupting(6), starts=4)
    assert found.reason == "interrupted" and layer.weight.isfinite().all()


def test_ctrl_c_between_the_stages_of_a_loss():
    class Staged(losses.LogisticLed):
        def stages(self):
            return tuple(losses.LogisticLed(sharpness=k) for k in (5.0, 20.0)) + (Interrupted(),)

    class Interrupted(losses.LogisticLed):
        def __init__(self):
            super().__init__(sharpness=80.0)

        def quadratic(self, prediction, target):
            raise KeyboardInterrupt

    board = cc.LowPass(R=2000.0)
    lit = cc.simulate(cc.LowPass(R=200.0), cc.log_grid(200, 10.0, 1e5), "led")
    found = fitted(board, lit, Staged(), history=True)
    assert found.reason == "interrupted"
    assert board.R.item() == pytest.approx(200.0, rel=0.05)


def test_an_error_in_a_loss_is_not_swallowed_and_leaves_parameters():
    board = cc.LowPass(R=500.0)
    before = board.R

    def fails(prediction, target):
        raise RuntimeError("my own mistake")

    with pytest.raises(RuntimeError, match="my own mistake"):
        cc.fit(board, LOW, fails)
    assert board.R is before and board.R.item() == 500.0


def test_an_infinite_target_is_a_status_not_a_crash():
    layer = nn.Linear(1, 1).double()
    target = X.unsqueeze(-1).clone()
    target[3] = math.inf
    found = cc.fit(layer, (X.unsqueeze(-1), target))
    assert found.reason == "not finite" and layer.weight.isfinite().all()
    assert str(found)
