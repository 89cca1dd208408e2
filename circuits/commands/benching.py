"""What the bench adds to a fit from the command line: gain, delay, loading, weights, several files, and warnings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuits.commands.arguments import value_in
from circuits.commands.columns import measurements_of
from circuits.errors import NotationError, OptionError

if TYPE_CHECKING:
    import losses
    from circuits.circuit import Circuit
    from circuits.data import Measurements
    from circuits.fitting import Fit
    from circuits.lab.modelling.bench import Bench

WEIGHTINGS = ("sigma", "modulus", "unit")
LEVELS = ("response", "magnitude", "decibels")


def add_bench_options(parser: argparse.ArgumentParser) -> None:
    """What may be said of how it was measured."""
    add = parser.add_argument
    add(
        "--gain",
        metavar="auto|on|off|NUMBER",
        default="auto",
        help="an unknown gain of the instrument (of each file); by default on for ratios of voltages, wherever the "
        "data can tell it from the components; or a known one",
    )
    add("--delay", action="store_true", help="an unknown delay of the instrument, for phases and complex responses")
    add("--source", metavar="50", type=value_in("Ω"), help="ohms of the generator, where it was set and not measured")
    add("--probe", metavar="10M,12p", type=_probe, help="ohms and farads of the probe at every measured node")
    add("--weights", metavar="NAME", choices=WEIGHTINGS, help=f"how points weigh: {', '.join(WEIGHTINGS)}")


def _probe(text: str) -> tuple[float, float]:
    from circuits.notation import parse

    try:
        ohms, farads = text.split(",")
        return parse(ohms, "Ω"), parse(farads, "F")
    except (ValueError, NotationError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no probe; expected ohms,farads such as 10M,12p") from error


def read_files(options: argparse.Namespace) -> Measurements:
    """The measurements of the file, or of several as the outputs of one board.

    Raises:
        OptionError: other than one output for each file.
    """
    if len(options.file) == 1:
        return measurements_of(options, options.file[0])
    from circuits.lab.modelling.joint import join

    names = options.output or [Path(path).stem for path in options.file]
    if len(names) != len(options.file):
        raise OptionError(
            f"{len(options.file)} files and {len(names)} outputs; give --output once for each file, in their order"
        )
    names = [_output_name(name) for name in names]
    if len(set(names)) < len(names):
        raise OptionError(f"outputs {', '.join(names)}; expected a different one for each file")
    return join({name: measurements_of(options, path) for name, path in zip(names, options.file, strict=True)})


def _output_name(text: str) -> str:
    """What the circuit will call an output that is asked for: `low` for `V(low)/V(in)` and for `low=V(a)/V(in)`."""
    name, _, output = text.rpartition("=")
    if name or "(" not in text:
        return name.strip() or text
    from circuits.netlist.choosing import called
    from circuits.netlist.outputs import parse_output

    return called([parse_output(output)])[0]


def fit_at_bench(
    options: argparse.Namespace, circuit: Circuit, data: Measurements, loss: losses.Loss | None
) -> tuple[Fit, list[str]]:
    """The fit with whatever the bench adds, and what a person should know before believing its errors."""
    from circuits.lab.modelling.bench import Bench

    if options.weights is not None:
        if loss is not None:
            raise OptionError("--weights and --loss both say how points weigh; give one of them")
        from circuits.lab.modelling.weighting import weigh

        data, loss = weigh(data, options.weights)
    said: list[str] = []
    gain = _gain(options, circuit, data)
    bench = Bench(circuit, gain, options.delay, options.source, options.probe)
    _hold_known_gain(options, bench)
    if options.gain == "auto" and options.quantity is None and loss is None and gain:
        data, more = _level_alone(options, bench, data)
        said += more
    result = _fitted(options, bench if bench.nuisances or bench.inner is not circuit else circuit, data, loss)
    if options.gain == "auto" and _is_tangled(result, bench):
        alone = Bench(circuit, False, options.delay, options.source, options.probe)
        said.append("gain held at 1: these data do not tell it from the components (--gain on leaves it unknown)")
        result = _fitted(options, alone, data, loss)
    return result, said


def _fitted(options: argparse.Namespace, circuit: Circuit, data: Measurements, loss: losses.Loss | None) -> Fit:
    if loss is None and len(data.outputs) > 1 and len(options.file) > 1 and options.method == "auto":
        from circuits.lab.modelling.joint import fit_balanced

        return fit_balanced(circuit, data, options.starts, options.seed)
    from circuits.fitting import fit

    return fit(circuit, data, loss, method=options.method, starts=options.starts, seed=options.seed)


def _gain(options: argparse.Namespace, circuit: Circuit, data: Measurements) -> Any:
    """Which gains there are: one for each of several files."""
    word = options.gain
    has_level = data.quantity in LEVELS
    can_be = has_level and any(p.requires_grad for p in circuit.parameters())
    if word == "off" or (word == "auto" and not (can_be and _is_voltage_ratio(circuit))):
        return False
    if not has_level:
        raise OptionError(f"--gain {word} with {data.quantity}, which no gain changes; leave it out")
    return list(data.outputs) if len(options.file) > 1 and circuit.outputs else True


def _is_voltage_ratio(circuit: Circuit) -> bool:
    from circuits.lab.modelling.measured import is_voltage_ratio

    return is_voltage_ratio(circuit)


def _hold_known_gain(options: argparse.Namespace, bench: Bench) -> None:
    if options.gain in ("auto", "on", "off"):
        return
    import torch

    value = value_in("")
    try:
        known = value(options.gain)
    except argparse.ArgumentTypeError:
        known = 0.0
    if known <= 0:
        raise OptionError(f"--gain {options.gain}; expected auto, on, off or a positive number")
    for name in bench.nuisances:
        if name != "delay":
            with torch.no_grad():
                bench.get_parameter(name).fill_(known).requires_grad_(False)


def _level_alone(options: argparse.Namespace, bench: Bench, data: Measurements) -> tuple[Measurements, list[str]]:
    """The level alone, where the phases scatter so much more than it that one σ does not serve both."""
    if data.quantity != "response" or data.sigma is not None:
        return data, []
    import copy

    from circuits.lab.modelling.residuals import along_and_across

    along, across = along_and_across(_fitted(options, copy.deepcopy(bench), data, None))
    if not across > UNEVEN * along:
        return data, []
    note = f"the phases scatter {across / along:.2g} times as much as the levels: the levels alone are fitted"
    return data.as_quantity("magnitude"), [f"{note} (--quantity response takes both)"]


UNEVEN = 2.0
"""How much more than the levels the phases may scatter before one σ for both is no model of the noise any more."""


def _is_tangled(result: Fit, bench: Bench) -> bool:
    """Whether a gain is one of the things that the data do not determine on their own."""
    known = result.identifiability
    tangled = {name for c in known.together for name in c.exponents} | {*known.mingled, *known.invisible}
    return any(name in tangled for name in bench.nuisances if name.startswith("gain"))


def second_opinions(result: Fit, data: Measurements) -> list[str]:
    """Warnings that belong before any error: no noise in the residuals, and fits that disagree."""
    from circuits.errors import OhmgradError
    from circuits.lab.modelling.comparison import compare_quantities
    from circuits.lab.modelling.residuals import residual_pattern

    said = []
    pattern = residual_pattern(result)
    if pattern is not None and not (pattern.is_noise and result.explains):
        verdict = "not everything is explained, and the errors are too small"
        verdict = verdict if result.explains else "this circuit does not explain these data"
        said.append(f"{verdict}: {pattern}")
    if data.quantity in LEVELS and result.explains and result.reason != "interrupted":
        try:
            comparison = compare_quantities(result.circuit, data)  # pyright: ignore[reportArgumentType]
        except OhmgradError:  # such as levels of zero, which have no decibels
            return said
        if not comparison.agree:
            said.append(str(comparison))
    return said
