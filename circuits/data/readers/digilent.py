"""Digilent WaveForms, network analyser: a `#` preamble that may be missing, levels of one or more channels in dB.

Each channel has a line of its own in the preamble, `#Relative: yes` or `no`. A channel that is relative to channel 1 is
the ratio; of one that is not, channel 1 has to be taken off here.
"""

from __future__ import annotations

import re
from dataclasses import replace

from circuits.data.columns import numbers
from circuits.data.exports import as_cells, header_line, tabulate_below, with_column
from circuits.data.interpretation import TAKEN, Source, interpret
from circuits.data.measurements import Measurements
from circuits.data.naming import AS_NAMED, Naming
from circuits.data.tabular import Table
from circuits.errors import DataError

_NAME = "Digilent WaveForms network analyser"
_HEADER = re.compile(r"#?\s*Frequency \(Hz\)\s*[,;\t]\s*Channel \d+ (Magnitude|Phase) ?\(", re.IGNORECASE)
_LEVEL = re.compile(r"Channel (?P<channel>\d+) Magnitude \(dB\)", re.IGNORECASE)
_LINE = re.compile(r"(?P<key>Channel|Relative):\s*(?:Channel\s*)?(?P<value>\w+)", re.IGNORECASE)


def recognise(text: str) -> bool:
    """Whether there is a header of numbered channels below `Frequency (Hz)`.

    >>> recognise("Frequency (Hz),Channel 2 Magnitude (dB),Channel 2 Phase (*)"), recognise("f,gain")
    (True, False)
    """
    return header_line(text, _HEADER) is not None


def parse(text: str, quantity: str | None = None, naming: Naming = AS_NAMED) -> Measurements:
    """Read the channels beside the first as ratios to it; the first alone as it stands.

    Raises:
        DataError: rows that do not fit the header.
    """
    table = tabulate_below(text, _HEADER)
    levels = {int(match["channel"]): name for name in table.names if (match := _LEVEL.fullmatch(name))}
    relative = _relative(table.comments)
    if naming or len(levels) < 2 or 1 not in levels:
        ratio = _alone(levels, relative)
        return interpret(table, naming.meanings(table), quantity, Source(_NAME, [ratio], ratio=ratio))
    table, ratio = _to_first(table, levels, relative)
    names = [name for name in table.names if name != levels[1]]
    hidden = replace(table, names=[name if name in names else "" for name in table.names])
    skipped = [f"{levels[1]!r}, the level of the input"]
    return interpret(hidden, naming.meanings(hidden), quantity, Source(_NAME, [ratio], skipped, ratio))


def _relative(comments: list[str]) -> dict[int, bool]:
    """What the preamble says of each channel; channel 0 is a line that belongs to none."""
    said: dict[int, bool] = {}
    channel = 0
    for match in filter(None, map(_LINE.match, comments)):
        if match["key"].lower() == "channel":
            channel = int(match["value"]) if match["value"].isdigit() else 0
        else:
            said[channel] = match["value"].lower() == "yes"
    return said


def _to_first(table: Table, levels: dict[int, str], relative: dict[int, bool]) -> tuple[Table, str]:
    """Every level relative to that of channel 1, and a word on how it came to be so."""
    said, first = "", numbers(table, table.names.index(levels[1]))
    for channel, name in levels.items():
        if channel == 1:
            continue
        is_ratio = relative.get(channel, relative.get(0))
        if is_ratio is None and relative:
            raise DataError(
                f"no line #Relative for channel {channel} and one for another; say --column decibels={name!r}"
            )
        if is_ratio is None:
            said = (
                f"{TAKEN}, as nothing says otherwise: no line Relative tells whether {name!r} is relative to channel 1"
            )
        elif is_ratio:
            said = said or f"{TAKEN}: channel {channel} is relative to channel 1 (Relative: yes)"
        else:
            own = numbers(table, table.names.index(name))
            table = with_column(table, name, as_cells(table, (own - first).tolist()), instead=name)
            said = f"taken here: {name!r} less {levels[1]!r} (Relative: no)"
    return table, said


def _alone(levels: dict[int, str], relative: dict[int, bool]) -> str:
    """What is to be said where there is no other channel to compare with."""
    if len(levels) != 1:
        return TAKEN
    channel = next(iter(levels))
    if relative.get(channel, relative.get(0)):
        return f"{TAKEN}: channel {channel} is relative to channel 1 (Relative: yes)"
    return f"not known: channel {channel} stands alone and no line Relative: yes says that it is a ratio"
