"""An objective: the loss at many places at once, every place being a board of its own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from circuits.fitting.model import CircuitModel
from circuits.fitting.problem import Problem

Objective = Callable[[Tensor], Tensor]
"""Takes coordinates `(samples, boards, p)` and returns the losses there, `(samples, boards)`."""

LARGEST = 200_000
"""Predicted numbers that are computed at a time: that many stay near the processor, where arithmetic is quickest."""


def objective_of(problem: Problem | Objective) -> Objective:
    """The loss of a problem as a function of many places, evaluated in one batched call.

    A sample is a board: the places `(samples, boards, p)` go through the circuit as samples · boards boards side by
    side. A plain module is mapped over its samples by `torch.vmap`. Any other function is given back as it is.

    Args:
        problem: a problem of one board or many, or a function that is an objective already.

    >>> import circuits as cc
    >>> from circuits.fitting.setup import make_problem
    >>> problem = make_problem(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5)))
    >>> places = torch.tensor([100.0, 200.0, 400.0], dtype=torch.float64).log().reshape(3, 1, 1)
    >>> objective_of(problem)(places).argmin(0)
    tensor([1])
    """
    if not isinstance(problem, Problem):
        return problem
    if not isinstance(problem.model, CircuitModel):
        return lambda x: _module_losses(problem, x)
    return lambda x: _board_losses(problem, x)


def slopes_of(problem: Problem | Objective, x: Tensor) -> Tensor:
    """Derivatives of an objective at places `(samples, boards, p)`, in the same shape, by autograd.

    Where the objective does not depend on the coordinates as far as autograd can see, they are zero.
    """
    if isinstance(problem, Problem) and isinstance(problem.model, CircuitModel):
        pieces = [problem.take(rows).gradient(part)[1] for rows, part in _batches(problem, x)]
        return torch.cat(pieces).reshape(x.shape)
    leaf = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        total = objective_of(problem)(leaf).sum()
        if not total.requires_grad:
            return torch.zeros_like(x)
        (slopes,) = torch.autograd.grad(total, leaf, allow_unused=True)
    return torch.zeros_like(x) if slopes is None else slopes


def _board_losses(problem: Problem, x: Tensor) -> Tensor:
    """Losses of a circuit at every place."""
    return torch.cat([problem.take(rows).losses(part) for rows, part in _batches(problem, x)]).reshape(x.shape[:2])


def _batches(problem: Problem, x: Tensor):
    """Which board every place belongs to, with the places, in batches that fit into memory."""
    rows = torch.arange(x.shape[1], device=x.device).repeat(len(x))
    size = max(1, LARGEST // max(1, problem.target[0].numel()))
    return zip(rows.split(size), x.reshape(-1, x.shape[2]).split(size), strict=True)


def _module_losses(problem: Problem, x: Tensor) -> Tensor:
    """Losses of a plain module at every place; one by one where its operations cannot be mapped."""

    def single(place: Tensor) -> Tensor:
        return problem.losses(place.unsqueeze(0)).reshape(())

    places = x.reshape(-1, x.shape[2])
    try:
        losses = torch.vmap(single)(places)
    except (RuntimeError, ValueError):
        losses = torch.stack([single(place) for place in places])
    return losses.reshape(x.shape[:2])
