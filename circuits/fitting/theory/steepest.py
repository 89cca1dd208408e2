"""Steepest descent in any norm: the length that a method measures steps by decides the direction it takes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from circuits.errors import OptionError


def conjugate(order: float) -> float:
    """The exponent q with 1/p + 1/q = 1, whose norm is dual to that of exponent p.

    Raises:
        OptionError: an order below 1, which is no norm.

    >>> conjugate(2.0), conjugate(math.inf), conjugate(1.0), conjugate(3.0)
    (2.0, 1.0, inf, 1.5)
    """
    if not order >= 1:
        raise OptionError(f"order={order!r}; expected 1, 2, inf or any number from 1 on: below 1 there is no norm")
    if math.isinf(order):
        return 1.0
    return math.inf if order == 1 else order / (order - 1)


def dual_vector(gradient: Tensor, order: float = 2.0) -> Tensor:
    """The vector v that maximises gᵀv − ½‖v‖²: the uphill direction of a norm, as long as the dual norm of g.

    For ℓ2 it is g itself; for ℓ∞ it is ‖g‖₁ sign(g); for ℓ1 it has the largest component of g alone (the first of
    several).

    Args:
        gradient: `(…, p)`.
        order: exponent of the norm ‖v‖ along the last axis: 1, 2, inf or any from 1 on.

    Raises:
        OptionError: an order below 1.

    >>> g = torch.tensor([3.0, -4.0])
    >>> dual_vector(g, 2), dual_vector(g, math.inf), dual_vector(g, 1)
    (tensor([ 3., -4.]), tensor([ 7., -7.]), tensor([ 0., -4.]))
    """
    q = conjugate(order)
    if q == 2:
        return gradient
    if q == 1:
        return gradient.sign() * gradient.abs().sum(-1, keepdim=True)
    if math.isinf(q):
        largest = gradient.abs().argmax(-1, keepdim=True)
        return torch.zeros_like(gradient).scatter(-1, largest, gradient.gather(-1, largest))
    size = torch.linalg.vector_norm(gradient, ord=q, dim=-1, keepdim=True)
    share = gradient.abs() / torch.where(size > 0, size, torch.ones_like(size))
    return gradient.sign() * share ** (q - 1) * size


def steepest_step(gradient: Tensor, alpha: float, order: float = 2.0, *, size: Tensor | float = 1.0) -> Tensor:
    """The step Δ that minimises gᵀΔ + ‖Δ/size‖²/α.

    −(α/2)·g for ℓ2, −(α/2)·‖g‖₁ sign(g) for ℓ∞, −(α/2) times the largest component of g for ℓ1. The minimum is
    −(α/4)·‖g·size‖²_q with the dual norm. Lengths measured in units of `size` are a change of coordinates: with ℓ2 and
    size = R, the step −(α/2)·R²·g is that of gradient descent on ln R, to first order.

    Args:
        gradient: g `(…, p)`.
        alpha: twice the learning rate.
        order: exponent of the norm: 1, 2, inf or any from 1 on.
        size: the unit of length of each coordinate, `(p,)`.

    Raises:
        OptionError: an order below 1, or an alpha that is not positive.

    >>> steepest_step(torch.tensor([3.0, -4.0]), 0.2), steepest_step(torch.tensor([3.0, -4.0]), 0.2, math.inf)
    (tensor([-0.3000,  0.4000]), tensor([-0.7000,  0.7000]))
    """
    if not alpha > 0:
        raise OptionError(f"alpha={alpha!r}; expected a positive number, twice the learning rate")
    return -alpha / 2 * dual_vector(gradient * size, order) * size
