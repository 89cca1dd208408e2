"""Real parts for what was fitted: the options that go with `--stock`, and the swap list."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from circuits.errors import DataError, OptionError

if TYPE_CHECKING:
    import torch

    from circuits.circuit import Circuit
    from circuits.data import Measurements
    from circuits.fitting import Fit
    from circuits.lab.parts.drawer import Drawer

_POINTS = 200
"""Frequencies of the file to compare responses at; the rest would tell nothing new."""


def add_stock(parser: argparse.ArgumentParser) -> None:
    """What may be typed about the parts that there are."""
    add = parser.add_argument
    add(
        "--stock",
        metavar="DRAWER",
        help="say which real parts to use: a CSV file of what there is (value, tolerance, count, price), or E3 … E192",
    )
    add("--pairs", action="store_true", help="with --stock: two parts in series or in parallel may stand in for one")
    add("--trim", metavar="R", action="append", default=[], help="with --stock: this one is a trimmer, set to suit")
    add(
        "--swap",
        metavar="C",
        action="append",
        default=[],
        help="with --stock: find a part for this one too, though held",
    )
    add("--swaps", metavar="FILE", help="with --stock: write the swap list to a JSON file")


def stock_of(options: argparse.Namespace) -> Drawer | None:
    """The parts that there are, read before a long fit rather than after it; None where nobody asks.

    Raises:
        DataError: a drawer that cannot be read, a place that cannot be written.
        OptionError: options that need a stock and have none. UnknownName: no such series.
    """
    if options.stock is None:
        given = {"--pairs": options.pairs, "--trim": options.trim, "--swap": options.swap, "--swaps": options.swaps}
        for name in [name for name, value in given.items() if value]:
            raise OptionError(f"{name} goes with --stock; say which parts there are, such as --stock E12")
        return None
    if options.swaps is not None and not Path(options.swaps).parent.is_dir():
        raise DataError(f"cannot write {options.swaps}: there is no folder {Path(options.swaps).parent}; make it first")
    from circuits.lab.parts.drawer import drawer_of

    return drawer_of(options.stock)


def swaps_of_fit(result: Fit, drawer: Drawer, options: argparse.Namespace) -> str:
    """Which parts to use for what was fitted."""
    quantity = result.data.quantity if result.data.quantity in ("decibels", "response") else "magnitude"
    circuit = result.circuit  # a command line fits circuits only
    return swap_list(circuit, [*result.values], _frequencies(result.data), quantity, drawer, options)  # pyright: ignore


def swap_list(
    circuit: Circuit, names: Sequence[str], f: torch.Tensor, quantity: str, drawer: Drawer, options: argparse.Namespace
) -> str:
    """Choose the parts for a circuit as it should be, and say which to use for which of its components."""
    from circuits.lab.parts.snapping import snap

    units = circuit.units()
    found = [name for name in names if units.get(name) in ("Ω", "F", "H")]
    parts = [name for name in dict.fromkeys([*found, *options.swap]) if name not in options.trim]
    snapped = snap(circuit, drawer, f, quantity=quantity, parts=parts, free=options.trim, pairs=options.pairs)
    lines = [f"swap list, from {options.stock}", str(snapped)]
    if options.swaps is not None:
        snapped.save(options.swaps)
        lines.append(f"swap list: {options.swaps}")
    return "\n".join(lines)


def _frequencies(data: Measurements) -> torch.Tensor:
    """The frequencies of the file, or that many of them spread over all."""
    import torch

    f = data.f.flatten().double().unique()
    if len(f) <= _POINTS:
        return f
    return torch.logspace(float(f[0].log10()), float(f[-1].log10()), _POINTS, dtype=torch.float64)
