"""How values move: which as logarithms, and between which bounds, as a person says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from circuits.errors import OptionError, UnknownName
from circuits.fitting.coordinates import Coordinates
from circuits.fitting.model import CircuitModel, Model

Bounds = Mapping[str, tuple[float | None, float | None]] | None
How = str | Mapping[str, str] | None


def make_coordinates(model: Model, how: How, bounds: Bounds) -> Coordinates:
    """Which values move as logarithms, and between which bounds: those given, or else those of the components.

    Raises:
        OptionError: an unknown kind of coordinates, or a logarithm of a value that is not positive.
        UnknownName: a name that is not learned.
    """
    default = "log" if isinstance(model, CircuitModel) else "linear"
    own = [(name, kind) for name, kind in zip(model.names, model.kinds, strict=True) if kind is not None]
    signed = [name for name, kind in own if not kind.positive]
    bounds = {name: kind.bounds for name, kind in own if kind.bounds != (None, None)} | dict(bounds or {})
    if how is None and not bounds and not signed:
        return Coordinates(default == "log")
    if how is not None and not isinstance(how, (str, Mapping)):
        raise OptionError(f"coordinates={how!r}; expected 'log', 'linear' or a mapping from name to either")
    by_name = how if isinstance(how, Mapping) else {}
    kinds = dict.fromkeys(model.names, how if isinstance(how, str) else default)
    kinds.update(dict.fromkeys([] if isinstance(how, str) else signed, "linear"))
    for name, kind in by_name.items():
        kinds.update(dict.fromkeys(_elements(model, name), kind))
    for kind in kinds.values():
        if kind not in ("log", "linear"):
            raise UnknownName("kind of coordinates", kind, ("log", "linear"))
    start = model.values()
    log = torch.tensor([kind == "log" for kind in kinds.values()], device=start.device)
    if bool((log & (start <= 0)).any()):
        name = next(n for n, bad in zip(kinds, (log & (start <= 0)).any(0).tolist(), strict=True) if bad)
        raise OptionError(f"{name} is not positive at the start and has no logarithm; give it coordinates='linear'")
    only = True if bool(log.all()) else False if not bool(log.any()) else log
    if not bounds:
        return Coordinates(only)
    low, high = _bounds(model, bounds, start)
    impossible = [name for name, bad in zip(model.names, (log & (high <= 0)).tolist(), strict=True) if bad]
    if impossible:
        raise OptionError(f"the upper bound of {impossible[0]} is not positive and its value is; give one above zero")
    lowest = torch.where(log & (low <= 0), -torch.inf, torch.where(log, low.clamp_min(0).log(), low))
    highest = torch.where(log, high.clamp_min(0).log(), high)
    return Coordinates(only, lowest, highest)


def _elements(model: Model, name: str) -> list[str]:
    """The fitted values that a name speaks of: itself, or every element of that parameter."""
    found = [n for n in model.names if n == name or n.startswith(f"{name}[")]
    if not found:
        raise UnknownName("learnable component", name, model.names)
    return found


def _bounds(model: Model, bounds: Mapping[str, Any], like: Tensor) -> tuple[Tensor, Tensor]:
    """Lowest and highest values, `(p,)` each."""
    low, high = (like.new_full((len(model.names),), end) for end in (-torch.inf, torch.inf))
    for name, pair in bounds.items():
        if not (isinstance(pair, Iterable) and len(tuple(pair)) == 2):
            raise OptionError(
                f"bounds of {name} are {pair!r}; expected a pair (low, high), either of which may be None"
            )
        lowest, highest = (_bound_number(name, end) for end in pair)
        for element in _elements(model, name):
            i = model.names.index(element)
            low[i] = -torch.inf if lowest is None else lowest
            high[i] = torch.inf if highest is None else highest
            if not low[i] < high[i]:
                raise OptionError(f"bounds of {name} are ({low[i]:g}, {high[i]:g}); expected low below high")
    return low, high


def _bound_number(name: str, end: Any) -> float | None:
    if end is None:
        return None
    if isinstance(end, bool) or not isinstance(end, (int, float)):
        raise OptionError(f"a bound of {name} is {end!r}; expected a number in SI units, or None")
    return float(end)
