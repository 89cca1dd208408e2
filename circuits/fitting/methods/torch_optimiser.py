"""Any optimiser of `torch.optim` as a method of a fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.methods.method import Method, State
from circuits.fitting.problem import Problem


@dataclass(frozen=True, kw_only=True)
class Driven(State):
    """A state whose coordinates belong to an optimiser."""

    optimiser: torch.optim.Optimizer
    leaf: Tensor


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
        return replace(state, x=x, loss=loss, gradient=gradient)
