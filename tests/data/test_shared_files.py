"""Files that real people wrote, read in place where they lie beside the project."""

from __future__ import annotations

import cmath
import math
from pathlib import Path

import pytest

from circuits.data import read

SHARED = Path(__file__).parents[3] / "shared" / "data"
# quantity, points, first and last frequency, first value, whether sigma
FILES = {
    "p241_rc_lowpass.csv": (
        "response",
        30,
        20,
        2000,
        cmath.rect(10 ** (-0.1703 / 20), math.radians(-11.52)),
        False,
    ),
    "p241_rc_highpass.csv": (
        "response",
        30,
        20,
        2000,
        cmath.rect(10 ** (-23.3498 / 20), math.radians(85)),
        False,
    ),
    "p241_lcr_R98.csv": ("response", 36, 250, 40000, cmath.rect(0.0152, math.radians(-90)), False),
    "e7_rlc_low_damp.csv": ("magnitude", 36, 10000, 40000, 1.15, True),
}


@pytest.fixture(autouse=True)
def here():
    if not SHARED.is_dir():
        pytest.skip("shared data not here")


@pytest.mark.parametrize("name", FILES)
def test_file(name):
    quantity, points, first, last, value, has_sigma = FILES[name]
    data = read(SHARED / name)
    assert (data.quantity, len(data), data.outputs) == (quantity, points, ())
    assert (data.f[0].item(), data.f[-1].item()) == (first, last)
    assert data.values[0].item() == pytest.approx(value, rel=1e-12)
    assert (data.sigma is not None) == has_sigma


def test_every_table_there_is_in_this_list():
    assert {path.name for path in SHARED.glob("*.csv")} == set(FILES)


def test_the_decibels_are_those_in_the_file():
    assert read(SHARED / "p241_rc_lowpass.csv", "decibels").values[:3].tolist() == [-0.1703, -0.1703, -0.1703]
    assert read(SHARED / "p241_lcr_R98.csv", "magnitude").values[0].item() == 0.0152


def test_an_input_voltage_in_a_comment_is_divided_by():
    data = read(SHARED / "e7_rlc_low_damp.csv")
    assert "divided by the input voltage 2 V of a comment, taken to swing as the output does" in data.understood
    assert data.sigma is not None
    assert data.sigma[:2].tolist() == [0.025, 0.025]
    assert "Input voltage:2V" in data.meta["comments"]


def test_an_impedance_is_in_ohms():
    data = read(SHARED / "Circuit1_EIS_1.z")
    assert (data.quantity, len(data), data.f[0].item(), data.f[-1].item()) == ("response", 48, 1.0, 50e3)
    assert data.values[[0, -1]].tolist() == [75.803 - 0.16244j, 29.036 + 0.63662j]
    assert data.meta["units"]["Z'(a)"] == "ohms"


def test_a_plot_of_ltspice_is_read_whole():
    data = read(SHARED / "Simulation_DM.txt")
    assert (data.quantity, len(data), data.f[0].item()) == ("response", 181, 1.0)
    first = cmath.rect(10 ** (-85.1288539069573 / 20), math.radians(89.9250619081392))
    assert data.values[0].item() == pytest.approx(first, rel=1e-12)
    assert "R=1K: step 3 of 3, the only one in the file" in data.understood
