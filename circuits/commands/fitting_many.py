"""`circuits fit-many`: from a folder of files, or one table of boards, to a table of components."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import TYPE_CHECKING, Any

from circuits.commands import DONE, INTERRUPTED, NOT_EXPLAINED
from circuits.commands.arguments import CIRCUITS, LOSSES, METHODS, QUANTITIES, assignments, count, seed
from circuits.commands.choosing import circuit_to_fit, written
from circuits.commands.columns import add_columns, units_of
from circuits.errors import DataError, OhmgradError, OptionError

if TYPE_CHECKING:
    from circuits.data import Measurements
    from circuits.fitting.streams.sources import Reading, Source

SUMMARY = "fit a circuit to every file of a folder, or every board of a table"
CIRCUIT = "option"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What may be typed after the command."""
    add = parser.add_argument
    add(
        "source",
        metavar="SOURCE",
        nargs="+",
        help="a folder with a file for each board, the files, or one table of all boards with a column that names them",
    )
    add("--into", metavar="FILE", required=True, help="the table to write, a row a board: CSV, or .parquet")
    add("--board", metavar="NAME", default="board", help="the column of a table that names the board; board")
    add("--circuit", metavar="NAME", help=f"one of {', '.join(CIRCUITS)}; outputs low, band, high are a color organ")
    add("--netlist", metavar="FILE", help="the circuit of a SPICE netlist instead; its values are where the fits start")
    add("--learn", metavar="R*", action="append", default=[], help="parts of the netlist to fit (may be repeated)")
    add_columns(parser)
    add("--quantity", metavar="NAME", help=f"which quantity of the files to fit: {', '.join(QUANTITIES)}")
    add(
        "--output",
        metavar="NAME",
        action="append",
        default=[],
        help="which output of the files to fit, where they have several; of a netlist what to measure",
    )
    add("--loss", metavar="NAME", help=f"one of {', '.join(LOSSES)}; by default what the quantity calls for")
    add("--method", metavar="NAME", default="auto", help=f"one of {', '.join(METHODS)}")
    add("--fix", metavar="C=1u", action="append", default=[], help="hold a component at a value (may be repeated)")
    add("--free", metavar="C", action="append", default=[], help="fit a component that is held by default")
    add("--start", metavar="R=500", action="append", default=[], help="where a component starts (may be repeated)")
    add("--starts", metavar="N", type=count, help="try N starts for each board, and keep the best result")
    add("--seed", metavar="N", type=seed, default=0, help="of the further starts; 0")
    said = "make a program in C for this circuit, or do not; by default from 2000 boards on"
    add("--compile", action=argparse.BooleanOptionalAction, help=said)
    add("--part", metavar="K/N", type=_part, help="do part K of N, such as 1/4; all parts at once, or one by one")


def _part(text: str) -> tuple[int, int]:
    """`1/4` as (0, 4)."""
    own, _, parts = text.partition("/")
    if own.isdecimal() and parts.isdecimal() and 1 <= int(own) <= int(parts):
        return int(own) - 1, int(parts)
    raise argparse.ArgumentTypeError(f"{text!r} is no part; expected which of how many, such as 1/4")


def run(options: argparse.Namespace) -> int:
    """Fit every board, write the table, and say how many came out well."""
    import losses
    from circuits.fitting.streams import fit_many
    from circuits.fitting.streams.checks import checked_place
    from circuits.fitting.streams.sources import Reading, source_of

    columns, units = assignments(options.column, "--column"), units_of(options.unit)
    given = options.source[0] if len(options.source) == 1 else options.source
    into = checked_place(options.into)
    with closing(source_of(given, options.board, into)) as source:
        name, first = _first_board(source, Reading(options.quantity, columns, units))
    circuit, data = circuit_to_fit(options, first)
    print(f"{name}: {first.understood or first.describe()}")
    print(f"start: {written(circuit, [n for n, p in circuit.named_parameters() if p.requires_grad])}")
    try:
        tally = fit_many(
            given,
            circuit,
            into,
            None if options.loss is None else losses.by_name(options.loss),
            board=options.board,
            quantity=options.quantity,
            outputs=_kept(first, data),
            columns=columns,
            units=units,
            method=options.method,
            starts=options.starts,
            seed=options.seed,
            compile=options.compile,
            part=options.part,
        )
    except losses.LossError as error:
        raise OptionError(str(error)) from error
    except KeyboardInterrupt:
        print("interrupted; what is done is kept: run the same command again to go on")
        return INTERRUPTED
    print(tally)
    return DONE if tally.good == tally.boards else NOT_EXPLAINED


def _first_board(source: Source, reading: Reading) -> tuple[str, Measurements]:
    """The first board that can be read, which says what the circuit is and where it starts.

    Raises:
        DataError: there is none.
    """
    said: list[str] = []
    for name, piece in source.pieces():
        try:
            return name, source.read(piece, reading)
        except (OhmgradError, OSError) as error:
            said.append(str(error) if not said else "")
    many = "the only board" if len(said) == 1 else f"any of {len(said):,} boards; the first"
    raise DataError(f"cannot read {many}: {said[0]}")


def _kept(first: Measurements, data: Measurements) -> Any:
    """Which outputs of the first board were chosen, as every other board shall have them."""
    import torch

    if data.outputs == first.outputs:
        return None
    if data.outputs:
        return data.outputs
    alike = (torch.equal(first.select(n).values.nan_to_num(), data.values.nan_to_num()) for n in first.outputs)
    return next((name for name, same in zip(first.outputs, alike, strict=True) if same), first.outputs[0])
