"""The circuits by the names that the command line knows them by."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import torch

from circuits.bode import BodeBandPass
from circuits.circuit import Circuit
from circuits.color_organ import ColorOrgan
from circuits.component import Value
from circuits.errors import UnknownName
from circuits.filters import BandPass, HighPass, LoadedBandPass, LowPass

CATALOGUE: dict[str, type[Circuit]] = {
    "low-pass": LowPass,
    "high-pass": HighPass,
    "band-pass": BandPass,
    "loaded-band-pass": LoadedBandPass,
    "bode-band-pass": BodeBandPass,
    "color-organ": ColorOrgan,
}
_MAKERS = {"netlist": "circuits.netlist.reading", "bench": "circuits.lab.modelling.bench"}
"""The module that follows each kind of recipe, loaded only then: no solver where there is no netlist."""

_PARTS: dict[type[Circuit], dict[str, Any]] = {
    ColorOrgan: {"low": LowPass, "band": BandPass, "high": HighPass},
}


def component_names(name: str) -> list[str]:
    """Dotted names of the components of a circuit in the catalogue.

    Raises:
        UnknownName: no such circuit.

    >>> component_names("color-organ")
    ['low.R', 'low.C', 'band.R_low', 'band.R_high', 'band.C_low', 'band.C_high', 'high.R', 'high.C']
    """
    if name not in CATALOGUE:
        raise UnknownName("circuit", name, CATALOGUE)
    kind = CATALOGUE[name]
    parts = _PARTS.get(kind, {}).items()
    return [
        *kind.components,
        *(f"{part}.{component}" for part, filter in parts for component in filter.components),
    ]


def make(name: str, values: Mapping[str, Value] | None = None, *, seed: int | torch.Generator = 0) -> Circuit:
    """A circuit from the catalogue, its components given by dotted name.

    Args:
        name: a name in `CATALOGUE`.
        values: component values by dotted name, such as `{"band.R_low": "40"}`; those left out take the default of the
            circuit.
        seed: for the components that are drawn.

    Raises:
        UnknownName: no such circuit or component.
        ComponentError, ShapeError: values that no part can have.

    >>> make("low-pass", {"R": "4.7k"}).R.item()
    4700.0
    >>> make("color-organ", {"band.R_low": "40"}).band.R_low.item()
    40.0
    """
    known, values = component_names(name), values or {}
    for component in values:
        if component not in known:
            raise UnknownName("component", component, known)
    kind: Any = CATALOGUE[name]
    if kind not in _PARTS:
        return kind(**values, seed=seed)
    generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
    parts = {part: filter(**_below(part, values), seed=generator) for part, filter in _PARTS[kind].items()}
    return kind(**parts)


def make_again(recipe: Mapping[str, Any], values: Mapping[str, Value]) -> Circuit:
    """A circuit by its `Circuit.recipe`, its components given by dotted name.

    Raises:
        UnknownName: a recipe of a kind that is not known.
        OhmgradError: a recipe or values that cannot be followed.
    """
    if recipe["kind"] not in _MAKERS:
        raise UnknownName("kind of recipe", recipe["kind"], _MAKERS)
    return import_module(_MAKERS[recipe["kind"]]).made_again(recipe, values)


def _below(part: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """Values of the components of one part, under their own names."""
    return {name.partition(".")[2]: value for name, value in values.items() if name.startswith(f"{part}.")}
