"""PicoScope frequency response analyser: the logarithm of the frequency, gain and phase."""

from __future__ import annotations

import re

import numpy as np

from circuits.data.columns import numbers
from circuits.data.exports import as_cells, header_line, tabulate_below, with_column
from circuits.data.interpretation import Source, interpret
from circuits.data.measurements import Measurements
from circuits.data.naming import AS_NAMED, Naming
from circuits.errors import FrequencyError

_NAME = "PicoScope frequency response analyser"
_HEADER = re.compile(r"Frequency Log ?\(Hz\)\s*[,;\t]\s*(Gain|Phase)", re.IGNORECASE)
_LARGEST = 15.0  # a thousand terahertz: no logarithm of a frequency is larger, and many a frequency is


def recognise(text: str) -> bool:
    """Whether there is the header `Frequency Log(Hz), Gain (dB), Phase (deg)`.

    >>> recognise("Frequency Log(Hz), Gain (dB), Phase (deg)"), recognise("f,gain")
    (True, False)
    """
    return header_line(text, _HEADER) is not None


def parse(text: str, quantity: str | None = None, naming: Naming = AS_NAMED) -> Measurements:
    """Read gain and phase at f = 10^x hertz.

    Raises:
        DataError: rows that do not fit the header.
        FrequencyError: an x that is the logarithm of no frequency.
    """
    table = tabulate_below(text, _HEADER)
    name = table.names[0]
    x = numbers(table, 0)
    bad = np.isnan(x) | (np.abs(x) > _LARGEST)
    if bad.any():
        row = int(np.argmax(bad))
        raise FrequencyError(
            f"line {table.numbers[row]}: {table.rows[row][0]!r} in column {name!r}; expected log10 of a frequency in Hz"
        )
    table = with_column(table, "Frequency (Hz)", as_cells(table, (10.0**x).tolist()), instead=name)
    notes = [f"the frequency is 10 to the power of {name!r}"]
    return interpret(table, naming.meanings(table), quantity, Source(_NAME, notes))
