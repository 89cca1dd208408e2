"""Engineering notation: a table of what is read, a table of what is refused, and the way back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuits import notation
from circuits.errors import NotationError

READ = {
    "4700": 4700.0,
    "4.7e3": 4.7e3,
    "4.7k": 4.7e3,
    "4.7 k": 4.7e3,
    "4.7 kΩ": 4.7e3,
    "4.7kohm": 4.7e3,
    "4.7 kOhms": 4.7e3,
    "4.7 k\u2126": 4.7e3,
    "10K": 10e3,
    "4k7": 4.7e3,
    "4k7Ω": 4.7e3,
    "R47": 0.47,
    "0R22": 0.22,
    "470R": 470.0,
    "2u2": 2.2e-6,
    "2µ2": 2.2e-6,
    "2μ2": 2.2e-6,
    "1M5": 1.5e6,
    "1Meg": 1e6,
    "1meg": 1e6,
    "1m": 1e-3,
    "1M": 1e6,
    "100n": 100e-9,
    "3n3F": 3.3e-9,
    "33pF": 33e-12,
    "1 MHz": 1e6,
    "1 mH": 1e-3,
    "-3 dB": -3.0,
    "−3 dB": -3.0,
    ".5": 0.5,
    "5.": 5.0,
    "  1u ": 1e-6,
    "2G": 2e9,
    "1f": 1e-15,
    "1T": 1e12,
    "5s": 5.0,
    "2V": 2.0,
}

REFUSED = (
    [
        "",
        " ",
        "k",
        "R",
        "Ω",
        "nan",
        "inf",
        "1_000",
        "1,000",
        "4,7k",
        "1e3k",
        "k47",
        "n47",
        "4.7k7",
        "4k7k",
        "4kk",
    ]
    + [
        "4R7k",
        "4k7R",
        "10x",
        "5%",
        "1 2",
        "1m eg",
        "4 k7",
        "4k 7",
        "٤k",
        "0x10",
        "1e",
        "--1",
        "1e999",
        "1kk",
        "1..2",
    ]
    + ["1MEg", "100nf", "1 uv", "4.7k\n5"]
)


@pytest.mark.parametrize("text", READ)
def test_reads_what_engineers_write(text):
    assert notation.parse(text) == READ[text]


@pytest.mark.parametrize("text", REFUSED)
def test_refuses_anything_else_and_shows_it(text):
    with pytest.raises(NotationError, match=r"(?s)^.*(like 4700, 4\.7e3|too large).*$") as caught:
        notation.parse(text)
    assert repr(text) in str(caught.value)


def test_what_is_no_text_is_refused():
    with pytest.raises(NotationError, match="cannot read 4700 as a value"):
        notation.parse(4700)


@pytest.mark.parametrize(
    ("text", "unit"),
    [("1kΩ", "Ω"), ("1kΩ", "\u2126"), ("1 kohm", "Ω"), ("R47", "Ω"), ("1khz", "Hz"), ("1u", "F")],
)
def test_the_expected_unit_or_none_is_accepted(text, unit):
    assert notation.parse(text, unit) > 0


@pytest.mark.parametrize(
    ("text", "unit", "stated"),
    [("1uF", "Ω", "F"), ("4R7", "F", "Ω"), ("470R", "Hz", "Ω"), ("1 Hz", "H", "Hz")],
)
def test_another_unit_is_refused_by_name(text, unit, stated):
    with pytest.raises(NotationError, match=f"{text!r} is in {stated}, expected {unit}"):
        notation.parse(text, unit)


@pytest.mark.parametrize("prefix, exponent", [("p", -12), ("n", -9), ("u", -6), ("m", -3), ("k", 3), ("M", 6)])
@given(whole=st.integers(0, 9999), part=st.integers(0, 9999))
def test_the_number_is_the_nearest_double(prefix, exponent, whole, part):
    assert notation.parse(f"{whole}.{part}{prefix}") == float(f"{whole}.{part}e{exponent}")
    assert notation.parse(f"{whole}{prefix}{part}") == float(f"{whole}.{part}e{exponent}")


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (4700.0, "Ω", "4.7 kΩ"),
        (198.944, "Ω", "198.9 Ω"),
        (1e-7, "F", "100 nF"),
        (2.2e-6, "F", "2.2 µF"),
        (1e6, "", "1M"),
        (999.94, "Ω", "999.9 Ω"),
        (999.96, "Ω", "1 kΩ"),
        (0.0, "Ω", "0 Ω"),
        (-1500.0, "V", "-1.5 kV"),
        (0.5, "Ω", "500 mΩ"),
        (-3.0103, "dB", "-3.01 dB"),
        (12345.0, "dB", "12340 dB"),
        (45.0, "°", "45 °"),
        (1e-17, "F", "1e-17 F"),
        (1e16, "Ω", "1e+16 Ω"),
        (math.nan, "Ω", "nan Ω"),
        (-math.inf, "Ω", "-inf Ω"),
    ],
)
def test_writes_as_engineers_do(value, unit, shown):
    assert notation.format(value, unit) == shown


@given(st.floats(min_value=1e-15, max_value=9e14), st.sampled_from(["", "Ω", "F", "Hz"]))
def test_what_is_written_in_full_is_read_back(value, unit):
    assert notation.parse(notation.format(value, unit, digits=17)) == pytest.approx(value, rel=1e-15)


@given(st.floats(min_value=1e-15, max_value=9e14), st.integers(1, 10))
def test_rounding_stays_within_half_of_the_last_digit(value, digits):
    assert notation.parse(notation.format(value, "Ω", digits)) == pytest.approx(
        value, rel=0.5000001 * 10 ** (1 - digits)
    )


@pytest.mark.parametrize(
    ("value", "error", "unit", "shown"),
    [
        (198.944, 0.1234, "Ω", "198.94 ± 0.12 Ω"),
        (4700.0, 12.0, "Ω", "4.700 ± 0.012 kΩ"),
        (1e-6, 9.96e-9, "F", "1.000 ± 0.010 µF"),
        (999.999, 0.2, "Ω", "1.00000 ± 0.00020 kΩ"),
        (999.99, 0.2, "Ω", "999.99 ± 0.20 Ω"),
        (500.0, 234.0, "Ω", "500 ± 230 Ω"),
        (5.0, 1e5, "Ω", "0 ± 100 kΩ"),
        (0.0, 1.3, "Ω", "0.0 ± 1.3 Ω"),
        (-3.0, 0.1, "dB", "-3.00 ± 0.10 dB"),
        (4700.0, -12.0, "Ω", "4.700 ± 0.012 kΩ"),
        (1234.5, 1.0, "", "1234.5 ± 1.0"),
        (4700.0, 0.0, "Ω", "4.7 ± 0 kΩ"),
        (4700.0, math.nan, "Ω", "4.7 ± nan kΩ"),
        (4700.0, math.inf, "Ω", "4.7 ± inf kΩ"),
        (math.nan, 1.0, "Ω", "nan ± 1 Ω"),
        (1e-6, 3e-20, "F", "1 ± 3e-14 µF"),
        (1e20, 1e18, "Ω", "1.000e+20 ± 1.0e+18 Ω"),
    ],
)
def test_the_error_sets_the_digits(value, error, unit, shown):
    assert notation.format_with_error(value, error, unit) == shown


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(), st.sampled_from(["", "Ω", "dB"]))
def test_any_two_numbers_can_be_written(value, error, unit):
    assert "±" in notation.format_with_error(value, error, unit)
    assert notation.format(value, unit)
