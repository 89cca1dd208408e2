from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

import circuits as cc
import losses
from circuits.errors import OptionError, UnknownName
from circuits.fitting import load_fit
from circuits.fitting.per_sample_gradients import contributions
from circuits.views import plot_contributions
from circuits.views.contributions import DOWN, UP, pull_of
from drawn import is_whole, legend_texts, overlaps

GRID = cc.log_grid(40, 10.0, 1e5)
ORGAN = {"low": 198.944, "band": (39.789, 159.155), "high": 31.831}


def low(quantity="magnitude", n=40, noise=0.02, **options):
    return cc.fit(
        cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), cc.log_grid(n, 10.0, 1e5), quantity, noise), **options
    )


def organ(n=200, missing=False):
    data = cc.simulate(cc.ColorOrgan(**ORGAN), cc.tones(n), "led")
    values = data.values.clone()
    if missing:
        values[:, ::2] = math.nan
    data = cc.Measurements(data.f, "led", values, outputs=data.outputs)
    return cc.fit(cc.ColorOrgan(500.0, (500.0, 500.0), 500.0), data, losses.LogisticLed())


def module():
    x = torch.linspace(0, 1, 9, dtype=torch.float64).unsqueeze(-1)
    return cc.fit(torch.nn.Linear(1, 1).double(), (x, 3 * x - 1))


def boards():
    return cc.fit(cc.LowPass([500.0] * 2), cc.simulate(cc.LowPass([200.0, 900.0]), GRID))


PICTURES = {
    "12 noisy points": lambda: plot_contributions(low(n=12, noise=0.05)),
    "the start": lambda: plot_contributions(low(), 0),
    "complex": lambda: plot_contributions(low("response"), 0),
    "organ, the start": lambda: plot_contributions(organ(1000), 0),
    "organ, the end": lambda: plot_contributions(organ(1000)),
    "a plain module": lambda: plot_contributions(module(), 0),
    "one board of two": lambda: plot_contributions(boards(), 0, board=1),
    "a single point": lambda: plot_contributions(cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), [1e3])), 0),
}


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_is_cut_off_and_nothing_overlaps(name):
    figure = PICTURES[name]()
    assert is_whole(figure)
    assert overlaps(figure) == []


def marks(axes):
    """(f, derivative, colour, face) of every mark drawn."""
    found = []
    for line in axes.get_lines():
        if line.get_marker() not in ("None", "", None):
            look = (to_hex(line.get_color()), to_hex(line.get_markerfacecolor()))
            found += [(*point, *look) for point in zip(*line.get_data(), strict=True)]
    return sorted(found)


@pytest.mark.parametrize("step", [0, 2, -1])
def test_every_point_stands_at_its_derivative(step):
    fit = low()
    (axes,) = plot_contributions(fit, step).axes
    x = fit.problem.coordinates.from_values(fit.history.values[step])
    expected = contributions(fit.problem, x)[0, 0].numpy()
    drawn = marks(axes)
    np.testing.assert_allclose([m[0] for m in drawn], GRID)
    np.testing.assert_allclose([m[1] for m in drawn], expected, rtol=1e-12)
    assert all(m[2] == (DOWN if m[1] > 0 else UP).lower() for m in drawn)
    assert sum(expected) == pytest.approx(fit.history.gradient[step, 0, 0].item(), rel=1e-6, abs=1e-9)
    low_end, high_end = axes.get_ylim()
    assert low_end == -high_end and high_end > np.abs(expected).max()
    assert axes.get_ylabel() == "∂loss/∂ln R" and axes.get_xlabel() == "frequency"


def test_the_verdict_is_the_sum():
    fit = low(noise=0.0)
    said = plot_contributions(fit, 0).axes[0].get_title(loc="right")
    assert said.startswith("R = 500 Ω: the sum is ") and said.endswith("pulled down")
    up = cc.fit(cc.LowPass(50.0), cc.simulate(cc.LowPass(200.0), GRID))
    assert plot_contributions(up, 0).axes[0].get_title(loc="right").endswith("pulled up")
    assert plot_contributions(low()).axes[0].get_title(loc="right").endswith("balanced")


def test_leds_are_filled_where_they_were_lit():
    fit = organ()
    figure = plot_contributions(fit, 0)
    assert [axes.get_ylabel() for axes in figure.axes] == [f"∂loss/∂ln {name}" for name in fit.names]
    lit = {f for f, seen in zip(fit.data.f.tolist(), fit.data.values[0], strict=True) if seen > 0}
    drawn = marks(figure.axes[0])
    assert len(drawn) == 200  # the other outputs do not pull at low.R
    for f, _, colour, face in drawn:
        assert face == (colour if f in lit else "#ffffff")
    texts = legend_texts(figure)
    assert {"LED seen lit", "seen dark", "low", "band", "high"} <= set(texts)


def test_a_step_of_an_earlier_stage_shows_the_loss_of_that_stage():
    fit = organ()
    pull = pull_of(fit, 0)
    np.testing.assert_allclose(pull.derivative.sum((1, 2)), fit.history.gradient[0, 0], rtol=1e-9)
    last = fit.history.walks[-1][0]
    np.testing.assert_allclose(
        pull_of(fit, last).derivative.sum((1, 2)), fit.history.gradient[last, 0], rtol=1e-6, atol=1e-9
    )


def test_what_was_not_measured_is_not_drawn():
    fit = organ(missing=True)
    assert len(marks(plot_contributions(fit, 0).axes[0])) == 100
    assert np.isnan(pull_of(fit, 0).derivative[:, :, ::2]).all()


def test_an_output_without_data_pulls_at_nothing():
    data = cc.simulate(cc.ColorOrgan(**ORGAN), GRID)
    values = data.values.clone()
    values[1] = math.nan
    board = cc.ColorOrgan(500.0, (500.0, 500.0), 500.0)
    fit = cc.fit(board, cc.Measurements(GRID, "magnitude", values, sigma=0.1, outputs=data.outputs))
    figure = plot_contributions(fit, 0)
    assert figure.axes[1].get_title(loc="right").endswith("nothing pulls") and marks(figure.axes[1]) == []
    assert "band" not in legend_texts(figure)


def test_components_can_be_chosen_and_linear_ones_are_named_so():
    figure = plot_contributions(organ(), 0, names=["high.R", "low.R"])
    assert [axes.get_ylabel() for axes in figure.axes] == ["∂loss/∂ln high.R", "∂loss/∂ln low.R"]
    assert plot_contributions(low(coordinates="linear"), 0).axes[0].get_ylabel() == "∂loss/∂R"
    assert plot_contributions(organ(), 0, names="high.R").axes[0].get_ylabel() == "∂loss/∂ln high.R"


def test_the_board_is_the_one_asked_for():
    fit = boards()
    for board in (0, 1):
        pull = pull_of(fit, 1, board=board)
        assert pull.derivative.sum() == pytest.approx(fit.history.gradient[1, board, 0].item(), rel=1e-6)
        assert pull.values[0] == fit.history.values[1, board, 0]


def test_a_plain_module_counts_its_points():
    axes = plot_contributions(module(), 0).axes
    assert axes[-1].get_xlabel() == "data point"
    assert [m[0] for m in marks(axes[0])] == list(range(1, 10))


def saved(folder):
    low().save(folder / "fit.json")
    return load_fit(folder / "fit.json")


BAD = {
    "no history": (lambda _: plot_contributions(low(history=False)), OptionError, "history=True"),
    "unknown": (lambda _: plot_contributions(low(), names="R9"), UnknownName, "'R9'.*R"),
    "fixed": (lambda _: plot_contributions(low(), names=["C"]), OptionError, "C is held fixed at 1 µF"),
    "none": (lambda _: plot_contributions(low(), names=[]), OptionError, "names no component"),
    "step": (lambda _: plot_contributions(low(), 1000), OptionError, "no step 1000"),
    "half a step": (lambda _: plot_contributions(low(), 0.5), OptionError, "whole number"),
    "board": (lambda _: plot_contributions(boards(), board=2), OptionError, "expected 0 to 1"),
    "saved": (lambda folder: plot_contributions(saved(folder)), OptionError, "SavedFit"),
    "ending": (lambda folder: plot_contributions(low(), 0, folder / "a.gif"), OptionError, ".png, .svg"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case, tmp_path):
    call, error, said = BAD[case]
    with pytest.raises(error, match=said) as caught:
        call(tmp_path)
    assert "\n" not in str(caught.value)
