"""Any table with a header that names a frequency: a student's CSV, a spreadsheet's export."""

from __future__ import annotations

from circuits.data.interpretation import interpret
from circuits.data.measurements import Measurements
from circuits.data.naming import AS_NAMED, Naming
from circuits.data.tabular import tabulate


def recognise(text: str) -> bool:
    """Take every text; what is no table is refused by `parse`."""
    return True


def parse(text: str, quantity: str | None = None, naming: Naming = AS_NAMED) -> Measurements:
    r"""Read a table.

    Raises:
        DataError: no frequency column, nothing measured, text in a number column, a label of a third state.
        FrequencyError: a frequency that is not positive and finite.

    >>> parse("f / kHz; Pegel (dB)\n2; -6,0\n1; -3,0\n").understood.split("; ")[2:]
    ['semicolon-separated, decimal comma', 'sorted by frequency']
    """
    table = tabulate(text, naming.columns.get("frequency"))
    return interpret(table, naming.meanings(table), quantity)
