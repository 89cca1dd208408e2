"""The replay: what it shows at a step, against the history and against the circuit computed anew."""

from __future__ import annotations

import io
import math
import sys
from collections import Counter
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import circuits as cc
import losses
from circuits.errors import NotebookMissing, OptionError, UnknownName
from circuits.fitting.history import History
from circuits.fitting.problem import Problem
from circuits.views import Replay, replay
from circuits.views.playback.canvas import png
from circuits.views.playback.film import BUDGET, KEYS, Film
from circuits.views.playback.keys import key_steps
from circuits.views.playback.leds import LedRows
from circuits.views.playback.loss_panels import LossCurve, LossMap
from circuits.views.playback.stage import Stage

GRID = cc.log_grid(40, 10.0, 1e5)
ORGAN = (200.0, (40.0, 160.0), 32.0)


@cache
def low_pass(quantity: str = "magnitude") -> cc.Fit:
    return cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), GRID, quantity, noise=0.01))


@cache
def descent(steps: int) -> cc.Fit:
    data = cc.simulate(cc.LowPass(200.0), GRID)
    stop = cc.Stop(steps=steps)
    return cc.fit(cc.LowPass(500.0), data, method=cc.GradientDescent(lr=50.0), coordinates="linear", stop=stop)


@cache
def organ() -> cc.Fit:
    return cc.fit(cc.ColorOrgan(500.0, (500.0, 500.0), 500.0), cc.simulate(cc.ColorOrgan(*ORGAN), cc.tones(300), "led"))


@cache
def boards() -> cc.Fit:
    return cc.fit(cc.LowPass([500.0] * 3), cc.simulate(cc.LowPass([100.0, 200.0, 400.0]), GRID))


@cache
def module() -> cc.Fit:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()
    x = torch.linspace(-2, 2, 30, dtype=torch.float64).unsqueeze(1)
    return cc.fit(net, (x, torch.sin(x)), stop=cc.Stop(steps=12))


def two_inputs() -> cc.Fit:
    x = torch.rand(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return cc.fit(torch.nn.Linear(2, 3).double(), (x, torch.cat([x, x[:, :1]], 1)))


def own_loss() -> cc.Fit:
    return cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), GRID), lambda p, t: (p - t).abs().max())


def holes() -> cc.Fit:
    data = cc.simulate(cc.LowPass(200.0), GRID, "decibels")
    values = data.values.clone()
    values[::3] = math.nan
    return cc.fit(cc.LowPass(500.0), cc.Measurements(data.f, "decibels", values))


def astray() -> cc.Fit:
    data = cc.simulate(cc.BandPass(40.0, 160.0), GRID, "response")
    return cc.fit(cc.BandPass(900.0, 900.0), data, method=cc.GradientDescent(lr=20.0), stop=cc.Stop(steps=20))


def below_zero() -> cc.Fit:
    data = cc.simulate(cc.LowPass(200.0), GRID)
    how = cc.GradientDescent(lr=3e6)
    return cc.fit(cc.LowPass(500.0), data, method=how, coordinates="linear", stop=cc.Stop(steps=5))


FITS = {
    "magnitude": low_pass,
    "response": lambda: low_pass("response"),
    "phase": lambda: low_pass("phase"),
    "leds": organ,
    "boards": boards,
    "module": module,
    "module of two inputs": two_inputs,
    "own loss": own_loss,
    "missing points": holes,
    "diverged": astray,
    "stepped below zero": below_zero,
}


@pytest.mark.parametrize("name", FITS)
def test_every_kind_of_fit_has_a_picture_that_changes(name):
    film = Film(FITS[name](), board=2 if name == "boards" else 0)
    stage = Stage(film)
    first, last = stage.picture(0), stage.picture(film.last)
    assert first.shape == last.shape == (630, 960, 4) and first.dtype == np.uint8
    assert film.last == 0 or (first != last).any()
    assert (stage.picture(0) == first).all()  # nothing of another step is left behind


def test_pictures_do_not_depend_on_the_way_to_them():
    film = Film(organ())
    stage, other = Stage(film), Stage(film)
    for step in (3, 0, film.last, 7):
        stage.picture(step)
    assert (stage.picture(5) == other.picture(5)).all()


def test_the_slider_shows_the_picture_of_its_step():
    fit = organ()
    shown, stage = Replay(fit), Stage(Film(fit))
    try:
        for index in (1, 4, 2):
            shown.slider.value = index
            step = int(shown.film.keys[index])
            assert shown.image.value == stage.png(step)
            assert (shown.step, shown.exact.value) == (step, step)
            assert f"step {step} of {fit.history.loss.shape[0] - 1}" in shown.text.value
    finally:
        shown.close()


def test_a_step_typed_in_is_shown_exactly_and_moves_the_slider_near_it():
    fit = descent(2000)
    shown = Replay(fit)
    try:
        missing = next(step for step in range(fit.steps, 0, -1) if step not in shown.film.keys)
        shown.exact.value = missing
        assert shown.step == missing
        assert shown.image.value == Stage(Film(fit)).png(missing)
        near = shown.film.keys[shown.slider.value]
        assert abs(near - missing) == np.abs(shown.film.keys - missing).min() > 0
        assert f"{fit.history.loss[missing, 0]:.4g}" in shown.text.value
    finally:
        shown.close()


def test_play_is_linked_to_the_slider_in_the_browser():
    shown = Replay(low_pass())
    try:
        assert shown._link.source == (shown.play, "value") and shown._link.target == (shown.slider, "value")
        assert (shown.play.min, shown.play.max) == (shown.slider.min, shown.slider.max) == (0, shown.film.last)
    finally:
        shown.close()


def test_a_film_shows_what_the_circuit_says_at_that_step():
    fit = organ()
    film = Film(fit, ["band.R_high", "high.R"])
    for step in (0, 3, film.last):
        frame = film.frame(step)
        R = fit.history.values[step, 0].tolist()
        fresh = cc.ColorOrgan(R[0], (R[1], R[2]), R[3])
        assert frame.values.tolist() == R
        grid, at = torch.as_tensor(film.ground.grid), torch.as_tensor(film.ground.at)
        np.testing.assert_allclose(film.curve(frame), fresh(grid).detach(), rtol=1e-12)
        np.testing.assert_array_equal(film.lit(frame), (fresh(at) > fresh.threshold).numpy())
        np.testing.assert_allclose(film.corners(frame), [f.item() for f in fresh.cutoffs().values()], rtol=1e-12)


def test_every_board_has_a_film_of_its_own():
    fit = boards()
    for board, truth in enumerate((100.0, 200.0, 400.0)):
        film = Film(fit, board=board)
        frame = film.frame(-1)
        assert frame.values == pytest.approx(truth, rel=1e-6)
        assert frame.loss == fit.history.loss[-1, board]
        first = film.frame(1)
        assert first.values.tolist() == fit.history.values[1, board].tolist()
        problem = fit.problem.take(torch.tensor([board]))
        slope = problem.gradient(problem.coordinates.from_values(fit.history.values[1, board : board + 1]))[1]
        np.testing.assert_allclose(film.pulls(first).sum((1, 2)), slope[0], rtol=1e-9)
        np.testing.assert_allclose(film.curve(frame)[0], cc.LowPass(truth)(film.ground.grid).detach(), rtol=1e-5)


def test_the_slider_of_a_long_walk_stops_at_key_steps():
    fit = descent(2000)
    shown = Replay(fit)
    try:
        shown.slider.value = 150
        assert shown.step == shown.film.keys[150] > 150
        assert shown.image.value == Stage(Film(fit)).png(shown.step)
        assert shown.slider.max == KEYS - 1
    finally:
        shown.close()


def test_the_loss_shown_is_the_one_that_was_walked():
    fit = organ()
    film = Film(fit)
    names = [repr(stage) for stage in film.stages]
    assert names[:2] == ["LogisticLed(sharpness=5)", "LogisticLed(sharpness=20)"]
    stages = []
    for step in range(film.last + 1):
        frame = film.frame(step)
        problem = fit.problem.with_loss(film.stages[frame.stage])
        x = problem.coordinates.from_values(fit.history.values[step])
        assert float(problem.losses(x)) == pytest.approx(frame.loss, rel=1e-9)
        np.testing.assert_allclose(problem.gradient(x)[1][0], frame.gradient, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(film.pulls(frame).sum((1, 2)), frame.gradient[:2], rtol=1e-6, atol=1e-12)
        stages.append(frame.stage)
    assert stages == sorted(stages) and stages[0] == 0 < stages[-1]
    assert repr(film.stages[stages[-1]]) == fit.loss_name
    assert f"by {fit.loss_name}" in film.caption(-1)


def test_a_slice_holds_the_other_components_where_they_are_at_the_step():
    fit = organ()
    film = Film(fit, ["low.R", "high.R"])
    frame = film.frame(4)
    found = film.slice(frame)
    problem = fit.problem.with_loss(film.stages[frame.stage])
    for i, j in ((0, 0), (3, 7), (-1, -1)):
        values = fit.history.values[4].clone()
        values[0, 0], values[0, 3] = float(found.grids[0][i]), float(found.grids[1][j])
        expected = problem.losses(problem.coordinates.from_values(values))
        assert found.loss[i, j] == pytest.approx(float(expected), rel=1e-9)
    walk = fit.history.of("low.R")[:, 0].numpy()
    assert found.grids[0][0] < walk.min() and walk.max() < found.grids[0][-1]


def test_one_component_is_a_curve_with_its_slope_and_two_are_a_map():
    fit = organ()
    stage = Stage(Film(fit, "low.R"))
    assert isinstance(stage._loss, LossCurve)
    stage.picture(2)
    frame = stage.film.frame(2)
    (x, _), (low, high) = stage._loss._slope.get_data()
    here = math.log10(frame.values[0])
    assert (low + high) / 2 == pytest.approx(frame.loss)
    slope = (frame.loss - low) / (here - x)
    assert slope == pytest.approx(frame.gradient[0] * math.log(10))  # the axis counts decades, the gradient nepers
    assert isinstance(Stage(Film(fit, ["low.R", "high.R"]))._loss, LossMap)


def test_the_path_ends_at_the_step_and_no_sooner():
    stage = Stage(Film(organ(), ["low.R", "high.R"]))
    stage.picture(6)
    x, y = stage._loss._path.get_data()
    walk = np.log10(stage.film.fit.history.values[:7, 0][:, [0, 3]].numpy())
    np.testing.assert_allclose(np.column_stack([x, y])[:7], walk)


def test_pulls_are_drawn_as_shares_of_the_strongest():
    film = Film(low_pass())
    stage = Stage(film)
    stage.picture(0)
    pulls = film.pulls(film.frame(0)).ravel()
    (line,) = stage._panels[1]._lines
    np.testing.assert_allclose(line.get_ydata(), pulls / np.abs(pulls).max())
    assert f"sum {pulls.sum():.2g}" in stage._panels[1]._note.get_text()


def test_leds_are_lit_high_and_filled_or_dark_low_and_hollow():
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    rows = LedRows(axes, [1.0, 2.0, 3.0], ("a", "b"), np.array([[1.0, 0.0, np.nan], [1.0, 1.0, 0.0]]))
    rows.show(np.array([[True, True, True], [False, True, False]]))
    lit, dark, wrong = rows.artists
    assert lit.get_data()[0].tolist() == [1.0, 2.0, 3.0, 2.0] and dark.get_data()[0].tolist() == [1.0, 3.0]
    assert wrong.get_data()[0].tolist() == [2.0, 1.0]  # the one not seen is no mistake
    assert dark.get_markerfacecolor() == "white" != lit.get_markerfacecolor()
    assert lit.get_data()[1][3] > dark.get_data()[1][0]  # of the same output


def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what is evaluated from now on, and at how many numbers."""
    counts: Counter[str] = Counter()

    def counting(kind, name, size):
        was = getattr(kind, name)

        def wrapped(self, *rest):
            counts[name] += 1
            counts[f"{name}: numbers"] += size(rest[0])
            return was(self, *rest)

        monkeypatch.setattr(kind, name, wrapped)

    counting(cc.LowPass, "predict", lambda f: f.numel())
    counting(cc.LowPass, "linearize", lambda f: f.numel())
    counting(Problem, "losses", lambda x: x.numel())
    return counts


def test_a_move_costs_the_same_after_many_steps_as_after_few(monkeypatch):
    fits = {steps: descent(steps) for steps in (10, 10_000)}
    found = {}
    for steps, fit in fits.items():
        counts = counted(monkeypatch)
        stage = Stage(Film(fit))
        made = dict(counts)
        pictures = []
        for step in (1, 5, 9):
            before = dict(counts)
            stage.png(step)
            pictures.append({name: counts[name] - before.get(name, 0) for name in counts})
        drawn = max(len(line.get_xdata()) for axes in stage.figure.axes for line in axes.get_lines())
        monkeypatch.undo()
        found[steps] = (made, pictures)
        assert drawn <= 400
    assert found[10] == found[10_000]
    assert found[10][1][0]["predict"] > 0


@pytest.mark.parametrize("steps", [1, 2, 239, 240, 241, 5000, 200_000])
def test_key_steps_are_few_and_hold_both_ends(steps):
    x = np.exp(-np.linspace(0, 8, steps + 1))[:, None]
    keys = key_steps(x, KEYS)
    assert keys[0] == 0 and keys[-1] == steps and (np.diff(keys) > 0).all() and len(keys) <= KEYS
    assert len(keys) == min(steps + 1, KEYS)
    if steps >= 5000:  # neither the beginning nor the path is jumped over
        assert np.abs(np.diff(x[keys, 0])).max() < 0.02
        assert 1 in keys or keys[1] < steps / 100


def test_key_steps_survive_a_walk_that_left_the_numbers():
    x = np.array([[2.0**k] for k in range(900)] + [[np.inf], [np.nan]])
    keys = key_steps(x, 50)
    assert keys[0] == 0 and keys[-1] == 901 and 2 < len(keys) <= 50


def test_moving_slices_keep_to_their_budget():
    film = Film(organ())
    points = film.problem.target.numel()
    assert all(len(grid) ** 2 * points <= BUDGET for grid in film.grids(fixed=False))


def without_history() -> cc.Fit:
    return cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), GRID), history=False)


def with_empty_history() -> cc.Fit:
    fit = low_pass.__wrapped__()  # one of its own
    empty = History(fit.names, *(table[:0] for table in (fit.history.values, fit.history.loss, fit.history.gradient)))
    fit.__dict__["history"] = empty
    return fit


BAD = {
    "no history": (lambda: Replay(without_history()), OptionError, "remembers no steps; fit again with history=True"),
    "an empty history": (lambda: Replay(with_empty_history()), OptionError, "remembers no steps"),
    "no such component": (lambda: Replay(low_pass(), names="R9"), UnknownName, "no learned component 'R9'; known: R"),
    "a fixed component": (lambda: Replay(low_pass(), names="C"), OptionError, "C is held fixed"),
    "three components": (
        lambda: Replay(organ(), names=["low.R", "high.R", "band.R_low"]),
        OptionError,
        "expected the name of one, or of two",
    ),
    "no component": (lambda: Replay(low_pass(), names=[]), OptionError, "expected the name of one, or of two"),
    "no such board": (lambda: Replay(boards(), board=3), OptionError, "no board 3; expected 0 to 2"),
    "not a fit": (lambda: Replay(cc.LowPass(1.0)), OptionError, "cannot replay a LowPass"),
    "no such step": (lambda: Film(low_pass()).frame(99), OptionError, "no step 99; this fit has steps 0 to"),
    "no notebook": (lambda: replay(low_pass()), NotebookMissing, "none is around; write fit.report"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence(case):
    call, error, said = BAD[case]
    with pytest.raises(error, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_notebook_is_believed(monkeypatch):
    class Shell:
        kernel = object()

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=Shell))
    shown = replay(low_pass())
    try:
        assert shown.image.value == shown.stage.png(0)
    finally:
        shown.close()


def test_the_circuit_is_left_as_it_was():
    fit = organ()
    before = {name: p.detach().clone() for name, p in fit.circuit.named_parameters()}
    Stage(Film(fit)).picture(2)
    assert all(torch.equal(before[name], p.detach()) for name, p in fit.circuit.named_parameters())
    assert fit.circuit.low.R.requires_grad


def test_png_is_what_a_browser_reads():
    picture = Stage(Film(low_pass())).picture(0)
    with Image.open(io.BytesIO(png(picture))) as image:
        assert image.format == "PNG"
        image.verify()
    with Image.open(io.BytesIO(png(picture))) as image:
        np.testing.assert_array_equal(np.asarray(image), picture[..., :3])


def test_a_hard_threshold_of_its_own_is_the_one_drawn():
    data = cc.simulate(cc.LowPass(200.0), cc.tones(200), "led")
    film = Film(cc.fit(cc.LowPass(500.0), data, losses.ShiftedMSE(threshold=0.5)))
    assert film.ground.threshold == 0.5


def test_the_picture_comes_last_so_that_nothing_typed_after_it_is_overwritten():
    shown = Replay(low_pass())
    said = []
    try:
        for part, name in ((shown.text, "text"), (shown.exact, "exact"), (shown.image, "image")):
            part.observe(lambda _, name=name: said.append(name), "value")
        shown.slider.value = 2
        assert said == ["text", "exact", "image"]
    finally:
        shown.close()
