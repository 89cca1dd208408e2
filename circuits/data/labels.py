"""The two states of an LED, as people write them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from circuits.data import text

LIT = frozenset(["on", "true", "yes", "lit", "y", "t"])
DARK = frozenset(["off", "false", "no", "dark", "unlit", "n", "f"])
EXPECTED = "1/0, on/off, true/false, yes/no or lit/dark, blank where missing"


def state(cell: str, decimal_comma: bool = False) -> float | None:
    """Return 1.0 for lit, 0.0 for dark, NaN for missing, None for anything else.

    >>> state("ON"), state("0.0"), state(""), state("maybe")
    (1.0, 0.0, nan, None)
    """
    word = cell.lower()
    if word in LIT or word in DARK:
        return float(word in LIT)
    if text.missing(cell):
        return math.nan
    value = text.number(cell, decimal_comma)
    return value if value in (0.0, 1.0) else None


def look_like_labels(cells: Sequence[str], decimal_comma: bool = False) -> bool:
    """Tell whether cells are meant as labels, even when a few of them are slips of the pen.

    They are when a word for a state is among them; when all are 0 or 1; when all are whole numbers and half
    of them 0 or 1; or when four in five are a plain 0 or 1 and both occur. Ratios rounded to 1.00 do not
    pass.

    >>> look_like_labels(["0", "1", "2"]), look_like_labels(["1", "1", "0.99"])
    (True, False)
    """
    present = [cell for cell in cells if not text.missing(cell)]
    if any(cell.lower() in LIT or cell.lower() in DARK for cell in present):
        return True
    if not present or all(state(cell, decimal_comma) is not None for cell in present):
        return bool(present)
    plain = [cell for cell in present if cell in ("0", "1")]
    whole = all(cell.lstrip("+-").isdigit() for cell in present)
    return len(set(plain)) == 2 and len(plain) >= (0.5 if whole else 0.8) * len(present)
