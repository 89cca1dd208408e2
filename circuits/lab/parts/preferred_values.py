"""The values that parts are sold in: the series E3 to E192 of IEC 60063, with the tolerance each is meant for."""

from __future__ import annotations

import math
from bisect import bisect_left

from circuits.errors import OptionError, UnknownName

TOLERANCES = {"E3": 0.4, "E6": 0.2, "E12": 0.1, "E24": 0.05, "E48": 0.02, "E96": 0.01, "E192": 0.005}
"""Relative tolerance that a series is meant for, by its name; the standard only says "over 20 %" of E3."""

# The standard rounds the lower series by hand: 10^(i/24) is not always what is written here.
_E24 = (10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30, 33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91)
_EXCEPTIONS = {919: 920}  # in E192, by the standard


def hundredths(series: str) -> tuple[int, ...]:
    """One decade of a series, 100 to 999, as whole hundredths: what all decades are powers of ten of.

    The first 24 numbers are a table, of which E12, E6 and E3 take every second, fourth and eighth; E48, E96 and E192
    are 10^(i/n) rounded to two decimals, with 9.20 for 9.19 in E192.

    Raises:
        UnknownName: no such series.

    Reference: IEC 60063:2015, Preferred number series for resistors and capacitors.

    >>> hundredths("E6")
    (100, 150, 220, 330, 470, 680)
    >>> len(hundredths("E192")), 920 in hundredths("E192")
    (192, True)
    """
    if series not in TOLERANCES:
        raise UnknownName("series", series, TOLERANCES)
    n = int(series[1:])
    if n <= 24:
        return tuple(10 * number for number in _E24[:: 24 // n])
    rounded = (round(100 * 10 ** (i / n)) for i in range(n))
    return tuple(_EXCEPTIONS.get(number, number) for number in rounded)


def series_values(series: str, low: float, high: float) -> list[float]:
    """Every value of a series from `low` to `high`, both included, in rising order.

    Args:
        series: "E3", "E6", "E12", "E24", "E48", "E96" or "E192".
        low, high: in any unit, positive.

    Raises:
        UnknownName: no such series. OptionError: a range that is none.

    >>> series_values("E3", 10.0, 1000.0)
    [10.0, 22.0, 47.0, 100.0, 220.0, 470.0, 1000.0]
    """
    if not 0 < low <= high < math.inf:
        raise OptionError(f"values from {low:g} to {high:g}; expected 0 < low <= high, both finite")
    decade = hundredths(series)
    powers = range(math.floor(math.log10(low)) - 1, math.floor(math.log10(high)) + 2)
    # built as text, so that 4.7e-6 is the number that a person writes
    values = [float(f"{number}e{power - 2}") for power in powers for number in decade]
    return [value for value in values if low <= value <= high]


def nearest_preferred(value: float, series: str) -> float:
    """The value of a series that is nearest in ratio, which is how a response sees it.

    Raises:
        UnknownName: no such series. OptionError: a value that is not positive and finite.

    >>> nearest_preferred(198.9, "E12"), nearest_preferred(198.9, "E96")
    (180.0, 200.0)
    """
    if not 0 < value < math.inf:
        raise OptionError(f"no preferred value is near {value:g}; expected a positive, finite value")
    around = series_values(series, value / 10, value * 10)
    at = bisect_left(around, value)
    return min(around[max(at - 1, 0) : at + 1], key=lambda near: abs(math.log(near / value)))
