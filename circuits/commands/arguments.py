"""Arguments that several commands take, and how the values in them are read."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from circuits import notation
from circuits.errors import DataError, NotationError, OptionError

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


def add_circuit(parser: argparse.ArgumentParser) -> None:
    """A circuit with its values, or a netlist with what to measure in it."""
    add = parser.add_argument
    add("circuit", metavar="CIRCUIT", nargs="?", help=f"one of {', '.join(CIRCUITS)}")
    add("values", metavar="R=4k7", nargs="*", default=[], help="component values, by name")
    add("--netlist", metavar="FILE", help="the circuit of a SPICE netlist instead of CIRCUIT")
    add(
        "--output", metavar="V(a)", action="append", default=[], help="what to measure in the netlist (may be repeated)"
    )


def value_in(unit: str | None) -> Callable[[str], float]:
    """A reader of values in engineering notation, for argparse."""

    def read(text: str) -> float:
        try:
            return notation.parse(text, unit)
        except NotationError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def count(text: str) -> int:
    """A number of things: 50, 1k."""
    number = value_in("")(text)
    if not number.is_integer() or not 1 <= number <= MOST_POINTS:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; expected a whole number from 1 to {MOST_POINTS:,}")
    return int(number)


def seed(text: str) -> int:
    """A seed that torch's generators take."""
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; expected a whole number from 0 to 2⁶³ − 1")
    return int(text)


def share(text: str) -> float:
    """A share as typed: `5%`, `5 %` or `0.05`.

    Raises:
        NotationError: no number.

    >>> share("5%"), share("0.05")
    (0.05, 0.05)
    """
    number, percent, rest = text.strip().partition("%")
    if rest:
        raise NotationError(f"{text!r} is no share; expected one such as 5% or 0.05")
    return notation.parse(f"{number.strip()}e-2" if percent else number)


def level(text: str) -> float:
    """A level of confidence as typed: `95`, `95%` or `0.95`.

    Raises:
        ArgumentTypeError: it is no number, or not between 0 and 100 %.

    >>> level("95"), level("68.27%"), level("0.9")
    (0.95, 0.6827, 0.9)
    """
    try:
        number = share(text)
    except NotationError:
        number = 0.0
    number = number / 100 if number >= 1 else number
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no level; expected one between 0 and 100 %, such as 95%")
    return number


def tolerances(texts: Sequence[str]) -> dict[str, float]:
    """`["R=5%", "C1=0.1"]` by name.

    Raises:
        OptionError: no name, or no share from 0 to below 1.

    >>> tolerances(["R=5%", "C1=0.1"])
    {'R': 0.05, 'C1': 0.1}
    """
    found = {}
    for name, text in assignments(texts, "--tolerance").items():
        try:
            found[name] = share(text)
        except NotationError:
            found[name] = -1.0
        if not 0 <= found[name] < 1:
            raise OptionError(f"--tolerance {name}={text}; expected a share from 0 to below 1, such as 5% or 0.05")
    return found


def check_report(path: str | None) -> None:
    """Find out before long work, rather than after it, that a report has no place to go.

    Raises:
        OptionError: another ending than .html. DataError: a folder that is not there.
    """
    if path is not None and Path(path).suffix.lower() not in (".html", ".htm"):
        raise OptionError(f"cannot write a report to {path!r}; its name must end in .html")
    if path is not None and not Path(path).parent.is_dir():
        raise DataError(f"cannot write {path}: there is no folder {Path(path).parent}; make it first")
