"""The systems that the outputs of a netlist are read from, and their derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from circuits.netlist.answers.checks import check_solvable
from circuits.netlist.elements import Netlist
from circuits.netlist.expressions import Number
from circuits.netlist.outputs import Output
from circuits.netlist.solver.plan import Functional
from circuits.netlist.solver.system import System

Values = Mapping[str, Tensor]


class Reading:
    """Some outputs that are read from one system, and their places among all outputs.

    It has no state of its own: a copy is itself, and a pickle holds what it was made of.
    """

    def __init__(self, netlist: Netlist, outputs: Mapping[int, Output]):
        self.netlist, self.outputs = netlist, dict(outputs)
        currents = dict.fromkeys(name for output in outputs.values() for name in output.currents)
        first = next(iter(outputs.values()))
        self.system = System(first.measured_on(netlist), currents=tuple(currents))
        parts = {place: _simplified(output, self.system) for place, output in outputs.items()}
        self._functionals = list({tuple(sorted(one.items())): one for each in parts.values() for one in each}.values())
        self._shaped = {
            place: output if len(parts[place]) > 1 else Output(output.numerator) for place, output in outputs.items()
        }
        self._parts = {place: _rows([self._functionals.index(one) for one in each]) for place, each in parts.items()}

    def prepare(self, values: Values, low: float, high: float) -> None:
        """Plan the elimination at these values, between these hertz, while they are there to be looked at."""
        with torch.no_grad():
            self.response(values, torch.logspace(math.log10(low), math.log10(high), 6, dtype=torch.float64))

    def response(self, values: Values, f: Tensor) -> dict[int, Tensor]:
        """Each output `(*batch, n)` by its place."""
        found = self.system.response(values, f, self._functionals)
        if len(self._functionals) == 1:
            return dict.fromkeys(self._parts, found.squeeze(-2))
        return {place: self._shaped[place].combined(found[..., rows, :]) for place, rows in self._parts.items()}

    def jacobian(self, values: Values, f: Tensor, names: Sequence[str]) -> dict[int, tuple[Tensor, Tensor]]:
        """Each output `(*batch, n)` and its derivatives `(*batch, p, n)` by its place, without a graph."""
        found, slopes = self.system.jacobian(values, f, self._functionals, names)
        made = {}
        for place, rows in self._parts.items():
            output, parts = self._shaped[place], found[..., rows, :]
            made[place] = output.combined(parts), output.slopes(parts, slopes[..., rows, :])
        return made

    def __deepcopy__(self, memo: Any) -> Reading:
        return self

    def __reduce__(self) -> tuple[type[Reading], tuple]:
        return Reading, (self.netlist, self.outputs)


def _simplified(output: Output, system: System) -> tuple[Functional, ...]:
    """The numerator alone, scaled, where the denominator is a voltage that sources give once and for all.

    The commonest ratio, V(out)/V(in) over an ideal source, then needs one adjoint solve and no division.
    """
    numerator, *rest = output.functionals(system.formulation)
    fixed = _fixed_voltage(rest[0], system) if rest else None
    return (numerator, *rest) if not fixed else ({column: c / fixed for column, c in numerator.items()},)


def _fixed_voltage(functional: Functional, system: System) -> float | None:
    """A voltage between rails alone, whose sources are in phase and depend on no parameter; None for any other."""
    made, n = system.formulation, len(system.formulation.unknowns)
    if any(column < n for column in functional):
        return None
    total = 0.0
    for e in system.netlist.elements:
        weight = sum(functional.get(n + rail, 0.0) * factor for rail, factor in made.rail_sources.get(e.name, ()))
        if weight:
            size, phase = e.values["ac"], e.values["phase"]
            if not isinstance(size, Number) or not isinstance(phase, Number) or (size.value and phase.value):
                return None
            total += weight * size.value
    return total


def _rows(places: list[int]) -> slice | list[int]:
    """Places as a slice where they follow each other, which costs no copy."""
    first = places[0]
    return slice(first, first + len(places)) if places == list(range(first, first + len(places))) else places


def readings_of(netlist: Netlist, outputs: Sequence[Output]) -> list[Reading]:
    """The systems that the outputs need: one for all that the netlist's own sources drive, one for each impedance.

    Raises:
        NetlistError: a circuit that has no single solution, with the place and what to do.
    """
    for output in outputs:
        check_solvable(output.measured_on(netlist))
    driven = {place: output for place, output in enumerate(outputs) if not output.is_impedance}
    ports = [{place: output} for place, output in enumerate(outputs) if output.is_impedance]
    return [Reading(netlist, some) for some in ([driven] if driven else []) + ports]


def in_order(found: Mapping[int, Any]) -> list[Any]:
    """Outputs by their places, in a row."""
    return [found[place] for place in range(len(found))]


_DECIBELS = 20 / math.log(10)
_SLOPES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    # d|H| = Re(H* dH)/|H|, and zero where H is, as torch has it
    "magnitude": lambda H, slope: (H.sgn().conj().unsqueeze(-2) * slope).real,
    "decibels": lambda H, slope: _DECIBELS * (slope / H.unsqueeze(-2)).real,
    "phase": lambda H, slope: torch.rad2deg((slope / H.unsqueeze(-2)).imag),
}
_VIEWS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "magnitude": torch.abs,
    "decibels": lambda H: 20 * torch.log10(H.abs()),
    "phase": lambda H: torch.rad2deg(H.angle()),
}
SLOPED = ("response", "led", *_SLOPES)
"""Quantities whose derivatives follow from those of the response."""


def as_quantity(H: Tensor, slopes: Tensor, quantity: str) -> tuple[Tensor, Tensor]:
    """A view of a response `(*batch, n)`, and its derivatives `(*batch, p, n)` from those of the response.

    d|H| = Re(H* dH)/|H|, d(20 log₁₀|H|) = (20/ln 10) Re(dH/H), dφ = Im(dH/H).

    >>> H, slope = torch.tensor([3.0 + 4.0j]), torch.tensor([[1.0 + 0.0j]])
    >>> as_quantity(H, slope, "magnitude")
    (tensor([5.]), tensor([[0.6000]]))
    """
    if quantity == "response":
        return H, slopes
    view = "magnitude" if quantity == "led" else quantity
    return _VIEWS[view](H), _SLOPES[view](H, slopes)
