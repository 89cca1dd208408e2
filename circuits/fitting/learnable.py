"""What a fit moves: the learnable parameters of a module, which of them are tied, and how to try values in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from circuits.errors import OptionError, UnknownName

Fixed = Mapping[str, Any] | Iterable[str] | None


@dataclass(frozen=True)
class Slot:
    """One place in a module that holds a parameter, and the column of values that is written there."""

    name: str
    home: dict[str, Any] = field(repr=False)
    key: str
    column: int


@dataclass(frozen=True)
class Learnable:
    """The distinct learnable parameters of a module, in order, and every slot that shows one of them.

    `leaders[i]` is the dotted name of parameter i, `parameters[i]` the parameter itself. A parameter that stands in two
    places of the module, or is tied to another, has several slots with the same column.
    """

    leaders: tuple[str, ...]
    parameters: tuple[nn.Parameter, ...]
    slots: tuple[Slot, ...]

    @contextmanager
    def holding(self, tensors: list[Tensor]) -> Iterator[None]:
        """Let the module compute with these tensors in place of its parameters, then put the parameters back."""
        saved = [slot.home[slot.key] for slot in self.slots]
        for slot in self.slots:
            slot.home[slot.key] = tensors[slot.column]
        try:
            yield
        finally:
            for slot, parameter in zip(self.slots, saved, strict=True):
                slot.home[slot.key] = parameter

    def store(self, tensors: Iterable[Tensor]) -> None:
        """Write values into the parameters themselves (and into those tied to them)."""
        values = list(tensors)
        with torch.no_grad():
            for slot in self.slots:
                if slot.column < len(self.leaders):
                    slot.home[slot.key].copy_(values[slot.column].reshape(slot.home[slot.key].shape))

    def with_held(self, module: nn.Module, names: Iterable[str]) -> Learnable:
        """The same, with further slots (columns after the learnable ones) for parameters that only take part."""
        held = []
        for column, name in enumerate(names, len(self.leaders)):
            owner, _, key = name.rpartition(".")
            held.append(Slot(name, module.get_submodule(owner)._parameters, key, column))
        return replace(self, slots=(*self.slots, *held))


def find_learnable(module: nn.Module, fixed: Fixed = None, tied: Mapping[str, str] | None = None) -> Learnable:
    """List what a fit may move in `module`: every parameter with `requires_grad`, less the fixed, ties followed.

    Raises:
        UnknownName: a fixed or tied name that the module does not have.
        OptionError: nothing is left to move, or a tie between parameters of different shape.
    """
    parameters = dict(module.named_parameters(remove_duplicate=False))
    tied = dict(tied or {})
    values = fixed_values(fixed)
    for name in (*values, *tied, *tied.values()):
        if name not in parameters:
            raise UnknownName("component", name, parameters)
    columns: dict[int, int] = {}
    slots, leaders, distinct = [], [], []
    for name, parameter in parameters.items():
        leader = _leader(name, tied)
        chosen = parameters[leader]
        if chosen.shape != parameter.shape:
            raise OptionError(
                f"{name!r} has shape {tuple(parameter.shape)} and cannot be tied to {leader!r} of shape "
                f"{tuple(chosen.shape)}; tie parameters of one shape"
            )
        if leader in values or name in values or not chosen.requires_grad:
            continue
        if id(chosen) not in columns:
            columns[id(chosen)] = len(distinct)
            leaders.append(leader)
            distinct.append(chosen)
        owner, _, key = name.rpartition(".")
        slots.append(Slot(name, module.get_submodule(owner)._parameters, key, columns[id(chosen)]))
    if not distinct:
        raise OptionError(
            f"nothing to fit: {', '.join(parameters) or 'the module'} held fixed; free a parameter with "
            "requires_grad_(True) or leave it out of fixed="
        )
    return Learnable(tuple(leaders), tuple(distinct), tuple(slots))


def fixed_values(fixed: Fixed) -> dict[str, Any]:
    """What is held, by name, with the value to hold or None for the present one."""
    if isinstance(fixed, Mapping):
        return dict(fixed)
    return dict.fromkeys([fixed] if isinstance(fixed, str) else fixed or ())


def _leader(name: str, tied: Mapping[str, str]) -> str:
    """Follow ties to the parameter that leads, refusing a circle."""
    seen = [name]
    while name in tied:
        name = tied[name]
        if name in seen:
            raise OptionError(f"the ties go round in a circle: {' → '.join([*seen, name])}; let one of them lead")
        seen.append(name)
    return name
