"""Exact Jacobian of any module by reverse-mode differentiation alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def module_jacobian(predict: Callable[[Tensor], Tensor], values: Tensor) -> tuple[Tensor, Tensor]:
    """Prediction y at `values` `(1, p)` and the Jacobian `(p, *y.shape)`.

    With fewer outputs than values, one backward pass an output. Otherwise the backward pass is differentiated: it gives
    g(u) = Jᵀu, which is linear in u, so that the derivative of g_j with respect to u is column j of J (the "double
    backward" trick; J. Townsend, 2017). The passes go through together where the module's operations can be batched,
    and one by one where they cannot. Complex outputs are taken as pairs of real numbers.
    """
    leaf = values.detach().clone().requires_grad_()
    with torch.enable_grad():
        prediction = predict(leaf)
        y = torch.view_as_real(prediction) if prediction.is_complex() else prediction
        if not y.requires_grad:
            return prediction.detach(), prediction.new_zeros((values.shape[1], *prediction.shape))
        jacobian = _by_outputs(y, leaf) if y.numel() <= values.shape[1] else _by_values(y, leaf)
    jacobian = jacobian.reshape(values.shape[1], *y.shape)
    return prediction.detach(), torch.view_as_complex(jacobian.contiguous()) if prediction.is_complex() else jacobian


def _by_outputs(y: Tensor, leaf: Tensor) -> Tensor:
    """One backward pass an output."""
    flat = y.reshape(-1)
    rows = _backward_each(flat, leaf, torch.eye(flat.numel(), dtype=y.dtype, device=y.device))
    return rows.reshape(flat.numel(), -1).T


def _by_values(y: Tensor, leaf: Tensor) -> Tensor:
    """A backward pass through the backward pass for each value; by outputs where an operation has no second one."""
    probe = torch.zeros_like(y, requires_grad=True)
    try:
        (pullback,) = torch.autograd.grad(y, leaf, probe, create_graph=True)
        pullback = pullback.reshape(-1)
        directions = torch.eye(pullback.numel(), dtype=y.dtype, device=y.device)
        jacobian = _backward_each(pullback, probe, directions).reshape(leaf.numel(), y.numel())
    except RuntimeError:
        return _by_outputs(y, leaf)
    return jacobian if _is_right(jacobian, y, leaf) else _by_outputs(y, leaf)


def _is_right(jacobian: Tensor, y: Tensor, leaf: Tensor) -> bool:
    """Whether Jᵀu is what one plain backward pass gives: an operation may silently drop its second derivative."""
    u = torch.cos(torch.arange(y.numel(), dtype=y.dtype, device=y.device))
    (direct,) = torch.autograd.grad(y, leaf, u.reshape(y.shape), retain_graph=True)
    size = jacobian.abs() @ u.abs() + direct.reshape(-1).abs()
    apart = (jacobian @ u - direct.reshape(-1)).abs()
    return not bool((apart > torch.finfo(y.dtype).eps ** 0.75 * size).any())


def _backward_each(outputs: Tensor, inputs: Tensor, directions: Tensor) -> Tensor:
    """Backward passes of `outputs` for every row of `directions`, together if the operations allow it."""
    options = {"retain_graph": True, "allow_unused": True}
    try:
        (rows,) = torch.autograd.grad(outputs, inputs, directions, is_grads_batched=True, **options)
        return (
            torch.zeros(len(directions), inputs.numel(), dtype=inputs.dtype, device=inputs.device)
            if rows is None
            else rows
        )
    except RuntimeError:
        rows = [torch.autograd.grad(outputs, inputs, direction, **options)[0] for direction in directions]
        return torch.stack([torch.zeros_like(inputs) if row is None else row for row in rows])
