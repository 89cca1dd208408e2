"""Levenberg–Marquardt for one board, without the bookkeeping that a batch or a history needs.

The same steps as `methods.LevenbergMarquardt` (a test compares the two), on plain numbers: with one board and a
handful of components an operation on a tensor costs more than the arithmetic in it. This is also the place for a
compiled path.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from circuits.fitting.coordinates import LARGEST_LOG_STEP
from circuits.fitting.loop import SMALL, Outcome
from circuits.fitting.methods import LevenbergMarquardt, Method
from circuits.fitting.methods.levenberg_marquardt import ROUNDING
from circuits.fitting.model import CircuitModel
from circuits.fitting.problem import Problem
from circuits.fitting.stopping import Stop, Watch
from losses import LeastSquares


def is_one_board(problem: Problem, method: Method) -> bool:
    """Whether this path serves the problem: one board on the CPU, all its components in log coordinates, no bounds."""
    model, coordinates = problem.model, problem.coordinates
    return (
        type(problem) is Problem
        and isinstance(model, CircuitModel)
        and not model.batch
        and type(method) is LevenbergMarquardt
        and coordinates.log is True
        and coordinates.low is None
        and problem.target.device.type == "cpu"
        and problem.target.dtype in (torch.float64, torch.complex128)
        and not problem.loss.priors
        and len(model.names) <= SMALL
    )


@dataclass(frozen=True)
class Look:
    """Loss, gradient `(p,)` and curvature `(p, p)` at the logarithms x `(p,)`, as lists of numbers."""

    x: list[float]
    loss: float
    gradient: list[float]
    curvature: list[list[float]]


def look(problem: Problem, x: list[float]) -> Look:
    """Evaluate the Gauss–Newton model of the loss; the caller has switched gradients off."""
    values = [math.exp(one) for one in x]
    prediction, jacobian = problem.model.linearize(torch.tensor([values], dtype=torch.float64))
    loss_function, present = problem.active_loss, problem.present
    slope, curvature = loss_function.quadratic(prediction, problem.target[0])
    if present is not None:
        slope, curvature = slope * present[0], present[0] * curvature
    if isinstance(curvature, torch.Tensor):
        curvature = curvature.reshape(curvature.shape[-slope.ndim :]).expand(slope.shape)
    if prediction.is_complex():
        jacobian, slope = torch.view_as_real(jacobian), torch.view_as_real(slope)
        if isinstance(curvature, torch.Tensor):
            curvature = curvature.unsqueeze(-1).expand(slope.shape)
    rows, slope = jacobian.reshape(len(x), -1), slope.reshape(1, -1)
    table = torch.cat([rows, slope])
    if isinstance(curvature, float) and isinstance(loss_function, LeastSquares):
        # every product that is wanted, by one multiplication: JᵀJ, Jᵀr and rᵀr
        products = (table @ table.T).tolist()
        return _stretched(problem, x, values, products, curvature, products[-1][-1] * 0.5 / curvature)
    weighted = rows * (curvature.reshape(1, -1) if isinstance(curvature, torch.Tensor) else curvature)
    products = (torch.cat([weighted, slope]) @ rows.T).tolist()
    pointwise = loss_function.pointwise(prediction, problem.target[0])
    total = (pointwise if present is None else pointwise * present[0]).sum().item()
    return _stretched(problem, x, values, products, 1.0, total)


def _stretched(problem: Problem, x: list, values: list, products: list[list], curvature: float, total: float) -> Look:
    """Products with respect to the values, the last row being the gradient, brought to logarithms and to the mean."""
    count = float(problem.count)
    *matrix, vector = products
    gradient = [g * v / count for g, v in zip(vector, values, strict=False)]
    factor = curvature / count
    rows = [
        [a * v * w * factor for a, w in zip(row, values, strict=False)] for row, v in zip(matrix, values, strict=True)
    ]
    return Look(x, total / count, gradient, rows)


@torch.no_grad()
def run_one_board(problem: Problem, method: LevenbergMarquardt, stop: Stop, x: torch.Tensor) -> Outcome:
    """What `loop.run` returns, from a loop on plain numbers."""
    here, scale, steps, watch = None, [], 0, Watch(stop, 1)
    damping, growth, step, decrease = method.damping, 2.0, [], 0.0
    before = math.inf
    try:
        here = look(problem, x[0].tolist())
        while True:
            sizes = [math.sqrt(row[i]) for i, row in enumerate(here.curvature)]
            scale = [max(size, 0.5 * old) for size, old in zip(sizes, scale, strict=True)] if scale else sizes
            damping = max(damping, 1e-12)
            step, expected = _aim(here, damping, [size if size > 0 else 1.0 for size in scale])
            move, decrease = max(map(abs, step)), expected / here.loss if here.loss else 0.0
            stuck, before = before <= ROUNDING * here.loss and expected > 0.5 * before, expected
            decrease = 0.0 if stuck else decrease
            reason = watch.reason(steps, here.loss, max(map(abs, here.gradient)), move, decrease)
            if reason:
                break
            there = look(problem, [a + b for a, b in zip(here.x, step, strict=True)])
            steps += 1
            rounded = expected <= ROUNDING * here.loss and there.loss <= (1 + 1e-9) * here.loss
            if there.loss < here.loss or rounded:
                kept = 1.0 if rounded else (here.loss - there.loss) / expected
                damping, growth = damping * max(1 / 3, 1 - (2 * min(kept, 2.0) - 1) ** 3), 2.0
                here = there
            else:
                damping, growth = damping * growth, growth * 2
    except KeyboardInterrupt:
        reason = "interrupted"
    if here is not None and reason == "decrease" and decrease > 0:  # it is solved for, and has the last digits
        here = replace(here, x=[a + b for a, b in zip(here.x, step, strict=True)], loss=here.loss * (1 - decrease))
    if here is None:
        return replace(Outcome.none_yet(x), reasons=np.array([reason], dtype=object))
    return Outcome(
        torch.tensor([here.x], dtype=x.dtype),
        torch.tensor([here.loss], dtype=x.dtype),
        torch.tensor([here.gradient], dtype=x.dtype),
        np.array([steps]),
        np.array([reason], dtype=object),
    )


def _aim(here: Look, damping: float, scale: list[float]) -> tuple[list[float], float]:
    """The next step, and the decrease of the loss that it promises."""
    gradient = [g / s for g, s in zip(here.gradient, scale, strict=True)]
    matrix = [
        [a / (s * t) for a, t in zip(row, scale, strict=True)] for row, s in zip(here.curvature, scale, strict=True)
    ]
    step = _solved(matrix, damping, gradient)
    largest = max(abs(one / s) for one, s in zip(step, scale, strict=True))
    if largest > LARGEST_LOG_STEP:
        step = [one * (LARGEST_LOG_STEP / largest) for one in step]
    bent = [sum(a * b for a, b in zip(row, step, strict=True)) for row in matrix]
    expected = -sum(one * (g + 0.5 * b) for one, g, b in zip(step, gradient, bent, strict=True))
    return [one / s for one, s in zip(step, scale, strict=True)], expected


def _solved(matrix: list[list[float]], damping: float, gradient: list[float]) -> list[float]:
    """−(A + λ)⁻¹ g; NaN where the numbers have left the range in which that can be found."""
    if len(gradient) == 1:
        return [-gradient[0] / (matrix[0][0] + damping)]
    try:
        return (-np.linalg.solve(np.array(matrix) + damping * np.eye(len(gradient)), gradient)).tolist()
    except np.linalg.LinAlgError:
        return [math.nan] * len(gradient)
