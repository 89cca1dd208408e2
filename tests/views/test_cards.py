import math
import re
import sys

import numpy as np
import pytest
import torch

import circuits as cc
from circuits.component import OHM
from circuits.fitting import table as printed
from circuits.fitting.storage import load_fit
from circuits.notation import parse
from circuits.views.page import circuit_html, fit_html, measurements_html
from circuits.views.page.one_board import alone
from circuits.views.page.response_svg import HEIGHT, LEFT, RIGHT, WIDTH, Window, _range, _round_numbers, small_plot
from circuits.views.scene import scene_of
from html_reading import Reading, addresses, vectors

GRID = cc.log_grid(40, 10.0, 1e5)
ORGAN = {"low": 198.944, "band": (39.789, 159.155), "high": 31.831}
NAMESPACES = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def low_pass(noise=0.02, **options):
    return cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), GRID, "magnitude", noise), **options)


def organ():
    data = cc.simulate(cc.ColorOrgan(**ORGAN), cc.tones(1000), "led")
    return cc.fit(cc.ColorOrgan(500.0, (500.0, 500.0), 500.0), data)


def free():
    circuit = cc.LowPass(500.0)
    circuit.C.requires_grad_()
    return cc.fit(circuit, cc.simulate(cc.LowPass(200.0), GRID, "magnitude", 0.02))


def boards():
    truth = cc.LowPass(torch.linspace(100.0, 400.0, 20, dtype=torch.float64))
    return cc.fit(cc.LowPass([500.0] * 20), cc.simulate(truth, GRID, "magnitude", 0.02))


def module():
    torch.manual_seed(0)
    x = torch.randn(50, 2, dtype=torch.float64)
    return cc.fit(torch.nn.Linear(2, 3).double(), (x, x @ torch.randn(2, 3, dtype=torch.float64)))


def saved(tmp_path):
    low_pass().save(tmp_path / "fit.json")
    return load_fit(tmp_path / "fit.json")


CARDS = {
    "fit": lambda _: fit_html(low_pass()),
    "organ": lambda _: fit_html(organ()),
    "undetermined": lambda _: fit_html(free()),
    "boards": lambda _: fit_html(boards()),
    "module": lambda _: fit_html(module()),
    "saved": lambda tmp_path: fit_html(saved(tmp_path)),
    "circuit": lambda _: circuit_html(cc.ColorOrgan(**ORGAN)),
    "circuit of boards": lambda _: circuit_html(cc.LowPass([100.0, 200.0]), board=1),
    "straight lines": lambda _: circuit_html(cc.BodeBandPass(1e3, 4e3)),
    "leds": lambda _: measurements_html(cc.simulate(cc.ColorOrgan(**ORGAN), GRID, "led")),
    "response": lambda _: measurements_html(cc.simulate(cc.LowPass(200.0), GRID, "response", 0.01)),
    "a single point": lambda _: measurements_html(cc.Measurements([1e3], "phase", [-45.0])),
    "a board of gaps": lambda _: measurements_html(
        cc.Measurements([1e2, 1e3], "magnitude", [[math.nan] * 2, [0.9, 0.5]])
    ),
}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_whole_and_needs_nothing_from_outside(name, tmp_path):
    card = CARDS[name](tmp_path)
    page = Reading(card)
    assert card.startswith('<div class="ohmgrad-card')
    assert (page.open, page.stray) == ([], [])
    assert page.names & {"script", "link", "iframe", "object"} == set()
    assert addresses(card) <= NAMESPACES
    assert "nan" not in re.sub(r"base64,[^\"]*", "", card).lower().replace("ohmgrad-name", "")
    assert len(card) < 100_000


@pytest.mark.parametrize("make", [low_pass, organ, free, module])
def test_the_figures_are_those_of_the_printed_table(make):
    fit = make()
    page, text = Reading(fit_html(fit)), str(fit)
    head = printed.value_head(fit)
    assert page.table(head[0]) == [head, *printed.value_rows(fit)[: printed.MOST_ROWS]]
    if fit.cutoffs:
        assert page.table("corner") == [list(printed.CORNER_HEAD), *printed.corner_rows(fit)]
    for table in page.tables:
        assert all(cell in text for row in table for cell in row)
    assert all(line in page.text for line in printed.verdict(fit))


def test_a_batch_is_summed_up_and_its_first_boards_listed():
    fit = boards()
    page, text = Reading(fit_html(fit)), str(fit)
    assert all(cell in text for table in page.tables for row in table for cell in row)
    assert len(page.table("board")) == 1 + printed.MOST_ROWS
    assert "… and 8 more" in page.text
    assert "20 boards" in page.text and "20 of 20 boards converged" in page.text


@pytest.mark.parametrize("board", [0, 7])
def test_one_board_of_a_batch_is_told_as_if_it_had_been_fitted_alone(board):
    fit = boards()
    one = alone(fit, board)
    data = cc.Measurements(fit.data.f, "magnitude", fit.data.values[board], sigma=0.02)
    expected = cc.fit(cc.LowPass(500.0), data)
    assert float(one.values["R"]) == pytest.approx(float(expected.values["R"]), rel=1e-6)
    assert float(one.errors["R"]) == pytest.approx(float(expected.errors["R"]), rel=1e-4)
    assert printed.value_rows(one) == printed.value_rows(expected)
    assert printed.corner_rows(one) == printed.corner_rows(expected)
    assert one.misfit == expected.misfit and one.history is not None and one.history.loss.shape[1] == 1


def test_a_fit_in_doubt_is_marked():
    from circuits.fitting.stopping import Stop

    unfinished = low_pass(method=cc.GradientDescent(lr=1e-3), stop=Stop(steps=3))
    assert "ohmgrad-doubt" in fit_html(unfinished).partition(">")[0]
    assert "ohmgrad-doubt" not in fit_html(low_pass()).partition(">")[0]


def test_a_circuit_shows_values_roles_and_corners():
    page = Reading(circuit_html(cc.ColorOrgan(**ORGAN)))
    rows = page.table("component")
    assert ["band.R_high", "159.2 Ω", "learnable"] in rows
    assert ["high.C", "1 µF", "held fixed"] in rows
    assert ["low.cutoff", "800 Hz"] in page.table("corner")
    spread = Reading(circuit_html(cc.LowPass([100.0, 250.0]), board=1))
    assert ["R", "100 Ω … 250 Ω", "learnable"] in spread.table("component")
    assert "drawn is board 1" in spread.text


def test_measurements_say_what_they_are():
    data = cc.simulate(cc.LowPass(200.0), GRID, "led")
    values = data.values.clone()
    values[3] = math.nan
    page = Reading(measurements_html(cc.Measurements(data.f, "led", values, meta={"file": "bench.csv"})))
    facts = {row[0]: row[1] for table in page.tables for row in table}
    assert facts["frequencies"] == "40, 10 Hz to 100 kHz"
    assert facts["missing values"] == "1" and facts["file"] == "bench.csv"
    assert facts["lit"] == f"{int((values == 1).sum())} of 39 LEDs"


EVIL = "<img src=x onerror=alert(1)>\"'&</style></script>"


def evil_circuit():
    class Divider(cc.Circuit):
        components = {EVIL: OHM, "load": OHM}
        outputs = ()

        def transfer(self, f):
            above, load = self._boards(f)
            return torch.complex(load / (above + load) + 0 * f, 0 * f)

    Divider.__name__ = EVIL
    return Divider({EVIL: 1000.0, "load": 3000.0})


def test_no_name_can_become_an_element():
    circuit = evil_circuit()
    circuit._parameters["load"].requires_grad_(False)
    data = cc.Measurements(GRID, "magnitude", [0.7] * 40, meta={EVIL: EVIL, "file": EVIL}, understood=EVIL)
    organ = cc.Measurements([1e2, 1e3], "led", [[1, 0], [0, 1]], outputs=(EVIL, "b"))
    cards = [circuit_html(circuit), measurements_html(data), measurements_html(organ)]
    cards.append(fit_html(cc.fit(circuit, data)))
    for card in cards:
        page = Reading(card)
        assert card.startswith('<div class="ohmgrad-card')  # not the fallback, which is escaped as a whole
        assert (page.open, page.stray) == ([], [])
        assert "script" not in page.names
        assert not any("onerror" in attributes for _, attributes in page.elements)
        assert all(image["src"].startswith("data:") for image in page.named("img"))
    assert EVIL in Reading(cards[0]).table("component")[1][0]


def test_what_cannot_be_drawn_is_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "circuits.views.schematics", None)  # as if it could not be imported
    card = circuit_html(cc.LowPass(200.0))
    assert vectors(card) == [] and "<svg" in card and "200 Ω" in card
    monkeypatch.setattr("circuits.views.page.cards.small_plot", lambda scene: 1 / 0)
    card = circuit_html(cc.LowPass(200.0))
    assert "<svg" not in card and "200 Ω" in card


def test_a_display_that_fails_is_the_printed_text():
    class Broken:
        def __str__(self):
            return "a < b"

    class Worse:
        def __repr__(self):
            raise RuntimeError

    assert fit_html(Broken()) == "<pre>a &lt; b</pre>"
    assert circuit_html(Worse()) == "<pre>Worse</pre>"
    assert measurements_html(None) == "<pre>None</pre>"


def test_schematic_is_an_image_of_its_own():
    pytest.importorskip("schemdraw")
    images = vectors(circuit_html(cc.LowPass(200.0)))
    assert len(images) == 1 and "200" in images[0]


# the small plot


@pytest.mark.parametrize("make", [low_pass, organ, boards])
def test_the_small_plot_is_small(make):
    assert len(small_plot(scene_of(make(), 0)).encode()) <= 40_000


def path_points(path):
    return np.array([[float(part) for part in pair.split()] for pair in re.findall(r"[ML]([-\d.]+ [-\d.]+)", path)])


def labels(plot):
    """Where the numbers of the two axes stand: pixels by value, of the levels and of the frequencies."""
    found = re.findall(r'<text x="([-\d.]+)" y="([-\d.]+)" text-anchor="(\w+)">([^<]+)</text>', plot)
    levels = {float(text.replace("−", "-")): float(y) - 4 for _, y, anchor, text in found if anchor == "end"}
    hertz = {parse(text): float(x) for x, _, anchor, text in found if anchor == "middle" and text.endswith("Hz")}
    return levels, hertz


def between(places, value):
    """The pixel of a value on an axis whose ends are labelled so."""
    (a, low), (b, high) = min(places.items()), max(places.items())
    return low + (value - a) / (b - a) * (high - low)


def test_the_curve_of_the_small_plot_agrees_with_its_axes():
    plot = small_plot(scene_of(cc.LowPass(198.9437, 1e-6), 0))  # 800 Hz
    levels, hertz = labels(plot)
    x = between({math.log(f): place for f, place in hertz.items()}, math.log(800.0)) - LEFT
    y = between(levels, -3.0103) - 8.0
    paths = [a["d"] for a in Reading(plot).named("path") if a.get("fill") == "none"]
    points = path_points(max(paths, key=len))
    assert np.interp(x, points[:, 0], points[:, 1]) == pytest.approx(y, abs=0.4)
    assert points[0, 0] == 0.0 and points[-1, 0] == pytest.approx(WIDTH - LEFT - RIGHT, abs=0.1)
    assert points[:, 1].min() >= 0.0 and points[:, 1].max() <= HEIGHT - 8.0  # nothing of it is cut off
    (corner,) = [float(d[1:].partition(" ")[0]) for d in re.findall(r'd="(M[\d.]+ 0v\d+)"', plot)]
    assert corner == pytest.approx(x, abs=0.2)


def test_every_measured_point_has_its_mark():
    data = cc.Measurements([1e2, 1e3, 1e4], "decibels", [0.0, -3.0, -20.0])
    scene = scene_of(data, 0)
    plot = Reading(small_plot(scene))
    marks = next(a["d"] for a in plot.named("path") if a.get("stroke-linecap") == "round")
    points = path_points(marks)
    window = Window(8.0, HEIGHT - 8.0, (80.0, 12500.0), _range(scene))
    np.testing.assert_allclose(points[:, 0], window.across([1e2, 1e3, 1e4]), atol=0.51)
    np.testing.assert_allclose(points[:, 1], window.down([0.0, -3.0, -20.0]), atol=0.06)


def test_lit_and_dark_stand_apart_and_predicted_light_is_a_band():
    fit = cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), GRID, "led"))
    scene = scene_of(fit, 0)
    plot = Reading(small_plot(scene))
    marks = [path_points(a["d"]) for a in plot.named("path") if a.get("stroke-linecap") == "round"]
    lit, dark = marks[0], marks[1]
    assert set(lit[:, 1]) == {6.5} and set(dark[:, 1]) == {13.5}
    assert lit[:, 0].max() < dark[:, 0].min()
    (band,) = plot.named("rect")
    assert lit[:, 0].max() <= float(band["x"]) + float(band["width"]) <= dark[:, 0].min()


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-61.3, 2.0), (1e-9, 3e-9), (-180.0, 0.0), (99.0, 101.0)])
def test_ticks_are_few_round_and_inside(low, high):
    ticks = _round_numbers(low, high)
    assert 2 <= len(ticks) <= 6
    assert all(low <= tick <= high for tick in ticks)
