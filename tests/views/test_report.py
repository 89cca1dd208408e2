import base64
import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import circuits as cc
from circuits.component import OHM
from circuits.errors import DataError, GraphvizMissing, OptionError
from circuits.fitting import table as printed
from circuits.fitting.storage import load_fit
from circuits.views.page import write_report
from circuits.views.page.palette import CLEAR, Palette, webp
from circuits.views.page.player import DOTS_PER_INCH
from circuits.views.page.reel import evenly, record
from circuits.views.page.sections import pairs
from circuits.views.playback import Film, Stage
from html_reading import Reading, addresses, decoded, rasters, vectors

pytestmark = pytest.mark.filterwarnings("error")
GRID = cc.log_grid(40, 10.0, 1e5)
LARGEST = 3_000_000
NAMESPACES = {
    "http://www.w3.org/2000/svg",
    "http://www.w3.org/1999/xlink",
    "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd",
}


def low_pass(**options):
    return cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), GRID, "magnitude", 0.02), **options)


COARSE = 40.0
"""Dots per inch of a replay that is drawn in a fraction of the time, where nothing depends on its size."""


def written(fit, folder, dpi=COARSE, **options):
    path = folder / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("circuits.views.page.player.DOTS_PER_INCH", dpi)
        write_report(fit, path, **options)
    return path.read_text("utf-8")


def reel_of(page):
    return json.loads(re.search(r'<script id="reel" type="application/json">(.*?)</script>', page, re.DOTALL)[1])


@pytest.fixture(scope="module")
def organ():
    truth = cc.ColorOrgan(low=198.944, band=(39.789, 159.155), high=31.831)
    return cc.fit(cc.ColorOrgan(500.0, (500.0, 500.0), 500.0), cc.simulate(truth, cc.tones(1000), "led"))


@pytest.fixture(scope="module")
def organ_page(organ, tmp_path_factory):
    return written(organ, tmp_path_factory.mktemp("organ"), DOTS_PER_INCH)


@pytest.fixture(scope="module")
def plain_fit():
    return low_pass()


@pytest.fixture(scope="module")
def plain_page(plain_fit, tmp_path_factory):
    return written(plain_fit, tmp_path_factory.mktemp("plain"))


pages = pytest.mark.parametrize("name", ["organ_page", "plain_page"])


@pages
def test_the_page_is_whole(name, request):
    page = request.getfixturevalue(name)
    reading = Reading(page)
    assert page.startswith("<!DOCTYPE html>")
    assert (reading.open, reading.stray) == ([], [])
    assert reading.named("html") == [{"lang": "en"}]
    assert {"charset": "utf-8"} in reading.named("meta")
    assert any(meta.get("name") == "viewport" for meta in reading.named("meta"))
    assert {"title", "h1", "h2", "canvas", "noscript"} <= reading.names
    assert "@media print" in reading.raw["style"][0]
    identities = [attributes["id"] for _, attributes in reading.elements if "id" in attributes]
    assert len(identities) == len(set(identities))
    assert {link["href"].removeprefix("#") for link in reading.named("a")} <= set(identities)
    pictures = reading.named("img")
    assert all(picture["src"].startswith("data:image/") and "alt" in picture for picture in pictures)
    assert sum(picture["alt"] == "" for picture in pictures) == 2  # the backgrounds of the two still pictures


@pages
def test_every_part_is_there(name, request):
    reading = Reading(request.getfixturevalue(name))
    parts = [section["id"] for section in reading.named("section")]
    assert parts == ["result", "schematic", "response", "replay", "loss", "pull", "history", "known", "graph", "data"]
    assert "Not shown" not in reading.text


@pages
def test_nothing_comes_from_a_network(name, request):
    page = request.getfixturevalue(name)
    reading = Reading(page)
    assert addresses(page) <= NAMESPACES
    assert reading.names & {"link", "iframe", "object", "embed", "form", "base"} == set()
    assert not any(key.startswith("on") or key == "style" for _, attributes in reading.elements for key in attributes)
    (policy,) = [meta["content"] for meta in reading.named("meta") if "http-equiv" in meta]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    for kind in ("style", "script"):  # the one code that may run is the one that is there
        content = reading.raw[kind][-1].encode()
        assert rules[f"{kind}-src"] == f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"


@pages
def test_the_page_is_small_enough_to_send(name, request):
    assert len(request.getfixturevalue(name).encode()) < LARGEST


def test_figures_are_those_of_the_printed_table(organ, organ_page):
    reading, text = Reading(organ_page), str(organ)
    assert reading.table("component") == [printed.value_head(organ), *printed.value_rows(organ)]
    assert reading.table("corner") == [list(printed.CORNER_HEAD), *printed.corner_rows(organ)]
    assert all(line in reading.text for line in text.splitlines()[-2:])
    assert organ.data.describe().split(",")[1].strip().split(" to ")[0] in reading.text


def test_correlations_are_those_of_the_fit(organ, organ_page):
    rows = Reading(organ_page).table("")
    assert tuple(rows[0][1:]) == organ.names
    numbers = [[float(cell.replace("−", "-")) for cell in row[1:]] for row in rows[1:]]
    np.testing.assert_allclose(numbers, organ.correlation, atol=6e-4)


def test_every_picture_decodes_and_is_no_blank(organ_page):
    found = rasters(organ_page)
    assert len(found) >= 4
    for picture in found:
        assert len(np.unique(np.asarray(picture.convert("RGBA")).view(np.uint32))) > 3
    drawn = vectors(organ_page)
    assert "band.R_high" in "".join(drawn) and len(drawn) == 2  # schematic and graph


# the replay


def layered(still, overlay):
    return np.asarray(Image.alpha_composite(still.convert("RGBA"), overlay.convert("RGBA")).convert("RGB"))


@pages
def test_the_pictures_of_the_replay_differ(name, request):
    reel = reel_of(request.getfixturevalue(name))
    still = decoded(reel["still"])
    assert len(reel["steps"]) == len(reel["captions"]) == len(reel["overlays"]) <= 100
    shown = [layered(still, decoded(overlay)) for overlay in reel["overlays"]]
    assert all((a != b).any() for a, b in zip(shown, shown[1:], strict=False))


def test_the_pictures_of_the_replay_are_those_of_the_steps(plain_fit, plain_page):
    reel = reel_of(plain_page)
    film = Film(plain_fit)
    stage = Stage(film, dpi=COARSE)
    assert reel["steps"] == film.keys.tolist()
    assert reel["captions"] == [film.caption(step) for step in reel["steps"]]
    still = decoded(reel["still"])
    errors = np.zeros((len(reel["steps"]),) * 2)
    for i, overlay in enumerate(reel["overlays"]):
        shown = layered(still, decoded(overlay)).astype(float)
        for k, step in enumerate(reel["steps"]):
            errors[i, k] = abs(shown - stage.picture(step)[..., :3]).mean()
    assert errors.diagonal().max() < 1.0  # of 255: what a palette costs
    assert (errors.argmin(1) == np.arange(len(errors))).all()


def test_a_hundred_thousand_steps_are_a_hundred_pictures(tmp_path):
    fit = low_pass(method=cc.GradientDescent(lr=1.0), stop=cc.Stop(steps=60))
    walk = fit.history
    pick = torch.linspace(0, len(walk) - 1, 100_001).long()
    stretched = replace(walk, values=walk.values[pick], loss=walk.loss[pick], gradient=walk.gradient[pick], walks=())
    fit.__dict__["history"] = stretched
    page = written(fit, tmp_path, DOTS_PER_INCH)
    reel = reel_of(page)
    assert 20 < len(reel["steps"]) <= 100 and reel["steps"][0] == 0 and reel["steps"][-1] == 100_000
    assert len(page.encode()) < LARGEST


def test_the_first_and_the_last_picture_are_there_without_scripts(plain_page):
    reel = reel_of(plain_page)
    inside = re.search(r"<noscript>(.*?)</noscript>", plain_page, re.DOTALL)[1]
    sources = [picture["src"].partition("base64,")[2] for picture in Reading(inside).named("img")]
    assert sources == [reel["still"], reel["overlays"][0], reel["still"], reel["overlays"][-1]]


# the same bytes, and the same file


def test_the_same_fit_gives_the_same_bytes(plain_fit, plain_page, tmp_path):
    assert written(plain_fit, tmp_path) == plain_page


def test_a_file_that_is_there_is_replaced_whole(plain_fit, tmp_path):
    path = tmp_path / "old.HTM"
    path.write_text("old")
    write_report(plain_fit, str(path))
    assert path.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert list(tmp_path.iterdir()) == [path]


# what is not there


def test_a_fit_without_history_says_so(tmp_path):
    page = written(low_pass(history=False), tmp_path)
    reading = Reading(page)
    assert "history=True" in reading.text
    assert "canvas" not in reading.names and reading.raw["script"] == []
    assert reading.table("component")[1][0] == "R"


def test_a_saved_fit_shows_what_is_possible(plain_fit, tmp_path):
    plain_fit.save(tmp_path / "fit.json")
    reading = Reading(written(load_fit(tmp_path / "fit.json"), tmp_path))
    parts = [section["id"] for section in reading.named("section")]
    assert {"result", "schematic", "response", "history", "known", "graph"} <= set(parts)
    assert "replay" not in parts and "does not hold what was measured" in reading.text
    assert reading.table("component")[1:] == printed.value_rows(plain_fit)


def test_one_board_of_a_batch(tmp_path):
    truth = cc.LowPass([150.0, 200.0, 300.0])
    fit = cc.fit(cc.LowPass([500.0] * 3), cc.simulate(truth, GRID, "magnitude", 0.001))
    reading = Reading(written(fit, tmp_path, board=2))
    assert "board 2 of 3" in reading.text
    assert reading.table("component")[1][1].startswith("30") or reading.table("component")[1][1].startswith("299.")
    assert "R = 30" in reel_of((tmp_path / "report.html").read_text("utf-8"))["captions"][-1] or "299." in reading.text
    with pytest.raises(OptionError, match="no board 3; expected 0 to 2"):
        write_report(fit, tmp_path / "report.html", board=3)


def test_a_plain_module(tmp_path):
    torch.manual_seed(0)
    x = torch.randn(50, 2, dtype=torch.float64)
    fit = cc.fit(torch.nn.Linear(2, 3).double(), (x, x @ torch.randn(2, 3, dtype=torch.float64)))
    reading = Reading(written(fit, tmp_path))
    assert reading.table("parameter")[1:] == printed.value_rows(fit)
    assert {"schematic", "response", "graph"} & {section["id"] for section in reading.named("section")} == set()


def test_without_graphviz_the_graph_is_a_sentence(plain_fit, tmp_path, monkeypatch):
    def missing(dot, format):
        raise GraphvizMissing("Graphviz's program `dot` is not installed")

    monkeypatch.setattr("circuits.views.graphs.graphviz_program.render", missing)
    page = written(plain_fit, tmp_path)
    assert "Not shown: Graphviz&#x27;s program `dot` is not installed." in page
    assert len(vectors(page)) == 1


def test_doubts_stand_at_the_top(tmp_path):
    circuit = cc.LowPass(500.0)
    circuit.C.requires_grad_()
    fit = cc.fit(circuit, cc.simulate(cc.LowPass(200.0), GRID), history=False)
    page = written(fit, tmp_path)
    assert "These data do not determine every component." in Reading(page.partition("<main>")[0]).text
    assert 'class="doubt"' not in written(low_pass(history=False), tmp_path)


EVIL = "</script></style><img src=x onerror=alert(1)><b>"


def test_no_text_can_become_an_element(tmp_path):
    class Strange(cc.Circuit):
        components = {EVIL: OHM, "load": OHM}

        def transfer(self, f):
            above, load = self._boards(f)
            return torch.complex(load / (above + load) + 0 * f, 0 * f)

    Strange.__name__ = EVIL
    data = cc.Measurements(GRID, "magnitude", [0.7] * 40, meta={EVIL: EVIL}, understood=EVIL)
    page = written(cc.fit(Strange({EVIL: 1000.0, "load": 3000.0}), data, fixed=["load"]), tmp_path)
    reading = Reading(page)
    assert (reading.open, reading.stray) == ([], [])
    assert len(reading.named("script")) == 2 and "b" not in reading.names
    assert not any("onerror" in attributes for _, attributes in reading.elements)
    assert EVIL in reel_of(page)["captions"][0]


# bad input


@pytest.mark.parametrize("name", ["report.pdf", "report", ".html/x.svg"])
def test_another_ending(plain_fit, tmp_path, name):
    with pytest.raises(OptionError, match=r"its name must end in \.html or \.htm"):
        write_report(plain_fit, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(DataError, match="cannot write"):
        write_report(low_pass(history=False), tmp_path / "nowhere" / "report.html")


def test_no_fit(tmp_path):
    with pytest.raises(OptionError, match="cannot report on a LowPass"):
        write_report(cc.LowPass(200.0), tmp_path / "report.html")


# how pictures are kept small


def test_common_colours_are_kept_and_rare_ones_are_near():
    generator = np.random.default_rng(0)
    picture = generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    picture[:20] = (255, 255, 255)
    picture[20:30] = (213, 94, 0)
    palette = Palette.of([picture])
    assert len(palette.colours) <= CLEAR
    again = palette.colours[palette.indices(picture)]
    assert (again[:30] == picture[:30]).all()
    assert abs(again[30:].astype(int) - picture[30:]).mean() < 20
    transparent = np.where(np.eye(40) > 0, CLEAR, palette.indices(picture)).astype(np.uint8)
    image = np.asarray(decoded(base64.b64encode(webp(transparent, palette))))
    assert (image[..., 3] == np.where(np.eye(40) > 0, 0, 255)).all()
    assert (image[~np.eye(40, dtype=bool)][:, :3] == again[~np.eye(40, dtype=bool)]).all()


def test_a_reel_that_is_too_large_leaves_every_second_picture_out():
    def draw(step):
        picture = np.full((30, 30, 3), 255, dtype=np.uint8)
        picture[step, :] = 0
        return picture

    steps = list(range(0, 29, 2))
    whole = record(draw, steps)
    assert whole.steps == tuple(steps) and whole.size == (30, 30)
    small = record(draw, steps, size=sum(map(len, whole.overlays)) // 2)
    assert set(small.steps) < set(steps) and (small.steps[0], small.steps[-1]) == (0, 28)
    for i, step in enumerate(small.steps):
        images = [decoded(base64.b64encode(part)) for part in (small.still, small.overlays[i])]
        assert (layered(*images) == draw(step)).all()


@pytest.mark.parametrize("most", [1, 2, 7, 100])
def test_keys_are_spread_evenly(most):
    keys = [k * k for k in range(30)]
    picked = evenly(keys, most)
    assert len(picked) == min(most, 30) and sorted(set(picked)) == picked
    assert picked[0] == 0 and (most == 1 or picked[-1] == keys[-1])


def test_pairs_name_everything_once():
    names = ["a.R", "b.R", "b.C", "b.L", "c.R", "d"]
    found = pairs(names)
    assert sorted(name for pair in found for name in pair) == sorted(names)
    assert found[0] == ("b.R", "b.C") and pairs(["R"]) == [("R",)]


def test_notes_follow_the_result_as_they_are(plain_fit, tmp_path):
    plain_fit.report(tmp_path / "report.html", notes=[("Parts to use", "R  <330 Ω>\nC  1 µF")])
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "<h2>Parts to use</h2><pre>R  &lt;330 Ω&gt;\nC  1 µF</pre>" in text
    assert '<a href="#note-1">Parts to use</a>' in text
