"""`circuits read`: what a file of measurements holds, and how it was understood."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from circuits.commands import DONE
from circuits.commands.arguments import QUANTITIES
from circuits.commands.columns import add_columns, measurements_of
from circuits.errors import DataError

if TYPE_CHECKING:
    from circuits.data import Measurements

SUMMARY = "say what a file of measurements holds, and write it as CSV or Touchstone"
CIRCUIT = None
SUFFIXES = (".csv", ".s1p", ".s2p")


def add_options(parser: argparse.ArgumentParser) -> None:
    """What may be typed after the command."""
    add = parser.add_argument
    add("file", metavar="FILE", help="what an instrument or a simulator wrote, or a table with a header")
    add_columns(parser)
    add("--quantity", metavar="NAME", help=f"which quantity to read: {', '.join(QUANTITIES)}")
    add("--out", metavar="FILE", help=f"write what was read to a file that ends in {', '.join(SUFFIXES)}")


def run(options: argparse.Namespace) -> int:
    """Read, say what was understood, and write it where asked."""
    if options.out is not None and Path(options.out).suffix.lower() not in SUFFIXES:
        raise DataError(f"cannot write {options.out}; its name must end in {', '.join(SUFFIXES)}")
    data = measurements_of(options, options.file)
    print(_account(options.file, data))
    if options.out is not None:
        _write(data, options.out)
        print(f"written: {options.out}")
    return DONE


def _account(file: str, data: Measurements) -> str:
    """A line for each thing that was understood."""
    meta = data.meta
    lines = {
        "file": file,
        "source": meta.get("source", "Measurements.to_csv"),
        "quantity": data.quantity + (", with uncertainty" if data.sigma is not None else ""),
        "channels": ", ".join(data.outputs) or "one",
        "points": f"{len(data)}{_missing(data)}",
        "range": _range(data),
        "units": ", ".join(f"{name!r} in {unit}" for name, unit in meta.get("units", {}).items()) or "SI",
        "ratio": meta.get("ratio", "as written"),
        "skipped": ", ".join(meta.get("skipped", ())) or "nothing",
        "understood": data.understood,
    }
    return "\n".join(f"{name + ':':12}{value}" for name, value in lines.items())


def _range(data: Measurements) -> str:
    """From the lowest frequency to the highest."""
    from circuits.notation import format

    low, high = (format(float(end), "Hz") for end in (data.f.min(), data.f.max()))
    return low if low == high else f"{low} to {high}"


def _missing(data: Measurements) -> str:
    """How many values are missing, if any."""
    missing = int(data.values.isnan().sum())
    return f", {missing} missing" if missing else ""


def _write(data: Measurements, path: str) -> None:
    """As CSV or as Touchstone, by the end of the name."""
    if Path(path).suffix.lower() == ".csv":
        data.to_csv(path)
        return
    from circuits.data.touchstone_writing import write_touchstone

    write_touchstone(data, path)
