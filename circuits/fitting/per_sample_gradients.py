"""How every data point pulls at every component: the terms of which a gradient is the sum."""

from __future__ import annotations

import torch
from torch import Tensor

from circuits.fitting.problem import Problem


def contributions(problem: Problem, x: Tensor) -> Tensor:
    """Derivative of the loss by the coordinates through each data point alone.

        c_ij = (dv_i/dx_i) · Re(conj(d_j) · ∂p_j/∂v_i) / n

    with the slope d_j of the loss at point j, its prediction p_j and the n points measured. The sum over the points is
    `problem.gradient(x)[1]`, less what the priors add; a missing point contributes nothing. A positive number pulls the
    component down, since descent walks against the derivative.

    Args:
        problem: of one board or many.
        x: coordinates, `(boards, p)`.

    Returns:
        `(boards, p, points…)`, per unit of the coordinates (per relative change, where those are logarithms).

    >>> import circuits as cc
    >>> fit = cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), [80.0, 800.0, 8000.0]))
    >>> pull = contributions(fit.problem, fit.start)
    >>> pull.shape, bool((pull > 0).all()), torch.allclose(pull.sum(-1), fit.problem.gradient(fit.start)[1])
    (torch.Size([1, 1, 3]), True, True)
    """
    with torch.no_grad():
        values = problem.coordinates.values(x.detach())
        prediction, jacobian = problem.model.linearize(values)
        prediction = problem.board_first(prediction)
        jacobian = jacobian.reshape(*values.shape, *prediction.shape[1:])
        slope = _slopes(problem, prediction).unsqueeze(1)
        pull = slope.conj() * jacobian
        pull = pull.real if pull.is_complex() else pull
        stretch = problem.coordinates.slope(values)
        count = problem.count if isinstance(problem.count, Tensor) else values.new_full((1,), problem.count)
        weight = (1.0 if stretch is None else stretch) / count.unsqueeze(-1)
        return pull * weight.reshape(*weight.shape, *[1] * (pull.ndim - 2))


def _slopes(problem: Problem, prediction: Tensor) -> Tensor:
    """Derivative of the summed loss by each prediction, for a complex one ∂/∂Re + i ∂/∂Im; zero where none was seen."""
    if problem.loss.gauss_newton:
        slope, _ = problem.active_loss.quadratic(prediction, problem.target)
    else:
        leaf = prediction.detach().clone().requires_grad_()
        with torch.enable_grad():
            loss = (problem.reduce(leaf) * problem.count).sum()
            slope = torch.autograd.grad(loss, leaf)[0] if loss.requires_grad else torch.zeros_like(leaf)
    slope = slope.expand(prediction.shape)
    return slope if problem.present is None else torch.where(problem.present > 0, slope, 0.0)
