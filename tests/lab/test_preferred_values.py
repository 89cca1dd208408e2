"""The series against the tables printed in the standard, and the properties that they are made for."""

from __future__ import annotations

import math

import pytest

from circuits.errors import OptionError, UnknownName
from circuits.lab.parts.preferred_values import TOLERANCES, hundredths, nearest_preferred, series_values

E24 = "10 11 12 13 15 16 18 20 22 24 27 30 33 36 39 43 47 51 56 62 68 75 82 91"
E48 = """100 105 110 115 121 127 133 140 147 154 162 169 178 187 196 205 215 226 237 249 261 274 287 301
316 332 348 365 383 402 422 442 464 487 511 536 562 590 619 649 681 715 750 787 825 866 909 953"""
E96 = """100 102 105 107 110 113 115 118 121 124 127 130 133 137 140 143 147 150 154 158 162 165 169 174 178 182 187 191
196 200 205 210 215 221 226 232 237 243 249 255 261 267 274 280 287 294 301 309 316 324 332 340 348 357 365 374 383 392
402 412 422 432 442 453 464 475 487 499 511 523 536 549 562 576 590 604 619 634 649 665 681 698 715 732 750 768 787 806
825 845 866 887 909 931 953 976"""
E192_LAST = "866 876 887 898 909 920 931 942 953 965 976 988"  # with the one that is not rounded


def test_the_tables_of_the_standard():
    assert [number // 10 for number in hundredths("E24")] == [int(n) for n in E24.split()]
    assert list(hundredths("E48")) == [int(n) for n in E48.split()]
    assert list(hundredths("E96")) == [int(n) for n in E96.split()]
    assert list(hundredths("E192"))[-12:] == [int(n) for n in E192_LAST.split()]


def test_the_exception_is_the_only_one():
    off = [n for i, n in enumerate(hundredths("E192")) if n != round(100 * 10 ** (i / 192))]
    assert off == [920]


@pytest.mark.parametrize("series", TOLERANCES)
def test_a_series_has_as_many_values_as_it_says(series: str):
    decade = hundredths(series)
    assert len(decade) == len(set(decade)) == int(series[1:])
    assert decade[0] == 100
    assert list(decade) == sorted(decade)


@pytest.mark.parametrize(
    ("coarse", "fine"), [("E3", "E6"), ("E6", "E12"), ("E12", "E24"), ("E48", "E96"), ("E96", "E192")]
)
def test_each_series_is_every_second_value_of_the_next(coarse: str, fine: str):
    assert hundredths(coarse) == hundredths(fine)[::2]


@pytest.mark.parametrize("series", TOLERANCES)
def test_nothing_is_much_farther_from_a_value_than_the_series_allows(series: str):
    n = int(series[1:])
    ratios = [b / a for a, b in zip(hundredths(series), [*hundredths(series)[1:], 1000], strict=True)]
    # the widest gap is near that of an even series; the lower ones are rounded coarsely
    assert max(ratios) < 10 ** (1 / n) * (1.06 if n <= 24 else 1.01)


def test_values_are_those_that_a_person_writes():
    assert series_values("E6", 4.7e-6, 4.7e-5) == [4.7e-6, 6.8e-6, 1e-5, 1.5e-5, 2.2e-5, 3.3e-5, 4.7e-5]
    assert series_values("E12", 1.0, 9.99e6)[-1] == 8.2e6
    assert len(series_values("E12", 1.0, 9.99e6)) == 84


@pytest.mark.parametrize("value", [1.04, 14.3, 198.944, 9.6e5, 3.1e-9])
@pytest.mark.parametrize("series", TOLERANCES)
def test_the_nearest_is_nearest_in_ratio(value: float, series: str):
    best = min(series_values(series, value / 20, value * 20), key=lambda v: abs(math.log(v / value)))
    assert nearest_preferred(value, series) == best


def test_nearest_at_the_end_of_a_decade():
    assert nearest_preferred(9.7, "E12") == 10.0
    assert nearest_preferred(9.3, "E3") == 10.0


def test_what_cannot_be():
    with pytest.raises(UnknownName, match="no series 'E7'; known: E3, E6, E12"):
        hundredths("E7")
    for low, high in ((0.0, 1.0), (2.0, 1.0), (1.0, math.inf), (math.nan, 1.0)):
        with pytest.raises(OptionError, match="expected 0 < low <= high"):
            series_values("E12", low, high)
    for value in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(OptionError, match="positive, finite"):
            nearest_preferred(value, "E12")
