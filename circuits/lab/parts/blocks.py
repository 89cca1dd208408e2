"""Which components act on which outputs, and how that takes a circuit apart into blocks that can be solved alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from circuits.circuit import Circuit

_BOARDS = 4  # at which derivatives are looked at
_NOTHING = 1e-13  # of the steepest slope


@dataclass(frozen=True)
class Group:
    """Components that share outputs, and these outputs by number; no outputs where they act on none."""

    names: tuple[str, ...]
    outputs: tuple[int, ...]


def groups_of(circuit: Circuit, f: torch.Tensor, names: Sequence[str]) -> list[Group]:
    """Take a circuit apart: components belong together when some output depends on both.

    What an output does not depend on has a derivative of zero there, whatever the values: it is looked for at the
    present values and at others, up to a decade away.

    Args:
        circuit: a single board.
        f: `(n,)` in hertz.
        names: dotted names of the components that may change.

    >>> from circuits.color_organ import ColorOrgan
    >>> organ = ColorOrgan(200.0, (40.0, 160.0), 32.0)
    >>> for group in groups_of(organ, torch.logspace(1, 5, 30), ["low.R", "band.R_low", "band.R_high", "high.R"]):
    ...     print(group)
    Group(names=('low.R',), outputs=(0,))
    Group(names=('band.R_low', 'band.R_high'), outputs=(1,))
    Group(names=('high.R',), outputs=(2,))
    """
    acts = _acts_on(circuit, f, names)
    groups: list[tuple[set[str], set[int]]] = []
    for name in names:
        own: tuple[set[str], set[int]] = ({name}, set(acts[name]))
        for group in [one for one in groups if one[1] & own[1]]:
            groups.remove(group)
            own = (own[0] | group[0], own[1] | group[1])
        groups.append(own)
    in_order = sorted(groups, key=lambda group: min(names.index(name) for name in group[0]))
    return [Group(tuple(n for n in names if n in own), tuple(sorted(outputs))) for own, outputs in in_order]


def _acts_on(circuit: Circuit, f: torch.Tensor, names: Sequence[str]) -> dict[str, list[int]]:
    """The outputs that depend on each component."""
    parameters = dict(circuit.named_parameters())
    all_names = dict(circuit.named_parameters(remove_duplicate=False))
    aliases = [(name, alias) for name in names for alias, one in all_names.items() if one is parameters[name]]
    values = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    steepest = 0.0
    try:
        for factors in _elsewhere(len(names)):
            for name, factor in zip(names, factors, strict=True):
                parameters[name].data = values[name] * factor
            _, jacobian = circuit.linearize(f, "response", [alias for _, alias in aliases])
            rows = jacobian.abs() if jacobian.ndim == 3 else jacobian.abs().unsqueeze(1)
            here = [row.amax(-1) * parameters[name].abs() for row, (name, _) in zip(rows, aliases, strict=True)]
            steepest = torch.maximum(torch.as_tensor(steepest), torch.stack(here).nan_to_num())
    finally:
        for name, value in values.items():
            parameters[name].data = value
    acting = torch.as_tensor(steepest) > _NOTHING * torch.as_tensor(steepest).amax(0, keepdim=True)
    outputs: dict[str, set[int]] = {name: set() for name in names}
    for (name, _), row in zip(aliases, acting, strict=True):
        outputs[name].update(row.nonzero().flatten().tolist())
    return {name: sorted(found) for name, found in outputs.items()}


def _elsewhere(count: int) -> torch.Tensor:
    """Factors for every component, `(boards, count)`; the first board is the present one."""
    generator = torch.Generator().manual_seed(0)
    factors = 10 ** (2 * torch.rand(_BOARDS, count, generator=generator, dtype=torch.float64) - 1)
    factors[0] = 1.0
    return factors
