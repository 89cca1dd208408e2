"""Siglent oscilloscopes, Bode plot: a preamble of keys and values, of 27 or 28 rows, then one to three outputs."""

from __future__ import annotations

import re

from circuits.data.exports import header_line, tabulate_below
from circuits.data.interpretation import Source, interpret
from circuits.data.measurements import Measurements
from circuits.data.naming import AS_NAMED, Naming

_NAME = "Siglent Bode plot"
_HEADER = re.compile(r"Frequency ?\(Hz\)\s*[,;\t]\s*CH\d+ (Amplitude|Phase) ?\(", re.IGNORECASE)


def recognise(text: str) -> bool:
    """Whether there is a header of outputs CH1 and so on, with amplitude and phase, beside `Frequency(Hz)`.

    >>> recognise("Frequency(Hz),CH1 Amplitude(dB),CH1 Phase(Deg)"), recognise("f,gain")
    (True, False)
    """
    return header_line(text, _HEADER) is not None


def parse(text: str, quantity: str | None = None, naming: Naming = AS_NAMED) -> Measurements:
    """Read every output; its level is the ratio to the input that the oscilloscope took.

    Raises:
        DataError: rows that do not fit the header.
    """
    table = tabulate_below(text, _HEADER)
    return interpret(table, naming.meanings(table), quantity, Source(_NAME))
