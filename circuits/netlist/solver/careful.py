"""Flagged lanes, solved with care: in long double where two precisions agree, exactly where they do not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from circuits.netlist.solver.exact import ExactLane
from circuits.netlist.solver.plan import Plan
from circuits.netlist.solver.stepwise import TELLS, TRUSTED, Stepwise, difference


class CarefulLanes:
    """Some lanes of a plan, however ill they are: q `(Q, m)`, f `(m,)`, z `(Z, m)`.

    Solutions are extended `(n + rails + 1 + inductors, m)`, the currents of inductors coming last, NaN where a lane has
    no solution.
    """

    def __init__(self, plan: Plan, q: np.ndarray, f: np.ndarray, z: np.ndarray):
        self.plan, self.q, self.f, self.z = plan, q, f, z
        self.inductors = np.flatnonzero(plan.entry_exponent == -1)
        usable = f > 0 if len(self.inductors) else np.ones(len(f), bool)
        self._stepwise = np.flatnonzero(usable & TELLS)
        lanes = q[:, self._stepwise], f[self._stepwise], z[:, self._stepwise]
        self._pair = [Stepwise(plan, *lanes, dtype) for dtype in (np.clongdouble, np.complex128)]
        self._exact: dict[int, ExactLane] = {}

    def excited(self) -> np.ndarray:
        """The extended unknowns with the sources on."""
        return self._solved([one.excited() for one in self._pair], False, self.plan.rail_value, ExactLane.excited)

    def solve(self, b: np.ndarray, transposed: bool) -> np.ndarray:
        """The extended unknowns of A x = b, or Aᵀ x = b, for b `(n, m)`, rails at zero volts."""
        given = b[:, self._stepwise]
        rails = np.zeros(self.plan.rails)
        return self._solved([given, given], transposed, rails, lambda lane, k: lane.solve(b[:, k], transposed))

    def _solved(
        self, given: Sequence[np.ndarray], transposed: bool, rails: np.ndarray, exactly: Callable
    ) -> np.ndarray:
        plan = self.plan
        X = np.zeros((plan.ground + 1 + len(self.inductors), len(self.f)), complex)
        X[plan.n : plan.ground] = rails[:, None]
        long, short = (one.solve(b, transposed) for one, b in zip(self._pair, given, strict=True))
        trusted = difference(plan, long, short) <= TRUSTED
        X[: plan.n, self._stepwise] = long
        self._add_currents(X, transposed)
        for k in sorted({*range(len(self.f))} - {*self._stepwise[trusted].tolist()}):
            lane = self._exact_lane(k)
            X[:, k] = exactly(lane) if exactly is ExactLane.excited else exactly(lane, k)
        return X

    def _add_currents(self, X: np.ndarray, transposed: bool) -> None:
        """The currents of inductors from the voltages across them."""
        plan, e = self.plan, self.inductors
        plus, minus = (plan.entry_rp, plan.entry_rm) if transposed else (plan.entry_cp, plan.entry_cm)
        with np.errstate(all="ignore"):
            s = 2j * math.pi * self.f
            X[plan.ground + 1 :] = self.q[plan.entry_source[e]] / s * (X[plus[e]] - X[minus[e]])

    def _exact_lane(self, k: int) -> ExactLane:
        if k not in self._exact:
            self._exact[k] = ExactLane(self.plan, self.q[:, k], float(self.f[k]), self.z[:, k])
        return self._exact[k]

    def slopes(self, X: np.ndarray, L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives of what L aims at, by the q or z of every entry and of what it adds by f, `(entries, m)`."""
        plan = self.plan
        pull = (
            -plan.entry_scale[:, None] * (L[plan.entry_rp] - L[plan.entry_rm]) * (X[plan.entry_cp] - X[plan.entry_cm])
        )
        rising = (plan.entry_exponent == 1)[:, None]
        slopes = np.where(rising, pull * (2j * math.pi * self.f), pull)
        real = plan.entry_source < plan.n_q
        table = np.concatenate([self.q, np.zeros((1, len(self.f)))])
        own = table[np.where(real, plan.entry_source, len(self.q))]
        by_f = np.where(rising, pull * 2j * math.pi * own, 0)
        # by its current: the voltage across an inductor may be next to nothing, and is nothing at 0 Hz
        e, value = self.inductors, own[self.inductors]
        both = plan.entry_scale[e][:, None] * X[plan.ground + 1 :] * L[plan.ground + 1 :] / value
        slopes[e], by_f[e] = -both * (2j * math.pi * self.f) / value, both * 2j * math.pi
        return slopes, by_f
