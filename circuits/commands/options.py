"""What was typed: the command and its options, read before anything heavy is loaded."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from circuits.commands import COMMANDS, module_of
from circuits.errors import OptionError

_EXAMPLES = """examples:
  circuits read sweep.csv
  circuits fit bench.csv --plot organ.png
  circuits fit sweep.csv --circuit low-pass --fix C=100n --start R=4k7 --quantity decibels
  circuits fit bench.csv --netlist organ.cir --learn 'R*' --output 'V(low)/V(in)'
  circuits fit bench.csv --stock drawer.csv --pairs
  circuits fit-many bench/ --into boards.csv --circuit low-pass --fix C=100n
  circuits yield color-organ low.R=200 --tolerance R=5% --tolerance C=10% --tones wanted.csv
  circuits diagnose board.csv --circuit color-organ --nominal low.R=200 band.R_low=39
  circuits tune color-organ --log hour.log --tone tone.wav
  circuits simulate low-pass R=4k7 C=100n --grid 50 --from 10 --to 100k --noise 0.01 --out sweep.csv
  circuits graph color-organ low.R=200 --at 1k --values --out graph.svg
  circuits schematic low-pass R=500 --out filter.svg

Values are written as engineers do: 4700, 4.7k, 4k7, R47, 100n, 1M5, 1Meg.
Exit status: 0 done; 1 the fit did not converge or does not explain the data; 2 bad input."""


class Parser(argparse.ArgumentParser):
    """A parser that raises `OptionError` where argparse would print its usage and leave."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong, and where the options are listed."""
        raise OptionError(f"{message}; see {self.prog} --help")


def read_options(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options as typed; `command` is one of `COMMANDS`, or None.

    Raises:
        OptionError: something that cannot be followed.
        SystemExit: after --help or --version has answered.

    >>> read_options(["simulate", "low-pass", "--grid", "50", "R=4k7"]).values
    ['R=4k7']
    """
    argv = sys.argv[1:] if argv is None else argv
    parser = _parser(argv[0] if argv and argv[0] in COMMANDS else None)
    options, rest = parser.parse_known_args(argv)
    asked = " ".join(["circuits", *filter(None, [options.command])])
    takes = None if options.command is None else module_of(options.command).CIRCUIT
    if takes == "words":
        rest = _sorted_words(options, rest)
    if rest:
        raise OptionError(f"cannot follow {' '.join(rest)}; see {asked} --help")
    if takes is not None:
        _check_circuit(options, asked, takes)
    return options


def _sorted_words(options: argparse.Namespace, rest: list[str]) -> list[str]:
    """Find the circuit and its values, which may stand behind options, where argparse does not look."""
    if options.circuit is not None and "=" in options.circuit:
        options.circuit, options.values = None, [options.circuit, *options.values]
    if options.circuit is None and rest and "=" not in rest[0] and not rest[0].startswith("-"):
        options.circuit, rest = rest[0], rest[1:]
    values = [text for text in rest if "=" in text and not text.startswith("-")]
    options.values += values
    return [text for text in rest if text not in values]


def _check_circuit(options: argparse.Namespace, asked: str, takes: str) -> None:
    """A circuit or a netlist, and not both."""
    if options.netlist is not None and options.circuit is not None:
        raise OptionError(f"a circuit, {options.circuit}, and --netlist {options.netlist}; give one of the two")
    if takes == "words" and options.netlist is None:
        if options.circuit is None:
            raise OptionError(f"the following arguments are required: CIRCUIT, or --netlist FILE; see {asked} --help")
        if options.output:
            raise OptionError(
                f"--output {options.output[0]} is for a netlist; {options.circuit} has outputs of its own"
            )


def _parser(asked: str | None) -> Parser:
    """The parser of every command, or where one was asked for of that one, the others being names alone."""
    parser = Parser(
        prog="circuits",
        description="Fit circuits to measurements, find what is wrong and which parts to use; simulate and draw them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="say which version this is, and leave")
    commands = parser.add_subparsers(dest="command", metavar=f"{{{','.join(COMMANDS)}}}", title="commands")
    for name in COMMANDS:
        if asked not in (None, name):
            commands.add_parser(name)
            continue
        command = module_of(name)
        described = f"{command.SUMMARY.capitalize()}."
        command.add_options(commands.add_parser(name, help=command.SUMMARY, description=described, allow_abbrev=False))
    return parser
