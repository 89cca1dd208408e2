"""`circuits simulate`: measurements as a circuit would give them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from circuits.commands import DONE
from circuits.commands.arguments import QUANTITIES, add_circuit, count, seed, value_in
from circuits.commands.choosing import circuit_to_simulate, named_components, written

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from circuits.circuit import Circuit
    from circuits.data import Measurements

TONES, LOWEST, HIGHEST = 1000, 1.0, 1e6
"""What is simulated when nothing is said: tones, and hertz between which they lie."""

SUMMARY = "make measurements as a circuit would give them"
CIRCUIT = "words"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What may be typed after the command."""
    add_circuit(parser)
    add = parser.add_argument
    tones = parser.add_mutually_exclusive_group()
    tones.add_argument("--tones", metavar="N", type=count, help="N random tones, log-uniform; 1000, or the .ac line")
    tones.add_argument("--grid", metavar="N", type=count, help="N tones evenly spaced in log frequency instead")
    add("--from", dest="low", metavar="HZ", type=value_in("Hz"), help="lowest frequency; 1")
    add("--to", dest="high", metavar="HZ", type=value_in("Hz"), help="highest frequency; 1M")
    add("--quantity", metavar="NAME", help=f"one of {', '.join(QUANTITIES)}; led for a color organ, else magnitude")
    add("--noise", metavar="SIGMA", type=value_in(None), default=0.0, help="standard deviation of the noise; 0")
    add("--seed", metavar="N", type=seed, default=0, help="of everything random; 0")
    add("--out", metavar="FILE", help="the CSV file to write; standard output")


def run(options: argparse.Namespace) -> int:
    """Write the measurements, and say what they are of."""
    from dataclasses import replace  # takes longer to load than all the options to understand

    from torch import Generator

    from circuits.data import simulate

    generator = Generator().manual_seed(options.seed)
    circuit, name = circuit_to_simulate(options, generator), options.netlist or options.circuit
    quantity = options.quantity or ("led" if options.circuit == "color-organ" else "magnitude")
    data = simulate(circuit, _frequencies(options, circuit, generator), quantity, options.noise, generator)
    components = {one: circuit.get_parameter(one).item() for one in named_components(options, circuit)}
    data = replace(data, meta={**data.meta, "seed": options.seed, "circuit": name, "values": components})
    said = [f"{name}: {written(circuit, list(components)) if components else 'as the netlist has it'}"]
    if options.out is not None:
        data.to_csv(options.out)
        said.append(f"{options.out}: {data.describe()}")
    print("\n".join(said), file=sys.stderr)
    if options.out is None:
        sys.stdout.write(_csv_text(data))
    return DONE


def _frequencies(options: argparse.Namespace, circuit: Circuit, generator: Generator) -> Tensor:
    """Those asked for, or those of the netlist's own `.ac`, or random tones."""
    from circuits.data import log_grid, tones

    asked = (options.tones, options.grid, options.low, options.high)
    own = circuit.sweep() if all(one is None for one in asked) else None
    if own is not None:
        return own
    low, high = (LOWEST if options.low is None else options.low), (HIGHEST if options.high is None else options.high)
    if options.grid is not None:
        return log_grid(options.grid, low, high)
    return tones(options.tones or TONES, low, high, generator)


def _csv_text(data: Measurements) -> str:
    """What a CSV file of these measurements holds."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data.csv")
        data.to_csv(path)
        return path.read_text(encoding="utf-8")
