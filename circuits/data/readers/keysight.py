"""Keysight oscilloscopes, frequency response analysis: numbered rows below a header that begins with `#`."""

from __future__ import annotations

import re

from circuits.data.exports import header_line, tabulate_below
from circuits.data.interpretation import Source, interpret
from circuits.data.measurements import Measurements
from circuits.data.naming import AS_NAMED, Naming

_NAME = "Keysight frequency response analysis"
_HEADER = re.compile(r"#\s*[,;\t]\s*Frequency ?\(Hz\)\s*[,;\t]\s*Amplitude", re.IGNORECASE)


def recognise(text: str) -> bool:
    """Whether there is a header that begins with `#, Frequency (Hz), Amplitude`.

    >>> recognise("#, Frequency (Hz), Amplitude (Vpp), Gain (dB), Phase (°)"), recognise("f,gain")
    (True, False)
    """
    return header_line(text, _HEADER) is not None


def parse(text: str, quantity: str | None = None, naming: Naming = AS_NAMED) -> Measurements:
    """Read gain and phase; the amplitude is that of the generator.

    Raises:
        DataError: rows that do not fit the header.
    """
    table = tabulate_below(text, _HEADER)
    return interpret(table, naming.meanings(table), quantity, Source(_NAME))
