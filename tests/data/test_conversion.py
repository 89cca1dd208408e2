"""One quantity as another: against closed forms and scatter, and what cannot be had."""

from __future__ import annotations

import math

import pytest
import torch

from circuits.data import Measurements
from circuits.errors import DataError, UnknownName

H = torch.tensor([0.6 - 0.8j, -0.1j, 2.0 + 0j], dtype=torch.complex128)
SIGMA = torch.tensor([0.01, 0.002, 0.1], dtype=torch.float64)
MAGNITUDE = torch.tensor([1.0, 0.1, 2.0], dtype=torch.float64)
DECIBELS = torch.tensor([0.0, -20.0, 20 * math.log10(2)], dtype=torch.float64)
PER_NEPER, PER_RADIAN = 20 / math.log(10), 180 / math.pi
CONVERSIONS = [
    ("response", H, "magnitude", MAGNITUDE, SIGMA),
    ("response", H, "decibels", DECIBELS, PER_NEPER * SIGMA / MAGNITUDE),
    (
        "response",
        H,
        "phase",
        math.degrees(1) * torch.tensor([math.atan2(-0.8, 0.6), -math.pi / 2, 0.0]).double(),
        PER_RADIAN * SIGMA / MAGNITUDE,
    ),
    ("magnitude", MAGNITUDE, "decibels", DECIBELS, PER_NEPER * SIGMA / MAGNITUDE),
    ("decibels", DECIBELS, "magnitude", MAGNITUDE, SIGMA * MAGNITUDE / PER_NEPER),
]


@pytest.mark.parametrize(("source", "values", "target", "expected", "sigma"), CONVERSIONS)
def test_conversion(source, values, target, expected, sigma):
    f = [1.0, 2.0, 3.0]
    data = Measurements(f, source, values, SIGMA, (), {"who": "Ana"}, "said").as_quantity(target)
    assert data.quantity == target
    torch.testing.assert_close(data.values, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(data.sigma, sigma, rtol=1e-12, atol=0.0)
    assert (data.meta, data.understood) == ({"who": "Ana"}, "said")
    assert Measurements(f, source, values).as_quantity(target).sigma is None


@pytest.mark.parametrize("target", ["magnitude", "decibels", "phase"])
def test_sigma_is_what_a_thousand_noisy_responses_scatter_by(target):
    noise = torch.randn(20_000, 3, dtype=torch.complex128, generator=torch.Generator().manual_seed(1))
    small = 0.01 * MAGNITUDE
    noisy = Measurements([1.0, 2, 3], "response", H + math.sqrt(2) * small * noise).as_quantity(target)
    claimed = Measurements([1.0, 2, 3], "response", H, small).as_quantity(target).sigma
    torch.testing.assert_close(noisy.values.std(0), claimed, rtol=0.03, atol=0.0)


def test_a_conversion_to_itself_changes_nothing():
    data = Measurements([1.0], "led", [1.0])
    assert data.as_quantity("led") is data


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("magnitude", "phase", "from magnitude alone decibels can be had"),
        ("magnitude", "response", "from magnitude alone decibels can be had"),
        ("phase", "magnitude", "from phase alone nothing else can be had"),
        ("led", "magnitude", "from led alone nothing else"),
        ("response", "led", "magnitude or decibels or phase can be had"),
    ],
)
def test_a_conversion_that_needs_more_than_was_measured(source, target, said):
    with pytest.raises(DataError, match=said):
        Measurements([1.0], source, [1.0]).as_quantity(target)


@pytest.mark.parametrize("value", [0.0, -0.5])
def test_no_decibels_without_a_positive_magnitude(value):
    with pytest.raises(DataError, match=f"1 of 2 values have no decibels, such as magnitude {value:g}"):
        Measurements([1.0, 2.0], "magnitude", [1.0, value]).as_quantity("decibels")


def test_an_unknown_conversion():
    with pytest.raises(UnknownName, match="no quantity 'dB'; known: response"):
        Measurements([1.0], "magnitude", [1.0]).as_quantity("dB")
