"""From a table whose columns are understood to measurements, and an account of what was understood."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from circuits import notation
from circuits.data import assembly, columns
from circuits.data.columns import Column
from circuits.data.headers import Meaning
from circuits.data.measurements import Measurements
from circuits.data.signals import Signals, gather
from circuits.data.tabular import Table

_UNITS = {"decibels": "dB", "phase": "degrees", "led": "lit or dark", "vin": "volts", "vout": "volts"}
_INPUT = re.compile(
    r"(?:input (?:voltage|amplitude|signal)|v_?in)\s*[:=]?\s*(?P<size>[0-9]+(?:\.[0-9]+)?\s*[mµu]?V)(?:pp|p|rms)?\b",
    re.IGNORECASE,
)
TAKEN = "already taken"


@dataclass(frozen=True)
class Source:
    """Where a table comes from, what was decided on the way to it, and whether its level is a ratio already."""

    name: str = "a table with a header"
    notes: Sequence[str] = ()
    skipped: Sequence[str] = ()
    ratio: str = ""


def interpret(
    table: Table, known: list[Meaning], quantity: str | None = None, source: Source = Source()
) -> Measurements:
    """Measurements from the columns of a table, by rising frequency.

    Raises:
        DataError: no frequency column, nothing measured, text in a number column, a label of a third state.
        FrequencyError: a frequency that is not positive and finite.
    """
    index, f = columns.axis(table, known)
    signals = gather(table, known, index, quantity)
    level_before = _divide_by_remark(table, signals)
    quantity, names = assembly.choose(signals.outputs, quantity)
    parts = [assembly.produce(signals.outputs[name], quantity) for name in names]
    values, sigma, note = assembly.stack(parts)
    outputs = tuple(name or part[2][0].name for name, part in zip(names, parts, strict=True))
    if len(outputs) == 1:
        outputs, values, sigma = (), values[0], None if sigma is None else sigma[0]
    used = [column for part in parts for column in part[2]]
    unused = _unused([one for place in signals.outputs.values() for one in place.values()], used, signals.ignored)
    rising = bool(np.all(np.diff(f) >= 0))
    unit = known[index].unit
    sentence = [
        f"{len(f)} points: frequency from {table.names[index]!r} ({unit.name if unit else 'Hz'})",
        f"{quantity} from {_sources(used)}{', with uncertainty' if sigma is not None else ''}",
        table.layout,
        *source.notes,
        *signals.notes,
        note or _unused_sigma(used, sigma),
        "" if rising else "sorted by frequency",
        f"not used: {', '.join(map(repr, unused))}" if unused else "",
        *source.skipped,
        *table.skipped,
    ]
    meta = {
        "source": source.name,
        "ratio": source.ratio or level_before or _ratio(used, signals, quantity),
        "skipped": [*map(repr, unused), *source.skipped, *table.skipped],
        "units": _units(known[index], used),
        "columns": list(table.names),
        "comments": list(table.comments),
    }
    understood = "; ".join(filter(None, sentence))
    read = Measurements(torch.from_numpy(f), quantity, values, sigma, outputs, meta, understood)
    return read if rising else read.sorted()


def _divide_by_remark(table: Table, signals: Signals) -> str:
    """Divide volts without an input voltage column by the input voltage that a comment gives."""
    volts = [one for place in signals.outputs.values() for one in place.values() if _is_bare_voltage(one)]
    found = next(filter(None, map(_INPUT.search, table.comments)), None)
    if not volts or found is None:
        return ""
    size = notation.parse(found["size"].replace(" ", ""), "V")
    if size <= 0:
        return ""
    for place in signals.outputs.values():
        for role, one in place.items():
            if _is_bare_voltage(one):
                spread = None if one.sigma is None else one.sigma / size
                place[role] = Column(one.meaning, one.values / size, spread)
    said = f"divided by the input voltage {notation.format(size, 'V')} of a comment, taken to swing as the output does"
    signals.notes[:] = [note for note in signals.notes if "ratio to an input of 1 V" not in note] + [said]
    return said


def _is_bare_voltage(one: Column) -> bool:
    """Whether a column of volts was read as a ratio for want of an input voltage."""
    unit = one.meaning.unit
    return one.meaning.role == "magnitude" and unit is not None and unit.kind == "voltage"


def _ratio(used: list[Column], signals: Signals, quantity: str) -> str:
    """Whether the file gave the ratio, or it was taken here, or it is none."""
    if quantity == "led":
        return "no ratio: lit or dark"
    roles = {one.meaning.role for one in used}
    if "vout" in roles:
        return f"taken here: {', '.join(repr(one.name) for one in used if one.meaning.role in ('vin', 'vout'))}"
    bare = any(map(_is_bare_voltage, used)) or any("to an input of 1 V" in note for note in signals.notes)
    return "not taken: volts, to an input of 1 V" if bare else TAKEN


def _units(axis: Meaning, used: list[Column]) -> dict[str, str]:
    """The unit in which each column that was used is written."""
    own = {one.name: _unit_name(one) for one in used}
    return {axis.name: axis.unit.name if axis.unit else "Hz", **own}


def _unit_name(one: Column) -> str:
    return one.meaning.unit.name if one.meaning.unit else _UNITS.get(one.meaning.role, "ratio")


def _sources(used: list[Column]) -> str:
    """The columns that were used, each once, those of one unit together."""
    groups: dict[str, dict[str, None]] = {}
    for one in used:
        groups.setdefault(_unit_name(one), {})[repr(one.name)] = None
    return " and ".join(f"{', '.join(names)} ({unit})" for unit, names in groups.items())


def _unused_sigma(used: list[Column], sigma: Tensor | None) -> str:
    """What became of an uncertainty that only a part of a response has."""
    given = ", ".join(repr(one.name) for one in used if one.sigma is not None)
    if sigma is not None or not given:
        return ""
    return f"the uncertainty of {given} alone gives none of the whole; ask for one quantity to use it"


def _unused(every: list[Column], used: list[Column], ignored: list[str]) -> list[str]:
    """The columns that were left out, by name."""
    taken = {one.name for one in used}
    return ignored + [one.name for one in every if one.name not in taken]
