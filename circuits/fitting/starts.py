"""Where a fit starts, when one start is not enough."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from circuits.errors import ComponentError, OptionError, UnknownName
from circuits.fitting.problem import Problem

Starts = int | Sequence[Mapping[str, float]] | None

SPREAD = math.log(100.0)
"""How far around the present value a start is drawn where a component has no range of its own: a factor of 100."""


def start_table(problem: Problem, starts: Starts, seed: int) -> Tensor:
    """Coordinates of the starts of every board, `(starts, boards, p)`; the first is where the module stands now.

    Args:
        problem: what is to be fitted.
        starts: how many, the others being spread by a scrambled Sobol sequence over the components' ranges (or the
            bounds); or a list of values by name.
        seed: of that sequence.

    Raises:
        OptionError: fewer than one start.
        UnknownName: a start that names something which is not learned.
    """
    x = problem.start()
    if starts is None:
        return x.unsqueeze(0)
    if not isinstance(starts, int):
        if not starts or not all(isinstance(values, Mapping) for values in starts):
            raise OptionError(f"starts={starts!r}; expected how many, or a list of mappings such as [{{'R': 500.0}}]")
        return torch.stack([_given(problem, x, values) for values in starts])
    if starts < 1:
        raise OptionError(f"starts={starts}; expected at least one")
    return torch.cat([x.unsqueeze(0), drawn(problem, x, starts - 1, seed)])


def drawn(problem: Problem, x: Tensor, count: int, seed: int) -> Tensor:
    """Further starts spread over the ranges of the components, `(count, boards, p)`."""
    if count < 1:
        return x.new_zeros(0, *x.shape)
    low, high = _ranges(problem, x)
    engine = torch.quasirandom.SobolEngine(x.shape[1], scramble=True, seed=seed)
    share = engine.draw(count, dtype=x.dtype).to(x.device).unsqueeze(1)
    return problem.coordinates.clip(low + (high - low) * share)


def _given(problem: Problem, x: Tensor, values: Mapping[str, float]) -> Tensor:
    """One start by name; what is not named stays where it is."""
    table = problem.coordinates.values(x).clone()
    for name, value in values.items():
        if name not in problem.model.names:
            raise UnknownName("learnable component", name, problem.model.names)
        column = problem.model.names.index(name)
        is_positive = problem.model.is_positive(column)
        if not math.isfinite(value) or (is_positive and value <= 0):
            expected = "positive, finite" if is_positive else "finite"
            raise ComponentError(f"a start at {name} = {value:g}; expected a {expected} value")
        table[:, column] = float(value)
    return problem.coordinates.clip(problem.coordinates.from_values(table))


def _ranges(problem: Problem, x: Tensor) -> tuple[Tensor, Tensor]:
    """Ends of the ranges, in coordinates, `(boards, p)` each."""
    log = torch.as_tensor(problem.coordinates.log, device=x.device).expand(x.shape[1])
    wide = torch.where(log, torch.full_like(x, SPREAD), 3 * x.abs() + 1)
    low, high = x - wide, x + wide
    for i, part in enumerate(problem.model.kinds):
        if part is not None:
            ends = torch.tensor([[part.low], [part.high]], dtype=x.dtype, device=x.device)
            ends = ends.log() if bool(log[i]) else ends
            low[:, i], high[:, i] = ends[0], ends[1]
    lowest, highest = problem.coordinates.low, problem.coordinates.high
    if lowest is not None and highest is not None:
        low, high = torch.where(lowest.isfinite(), lowest, low), torch.where(highest.isfinite(), highest, high)
    return low, high
