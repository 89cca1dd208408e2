"""`circuits fit`: from a file of measurements to components."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from circuits.commands import DONE, INTERRUPTED, NOT_EXPLAINED
from circuits.commands.arguments import CIRCUITS, LOSSES, METHODS, QUANTITIES, check_report, count, level, seed
from circuits.commands.benching import add_bench_options, fit_at_bench, read_files, second_opinions
from circuits.commands.choosing import circuit_to_fit, written
from circuits.commands.columns import add_columns
from circuits.commands.swapping import add_stock, stock_of, swaps_of_fit
from circuits.errors import DataError, OptionError

if TYPE_CHECKING:
    from circuits.circuit import Circuit
    from circuits.fitting import Fit

SUMMARY = "fit a circuit to a file of measurements"
CIRCUIT = "option"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What may be typed after the command."""
    add = parser.add_argument
    add(
        "file",
        metavar="FILE",
        nargs="+",
        help="a table of tones and LEDs, or of magnitudes, …; several, an output each",
    )
    add("--circuit", metavar="NAME", help=f"one of {', '.join(CIRCUITS)}; outputs low, band, high are a color organ")
    add("--netlist", metavar="FILE", help="the circuit of a SPICE netlist instead; its values are where the fit starts")
    add("--learn", metavar="R*", action="append", default=[], help="parts of the netlist to fit (may be repeated)")
    add_columns(parser)
    add("--quantity", metavar="NAME", help=f"which quantity of the file to fit: {', '.join(QUANTITIES)}")
    add(
        "--output",
        metavar="NAME",
        action="append",
        default=[],
        help="which output of the file to fit, where it has several; of a netlist what to measure, such as "
        "V(low)/V(in), or low=V(low)/V(in) for the column low (may be repeated)",
    )
    add("--loss", metavar="NAME", help=f"one of {', '.join(LOSSES)}; by default what the quantity calls for")
    add("--method", metavar="NAME", default="auto", help=f"one of {', '.join(METHODS)}")
    add("--fix", metavar="C=1u", action="append", default=[], help="hold a component at a value (may be repeated)")
    add("--free", metavar="C", action="append", default=[], help="fit a component that is held by default")
    add("--start", metavar="R=500", action="append", default=[], help="where a component starts (may be repeated)")
    add("--starts", metavar="N", type=count, help="try N starts, and keep the best result")
    add("--seed", metavar="N", type=seed, default=0, help="of the further starts; 0")
    add_bench_options(parser)
    add(
        "--profile",
        metavar="95%",
        type=level,
        help="also print between which values the likelihood holds each component at this level, all others following",
    )
    add("--plot", metavar="FILE", help="write the picture to a .png, .svg or .pdf file")
    add("--report", metavar="FILE", help="write a page with everything that was found to a .html file")
    add("--json", metavar="FILE", help="write everything that was found to a JSON file")
    add_stock(parser)


def run(options: argparse.Namespace) -> int:
    """Fit, write what was asked for, and print the table."""
    import losses

    _check_places(options)
    drawer = stock_of(options)
    try:
        loss = None if options.loss is None else losses.by_name(options.loss)
        data = read_files(options)
        circuit, data = circuit_to_fit(options, data)
        print(f"{', '.join(options.file)}: {data.understood or data.describe()}")
        print(f"start: {_learned(circuit)}\n")
        result, said = fit_at_bench(options, circuit, data, loss)
    except losses.LossError as error:
        raise OptionError(str(error)) from error
    doubts, swaps = "", ""
    try:
        doubts = "\n\n".join([*said, *second_opinions(result, data)])
        if drawer is not None and result.reason != "interrupted":
            swaps = swaps_of_fit(result, drawer, options)
        notes = [(title, text) for title, text in (("Second opinions", doubts), ("Parts to use", swaps)) if text]
        written = _write_results(result, options, notes)
    finally:  # a picture that cannot be written does not cost the table, nor a closed pipe the picture
        print(f"{doubts}\n\n{result}" if doubts else result)
    if options.profile is not None and result.reason != "interrupted":
        from circuits.fitting.profiling.account import profile_table

        print(f"\n{profile_table(result, options.profile)}")
    print("".join(f"{path}\n" for path in written), end="")
    if swaps:
        print(f"\n{swaps}")
    if result.reason == "interrupted":
        return INTERRUPTED
    return DONE if result.converged and result.explains else NOT_EXPLAINED


def _check_places(options: argparse.Namespace) -> None:
    """Find out before a long fit, rather than after it, that its results have no place to go."""
    if options.plot is not None:
        from circuits.views.response import format_of

        format_of(options.plot)
    check_report(options.report)
    for path in (options.plot, options.json):
        if path is not None and not Path(path).parent.is_dir():
            raise DataError(f"cannot write {path}: there is no folder {Path(path).parent}; make it first")


def _write_results(result: Fit, options: argparse.Namespace, notes: Sequence[tuple[str, str]]) -> list[str]:
    """Write what was asked for, and say where."""
    written = []
    if options.plot is not None:
        result.plot(options.plot)
        written.append(f"picture: {options.plot}")
    if options.report is not None:
        result.report(options.report, notes=notes)
        written.append(f"report: {options.report}")
    if options.json is not None:
        result.save(options.json)
        written.append(f"results: {options.json}")
    return written


def _learned(circuit: Circuit) -> str:
    """`R = 500 Ω` for what is fitted."""
    return written(circuit, [name for name, p in circuit.named_parameters() if p.requires_grad]) or "nothing is free"
