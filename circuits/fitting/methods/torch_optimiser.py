"""Any optimiser of `torch.optim` as a method of a fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.methods.method import Method, State
from circuits.fitting.problem import Problem
from circuits.fitting.stopping import Stop


@dataclass(frozen=True, kw_only=True)
class Driven(State):
    """A state whose coordinates belong to an optimiser."""

    optimiser: torch.optim.Optimizer
    leaf: Tensor
    last_move: Tensor | None = None


@dataclass(frozen=True)
class TorchOptimiser(Method):
    """Let a `torch.optim` optimiser move the coordinates.

    Args:
        factory: called with a list of one tensor, the coordinates `(boards, p)`; returns the optimiser:
            `torch.optim.Adam`, or `lambda x: torch.optim.Adam(x, lr=0.05)`.

    Boards do not disturb each other in optimisers that work element by element (SGD, Adam, RMSprop, …).

    >>> TorchOptimiser(torch.optim.Adam).factory is torch.optim.Adam
    True
    """

    factory: Callable[[list[Tensor]], torch.optim.Optimizer]

    separable = False

    def default_stop(self, dtype: torch.dtype) -> Stop:
        # an optimiser with tolerances of its own, such as LBFGS, no longer moves when it has arrived
        return Stop(gradient=1e-6, step=1e-12 if dtype == torch.float64 else 1e-7, steps=100_000)

    def begin(self, problem: Problem, x: Tensor) -> State:
        state = super().begin(problem, x)
        leaf = x.detach().clone().requires_grad_()
        optimiser = self.factory([leaf])
        if not isinstance(optimiser, torch.optim.Optimizer):
            raise OptionError(
                f"the factory returned a {type(optimiser).__name__}; expected a torch.optim optimiser, as from "
                "lambda x: torch.optim.Adam(x, lr=0.05)"
            )
        return Driven(x=x, loss=state.loss, gradient=state.gradient, optimiser=optimiser, leaf=leaf)

    def step(self, problem: Problem, state: Driven) -> State:
        leaf = state.leaf
        leaf.grad = state.gradient.clone()

        def closure() -> float:
            loss, leaf.grad = problem.gradient(leaf)
            return float(loss.sum())

        if isinstance(state.optimiser, torch.optim.LBFGS):
            state.optimiser.step(closure)
        else:
            state.optimiser.step()
        x = problem.coordinates.clip(leaf.detach().clone())
        with torch.no_grad():
            leaf.copy_(x)
        loss, gradient = problem.gradient(x)
        now = problem.coordinates.relative(x - state.x, state.x)
        # Rprop, for one, pauses for a step where a slope has changed sign: two short steps count, not one
        move = now if state.last_move is None else torch.maximum(now, state.last_move)
        return replace(state, x=x, loss=loss, gradient=gradient, move=move, last_move=now)
