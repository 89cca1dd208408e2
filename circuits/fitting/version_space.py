"""The version space of LED data: all values that explain every LED, as one interval a component."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from circuits.fitting.problem import Problem

REACH = 0.7
"""How far, in coordinates, one linearisation is trusted."""

ROUNDS = 60
NEAR = 3.0
"""Constraints farther than this many times the reach of the trusted box cannot matter in it and are left out."""


def explains_every_led(problem: Problem, x: Tensor) -> Tensor:
    """Whether each board's prediction lights exactly the LEDs that were lit, `(boards,)`."""
    return problem.wrong_leds(x) == 0


def led_intervals(problem: Problem, x: Tensor) -> Tensor:
    """Lowest and highest coordinates with which every LED can still be explained, the others moving freely, `(p, 2)`.

    Each end is the solution of: move coordinate j as far as possible, subject to every margin
    ±ln(|H(fᵢ)|/threshold) ≥ 0. The margins are linearised, the linear program solved within a box, and this repeated at
    the solution (sequential linear programming; R. Fletcher and E. Sainz de la Maza, 1989). An end that runs away is
    infinite: the tones say nothing in that direction.

    Args:
        problem: a single board.
        x: coordinates `(1, p)` that explain every LED.
    """
    ends = torch.empty(x.shape[1], 2, dtype=x.dtype)
    for j in range(x.shape[1]):
        for side, sign in enumerate((-1.0, 1.0)):
            ends[j, side] = _farthest(problem, x, j, sign)
    return ends


def _farthest(problem: Problem, x: Tensor, column: int, sign: float) -> float:
    """The farthest value of one coordinate in one direction, or ±inf."""
    from scipy.optimize import linprog  # loaded only where an interval is asked for

    start, here = x[0].cpu().numpy(), x[0].cpu().numpy().copy()
    objective = np.zeros(len(here))
    objective[column] = -sign
    reach = REACH
    for _ in range(ROUNDS):
        margins, slopes = _near_margins(problem, here, reach)
        limits = [(-reach, reach)] * len(here)
        answer = linprog(objective, A_ub=-slopes, b_ub=margins, bounds=limits, method="highs")
        if answer.status != 0:
            reach *= 0.25
            here = start + (here - start) * 0.5
            continue
        here = here + answer.x
        if abs(here[column] - start[column]) > 25:
            return sign * np.inf
        if np.abs(answer.x[column]) <= 1e-12 * (1 + abs(here[column])):
            break
    return float(here[column])


def _near_margins(problem: Problem, coordinates: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """The margins, and their slopes, that can matter within a box of this reach."""
    margins, slopes = _margins(problem, coordinates)
    near = margins <= NEAR * reach * np.abs(slopes).sum(1)
    table = np.concatenate([margins[near, None], slopes[near]], 1)
    table = problem.rows_of_all(torch.from_numpy(table)).numpy()
    return table[:, 0], table[:, 1:]


def _margins(problem: Problem, coordinates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By how much every LED is explained, ±ln(|H|/threshold), and the derivative of that `(m, p)`."""
    x = torch.from_numpy(coordinates).to(problem.target.device).unsqueeze(0)
    values = problem.coordinates.values(x)
    with torch.no_grad():
        prediction, jacobian = problem.model.linearize(values)
    prediction = prediction.reshape(problem.target.shape).clamp_min(1e-300)
    margin = problem.led.margins(prediction, problem.target).flatten()
    stretch = problem.coordinates.slope(values)
    slope = jacobian.reshape(x.shape[1], -1)
    slope = slope if stretch is None else slope * stretch.T
    slope = slope * ((2 * problem.target.flatten() - 1) / prediction.flatten())
    if problem.present is not None:
        keep = problem.present.flatten().bool()
        margin, slope = margin[keep], slope[:, keep]
    return margin.cpu().numpy(), slope.T.cpu().numpy()
