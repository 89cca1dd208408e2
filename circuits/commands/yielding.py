"""`circuits yield`: how many boards pass when parts have tolerances, and which part costs most of the others."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from circuits.commands import DONE
from circuits.commands.arguments import add_circuit, assignments, count, seed, tolerances
from circuits.commands.choosing import circuit_to_draw, written
from circuits.errors import OptionError

if TYPE_CHECKING:
    from circuits.circuit import Circuit
    from circuits.lab import Specification, Tolerances, Yield

SUMMARY = "say how many boards pass when parts have tolerances"
CIRCUIT = "words"
BOARDS, MOST_ROWS = 10_000, 10


def add_options(parser: argparse.ArgumentParser) -> None:
    """What may be typed after the command."""
    add_circuit(parser)
    add = parser.add_argument
    limits = parser.add_mutually_exclusive_group(required=True)
    limits.add_argument("--mask", metavar="FILE", help="limits: a CSV file, frequency_hz,lower_db,upper_db or the like")
    limits.add_argument("--tones", metavar="FILE", help="a table of tones and LEDs that a board has to show")
    add(
        "--tolerance",
        metavar="R=5%",
        action="append",
        default=[],
        help="of a part, of all that a glob matches, or of all of the letter R, C or L (may be repeated); beside what "
        "a netlist says by tol=",
    )
    add("--distribution", choices=("gaussian", "uniform"), default="gaussian", help="gaussian: 3 σ is the tolerance")
    add("--boards", metavar="N", type=count, default=BOARDS, help=f"how many to draw; {BOARDS}")
    add("--seed", metavar="N", type=seed, default=0, help="of the draws; 0")
    add("--centre", action="store_true", help="also look for nominal values from which more boards pass")


def run(options: argparse.Namespace) -> int:
    """Draw the boards, and say how many pass and what the others fail by."""
    from circuits.lab import estimate_yield, tolerances_of

    given = tolerances(options.tolerance)
    circuit = _circuit(options)
    parts = tolerances_of(circuit, given, options.distribution)
    limits = _limits(options, circuit)
    found = estimate_yield(circuit, limits, parts, boards=options.boards, seed=options.seed)
    print(f"{options.netlist or options.circuit}: {written(circuit, parts.names)}")
    print(f"\n{found}")
    for lines in (_broken(found), _costs(options, circuit, limits, parts, found), _corners(circuit, parts)):
        _print_table(lines)
    if options.centre:
        _print_table(_centred(options, circuit, limits, parts))
    return DONE


def _circuit(options: argparse.Namespace) -> Circuit:
    """The circuit as typed; nothing that is to be built has a value that nobody gave."""
    circuit = circuit_to_draw(options)
    if options.netlist is None:
        given = assignments(options.values, "value")
        missing = [name for name, part in circuit.named_parameters() if part.requires_grad and name not in given]
        if missing:
            raise OptionError(f"no value for {', '.join(missing)}; give the nominal values, such as {missing[0]}=200")
    return circuit


def _limits(options: argparse.Namespace, circuit: Circuit) -> Specification:
    from circuits.data import read
    from circuits.lab import leds_as_limits, read_mask
    from circuits.lab.production.answers import threshold_of

    if options.mask is not None:
        return read_mask(options.mask)
    return leds_as_limits(read(options.tones, "led"), threshold_of(circuit))


def _broken(found: Yield) -> list[Sequence[str]]:
    rows = [(label, _percent(part)) for label, part in found.failing[:MOST_ROWS]]
    return [("limit", "broken by"), *rows] if rows else []


def _costs(
    options: argparse.Namespace, circuit: Circuit, limits: Specification, parts: Tolerances, found: Yield
) -> list[Sequence[str]]:
    """What the tolerance of each part costs, the dearest first; nothing where every board passes."""
    from circuits.lab import yield_costs

    if not found.failing:
        return []

    rows: list[Sequence[str]] = [("part", "tolerance", "yield if perfect", "gain")]
    for cost in yield_costs(circuit, limits, parts, boards=options.boards, seed=options.seed)[:MOST_ROWS]:
        gain = f"{100 * cost.gain:+.2f} ± {100 * cost.error:.2f} %"
        rows.append((cost.name, f"{100 * parts.sizes[cost.name]:g} %", _percent(cost.yield_if_perfect), gain))
    return rows


def _corners(circuit: Circuit, parts: Tolerances) -> list[Sequence[str]]:
    """Where the corner frequencies may be, for a circuit that names them."""
    from circuits.lab import first_order, worst_case
    from circuits.notation import format

    if not circuit.cutoffs():
        return []
    linear, ends = first_order(circuit, parts), worst_case(circuit, parts)
    numbers = zip(linear.labels, linear.nominal, linear.rss / linear.nominal, ends.low, ends.high, strict=True)
    rows = [
        (label, format(float(nominal), "Hz"), f"{100 * float(rss):.1f} %", *(format(float(f), "Hz") for f in between))
        for label, nominal, rss, *between in numbers
    ]
    return [("corner", "nominal", "± RSS", "lowest", "highest"), *rows]


def _centred(
    options: argparse.Namespace, circuit: Circuit, limits: Specification, parts: Tolerances
) -> list[Sequence[str]]:
    """Better nominal values, beside those there are."""
    from circuits.lab import centre
    from circuits.notation import format

    found = centre(circuit, limits, parts, verified=options.boards, seed=options.seed)
    units, now = circuit.units(), dict(circuit.named_parameters())
    rows = [
        (name, format(now[name].item(), units[name]), format(value, units[name]))
        for name, value in found.values.items()
    ]
    return [("centred", "now", "better"), *rows, ("yield", _percent(found.before.share), _percent(found.after.share))]


def _percent(part: float) -> str:
    return f"{100 * part:.2f} %"


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    """Columns below each other, the first to the left, with an empty line before."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines: Iterable[str] = (
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )
    if rows:
        print("\n" + "\n".join(line.rstrip() for line in lines))
