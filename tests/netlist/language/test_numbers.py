"""Numbers on cards: SPICE's suffixes, and what ngspice itself reads."""

from __future__ import annotations

import pytest

from circuits.netlist.language.numerals import numeral
from netlist.language.spice import numbers

READ = {
    "0": 0.0,
    "1k": 1e3,
    "1K": 1e3,
    "4.7k": 4700.0,
    "1meg": 1e6,
    "1MEG": 1e6,
    "1Meg": 1e6,
    "1mEgohm": 1e6,
    "1M": 1e-3,
    "1m": 1e-3,
    "1me": 1e-3,
    "1mil": 25.4e-6,
    "10MIL": 254e-6,
    "1u": 1e-6,
    "1µ": 1e-6,
    "10µF": 10e-6,
    "10kOhm": 10e3,
    "100nF": 100e-9,
    "1F": 1e-15,  # a farad is written 1
    "1T": 1e12,
    "1G": 1e9,
    "1p": 1e-12,
    "5V": 5.0,
    "1a": 1.0,
    "1e3": 1e3,
    "1d3": 1e3,
    "1e-3k": 1.0,
    "1e3meg": 1e9,
    "+5": 5.0,
    "-.5": -0.5,
    "5.": 5.0,
    "00012": 12.0,
    "1kk": 1e3,
    "1x": 1.0,
}
NOT_NUMBERS = ["", "R1", "k1", "-", "+", ".", "e3", "inf", "nan", "--5", "+-5", "{1}"]
MISREAD = [
    "4k7",
    "1R5",
    "1.5.5",
    "0x10",
    "1k5",
    "1e3.5",
    "2*3",
    "1e400",
    "1e-400",
    "1_k",
    "5%",
    "1e99999999999999999999",
]


@pytest.mark.parametrize("text", READ, ids=str)
def test_a_number_is_read(text: str):
    assert numeral(text) == pytest.approx(READ[text], rel=1e-15)


def test_no_rounding_is_added():
    assert (numeral("4.7k"), numeral("0.1u"), numeral("100n")) == (4700.0, 1e-7, 1e-7)


@pytest.mark.parametrize("text", NOT_NUMBERS, ids=repr)
def test_what_is_no_number_is_a_name(text: str):
    assert numeral(text) is None


@pytest.mark.parametrize("text", MISREAD, ids=repr)
def test_what_ngspice_would_misread_is_an_error(text: str):
    with pytest.raises(ValueError, match="is no number here|is beyond"):
        numeral(text)


def test_the_greek_letter_is_micro_too():
    assert numeral("1μ") == 1e-6  # ngspice 39 reads 1 and says nothing


def test_ngspice_reads_the_same():
    found = numbers(list(READ))
    wrong = {t: v for (t, ours), v in zip(READ.items(), found, strict=True) if v != pytest.approx(ours, rel=1e-14)}
    assert wrong == {}
