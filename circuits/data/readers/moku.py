"""Liquid Instruments Moku, frequency response analyser: every line above the rows begins with `%`, the header too."""

from __future__ import annotations

import re

from circuits.data.exports import header_line, tabulate_below
from circuits.data.interpretation import Source, interpret
from circuits.data.measurements import Measurements
from circuits.data.naming import AS_NAMED, Naming
from circuits.data.tabular import Table

_NAME = "Moku frequency response analyser"
_HEADER = re.compile(r"%\s*Frequency ?\(Hz\)\s*[,;\t]\s*Channel [A-Z0-9]+ (Magnitude|Phase)", re.IGNORECASE)


def recognise(text: str) -> bool:
    """Whether there is a header of lettered channels behind `% Frequency (Hz)`.

    >>> recognise("% Frequency (Hz), Channel A Magnitude (dBm), Channel A Phase (deg)"), recognise("f,gain")
    (True, False)
    """
    return header_line(text, _HEADER) is not None


def parse(text: str, quantity: str | None = None, naming: Naming = AS_NAMED) -> Measurements:
    """Read every channel; its level is a ratio whether the header says dB or dBm.

    Raises:
        DataError: rows that do not fit the header.
    """
    table = tabulate_below(text, _HEADER)
    return interpret(table, naming.meanings(table), quantity, Source(_NAME, _notes(table)))


def _notes(table: Table) -> list[str]:
    """What is doubtful of levels in dBm."""
    if not any("dbm" in name.lower() for name in table.names):
        return []
    return ["levels labelled dBm are read as the ratio in dB that this analyser writes under that name"]
