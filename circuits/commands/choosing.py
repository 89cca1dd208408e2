"""The circuit that a command line speaks of: one of the catalogue, or that of a netlist, with the values as typed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from circuits.commands import DONE
from circuits.commands.arguments import assignments
from circuits.errors import OptionError, UnknownName

if TYPE_CHECKING:
    import torch

    from circuits.circuit import Circuit
    from circuits.data import Measurements
    from circuits.netlist.netlist_circuit import NetlistCircuit

START_OHMS = 500.0
"""Where a resistor of the catalogue starts when nothing is said of it; a netlist's parts start as it has them."""


def circuit_to_fit(options: argparse.Namespace, data: Measurements) -> tuple[Circuit, Measurements]:
    """The circuit with its components where they start, the held ones held, and the outputs of the data that it has.

    Raises:
        OptionError, UnknownName, ComponentError, NetlistError: options that cannot be followed.
    """
    held, start = assignments(options.fix, "--fix"), assignments(options.start, "--start")
    for component in held:
        if component in start or component in options.free:
            other = "--start" if component in start else "--free"
            raise OptionError(f"{component} is given to --fix and to {other}; a held component has one value")
    if options.netlist is not None:
        return _netlist_to_fit(options, data, held, start)
    if options.learn:
        raise OptionError(f"--learn {options.learn[0]} names parts of a netlist; give it with --netlist, or use --free")
    if options.output:
        data = data.select(options.output[0] if len(options.output) == 1 else options.output)
    return _catalogue_to_fit(options, data, held, start), data


def circuit_on_paper(options: argparse.Namespace, data: Measurements) -> tuple[Circuit, Measurements]:
    """The circuit with every value as it should be, by --nominal or the netlist, and the outputs of the data it has.

    Raises:
        OptionError: a component of which no value is known. UnknownName, ComponentError, NetlistError: as for a fit.
    """
    values = assignments(options.nominal, "--nominal")
    if options.netlist is not None:
        circuit = _netlist(options, values)
        return circuit, _matching(data, circuit, options.output)
    if options.output:
        data = data.select(options.output[0] if len(options.output) == 1 else options.output)
    name = options.circuit or _default_circuit(data)
    _check_components(name, values)
    circuit = _with_defaults(name, values)
    missing = [one for one, p in circuit.named_parameters() if p.requires_grad and one not in values]
    if missing:
        wanted = " ".join(f"{one}=…" for one in missing)
        raise OptionError(f"nothing says what {', '.join(missing)} should be; add --nominal {wanted}")
    return circuit, data


def circuit_to_tune(options: argparse.Namespace) -> tuple[Circuit, dict[str, tuple[float, float]]]:
    """The circuit whose components are looked for, and (low, high) in SI units of those of which no value was typed.

    Raises:
        OptionError: nothing to look for. UnknownName, ComponentError, NetlistError: as for a fit.
    """
    if options.netlist is not None:
        circuit = _netlist(options, assignments(options.values, "value"), [*options.learn, *options.free])
        if not any(parameter.requires_grad for parameter in circuit.parameters()):
            raise OptionError("nothing to look for; say what, such as --learn 'R*', or mark it there with ; @learn")
        return circuit, {}
    if options.learn:
        raise OptionError(f"--learn {options.learn[0]} names parts of a netlist; give it with --netlist, or use --free")
    given = _component_values(options)
    _check_components(options.circuit, options.free)
    circuit = _with_defaults(options.circuit, given)
    for name in options.free:
        circuit.get_parameter(name).requires_grad_(True)
    kinds = circuit.kinds()
    learned = [name for name, parameter in circuit.named_parameters() if parameter.requires_grad]
    return circuit, {name: (kinds[name].low, kinds[name].high) for name in learned if name not in given}


def circuit_to_draw(options: argparse.Namespace) -> Circuit:
    """The circuit of which a picture is wanted, with nothing left to chance."""
    if options.netlist is not None:
        return _netlist(options, assignments(options.values, "value"))
    return _with_defaults(options.circuit, _component_values(options))


def circuit_to_simulate(options: argparse.Namespace, generator: torch.Generator) -> Circuit:
    """The circuit to measure on paper; what is left out is drawn, or as the netlist has it."""
    from circuits.catalogue import make

    if options.netlist is not None:
        return _netlist(options, assignments(options.values, "value"))
    return make(options.circuit, _component_values(options), seed=generator)


def named_components(options: argparse.Namespace, circuit: Circuit) -> list[str]:
    """The components to tell of: all, or of a netlist those that were given a value."""
    if options.netlist is None:
        return [name for name, _ in circuit.named_parameters()]
    return [circuit.component_name(name) for name in assignments(options.values, "value")]  # pyright: ignore


def written(circuit: Circuit, names: Sequence[str]) -> str:
    """`R = 500 Ω, C = 1 µF`."""
    from circuits.notation import format

    units, values = circuit.units(), dict(circuit.named_parameters())
    return ", ".join(f"{name} = {format(values[name].item(), units[name])}" for name in names)


def shown(what: str, path: str | None, text: str) -> int:
    """Say where the picture was written, or print it as text."""
    if path is None:
        sys.stdout.write(text)
    else:
        print(f"{what}: {path}")
    return DONE


# of the catalogue


def _catalogue_to_fit(
    options: argparse.Namespace, data: Measurements, held: Mapping[str, str], start: Mapping[str, str]
) -> Circuit:
    name = options.circuit or _default_circuit(data)
    _check_components(name, (*held, *start, *options.free))
    circuit = _with_defaults(name, {**held, **start}, data)
    for component, parameter in circuit.named_parameters():
        if component in held or component in options.free:
            parameter.requires_grad_(component not in held)
    return circuit


def _check_components(name: str, components: Iterable[str]) -> None:
    """Refuse a circuit or a component that is not in the catalogue."""
    from circuits.catalogue import component_names

    known = component_names(name)
    for component in components:
        if component not in known:
            raise UnknownName("component", component, known)


def _component_values(options: argparse.Namespace) -> dict[str, Any]:
    """The values typed after the name of a circuit."""
    values = assignments(options.values, "value")
    _check_components(options.circuit, values)
    return {**values}


def _default_circuit(data: Measurements) -> str:
    """The only circuit in the catalogue with these outputs."""
    from circuits.catalogue import CATALOGUE

    matching = [name for name, kind in CATALOGUE.items() if kind.outputs and set(kind.outputs) == set(data.outputs)]
    if matching:
        return matching[0]
    has = f"outputs {', '.join(data.outputs)}" if data.outputs else "a single output"
    raise OptionError(
        f"the file has {has}, which more than one circuit could give; name it with --circuit: {', '.join(CATALOGUE)}"
    )


def _with_defaults(name: str, values: Mapping[str, Any], data: Measurements | None = None) -> Circuit:
    """A circuit of which nothing is left to chance: resistors at 500 Ω, corners spread over the measured range."""
    from circuits.catalogue import make

    circuit = make(name, values)
    units = circuit.units()
    missing = [n for n, p in circuit.named_parameters() if n not in values and p.requires_grad]
    corners = [n for n in missing if units[n] == "Hz"]
    low, high = (float(data.f.min()), float(data.f.max())) if data is not None else (100.0, 10e3)
    chosen: dict[str, Any] = {n: START_OHMS for n in missing if units[n] == "Ω"}
    for i, n in enumerate(corners):  # the upper corner is named first
        chosen[n] = low * (high / low) ** ((len(corners) - i) / (len(corners) + 1))
    return make(name, {**values, **chosen})


# of a netlist


def _netlist(options: argparse.Namespace, values: Mapping[str, Any], learn: Sequence[str] = ()) -> NetlistCircuit:
    """The circuit of the netlist, with the outputs that are asked for."""
    from circuits.netlist import read_netlist

    named = _named_outputs(options.output)
    output = None if not named else next(iter(named.values())) if len(named) == 1 else named
    if len(named) > 1 and not any("=" in text for text in options.output):
        output = list(named.values())
    return read_netlist(options.netlist, output, learn, values=values)


def _netlist_to_fit(
    options: argparse.Namespace, data: Measurements, held: Mapping[str, str], start: Mapping[str, str]
) -> tuple[Circuit, Measurements]:
    circuit = _netlist(options, {**held, **start}, [*options.learn, *options.free]).hold(*held)
    if not any(parameter.requires_grad for parameter in circuit.parameters()):
        raise OptionError(
            "nothing is learned; say what a fit may move, such as --learn 'R*', or mark it in the netlist with ; @learn"
        )
    return circuit, _matching(data, circuit, options.output)


def _named_outputs(texts: Sequence[str]) -> dict[str, str]:
    """`["low=V(low)/V(in)", "V(high)"]` by name, or by itself where it has none."""
    named: dict[str, str] = {}
    for text in texts:
        name, _, output = text.rpartition("=")
        name = name.strip() or output
        if name in named:
            raise OptionError(f"--output {name} is given twice; give it once")
        named[name] = output
    return named


def _matching(data: Measurements, circuit: NetlistCircuit, texts: Sequence[str]) -> Measurements:
    """The columns of the file that hold what the circuit puts out, by name."""
    if not data.outputs or (circuit.outputs and not set(circuit.outputs) <= set(data.outputs)):
        return data
    if circuit.outputs:
        return data.select(circuit.outputs)
    names = [*_named_outputs(texts), circuit.output_names[0]]
    found = next((name for name in names if name in data.outputs), None)
    if found is None and len(data.outputs) > 1:
        asked = texts[-1] if texts else "V(out)"
        raise OptionError(
            f"the file has the outputs {', '.join(data.outputs)}; say which one it is that the circuit gives, such as "
            f"--output {data.outputs[0]}={asked.rpartition('=')[2]}"
        )
    return data if found is None else data.select(found)
