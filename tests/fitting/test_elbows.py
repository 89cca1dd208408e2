"""Elbows of ReLUs: gradients and steps against finite differences, corners of Bode plots, and what a fit records."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import circuits as cc
from circuits.errors import OptionError
from circuits.fitting.setup import make_problem
from circuits.fitting.theory.elbows import bode_network, elbow_walk, elbows_of, next_elbow, unit_gradient

SIGNS = [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)]


class Unit(nn.Module):
    """φ(x) = ReLU(wx + b), one unit with nothing behind it."""

    def __init__(self, w: float, b: float):
        super().__init__()
        self.w, self.b = (nn.Parameter(torch.tensor(value, dtype=torch.float64)) for value in (w, b))

    def forward(self, x):
        return torch.relu(self.w * x + self.b)


def half_square(w: float, b: float, x: float, y: float) -> float:
    return 0.5 * (max(w * x + b, 0.0) - y) ** 2


def number(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


@pytest.mark.parametrize("x", [-2.0, -0.4, 0.7, 3.0])
@pytest.mark.parametrize("y", [-1.0, 0.5, 4.0])
@pytest.mark.parametrize(("w", "b"), [(1.3, -0.6), (1.3, 0.8), (-0.9, 0.5), (-0.9, -0.7)])
def test_the_gradient_of_a_unit_is_its_slope_by_differences(w, b, x, y):
    h = 1e-6
    by_differences = [
        (half_square(w + h, b, x, y) - half_square(w - h, b, x, y)) / (2 * h),
        (half_square(w, b + h, x, y) - half_square(w, b - h, x, y)) / (2 * h),
    ]
    got = [g.item() for g in unit_gradient(number(w), number(b), number(x), number(y))]
    np.testing.assert_allclose(got, by_differences, rtol=1e-8, atol=1e-8)
    if w * x + b <= 0:
        assert got == [0.0, 0.0]


@pytest.mark.parametrize(("residual", "w"), SIGNS)
@pytest.mark.parametrize("turned", [False, True], ids=["point near", "point beyond −1/e"])
def test_each_sign_case_moves_the_elbow_its_own_way(residual, w, turned):
    """With 1 + ex > 0 the elbow goes towards sign(r·w); a point with 1 + ex < 0 turns that round."""
    e = -w * 2.0 if turned else w * 0.5  # the active side is to the right of e for w > 0, to the left for w < 0
    x = w * 1.0
    b = -w * e
    level = w * x + b
    assert level > 0
    step = unit_gradient(number(w), number(b), number(x), number(level - residual))
    after = next_elbow(number(w), number(b), *step, lr=0.1).item()
    assert np.sign(after - e) == np.sign(residual * w) * (-1 if turned else 1)
    exact = 0.1 * residual * (1 + e * x) / (w - 0.1 * residual * x)
    assert after - e == pytest.approx(exact, rel=1e-12)


def test_a_point_on_the_flat_side_moves_nothing():
    step = unit_gradient(number(1.0), number(-1.0), number(0.5), number(7.0))
    assert next_elbow(number(1.0), number(-1.0), *step, lr=100.0).item() == 1.0


@pytest.mark.parametrize(("residual", "w"), SIGNS)
def test_a_fit_takes_exactly_that_step(residual, w):
    b, x = -0.5, w * 1.5
    y = w * x + b - residual
    unit = Unit(w, b)
    steps = cc.iterate(
        unit,
        (torch.tensor([x]).double(), torch.tensor([y]).double()),
        lambda p, t: 0.5 * (p - t).square().mean(),
        method=cc.GradientDescent(lr=0.1),
        stop=cc.Stop(steps=1),
    )
    *_, last = steps
    gradient = unit_gradient(number(w), number(b), number(x), number(y))
    expected = next_elbow(number(w), number(b), *gradient, lr=0.1)
    got = -last.values["b"] / last.values["w"]
    torch.testing.assert_close(got, expected.reshape(1), rtol=1e-14, atol=0)


def corner_after_one_step(corner: float, f: list[float], level: list[float], lr: float) -> float:
    """The same in NumPy: x = ln corner, dB = −20·max(log₁₀(f/corner), 0), loss the mean square."""
    decades = np.log10(np.array(f) / corner)
    residual = -20 * np.maximum(decades, 0) - np.array(level)
    slope = np.mean(2 * residual * np.where(decades > 0, 20 / np.log(10), 0.0))
    return corner * float(np.exp(-lr * slope))


@pytest.mark.parametrize("truth", [500.0, 3000.0], ids=["plot too high", "plot too low"])
def test_one_step_moves_the_elbow_of_a_bode_plot(truth):
    f = [100.0, 800.0, 5000.0, 20e3]
    level = cc.Bode(poles=[truth]).decibels(f).tolist()
    board = cc.Bode(poles=[1000.0])
    data = cc.Measurements(torch.tensor(f).double(), "decibels", torch.tensor(level, dtype=torch.float64))
    found = cc.fit(board, data, method=cc.GradientDescent(lr=1e-3), stop=cc.Stop(steps=1), fixed=["gain"])
    assert found.values["pole_1"].item() == pytest.approx(corner_after_one_step(1000.0, f, level, 1e-3), rel=1e-12)
    assert (found.values["pole_1"].item() > 1000) == (truth > 1000)


def test_points_below_the_corner_of_a_low_pass_do_not_move_it():
    board = cc.BodeBandPass(f_low=4000.0, f_high=10.0)
    f = torch.tensor([50.0, 500.0, 3999.0], dtype=torch.float64)
    problem = make_problem(board, cc.Measurements(f, "decibels", torch.full_like(f, -7.0)))
    _, gradient = problem.gradient(problem.start())
    assert gradient.tolist() == [[0.0, 0.0]]


BODES = {
    "band-pass": cc.BodeBandPass(f_low=4000.0, f_high=1000.0),
    "one pole": cc.Bode(poles=[800.0]),
    "everything": cc.Bode(gain=3.0, poles=[50e3, 7e3, 7e3], zeros=[300.0, 12e3], high_pass=[20.0, 2.0]),
}


@pytest.mark.parametrize("name", BODES)
def test_a_bode_plot_is_a_relu_network(name):
    circuit = BODES[name]
    f = cc.log_grid(500, 0.1, 1e7)
    network = bode_network(circuit)
    with torch.no_grad():
        level = network(f.log10().unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(level, circuit.decibels(f).detach(), rtol=0, atol=1e-11)
    elbows = elbows_of(network)
    corners = torch.stack([corner.detach().log10() for corner in circuit.cutoffs().values()])
    torch.testing.assert_close(elbows.position, corners, rtol=1e-14, atol=0)
    _, slopes = elbows.sorted()
    assert torch.equal((slopes / 20).round() * 20, slopes)


def test_slopes_of_a_bode_plot_read_off_its_network():
    position, slopes = elbows_of(bode_network(BODES["band-pass"])).sorted()
    torch.testing.assert_close(10**position, torch.tensor([1000.0, 4000.0]).double(), rtol=1e-12, atol=0)
    assert slopes.tolist() == [20.0, 0.0, -20.0]


def test_freed_slopes_follow_the_curve_that_straight_lines_of_a_filter_cannot():
    f = cc.log_grid(200, 1.0, 1e6)
    curve = cc.simulate(cc.BandPass(R_low=39.789, R_high=159.155), f, "decibels")
    straight = cc.fit(cc.BodeBandPass(f_low=20e3, f_high=200.0), curve)
    near = [0.9, 1.0, 1.1]
    network = bode_network(cc.Bode(poles=[4000 * c for c in near], high_pass=[1000 * c for c in near]))
    with torch.no_grad():
        network[2].weight.div_(3)
    u, y = f.log10().unsqueeze(-1), curve.values.unsqueeze(-1)
    free = cc.fit(network, (u, y), method=cc.LevenbergMarquardt(), stop=cc.Stop(steps=40))
    assert straight.loss**0.5 == pytest.approx(1.0, abs=0.05)  # decibels, root mean square
    assert free.loss < 0.01 * straight.loss
    _, slopes = elbows_of(network).sorted()
    assert slopes.abs().max() < 20.1
    assert ((slopes / 20).round() * 20 - slopes).abs().max() > 3


def test_a_corner_beyond_all_tones_is_a_dead_relu_and_a_filter_is_never_quite_dead():
    data = cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 20.0, 1e4), "decibels")
    slopes = []
    for board in (cc.Bode(poles=[1e6]), cc.LowPass(R=0.159155)):
        problem = make_problem(board, data, fixed=["gain"] if isinstance(board, cc.Bode) else None)
        slopes.append(problem.gradient(problem.start())[1].item())
    assert slopes[0] == 0.0
    assert slopes[1] < -1e-4
    found = cc.fit(cc.Bode(poles=[1e6]), data, fixed=["gain"], starts=8)
    assert 600 < found.values["pole_1"].item() < 900


@pytest.mark.parametrize("bias", [True, False])
def test_elbows_and_slopes_of_any_network_are_those_of_the_drawn_line(bias):
    torch.manual_seed(3)
    network = nn.Sequential(nn.Linear(1, 6), nn.ReLU(), nn.Linear(6, 1, bias=bias)).double()
    position, slopes = elbows_of(network).sorted()
    ends = torch.cat([position[:1] - 1, position, position[-1:] + 1])
    with torch.no_grad():
        level = network(ends.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close((level.diff() / ends.diff()), slopes, rtol=1e-9, atol=1e-11)


def test_a_unit_without_slope_has_no_elbow():
    network = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1)).double()
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[0.0], [2.0]]))
        network[0].bias.copy_(torch.tensor([1.0, -4.0]))
    elbows = elbows_of(network)
    assert elbows.position.isnan().tolist() == [True, False]
    assert elbows.sorted()[0].tolist() == [2.0]


def test_the_walk_of_the_elbows_is_that_of_the_history():
    torch.manual_seed(0)
    x = torch.linspace(-2, 2, 40, dtype=torch.float64).unsqueeze(-1)
    network = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1)).double()
    before = elbows_of(network).position
    method, stop = cc.GradientDescent(lr=0.02), cc.Stop(steps=30)
    found = cc.fit(network, (x, (x - 0.5).abs()), method=method, stop=stop)
    walk = elbow_walk(found)
    assert walk.shape == (31, 4)
    torch.testing.assert_close(walk[0], before, rtol=1e-13, atol=0)
    torch.testing.assert_close(walk[-1], elbows_of(network).position, rtol=1e-13, atol=0)
    w, b = (found.history.values[:, 0, i : i + 4] for i in (0, 4))
    torch.testing.assert_close(walk, -b / w, rtol=0, atol=0)
    gradient = found.history.gradient[0, 0]
    first = next_elbow(w[0], b[0], gradient[:4], gradient[4:8], lr=0.02)
    torch.testing.assert_close(walk[1], first, rtol=1e-12, atol=0)


def test_the_walk_with_weights_held_fixed():
    x = torch.linspace(-2, 2, 40).unsqueeze(-1)
    network = nn.Sequential(nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 1))
    method, stop = cc.GradientDescent(lr=0.02), cc.Stop(steps=2)
    found = cc.fit(network, (x, x.abs()), method=method, stop=stop, fixed=["0.weight"])
    torch.testing.assert_close(elbow_walk(found)[-1], elbows_of(network).position)


class Hidden(nn.Module):
    """Two linear layers with something else between them."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(1, 4), nn.Linear(4, 1)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


@pytest.mark.parametrize(
    "module",
    [nn.Linear(1, 1), Hidden(), nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1)), cc.LowPass(R=1.0)],
    ids=["one layer", "tanh", "two inputs", "circuit"],
)
def test_other_modules_have_no_elbows(module):
    with pytest.raises(OptionError, match="one hidden layer of ReLUs"):
        elbows_of(module)


@pytest.mark.parametrize(
    "circuit",
    [cc.LowPass(R=1.0), cc.Bode(gain=2.0), cc.Bode(poles=[[1.0, 2.0]]), cc.ColorOrgan()],
    ids=["a filter", "no corner", "two boards", "organ"],
)
def test_what_is_no_straight_line_plot_is_refused(circuit):
    with pytest.raises(OptionError, match="straight-line"):
        bode_network(circuit)


def test_no_history_no_walk():
    x = torch.linspace(-1, 1, 9).unsqueeze(-1)
    network = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    found = cc.fit(network, (x, x), method=cc.GradientDescent(0.1), stop=cc.Stop(steps=2), history=False)
    with pytest.raises(OptionError, match="history=True"):
        elbow_walk(found)
