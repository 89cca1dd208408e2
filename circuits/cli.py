"""The `circuits` command: `fit`, `simulate`, `graph`, `schematic`. Torch is loaded once the options are understood."""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from circuits.cli_circuits import circuit_to_draw, circuit_to_fit, circuit_to_simulate, named_components
from circuits.cli_options import read_options
from circuits.errors import DataError, OhmgradError, OptionError

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from circuits.circuit import Circuit
    from circuits.data import Measurements
    from circuits.fitting import Fit

DONE, NOT_EXPLAINED, BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141
TONES, LOWEST, HIGHEST = 1000, 1.0, 1e6
"""What is simulated when nothing is said: tones, and hertz between which they lie."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; bad input is one line on standard error.

    >>> main(["graph", "low-pass", "R=500", "--at", "-1"])
    2
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Ω shall still see the rest of the line
    try:
        status = _run(argv)
        sys.stdout.flush()
        return status
    except (OhmgradError, MemoryError) as error:
        return _complain(str(error) or "not enough memory for this many points; use fewer", BAD_INPUT)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it closes the pipe
        return BROKEN_PIPE


def _run(argv: Sequence[str] | None) -> int:
    try:
        options = read_options(argv)
    except SystemExit as answered:  # --help
        return int(answered.code or DONE)
    if options.version:
        from circuits import __version__

        print(f"circuits (ohmgrad) {__version__}")
        return DONE
    commands = {"fit": _fit, "simulate": _simulate, "graph": _graph, "schematic": _schematic}
    if options.command is None:
        raise OptionError(f"no command; expected one of {', '.join(commands)}: see circuits --help")
    return commands[options.command](options)


def _complain(message: str, status: int) -> int:
    print("circuits:", " ".join(message.split()), file=sys.stderr)
    return status


# fit


def _fit(options: argparse.Namespace) -> int:
    import losses
    from circuits.data import read
    from circuits.fitting import fit

    _check_places(options)
    try:
        loss = None if options.loss is None else losses.by_name(options.loss)
        data = read(options.file, options.quantity)
        circuit, data = circuit_to_fit(options, data)
        print(f"{options.file}: {data.understood or data.describe()}")
        print(f"start: {_learned(circuit)}\n")
        result = fit(circuit, data, loss, method=options.method, starts=options.starts, seed=options.seed)
    except losses.LossError as error:
        raise OptionError(str(error)) from error
    try:
        written = _write_results(result, options)
    finally:  # a picture that cannot be written does not cost the table, nor a closed pipe the picture
        print(result)
    print("".join(f"{path}\n" for path in written), end="")
    if result.reason == "interrupted":
        return INTERRUPTED
    return DONE if result.converged and result.explains else NOT_EXPLAINED


def _check_places(options: argparse.Namespace) -> None:
    """Find out before a long fit, rather than after it, that its results have no place to go."""
    if options.plot is not None:
        from circuits.views.response import format_of

        format_of(options.plot)
    if options.report is not None and Path(options.report).suffix.lower() not in (".html", ".htm"):
        raise OptionError(f"cannot write a report to {options.report!r}; its name must end in .html")
    for path in (options.plot, options.report, options.json):
        if path is not None and not Path(path).parent.is_dir():
            raise DataError(f"cannot write {path}: there is no folder {Path(path).parent}; make it first")


def _write_results(result: Fit, options: argparse.Namespace) -> list[str]:
    """Write what was asked for, and say where."""
    written = []
    if options.plot is not None:
        result.plot(options.plot)
        written.append(f"picture: {options.plot}")
    if options.report is not None:
        result.report(options.report)
        written.append(f"report: {options.report}")
    if options.json is not None:
        result.save(options.json)
        written.append(f"results: {options.json}")
    return written


def _learned(circuit: Circuit) -> str:
    """`R = 500 Ω` for what is fitted."""
    return _written(circuit, [name for name, p in circuit.named_parameters() if p.requires_grad]) or "nothing is free"


def _written(circuit: Circuit, names: Sequence[str]) -> str:
    from circuits.notation import format

    units, values = circuit.units(), dict(circuit.named_parameters())
    return ", ".join(f"{name} = {format(values[name].item(), units[name])}" for name in names)


# simulate


def _simulate(options: argparse.Namespace) -> int:
    from torch import Generator

    from circuits.data import simulate

    generator = Generator().manual_seed(options.seed)
    circuit, name = circuit_to_simulate(options, generator), options.netlist or options.circuit
    quantity = options.quantity or ("led" if options.circuit == "color-organ" else "magnitude")
    data = simulate(circuit, _frequencies(options, circuit, generator), quantity, options.noise, generator)
    components = {one: circuit.get_parameter(one).item() for one in named_components(options, circuit)}
    data = replace(data, meta={**data.meta, "seed": options.seed, "circuit": name, "values": components})
    said = [f"{name}: {_written(circuit, list(components)) if components else 'as the netlist has it'}"]
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
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data.csv")
        data.to_csv(path)
        return path.read_text(encoding="utf-8")


# pictures


def _graph(options: argparse.Namespace) -> int:
    from circuits.views.graphs import draw_graph

    circuit = circuit_to_draw(options)
    graph = draw_graph(circuit, options.at, options.out, values=options.show_values, gradients=options.gradients)
    return _shown("graph", options.out, graph.dot)


def _schematic(options: argparse.Namespace) -> int:
    from circuits.views.schematics import draw_schematic

    circuit = circuit_to_draw(options)
    return _shown("schematic", options.out, draw_schematic(circuit, options.out).svg + "\n")


def _shown(what: str, path: str | None, text: str) -> int:
    """Say where the picture was written, or print it as text."""
    if path is None:
        sys.stdout.write(text)
    else:
        print(f"{what}: {path}")
    return DONE
