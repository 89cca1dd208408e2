"""Fits of circuits made of netlists, and everything that shows them."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

import circuits as cc
import losses
from circuits.errors import OptionError, ShapeError
from circuits.fitting.starts import start_table
from circuits.netlist import read_netlist
from circuits.views.explorer.explorer import Explorer

ROOT = Path(__file__).parent.parent.parent
ORGAN = ROOT / "examples" / "netlists" / "organ.cir"
DUMMY_CELL = ROOT.parent / "shared" / "data" / "Circuit1_EIS_1.z"
OUTPUTS = ["V(low)/V(in)", "V(band)/V(in)", "V(high)/V(in)"]
TRUE = {"R1": 206.4, "R2": 37.6, "R3": 165.1, "R4": 31.7}
RC = "an RC\nV1 in 0 AC 1\nR1 in out 1k\nC1 out 0 1u\n"
AMPLIFIER = "an amplifier\nV1 in 0 AC 1\nE1 a 0 in 0 -3\nR1 a out 1k\nC1 out 0 100n\n"


@pytest.fixture(scope="module")
def bench():
    """The organ with other resistors, measured with 0.05 dB of noise."""
    organ = read_netlist(ORGAN, OUTPUTS, values=TRUE)
    return cc.simulate(organ, cc.log_grid(60, 10.0, 1e5), "decibels", 0.05, 4)


@pytest.fixture(scope="module")
def fitted(bench):
    return cc.fit(read_netlist(ORGAN, OUTPUTS), bench)


def test_the_organ_as_it_was_built_is_found_with_its_loading(fitted):
    assert fitted.converged and fitted.explains
    assert set(fitted.values) == set(TRUE)  # those that the netlist marks @learn
    for name, true in TRUE.items():
        assert abs(float(fitted.values[name]) - true) < 4 * float(fitted.errors[name]) < 0.01 * true
    text = str(fitted)
    assert text.startswith("Color organ as built on a breadboard by Decibel(); held fixed: C1, C2, C3, C4, ")
    assert "and 35 more" in text or "more" in text


def test_all_four_resistors_are_seen_from_one_output(bench):
    organ = read_netlist(ORGAN, OUTPUTS[0], "R*")
    found = cc.fit(organ, bench.select("low"))
    assert found.identifiability.complete
    for name, true in TRUE.items():
        assert abs(float(found.values[name]) - true) < 4 * float(found.errors[name])


def test_the_answer_does_not_depend_on_the_start(bench):
    organ = read_netlist(ORGAN, OUTPUTS, values=dict.fromkeys(TRUE, 1e3))
    found = cc.fit(organ, bench, starts=3)
    for name, true in TRUE.items():
        assert float(found.values[name]) == pytest.approx(true, rel=0.01)


def test_outputs_are_matched_by_name_and_one_that_was_not_measured_is_missing(bench):
    organ = read_netlist(ORGAN, ["V(high)/V(in)", "V(low)/V(in)", "V(band)/V(in)"], "R*")
    assert float(cc.fit(organ, bench).values["R2"]) == pytest.approx(37.6, rel=0.01)
    organ = read_netlist(ORGAN, OUTPUTS, "R*")
    assert cc.fit(organ, bench.select(["band", "low"])).converged
    with pytest.raises(ShapeError, match="Color organ as built on a breadboard has the outputs low, band, high"):
        cc.fit(organ, bench.select("low"))


# bounds, signs, ties, batches


def test_bounds_of_the_netlist_hold_unless_others_are_given():
    data = cc.simulate(read_netlist(RC), cc.log_grid(40, 1.0, 1e5))
    bounded = RC.replace("1k", "3k ; @min=2k @max=5k @learn")
    assert float(cc.fit(read_netlist(bounded), data).values["R1"]) == pytest.approx(2000.0, rel=1e-12)
    assert float(cc.fit(read_netlist(bounded), data, bounds={"R1": (1.0, None)}).values["R1"]) == pytest.approx(1000.0)
    found = cc.fit(read_netlist(RC, learn="R1"), data, bounds={"R1": (None, 900.0)})
    assert float(found.values["R1"]) == pytest.approx(900.0, rel=1e-12)


def test_a_gain_may_change_its_sign():
    truth = read_netlist(AMPLIFIER, "V(out)/V(in)")
    data = cc.simulate(truth, cc.log_grid(40, 10.0, 1e5), "response", 1e-3)
    other = read_netlist(AMPLIFIER, "V(out)/V(in)", "*1", values={"E1": 2.0, "C1": 1e-6}).hold("C1")
    found = cc.fit(other, data)
    assert float(found.values["E1"]) == pytest.approx(-3.0, rel=1e-2)
    assert not torch.as_tensor(found.problem.coordinates.log).all()
    assert "E1           -3.0" in str(found) or "E1           -2.99" in str(found)
    table = start_table(found.problem, 9, 0)[:, 0]
    column = found.names.index("E1")
    assert (table[:, column] < 0).any() and (table[:, column] > 0).any()
    fixed = cc.fit(read_netlist(AMPLIFIER, "V(out)/V(in)", ["R1", "E1"]), data, fixed={"E1": -3.0})
    assert set(fixed.values) == {"R1"}


def test_a_product_that_may_be_negative_is_not_written_as_one():
    data = cc.simulate(read_netlist(AMPLIFIER), cc.log_grid(40, 10.0, 1e5), "response", 1e-3)
    two = AMPLIFIER.replace("R1 a out 1k", "E2 b 0 a 0 1\nR1 b out 1k")
    found = cc.fit(read_netlist(two, "V(out)/V(in)", "E*"), data)
    assert set(found.identifiability.mingled) == {"E1", "E2"}
    assert "not told apart" in str(found)


def test_boards_of_a_batch_are_fitted_on_their_own():
    R = torch.tensor([500.0, 1000.0, 4000.0], dtype=torch.float64)
    data = cc.simulate(read_netlist(RC, values={"R1": R}), cc.log_grid(40, 1.0, 1e5), noise=1e-3)
    found = cc.fit(read_netlist(RC, learn="R1", batch=3), data)
    torch.testing.assert_close(found.values["R1"], R, rtol=5e-3, atol=0)
    held = read_netlist(RC, learn="R1", values={"C1": [1e-6, 2e-6, 0.5e-6]})
    found = cc.fit(held, data)
    expected = R * torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64)
    torch.testing.assert_close(found.values["R1"], expected, rtol=5e-3, atol=0)
    assert "board" in str(found)


def test_leds_light_over_a_netlist():
    R = 200.0
    data = cc.simulate(read_netlist(RC, values={"R1": R}), cc.tones(400), "led")
    found = cc.fit(read_netlist(RC, learn="R1"), data)
    low, high = found.intervals["R1"].tolist()
    assert low < R < high < 1.2 * low


# impedances


def spectrum():
    lines = DUMMY_CELL.read_text("latin-1").splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip().startswith("End Comments")) + 1
    rows = np.array([[float(cell) for cell in line.split()] for line in lines[start:] if line.strip()])
    return cc.Measurements(rows[:, 0], "response", rows[:, 4] + 1j * rows[:, 5])


@pytest.mark.skipif(not DUMMY_CELL.exists(), reason="NOT RUN: the measured dummy cell is not at hand")
@pytest.mark.parametrize("loss", [None, losses.Relative()], ids=repr)
@pytest.mark.parametrize("element", ["C1 b 0 1u", "XC1 b 0 CPE q=1u alpha=0.8"])
def test_the_parts_of_the_dummy_cell(element, loss):
    cell = read_netlist(f"dummy cell\nR0 a b 10\nR1 b 0 100\n{element}\n", "Z(a)", "*")
    found = cc.fit(cell, spectrum(), loss)
    assert found.converged and found.explains
    assert cell.R0.item() == pytest.approx(29.1, rel=5e-3)
    assert cell.R1.item() == pytest.approx(46.7, rel=5e-3)
    if "CPE" not in element:
        assert cell.C1.item() == pytest.approx(10.4e-6, rel=5e-3)
    else:  # the capacitor is an ideal one
        assert abs(cell["XC1.alpha"].item() - 1) < 3 * float(found.errors["XC1.alpha"]) < 0.01


@pytest.mark.parametrize("loss", [None, losses.Relative(), losses.Relative(sigma=1e-3)], ids=repr)
def test_a_gigaohm_and_a_picofarad(loss):
    text = "high impedance\nR0 a b {0}\nR1 b 0 {1}\nC1 b 0 {2}\n"
    truth = read_netlist(text.format("1meg", "1g", "1p"), "Z(a)")
    data = cc.simulate(truth, cc.log_grid(60, 1e-2, 1e6), "response")
    found = cc.fit(read_netlist(text.format("100k", "10meg", "100p"), "Z(a)", "*"), data, loss)
    for name, true in (("R0", 1e6), ("R1", 1e9), ("C1", 1e-12)):
        assert float(found.values[name]) == pytest.approx(true, rel=1e-6)


def test_how_much_there_is_to_explain_is_weighed_like_the_points():
    cell = read_netlist("cell\nR1 a 0 1meg\nC1 a 0 1n\n", "Z(a)", "*")
    data = cc.simulate(cell, cc.log_grid(40, 1.0, 1e6), "response")
    problem = cc.fit(cell, data, losses.Relative()).problem
    constant = data.values.mean()
    expected = ((constant - data.values).abs() / data.values.abs()).square().mean()
    torch.testing.assert_close(problem.spread()[0], expected)


# what shows it


def test_a_fit_of_a_netlist_is_saved_with_its_netlist(fitted, tmp_path):
    fitted.save(tmp_path / "fit.json")
    again = cc.load_fit(tmp_path / "fit.json")
    assert str(again) == str(fitted)
    f = cc.log_grid(9, 10.0, 1e5)
    torch.testing.assert_close(again.circuit(f), fitted.circuit(f), rtol=1e-14, atol=0)
    assert again.circuit.outputs == ("low", "band", "high")
    parameters = again.circuit.named_parameters()
    assert {name for name, p in parameters if p.requires_grad} == set(TRUE)


def test_every_picture_is_drawn(fitted, tmp_path):
    cc.plot_response(fitted, tmp_path / "fit.png")
    cc.plot_response(fitted.circuit, tmp_path / "circuit.png")
    cc.plot_loss_surface(fitted, ["R1", "R2"], tmp_path / "map.png", points=9)
    cc.plot_loss_surface(fitted, "R1", tmp_path / "curve.png", points=9)
    cc.plot_contributions(fitted, 1, path=tmp_path / "pull.png")
    cc.plot_history(fitted, path=tmp_path / "history.png")
    assert all(path.stat().st_size > 5000 for path in tmp_path.glob("*.png")) and len(list(tmp_path.glob("*"))) == 6
    html = fitted._repr_html_()
    assert "Color organ as built on a breadboard" in html and "Schematic of" in html


def test_the_schematic_lists_every_part_between_its_nodes():
    drawing = cc.draw_schematic(read_netlist(AMPLIFIER, learn="E1")).svg
    for text in ("E1 = -3", "R1 = 1 kΩ", "C1 = 100 nF", "V1.ac = 1 V", "in, 0", "a, 0", "An amplifier".lower()):
        assert text in drawing
    long = (
        "ladder\nV1 in 0 AC 1\n" + "".join(f"R{i} n{i} n{i + 1} 1k\n" for i in range(80)) + "Rin in n0 1\nRo n80 0 1\n"
    )
    assert "and 23 more parts" in cc.draw_schematic(read_netlist(long, "V(n80)")).svg


def test_the_graph_leads_from_the_components_to_the_magnitude():
    graph = cc.draw_graph(read_netlist(RC), 1000.0, values=True, gradients=True)
    assert any(label.startswith("|H(1 kHz)|") and "0.1572" in label for label in graph.labels)
    assert any(label.startswith("R1 = 1 kΩ") and "∂|H|/∂R1 = −0.0001533 /Ω" in label for label in graph.labels)
    assert len(cc.draw_graph(read_netlist(ORGAN, OUTPUTS), 1000.0).dot) < 200_000


def test_sliders_of_parts_that_may_be_negative():
    bench = Explorer(read_netlist(AMPLIFIER, "V(out)/V(in)", "E1"))
    bench.knobs["E1"].slider.value = 2.0
    assert bench.circuit.E1.item() == 2.0
    bench.knobs["E1"].text.value = "-4"
    assert bench.circuit.E1.item() == -4.0 and bench.knobs["E1"].slider.value == -4.0
    bench.knobs["R1"].text.value = "-4"
    assert bench.circuit.R1.item() == 1000.0 and "not above zero" in bench.knobs["R1"].message.value


def test_a_report_and_a_fit_from_the_sliders(bench, tmp_path):
    organ = read_netlist(ORGAN, OUTPUTS[0])
    explorer = Explorer(organ, bench.select("low"))
    explorer.fit_button.click()
    assert "χ²" in explorer.result.value
    rc = read_netlist(RC, learn="R1", values={"R1": 3e3})
    found = cc.fit(rc, cc.simulate(read_netlist(RC), cc.log_grid(20, 10.0, 1e4)))
    found.report(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "an RC" in page and "cannot" not in page


def test_nothing_is_learned_unless_it_is_said():
    data = cc.simulate(read_netlist(RC), cc.log_grid(20, 10.0, 1e4))
    with pytest.raises(OptionError, match="nothing to fit: R1, C1 held fixed"):
        cc.fit(read_netlist(RC), data)


def test_the_netlist_of_a_copy_is_fitted_apart():
    first = read_netlist(RC, learn="R1")
    second = copy.deepcopy(first)
    cc.fit(second, cc.simulate(read_netlist(RC, values={"R1": 5e3}), cc.log_grid(20, 10.0, 1e4)))
    assert first.R1.item() == 1000.0 and second.R1.item() == pytest.approx(5e3)
