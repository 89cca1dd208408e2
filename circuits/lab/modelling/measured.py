"""What is measured of a circuit: which voltages, and whether a gain would show in it."""

from __future__ import annotations

from circuits.circuit import Circuit


def outputs_of(circuit: Circuit) -> dict[str, str]:
    """What a circuit puts out, as a netlist has it, by name; an unnamed one under an empty name.

    >>> from circuits.filters import LowPass
    >>> outputs_of(LowPass(R=500.0))
    {'': 'V(out)/V(in)'}
    """
    recipe = circuit.recipe()
    if recipe is not None and "outputs" in recipe:
        return dict(recipe["outputs"])
    return {name: f"V({name or 'out'})/V(in)" for name in circuit.outputs or ("",)}


def is_voltage_ratio(circuit: Circuit) -> bool:
    r"""Whether every output of a circuit is a ratio of two voltages, which an instrument's gain multiplies.

    >>> from circuits.netlist import read_netlist
    >>> is_voltage_ratio(read_netlist("R\nI1 0 a AC 1\nR1 a 0 50", "Z(a)"))
    False
    """
    if circuit.recipe() is None:
        return True
    from circuits.netlist.outputs import parse_output  # only a netlist can measure anything else

    outputs = [parse_output(text) for text in outputs_of(circuit).values()]
    return all(o.denominator is not None and {p.kind for p in o.probes} == {"V"} for o in outputs)
