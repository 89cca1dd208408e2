"""Files that `Measurements.to_csv` wrote: an exact description, then a table anyone can read."""

from __future__ import annotations

import json
from dataclasses import replace

import torch

from circuits.data import text as lines_of
from circuits.data.conversion import QUANTITIES
from circuits.data.measurements import Measurements
from circuits.data.naming import AS_NAMED, Naming, refuse
from circuits.data.writing import MARK
from circuits.errors import DataError


def recognise(text: str) -> bool:
    """Whether the first line is a description that can still be read and our header stands below it.

    If not, somebody edited the file, and it is read as any other table.

    >>> recognise("# measurements by ohmgrad {"), recognise("frequency_hz,magnitude")
    (False, False)
    """
    return _description(text) is not None


def parse(text: str, quantity: str | None = None, naming: Naming = AS_NAMED) -> Measurements:
    """Read the description and the rows below it; another quantity is left to the caller.

    Raises:
        DataError: rows that do not fit the description.
        OptionError: roles or units given by hand.
    """
    refuse(naming, "file that Measurements.to_csv wrote")
    said = _description(text)
    if said is None:
        raise DataError("the first line is not the description that Measurements.to_csv writes")
    parts = 2 if said["quantity"] == "response" else 1
    k = max(len(said["outputs"]), 1)
    width = 1 + k * (parts + said["sigma"])
    found = [line for line in lines_of.lines(text) if not line.mark][1:]
    rows = torch.tensor([_row(line, width) for line in found], dtype=torch.float64).reshape(-1, width)
    table = rows[:, 1:].T.reshape(k, parts + said["sigma"], len(rows))
    values = torch.complex(table[:, 0], table[:, 1]) if parts == 2 else table[:, 0]
    sigma = table[:, -1] if said["sigma"] else None
    outputs = tuple(said["outputs"])
    if not outputs:
        values, sigma = values[0], None if sigma is None else sigma[0]
    read = Measurements(rows[:, 0], said["quantity"], values, sigma, outputs, said["meta"]).sorted()
    return replace(read, understood=f"{read.describe()}; as written by Measurements.to_csv")


def _description(text: str) -> dict | None:
    """The first line as a dictionary of the expected kinds, or None."""
    first, _, rest = text.partition("\n")
    if not (first.startswith(MARK) and rest.startswith("frequency_hz,")):
        return None
    try:
        said = json.loads(first[len(MARK) :])
    except (ValueError, RecursionError):
        return None
    kinds = {"quantity": str, "outputs": list, "sigma": bool, "meta": dict}
    if not isinstance(said, dict) or any(not isinstance(said.get(key), kind) for key, kind in kinds.items()):
        return None
    return said if said["quantity"] in QUANTITIES else None


def _row(line: lines_of.Line, width: int) -> list[float]:
    cells = lines_of.split(line.text, ",")
    if len(cells) != width:
        raise DataError(f"line {line.number}: {len(cells)} cells; the first line of the file describes {width}")
    return [_number(cell, line.number) for cell in cells]


def _number(cell: str, line: int) -> float:
    value = lines_of.number(cell)
    if value is None and not lines_of.missing(cell):
        raise DataError(f"line {line}: text {cell!r}; expected a number, or nothing where a value is missing")
    return float("nan") if value is None else value
