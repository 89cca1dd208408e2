"""What a method is: `begin` looks at the start, `step` moves on; the loop around it knows nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from circuits.fitting.problem import Problem
from circuits.fitting.quadratic import Quadratic, Rows
from circuits.fitting.stopping import Stop


@dataclass(frozen=True, kw_only=True)
class State:
    """Where every board stands: coordinates `x (boards, p)`, `loss (boards,)`, `gradient (boards, p)`.

    `decrease` is the relative decrease of the loss that the method still expects, and `move` the largest relative
    change of a value in its step, `(boards,)`, or None where the method does not tell. `next_x (boards, p)` is where
    its next step leads, for a method that knows before it looks. Methods with a memory add fields; the first axis of
    every tensor is the board.
    """

    x: Tensor
    loss: Tensor
    gradient: Tensor
    decrease: Tensor | None = None
    move: Tensor | None = None
    next_x: Tensor | None = None

    def take(self, rows: Tensor) -> State:
        """The state of some of the boards."""
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        tensors = {name: value[rows] for name, value in held.items() if isinstance(value, Tensor)}
        models = {name: value.take(rows) for name, value in held.items() if isinstance(value, (Quadratic, Rows))}
        return replace(self, **tensors, **models)


class Method(ABC):
    """Moves the coordinates of a problem, one step at a time.

    A new method is one class with `step`; `begin` and `default_stop` may be left as they are.
    """

    separable = True
    """Whether finished boards may leave while the others go on."""

    def begin(self, problem: Problem, x: Tensor) -> State:
        """The state at the start."""
        loss, gradient = problem.gradient(x)
        return State(x=x, loss=loss, gradient=gradient)

    @abstractmethod
    def step(self, problem: Problem, state: Any) -> State:
        """The state after one step."""

    def default_stop(self, dtype: torch.dtype) -> Stop:
        """When to stop if nobody says otherwise, for coordinates of this precision."""
        return Stop(gradient=1e-6, steps=100_000)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of every board, `(boards, p)` with `(boards, p)`."""
    return torch.linalg.vecdot(a, b)
