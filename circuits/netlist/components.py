"""Which parameters of a netlist are components of its circuit, and what kind of component each is."""

from __future__ import annotations

from circuits.component import Component
from circuits.netlist.elements import Netlist, Parameter
from circuits.netlist.expressions import Number

SPREAD = 100.0
"""How far from the netlist's value, as a factor, further starts of a fit are drawn where nothing bounds it."""


def components_of(netlist: Netlist) -> dict[str, Component]:
    """The free parameters of a netlist as components, by their names there.

    >>> netlist = Netlist("", (), {"r": Parameter("r", Number(50.0), "Ω", tolerance=0.05)})
    >>> components_of(netlist)
    {'r': Component(unit='Ω', low=0.5, high=5000.0, learn=False)}
    """
    return {
        name: component_of(parameter, parameter.value.value)
        for name, parameter in netlist.parameters.items()
        if isinstance(parameter.value, Number)
    }


def component_of(parameter: Parameter, value: float) -> Component:
    """What a free parameter of this value is: held until it is learned, and zero only if the netlist says so."""
    positive, lowest = parameter.positive and value > 0, parameter.low
    if parameter.positive and not positive and lowest is None:
        lowest = 0.0  # a resistance of zero may grow and cannot become negative
    wide = 3 * abs(value) + 1
    low, high = (value / SPREAD, value * SPREAD) if positive else (value - wide, value + wide)
    return Component(parameter.unit, low, high, False, positive, (lowest, parameter.high), parameter.tolerance)
