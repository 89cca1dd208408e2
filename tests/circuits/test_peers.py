"""The same circuits by other hands: SciPy's analogue filters and a nodal solve of the loaded cascade."""

import math

import numpy as np
import pytest
import torch
from scipy import signal

from circuits.component import OHM
from circuits.filters import BandPass, HighPass, LoadedBandPass, LowPass

FREQUENCIES = np.logspace(-3, 9, 97)


def time_constants(circuit):
    """R·C of each section."""
    p = {name: value.item() for name, value in circuit.named_parameters()}
    return [p[f"R{end}"] * p[f"C{end}"] for end in ("", "_low", "_high") if f"R{end}" in p]


PEERS = [
    (LowPass(R=198.944), lambda tau: ([1.0], [tau, 1.0])),
    (HighPass(R="4.7k", C="22n"), lambda tau: ([tau, 0.0], [tau, 1.0])),
    (BandPass(39.789, 159.155), lambda low, high: ([high, 0.0], np.polymul([low, 1.0], [high, 1.0]))),
]


@pytest.mark.parametrize("circuit, polynomials", PEERS, ids=lambda x: type(x).__name__)
def test_scipy_agrees(circuit, polynomials):
    numerator, denominator = polynomials(*time_constants(circuit))
    _, expected = signal.freqs(numerator, denominator, worN=2 * np.pi * FREQUENCIES)
    found = circuit.response(FREQUENCIES).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def nodal(R_low, R_high, C_low, C_high, f):
    """Voltage across R_high from Kirchhoff's current law at the two inner nodes, one volt at the input."""
    s = 2j * np.pi * f
    admittance = np.array([[1 / R_low + s * C_low + s * C_high, -s * C_high], [-s * C_high, s * C_high + 1 / R_high]])
    return np.linalg.solve(admittance, [1 / R_low, 0])[1]


@pytest.mark.parametrize(
    "values",
    [
        (39.789, 159.155, 1e-6, 1e-6),
        (1e5, 1.0, 1e-6, 1e-8),
        (1.0, 1e5, 1e-9, 1e-4),
        (500.0, 1000.0, 1e-6, 1e-6),
    ],
)
def test_the_loaded_band_pass_obeys_kirchhoff(values):
    expected = np.array([nodal(*values, f) for f in FREQUENCIES])
    found = LoadedBandPass(*values).response(FREQUENCIES).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_light_load_is_no_load():
    light, none = LoadedBandPass(10.0, 1e9, 1e-6, 1e-12), BandPass(10.0, 1e9, 1e-6, 1e-12)
    np.testing.assert_allclose(light.response(FREQUENCIES).detach(), none.response(FREQUENCIES).detach(), rtol=1e-5)
    heavy, none = LoadedBandPass(1000.0, 1000.0), BandPass(1000.0, 1000.0)
    middle = 1 / (2 * math.pi * 1e-3)
    assert heavy(middle).item() == pytest.approx(1 / 3, rel=1e-12)
    assert none(middle).item() == pytest.approx(1 / 2, rel=1e-12)


def test_the_corners_of_the_loaded_band_pass_are_its_poles():
    values = (39.789, 159.155, 1e-6, 2e-6)
    R_low, R_high, C_low, C_high = values
    low, high = R_low * C_low, R_high * C_high
    poles = -np.roots([low * high, low + high + R_low * C_high, 1]) / (2 * np.pi)
    corners = LoadedBandPass(*values).cutoffs()
    assert corners["low_pass"].item() == pytest.approx(max(poles), rel=1e-12)
    assert corners["high_pass"].item() == pytest.approx(min(poles), rel=1e-12)


@pytest.mark.parametrize("kind, name", [(LowPass, "cutoff"), (HighPass, "cutoff")])
def test_the_corner_is_where_half_the_power_passes(kind, name):
    circuit = kind(R=torch.tensor([10.0, 1e4]))
    corner = circuit.cutoffs()[name]
    torch.testing.assert_close(circuit(corner.unsqueeze(-1)), torch.full((2, 1), 0.5**0.5), rtol=1e-6, atol=0)


# FACTS of the color organ: resistor for a corner with one microfarad
CORNERS = [(800.0, 198.944), (4000.0, 39.789), (1000.0, 159.155), (5000.0, 31.831)]


@pytest.mark.parametrize("corner, R", CORNERS)
def test_the_resistors_of_the_color_organ(corner, R):
    assert LowPass(R=R).cutoffs()["cutoff"].item() == pytest.approx(corner, rel=2e-5)
    assert OHM.low <= R <= OHM.high
