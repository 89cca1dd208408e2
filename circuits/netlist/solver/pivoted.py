"""One lane by full pivoting and refinement in extended precision: for the few that static elimination cannot serve.

At resonance, at 0 Hz, or far from the values that pivots were chosen at, a lane is solved from its own equations, the
currents of inductors being unknowns. The matrix is factored in double precision (dense, or SciPy's SuperLU for large
nets) and the solution refined against residuals in the platform's long double, each entry by the difference that it
sees; where that does not converge, elimination itself is done in long double.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from circuits.netlist.solver.plan import Plan

DENSE = 200
"""Unknowns up to which a dense factorisation is the quicker one."""
ENOUGH = 1e-17
"""A refinement that moves nothing by more than this part of the largest number has converged."""
LONG_DENSE = 600
"""Unknowns up to which elimination in long double is worth its time."""


@dataclass
class Lane:
    """The equations of one lane with inductor currents as unknowns: entries (rp, rm | cp, cm) of y, `size` unknowns.

    Extended indices are those of the plan; the currents come after ground.
    """

    plan: Plan
    s: complex
    rp: np.ndarray
    rm: np.ndarray
    cp: np.ndarray
    cm: np.ndarray
    y: np.ndarray
    currents: dict[int, int]

    def __post_init__(self):
        extended = self.plan.ground + 1 + len(self.currents)
        self.unknown = np.r_[0 : self.plan.n, self.plan.ground + 1 : extended]
        self.extended = extended
        self._solvers: dict[bool, Callable[[np.ndarray], np.ndarray]] = {}

    def apply(self, X: np.ndarray, transposed: bool = False) -> np.ndarray:
        """A X, or Aᵀ X, in long double."""
        rows, columns = ((self.rp, self.rm), (self.cp, self.cm))
        if transposed:
            rows, columns = columns, rows
        flow = self.y * (X[columns[0]] - X[columns[1]])
        result = np.zeros(self.extended, np.clongdouble)
        np.add.at(result, rows[0], flow)
        np.subtract.at(result, rows[1], flow)
        return result

    def solve(self, b: np.ndarray, X: np.ndarray, transposed: bool = False) -> np.ndarray:
        """X with its unknowns such that A X = b (or Aᵀ X = b), rails as they stand in X; NaN where there is none."""
        approximate = self._solver(transposed)
        last = np.inf
        for _ in range(12):
            move = approximate((b - self.apply(X, transposed))[self.unknown])
            size = np.abs(move).max(initial=0.0)
            if not np.isfinite(size):
                break
            X[self.unknown] += move
            if size <= ENOUGH * np.abs(X).max(initial=1e-300):
                return X
            if size > 0.5 * last:
                if last <= 1e-15 * np.abs(X).max():
                    return X
                break
            last = size
        return self._in_long_double(b, X, transposed)

    def _solver(self, transposed: bool) -> Callable[[np.ndarray], np.ndarray]:
        if transposed not in self._solvers:
            self._solvers[transposed] = _factored(self._rows_and_columns(transposed), len(self.unknown))
        return self._solvers[transposed]

    def _rows_and_columns(self, transposed: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The matrix over the unknowns as coordinates."""
        place = np.full(self.extended, -1)
        place[self.unknown] = np.arange(len(self.unknown))
        pairs = [(self.rp, self.cp, 1), (self.rp, self.cm, -1), (self.rm, self.cp, -1), (self.rm, self.cm, 1)]
        rows = np.concatenate([place[r] for r, _, _ in pairs])
        columns = np.concatenate([place[c] for _, c, _ in pairs])
        values = np.concatenate([sign * self.y for _, _, sign in pairs])
        keep = (rows >= 0) & (columns >= 0)
        rows, columns, values = rows[keep], columns[keep], values[keep]
        return (columns, rows, values) if transposed else (rows, columns, values)

    def _in_long_double(self, b: np.ndarray, X: np.ndarray, transposed: bool) -> np.ndarray:
        """Gaussian elimination in long double, then one refinement; the last resort."""
        size = len(self.unknown)
        X[self.unknown] = 0
        if size > LONG_DENSE:
            X[self.unknown] = np.nan
            return X
        rows, columns, values = self._rows_and_columns(transposed)
        matrix = np.zeros((size, size), np.clongdouble)
        np.add.at(matrix, (rows, columns), values)
        for _ in range(2):
            X[self.unknown] += _gauss(matrix.copy(), (b - self.apply(X, transposed))[self.unknown])
        return X


def make_lane(plan: Plan, q: np.ndarray, f: float, z: np.ndarray) -> Lane:
    """The equations at one frequency: q `(Q,)` real, z `(Z,)` complex."""
    s = np.clongdouble(2j) * np.longdouble(math.pi) * np.longdouble(f)
    values = np.concatenate([q.astype(np.clongdouble), z.astype(np.clongdouble)])[plan.entry_source]
    exponent, ground = plan.entry_exponent, plan.ground
    inductors = np.flatnonzero(exponent == -1)
    others = np.flatnonzero(exponent != -1)
    currents = {int(e): ground + 1 + i for i, e in enumerate(inductors)}
    own = np.array(list(currents.values()), dtype=np.int64)
    nowhere = np.full(len(own), ground)
    one, scale = np.ones(len(own)), plan.entry_scale
    with np.errstate(all="ignore"):
        impedance = -s / (values[inductors] * scale[inductors])
    blocks = [
        (*(a[others] for a in _places(plan)), scale[others] * values[others] * np.where(exponent[others] == 1, s, 1)),
        (plan.entry_rp[inductors], plan.entry_rm[inductors], own, nowhere, one),
        (own, nowhere, plan.entry_cp[inductors], plan.entry_cm[inductors], one),
        (own, nowhere, own, nowhere, impedance),
        (plan.term_row, np.full(len(plan.term_row), ground), plan.term_col, np.full(len(plan.term_row), ground))
        + (plan.term_value,),
    ]
    *places, y = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return Lane(plan, s, *(p.astype(np.int64) for p in places), y.astype(np.clongdouble), currents)


def excited_lane(lane: Lane) -> np.ndarray:
    """The extended unknowns with the sources on."""
    plan = lane.plan
    X, b = np.zeros(lane.extended, np.clongdouble), np.zeros(lane.extended, np.clongdouble)
    X[plan.n : plan.ground] = plan.rail_value
    np.add.at(b, plan.source_row, plan.source_value)
    return lane.solve(b, X)


def adjoint_lane(lane: Lane, aim: np.ndarray) -> np.ndarray:
    """λ with Aᵀλ = aim, for an aim over the extended unknowns of the plan."""
    b, X = np.zeros(lane.extended, np.clongdouble), np.zeros(lane.extended, np.clongdouble)
    b[: len(aim)] = aim
    b[lane.plan.n : lane.plan.ground + 1] = 0
    return lane.solve(b, X, transposed=True)


def lane_slopes(lane: Lane, q: np.ndarray, X: np.ndarray, L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the aim by the q or z of every entry, and of what every entry contributes by f, `(entries,)`."""
    plan = lane.plan
    rp, rm, cp, cm = _places(plan)
    pull = -plan.entry_scale * (L[rp] - L[rm]) * (X[cp] - X[cm])
    slopes = np.where(plan.entry_exponent == 1, pull * lane.s, pull)
    real = plan.entry_source < plan.n_q
    own = np.where(real, q[np.minimum(plan.entry_source, max(plan.n_q - 1, 0))] if plan.n_q else 0.0, 0.0)
    by_f = np.where(plan.entry_exponent == 1, pull * 2j * math.pi * own, 0)
    for entry, current in lane.currents.items():  # by its current: the voltage across it may be next to nothing
        both = plan.entry_scale[entry] * X[current] * L[current] / own[entry]
        slopes[entry] = -both * lane.s / own[entry]
        by_f[entry] = both * 2j * math.pi
    return slopes, by_f


def _places(plan: Plan) -> tuple[np.ndarray, ...]:
    return plan.entry_rp, plan.entry_rm, plan.entry_cp, plan.entry_cm


def _factored(coordinates: tuple[np.ndarray, np.ndarray, np.ndarray], size: int) -> Callable[[np.ndarray], np.ndarray]:
    """A solver in double precision of the matrix scaled to largest entries near one."""
    rows, columns, values = coordinates
    left, right = np.zeros(size), np.zeros(size)
    np.maximum.at(left, rows, np.abs(values).astype(float))
    left = _power_of_two(left)
    np.maximum.at(right, columns, np.abs(values).astype(float) * left[rows])
    right = _power_of_two(right)
    scaled = (values * left[rows] * right[columns]).astype(complex)
    try:
        apply = _dense(rows, columns, scaled, size) if size <= DENSE else _sparse(rows, columns, scaled, size)
    except (ValueError, RuntimeError, np.linalg.LinAlgError):
        return lambda b: np.full(size, np.nan, np.clongdouble)

    def solve(b: np.ndarray) -> np.ndarray:
        scale = float(np.abs(b).max(initial=0.0))
        if not 0 < scale < np.inf:
            return np.zeros(size, np.clongdouble) if scale == 0 else np.full(size, np.nan, np.clongdouble)
        return apply((b / scale * left).astype(complex)).astype(np.clongdouble) * right * scale

    return solve


def _dense(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, size: int):
    import warnings

    from scipy.linalg import lu_factor, lu_solve  # only when a lane needs it

    matrix = np.zeros((size, size), complex)
    np.add.at(matrix, (rows, columns), values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a singular matrix shows in the solution
        factors = lu_factor(matrix)
    return lambda b: lu_solve(factors, b)


def _sparse(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, size: int):
    from scipy.sparse import csc_matrix
    from scipy.sparse.linalg import splu

    return splu(csc_matrix((values, (rows, columns)), shape=(size, size))).solve


def _power_of_two(largest: np.ndarray) -> np.ndarray:
    """Factors that bring numbers near one without rounding them."""
    usable = (largest > 0) & np.isfinite(largest)
    return np.exp2(-np.round(np.log2(np.where(usable, largest, 1.0))))


def _gauss(matrix: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Solve in long double by elimination with row pivoting; NaN where a pivot is zero."""
    size = len(b)
    largest = np.abs(matrix).max(axis=1)
    scale = np.where(largest > 0, largest, 1)
    matrix, b = matrix / scale[:, None], b / scale
    with np.errstate(all="ignore"):
        for k in range(size):
            p = k + int(np.argmax(np.abs(matrix[k:, k])))
            matrix[[k, p]], b[[k, p]] = matrix[[p, k]], b[[p, k]]
            factor = matrix[k + 1 :, k] / matrix[k, k]
            matrix[k + 1 :, k:] -= factor[:, None] * matrix[k, k:]
            b[k + 1 :] -= factor * b[k]
        x = np.zeros(size, np.clongdouble)
        for k in reversed(range(size)):
            x[k] = (b[k] - matrix[k, k + 1 :] @ x[k + 1 :]) / matrix[k, k]
    return x if np.isfinite(x).all() else np.full(size, np.nan, np.clongdouble)
