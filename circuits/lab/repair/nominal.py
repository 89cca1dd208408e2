"""What a board is made of on paper: its parts, their values, how far each may be off, and which may be suspected."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.component import Component
from circuits.errors import OptionError, ShapeError, UnknownName
from circuits.netlist.netlist_circuit import NetlistCircuit

LETTERS = {"R": "Ω", "C": "F", "L": "H"}
"""Kinds of parts by letter, with their unit."""

USUAL = {"Ω": 0.05, "F": 0.10, "H": 0.10}
"""Relative tolerance of a part of which nothing is said, by unit."""


@dataclass(frozen=True, eq=False)
class Nominal:
    """The p components of a board that may differ from paper.

    Args:
        names: dotted names.
        units: SI unit of each.
        values: `(p,)`, as on paper.
        widths: `(p,)`, standard deviation of each, relative.
        positive: `(p,)` of bool, whether a value moves as a logarithm.
        suspects: indices of those that may be at fault.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: Tensor
    widths: Tensor
    positive: Tensor
    suspects: tuple[int, ...]


def nominal_of(
    circuit: Circuit, tolerances: Mapping[str, float] | None = None, suspects: Iterable[str] | None = None
) -> Nominal:
    """Read the parts of a board from its circuit.

    A tolerance t is a limit: within it a value is as likely as another, so that its standard deviation is t/√3. It is
    what `tolerances` says under its name, under a glob or under the letter of its kind, in
    this order; else what the netlist says; else 5 % for a resistor, 10 % for a capacitor or an inductor. What lies
    inside a subcircuit of a netlist, such as the rout of an op-amp, counts as exact and beyond suspicion where nobody
    states a tolerance for it.

    Args:
        circuit: a single board with its nominal values.
        tolerances: relative, such as `{"R": 0.01, "band.C_*": 0.2, "low.R": 0.05}`.
        suspects: names or globs of what may be at fault; all parts where None.

    Raises:
        UnknownName: a name that matches no component. OptionError: a tolerance that is none, or nothing to suspect.
        ShapeError: a batch of boards.

    >>> from circuits.filters import LowPass
    >>> nominal_of(LowPass(R=1000.0), {"C": 0.2}).widths
    tensor([0.0289, 0.1155], dtype=torch.float64)
    """
    if circuit.batch_shape.numel() != 1:
        raise ShapeError(f"{tuple(circuit.batch_shape)} boards; expected a single one with its nominal values")
    kinds = circuit.kinds()
    components = {name: kind for name, kind in kinds.items() if name in dict(circuit.named_parameters())}
    stated = _stated(circuit, components, tolerances or {})
    names = _counting(circuit, components, stated)
    chosen = _chosen(suspects, names, components)
    names += [name for name in chosen if name not in names]
    widths = [stated.get(name, USUAL.get(kinds[name].unit, 0.0)) / math.sqrt(3) for name in names]
    values = [circuit.get_parameter(name).detach().double().reshape(()) for name in names]
    if not chosen:
        raise OptionError(f"{circuit.title} has no part to suspect; name some of {', '.join(components)}")
    return Nominal(
        tuple(names),
        tuple(kinds[name].unit for name in names),
        torch.stack(values).cpu(),
        torch.tensor(widths, dtype=torch.float64),
        torch.tensor([kinds[name].positive for name in names]),
        tuple(names.index(name) for name in chosen),
    )


def _counting(circuit: Circuit, components: Mapping[str, Component], stated: Mapping[str, float]) -> list[str]:
    """Components that may differ from paper: parts, but those within a subcircuit only where it is stated how far."""
    parts = [name for name, kind in components.items() if kind.unit in USUAL or name in stated]
    outside = [name for name in parts if name in stated or "." not in name]
    return outside if isinstance(circuit, NetlistCircuit) and outside else parts


def _stated(circuit: Circuit, components: Mapping[str, Component], given: Mapping[str, float]) -> dict[str, float]:
    """Tolerances that somebody states, by component."""
    stated = {name: kind.tolerance for name, kind in components.items() if kind.tolerance is not None}
    for pattern in sorted(given, key=lambda pattern: _precedence(circuit, pattern, components)):
        tolerance = float(given[pattern])
        if not (math.isfinite(tolerance) and 0 <= tolerance < 1):
            raise OptionError(f"tolerance {tolerance:g} for {pattern}; expected a share from 0 to 1, such as 0.05")
        stated |= dict.fromkeys(_matching(circuit, pattern, components), tolerance)
    return stated


def _precedence(circuit: Circuit, pattern: str, components: Mapping[str, Component]) -> int:
    """Kinds first, then globs, then names, so that the most particular has the last word."""
    return 2 if _named(circuit, pattern, components) else 0 if pattern in LETTERS else 1


def _matching(circuit: Circuit, pattern: str, components: Mapping[str, Component]) -> list[str]:
    named = _named(circuit, pattern, components)
    if named:
        return [named]
    found = [name for name in components if fnmatchcase(name.casefold(), pattern.casefold())]
    if pattern in LETTERS and not found:
        inside = isinstance(circuit, NetlistCircuit)
        return [n for n, k in components.items() if k.unit == LETTERS[pattern] and not (inside and "." in n)]
    if not found:
        raise UnknownName("component", pattern, [*components, *LETTERS])
    return found


def _named(circuit: Circuit, name: str, components: Mapping[str, Component]) -> str | None:
    """The component of exactly that name, in upper or lower case."""
    if name in components:
        return name
    return next((one for one in components if one.casefold() == name.casefold() and name not in LETTERS), None)


def _chosen(suspects: Iterable[str] | None, names: list[str], components: Mapping[str, Component]) -> list[str]:
    if suspects is None:
        return [name for name in names if components[name].unit in USUAL]
    chosen: list[str] = []
    for pattern in [suspects] if isinstance(suspects, str) else suspects:
        found = [n for n in components if n == pattern or fnmatchcase(n.casefold(), pattern.casefold())]
        if not found:
            raise UnknownName("component", pattern, components)
        chosen += [name for name in found if name not in chosen]
    return chosen
