"""What a fitted circuit says beside its values: its corner frequencies, and what was held fixed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.fitting.learnable import Learnable
from circuits.notation import format as engineering

MOST_HELD = 8
"""Components that are listed as held; of more the number is said."""


def corner_slopes(circuit: Circuit, learnable: Learnable, values: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Every corner frequency in hertz, by dotted name, with its derivatives by the fitted values `(boards, p)`.

    A parameter that stands in two places of the circuit has one slope, which counts once; one that is tied to another
    adds its slope to that of its leader.
    """
    moving = [slot for slot in learnable.slots if slot.column < len(learnable.leaders)]
    columns: dict[int, int] = {}
    leaves = []
    for slot in moving:
        parameter = circuit.get_parameter(slot.name)
        if parameter.requires_grad and id(parameter) not in columns:
            columns[id(parameter)] = slot.column
            leaves.append(parameter)
    found = {}
    for name, corner in circuit.cutoffs().items():
        slopes = [None] * len(leaves)
        if corner.requires_grad and leaves:
            slopes = torch.autograd.grad(corner.sum(), leaves, retain_graph=True, allow_unused=True)
        table = torch.zeros_like(values)
        for parameter, slope in zip(leaves, slopes, strict=True):
            if slope is not None:
                table[:, columns[id(parameter)]] += slope.reshape(-1)
        found[name] = (corner.detach(), table)
    return found


def held_fixed(circuit: Circuit, moved: Sequence[str]) -> tuple[str, ...]:
    """The components that are not among those that moved, with their values, the first `MOST_HELD` of them.

    >>> from circuits.filters import BandPass
    >>> held_fixed(BandPass(100.0, 200.0), ["R_low", "R_high"])
    ('C_low, C_high = 1 µF',)
    """
    units, held = circuit.units(), {}
    still = [(n, p) for n, p in circuit.named_parameters(remove_duplicate=False) if n not in moved]
    for name, parameter in still[:MOST_HELD]:
        text = engineering(parameter.item(), units[name]) if parameter.numel() == 1 else "one value a board"
        held.setdefault(text, []).append(name)
    more = (f"and {len(still) - MOST_HELD} more",) if len(still) > MOST_HELD else ()
    return (*(f"{', '.join(names)} = {text}" for text, names in held.items()), *more)
