"""The steps of a plan in plain operations of torch, one lane, number by number: for whoever wants to learn the formula.

No speed is to be had here, and nothing is checked: who writes a program of it compares it with what `Engine` gives.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from circuits.netlist.solver.plan import Plan

Slots = dict[int, Tensor]


def spelled_response(plan: Plan, q: Tensor, f: Tensor, z: Tensor) -> Tensor:
    """Outputs `(B, K, n)` at q `(Q, B)`, f `(n,)` or `(B, n)`, z `(Z, B, n)`; the steps are those of `plan.Plan`."""
    entries = _entries(plan, q, f, z)
    slots: Slots = {}
    for slot, entry, coef in zip(plan.fill_slot, plan.fill_entry, plan.fill_coef, strict=True):
        _add(slots, slot, float(coef) * entries[entry])
    for slot, value in zip(plan.const_slot, plan.const_value, strict=True):
        _add(slots, slot, torch.full_like(entries[0], float(value)) if entries else torch.tensor(float(value)))
    inverses = [_eliminated(plan, slots, t) for t in range(plan.n)]
    X = _substituted(plan, slots, inverses, _excited(plan, entries))
    total: Slots = {}
    for k, column, coef in zip(plan.out_k, plan.out_col, plan.out_coef, strict=True):
        if int(column) in X:
            _add(total, k, float(coef) * X[int(column)])
    zero = torch.zeros(q.shape[1], f.shape[-1], dtype=torch.complex128)
    return torch.stack([total[k].expand(zero.shape) if k in total else zero for k in range(plan.n_out)], 1)


def _entries(plan: Plan, q: Tensor, f: Tensor, z: Tensor) -> list[Tensor]:
    """y of every entry, `(B, n)`: q·s^exponent or z."""
    s = 2j * math.pi * (f if f.ndim == 2 else f.unsqueeze(0))
    found = []
    for source, exponent in zip(plan.entry_source.tolist(), plan.entry_exponent.tolist(), strict=True):
        if source >= plan.n_q:
            found.append(z[source - plan.n_q])
            continue
        own = q[source].unsqueeze(-1)
        found.append(
            own * s if exponent > 0 else own / s if exponent < 0 else torch.complex(own, torch.zeros_like(own))
        )
    return found


def _add(slots: Slots, place: int, value: Tensor) -> None:
    place = int(place)
    slots[place] = slots[place] + value if place in slots else value


def _part(ptr: np.ndarray, values: np.ndarray, t: int) -> list[int]:
    return values[ptr[t] : ptr[t + 1]].tolist()


def _eliminated(plan: Plan, slots: Slots, t: int) -> Tensor:
    """Carry out step t on the slots; the inverse of its pivot."""
    if t == plan.assembly_at:
        for to, of, sign in zip(plan.assembly_dst, plan.assembly_src, plan.assembly_sign, strict=True):
            if int(of) in slots:
                _add(slots, to, float(sign) * slots[int(of)])
    columns, rows = _part(plan.col_ptr, plan.col_slot, t), _part(plan.row_ptr, plan.row_slot, t)
    pivots = [slots[one] for one in _part(plan.pivot_ptr, plan.pivot_slot, t) if one in slots]
    inverse = 1 / sum(pivots[1:], pivots[0])
    whole = {one: slots[one] for one in columns if one in slots}
    for one in whole:
        slots[one] = whole[one] * inverse
    if not plan.step_symmetric[t]:
        for one in rows:
            if one in slots:
                slots[one] = slots[one] * inverse
    targets = iter(_part(plan.target_ptr, plan.target_slot, t))
    updates = [(next(targets), row, column) for row in rows for column in columns]
    changes = [(to, slots[row] * whole[column]) for to, row, column in updates if to >= 0 and {row} <= slots.keys()
               and column in whole]  # fmt: skip
    for to, change in changes:
        _add(slots, to, float(plan.step_sign[t]) * change)
    return inverse


def _excited(plan: Plan, entries: list[Tensor]) -> Slots:
    """The right-hand side of the sources, by row."""
    b: Slots = {}
    for row, entry, coef in zip(plan.rhs_row, plan.rhs_entry, plan.rhs_coef, strict=True):
        _add(b, row, complex(coef) * entries[entry])
    for row, value in zip(plan.rhs_const_row, plan.rhs_const, strict=True):
        _add(b, row, torch.full_like(entries[0], complex(value)))
    return b


def _substituted(plan: Plan, slots: Slots, inverses: list[Tensor], b: Slots) -> Slots:
    """The extended unknowns other than zero, by place."""
    for t, sign in enumerate(plan.step_sign.tolist()):
        here = int(plan.step_row[t])
        beside = zip(_part(plan.row_ptr, plan.row_slot, t), _part(plan.row_ptr, plan.row_index, t), strict=True)
        for slot, row in beside:
            if row >= 0 and here in b and slot in slots:
                _add(b, row, float(sign) * slots[slot] * b[here])
    X: Slots = {
        plan.n + rail: torch.full_like(inverses[0], complex(value))
        for rail, value in enumerate(plan.rail_value)
        if value
    }
    for t in reversed(range(plan.n)):
        sign, column = float(plan.step_sign[t]), int(plan.step_col[t])
        if int(plan.step_row[t]) in b:
            _add(X, column, inverses[t] * b[int(plan.step_row[t])])
        beside = zip(_part(plan.col_ptr, plan.col_slot, t), _part(plan.col_ptr, plan.col_index, t), strict=True)
        for slot, other in beside:
            if other >= 0 and other < plan.n and other in X and slot in slots:
                _add(X, column, sign * slots[slot] * X[other])
    return X
