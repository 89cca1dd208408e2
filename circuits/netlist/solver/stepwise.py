"""The steps of a plan in NumPy, a few lanes at a time, in double precision or in the platform's long double.

Lanes that an executor has flagged come here. Both precisions round alike, only one of them 2048 times less, so that
what they differ by tells how far the better one may be trusted.
"""

from __future__ import annotations

import math

import numpy as np

from circuits.netlist.solver.plan import Plan

TRUSTED = 1e-9
"""Where the two precisions differ by less than this part of the largest voltage or current, long double is right to
some 1e-12. (Where long double is no longer than double they do not differ, which says nothing: see `TELLS`.)"""
TELLS = np.finfo(np.longdouble).eps < 1e-18


class Stepwise:
    """Some lanes, factored: q `(Q, m)`, f `(m,)`, z `(Z, m)`."""

    def __init__(self, plan: Plan, q: np.ndarray, f: np.ndarray, z: np.ndarray, dtype: type):
        self.plan, self.dtype, self.lanes = plan, dtype, len(f)
        s = dtype(2j) * np.longdouble(math.pi) * f
        with np.errstate(all="ignore"):
            values = np.concatenate([q.astype(dtype), z.astype(dtype)])[plan.entry_source]
            self.y = (values * s ** plan.entry_exponent[:, None]).astype(dtype)
            self.slots, self.R = self._factored()

    def _factored(self) -> tuple[np.ndarray, np.ndarray]:
        plan = self.plan
        slots = np.zeros((plan.slots, self.lanes), self.dtype)
        np.add.at(slots, plan.fill_slot, plan.fill_coef[:, None] * self.y[plan.fill_entry])
        np.add.at(slots, plan.const_slot, plan.const_value[:, None])
        R = np.zeros((plan.n, self.lanes), self.dtype)
        for t in range(plan.n):
            if t == plan.assembly_at:
                np.add.at(slots, plan.assembly_dst, plan.assembly_sign[:, None] * slots[plan.assembly_src])
            columns, rows = _part(plan.col_ptr, plan.col_slot, t), _part(plan.row_ptr, plan.row_slot, t)
            R[t] = 1 / slots[_part(plan.pivot_ptr, plan.pivot_slot, t)].sum(0)
            whole = slots[columns]
            slots[columns] = whole * R[t]
            if not plan.step_symmetric[t]:
                slots[rows] *= R[t]
            target = _part(plan.target_ptr, plan.target_slot, t)
            update = (plan.step_sign[t] * slots[rows][:, None] * whole).reshape(len(target), self.lanes)
            np.add.at(slots, target[target >= 0], update[target >= 0])
        return slots, R

    def solve(self, b: np.ndarray, transposed: bool = False) -> np.ndarray:
        """A⁻¹b or A⁻ᵀb for b `(n, m)`."""
        plan, b = self.plan, b.astype(self.dtype)
        x = np.zeros_like(b)
        with np.errstate(all="ignore"):
            for t in range(plan.n):
                here, _, slot, beside = self._step(t, transposed)
                b[beside] += plan.step_sign[t] * self.slots[slot] * b[here]
            for t in reversed(range(plan.n)):
                here = self._step(t, transposed)[0]
                there, _, slot, beside = self._step(t, not transposed)
                x[there] = self.R[t] * b[here] + plan.step_sign[t] * (self.slots[slot] * x[beside]).sum(0)
        return x

    def _step(self, t: int, transposed: bool) -> tuple[int, int, np.ndarray, np.ndarray]:
        """Where step t takes from, and the slots and places beside it: by rows, or transposed by columns."""
        plan = self.plan
        if transposed:
            slot, index = _part(plan.col_ptr, plan.col_slot, t), _part(plan.col_ptr, plan.col_index, t)
            return int(plan.step_col[t]), t, slot[index >= 0], index[index >= 0]
        return int(plan.step_row[t]), t, _part(plan.row_ptr, plan.row_slot, t), _part(plan.row_ptr, plan.row_index, t)

    def excited(self) -> np.ndarray:
        """The right-hand side of the sources, `(n, m)`."""
        b = np.zeros((self.plan.n, self.lanes), self.dtype)
        np.add.at(b, self.plan.rhs_row, self.plan.rhs_coef[:, None] * self.y[self.plan.rhs_entry])
        np.add.at(b, self.plan.rhs_const_row, self.plan.rhs_const[:, None])
        return b


def _part(ptr: np.ndarray, values: np.ndarray, t: int) -> np.ndarray:
    return values[ptr[t] : ptr[t + 1]]


def difference(plan: Plan, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """By how much two solutions `(n, m)` differ, `(m,)`: voltages and currents apart, each relative to the largest."""
    nodes = plan.is_node > 0
    result = np.zeros(x.shape[1])
    with np.errstate(all="ignore"):
        for kind in (nodes, ~nodes):
            apart = np.abs(x[kind] - y[kind]).max(axis=0, initial=0.0).astype(float)
            largest = np.abs(x[kind]).max(axis=0, initial=0.0).astype(float)
            result = np.maximum(result, np.where(apart == 0, 0.0, apart / largest))
    return result
