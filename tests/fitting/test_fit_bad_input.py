"""Each bad input gets one typed error that names the value, what was expected and what to do."""

from __future__ import annotations

import math
import re

import pytest
import torch
from torch import nn

import circuits as cc
import losses
from circuits.errors import ComponentError, DataError, FrequencyError, OptionError, ShapeError, UnknownName

F = cc.log_grid(60, 10.0, 1e5)
LOW = cc.simulate(cc.LowPass(R=200.0), F)
GOOD = LOW.values


def holding(value: float) -> cc.LowPass:
    board = cc.LowPass(R=500.0)
    with torch.no_grad():
        board.R.fill_(value)
    return board


def one(f: float, value: float = 0.5):
    return ([100.0, f], [0.9, value])


LINEAR = nn.Linear(1, 1).double()
THREE = torch.zeros(3, 1, dtype=torch.float64)

CASES = {
    # components
    "negative component": (lambda: cc.fit(holding(-3.0), LOW), ComponentError, "R starts at -3; expected a positive"),
    "zero component": (lambda: cc.fit(holding(0.0), LOW), ComponentError, "R starts at 0; expected a positive"),
    "NaN component": (lambda: cc.fit(holding(math.nan), LOW), ComponentError, "R starts at NaN"),
    "infinite component": (lambda: cc.fit(holding(math.inf), LOW), ComponentError, "infinity"),
    "negative fixed": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, fixed={"C": -1e-6}), ComponentError, "C.*-1e-06"),
    "zero fixed": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, fixed={"C": 0.0}), ComponentError, "C"),
    "NaN fixed": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, fixed={"C": math.nan}), ComponentError, "C.*nan"),
    "text fixed": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, fixed={"C": "one"}), cc.OhmgradError, "one"),
    "several fixed": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, fixed={"C": [1e-6, 2e-6]}), ShapeError, "C"),
    "infinite parameter": (
        lambda: cc.fit(nn.ParameterList([torch.tensor([1.0, math.inf])]), (THREE, THREE)),
        ComponentError,
        "infinity",
    ),
    # frequencies
    "negative frequency": (lambda: cc.fit(cc.LowPass(R=1.0), one(-5.0)), FrequencyError, "-5 Hz"),
    "zero frequency": (lambda: cc.fit(cc.LowPass(R=1.0), one(0.0)), FrequencyError, "0 Hz"),
    "NaN frequency": (lambda: cc.fit(cc.LowPass(R=1.0), one(math.nan)), FrequencyError, "nan Hz"),
    "infinite frequency": (lambda: cc.fit(cc.LowPass(R=1.0), one(math.inf)), FrequencyError, "inf Hz"),
    # shapes
    "lengths": (lambda: cc.fit(cc.LowPass(R=1.0), (F, GOOD[:-1])), ShapeError, "60.*59"),
    "boards": (
        lambda: cc.fit(cc.LowPass(R=[1.0, 2.0]), cc.simulate(cc.LowPass(R=[1.0, 2.0, 3.0]), F)),
        ShapeError,
        r"\(3, 60\).*\(2,\)",
    ),
    "boards for one": (
        lambda: cc.fit(cc.LowPass(R=1.0), cc.simulate(cc.LowPass(R=[1.0, 2.0, 3.0]), F)),
        ShapeError,
        r"LowPass\(R=\[500.0\] \* boards\)",
    ),
    "free component of one shape": (
        lambda: cc.fit(cc.LowPass(R=[1.0, 2.0]).requires_grad_(), LOW),
        ShapeError,
        r"C has shape \(\).*shape \(2,\)\) or hold it fixed",
    ),
    "frequencies": (
        lambda: cc.fit(cc.LowPass(R=[1.0, 2.0]), cc.simulate(cc.LowPass(R=1.0), F.expand(3, 60))),
        ShapeError,
        r"\(3, 60\)",
    ),
    "outputs": (
        lambda: cc.fit(cc.ColorOrgan(1.0, (1.0, 1.0), 1.0), LOW),
        ShapeError,
        "low, band, high.*one unnamed output.*select",
    ),
    "output names": (
        lambda: cc.fit(cc.LowPass(R=1.0), cc.simulate(cc.ColorOrgan(1.0, (1.0, 1.0), 1.0), F)),
        ShapeError,
        "one unnamed output.*low, band, high",
    ),
    "targets of a module": (lambda: cc.fit(LINEAR, (THREE, THREE[:, 0])), ShapeError, r"\(3, 1\).*\(3,\)"),
    "a module that returns no tensor": (
        lambda: cc.fit(Pair(), (THREE, THREE)),
        ShapeError,
        "returned a tuple.*wrap the module",
    ),
    # what cannot be fitted
    "no module": (lambda: cc.fit(lambda f: f, LOW), OptionError, "cannot fit .*function.*expected a circuit"),
    "the class": (lambda: cc.fit(cc.LowPass, LOW), OptionError, "cannot fit"),
    "a number as data": (lambda: cc.fit(cc.LowPass(R=1.0), 3), DataError, "cannot fit to .*int.*expected Measurements"),
    "a path as data": (lambda: cc.fit(cc.LowPass(R=1.0), "bench.csv"), DataError, "circuits.read"),
    "three things": (lambda: cc.fit(cc.LowPass(R=1.0), (F, GOOD, GOOD)), DataError, "pair"),
    "text": (lambda: cc.fit(cc.LowPass(R=1.0), (["a"], ["b"])), cc.OhmgradError, "number|numeric"),
    "nothing": (lambda: cc.fit(cc.LowPass(R=1.0), (None, None)), cc.OhmgradError, "None"),
    "text for a module": (lambda: cc.fit(LINEAR, (THREE, "b")), cc.OhmgradError, "str"),
    "all missing": (lambda: cc.fit(cc.LowPass(R=1.0), (F, GOOD * math.nan)), DataError, "every value is missing"),
    "all targets missing": (lambda: cc.fit(LINEAR, (THREE, THREE * math.nan)), DataError, "every value is missing"),
    "nothing free": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, fixed=["R"]), OptionError, "nothing to fit: R, C held"),
    "nothing learnable": (lambda: cc.fit(cc.LowPass(R=1.0).requires_grad_(False), LOW), OptionError, "requires_grad_"),
    "no parameters": (lambda: cc.fit(nn.ReLU(), (THREE, THREE)), OptionError, "nothing to fit"),
    "magnitude as LEDs": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, losses.LogisticLed()), DataError, "magnitude.*led"),
    "magnitude as phase": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, losses.Phase()), DataError, "phase"),
    # names
    "method": (
        lambda: cc.fit(cc.LowPass(R=1.0), LOW, method="magic"),
        UnknownName,
        "no method 'magic'; known: auto, levenberg-marquardt, lbfgs",
    ),
    "fixed name": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, fixed=["Q"]), UnknownName, "'Q'; known: R, C"),
    "bounds name": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, bounds={"Q": (1, 2)}), UnknownName, "'Q'; known: R"),
    "start name": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, starts=[{"Q": 1}]), UnknownName, "'Q'; known: R"),
    "coordinates": (
        lambda: cc.fit(cc.LowPass(R=1.0), LOW, coordinates="polar"),
        UnknownName,
        "'polar'; known: log, linear",
    ),
    "coordinates by name": (
        lambda: cc.fit(cc.LowPass(R=1.0), LOW, coordinates={"R": "polar"}),
        UnknownName,
        "'polar'; known: log, linear",
    ),
    "coordinates of": (
        lambda: cc.fit(cc.LowPass(R=1.0), LOW, coordinates={"Q": "log"}),
        UnknownName,
        "'Q'; known: R",
    ),
    "coordinates number": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, coordinates=3), cc.OhmgradError, "3"),
    "an organ's names": (
        lambda: cc.fit(cc.ColorOrgan(1.0, (1.0, 1.0), 1.0), LOW, fixed=["R"]),
        UnknownName,
        "low.R, low.C, band.R_low",
    ),
    # options
    "method class": (
        lambda: cc.fit(cc.LowPass(R=1.0), LOW, method=cc.LBFGS),
        OptionError,
        r"LBFGS is a class.*LBFGS\(\.\.\.\)",
    ),
    "method number": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, method=3), OptionError, "method=3.*torch.optim.Adam"),
    "factory of nothing": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, method=lambda x: 3), OptionError, "int|optimiser"),
    "stop number": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, stop=1000), OptionError, r"Stop\("),
    "loss name": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, "magnitude"), losses.LossError, "losses.Magnitude"),
    "loss class": (lambda: cc.fit(cc.LowPass(R=1.0), LOW, losses.Magnitude), losses.LossError, "class"),
    "a loss of many numbers": (
        lambda: cc.fit(cc.LowPass(R=1.0), LOW, lambda p, t: p - t),
        losses.LossError,
        "one real number",
    ),
}


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x, self.a


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_clear_typed_error(case: str):
    call, error, message = CASES[case]
    with pytest.raises(error) as caught:
        call()
    text = str(caught.value)
    assert re.search(message, text, re.S), text
    assert "\n" not in text and len(text) < 400


# LEDs that never change


def silent(circuit, state: float, f=F, **options) -> str:
    """Message about LEDs that are all lit or all dark."""
    shape = (len(circuit.outputs), len(f)) if circuit.outputs else (len(f),)
    values = torch.full(shape, state, dtype=torch.float64)
    with pytest.raises(DataError) as caught:
        cc.fit(circuit, cc.Measurements(f, "led", values, outputs=circuit.outputs), **options)
    return str(caught.value)


LOWEST, HIGHEST = 1 / (2 * math.pi * F[-1].item() * 1e-6), 1 / (2 * math.pi * F[0].item() * 1e-6)
"""Resistances whose corner with 1 µF is the highest and the lowest tone."""


@pytest.mark.parametrize("start", [1e-2, 200.0, 1e6])
@pytest.mark.parametrize(
    ("circuit", "state", "sign", "bound"),
    [
        (cc.LowPass, 1.0, "≤", LOWEST),
        (cc.LowPass, 0.0, "≥", HIGHEST),
        (cc.HighPass, 1.0, "≥", HIGHEST),
        (cc.HighPass, 0.0, "≤", LOWEST),
    ],
)
def test_all_lit_or_all_dark_gives_the_bound_and_nothing_else(circuit, state, sign: str, bound: float, start: float):
    text = silent(circuit(R=start), state)
    assert f"every LED is {'lit' if state else 'dark'}: this only says that R {sign} " in text
    assert "and nothing else is known" in text
    number, prefix = re.search(r"R [≤≥] ([\d.]+) (k?)Ω", text).groups()
    assert float(number) * (1e3 if prefix else 1) == pytest.approx(bound, rel=1e-3)


def test_the_bound_is_that_of_the_circuits_own_capacitor():
    text = silent(cc.LowPass(R=200.0, C=2e-6), 1.0)
    assert float(re.search(r"R ≤ ([\d.]+) (m?)Ω", text)[1]) == pytest.approx(LOWEST / 2 * 1e3, rel=1e-3)


def test_missing_leds_do_not_count_towards_the_bound():
    values = torch.ones(60, dtype=torch.float64)
    values[30:] = torch.nan
    with pytest.raises(DataError) as caught:
        cc.fit(cc.LowPass(R=200.0), cc.Measurements(F, "led", values))
    number = float(re.search(r"R ≤ ([\d.]+) Ω", str(caught.value))[1])
    assert number == pytest.approx(1 / (2 * math.pi * F[29].item() * 1e-6), rel=1e-3)


def test_an_output_of_an_organ_that_never_changes_is_named():
    organ = cc.ColorOrgan(200.0, (40.0, 160.0), 32.0)
    values = cc.simulate(organ, F, "led").values.clone()
    values[2] = 0.0
    with pytest.raises(DataError) as caught:
        cc.fit(cc.ColorOrgan(500.0, (500.0, 500.0), 500.0), cc.Measurements(F, "led", values, outputs=organ.outputs))
    text = str(caught.value)
    assert "every LED of output 'high' is dark" in text and "high.R ≤ " in text and "leave that output out" in text
    number = float(re.search(r"high\.R ≤ ([\d.]+) Ω", text)[1])
    assert number == pytest.approx(LOWEST, rel=1e-3)


@pytest.mark.parametrize("state", [0.0, 1.0])
def test_a_band_pass_is_bounded_only_together(state: float):
    text = silent(cc.BandPass(R_low=40.0, R_high=160.0), state)
    assert "R_low, R_high only together" in text


def test_with_both_factors_free_no_component_is_bounded_alone():
    text = silent(cc.LowPass(R=200.0).requires_grad_(True), 1.0)
    assert "R, C only together" in text


def test_the_board_of_a_batch_is_named():
    values = cc.simulate(cc.LowPass(R=[200.0, 200.0, 200.0]), F, "led").values.clone()
    values[1] = 1.0
    with pytest.raises(DataError, match="every LED on board 1 is lit.*R ≤ 1.59"):
        cc.fit(cc.LowPass(R=[500.0] * 3), cc.Measurements(F, "led", values))


def test_single_precision_and_linear_coordinates_are_bounded_too():
    assert "R ≤ 1.59" in silent(cc.LowPass(R=torch.tensor(500.0)), 1.0)
    assert "R ≤ 1.59" in silent(cc.LowPass(R=500.0), 1.0, coordinates="linear")


def test_nothing_is_changed_by_a_refusal():
    board = cc.LowPass(R=500.0)
    before = board.R
    silent(board, 1.0)
    assert board.R is before and board.R.item() == 500.0 and isinstance(board.R, nn.Parameter)
