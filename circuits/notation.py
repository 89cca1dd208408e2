"""Values as engineers write them: `4.7k`, `4k7`, `R47`, `100n`, `1M5` in; `4.7 kΩ`, `198.94 ± 0.12 Ω` out."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_EVEN, Decimal

from circuits.errors import NotationError

_EXPONENTS = {"f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12}
_ACCEPTED = {**_EXPONENTS, "K": 3, "Meg": 6, "meg": 6, "MEG": 6}
_PREFIX_OF = {exponent: prefix for prefix, exponent in _EXPONENTS.items() if prefix != "u"}
_UNPREFIXED = ("dB", "°", "%")  # a millidecibel or a kilodegree helps nobody
_READABLE = range(-5, 9)  # leading digits written out in full where there is no prefix to take
_UNITS = r"Ω|[Oo]hms?|OHMS?|F|H|V|s|dB|[Hh]z|HZ"
_PREFIX = r"[fpnuµmkKMGT]|Meg|meg|MEG"
_WHOLE = re.compile(
    rf"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:(?P<power>[eE][+-]?[0-9]+)|\s*(?P<prefix>{_PREFIX})"
    rf"(?![0-9]))?\s*(?P<unit>R|{_UNITS})?"
)
_INFIX = re.compile(rf"(?P<sign>[+-]?)(?P<left>[0-9]+)(?P<mark>[fpnuµmkKMGT]|R)(?P<right>[0-9]+)(?P<unit>{_UNITS})?")
_LEADING = re.compile(r"(?P<sign>[+-]?)(?P<left>)(?P<mark>R)(?P<right>[0-9]+)(?P<unit>Ω|[Oo]hms?|OHMS?)?")
# one code point each for micro, ohm and minus, whichever of the look-alikes the keyboard gave
_LOOKALIKES = str.maketrans({"μ": "µ", "\u2126": "Ω", "−": "-", "\u00a0": " ", "\u202f": " "})


def parse(text: str, unit: str | None = None) -> float:
    """Read a value in engineering notation and return it in its SI unit.

    The grammar is closed: a decimal number with an exponent (`4.7e3`) or a prefix (`4.7k`, `100n`, `1Meg`),
    or the prefix in the place of the decimal point (`4k7`, `2u2`, `0R22`, `R47`), then possibly a unit. `m`
    is milli and `M` is mega. The number is built as `float("4.7e3")`, so no rounding is added by a
    multiplication.

    Args:
        text: what was typed.
        unit: the unit that the value must have, if the text states one at all; None accepts any.

    Raises:
        NotationError: the text is not a finite value in this grammar, or is stated in another unit.

    >>> parse("4k7"), parse("4.7 kΩ"), parse("100n"), parse("R47"), parse("1Meg")
    (4700.0, 4700.0, 1e-07, 0.47, 1000000.0)
    >>> parse("100nF", unit="Ω")
    Traceback (most recent call last):
    circuits.errors.NotationError: '100nF' is in F, expected Ω; write the number alone or with that unit
    """
    cleaned = text.strip().translate(_LOOKALIKES) if isinstance(text, str) else ""
    match = _WHOLE.fullmatch(cleaned) or _INFIX.fullmatch(cleaned) or _LEADING.fullmatch(cleaned)
    if match is None:
        hint = "; the decimal mark is a point" if "," in cleaned else ""
        raise NotationError(
            f"cannot read {text!r} as a value{hint}; write it like 4700, 4.7e3, 4.7k, 4k7, R47, 100n or 1Meg"
        )
    part = match.groupdict(default="")
    value = float(_as_float_text(part))
    if not math.isfinite(value):
        raise NotationError(f"{text!r} is too large to hold; expected a finite value")
    _check_unit(text, part, unit)
    return value


def format(value: float, unit: str = "", digits: int = 4) -> str:
    """Write a value with an engineering prefix, to `digits` significant digits without trailing zeros.

    Args:
        value: in the SI unit.
        unit: its symbol; dB, ° and % take no prefix. Without a unit the prefix follows the number directly.
        digits: significant digits, at least 1.

    >>> format(4700.0, "Ω"), format(1e-7, "F"), format(999.97, "Hz"), format(-3.0103, "dB"), format(1500.0)
    ('4.7 kΩ', '100 nF', '1 kHz', '-3.01 dB', '1.5k')
    """
    value = float(value)
    if not math.isfinite(value):
        return _join(str(value), "", unit)
    rounded = Decimal(f"{value:.{max(int(digits), 1) - 1}e}")
    exponent = _engineering_exponent(rounded, unit)
    if exponent is None:
        return _join(f"{value:.{max(int(digits), 1)}g}", "", unit)
    return _join(_plain(rounded.scaleb(-exponent)), _PREFIX_OF[exponent], unit)


def format_with_error(value: float, error: float, unit: str = "") -> str:
    """Write `value ± error unit`, the error to two significant digits and the value to the same place.

    Both share one prefix, that of the larger; without a unit there is none. An error that is zero, not
    finite, or smaller than the twelfth digit of the value is written beside a value of six digits (ten,
    when the error is that small).

    Args:
        value: in the SI unit.
        error: one standard deviation, in the same unit.
        unit: its symbol.

    >>> format_with_error(198.9437, 0.1234, "Ω"), format_with_error(1.0004e-6, 2.5e-9, "F")
    ('198.94 ± 0.12 Ω', '1.0004 ± 0.0025 µF')
    >>> format_with_error(4700.0, 996.0, "Ω")
    '4.7 ± 1.0 kΩ'
    """
    value, error = float(value), abs(float(error))
    if not (math.isfinite(value) and math.isfinite(error)) or error == 0.0:
        return _beside_odd_error(value, error, unit, 6)
    if error < 1e-12 * abs(value):
        return _beside_odd_error(value, error, unit, 10)
    spread = Decimal(f"{error:.1e}")
    place = Decimal((0, (1,), spread.adjusted() - 1))
    centre = Decimal(value).quantize(place, ROUND_HALF_EVEN)
    exponent = _engineering_exponent(max(abs(centre), spread), unit or "%")
    if exponent is None:
        return f"{centre:.{max(centre.adjusted() - place.adjusted(), 0)}e} ± {spread:.1e} {unit}".rstrip()
    decimals = max(exponent - place.adjusted(), 0)
    shown = (f"{part.scaleb(-exponent):.{decimals}f}" for part in (centre, spread))
    return _join(" ± ".join(shown), _PREFIX_OF[exponent], unit)


def _as_float_text(part: dict[str, str]) -> str:
    """The text for `float`: digits and a power of ten, joined but never computed."""
    if "mark" in part:
        exponent = 0 if part["mark"] == "R" else _ACCEPTED[part["mark"]]
        return f"{part['sign']}{part['left'] or '0'}.{part['right']}e{exponent}"
    return part["number"] + (part["power"] or f"e{_ACCEPTED[part['prefix']]}")


def _check_unit(text: str, part: dict[str, str], expected: str | None) -> None:
    """Refuse a stated unit that is not the expected one."""
    stated = part["unit"] or ("R" if part.get("mark") == "R" else "")
    if not stated or expected is None:
        return
    stated = "Ω" if stated == "R" or stated.lower().startswith("ohm") else stated
    stated = "Hz" if stated.lower() == "hz" else stated
    if stated != expected.translate(_LOOKALIKES):
        raise NotationError(f"{text!r} is in {stated}, expected {expected}; write the number alone or with that unit")


def _engineering_exponent(rounded: Decimal, unit: str) -> int | None:
    """The multiple of three below the leading digit, or None where no prefix exists."""
    if rounded == 0:
        return 0
    if unit in _UNPREFIXED:
        return 0 if rounded.adjusted() in _READABLE else None
    exponent = 3 * math.floor(rounded.adjusted() / 3)
    return exponent if exponent in _PREFIX_OF else None


def _beside_odd_error(value: float, error: float, unit: str, digits: int) -> str:
    """A value whose error cannot set its digits; the error stays in the value's own prefix."""
    number, _, symbol = format(value, unit or "%", digits).partition(" ")
    prefix = symbol[: len(symbol) - len(unit or "%")]
    scaled = error / 10.0 ** _EXPONENTS[prefix]
    return _join(f"{number} ± {scaled:.2g}", prefix, unit)


def _plain(number: Decimal) -> str:
    """Digits without an exponent and without trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _join(number: str, prefix: str, unit: str) -> str:
    return f"{number} {prefix}{unit}" if unit else f"{number}{prefix}"
