"""Any table with a header that names a frequency: a student's CSV, a spreadsheet's export."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from circuits.data import assembly, columns
from circuits.data.columns import Column
from circuits.data.measurements import Measurements
from circuits.data.signals import gather
from circuits.data.tabular import tabulate

_UNITS = {"decibels": "dB", "phase": "degrees", "led": "lit or dark", "vin": "volts", "vout": "volts"}


def recognise(text: str) -> bool:
    """Take every text; what is no table is refused by `parse`."""
    return True


def parse(text: str, quantity: str | None = None) -> Measurements:
    r"""Read a table.

    Raises:
        DataError: no frequency column, nothing measured, text in a number column, a label of a third state.
        FrequencyError: a frequency that is not positive and finite.

    >>> parse("f / kHz; Pegel (dB)\n2; -6,0\n1; -3,0\n").understood.split("; ")[2:]
    ['semicolon-separated, decimal comma', 'sorted by frequency']
    """
    table = tabulate(text)
    known = columns.meanings(table)
    index, f = columns.axis(table, known)
    signals = gather(table, known, index, quantity)
    quantity, names = assembly.choose(signals.outputs, quantity)
    parts = [assembly.produce(signals.outputs[name], quantity) for name in names]
    values, sigma, note = assembly.stack(parts)
    outputs = tuple(name or part[2][0].name for name, part in zip(names, parts, strict=True))
    if len(outputs) == 1:
        outputs, values, sigma = (), values[0], None if sigma is None else sigma[0]
    used = [column for part in parts for column in part[2]]
    rising = bool(np.all(np.diff(f) >= 0))
    unit = known[index].unit
    sentence = [
        f"{len(f)} points: frequency from {table.names[index]!r} ({unit.name if unit else 'Hz'})",
        f"{quantity} from {_sources(used)}{', with uncertainty' if sigma is not None else ''}",
        table.layout,
        *signals.notes,
        note or _unused_sigma(used, sigma),
        "" if rising else "sorted by frequency",
        _unused([one for place in signals.outputs.values() for one in place.values()], used, signals.ignored),
    ]
    meta = {"columns": list(table.names), "comments": list(table.comments)}
    understood = "; ".join(filter(None, sentence))
    read = Measurements(torch.from_numpy(f), quantity, values, sigma, outputs, meta, understood)
    return read if rising else read.sorted()


def _sources(used: list[Column]) -> str:
    """The columns that were used, each once, those of one unit together."""
    groups: dict[str, dict[str, None]] = {}
    for one in used:
        unit = one.meaning.unit.name if one.meaning.unit else _UNITS.get(one.meaning.role, "ratio")
        groups.setdefault(unit, {})[repr(one.name)] = None
    return " and ".join(f"{', '.join(names)} ({unit})" for unit, names in groups.items())


def _unused_sigma(used: list[Column], sigma: Tensor | None) -> str:
    """What became of an uncertainty that only a part of a response has."""
    given = ", ".join(repr(one.name) for one in used if one.sigma is not None)
    if sigma is not None or not given:
        return ""
    return f"the uncertainty of {given} alone gives none of the whole; ask for one quantity to use it"


def _unused(every: list[Column], used: list[Column], ignored: list[str]) -> str:
    """The columns that were left out, by name."""
    taken = {one.name for one in used}
    names = ignored + [one.name for one in every if one.name not in taken]
    return f"not used: {', '.join(map(repr, names))}" if names else ""
