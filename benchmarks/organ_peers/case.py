"""The case: color organs of 1 µF with unknown resistors, 3 × 200 noisy magnitudes each; and SciPy's loop over them.

True values are log-uniform from 10 Ω to 10 kΩ, the noise is 0.01, and everybody starts every resistor of every board
at `START`. SciPy moves logarithms, as ohmgrad does.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

C = 1e-6
NOISE = 0.01
START = 316.0
TOLD = 0.05
"""Standard error, relative, up to which a resistor counts as told by the data. A band-pass whose parts lie far apart
passes nothing, and its answers are noise."""


class Case(NamedTuple):
    """Frequencies `(n,)`, magnitudes `(boards, 3, n)`, true resistors `(boards, 4)`."""

    f: np.ndarray
    y: np.ndarray
    true: np.ndarray


def magnitudes(x: np.ndarray, R: np.ndarray) -> np.ndarray:
    """Magnitudes `(boards, 3, n)` of the three filters, x being ωC."""
    x = x * R[..., None]
    s = 1 / np.sqrt(1 + x * x)
    return np.stack([s[:, 0], s[:, 1] * x[:, 2] * s[:, 2], x[:, 3] * s[:, 3]], 1)


def draw(boards: int, points: int = 200, seed: int = 1) -> Case:
    """A case, filled chunk by chunk: at a hundred thousand boards the magnitudes alone are half a gigabyte."""
    source = np.random.default_rng(seed)
    f = np.sort(10 ** source.uniform(0, 6, points))
    true = 10 ** source.uniform(1, 4, (boards, 4))
    y = np.empty((boards, 3, points))
    for first in range(0, boards, 2000):
        rows = slice(first, first + 2000)
        y[rows] = magnitudes(2 * math.pi * C * f, true[rows])
        y[rows] += NOISE * source.standard_normal(y[rows].shape)
    return Case(f, y, true)


class SciPyLoop:
    """`least_squares(method="lm")` with the analytic Jacobian, board after board."""

    def __init__(self, case: Case, boards: int, tight: bool = False):
        self.x, self.y = 2 * math.pi * C * case.f, case.y[:boards]
        self.n = len(case.f)
        self.options = dict.fromkeys(("ftol", "xtol", "gtol"), 1e-15) if tight else {}

    def __call__(self) -> list:
        from scipy.optimize import least_squares

        start = np.full(4, math.log(START))
        return [
            least_squares(self.residual, start, self.jacobian, method="lm", args=(one,), **self.options)  # pyright: ignore
            for one in self.y.reshape(len(self.y), -1)
        ]

    def residual(self, p: np.ndarray, y: np.ndarray) -> np.ndarray:
        """What is left of a board, `(3 n,)`."""
        n, x = self.n, np.exp(p)[:, None] * self.x
        s = 1 / np.sqrt(1 + x * x)
        out = np.empty(3 * n)
        out[:n] = s[0]
        np.multiply(s[1] * x[2], s[2], out=out[n : 2 * n])
        np.multiply(x[3], s[3], out=out[2 * n :])
        out -= y
        return out

    def jacobian(self, p: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Its derivatives by the logarithms, `(3 n, 4)`."""
        n, x = self.n, np.exp(p)[:, None] * self.x
        square = 1 / (1 + x * x)
        s, table = np.sqrt(square), np.zeros((3 * n, 4))
        band = s[1] * x[2] * s[2]
        table[:n, 0] = (square[0] - 1) * s[0]
        table[n : 2 * n, 1] = (square[1] - 1) * band
        table[n : 2 * n, 2] = square[2] * band
        table[2 * n :, 3] = square[3] * x[3] * s[3]
        return table


class Answers:
    """What SciPy finds when it may go on to the last digit, for some boards."""

    def __init__(self, case: Case, boards: int):
        self.loop = SciPyLoop(case, boards, tight=True)
        found = self.loop()
        self.logs = np.array([one.x for one in found])
        self.cost = np.array([one.cost for one in found])
        errors = [np.sqrt(np.diag(np.linalg.pinv(one.jac.T @ one.jac))) * NOISE for one in found]
        self.told = np.array(errors).max(1) < TOLD

    def apart(self, values: np.ndarray) -> tuple[float, float]:
        """Largest relative difference of values `(≥ boards, 4)` where the data tell them, and of the costs of all."""
        logs = np.log(values[: len(self.logs)])
        rows = zip(logs, self.loop.y.reshape(len(logs), -1), strict=True)
        cost = np.array([0.5 * (self.loop.residual(p, y) ** 2).sum() for p, y in rows])
        told = np.abs(np.expm1(logs - self.logs))[self.told]
        return float(told.max()) if told.size else 0.0, float((cost / self.cost - 1).max())
