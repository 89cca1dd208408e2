"""Numbers with SPICE's suffixes: `10k`, `4.7kOhm`, `100nF`, `1meg` is a million and `1M` a thousandth."""

from __future__ import annotations

import math
import re

_EXPONENTS = {"t": 12, "g": 9, "k": 3, "m": -3, "u": -6, "µ": -6, "μ": -6, "n": -9, "p": -12, "f": -15}
_NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eEdD]([+-]?[0-9]+))?")
_UNIT = re.compile(r"(?:[^\W\d_Μ]|[Ω°])*")  # but for the capital of μ, which looks like an M
_MIL = 25.4e-6


def numeral(text: str) -> float | None:
    """The value of a number as it stands on a card, or None where the text is no number.

    The first letters are a suffix in either case, `f p n u µ m k meg g t` or `mil`, and further letters a unit that
    counts for nothing. No rounding is added by a multiplication: `4.7k` is `float("4.7e3")`.

    Raises:
        ValueError: what ngspice would read as another number than it looks like (`4k7` as 4000), or a number too large
            or too small to hold.

    >>> numeral("10kOhm"), numeral("1MEG"), numeral("1M"), numeral("100nF"), numeral("1mil"), numeral("Rf")
    (10000.0, 1000000.0, 0.001, 1e-07, 2.54e-05, None)
    >>> numeral("4k7")
    Traceback (most recent call last):
    ValueError: '4k7' is no number here: '7' follows it; write the decimal point, as in 4.7k
    """
    match = _NUMBER.match(text)
    if match is None:
        return None
    rest = text[match.end() :]
    unit = _UNIT.match(rest)
    wrong = rest[unit.end() :] if unit else rest
    if wrong:
        is_mark = wrong != rest and wrong[0].isdigit()
        todo = f"write the decimal point, as in 4.7{rest[0]}" if is_mark else "put an expression in braces"
        raise ValueError(f"{text[:40]!r} is no number here: {wrong[:40]!r} follows it; {todo}")
    return value_of(match[1], match[2] or "0", rest, text)


def value_of(mantissa: str, power: str, suffix: str, text: str) -> float:
    """The value of a mantissa, a power of ten and a suffix with its unit; `text` is what an error shows.

    Raises:
        ValueError: a number too large or too small to hold.

    >>> value_of("4.7", "0", "kOhm", "4.7kOhm")
    4700.0
    """
    lowered = suffix[:3].lower()
    exponent = 6 if lowered == "meg" else _EXPONENTS.get(lowered[:1], 0)
    if lowered == "mil":
        exponent = 0
    value = math.inf if len(power) > 6 else float(f"{mantissa}e{int(power) + exponent}")
    if lowered == "mil":
        value *= _MIL
    if not math.isfinite(value) or (value == 0 and mantissa.strip("+-0.")):
        raise ValueError(f"{text[:40]!r} is beyond what a number can hold; expected 1e-300 to 1e300 or zero")
    return value
