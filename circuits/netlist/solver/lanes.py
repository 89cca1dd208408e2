"""Lanes, a piece at a time: filled with the numbers of their entries and factored, by torch.

Steps that do not wait for each other and have one shape go through as one operation (`schedule`). Lanes are taken in
pieces that stay in the cache.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from circuits.netlist.solver.plan import CANCELS, Plan
from circuits.netlist.solver.schedule import Group, Schedule, make_schedule

PIECE = 800_000
"""Complex numbers that the slots of one piece of lanes may take; measured on ladders of 3 to 1000 nodes."""

_SCHEDULES: WeakKeyDictionary[Plan, dict[torch.device, Schedule]] = WeakKeyDictionary()


def schedule_of(plan: Plan, device: torch.device) -> Schedule:
    """The groups of a plan on a device, made once."""
    kept = _SCHEDULES.setdefault(plan, {})
    if device not in kept:
        kept[device] = make_schedule(plan, device)
    return kept[device]


@dataclass(frozen=True)
class Factor:
    """What a group leaves behind: R `(steps, lanes)`, U and L `(steps, beside, lanes)`."""

    R: Tensor
    U: Tensor
    L: Tensor


@dataclass
class Lanes:
    """A piece of the lanes, factored: boards `rows`, points `columns`, everything `(…, lanes)`."""

    plan: Plan
    schedule: Schedule
    rows: slice
    columns: slice
    shape: tuple[int, int]
    q: Tensor
    f: Tensor
    z: Tensor
    slots: Tensor
    factors: list[Factor]
    flagged: Tensor


def lanes_of(q: Tensor, f: Tensor, z: Tensor) -> tuple[int, int]:
    """How many boards and how many points."""
    return q.shape[1], f.shape[-1]


def pieces(plan: Plan, q: Tensor, f: Tensor, z: Tensor) -> Iterator[Lanes]:
    """The lanes in pieces, each filled and factored."""
    boards, points = lanes_of(q, f, z)
    schedule = schedule_of(plan, q.device)
    room = max(PIECE // max(plan.slots, 1), 16)
    wide = min(max(points, 1), room)
    tall = max(room // wide, 1)
    for top in range(0, boards, tall):
        rows = slice(top, min(top + tall, boards))
        for left in range(0, points, wide):
            columns = slice(left, min(left + wide, points))
            yield _factored(plan, schedule, rows, columns, q[:, rows], _cut(f, rows, columns), z[:, rows, columns])


def _cut(f: Tensor, rows: slice, columns: slice) -> Tensor:
    return f[columns].unsqueeze(0) if f.ndim == 1 else f[rows, columns]


def boards_first(table: Tensor, lanes: Lanes) -> Tensor:
    """`(rows, lanes)` as `(boards, rows, points)`."""
    return table.reshape(len(table), *lanes.shape).movedim(1, 0)


def _factored(plan: Plan, schedule: Schedule, rows: slice, columns: slice, q: Tensor, f: Tensor, z: Tensor) -> Lanes:
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    slots = _filled(plan, schedule, q, f, z, shape)
    count = slots.shape[1]
    flagged = torch.zeros(count, dtype=torch.bool, device=slots.device)
    if len(schedule.real_fills[0][0]):
        flagged |= (f <= 0).expand(shape).reshape(-1)
    lanes = Lanes(plan, schedule, rows, columns, shape, q, f.expand(shape), z, slots, [], flagged)
    may_cancel = len(schedule.real_fills[0][0]) > 0 or plan.n_z > 0 or not bool((q >= 0).all())
    for group in schedule.groups:
        if group.assemble_first:
            update = schedule.assembly_sign.unsqueeze(-1) * slots[schedule.assembly_src]
            slots.index_add_(0, schedule.assembly_dst, update)
        lanes.factors.append(_eliminate(group, slots, flagged if may_cancel else None))
    return lanes


def _filled(plan: Plan, schedule: Schedule, q: Tensor, f: Tensor, z: Tensor, shape: tuple[int, int]) -> Tensor:
    """The slots before elimination: real parts, ωC and −1/(ωL) are summed a board at a time."""
    parts = torch.zeros(3, shape[0], plan.slots, dtype=q.dtype, device=q.device)
    for part, (slot, source, coefficient) in zip(parts, schedule.real_fills, strict=True):
        part.scatter_add_(1, slot.expand(shape[0], -1), (coefficient.unsqueeze(-1) * q[source]).mT)
    part = parts[1]
    part.scatter_add_(1, schedule.const_slot.expand(shape[0], -1), schedule.const_value.expand(shape[0], -1))
    slots = _spread_over_lanes(parts, _basis(f), shape)
    slot, source, coefficient = schedule.complex_fills
    if len(slot):
        slots.index_add_(0, slot, coefficient.unsqueeze(-1) * z[source].reshape(len(source), -1))
    return slots


def _spread_over_lanes(parts: Tensor, basis: Tensor, shape: tuple[int, int]) -> Tensor:
    """Σ parts · basis, complex `(slots, lanes)`, from parts `(3, boards, slots)`."""
    count = parts.shape[2]
    if basis.shape[0] == 1:
        out = kept("slots", count * shape[0], shape[1], parts.device)
        torch.mm(parts.permute(2, 1, 0).reshape(-1, 3), basis[0], out=torch.view_as_real(out).flatten(1))
        return out.reshape(count, -1)
    spread = torch.matmul(parts.permute(1, 2, 0), basis).movedim(0, 1)  # (slots, boards, 2 · points)
    return torch.view_as_complex(spread.reshape(count, -1, 2))


_MEMORY = threading.local()


def kept(name: str, rows: int, columns: int, device: torch.device) -> Tensor:
    """A complex table of anything, in memory that one piece of lanes leaves to the next.

    Fresh pages of memory cost more time than what is computed in them.
    """
    if torch.compiler.is_compiling():
        return torch.empty(rows, columns, dtype=torch.complex128, device=device)
    kept = _MEMORY.__dict__.setdefault(f"{name} {device}", [])
    if not kept or kept[0].numel() < rows * columns:
        kept[:] = [torch.empty(rows * columns, dtype=torch.complex128, device=device)]
    return kept[0][: rows * columns].view(rows, columns)


def _basis(f: Tensor) -> Tensor:
    """Real and imaginary parts of 1/s, 1 and s, `(boards or 1, 3, 2 · points)`; 1/s is zero at 0 Hz, and flagged."""
    omega = 2 * math.pi * f
    inverse = torch.where(omega > 0, omega.reciprocal(), 0)
    none, one = torch.zeros_like(omega), torch.ones_like(omega)
    rows = [torch.stack(pair, -1).flatten(-2) for pair in ((none, -inverse), (one, none), (none, omega))]
    return torch.stack(rows, -2)


def _eliminate(group: Group, slots: Tensor, flagged: Tensor | None) -> Factor:
    """Steps of one shape side by side, in place; where nothing can cancel, as without inductors, nothing is flagged."""
    whole = _block(slots, group.col_start, group.count, group.columns)
    L = whole if group.is_mesh else _block(slots, group.row_start, group.count, group.rows)
    if group.is_mesh:
        pivot = whole.sum(1)
        if flagged is not None:
            flagged |= ~(magnitude(pivot) >= CANCELS * magnitude(whole).sum(1)).all(0)
    else:
        pivot = slots[group.pivot_start : group.pivot_start + group.count]
    R = torch.div(pivot.new_ones(()), pivot)  # in half the time that torch takes to a complex reciprocal
    if not group.is_mesh:
        L *= R.unsqueeze(1)
    if group.gathered is not None:
        left, right, scatter = group.gathered
        columns = whole.reshape(-1, slots.shape[1]).index_select(0, right)
        whole *= R.unsqueeze(1)
        rows = L[:, : group.rows].reshape(-1, slots.shape[1]).index_select(0, left)
        scatter.add_product(slots, rows, columns, group.sign)
        return Factor(R, whole[:, : group.beside], L[:, : group.rows])
    done = 0
    for i, j, scatter in group.pairs:  # a mesh's columns are its rows, scaled when they have been used as they were
        while group.is_mesh and done <= i:
            whole[:, done] *= R
            done += 1
        scatter.add_product(slots, L[:, i], whole[:, j], group.sign)
    if done < group.columns:
        whole[:, done:] *= R.unsqueeze(1)
    return Factor(R, whole[:, : group.beside], L[:, : group.rows])


def _block(slots: Tensor, start: int, count: int, width: int) -> Tensor:
    """Slots that lie together, `(steps, width, lanes)`."""
    return slots[start : start + count * width].reshape(count, width, slots.shape[1])


def magnitude(x: Tensor) -> Tensor:
    """|Re x| + |Im x|, which is as good as |x| to compare by."""
    return x.real.abs() + x.imag.abs()


def values(lanes: Lanes) -> Tensor:
    """q of every entry `(entries, boards, 1)`, zero for complex ones."""
    schedule, own = lanes.schedule, lanes.schedule.real
    values = torch.zeros(len(own), lanes.shape[0], dtype=lanes.q.dtype, device=lanes.q.device)
    values[own] = lanes.q[schedule.source[own]]
    return values.unsqueeze(-1)


def admittances(lanes: Lanes, which: Tensor | None = None) -> Tensor:
    """y of every entry, or of some, `(entries, lanes)`."""
    schedule = lanes.schedule
    source, exponent = schedule.source, schedule.exponent
    source, exponent = (source, exponent) if which is None else (source[which], exponent[which])
    y = torch.empty(len(source), *lanes.shape, dtype=torch.complex128, device=lanes.q.device)
    own = source < lanes.plan.n_q
    y[own] = lanes.q[source[own]].unsqueeze(-1) * powers(lanes, exponent[own])
    y[~own] = lanes.z[source[~own] - lanes.plan.n_q]
    return y.reshape(len(source), -1)


def powers(lanes: Lanes, exponent: Tensor) -> Tensor:
    """s^exponent `(entries, boards, points)`; at 0 Hz an inductor has no voltage, and nothing hangs on it."""
    omega = (2 * math.pi * lanes.f).unsqueeze(0)
    inverse = torch.where(omega > 0, omega.reciprocal(), 0)
    none = torch.zeros_like(omega)
    one = torch.complex(torch.ones_like(omega), none)
    laws = torch.cat([torch.complex(none, -inverse), one, torch.complex(none, omega)])
    return laws.index_select(0, exponent + 1)
