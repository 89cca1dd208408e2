"""LEDs that are all lit, or all dark: what such a table says, and that it says no more."""

from __future__ import annotations

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.errors import DataError
from circuits.fitting.model import CircuitModel
from circuits.fitting.problem import Problem
from circuits.notation import format as engineering

DECADES = 9.0
"""How far from the present value a bound is looked for, in powers of ten each way."""


def refuse_one_sided(problem: Problem) -> None:
    """Raise when an output of some board was never seen to change.

    Raises:
        DataError: all lit or all dark, with the bound that this gives.
    """
    model = problem.model
    if not isinstance(model, CircuitModel):
        return
    present = torch.ones_like(problem.target) if problem.present is None else problem.present
    lit = (problem.target * present).sum(-1)
    measured = present.expand(problem.target.shape).sum(-1)
    stuck = (measured > 0) & ((lit == 0) | (lit == measured))
    if not bool(stuck.any()):
        return
    board, *output = stuck.nonzero()[0].tolist()
    state = "dark" if lit[(board, *output)] == 0 else "lit"
    where = f" of output {model.circuit.outputs[output[0]]!r}" if output else ""
    where += f" on board {board}" if problem.target.shape[0] > 1 else ""
    raise DataError(
        f"every LED{where} is {state}: {_bound(problem, model.circuit, board, output)}; play tones on the other side "
        "of its corner as well, or leave that output out"
    )


def _bound(problem: Problem, circuit: Circuit, board: int, output: list[int]) -> str:
    """What the table says about the only component that matters to this output, if there is only one."""
    single = problem.take(torch.tensor([board], device=problem.target.device))
    x = problem.coordinates.values(problem.start()[board : board + 1])[0].log()
    movers = [i for i in range(len(x)) if _moves(single, x, i, output)]
    if len(movers) != 1:
        names = ", ".join(problem.model.names[i] for i in movers)
        return f"this bounds {names} only together" if names else "nothing that is learned matters to it"
    name = problem.model.names[movers[0]]
    low, high = _explaining(single, x, movers[0], output)
    unit = circuit.units().get(name, "")
    ends = [f"≥ {engineering(low, unit)}"] if low is not None else []
    ends += [f"≤ {engineering(high, unit)}"] if high is not None else []
    if not ends:
        return f"this says nothing about {name}"
    return f"this only says that {name} {' and '.join(ends)}, and nothing else is known"


def _along(problem: Problem, x: Tensor, column: int, grid: Tensor) -> Tensor:
    """Predictions with one component moved through a list of values (all are logarithms here), all at once."""
    many = problem.take(torch.zeros(len(grid), dtype=torch.long, device=x.device))
    table = x.expand(len(grid), -1).clone()
    table[:, column] = grid
    with torch.no_grad():
        return many.predict(problem.coordinates.from_values(table.exp()))


def _moves(problem: Problem, x: Tensor, column: int, output: list[int]) -> bool:
    """Whether a component matters to an output."""
    shifts = torch.tensor([0.0, 0.7], dtype=x.dtype, device=x.device)
    prediction = _along(problem, x, column, x[column] + shifts)
    prediction = prediction[:, output[0]] if output else prediction
    return not torch.equal(prediction[0], prediction[1])


def _explaining(problem: Problem, x: Tensor, column: int, output: list[int]) -> tuple[float | None, float | None]:
    """The lowest and highest value of a component that explain the output; None where there is no end to it."""
    reach = DECADES * 2.302585
    centre, low, high = x[column], None, None
    grid = centre + torch.linspace(-reach, reach, 4001, dtype=x.dtype, device=x.device)
    right = _explained(problem, x, column, output, grid)
    index = right.nonzero().flatten()
    if len(index) == 0:
        return None, None
    first, last = int(index[0]), int(index[-1])
    if first > 0:
        low = _refined(problem, x, column, output, grid[first - 1], grid[first])
    if last < len(grid) - 1:
        high = _refined(problem, x, column, output, grid[last + 1], grid[last])
    return low, high


def _refined(problem: Problem, x: Tensor, column: int, output: list[int], outside: Tensor, inside: Tensor) -> float:
    """The boundary between a coordinate that does not explain the output and one that does."""
    share = torch.linspace(0, 1, 2001, dtype=x.dtype, device=x.device)
    grid = outside + (inside - outside) * share
    first = int(_explained(problem, x, column, output, grid).nonzero()[0])
    return float(grid[first].exp())


def _explained(problem: Problem, x: Tensor, column: int, output: list[int], grid: Tensor) -> Tensor:
    prediction = _along(problem, x, column, grid)
    right = problem.explained(prediction)
    right = right[:, output[0]] if output else right
    return right.all(-1)
