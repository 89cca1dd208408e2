"""A circuit driven through a source resistance and measured with a probe: its netlist, with these parts added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from circuits.circuit import Circuit
from circuits.component import FARAD, OHM, Component, Value, make_parameters
from circuits.errors import OptionError
from circuits.lab.modelling.measured import outputs_of
from circuits.netlist import NetlistCircuit, to_netlist
from circuits.netlist.choosing import driven_by
from circuits.netlist.elements import GROUND, Element, Netlist, Parameter
from circuits.netlist.expressions import Name, Number
from circuits.netlist.outputs import Output, parse_output
from circuits.netlist.outputs import Probe as Reading

Probe: TypeAlias = "tuple[Value, Value] | None"


def loaded(circuit: Circuit, source: Value = None, probe: Probe = None) -> NetlistCircuit:
    """The circuit with the resistance of its generator and the impedance of the probe, both held.

    The components of the circuit keep their names and are shared. The voltage of reference becomes that which the
    generator is set to, behind `R_source`: who measures at the input of the board has no use for `source`. The probe,
    `R_probe` in parallel with `C_probe`, lies from every measured node to ground.

    Args:
        circuit: a stock filter or a circuit from a netlist; one board or a batch.
        source: ohms. probe: (ohms, farads).

    Raises:
        OptionError: a circuit that has no netlist, not one voltage source, or an output that is no voltage.
        ComponentError: values that no part can have.

    >>> from circuits.filters import LowPass
    >>> board = LowPass(R=950.0, C=1e-6)
    >>> [round(c.magnitude(159.155).item(), 4) for c in (board, loaded(board, source=50.0))]
    [0.725, 0.7071]
    """
    shape = circuit.batch_shape
    netlist = to_netlist(circuit, board=(0,) * len(shape) if shape else None)
    outputs = {name: parse_output(text) for name, text in outputs_of(circuit).items()}
    for output in outputs.values():
        if output.numerator.kind != "V":
            raise OptionError(f"a source or a probe with the output {output}; expected a voltage such as V(out)/V(in)")
    given = {**_values(circuit)}
    parts: list[Element] = []
    if source is not None:
        netlist, outputs = _behind_source(netlist, outputs)
        given["R_source"] = source
    if probe is not None:
        ohms, farads = _pair(probe)
        given |= {"R_probe": ohms, "C_probe": farads}
        parts = _probes(outputs)
    return _made(netlist, parts, outputs, given)


def _values(circuit: Circuit) -> dict[str, Any]:
    """The components of a circuit by their names in its netlist."""
    recipe = circuit.recipe()
    names = recipe["names"] if recipe is not None and "names" in recipe else {}
    return {names.get(path, path): p for path, p in circuit.named_parameters(remove_duplicate=False)}


def _pair(probe: Any) -> tuple[Value, Value]:
    if isinstance(probe, Sequence) and not isinstance(probe, str) and len(probe) == 2:
        return probe[0], probe[1]
    raise OptionError(f"probe={probe!r}; expected (ohms, farads), such as ('10M', '12p')")


def _behind_source(netlist: Netlist, outputs: Mapping[str, Output]) -> tuple[Netlist, dict[str, Output]]:
    """The one AC source moved behind a resistor, and what was measured against it measured there."""
    sources = driven_by(netlist)
    if len(sources) != 1 or sources[0].kind != "V":
        raise OptionError("a source resistance needs a circuit driven by one AC voltage source; add it to the netlist")
    (old,) = sources
    plus, minus = old.nodes
    nodes = {node for element in netlist.elements for node in element.nodes}
    set_to = next(node for n in range(len(nodes) + 1) if (node := "emf" + n * "_") not in nodes)
    elements = [replace(e, nodes=(set_to, minus)) if e is old else e for e in netlist.elements]
    elements.append(_part("R", "R_source", set_to, plus))
    nodes_of_old = {(plus,), (plus, minus)} if minus == GROUND else {(plus, minus)}

    def moved(output: Output) -> Output:
        below = output.denominator
        if below is None or below.kind != "V" or below.names not in nodes_of_old:
            return output
        return replace(output, denominator=Reading("V", (set_to, *below.names[1:])))

    return replace(netlist, elements=tuple(elements)), {name: moved(output) for name, output in outputs.items()}


def _probes(outputs: Mapping[str, Output]) -> list[Element]:
    """The impedance of a probe at every node that is measured."""
    nodes = dict.fromkeys(n for o in outputs.values() for n in o.numerator.names if n not in (GROUND, "gnd"))
    return [_part(kind, f"{kind}_probe", node, GROUND, f"{kind}_probe_{node}") for node in nodes for kind in ("R", "C")]


def _part(kind: str, component: str, a: str, b: str, name: str = "") -> Element:
    return Element(kind, name or component, (a, b), {"value": Name(component)})


def _made(
    netlist: Netlist, parts: Sequence[Element], outputs: Mapping[str, Output], given: Mapping[str, Any]
) -> NetlistCircuit:
    """The circuit of it all, which learns what the given components learn and nothing else."""
    kinds = {"R_source": OHM, "R_probe": OHM, "C_probe": FARAD}
    new = {name: kind for name, kind in kinds.items() if name in given}
    for name in new:
        if name in netlist.parameters:
            raise OptionError(f"the circuit has a component {name} already; rename it, or leave out the loading")
    parameters = {name: replace(parameter, learn=False) for name, parameter in netlist.parameters.items()}
    parameters |= {
        name: Parameter(name, Number(_number(name, given[name], kind)), kind.unit) for name, kind in new.items()
    }
    whole = replace(netlist, elements=(*netlist.elements, *parts), parameters=parameters)
    asked = {name: str(output) for name, output in outputs.items()}
    return NetlistCircuit(whole, asked.get("", asked), values=given)


def _number(name: str, value: Value, kind: Component) -> float:
    """A value, or the first of several, to plan the solution for."""
    return float(make_parameters({name: kind}, {name: value})[name].detach().reshape(-1)[0])
