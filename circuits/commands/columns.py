"""A file of measurements as a command line speaks of it: which column is what, and in which unit."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from circuits.commands.arguments import assignments
from circuits.errors import OptionError

if TYPE_CHECKING:
    from circuits.data import Measurements


def add_columns(parser: argparse.ArgumentParser) -> None:
    """What may be said of the columns of a file, where their names do not."""
    add = parser.add_argument
    add(
        "--column",
        metavar="ROLE=NAME",
        action="append",
        default=[],
        help="what a column is: frequency, magnitude, decibels, phase, real, imag, vin, vout, led or sigma "
        "(may be repeated)",
    )
    add(
        "--unit",
        metavar="NAME=UNIT",
        action="append",
        default=[],
        help="the unit of a column, such as 'theta=rad' (may be repeated)",
    )


def measurements_of(options: argparse.Namespace, path: str) -> Measurements:
    """What a file holds, its columns understood as it was said."""
    from circuits.data import read

    columns, units = assignments(options.column, "--column"), units_of(options.unit)
    return read(path, options.quantity, columns=columns, units=units)


def units_of(texts: list[str]) -> dict[str, str]:
    """`["theta=rad"]` by column, whose name may hold an equals sign itself.

    Raises:
        OptionError: no name or no unit, or a name twice.

    >>> units_of(["theta=rad"])
    {'theta': 'rad'}
    """
    units: dict[str, str] = {}
    for text in texts:
        name, _, unit = (part.strip() for part in text.rpartition("="))
        if not name or not unit:
            raise OptionError(f"--unit {text!r}; expected NAME=UNIT, such as theta=rad")
        if name in units:
            raise OptionError(f"--unit gives {name} twice, {units[name]} and {unit}; give it once")
        units[name] = unit
    return units
