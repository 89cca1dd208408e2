"""How well the data determine what was fitted: covariance, and which combinations of components can be known at all.

Everything here is in the *relative* change of positive values (d ln v), or in the values themselves where they move
linearly: in the coordinates of the fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

import losses
from circuits.fitting.many.boards import quadratic_of
from circuits.fitting.model import CircuitModel
from circuits.fitting.problem import Problem, led_term

NULL_CURVATURE = 1e-11
"""Scaled curvature (1 is the curvature along one component alone) below which a direction counts as unseen by the
data. Rounding leaves about 1e-15 in place of zero; parts told apart by 3e-6 of their effect would still pass."""

BLUNT = 20.0
"""Sharpness of the comparator that judges LEDs which are all explained."""

NULL_SINGULAR = 1e-12
"""The same for the singular values of a plain module's Jacobian."""


@dataclass(frozen=True)
class Information:
    """What the data say about the coordinates of each board, in the frame where every coordinate has unit curvature.

    `scale (boards, p)` turns coordinates into that frame, `strength (boards, p)` are the curvatures along the principal
    `axes (boards, p, p)` (columns), `seen (boards, p)` tells which of them the data determine.
    """

    scale: Tensor
    strength: Tensor
    axes: Tensor
    seen: Tensor

    def take(self, rows: slice) -> Information:
        """The same for some of the boards."""
        return Information(self.scale[rows], self.strength[rows], self.axes[rows], self.seen[rows])

    def inverse(self) -> Tensor:
        """The (pseudo-)inverse of the curvature, `(boards, p, p)`: directions that the data do not see are left out."""
        weight = torch.where(self.seen, 1 / self.strength.clamp_min(torch.finfo(self.strength.dtype).tiny), 0.0)
        inner = (self.axes * weight.unsqueeze(-2)) @ self.axes.mT
        return inner / (self.scale.unsqueeze(-1) * self.scale.unsqueeze(-2))

    def unseen(self) -> Tensor:
        """How much of every coordinate lies in unseen directions, `(boards, p)`, between 0 and 1."""
        return (self.axes**2 * (~self.seen).unsqueeze(-2)).sum(-1)


@torch.no_grad()
def information(problem: Problem, x: Tensor) -> Information:
    """Eigenvalues and axes of the scaled Gauss–Newton curvature at x."""
    if problem.loss.gauss_newton:
        curvature = None if not isinstance(problem.model, CircuitModel) else quadratic_of(problem, x).curvature
    else:
        curvature = hessian(problem, x)
        if led_term(problem.loss) is not None and not bool(curvature.any()):
            return information(blunt_led_problem(problem), x)  # steps have no curvature; the LEDs still tell
    if curvature is None:
        rows = torch.nan_to_num(problem.rows(x).jacobian, posinf=0.0, neginf=0.0)
        scale = _scale(torch.linalg.vector_norm(rows, dim=0)).unsqueeze(0)
        _, values, right = torch.linalg.svd(rows / scale, full_matrices=len(rows) < rows.shape[1])
        values = torch.nn.functional.pad(values, (0, rows.shape[1] - len(values)))
        seen = values > NULL_SINGULAR * values.amax()
        return Information(scale, values.square().unsqueeze(0), right.T.unsqueeze(0), seen.unsqueeze(0))
    scale = _scale(curvature.diagonal(dim1=-2, dim2=-1).clamp_min(0).sqrt())
    scaled = curvature / (scale.unsqueeze(-1) * scale.unsqueeze(-2))
    strength, axes = torch.linalg.eigh(torch.nan_to_num(scaled))
    return Information(scale, strength, axes, strength > NULL_CURVATURE * strength.amax(-1, keepdim=True).clamp_min(0))


def _scale(size: Tensor) -> Tensor:
    return torch.where(size > 0, size, torch.ones_like(size))


def blunt_led_problem(problem: Problem) -> Problem:
    """The same LEDs seen by a comparator that is not sharp.

    Where every LED is explained a sharp likelihood has run flat between the tones and has no curvature left; a blunt
    one still says in which directions the LEDs would change, which is all that is asked of it then.
    """
    led = led_term(problem.loss)
    return problem.with_loss(losses.LogisticLed(led.threshold if led else losses.HALF_POWER, BLUNT))


def covariance(problem: Problem, x: Tensor, loss: Tensor) -> Tensor:
    """Covariance of the coordinates, `(boards, p, p)`.

    For a likelihood (least squares included) the inverse of the information in the data, times the variance of the
    noise where that has to be estimated from the residuals: s² = Σr²/(n − p), n counting real numbers. For any other
    loss the sandwich H⁻¹ M H⁻¹ with the Hessian H of the summed loss and M = Σ gᵢgᵢᵀ over the points, times n/(n − p)
    (P. J. Huber, 1967). A loss of LEDs that has no curvature at all gives no errors: NaN.
    """
    led = led_term(problem.loss)
    if led is not None and not led.gauss_newton:
        return x.new_full((*x.shape, x.shape[1]), torch.nan)
    known = information(problem, x)
    count = torch.as_tensor(problem.count, dtype=loss.dtype, device=loss.device).expand(loss.shape)
    numbers = torch.as_tensor(problem.numbers, dtype=loss.dtype, device=loss.device).expand(loss.shape)
    free = (numbers - known.seen.sum(-1)).clamp_min(0)
    if problem.loss.deviance is None:
        bread = known if not problem.loss.gauss_newton else _hessian_information(problem, x, known)
        inverse = bread.inverse() / count.view(-1, 1, 1)
        return inverse @ meat(problem, x) @ inverse * (numbers / free).view(-1, 1, 1)
    inverse = known.inverse() * (2 / problem.loss.deviance / count).view(-1, 1, 1)
    if is_noise_known(problem):
        return inverse
    values = problem.coordinates.values(x)
    prior = problem.prior_loss(values) if problem.loss.priors else 0.0
    variance = torch.where(free > 0, (loss - prior) * count / free, torch.nan)
    return inverse * variance.view(-1, 1, 1)


def is_noise_known(problem: Problem) -> bool:
    """Whether the errors are absolute: a σ was given, or the likelihood has no free noise."""
    least_squares = any(isinstance(term, losses.LeastSquares) for term in problem.loss.terms())
    return not least_squares or problem.active_loss.sigma is not None


def _hessian_information(problem: Problem, x: Tensor, fallback: Information) -> Information:
    """The full Hessian's, where it is positive; the Gauss–Newton curvature's elsewhere (at kinks, say)."""
    full = hessian(problem, x)
    values = torch.linalg.eigvalsh(torch.nan_to_num(full))
    bad = ((values <= 0).any(-1) | full.isnan().flatten(1).any(-1)).view(-1, 1, 1)
    scale = _scale(full.diagonal(dim1=-2, dim2=-1).clamp_min(0).sqrt())
    strength, axes = torch.linalg.eigh(torch.nan_to_num(full / (scale.unsqueeze(-1) * scale.unsqueeze(-2))))
    seen = strength > NULL_CURVATURE * strength.amax(-1, keepdim=True).clamp_min(0)
    pick = bad[..., 0]
    return Information(
        torch.where(pick, fallback.scale, scale),
        torch.where(pick, fallback.strength, strength),
        torch.where(bad, fallback.axes, axes),
        torch.where(pick, fallback.seen, seen),
    )


def hessian(problem: Problem, x: Tensor) -> Tensor:
    """Hessian of every board's loss with respect to the coordinates, `(boards, p, p)`, by autograd."""
    return problem.over_all(lambda: _own_hessian(problem, x), x, *x.shape, x.shape[1])


def _own_hessian(problem: Problem, x: Tensor) -> Tensor:
    """The same from the data that are here."""
    leaf = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        loss = problem.own_losses(leaf).sum()
        if not loss.requires_grad:  # steps alone: autograd sees no way from the values to the loss
            return x.new_zeros(*x.shape, x.shape[1])
        (gradient,) = torch.autograd.grad(loss, leaf, create_graph=True)
        if not gradient.requires_grad:
            return x.new_zeros(*x.shape, x.shape[1])
        rows = [
            torch.autograd.grad(gradient[:, i].sum(), leaf, retain_graph=True, allow_unused=True)[0]
            for i in range(x.shape[1])
        ]
    rows = [torch.zeros_like(x) if row is None else row for row in rows]
    full = torch.stack(rows, -1)
    return 0.5 * (full + full.mT)


def meat(problem: Problem, x: Tensor) -> Tensor:
    """Σ gᵢgᵢᵀ over the data points, gᵢ being the gradient of a point's own term of the *summed* loss."""
    return problem.over_all(lambda: _own_meat(problem, x), x, *x.shape, x.shape[1])


def _own_meat(problem: Problem, x: Tensor) -> Tensor:
    """The same from the data that are here."""
    values = problem.coordinates.values(x)
    with torch.no_grad():
        prediction, jacobian = problem.model.linearize(values)
    prediction = problem.board_first(prediction).detach().clone().requires_grad_()
    count = problem.count
    with torch.enable_grad():
        loss = problem.reduce(prediction)
        (slope,) = torch.autograd.grad((loss * count).sum(), prediction)
    if slope.is_complex():
        slope, jacobian = torch.view_as_real(slope), torch.view_as_real(jacobian)
    jacobian = jacobian.reshape(*values.shape, -1)
    stretch = problem.coordinates.slope(values)
    jacobian = jacobian if stretch is None else jacobian * stretch.unsqueeze(-1)
    pulls = jacobian * slope.reshape(len(slope), 1, -1)
    return pulls @ pulls.mT
