import math
import sys

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation

import circuits as cc
from circuits.errors import DataError, OptionError
from circuits.fitting import load_fit
from circuits.views import plot_response
from circuits.views.led_panels import wrong_leds
from circuits.views.scene import Corner, scene_of
from circuits.views.style import label_places

ORGAN = {"low": 198.944, "band": (39.789, 159.155), "high": 31.831}
GRID = cc.log_grid(40, 10.0, 1e5)


def fitted(kind, quantity, noise=0.0, f=GRID, **options):
    truth, start = {
        "low-pass": (cc.LowPass(200.0), cc.LowPass(500.0)),
        "organ": (cc.ColorOrgan(**ORGAN), cc.ColorOrgan(500.0, (500.0, 500.0), 500.0)),
        "boards": (cc.LowPass([200.0, 300.0, 400.0]), cc.LowPass([500.0] * 3)),
    }[kind]
    return cc.fit(start, cc.simulate(truth, f, quantity, noise), **options)


THINGS = {
    "magnitude": lambda: fitted("low-pass", "magnitude", 0.02),
    "magnitude without sigma": lambda: fitted("low-pass", "magnitude"),
    "decibels": lambda: fitted("low-pass", "decibels", 0.5),
    "phase": lambda: fitted("low-pass", "phase", 2.0),
    "response": lambda: fitted("low-pass", "response", 0.02),
    "led": lambda: fitted("low-pass", "led"),
    "organ led": lambda: fitted("organ", "led", f=cc.tones(300)),
    "organ magnitude": lambda: fitted("organ", "magnitude", 0.02),
    "one board of three": lambda: fitted("boards", "magnitude", 0.02),
    "circuit": lambda: cc.ColorOrgan(**ORGAN),
    "measured leds": lambda: cc.simulate(cc.ColorOrgan(**ORGAN), GRID, "led"),
    "measured response": lambda: cc.simulate(cc.LowPass(200.0), GRID, "response", 0.01),
    "a single point": lambda: cc.simulate(cc.LowPass(200.0), [1e3]),
}
PANELS = {
    "magnitude": ["magnitude |H|", "residual"],
    "magnitude without sigma": ["magnitude |H|", "residual"],
    "decibels": ["magnitude (dB)", "residual (dB)"],
    "phase": ["phase (°)", "residual (°)"],
    "response": ["magnitude (dB)", "residual (dB)", "phase (°)", "residual (°)"],
    "led": ["magnitude |H|", "LED"],
    "organ led": ["magnitude |H|", "low", "band", "high"],
    "organ magnitude": ["magnitude |H|", "residual"],
    "one board of three": ["magnitude |H|", "residual"],
    "circuit": ["magnitude (dB)", "phase (°)"],
    "measured leds": ["low", "band", "high"],
    "measured response": ["magnitude (dB)", "phase (°)"],
    "a single point": ["magnitude |H|"],
}


@pytest.mark.parametrize("name", THINGS)
def test_panels_and_nothing_cut_off(name):
    figure = plot_response(THINGS[name]())
    assert [axes.get_ylabel() for axes in figure.axes] == PANELS[name]
    picture = np.asarray(laid_out(figure).buffer_rgba())[..., :3]
    edges = (picture[:3], picture[-3:], picture[:, :3], picture[:, -3:])
    assert (picture < 255).any() and all((edge == 255).all() for edge in edges)  # what is cut off would reach the edge


def laid_out(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas.get_renderer()


def test_corner_labels_do_not_overlap():
    figure = plot_response(THINGS["organ led"]())
    renderer = laid_out(figure)
    notes = [a for a in figure.axes[0].texts if isinstance(a, Annotation) and a.get_text().endswith("Hz")]
    boxes = [note.get_window_extent(renderer) for note in notes]
    assert len(boxes) == 4 and not any("±" in note.get_text() for note in notes)  # no room for errors beside them
    for i, a in enumerate(boxes):
        assert not any(a.overlaps(b) for b in boxes[i + 1 :])


@pytest.mark.parametrize("seed", range(5))
def test_places_of_labels_never_overlap_whatever_the_corners(seed):
    drawn = np.sort(10 ** np.random.default_rng(seed).uniform(0, 6, 12))
    corners = [Corner(float(f), 0, f"{f:.3g} Hz") for f in drawn]
    spans: dict[int, list[tuple[float, float]]] = {}
    for corner, (row, side) in zip(corners, label_places(corners, 1.0, 1e6), strict=True):
        x, width = math.log(corner.hertz) / math.log(1e6), (len(corner.text) + 2) * 0.0083
        start = x - width * {"left": 0.0, "center": 0.5, "right": 1.0}[side]
        spans.setdefault(row, []).append((start, start + width))
    for row in spans.values():
        ordered = sorted(row)
        assert all(a[1] <= b[0] + 1e-12 for a, b in zip(ordered, ordered[1:], strict=False))


def test_a_fit_shows_its_data_its_curve_and_its_start():
    fit = fitted("low-pass", "magnitude", 0.02)
    scene = scene_of(fit, 0)
    torch.testing.assert_close(torch.as_tensor(scene.observed.values[0]), fit.problem.target[0])
    at = [0, 600, 1199]
    for curve, R in ((scene.curve, fit.circuit.R.item()), (scene.start, 500.0)):
        expected = cc.LowPass(R)(curve.f[at]).detach().numpy()
        np.testing.assert_allclose(curve.values[0][at], expected, rtol=1e-12)
    np.testing.assert_allclose(scene.curve.at_data[0], cc.LowPass(fit.circuit.R.item())(GRID).detach(), rtol=1e-12)
    assert np.all(scene.observed.sigma == 0.02)
    lines = figure_lines(plot_response(fit).axes[0])
    assert any(np.array_equal(line.get_ydata(), scene.start.values[0]) and line.is_dashed() for line in lines)


def figure_lines(axes):
    return [line for line in axes.get_lines() if len(line.get_xdata()) > 2]


def test_the_circuit_is_left_as_it_was():
    fit = fitted("boards", "magnitude")
    before = fit.circuit.R.clone()
    scene = scene_of(fit, 2)
    assert torch.equal(fit.circuit.R, before)
    np.testing.assert_allclose(scene.curve.at_data[0], cc.LowPass(400.0)(GRID).detach(), rtol=1e-9)
    np.testing.assert_allclose(scene.start.at_data[0], cc.LowPass(500.0)(GRID).detach(), rtol=1e-9)


def test_values_corners_and_what_was_held_are_written():
    fit = fitted("organ", "magnitude", 0.001)
    scene = scene_of(fit, 0)
    assert scene.outputs == ("low", "band", "high")
    assert scene.notes[0].startswith("R = 1") and scene.notes[0].endswith("C = 1 µF held")
    assert "R_low = " in scene.notes[1] and "C_low = C_high = 1 µF held" in scene.notes[1]
    assert [c.output for c in scene.corners] == [0, 1, 1, 2]
    assert all("±" in corner.text and "±" not in corner.short for corner in scene.corners)


def test_a_corner_with_room_around_it_shows_its_error():
    figure = plot_response(fitted("low-pass", "magnitude", 0.02))
    assert [note.get_text() for note in figure.axes[0].texts if "±" in note.get_text()]


def test_missing_values_stay_missing_and_wrong_leds_are_marked():
    data = cc.simulate(cc.LowPass(200.0), cc.log_grid(60, 10.0, 1e5), "led")
    values = data.values.clone()
    values[5], values[3] = math.nan, 0.0  # one not seen, one seen dark deep in the pass band
    fit = cc.fit(cc.LowPass(500.0), cc.Measurements(data.f, "led", values))
    scene = scene_of(fit, 0)
    assert np.isnan(scene.observed.values[0]).nonzero()[0].tolist() == [5]
    assert wrong_leds(scene)[0].nonzero()[0].tolist() == [3]
    figure = plot_response(fit)
    crosses = [line for line in figure.axes[1].get_lines() if line.get_marker() == "x"]
    assert [line.get_xdata().tolist() for line in crosses] == [[data.f[3].item()]]
    assert any("than predicted: 1" in t.get_text() for t in figure.legends[1].get_texts())


def test_lit_is_filled_and_dark_is_hollow():
    figure = plot_response(THINGS["measured leds"]())
    for axes in figure.axes:
        lit, dark = (line for line in axes.get_lines() if line.get_marker() == "o")
        assert lit.get_markerfacecolor() != "white" and dark.get_markerfacecolor() == "white"
        assert lit.get_ydata()[0] > dark.get_ydata()[0]


def test_outputs_differ_in_colour_and_in_line():
    curves = [line for line in figure_lines(plot_response(THINGS["organ led"]()).axes[0]) if line.get_linewidth() > 2]
    assert len(curves) == 3
    assert len({line.get_color() for line in curves}) == len({str(line._dash_pattern) for line in curves}) == 3


def test_a_fit_read_back_shows_its_circuit_and_its_values(tmp_path):
    fit = fitted("low-pass", "magnitude", 0.02)
    fit.save(tmp_path / "fit.json")
    saved = scene_of(load_fit(tmp_path / "fit.json"), 0)
    assert saved.corners == scene_of(fit, 0).corners
    assert saved.notes == scene_of(fit, 0).notes


def test_a_fit_that_ran_away_is_still_drawn():
    fit = cc.fit(cc.HighPass(500.0), cc.simulate(cc.LowPass(200.0), GRID, "response"))
    assert len(plot_response(fit).axes) == 4


@pytest.mark.parametrize(("suffix", "signature"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_pictures_are_written_whole_and_the_same_each_time(suffix, signature, tmp_path):
    thing = THINGS["circuit"]()
    plot_response(thing, tmp_path / f"a.{suffix}")
    plot_response(thing, tmp_path / f"b.{suffix}")
    first, second = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in "ab")
    assert first.startswith(signature) and first == second
    assert len(list(tmp_path.iterdir())) == 2


def test_a_picture_is_900_pixels_wide_at_half_size_and_shows_itself():
    png = plot_response(THINGS["a single point"]())._repr_png_()
    assert int.from_bytes(png[16:20], "big") == 1800


def test_no_pyplot_and_no_setting_is_left_behind():
    before = dict(matplotlib.rcParams)
    loaded = "matplotlib.pyplot" in sys.modules
    plot_response(THINGS["circuit"]())
    assert dict(matplotlib.rcParams) == before
    assert ("matplotlib.pyplot" in sys.modules) == loaded


BAD = {
    "something else": (lambda folder: plot_response(3.0), OptionError, "cannot draw a response of float"),
    "a fit of a module": (
        lambda folder: plot_response(cc.fit(torch.nn.Linear(1, 1), (torch.rand(9, 1), torch.rand(9, 1)))),
        OptionError,
        "a fit of a Linear",
    ),
    "no such board": (lambda folder: plot_response(cc.LowPass([1.0, 2.0]), board=2), OptionError, "expected 0 to 1"),
    "an unknown ending": (lambda folder: plot_response(cc.LowPass(1.0), folder / "a.gif"), OptionError, ".png, .svg"),
    "no such folder": (lambda folder: plot_response(cc.LowPass(1.0), folder / "no/a.png"), DataError, "cannot write"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case, tmp_path):
    call, error, said = BAD[case]
    with pytest.raises(error, match=said):
        call(tmp_path)
