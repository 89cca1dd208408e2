"""Rigol oscilloscopes, Bode plot: five rows of preamble, then gain and a phase in degrees without its unit."""

from __future__ import annotations

import re

from circuits.data.exports import header_line, tabulate_below
from circuits.data.interpretation import Source, interpret
from circuits.data.measurements import Measurements
from circuits.data.naming import AS_NAMED, Naming

_NAME = "Rigol Bode plot"
_HEADER = re.compile(r"Freq ?\(Hz\)\s*[,;\t]\s*Gain ?\(dB\)\s*([,;\t]\s*Phase|$)", re.IGNORECASE)


def recognise(text: str) -> bool:
    """Whether there is the header `Freq(Hz),Gain(dB),Phase`.

    >>> recognise("Freq(Hz),Gain(dB),Phase"), recognise("f,gain")
    (True, False)
    """
    return header_line(text, _HEADER) is not None


def parse(text: str, quantity: str | None = None, naming: Naming = AS_NAMED) -> Measurements:
    """Read gain and phase.

    Raises:
        DataError: rows that do not fit the header.
    """
    table = tabulate_below(text, _HEADER)
    return interpret(table, naming.meanings(table), quantity, Source(_NAME))
