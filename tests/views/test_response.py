import math
import sys

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Annotation

import circuits as cc
from circuits.errors import DataError, OptionError
from circuits.fitting import load_fit
from circuits.views import plot_response, style
from circuits.views.led_panels import wrong_leds
from circuits.views.scene import Corner, scene_of
from circuits.views.style import label_places, shade_band

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


def bands(axes):
    """What is shaded: (f, lower end, upper end) of each band with a known height."""
    found = []
    for band in axes.collections:
        if isinstance(band, PolyCollection) and band.get_label() != "_not determined" and band.get_hatch() is None:
            for path in band.get_paths():
                f, y = path.vertices.T
                at = np.unique(f)
                found.append((at, *(np.array([pick(y[f == one]) for one in at]) for pick in (np.min, np.max))))
    return found


@pytest.mark.parametrize("coordinates", ["log", "linear"])
def test_the_band_is_one_standard_error_high(coordinates):
    fit = fitted("low-pass", "magnitude", 0.05, f=cc.log_grid(12, 10.0, 1e5), coordinates=coordinates)
    figure = plot_response(fit)
    ((f, low, high),) = bands(figure.axes[0])
    R, sigma = fit.values["R"].item(), fit.errors["R"].item()
    x = 2 * np.pi * f * R * 1e-6
    error = sigma / R * x**2 * (1 + x**2) ** -1.5  # |dH/dR|·σ, by hand
    middle = (1 + x**2) ** -0.5
    np.testing.assert_allclose(high - middle, error, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(middle - low, error, rtol=1e-6, atol=1e-12)
    assert "one standard error of the fitted curve" in row_texts(figure)


def row_texts(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_the_band_of_a_complex_response_is_in_decibels_and_degrees():
    fit = fitted("low-pass", "response", 0.05, f=cc.log_grid(12, 10.0, 1e5))
    figure = plot_response(fit)
    R, relative = fit.values["R"].item(), fit.errors["R"].item() / fit.values["R"].item()
    for axes, height in (
        (figure.axes[0], lambda x: 20 / math.log(10) * x**2 / (1 + x**2)),
        (figure.axes[2], lambda x: np.degrees(x / (1 + x**2))),
    ):
        ((f, low, high),) = bands(axes)
        expected = relative * height(2 * np.pi * f * R * 1e-6)
        np.testing.assert_allclose((high - low) / 2, expected, rtol=1e-6, atol=1e-9)


def test_each_output_and_each_board_has_its_own_band():
    organ = plot_response(fitted("organ", "magnitude", 0.05))
    assert len(bands(organ.axes[0])) == 3
    fit = fitted("boards", "magnitude", 0.05)
    for board in (0, 2):
        ((f, low, high),) = bands(plot_response(fit, board=board).axes[0])
        R, sigma = fit.values["R"][board].item(), fit.errors["R"][board].item()
        x = 2 * np.pi * f * R * 1e-6
        np.testing.assert_allclose((high - low) / 2, sigma / R * x**2 * (1 + x**2) ** -1.5, rtol=1e-6, atol=1e-12)


def test_a_curve_may_be_known_although_its_values_are_not():
    board = cc.LowPass(500.0)
    board.C.requires_grad_()
    fit = cc.fit(board, cc.simulate(cc.LowPass(200.0), cc.log_grid(12, 10.0, 1e5), noise=0.05))
    figure = plot_response(fit)
    ((_, low, high),) = bands(figure.axes[0])
    assert math.isinf(fit.errors["R"]) and 0 < (high - low).max() < 0.1
    assert not any("hatched" in text for text in row_texts(figure))


def test_what_is_not_determined_is_hatched_and_said():
    data = cc.simulate(cc.ColorOrgan(**ORGAN), GRID)
    values = data.values.clone()
    values[1] = math.nan
    start = cc.ColorOrgan(500.0, (500.0, 500.0), 500.0)
    figure = plot_response(cc.fit(start, cc.Measurements(GRID, "magnitude", values, sigma=0.02, outputs=data.outputs)))
    hatched = [band for band in figure.axes[0].collections if band.get_hatch()]
    assert len(hatched) == 1 and figure.axes[0].get_ylim()[1] < 1.5
    assert len(bands(figure.axes[0])) == 2
    assert "hatched: the data do not determine this curve" in row_texts(figure)
    laid_out(figure)


def test_leds_show_threshold_corners_start_and_band():
    fit = fitted("organ", "led", f=cc.tones(100))
    figure = plot_response(fit)
    axes = figure.axes[0]
    levels = [line.get_ydata()[0] for line in axes.get_lines() if list(line.get_xdata()) == [0, 1]]
    assert levels == [pytest.approx(1 / math.sqrt(2))]
    upright = [line.get_xdata()[0] for line in axes.get_lines() if list(line.get_ydata()) == [0, 1]]
    assert sorted(upright) == pytest.approx(sorted(float(f) for f, _ in fit.cutoffs.values()))
    assert len(bands(axes)) == 3
    dashed = [line for line in figure_lines(axes) if line.is_dashed() and line.get_linewidth() == 1.3]
    expected = cc.ColorOrgan(500.0, (500.0, 500.0), 500.0)(torch.as_tensor(dashed[0].get_xdata())).detach()
    for line, curve in zip(dashed, expected, strict=True):
        np.testing.assert_allclose(line.get_ydata(), curve, rtol=1e-12)
    assert "where the fit began" in row_texts(figure)


def test_a_fit_read_back_has_no_data_and_no_band(tmp_path):
    fit = fitted("low-pass", "magnitude", 0.05)
    fit.save(tmp_path / "fit.json")
    figure = plot_response(load_fit(tmp_path / "fit.json"))
    assert bands(figure.axes[0]) == [] and len(figure.axes) == 2


def test_a_band_leaves_the_limits_and_the_gaps():
    axes = Figure().add_subplot()
    axes.plot([1, 4], [0, 1])
    limits = axes.get_xlim(), axes.get_ylim()
    shade_band(axes, [1, 2, 3, 4], [0.1, -math.inf, math.nan, 0.2], [0.3, math.inf, 9.0, 5.0], output=1, label="parts")
    assert (axes.get_xlim(), axes.get_ylim()) == limits
    assert [band.get_label() for band in axes.collections] == ["parts", "_not determined"]
    assert to_hex(axes.collections[0].get_facecolor()[0]) == style.colour(1).lower()


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


def test_impedances_say_that_they_are_ohms():
    cell = cc.read_netlist("cell\nR1 in mid 10\nC1 mid 0 1u\n", output="Z(in)", learn="*")
    f = cc.log_grid(20, 10.0, 1e5)
    impedance, size = (
        cc.Measurements(f, quantity, cell.predict(f, quantity).detach()) for quantity in ("response", "magnitude")
    )
    labels = [axes.get_ylabel() for axes in cc.plot_response(cell).axes]
    assert labels == ["magnitude (dB above 1 Ω)", "phase (°)"]
    assert cc.plot_response(cc.fit(cell, impedance)).axes[0].get_ylabel() == "magnitude (dB above 1 Ω)"
    assert cc.plot_response(cc.fit(cell, size)).axes[0].get_ylabel() == "magnitude (Ω)"
    assert cc.plot_response(cc.LowPass(R=1e3)).axes[0].get_ylabel() == "magnitude (dB)"
