import re
import subprocess
import sys
import warnings
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

import circuits as cc
from circuits.catalogue import CATALOGUE, make
from circuits.component import OHM
from circuits.errors import DataError, OptionError
from circuits.views import style
from circuits.views.schematics import Schematic, draw_schematic, plans
from circuits.views.schematics.sheet import UNIT, Part, Sheet, width_of

SVG = "{http://www.w3.org/2000/svg}"
LEARNED = "fill:#d6e8f5"
BOARDS = {
    "low-pass": lambda: cc.LowPass(500.0),
    "high-pass": lambda: cc.HighPass("4k7", "100n"),
    "band-pass": lambda: cc.BandPass(39.789, 159.155),
    "loaded-band-pass": lambda: cc.LoadedBandPass(39.789, 159.155),
    "bode": lambda: cc.Bode(10.0, poles=[1e3, 5e3, 123456.0], zeros=[20.0], high_pass=[1.5]),
    "bode-band-pass": lambda: cc.BodeBandPass(4e3, 1e3),
    "color-organ": lambda: cc.ColorOrgan(198.944, (39.789, 159.155), 31.831),
    "organ of models": lambda: cc.ColorOrgan(
        low=cc.Bode(1.0, [800.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
        band=cc.LoadedBandPass(123.456e3, 987.654e3, 123.4e-9, 567.8e-12),
        high=cc.HighPass(31.831),
    ),
}
boards = pytest.mark.parametrize("name", BOARDS)


def words(svg):
    """Every text with its box (left, top, right, bottom) in points."""
    found = []
    for element in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        text, size = "".join(element.itertext()), float(element.get("font-size"))
        x, y = float(element.get("x", element[0].get("x"))), float(element.get("y"))
        width = width_of(text, size) * UNIT
        left = x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[element.get("text-anchor")]
        found.append((text, (left, y, left + width, y + size)))
    return found


def texts(circuit, **options):
    return [text for text, _ in words(draw_schematic(circuit, **options).svg)]


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_component_is_there_once_with_value_and_unit(name):
    circuit = make(name)
    shown = [text.split(" = ") for text in texts(circuit) if " = " in text]
    assert sorted(part[0] for part in shown) == sorted(circuit.units())
    for component, value in shown:
        assert value.endswith(circuit.units()[component])


def test_values_are_written_as_engineers_do():
    shown = texts(cc.HighPass("4k7", "100n"))
    assert {"R = 4.7 kΩ", "C = 100 nF", "in", "out", "HighPass"} <= set(shown)


@boards
def test_no_words_overlap_and_none_leave_the_paper(name):
    svg = draw_schematic(BOARDS[name]()).svg
    left, top, width, height = map(float, ElementTree.fromstring(svg).get("viewBox").split())
    placed = words(svg)
    for text, (x0, y0, x1, y1) in placed:
        assert left < x0 and x1 < left + width and top < y0 and y1 < top + height, text
    for (one, a), (other, b) in combinations(placed, 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] + 1 or b[3] <= a[1] + 1
        assert apart, (one, other)


@boards
def test_nothing_is_cut_off(name, tmp_path):
    path = tmp_path / "schematic.png"
    draw_schematic(BOARDS[name](), path)
    picture = np.asarray(Image.open(path).convert("RGB"))
    edges = (picture[:3], picture[-3:], picture[:, :3], picture[:, -3:])
    assert (picture < 255).any() and all((edge == 255).all() for edge in edges)


@boards
def test_what_may_be_learned_looks_different_from_what_is_held(name):
    circuit = BOARDS[name]()
    learned = [p.requires_grad for p in circuit.parameters()]
    svg = draw_schematic(circuit).svg
    legend = {"learned by a fit": True in learned, "held fixed": False in learned}
    assert {text: text in svg for text in legend} == legend
    assert svg.count(LEARNED) == sum(learned) + (True in learned)
    assert svg.count("stroke-dasharray") == len(learned) - sum(learned) + (False in learned)


def test_a_freed_capacitor_is_marked_as_learned():
    circuit = cc.LowPass(500.0)
    before = draw_schematic(circuit).svg.count(LEARNED)
    circuit.C.requires_grad_()
    after = draw_schematic(circuit).svg
    assert after.count(LEARNED) == before + 1 and "held fixed" not in after


class Notes(Sheet):
    """A sheet that writes down what stands and what lies in the way of the signal."""

    def __init__(self):
        super().__init__()
        self.noted = []

    def _note(self, kind, start, end, part):
        self.noted.append(f"{part.text}: {kind} {'to ground' if start[0] == end[0] else 'in the way'}")

    def resistor(self, start, end, part):
        self._note("resistor", start, end, part)

    def capacitor(self, start, end, part):
        self._note("capacitor", start, end, part)

    def buffer(self, start):
        self.noted.append("buffer")
        return super().buffer(start)


LOW, HIGH = ["R: resistor in the way", "C: capacitor to ground"], ["C: capacitor in the way", "R: resistor to ground"]
FIRST = ["R_low: resistor in the way", "C_low: capacitor to ground"]
SECOND = ["C_high: capacitor in the way", "R_high: resistor to ground"]
TOPOLOGY = {
    cc.LowPass: LOW,
    cc.HighPass: HIGH,
    cc.BandPass: [*FIRST, "buffer", *SECOND],
    cc.LoadedBandPass: [*FIRST, *SECOND],
}


@pytest.mark.parametrize("kind", TOPOLOGY, ids=lambda kind: kind.__name__)
def test_parts_stand_where_the_transfer_function_has_them(kind):
    sheet = Notes()
    end = plans.PLANS[kind](sheet, (0.0, 0.0), {name: Part(name, True) for name in kind.components})
    assert sheet.noted == TOPOLOGY[kind]
    assert end[0] > 0 and end[1] == 0


def test_the_color_organ_has_three_channels_with_corners_comparators_and_lamps():
    svg = draw_schematic(BOARDS["color-organ"]()).svg
    shown = [text for text, _ in words(svg)]
    captions = ["low: cutoff 800 Hz", "band: low_pass 4 kHz, high_pass 1 kHz", "high: cutoff 5 kHz"]
    assert [text for text in shown if "cutoff" in text or "_pass" in text] == captions
    assert shown.count("> 1/√2 ?") == 3 and shown.count("in") == 1 and shown.count("buffer") == 1
    assert [text for text in shown if text.startswith("LED")] == [
        "LED low (orange)",
        "LED band (green)",
        "LED high (blue)",
    ]
    for k in range(3):
        assert f"fill:{style.colour(k).lower()}" in svg


def test_a_straight_line_model_is_a_box_that_says_it_has_no_parts():
    shown = texts(cc.BodeBandPass(4e3, 1e3))
    assert {"f_low = 4 kHz", "f_high = 1 kHz", "straight-line Bode model", "(a formula, no parts)"} <= set(shown)


def test_one_board_of_a_batch():
    circuit = cc.BandPass([[100.0], [200.0]], 50.0, C_low=[1e-6, 2e-6, 3e-6])
    shown = texts(circuit, board=4)  # row 1, column 1
    assert {"R_low = 200 Ω", "R_high = 50 Ω", "C_low = 2 µF", "C_high = 1 µF", "BandPass, board 4"} <= set(shown)


def test_the_organ_of_a_batch_shows_the_corners_of_its_board():
    organ = cc.ColorOrgan(low=[100.0, 200.0], band=(40.0, 160.0), high=32.0)
    assert {"low.R = 200 Ω", "low: cutoff 795.8 Hz", "high: cutoff 4.974 kHz"} <= set(texts(organ, board=1))


def test_the_text_is_the_same_each_time_and_in_another_process():
    code = "import circuits as cc; print(cc.draw_schematic(cc.ColorOrgan(200.0, (40.0, 160.0), 32.0)).svg, end='')"
    other = subprocess.run([sys.executable, "-X", "utf8", "-c", code], capture_output=True, check=True).stdout
    organ = cc.ColorOrgan(200.0, (40.0, 160.0), 32.0)
    first, second = draw_schematic(organ).svg, draw_schematic(organ).svg
    assert other.decode() == first == second
    assert not re.search(r'\bid="|date|\d{4}-\d\d', first)


def test_words_are_text_in_a_font_with_something_to_fall_back_on():
    svg = draw_schematic(cc.LowPass(500.0)).svg
    fonts = {element.get("font-family") for element in ElementTree.fromstring(svg).iter(f"{SVG}text")}
    assert fonts == {"'DejaVu Sans', Verdana, sans-serif"}


@pytest.mark.parametrize("format", {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF"}.items(), ids=lambda f: f[0])
def test_pictures_are_written(format, tmp_path):
    ending, signature = format
    path = tmp_path / f"organ.{ending.upper()}"
    draw_schematic(BOARDS["color-organ"](), path)
    assert path.read_bytes().startswith(signature)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    if ending != "png":
        assert path.read_bytes() == draw_schematic(BOARDS["color-organ"]()).render(ending)


def test_no_window_no_setting_and_no_warning_is_left_behind():
    import matplotlib
    from matplotlib import pyplot
    from schemdraw.backends import svg as backend

    before, mode = dict(matplotlib.rcParams), backend.config.text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = draw_schematic(cc.LowPass(500.0))
        drawing.render("png"), drawing.render("pdf"), drawing.svg
    assert pyplot.get_fignums() == []
    assert dict(matplotlib.rcParams) == before and backend.config.text == mode


def test_a_notebook_shows_the_picture():
    drawing = draw_schematic(cc.LowPass(500.0))
    assert drawing._repr_svg_() == drawing.svg
    assert drawing._repr_mimebundle_() == {"image/svg+xml": drawing.svg, "text/plain": repr(drawing)}
    assert len(repr(drawing)) < 80 and isinstance(drawing, Schematic)


def test_the_circuit_is_left_as_it_was():
    circuit = BOARDS["color-organ"]()
    before = {name: (p, p.clone(), p.requires_grad) for name, p in circuit.named_parameters()}
    draw_schematic(circuit)
    for name, p in circuit.named_parameters():
        own, value, learns = before[name]
        assert p is own and torch.equal(p, value) and p.requires_grad == learns and p.grad is None


class Divider(cc.Circuit):
    components = {"R_top": OHM, "R_bottom": OHM}

    def transfer(self, f):
        return torch.complex(self.R_bottom / (self.R_top + self.R_bottom) + 0 * f, 0 * f)


def divider(sheet, start, parts):
    node = (start[0] + 3.0, start[1])
    sheet.resistor(start, node, parts["R_top"])
    sheet.resistor(node, (node[0], node[1] - 2.3), parts["R_bottom"])
    sheet.ground((node[0], node[1] - 2.3))
    return node


def test_a_new_circuit_brings_its_own_plan(monkeypatch):
    circuit = Divider({"R_top": 1e3, "R_bottom": "3k"})
    with pytest.raises(
        OptionError, match="no plan to draw a Divider by; .*circuits.views.schematics.PLANS; draw_graph"
    ):
        draw_schematic(circuit)
    monkeypatch.setitem(plans.PLANS, Divider, divider)
    assert {"R_top = 1 kΩ", "R_bottom = 3 kΩ", "in", "out"} <= set(texts(circuit))
    assert "band.R_top = 1 kΩ" in texts(cc.ColorOrgan(200.0, circuit, 32.0))


class Doubled(cc.LowPass):
    def transfer(self, f):
        return 2 * super().transfer(f)


BAD = {
    "no circuit": (
        lambda path: draw_schematic(torch.nn.ReLU()),
        OptionError,
        "a schematic of ReLU; expected a circuit",
    ),
    "a subclass": (lambda path: draw_schematic(Doubled(500.0)), OptionError, "no plan to draw a Doubled by"),
    "a part of an organ": (
        lambda path: draw_schematic(cc.ColorOrgan(Doubled(500.0), (1.0, 2.0), 3.0)),
        OptionError,
        "no plan to draw a Doubled by",
    ),
    "a board too many": (lambda path: draw_schematic(cc.LowPass([1.0, 2.0]), board=2), OptionError, "no board 2"),
    "a negative board": (lambda path: draw_schematic(cc.LowPass(1.0), board=-1), OptionError, "expected 0 to 0"),
    "an unknown ending": (
        lambda path: draw_schematic(cc.LowPass(1.0), path / "a.gif"),
        OptionError,
        ".png, .svg, .pdf",
    ),
    "an unknown format": (lambda path: draw_schematic(cc.LowPass(1.0)).render("gif"), OptionError, "must end in .png"),
    "no folder": (lambda path: draw_schematic(cc.LowPass(1.0), path / "no" / "a.svg"), DataError, "cannot write"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case, tmp_path):
    call, error, said = BAD[case]
    with pytest.raises(error, match=re.escape(said)):
        call(tmp_path)
    assert list(tmp_path.iterdir()) == []
