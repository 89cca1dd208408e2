"""The options of the `circuits` command, read before anything heavy is loaded."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import NoReturn

from circuits import notation
from circuits.errors import NotationError, OptionError

# Written out, because the rooms that know them load torch; a test compares them.
CIRCUITS = ("low-pass", "high-pass", "band-pass", "loaded-band-pass", "bode-band-pass", "color-organ")
LOSSES = (
    "squared",
    "magnitude",
    "decibel",
    "complex",
    "relative",
    "phase",
    "shifted-mse",
    "logistic-led",
    "hinge-led",
    "hard-led",
)
METHODS = ("auto", "levenberg-marquardt", "lbfgs")
QUANTITIES = ("response", "magnitude", "decibels", "phase", "led")
MOST_POINTS = 10_000_000

_EXAMPLES = """examples:
  circuits fit bench.csv --plot organ.png
  circuits fit sweep.csv --circuit low-pass --fix C=100n --start R=4k7 --quantity decibels
  circuits fit bench.csv --netlist organ.cir --learn 'R*' --output 'V(low)/V(in)'
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
    """The options as typed; `command` is "fit", "simulate", "graph" or "schematic".

    Raises:
        OptionError: something that cannot be followed.
        SystemExit: after --help or --version has answered.

    >>> read_options(["simulate", "low-pass", "--grid", "50", "R=4k7"]).values
    ['R=4k7']
    """
    parser = _parser()
    options, rest = parser.parse_known_args(argv)
    asked = " ".join(["circuits", *filter(None, [options.command])])
    if options.command in ("simulate", "graph", "schematic"):
        rest = _sorted_words(options, rest)
    if rest:
        raise OptionError(f"cannot follow {' '.join(rest)}; see {asked} --help")
    if options.command is not None:
        _check_circuit(options, asked)
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


def _check_circuit(options: argparse.Namespace, asked: str) -> None:
    """A circuit or a netlist, and not both."""
    if options.netlist is not None and options.circuit is not None:
        raise OptionError(f"a circuit, {options.circuit}, and --netlist {options.netlist}; give one of the two")
    if options.command != "fit" and options.netlist is None:
        if options.circuit is None:
            raise OptionError(f"the following arguments are required: CIRCUIT, or --netlist FILE; see {asked} --help")
        if options.output:
            raise OptionError(
                f"--output {options.output[0]} is for a netlist; {options.circuit} has outputs of its own"
            )


def assignments(texts: Sequence[str], where: str) -> dict[str, str]:
    """`["R=500", "C=1u"]` by name; the values are left as typed for whoever knows their units.

    Raises:
        OptionError: no name or no value, or a name twice.

    >>> assignments(["R=500", "band.C_low=1u"], "--start")
    {'R': '500', 'band.C_low': '1u'}
    """
    values: dict[str, str] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if not name or not value:
            raise OptionError(f"{where} {text!r}; expected NAME=VALUE, such as R=4.7k")
        if name in values:
            raise OptionError(f"{where} gives {name} twice, {values[name]} and {value}; give it once")
        values[name] = value
    return values


def _parser() -> Parser:
    parser = Parser(
        prog="circuits",
        description="Fit circuits to measurements, simulate them, and draw how they are computed.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="say which version this is, and leave")
    commands = parser.add_subparsers(dest="command", metavar="{fit,simulate,graph,schematic}", title="commands")
    for name, add, summary in (
        ("fit", _fit, "fit a circuit to a file of measurements"),
        ("simulate", _simulate, "make measurements as a circuit would give them"),
        ("graph", _graph, "draw the autograd graph of a circuit"),
        ("schematic", _schematic, "draw the schematic of a circuit with the values of its parts"),
    ):
        add(commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.", allow_abbrev=False))
    return parser


def _fit(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", help="a table of tones and LEDs, or of magnitudes, decibels, phases, …")
    add("--circuit", metavar="NAME", help=f"one of {', '.join(CIRCUITS)}; outputs low, band, high are a color organ")
    add("--netlist", metavar="FILE", help="the circuit of a SPICE netlist instead; its values are where the fit starts")
    add("--learn", metavar="R*", action="append", default=[], help="parts of the netlist to fit (may be repeated)")
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
    add("--starts", metavar="N", type=_count, help="try N starts, and keep the best result")
    add("--seed", metavar="N", type=_seed, default=0, help="of the further starts; 0")
    add("--plot", metavar="FILE", help="write the picture to a .png, .svg or .pdf file")
    add("--report", metavar="FILE", help="write a page with everything that was found to a .html file")
    add("--json", metavar="FILE", help="write everything that was found to a JSON file")


def _simulate(parser: argparse.ArgumentParser) -> None:
    _circuit(parser)
    add = parser.add_argument
    tones = parser.add_mutually_exclusive_group()
    tones.add_argument("--tones", metavar="N", type=_count, help="N random tones, log-uniform; 1000, or the .ac line")
    tones.add_argument("--grid", metavar="N", type=_count, help="N tones evenly spaced in log frequency instead")
    add("--from", dest="low", metavar="HZ", type=_value("Hz"), help="lowest frequency; 1")
    add("--to", dest="high", metavar="HZ", type=_value("Hz"), help="highest frequency; 1M")
    add("--quantity", metavar="NAME", help=f"one of {', '.join(QUANTITIES)}; led for a color organ, else magnitude")
    add("--noise", metavar="SIGMA", type=_value(None), default=0.0, help="standard deviation of the noise; 0")
    add("--seed", metavar="N", type=_seed, default=0, help="of everything random; 0")
    add("--out", metavar="FILE", help="the CSV file to write; standard output")


def _graph(parser: argparse.ArgumentParser) -> None:
    _circuit(parser)
    parser.add_argument("--at", metavar="HZ", type=_value("Hz"), default=1e3, help="the frequency; 1k")
    parser.add_argument("--values", dest="show_values", action="store_true", help="show what each node computes")
    parser.add_argument("--gradients", action="store_true", help="show the derivative of |H| by each node")
    parser.add_argument("--out", metavar="FILE", help="a .svg, .png, .pdf or .dot file; DOT text on standard output")


def _schematic(parser: argparse.ArgumentParser) -> None:
    _circuit(parser)
    parser.add_argument("--out", metavar="FILE", help="a .svg, .png or .pdf file; SVG text on standard output")


def _circuit(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("circuit", metavar="CIRCUIT", nargs="?", help=f"one of {', '.join(CIRCUITS)}")
    add("values", metavar="R=4k7", nargs="*", default=[], help="component values, by name")
    add("--netlist", metavar="FILE", help="the circuit of a SPICE netlist instead of CIRCUIT")
    add(
        "--output", metavar="V(a)", action="append", default=[], help="what to measure in the netlist (may be repeated)"
    )


def _value(unit: str | None) -> Callable[[str], float]:
    """A reader of values in engineering notation, for argparse."""

    def read(text: str) -> float:
        try:
            return notation.parse(text, unit)
        except NotationError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _count(text: str) -> int:
    """A number of things: 50, 1k."""
    value = _value("")(text)
    if not value.is_integer() or not 1 <= value <= MOST_POINTS:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; expected a whole number from 1 to {MOST_POINTS:,}")
    return int(value)


def _seed(text: str) -> int:
    """A seed that torch's generators take."""
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; expected a whole number from 0 to 2⁶³ − 1")
    return int(text)
