from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import circuits as cc
import losses
from circuits.errors import OptionError, UnknownName
from circuits.fitting import load_fit
from circuits.views import plot_loss_surface
from circuits.views.loss_surface import surface_of
from drawn import is_whole, legend_texts, overlaps

GRID = cc.log_grid(40, 10.0, 1e5)
X = torch.linspace(0.01, 10, 60, dtype=torch.float64)


class Product(nn.Module):
    """Two first-order sections that can change places."""

    def __init__(self):
        super().__init__()
        self.tau = nn.Parameter(torch.tensor([0.5, 8.0], dtype=torch.float64))

    def forward(self, x):
        return 1 / (1 + (x * self.tau[0]) ** 2) / (1 + (x * self.tau[1]) ** 2)


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(-1.0, dtype=torch.float64))
        self.shift = nn.Parameter(torch.tensor(0.0, dtype=torch.float64))

    def forward(self, x):
        return self.slope * x + self.shift


def low(noise=0.01, **options):
    return cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), GRID, noise=noise), **options)


def band(noise=0.0, **options):
    return cc.fit(cc.BandPass(900.0, 900.0), cc.simulate(cc.BandPass(39.789, 159.155), GRID, noise=noise), **options)


def both():
    board = cc.LowPass(500.0)
    board.C.requires_grad_()
    return cc.fit(board, cc.simulate(cc.LowPass(200.0), GRID, noise=0.01))


def organ(loss=None, **options):
    data = cc.simulate(cc.ColorOrgan(199.0, (40.0, 159.0), 32.0), cc.tones(60), "led")
    return cc.fit(cc.ColorOrgan(500.0, (500.0, 500.0), 500.0), data, loss, **options)


def swapped():
    truth = Product()
    with torch.no_grad():
        truth.tau.copy_(torch.tensor([1.0, 5.0]))
    return cc.fit(Product(), (X, truth(X).detach()))


def line(**options):
    return cc.fit(Line(), (X, 2.0 * X - 3.0), **options)


def boards():
    return cc.fit(cc.LowPass([500.0] * 3), cc.simulate(cc.LowPass([200.0, 300.0, 400.0]), GRID))


def long():
    method, stop = cc.GradientDescent(lr=200.0), cc.Stop(steps=3000)
    data = cc.simulate(cc.LowPass(200.0), cc.tones(50))
    return cc.fit(cc.LowPass(500.0), data, losses.Magnitude(), method=method, coordinates="linear", stop=stop)


PICTURES = {
    "one component": lambda: plot_loss_surface(low(), "R"),
    "linear": lambda: plot_loss_surface(low(), "R", scale="linear"),
    "two components": lambda: plot_loss_surface(band()),
    "two, linear": lambda: plot_loss_surface(band(), scale="linear"),
    "a valley": lambda: plot_loss_surface(both()),
    "LEDs": lambda: plot_loss_surface(organ(), ("band.R_low", "band.R_high"), points=31),
    "LEDs, one component": lambda: plot_loss_surface(organ(), "high.R"),
    "a long walk": lambda: plot_loss_surface(long()),
    "one board of three": lambda: plot_loss_surface(boards(), board=2),
    "a plain module": lambda: plot_loss_surface(line()),
    "no history": lambda: plot_loss_surface(band(history=False), points=21),
    "two minima": lambda: plot_loss_surface(swapped(), span=20.0),
}


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_is_cut_off_and_nothing_overlaps(name):
    figure = PICTURES[name]()
    assert is_whole(figure)
    assert overlaps(figure) == []


def test_one_component_shows_the_loss_and_the_path_on_it():
    fit = low()
    figure = plot_loss_surface(fit, "R", points=101)
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale()) == ("R", "loss", "log")
    curve, path, start, end, cross = axes.get_lines()
    assert len(curve.get_xdata()) == 101
    problem = fit.final_problem()
    for i in (0, 50, 100):
        x = torch.tensor([[math.log(curve.get_xdata()[i])]], dtype=torch.float64)
        assert curve.get_ydata()[i] == pytest.approx(problem.losses(x).item(), rel=1e-12)
    np.testing.assert_allclose(path.get_xdata(), fit.history.of("R")[:, 0], rtol=1e-12)
    np.testing.assert_allclose(path.get_ydata(), fit.history.loss[:, 0], rtol=1e-9)
    assert start.get_xdata()[0] == pytest.approx(500.0) and end.get_xdata()[0] == pytest.approx(fit.circuit.R.item())
    assert cross.get_xdata()[0] == pytest.approx(fit.circuit.R.item(), rel=1e-3)
    low_end, high_end = axes.get_xlim()
    assert low_end < fit.circuit.R.item() / 4 and high_end > 500.0
    assert f"start, {fit.steps} steps before the end" in legend_texts(figure)
    assert figure.legends[0].get_title().get_text() == "Loss over R"


def test_a_band_pass_has_exactly_one_minimum():
    fit = band()
    figure = plot_loss_surface(fit)
    surface = surface_of(fit)
    ((values, loss),) = surface.minima
    assert values == pytest.approx((39.789, 159.155), rel=2e-3) and loss < 1e-6
    assert surface.has_lowest and surface.names == ("R_low", "R_high")
    axes, bar = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel(), bar.get_ylabel()) == ("R_low", "R_high", "loss")
    path, start, end, cross = axes.get_lines()
    np.testing.assert_allclose(np.stack(path.get_data(), -1), fit.history.values[:, 0], rtol=1e-12)
    assert start.get_data() == ([900.0], [900.0]) or np.ravel(start.get_data()) == pytest.approx([900.0, 900.0])
    assert np.ravel(end.get_data()) == pytest.approx([39.789, 159.155], rel=1e-6)
    assert np.ravel(cross.get_data()) == pytest.approx(values)
    assert sum("minimum at" in text for text in legend_texts(figure)) == 1


def test_the_map_is_the_loss_with_the_first_component_along():
    fit = band()
    surface = surface_of(fit, ("R_high", "R_low"), points=5)
    problem = fit.final_problem()
    for i, j in ((0, 4), (3, 1)):
        x = torch.tensor([[surface.axes[1][j], surface.axes[0][i]]]).log()
        assert surface.loss[i, j] == pytest.approx(problem.losses(x).item(), rel=1e-12)
    axes = plot_loss_surface(fit, ("R_high", "R_low"), points=25).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("R_high", "R_low")
    floor = next(path.vertices for path in axes.collections[0].get_paths() if len(path.vertices))
    along, up = np.exp(np.log(floor).mean(0))
    assert along == pytest.approx(159.155, rel=0.1) and up == pytest.approx(39.789, rel=0.1)
    assert axes.get_xlim()[1] / axes.get_xlim()[0] != pytest.approx(axes.get_ylim()[1] / axes.get_ylim()[0])


def test_corners_that_can_change_places_make_two_minima():
    fit = swapped()
    surface = surface_of(fit, span=20.0)
    found = sorted(values for values, _ in surface.minima)
    assert len(found) == 2
    assert found[0] == pytest.approx((1.0, 5.0), rel=0.03) and found[1] == pytest.approx((5.0, 1.0), rel=0.03)
    texts = legend_texts(plot_loss_surface(fit, span=20.0))
    assert sum(text.startswith("minimum at") for text in texts) == sum("another minimum" in t for t in texts) == 1


def test_a_valley_has_no_single_minimum():
    fit = both()
    surface = surface_of(fit)
    assert surface.minima == () and surface.is_valley and not surface.has_lowest
    figure = plot_loss_surface(fit)
    assert "no single minimum: the floor runs to the edge" in legend_texts(figure)
    assert not [line for line in figure.axes[0].get_lines() if line.get_marker() == "x"]
    assert surface_of(fit, "R").has_lowest  # across the valley there is one


def test_a_minimum_out_of_sight_is_said_to_be_at_the_edge():
    fit = band(stop=cc.Stop(steps=1))
    surface = surface_of(fit, span=1.2)
    assert not surface.has_lowest and not surface.is_valley
    assert any(text.startswith("lowest at the edge") for text in legend_texts(plot_loss_surface(fit, span=1.2)))


def test_a_hard_comparator_counts_and_has_plateaus():
    data = cc.simulate(cc.LowPass(200.0), cc.log_grid(20, 100.0, 1e4), "led")
    fit = cc.fit(cc.LowPass(500.0), data, losses.HardLed())
    surface = surface_of(fit, "R", points=801)
    wrong = surface.loss * 20
    np.testing.assert_allclose(wrong, np.round(wrong), atol=1e-9)
    assert len(np.unique(np.round(wrong))) < 20 and (np.diff(wrong) == 0).mean() > 0.9
    assert len(surface.minima) == 1 and surface.minima[0][1] == 0.0


def test_stages_show_the_last_loss_and_only_the_walk_on_it():
    fit = organ()
    first = fit.history.walks[-1][0]
    assert first > 0
    surface = surface_of(fit, "low.R")
    assert np.isnan(surface.path_loss[:first]).all() and np.isfinite(surface.path_loss[first:]).all()
    assert surface.path_loss[-1] == pytest.approx(fit.loss, rel=1e-9)
    texts = legend_texts(plot_loss_surface(fit, "low.R"))
    assert any(text.startswith("first step on this loss") for text in texts)
    assert not any(text.startswith("start,") for text in texts)


def test_without_a_history_there_is_no_path():
    figure = plot_loss_surface(low(history=False), "R")
    assert legend_texts(figure)[0] == "loss" and not any("path" in text for text in legend_texts(figure))


def test_a_long_walk_is_drawn_from_its_start_to_its_end():
    fit = long()
    path = plot_loss_surface(fit).axes[0].get_lines()[1]
    assert path.get_xdata()[0] == 500.0 and path.get_xdata()[-1] == pytest.approx(fit.circuit.R.item())
    assert "start, 3,000 steps before the end" in legend_texts(plot_loss_surface(fit))


def test_negative_values_stand_on_a_linear_axis():
    surface = surface_of(line())
    assert not surface.is_log and surface.axes[0].min() < -1.0 and surface.axes[0].max() > 2.0
    assert surface.minima[0][0] == pytest.approx((2.0, -3.0), rel=0.02)
    axes = plot_loss_surface(line()).axes[0]
    assert axes.get_xscale() == axes.get_yscale() == "linear"


def test_the_span_is_as_asked():
    surface = surface_of(low(), "R", span=10.0, points=11)
    R = surface.axes[0][5]
    assert surface.axes[0][[0, -1]] == pytest.approx([R / 10, R * 10])


def test_the_circuit_is_left_as_it_was_and_a_file_is_written(tmp_path):
    fit = band()
    before = fit.circuit.R_low.clone()
    plot_loss_surface(fit, path=tmp_path / "a.png", points=11)
    assert torch.equal(fit.circuit.R_low, before) and (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def saved(folder):
    low().save(folder / "fit.json")
    return load_fit(folder / "fit.json")


BAD = {
    "unknown": (lambda _: plot_loss_surface(low(), "R9"), UnknownName, "'R9'.*R"),
    "fixed": (lambda _: plot_loss_surface(low(), "C"), OptionError, "C is held fixed at 1 µF"),
    "three": (lambda _: plot_loss_surface(organ(), ("low.R", "high.R", "band.R_low")), OptionError, "3 components"),
    "none": (lambda _: plot_loss_surface(low(), ()), OptionError, "0 components"),
    "twice": (lambda _: plot_loss_surface(band(), ("R_low", "R_low")), OptionError, "two different"),
    "board": (lambda _: plot_loss_surface(boards(), board=3), OptionError, "expected 0 to 2"),
    "scale": (lambda _: plot_loss_surface(low(), scale="cubic"), OptionError, "expected 'log', 'linear'"),
    "log of negatives": (lambda _: plot_loss_surface(line(), scale="log"), OptionError, "not positive"),
    "points": (lambda _: plot_loss_surface(low(), points=2), OptionError, "at least 3"),
    "points as text": (lambda _: plot_loss_surface(low(), points="9"), OptionError, "at least 3"),
    "span": (lambda _: plot_loss_surface(low(), span=1.0), OptionError, "above 1"),
    "span as text": (lambda _: plot_loss_surface(low(), span="wide"), OptionError, "above 1"),
    "saved": (lambda folder: plot_loss_surface(saved(folder)), OptionError, "no data with it"),
    "a circuit": (lambda _: plot_loss_surface(cc.LowPass(1.0)), OptionError, "expected the result of circuits.fit"),
    "ending": (lambda folder: plot_loss_surface(low(), path=folder / "a.gif"), OptionError, ".png, .svg"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case, tmp_path):
    call, error, said = BAD[case]
    with pytest.raises(error, match=said) as caught:
        call(tmp_path)
    assert "\n" not in str(caught.value)
