"""Room EQ Wizard: lines that begin with `*`, the header too; then tabs, commas or blanks."""

from __future__ import annotations

import re

from circuits.data.exports import header_line, tabulate_below
from circuits.data.interpretation import Source, interpret
from circuits.data.measurements import Measurements
from circuits.data.naming import AS_NAMED, Naming

_NAME = "Room EQ Wizard"
_LEVEL = "the level is a sound pressure, so its gain is known up to a constant factor"
_HEADER = re.compile(r"\*\s*Freq(uency)? ?\(Hz\)[\s,;]+SPL ?\(dB[^)]*\)", re.IGNORECASE)


def recognise(text: str) -> bool:
    """Whether there is the header `* Freq(Hz), SPL(dB)`.

    >>> recognise("* Freq(Hz), SPL(dB), Phase(degrees)"), recognise("f,gain")
    (True, False)
    """
    return header_line(text, _HEADER) is not None


def parse(text: str, quantity: str | None = None, naming: Naming = AS_NAMED) -> Measurements:
    """Read level and phase; a sound pressure is a gain up to a constant.

    Raises:
        DataError: rows that do not fit the header.
    """
    table = tabulate_below(text, _HEADER)
    return interpret(table, naming.meanings(table), quantity, Source(_NAME, [_LEVEL], ratio=_LEVEL))
