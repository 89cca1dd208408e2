import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import circuits as cc
from circuits.errors import OptionError, UnknownName
from circuits.views.sensitivity import plot_sensitivities
from drawn import is_whole, legend_texts, overlaps

TOLERANT = "With tolerances\nV1 in 0 AC 1\nR1 in out 1k tol=5%\nC1 out 0 1u tol=10%\n"
NOTCH = "Notch\nV1 in 0 AC 1\nR1 in out 1k\nL1 out x 10m\nC1 x 0 1u\nR2 x y 1g\nR3 y 0 1g\nC2 y 0 1p\nC3 in 0 1p\n"
MANY = "Ladder\nV1 n0 0 AC 1\n" + "".join(f"R{i} n{i} n{i + 1} 1k\nC{i} n{i + 1} 0 1u\n" for i in range(9))
THINGS = {
    "a stock filter": lambda: cc.LowPass(200.0),
    "boards": lambda: cc.BandPass([200.0, 300.0], 100.0),
    "several outputs": lambda: cc.ColorOrgan(198.944, (39.789, 159.155), 31.831),
    "tolerances": lambda: cc.read_netlist(TOLERANT),
    "a notch": lambda: cc.read_netlist(NOTCH, "V(out)/V(in)"),
    "many parts": lambda: cc.read_netlist(MANY, "V(n9)/V(n0)"),
}


@pytest.mark.parametrize("name", THINGS)
def test_pictures_are_whole_and_nothing_overlaps(name):
    figure = plot_sensitivities(THINGS[name]())
    labels = ["magnitude (dB)", "d ln|H| / d ln p", "° per % of p"]
    assert [axes.get_ylabel() for axes in figure.axes] == labels + ["change (dB)"] * (name == "tolerances")
    assert is_whole(figure)
    assert overlaps(figure) == []


def test_curves_are_the_sensitivities():
    f = torch.logspace(1, 5, 200, dtype=torch.float64)
    figure = plot_sensitivities(cc.LowPass(200.0), f)
    x = 2 * math.pi * f.numpy() * 200.0 * 1e-6
    S = [line.get_ydata() for line in figure.axes[1].lines[1:]]
    turn = [line.get_ydata() for line in figure.axes[2].lines[1:]]
    assert len(S) == len(turn) == 2
    np.testing.assert_allclose(S[0], -(x**2) / (1 + x**2), rtol=1e-10)
    np.testing.assert_allclose(turn[1], np.rad2deg(-x / (1 + x**2)) / 100, rtol=1e-10)
    level = figure.axes[0].lines[0].get_ydata()
    np.testing.assert_allclose(level, -10 * np.log10(1 + x**2), atol=1e-10)


def test_the_band_is_what_the_tolerances_do():
    figure = plot_sensitivities(cc.read_netlist(TOLERANT))
    texts = legend_texts(figure)
    assert texts[:2] == ["R1 = 1 kΩ ± 5 %", "C1 = 1 µF ± 10 %"]
    assert texts[2:] == ["worst case of the tolerances", "root of the sum of squares"]
    low, high = figure.axes[3].get_ylim()
    assert high == -low == pytest.approx(1.1 * 20 / math.log(10) * 0.15, rel=1e-3)


def test_a_spike_is_cut_off_rather_than_everything_else_flattened():
    axes = plot_sensitivities(THINGS["a notch"]()).axes[1]
    drawn = np.concatenate([line.get_ydata() for line in axes.lines[1:]])
    assert np.isnan(drawn).any()
    assert axes.get_ylim()[1] < 10


def test_choices():
    organ = THINGS["several outputs"]()
    figure = plot_sensitivities(organ, output="high")
    assert legend_texts(figure) == ["high.R = 31.83 Ω", "high.C = 1 µF"]  # the others do nothing to it
    assert (
        figure.legends[0].get_title().get_text()
        == "Color organ, high: sensitivities; the 2 of 8 parts that matter most"
    )
    one = plot_sensitivities(organ, names="low.C")
    assert legend_texts(one) == ["low.C = 1 µF"]
    second = plot_sensitivities(THINGS["boards"](), board=1)
    assert "board 1" in second.legends[0].get_title().get_text()
    assert any("300 Ω" in text for text in legend_texts(second))
    assert len(legend_texts(plot_sensitivities(THINGS["many parts"]()))) == 6


def test_files(tmp_path):
    path = tmp_path / "s.svg"
    assert isinstance(plot_sensitivities(cc.LowPass(200.0), path=path), Figure)
    assert path.read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"circuit": torch.nn.Linear(1, 1)}, OptionError, "cannot draw sensitivities of a Linear; expected a circuit"),
        ({"board": 3}, OptionError, "no board 3"),
        ({"names": "R9"}, UnknownName, "no component 'R9'"),
        ({"names": []}, OptionError, "no components"),
        ({"output": "loud"}, UnknownName, "no output 'loud'"),
        ({"path": "s.bmp"}, OptionError, "its name must end in"),
    ],
)
def test_what_cannot_be_drawn(options, error, words):
    with pytest.raises(error, match=words):
        plot_sensitivities(**({"circuit": cc.LowPass(200.0)} | options))
