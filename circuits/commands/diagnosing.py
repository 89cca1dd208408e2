"""`circuits diagnose`: from a measurement of a real board to the part that is wrong."""

from __future__ import annotations

import argparse
from pathlib import Path

from circuits.commands import DONE, NOT_EXPLAINED
from circuits.commands.arguments import CIRCUITS, QUANTITIES, count, tolerances
from circuits.commands.choosing import circuit_on_paper, written
from circuits.errors import DataError

SUMMARY = "find the part that is wrong on a board"
CIRCUIT = "option"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What may be typed after the command."""
    add = parser.add_argument
    add("file", metavar="FILE", help="what was measured: a table of tones and LEDs, or of magnitudes, decibels, …")
    add("--circuit", metavar="NAME", help=f"one of {', '.join(CIRCUITS)}; outputs low, band, high are a color organ")
    add("--netlist", metavar="FILE", help="the circuit of a SPICE netlist instead, with its values and tolerances")
    add("--nominal", metavar="R=200", nargs="+", action="extend", default=[], help="what parts should be")
    add(
        "--output",
        metavar="NAME",
        action="append",
        default=[],
        help="which output of the file it is; of a netlist what was measured, such as V(low)/V(in), or "
        "low=V(low)/V(in) for the column low (may be repeated)",
    )
    add("--quantity", metavar="NAME", help=f"which quantity of the file to take: {', '.join(QUANTITIES)}")
    add(
        "--tolerance",
        metavar="R=5%",
        nargs="+",
        action="extend",
        default=[],
        help="how far parts may be off, of a kind (R, C, L), a name or a pattern; 5%% for "
        "resistors, 10%% for the rest, or what the netlist says",
    )
    add("--suspect", metavar="R*", action="append", default=[], help="parts that may be at fault; all")
    add("--top", metavar="N", type=count, default=10, help="suspects to list; 10")
    add("--json", metavar="FILE", help="write everything that was found to a JSON file")


def run(options: argparse.Namespace) -> int:
    """Diagnose, write what was asked for, and print the verdict."""
    if options.json is not None and not Path(options.json).parent.is_dir():
        raise DataError(f"cannot write {options.json}: there is no folder {Path(options.json).parent}; make it first")
    given = tolerances(options.tolerance)
    from circuits.data import read
    from circuits.lab import diagnose

    data = read(options.file, options.quantity)
    circuit, data = circuit_on_paper(options, data)
    print(f"{options.file}: {data.understood or data.describe()}")
    print(f"on paper: {written(circuit, [name for name, _ in circuit.named_parameters()])}\n")
    found = diagnose(circuit, data, tolerances=given, suspects=options.suspect or None)
    if options.json is not None:
        found.save(options.json)
    print(found.table(options.top))
    if options.json is not None:
        print(f"results: {options.json}")
    return DONE if found.explains else NOT_EXPLAINED
