from __future__ import annotations

import numpy as np
import pytest
import torch

import circuits as cc
import losses
from circuits.errors import OptionError
from circuits.fitting import load_fit
from circuits.views import plot_history
from circuits.views.history import BINS, thinned
from drawn import is_whole, legend_texts, overlaps

GRID = cc.log_grid(40, 10.0, 1e5)


def low(**options):
    return cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), GRID, noise=0.01), **options)


def band(**options):
    return cc.fit(cc.BandPass(900.0, 900.0), cc.simulate(cc.BandPass(40.0, 159.0), GRID, noise=0.01), **options)


def organ():
    data = cc.simulate(cc.ColorOrgan(199.0, (40.0, 159.0), 32.0), cc.tones(100), "led")
    return cc.fit(cc.ColorOrgan(500.0, (500.0, 500.0), 500.0), data)


def both():
    board = cc.LowPass(500.0)
    board.C.requires_grad_()
    return cc.fit(board, cc.simulate(cc.LowPass(200.0), GRID, noise=0.01))


def descent(steps, lr=200.0):
    method, stop = cc.GradientDescent(lr=lr), cc.Stop(steps=steps)
    data = cc.simulate(cc.LowPass(200.0), cc.tones(20))
    return cc.fit(cc.LowPass(500.0), data, losses.Magnitude(), method=method, coordinates="linear", stop=stop)


def module():
    x = torch.linspace(0, 1, 9, dtype=torch.float64).unsqueeze(-1)
    torch.manual_seed(0)
    return cc.fit(torch.nn.Linear(1, 1).double(), (x, 3 * x - 1))


def boards():
    return cc.fit(cc.LowPass([500.0] * 2), cc.simulate(cc.LowPass([200.0, 900.0]), GRID))


def saved(folder):
    fit = band()
    fit.save(folder / "fit.json")
    return load_fit(folder / "fit.json")


PICTURES = {
    "log": lambda: plot_history(band()),
    "linear": lambda: plot_history(band(), scale="linear"),
    "stages": lambda: plot_history(organ()),
    "ohms and farads": lambda: plot_history(both()),
    "one step": lambda: plot_history(low(stop=cc.Stop(steps=1))),
    "many steps": lambda: plot_history(descent(6000)),
    "many steps, linear": lambda: plot_history(descent(6000), scale="linear"),
    "a plain module": lambda: plot_history(module()),
    "diverged": lambda: plot_history(descent(60, lr=3e6)),
    "one board of two": lambda: plot_history(boards(), board=1),
}


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_is_cut_off_and_nothing_overlaps(name):
    figure = PICTURES[name]()
    assert is_whole(figure)
    assert overlaps(figure) == []


def test_the_lines_are_the_history():
    fit = band()
    figure = plot_history(fit, scale="linear")
    loss, values, gradient = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "values", "∂loss/∂ln value"]
    assert gradient.get_xlabel() == "step" and all(axes.get_yscale() == "linear" for axes in figure.axes)
    np.testing.assert_allclose(loss.get_lines()[0].get_ydata(), fit.history.loss[:, 0])
    for k in (0, 1):
        np.testing.assert_allclose(values.get_lines()[k].get_ydata(), fit.history.values[:, 0, k])
        np.testing.assert_allclose(gradient.get_lines()[k].get_ydata(), fit.history.gradient[:, 0, k])
        np.testing.assert_array_equal(values.get_lines()[k].get_xdata(), np.arange(fit.steps + 1))
    assert legend_texts(figure)[:2] == ["R_low", "R_high"]
    assert figure.legends[0].get_title().get_text() == f"Band-pass: {fit.steps} steps"
    looks = {(line.get_color(), str(line._dash_pattern)) for line in values.get_lines()}
    assert len({a for a, _ in looks}) == len({b for _, b in looks}) == 2


def test_on_a_log_axis_a_negative_gradient_is_dotted():
    fit = band()
    figure = plot_history(fit)
    assert all(axes.get_yscale() == "log" for axes in figure.axes)
    assert figure.axes[2].get_ylabel() == "|∂loss/∂ln value|"
    gradient = fit.history.gradient[:, 0].numpy()
    assert (gradient < 0).any() and (gradient > 0).any()
    for line in figure.axes[2].get_lines():
        y = np.asarray(line.get_ydata())
        k = ["#D55E00", "#009E73"].index(line.get_color())
        seen = np.isfinite(y)
        np.testing.assert_allclose(y[seen], np.abs(gradient[seen, k]))
        if line.get_linestyle() == "-":
            assert (gradient[seen, k] > 0).all()
        else:
            assert seen[gradient[:, k] < 0].all()
    assert "negative gradient" in legend_texts(figure)


def test_stages_are_marked_where_they_begin():
    fit = organ()
    figure = plot_history(fit)
    begins = [first - 0.5 for first, _ in fit.history.walks[1:]]
    assert begins
    for axes in figure.axes:
        drawn = [line.get_xdata()[0] for line in axes.get_lines() if len(set(line.get_xdata())) == 1]
        assert drawn == begins
    assert "next stage of the loss" in legend_texts(figure)


def test_values_of_different_units_have_their_own_axes():
    figure = plot_history(both())
    assert len(figure.axes) == 4
    figure.canvas.draw()
    for axes, unit in zip(figure.axes[1:3], ("Ω", "F"), strict=True):
        assert all(text.get_text().endswith(unit) for text in axes.get_yticklabels() if text.get_text())
        assert len([text for text in axes.get_yticklabels() if text.get_text()]) >= 2


def test_an_exact_zero_stands_at_the_foot():
    layer = torch.nn.Linear(1, 1, bias=False).double()
    torch.nn.init.constant_(layer.weight, 0.5)
    x = torch.arange(1.0, 9.0, dtype=torch.float64).unsqueeze(-1)
    fit = cc.fit(layer, (x, 0.5 * x))
    assert fit.history.loss[0, 0] == 0.0
    figure = plot_history(fit)
    foot = [line for line in figure.axes[0].get_lines() if line.get_marker() == "v"]
    assert foot[0].get_xdata().tolist() == list(range(len(fit.history)))
    assert "exactly zero" in legend_texts(figure)
    assert is_whole(figure)


def test_a_long_history_keeps_its_ends_and_its_extremes():
    steps = np.arange(100_000)
    walk = np.sin(steps / 300.0)
    walk[54_321], walk[12_345] = 9.0, -9.0
    kept = thinned(walk)
    assert len(kept) <= 2 * BINS + 2 and {0, 99_999, 54_321, 12_345} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()
    fit = descent(6000)
    line = plot_history(fit).axes[0].get_lines()[0]
    assert len(line.get_xdata()) < 2 * BINS + 3
    np.testing.assert_allclose(line.get_ydata(), fit.history.loss[line.get_xdata(), 0])


def test_the_board_is_the_one_asked_for():
    fit = boards()
    lines = [plot_history(fit, board=board).axes[1].get_lines()[0].get_ydata() for board in (0, 1)]
    assert lines[0][-1] == pytest.approx(200.0, rel=1e-6) and lines[1][-1] == pytest.approx(900.0, rel=1e-6)


def test_of_many_values_those_that_moved_most():
    layer = torch.nn.Linear(12, 1).double()
    x = torch.randn(40, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    figure = plot_history(cc.fit(layer, (x, x.sum(1, keepdim=True))))
    assert "the 6 of 13 values that moved most" in figure.legends[0].get_title().get_text()
    assert len(figure.axes[1].get_lines()) == 6


def test_a_fit_read_back_has_its_history_too(tmp_path):
    figure = plot_history(saved(tmp_path))
    expected = plot_history(band())
    for a, b in zip(figure.axes, expected.axes, strict=True):
        np.testing.assert_allclose(a.get_lines()[0].get_ydata(), b.get_lines()[0].get_ydata())


BAD = {
    "no history": (lambda _: plot_history(low(history=False)), "history=True"),
    "scale": (lambda _: plot_history(low(), scale="cubic"), "expected 'log' or 'linear'"),
    "board": (lambda _: plot_history(boards(), board=2), "expected 0 to 1"),
    "a circuit": (lambda _: plot_history(cc.LowPass(1.0)), "steps of a LowPass; expected the result of a fit"),
    "ending": (lambda folder: plot_history(low(), folder / "a.gif"), ".png, .svg"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case, tmp_path):
    call, said = BAD[case]
    with pytest.raises(OptionError, match=said) as caught:
        call(tmp_path)
    assert "\n" not in str(caught.value)
