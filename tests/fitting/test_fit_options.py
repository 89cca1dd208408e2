"""Bounds, fixed and tied components, and several starts."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import circuits as cc
from circuits.errors import OptionError, UnknownName

F = cc.log_grid(60, 10.0, 1e5)
LOW = cc.simulate(cc.LowPass(R=200.0), F, noise=0.01, seed=1)
BAND = cc.simulate(cc.BandPass(R_low=40.0, R_high=160.0), F, noise=0.001, seed=1)
EQUAL = cc.simulate(cc.BandPass(R_low=100.0, R_high=100.0), F, noise=0.01, seed=1)
FREE = cc.fit(cc.LowPass(R=500.0), LOW).values["R"].item()


@pytest.mark.parametrize("method", ["auto", cc.LBFGS(), cc.GradientDescent(1e-4), cc.SignDescent(0.5, 0.5)], ids=repr)
@pytest.mark.parametrize("coordinates", ["log", "linear"])
@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((None, None), FREE),
        ((100.0, 1000.0), FREE),
        ((None, 1000.0), FREE),
        ((0.0, None), FREE),
        ((0, 1e4), FREE),
        ((300.0, None), 300.0),
        ((300.0, 1e5), 300.0),
        ((None, 150.0), 150.0),
        ((1.0, 150.0), 150.0),
    ],
    ids=str,
)
def test_bounds_hold_and_are_reached(bounds, expected: float, coordinates: str, method):
    if coordinates == "linear" and isinstance(method, (cc.GradientDescent, cc.SignDescent)):
        method = type(method)(3.0 if isinstance(method, cc.GradientDescent) else 40.0, *([0.5] * (method != "auto")))
    start = min(max(500.0, bounds[0] or 0), bounds[1] or math.inf)
    board = cc.LowPass(R=start)
    cc.fit(board, LOW, method=method, coordinates=coordinates, bounds={"R": bounds}, stop=slow_stop(method))
    assert board.R.item() == pytest.approx(expected, rel=2e-3)
    assert (bounds[0] or 0) * (1 - 1e-12) <= board.R.item() <= (bounds[1] or math.inf) * (1 + 1e-12)


def slow_stop(method) -> cc.Stop | None:
    return cc.Stop(steps=600) if isinstance(method, (cc.GradientDescent, cc.SignDescent)) else None


@pytest.mark.parametrize(
    "method",
    [
        cc.LevenbergMarquardt(),
        cc.LBFGS(),
        cc.GradientDescent(1e-4),
        cc.GradientDescent(1e-4, 0.5),
        cc.SignDescent(0.5, 0.5),
        cc.TorchOptimiser(lambda x: torch.optim.Adam(x, lr=0.1)),
    ],
    ids=["Levenberg-Marquardt", "LBFGS", "descent", "momentum", "signs", "Adam"],
)
def test_a_method_that_leans_on_a_bound_has_arrived(method):
    """There the slope never vanishes; what counts is the part of it that points inside."""
    stop = replace(method.default_stop(torch.float64), steps=600)
    found = cc.fit(cc.LowPass(R=500.0), LOW, method=method, bounds={"R": (300.0, None)}, stop=stop)
    assert found.values["R"].item() == pytest.approx(300.0, rel=1e-9)
    assert found.converged, found.reason


def test_a_resistance_of_less_than_an_ohm_lies_above_a_bound_of_zero():
    board = cc.LowPass(R=5.0)
    cc.fit(board, cc.simulate(cc.LowPass(R=0.5), cc.log_grid(60, 1e3, 1e8)), bounds={"R": (0, None)})
    assert board.R.item() == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize("coordinates", ["log", "linear"])
def test_one_active_bound_leaves_the_others_free(coordinates: str):
    """The free resistor goes to its best value given the bound, which a fit with the other fixed finds as well."""
    board = cc.BandPass(R_low=80.0, R_high=300.0)
    found = cc.fit(board, BAND, bounds={"R_low": (60.0, None)}, coordinates=coordinates)
    held = cc.fit(cc.BandPass(R_low=60.0, R_high=300.0), BAND, fixed=["R_low"])
    assert board.R_low.item() == pytest.approx(60.0, rel=1e-9)
    assert board.R_high.item() == pytest.approx(held.values["R_high"].item(), rel=1e-5)
    assert found.converged


def test_a_start_outside_the_bounds_is_brought_inside():
    board = cc.LowPass(R=5000.0)
    found = cc.fit(board, LOW, bounds={"R": (100.0, 1000.0)}, history=True)
    assert found.history.values[0].item() == pytest.approx(1000.0)
    assert board.R.item() == pytest.approx(FREE, rel=1e-6)


def test_bounds_of_a_whole_parameter_of_a_module():
    layer = nn.Linear(3, 2).double()
    x = torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    cc.fit(layer, (x, x @ torch.full((3, 2), 2.0, dtype=torch.float64)), bounds={"weight": (-1, 1.5)})
    torch.testing.assert_close(layer.weight.detach(), torch.full((2, 3), 1.5, dtype=torch.float64))
    cc.fit(layer, (x, x @ torch.full((3, 2), 2.0, dtype=torch.float64)), bounds={"weight[0,1]": (None, 1.0)})
    assert layer.weight[0, 1].item() == 1.0


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"R": (300.0, 100.0)}, "low below high"),
        ({"R": (100.0, 100.0)}, "low below high"),
        ({"R": (float("nan"), 1.0)}, "low below high"),
        ({"R": 100.0}, "pair"),
        ({"R": (1.0, 2.0, 3.0)}, "pair"),
        ({"R": (-5.0, -1.0)}, "R"),
        ({"R": ("1k", "2k")}, "R"),
    ],
    ids=str,
)
def test_bounds_that_cannot_be(bounds, message: str):
    with pytest.raises(OptionError, match=message):
        cc.fit(cc.LowPass(R=500.0), LOW, bounds=bounds)


# fixed


@pytest.mark.parametrize(
    "fixed", [["R_low"], ("R_low",), {"R_low"}, "R_low", {"R_low": None}, {"R_low": 80.0}], ids=str
)
def test_fixed_components_do_not_move(fixed):
    board = cc.BandPass(R_low=80.0, R_high=300.0)
    found = cc.fit(board, BAND, fixed=fixed)
    assert board.R_low.item() == 80.0
    assert list(found.values) == ["R_high"] == list(found.errors) and found.names == ("R_high",)
    assert "R_low" in str(found).splitlines()[0]


def test_a_fixed_value_is_written_and_held():
    board = cc.LowPass(R=500.0)
    found = cc.fit(board, LOW, fixed={"C": 2e-6})
    assert board.C.item() == 2e-6
    assert board.R.item() == pytest.approx(FREE / 2, rel=1e-6)
    assert "held fixed: C = 2 µF" in str(found)


def test_fixed_values_of_a_batch():
    board = cc.LowPass(R=[500.0, 500.0])
    cc.fit(board, LOW, fixed={"C": 2e-6})
    torch.testing.assert_close(board.R.detach(), torch.full((2,), FREE / 2, dtype=torch.float64))


def test_what_requires_no_gradient_is_held():
    board = cc.BandPass(R_low=80.0, R_high=300.0)
    board.R_low.requires_grad_(False)
    assert list(cc.fit(board, BAND).values) == ["R_high"]
    assert board.R_low.item() == 80.0 and not board.R_low.requires_grad


def test_a_refused_fit_changes_nothing():
    board = cc.LowPass(R=500.0)
    with pytest.raises(UnknownName):
        cc.fit(board, LOW, fixed={"C": 2e-6, "Q": 1.0})
    with pytest.raises(OptionError):
        cc.fit(board, LOW, fixed={"C": 2e-6}, stop=cc.Stop())
    assert (board.R.item(), board.C.item()) == (500.0, 1e-6)


# tied


def one_resistor(R: float) -> tuple[float, float]:
    """Best value and standard error of a band-pass of one resistor, by Newton's method on its own formula."""
    R = torch.tensor(R, dtype=torch.float64)

    def model(R):
        return cc.functional.low_pass_magnitude(F, R, 1e-6) * cc.functional.high_pass_magnitude(F, R, 1e-6)

    def loss(R):
        return ((model(R) - EQUAL.values) / 0.01).square().sum()

    slope = torch.func.grad(loss)
    for _ in range(8):
        R = R - slope(R) / torch.func.grad(slope)(R)
    return R.item(), 0.01 / torch.func.jacrev(model)(R).norm().item()


@pytest.mark.parametrize("history", [False, True])
@pytest.mark.parametrize("method", ["auto", cc.LBFGS()], ids=repr)
@pytest.mark.parametrize("coordinates", [None, "linear"])
def test_tied_components_take_one_value(history: bool, method, coordinates):
    board = cc.BandPass(R_low=80.0, R_high=300.0)
    options = {"method": method, "history": history, "coordinates": coordinates}
    found = cc.fit(board, EQUAL, tied={"R_high": "R_low"}, **options)
    assert board.R_low.item() == board.R_high.item() == pytest.approx(100.0, rel=0.05)
    assert found.names == ("R_low",) and found.moved == ("R_low", "R_high")
    best, error = one_resistor(board.R_low.item())
    assert board.R_low.item() == pytest.approx(best, rel=1e-6)
    assert found.errors["R_low"].item() == pytest.approx(error, rel=1e-5)


def shared() -> cc.BandPass:
    one = nn.Parameter(torch.tensor(80.0, dtype=torch.float64))
    return cc.BandPass(R_low=one, R_high=one)


def test_a_shared_parameter_is_a_tie():
    board = shared()
    found = cc.fit(board, EQUAL)
    tied = cc.fit(cc.BandPass(R_low=80.0, R_high=80.0), EQUAL, tied={"R_high": "R_low"})
    assert board.R_low is board.R_high
    assert found.values["R_low"].item() == pytest.approx(tied.values["R_low"].item(), rel=1e-12)
    assert found.errors["R_low"].item() == pytest.approx(tied.errors["R_low"].item(), rel=1e-12)


@pytest.mark.parametrize(
    ("make", "tied"),
    [(shared, None), (lambda: cc.BandPass(R_low=80.0, R_high=80.0), {"R_high": "R_low"})],
    ids=["shared", "tied"],
)
def test_both_corners_of_a_tie_have_the_error_of_the_one_value(make, tied):
    found = cc.fit(make(), EQUAL, tied=tied)
    relative = found.errors["R_low"].item() / found.values["R_low"].item()
    for hertz, error in found.cutoffs.values():
        assert error.item() / hertz.item() == pytest.approx(relative, rel=1e-9)


def test_ties_between_boards_and_chains():
    organ = cc.ColorOrgan([500.0] * 2, ([500.0] * 2, [500.0] * 2), [500.0] * 2)
    data = cc.simulate(cc.ColorOrgan([100.0, 300.0], ([100.0, 300.0], [100.0, 300.0]), [100.0, 300.0]), F)
    found = cc.fit(organ, data, tied={"high.R": "band.R_high", "band.R_high": "band.R_low", "band.R_low": "low.R"})
    assert found.names == ("low.R",)
    for parameter in (organ.low.R, organ.band.R_low, organ.band.R_high, organ.high.R):
        torch.testing.assert_close(parameter.detach(), torch.tensor([100.0, 300.0], dtype=torch.float64))


def test_a_follower_of_a_fixed_component_is_held_with_it():
    board = cc.BandPass(R_low=80.0, R_high=80.0)
    with pytest.raises(OptionError, match="nothing to fit"):
        cc.fit(board, EQUAL, fixed=["R_low"], tied={"R_high": "R_low"})


@pytest.mark.parametrize(
    ("tied", "error", "message"),
    [
        ({"R_low": "X"}, UnknownName, "R_low, R_high, C_low, C_high"),
        ({"X": "R_low"}, UnknownName, "'X'"),
        ({"R_low": "R_high", "R_high": "R_low"}, OptionError, "circle"),
        ({"R_low": "R_low"}, OptionError, "circle"),
    ],
    ids=str,
)
def test_ties_that_cannot_be(tied, error, message: str):
    with pytest.raises(error, match=message):
        cc.fit(cc.BandPass(R_low=80.0, R_high=80.0), EQUAL, tied=tied)


def test_parameters_of_different_shape_cannot_be_tied():
    with pytest.raises(OptionError, match="one shape"):
        cc.fit(nn.Linear(2, 1), (torch.zeros(3, 2), torch.zeros(3, 1)), tied={"bias": "weight"})


# starts


class TwoWells(nn.Module):
    """y = a² − a⁴/50 + x-independent tilt: a local minimum near −1, the better one near 3."""

    def __init__(self, a: float):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=torch.float64))

    def forward(self, x):
        return (self.a + 1) * (self.a - 3) + 0.05 * (self.a - 3) * x


X = torch.linspace(0.5, 1.5, 20, dtype=torch.float64)
WELLS = (X, torch.zeros(20, dtype=torch.float64))


def test_several_starts_find_the_better_minimum():
    near = cc.fit(TwoWells(-1.2), WELLS, method=cc.LevenbergMarquardt())
    assert near.values["a"].item() < 0
    for starts in (8, [{"a": -1.2}, {"a": 5.0}]):
        module = TwoWells(-1.2)
        found = cc.fit(module, WELLS, starts=starts)
        assert module.a.item() == pytest.approx(3.0, abs=1e-6), starts
        assert found.loss < near.loss


def test_the_same_seed_draws_the_same_starts():
    R = [cc.fit(cc.LowPass(R=1e6), LOW, starts=5, seed=seed, stop=cc.Stop(steps=1)).values["R"] for seed in (3, 3, 4)]
    assert R[0] == R[1] != R[2]


@pytest.mark.parametrize("starts", [1, 6, [{"R": 3.0}], [{"R": 1e5}, {"R": 300.0}, {}]], ids=str)
@pytest.mark.parametrize("boards", [None, 3])
def test_starts_of_circuits(starts, boards: int | None):
    board = cc.LowPass(R=1e4 if boards is None else [1e4] * boards)
    found = cc.fit(board, LOW, starts=starts)
    torch.testing.assert_close(board.R.detach(), torch.full_like(board.R.detach(), FREE), rtol=1e-6, atol=0)
    assert found.values["R"].shape == board.R.shape == found.errors["R"].shape


def test_starts_lie_inside_the_bounds():
    board = cc.LowPass(R=500.0)
    found = cc.fit(board, LOW, starts=8, bounds={"R": (300.0, 900.0)})
    assert board.R.item() == pytest.approx(300.0, rel=1e-9) and found.loss > 0


def test_a_history_that_is_asked_for_is_kept_with_several_starts():
    found = cc.fit(cc.LowPass(R=500.0), LOW, starts=3, history=True)
    assert found.history is not None and found.history.of("R")[-1].item() == pytest.approx(FREE, rel=1e-6)


@pytest.mark.parametrize(
    ("starts", "error", "message"),
    [
        (0, OptionError, "starts=0"),
        (-3, OptionError, "starts=-3"),
        ([], OptionError, "start"),
        ([3.0], OptionError, "start"),
        ([{"Q": 1.0}], UnknownName, "known: R"),
        ([{"R": -1.0}], cc.errors.ComponentError, "R"),
        ([{"R": float("nan")}], cc.errors.ComponentError, "R"),
        ([{"R": float("inf")}], cc.errors.ComponentError, "R"),
    ],
    ids=str,
)
def test_starts_that_cannot_be(starts, error, message: str):
    with pytest.raises(error, match=message):
        cc.fit(cc.LowPass(R=500.0), LOW, starts=starts)


# coordinates


@pytest.mark.parametrize(
    "coordinates", ["log", "linear", {"R_low": "linear"}, {"R_low": "log", "R_high": "linear"}, {}]
)
def test_every_kind_of_coordinates_arrives_at_the_same_values_and_errors(coordinates):
    expected = cc.fit(cc.BandPass(R_low=80.0, R_high=300.0), BAND)
    found = cc.fit(cc.BandPass(R_low=80.0, R_high=300.0), BAND, coordinates=coordinates)
    for name, value in expected.values.items():
        assert found.values[name].item() == pytest.approx(value.item(), rel=1e-6)
        assert found.errors[name].item() == pytest.approx(expected.errors[name].item(), rel=1e-4)


def test_a_module_may_move_in_logarithms():
    class Decay(nn.Module):
        def __init__(self):
            super().__init__()
            self.rate = nn.Parameter(torch.tensor(30.0, dtype=torch.float64))

        def forward(self, x):
            return torch.exp(-self.rate * x)

    module = Decay()
    x = torch.linspace(0, 1, 40, dtype=torch.float64)
    cc.fit(module, (x, torch.exp(-3.0 * x)), coordinates="log")
    assert module.rate.item() == pytest.approx(3.0, rel=1e-8)
    with torch.no_grad():
        module.rate.fill_(-1.0)
    with pytest.raises(OptionError, match="rate is not positive"):
        cc.fit(module, (x, torch.exp(-3.0 * x)), coordinates="log")
