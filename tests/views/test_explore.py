"""The explorer: sliders, typed values, what is drawn and said, and the fit from where the sliders stand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import circuits as cc
import losses
from circuits.errors import DataError, NotebookMissing, OptionError, ShapeError
from circuits.views import Explorer, explore
from circuits.views.explorer.knob import DECADES, NOTCH

GRID = cc.log_grid(40, 10.0, 1e5)
ORGAN = (200.0, (40.0, 160.0), 32.0)


def organ() -> cc.ColorOrgan:
    return cc.ColorOrgan(500.0, (50.0, 150.0), 40.0)


def organ_data() -> cc.Measurements:
    return cc.simulate(cc.ColorOrgan(*ORGAN), cc.tones(1000), "led")


@pytest.fixture
def bench():
    """Make explorers that are closed afterwards."""
    made = []

    def make(*arguments, **options):
        made.append(Explorer(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


CASES = {
    "magnitude": lambda: (cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), GRID, noise=0.01)),
    "decibels": lambda: (cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), GRID, "decibels")),
    "response": lambda: (cc.BandPass(500.0, 90.0), cc.simulate(cc.BandPass(40.0, 160.0), GRID, "response", 0.01)),
    "phase": lambda: (cc.HighPass(500.0), cc.simulate(cc.HighPass(200.0), GRID, "phase")),
    "leds": lambda: (organ(), organ_data()),
    "a pair": lambda: (cc.LowPass(500.0), (GRID, cc.LowPass(200.0)(GRID).detach())),
    "nothing": lambda: (cc.BandPass(500.0, 90.0), None),
    "an organ alone": lambda: (organ(), None),
    "corners": lambda: (cc.BodeBandPass(5000.0, 700.0), cc.simulate(cc.BandPass(40.0, 160.0), GRID, "decibels")),
}


@pytest.mark.parametrize("name", CASES)
def test_a_move_changes_picture_circuit_and_words_to_the_same_state(name, bench):
    circuit, data = CASES[name]()
    shown = bench(circuit, data)
    first, component = shown.image.value, next(iter(shown.knobs))
    knob = shown.knobs[component]
    knob.slider.value = knob.value * 1.7
    moved = dict(circuit.named_parameters())[component]
    assert moved.item() == knob.value == knob.slider.value
    fresh, _ = CASES[name]()
    with torch.no_grad():
        dict(fresh.named_parameters())[component].fill_(knob.value)
    other = bench(CASES[name]()[0], data)
    other.circuit.load_state_dict(fresh.state_dict())
    other._draw()
    assert shown.image.value == other.image.value != first
    assert shown.status.value == other.status.value
    corner = next(iter(fresh.cutoffs().values())).item()
    assert cc.notation.format(corner, "Hz") in shown.status.value


def test_the_curves_drawn_are_those_of_the_circuit(bench):
    circuit = organ()
    shown = bench(circuit, organ_data())
    shown.knobs["high.R"].slider.value = 80.0
    grid, at = torch.as_tensor(shown.scope.ground.grid), torch.as_tensor(shown.scope.ground.at)
    expected = cc.ColorOrgan(500.0, (50.0, 150.0), 80.0)
    for (_, k, line), curve in zip(shown.scope._panel._curves, expected(grid).detach(), strict=True):
        np.testing.assert_allclose(line.get_ydata(), curve, rtol=1e-12, err_msg=str(k))
    lit = (expected(at) > expected.threshold).numpy()
    drawn = shown.scope._panel._leds.artists[0].get_data()[0]
    np.testing.assert_array_equal(np.sort(drawn), np.sort(np.concatenate([at.numpy()[row] for row in lit])))
    corners = [f.item() for f in expected.cutoffs().values()]
    (marks,) = shown.scope._panel._corners
    np.testing.assert_allclose([line.get_xdata()[0] for line in marks], corners, rtol=1e-12)
    assert sorted(shown.scope.corners()) == sorted(expected.cutoffs())


def test_loss_and_leds_explained_are_those_of_the_data(bench):
    data, circuit = organ_data(), organ()
    shown = bench(circuit, data, loss=losses.ShiftedMSE())
    prediction = circuit(data.f).detach()
    right = int(((prediction > circuit.threshold) == (data.values > 0.5)).sum())
    assert f"{right} of 3000 LEDs explained" in shown.status.value
    assert f"loss {losses.ShiftedMSE()(prediction, data.values).item():.4g} by ShiftedMSE()" in shown.status.value


def test_a_loss_in_stages_says_which_one_it_shows(bench):
    assert "by LogisticLed(sharpness=5)" in bench(organ(), organ_data()).status.value


def test_a_lamp_that_was_not_seen_is_not_counted(bench):
    data = cc.simulate(cc.LowPass(200.0), cc.tones(50), "led")
    values = data.values.clone()
    values[3] = math.nan
    shown = bench(cc.LowPass(200.0), cc.Measurements(data.f, "led", values))
    assert "49 of 49 LEDs explained" in shown.status.value


TYPED = {"4k7": 4700.0, "4.7e3": 4700.0, "4.7 kΩ": 4700.0, "R47": 0.47, "1e9": 1e9, " 220 ": 220.0}


@pytest.mark.parametrize("text", TYPED)
def test_a_typed_value_is_read_exactly_and_the_slider_goes_there(text, bench):
    shown = bench(cc.LowPass(500.0))
    knob = shown.knobs["R"]
    knob.text.value = text
    assert shown.circuit.R.item() == knob.value == TYPED[text]
    assert knob.slider.value == pytest.approx(TYPED[text])
    assert knob.slider.min <= math.log10(TYPED[text]) <= knob.slider.max
    assert cc.notation.parse(knob.text.value, "Ω") == TYPED[text]


@pytest.mark.parametrize("text", ["4kk7", "", "4,7k", "100nF", "-5", "0", "nan", "1e999"])
def test_text_that_is_no_value_says_so_and_changes_nothing(text, bench):
    shown = bench(cc.LowPass(500.0))
    knob = shown.knobs["R"]
    knob.text.value = "330"
    picture = shown.image.value
    knob.text.value = text
    assert (shown.circuit.R.item(), knob.value, knob.slider.value) == (330.0, 330.0, 330.0)
    assert shown.image.value == picture
    assert "R stays at 330 Ω" in knob.message.value and knob.message.layout.display is None
    assert knob.text.layout.border_top == "2px solid #D55E00" and knob.text.value == text
    knob.slider.value = 470.0
    assert knob.text.layout.border_top is None and knob.message.layout.display == "none"
    assert knob.text.value == "470 Ω"


def test_markup_in_a_typed_text_stays_text(bench):
    knob = bench(cc.LowPass(500.0)).knobs["R"]
    knob.text.value = "<b>5</b>"
    assert "<b>" not in knob.message.value


def test_sliders_span_decades_around_their_value(bench):
    slider = bench(cc.LowPass(500.0)).knobs["R"].slider
    assert (slider.min, slider.max) == (math.log10(500.0) - DECADES, math.log10(500.0) + DECADES)
    assert not slider.disabled


def test_what_a_browser_rounds_to_a_notch_is_no_move(bench):
    shown = bench(cc.LowPass(500.0))
    knob = shown.knobs["R"]
    knob.text.value = "4.7k"
    knob.slider.value = 4700.0 * 10 ** (0.4 * NOTCH)
    assert shown.circuit.R.item() == 4700.0
    knob.slider.value = 4700.0 * 10 ** (1.1 * NOTCH)
    assert shown.circuit.R.item() == pytest.approx(4700.0 * 10 ** (1.1 * NOTCH))


def test_a_component_held_fixed_is_shown_and_freed_by_its_box(bench):
    shown = bench(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), GRID, noise=0.001))
    knob = shown.knobs["C"]
    assert knob.slider.disabled and knob.text.disabled and knob.text.value == "1 µF"
    knob.learns.value = True
    assert shown.circuit.C.requires_grad and not knob.slider.disabled
    shown.knobs["R"].learns.value = False
    knob.text.value = "2u2"
    shown.fit_button.click()
    assert shown.circuit.R.item() == 500.0  # held now
    assert shown.circuit.C.item() == pytest.approx(0.4e-6, rel=1e-2)
    assert knob.value == shown.circuit.C.item()


def test_one_part_in_two_places_has_one_slider(bench):
    shared = torch.nn.Parameter(torch.tensor(500.0, dtype=torch.float64))
    circuit = cc.BandPass(shared, shared)
    shown = bench(circuit)
    assert list(shown.knobs) == ["R_low", "C_low", "C_high"]
    shown.knobs["R_low"].slider.value = 900.0
    assert circuit.R_high.item() == 900.0


def test_fit_from_here_starts_at_the_sliders_and_moves_them_to_the_result(bench):
    data = organ_data()
    shown = bench(organ(), data)
    shown.knobs["high.R"].text.value = "60"
    shown.fit_button.click()
    expected = cc.fit(cc.ColorOrgan(500.0, (50.0, 150.0), 60.0), data)
    assert shown.fit.start_values["high.R"].item() == pytest.approx(60.0)
    for name, value in expected.values.items():
        assert shown.knobs[name].value == shown.knobs[name].slider.value == pytest.approx(value.item(), rel=1e-12)
    assert "3000 of 3000 LEDs explained" in shown.status.value
    assert shown.result.value.startswith("<pre>ColorOrgan by LogisticLed") and "high.cutoff" in shown.result.value
    assert not shown.fit_button.disabled
    other = bench(expected.circuit, data)
    np.testing.assert_array_equal(shown.scope.ground.at, other.scope.ground.at)
    curves = [[line.get_ydata() for _, _, line in one.scope._panel._curves] for one in (shown, other)]
    np.testing.assert_allclose(*curves)


def test_a_fit_that_is_refused_says_why(bench):
    shown = bench(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), GRID))
    shown.knobs["R"].learns.value = False
    shown.fit_button.click()
    assert "nothing to fit: R, C held fixed" in shown.result.value and "<pre>" not in shown.result.value
    assert shown.fit is None and not shown.fit_button.disabled


def test_an_error_that_nobody_foresaw_is_shown_and_raised(bench, monkeypatch):
    from circuits.views.explorer import explorer

    def broken(*_, **__):
        raise ZeroDivisionError("somewhere deep")

    shown = bench(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), GRID))
    monkeypatch.setattr(explorer, "run_fit", broken)
    with pytest.raises(ZeroDivisionError):
        shown._on_fit(shown.fit_button)
    assert "ZeroDivisionError: somewhere deep" in shown.result.value and not shown.fit_button.disabled


def test_without_data_there_is_nothing_to_fit(bench):
    shown = bench(cc.LowPass(500.0))
    assert shown.fit_button not in shown.children and "loss" not in shown.status.value
    shown.fit_button.click()
    assert shown.fit is None


def test_making_an_explorer_leaves_the_circuit_as_it_was(bench):
    circuit = cc.LowPass(500.0)
    bench(circuit, cc.simulate(cc.LowPass(200.0), GRID))
    assert (circuit.R.item(), circuit.R.requires_grad, circuit.C.requires_grad) == (500.0, True, False)


def test_a_float32_circuit_keeps_its_precision(bench):
    circuit = cc.LowPass(500.0, dtype=torch.float32)
    shown = bench(circuit, cc.simulate(cc.LowPass(200.0), GRID))
    shown.knobs["R"].text.value = "4k7"
    assert circuit.R.dtype is torch.float32 and circuit.R.item() == 4700.0


def test_a_move_costs_two_predictions_of_curves_and_leds_whatever_came_before(bench, monkeypatch):
    shown = bench(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), cc.tones(100), "led"))
    calls = []
    was = cc.LowPass.predict
    monkeypatch.setattr(cc.LowPass, "predict", lambda self, f, q: (calls.append(f.numel()), was(self, f, q))[1])
    costs = []
    for i in range(6):
        shown.knobs["R"].slider.value = 600.0 + 50.0 * i
        costs.append(sorted(calls))
        calls.clear()
    assert all(cost == costs[0] for cost in costs)
    assert costs[0] == [100, 100, 100, 400]


def wrong_outputs() -> Explorer:
    return Explorer(cc.LowPass(500.0), organ_data())


BAD = {
    "a batch": (lambda: Explorer(cc.LowPass([1.0, 2.0])), OptionError, r"a batch of \(2,\); give every component"),
    "no circuit": (lambda: Explorer(torch.nn.Linear(1, 1)), OptionError, "cannot explore a Linear"),
    "a loss alone": (lambda: Explorer(cc.LowPass(1.0), loss=losses.Magnitude()), OptionError, "none were given"),
    "data of another circuit": (wrong_outputs, ShapeError, "LowPass has one unnamed output"),
    "data of another kind": (lambda: Explorer(cc.LowPass(1.0), 3.0), DataError, "cannot fit to data of type float"),
    "no notebook": (lambda: explore(cc.LowPass(1.0)), NotebookMissing, "none is around; open JupyterLab"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence(case):
    call, error, said = BAD[case]
    with pytest.raises(error, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)
