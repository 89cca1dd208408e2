"""The columns of a table as numbers: the frequency, the values, the labels, the uncertainties."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from circuits.data import labels, text
from circuits.data.headers import Meaning, understand
from circuits.data.tabular import ADVICE, Table
from circuits.errors import DataError, FrequencyError


@dataclass(frozen=True)
class Column:
    """One column: what its name means, its numbers in our unit (NaN missing), its uncertainty."""

    meaning: Meaning
    values: np.ndarray
    sigma: np.ndarray | None = None

    @property
    def name(self) -> str:
        """The name in the header."""
        return self.meaning.name


def meanings(table: Table) -> list[Meaning]:
    """What each name in the header means."""
    return [understand(name) for name in table.names]


def axis(table: Table, known: list[Meaning]) -> tuple[int, np.ndarray]:
    """Position of the frequency column and its numbers in hertz.

    Raises:
        DataError: two columns of frequency, or text in it.
        FrequencyError: a frequency that is missing, not positive or not finite.
    """
    index = _axis_index(known)
    meaning = known[index]
    factor = 0.5 / math.pi if meaning.role == "omega" else meaning.factor
    f = factor * numbers(table, index)
    bad = ~(np.isfinite(f) & (f > 0))
    if bad.any():
        row = int(np.argmax(bad))
        raise FrequencyError(
            f"line {table.numbers[row]}: frequency {table.rows[row][index]!r} in column {meaning.name!r}; "
            "expected a positive finite number"
        )
    return index, f


def numbers(table: Table, index: int) -> np.ndarray:
    """A column as numbers, NaN where missing.

    Raises:
        DataError: text where a number should be, with its line.
    """
    return np.array([_number(table, row, index) for row in range(len(table.rows))])


def lights(table: Table, index: int) -> np.ndarray:
    """A column of LED labels as 1 and 0, NaN where missing.

    Raises:
        DataError: a label that is none of the two states, with its line.
    """
    states = [labels.state(cell, table.decimal_comma) for cell in table.column(index)]
    if None in states:
        row = states.index(None)
        raise DataError(
            f"line {table.numbers[row]}: label {table.rows[row][index]!r} in column {table.names[index]!r}; "
            f"expected one of two states: {labels.EXPECTED}"
        )
    return np.array(states, dtype=float)


def uncertainty(table: Table, index: int, of: Meaning, values: np.ndarray, meaning: Meaning) -> np.ndarray:
    """The standard deviations of one column, in the unit of its values.

    Without a unit of its own the column has that of the values; in per cent beside anything else it is
    relative.

    Raises:
        DataError: one that is missing, not positive or in a unit that does not fit.
    """
    own, unit = meaning.unit, of.unit
    relative = own is not None and own.name == "%" and not (unit is not None and unit.name == "%")
    if own is not None and not relative and own.kind != (unit.kind if unit else _KIND.get(of.role, own.kind)):
        raise DataError(
            f"{meaning.name!r} is in {own.name} and {of.name!r} is not; "
            "give both in the same unit, or the uncertainty in %"
        )
    factor = own.factor if own is not None else of.factor
    sigma = numbers(table, index) * (factor * np.abs(values) if relative else factor)
    bad = ~np.isnan(values) & ~(np.isfinite(sigma) & (sigma > 0))
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"line {table.numbers[row]}: uncertainty {table.rows[row][index]!r} in column {meaning.name!r}; "
            "expected a positive number beside every value, or no such column"
        )
    return sigma


_KIND = {
    "decibels": "decibels",
    "phase": "phase",
    "magnitude": "magnitude",
    "real": "magnitude",
    "imag": "magnitude",
}
_KIND |= {"vin": "voltage", "vout": "voltage"}


def is_numeric(table: Table, index: int) -> bool:
    """Whether at least half of what is written in a column is numbers or labels."""
    present = [cell for cell in table.column(index) if not text.missing(cell)]
    good = sum(text.number(cell, table.decimal_comma) is not None or labels.state(cell) is not None for cell in present)
    return bool(present) and good >= 0.5 * len(present)


def is_blank(table: Table, index: int) -> bool:
    """Whether nothing is written in a column."""
    return all(text.missing(cell) for cell in table.column(index))


def _axis_index(known: list[Meaning]) -> int:
    """The one column of frequencies: by its name, else by its unit."""
    every = [i for i, one in enumerate(known) if one.role in ("frequency", "omega") and not one.is_sigma]
    named = [i for i in every if known[i].certain] or every
    if not named:
        raise DataError(f"no frequency column; {ADVICE}")
    if len(named) > 1:
        both = " and ".join(repr(known[i].name) for i in named)
        raise DataError(f"{both} are both frequencies; keep one of these columns")
    return named[0]


def _number(table: Table, row: int, index: int) -> float:
    cell = table.rows[row][index]
    value = text.number(cell, table.decimal_comma)
    if value is None and text.missing(cell):
        return math.nan
    if value is None or not math.isfinite(value):
        mark = "decimal comma" if table.decimal_comma else "decimal point"
        raise DataError(
            f"line {table.numbers[row]}: text {cell!r} in column {table.names[index]!r}; "
            f"expected a number with a {mark}, or nothing where a value is missing"
        )
    return value
