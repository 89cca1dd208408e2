"""A `Plan` carried out in torch: wherever there is no compiler, on other devices, and as the measure of the kernel.

Steps that do not wait for each other and have one shape go through as one operation. Lanes are taken in pieces that
stay in the cache. Nothing here keeps a graph: derivatives come from the adjoint, not from these operations.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from circuits.netlist.solver.plan import Plan
from circuits.netlist.solver.schedule import Group, Schedule, make_schedule

CANCELS = 1e-4
"""A star–mesh pivot that is smaller than this part of the sum of its branches has lost digits: its lane is flagged."""
MOVED = 1e-10
"""A refinement that moves voltages or currents by more than this part of the largest leaves the lane flagged."""
PIECE = 400_000
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


def forward(plan: Plan, q: Tensor, f: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs `(B, K, n)` and which lanes need pivoting, `(B, n)`; see `kernel.c` for the same."""
    boards, points = lanes_of(q, f, z)
    H = torch.zeros(boards, plan.n_out, points, dtype=torch.complex128, device=q.device)
    flagged = torch.zeros(boards, points, dtype=torch.bool, device=q.device)
    for lanes in pieces(plan, q, f, z):
        X = excited(lanes, asked_only=not plan.refine)
        H[lanes.rows, :, lanes.columns] = _boards_first(_outputs(lanes, X), lanes)
        flagged[lanes.rows, lanes.columns] = lanes.flagged.reshape(lanes.shape)
    return H.masked_fill_(flagged.unsqueeze(1), 0), flagged


def gradient(
    plan: Plan, q: Tensor, f: Tensor, z: Tensor, G: Tensor, want_f: bool
) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
    """Gradients `(Q, B)`, `(Z, B, n)` and `(B, n)` of a real loss with dL = Re Σ conj(G)·dH."""
    boards, points = lanes_of(q, f, z)
    grad_q, grad_z = torch.zeros_like(q), torch.zeros_like(z)
    grad_f = torch.zeros(boards, points, dtype=q.dtype, device=q.device) if want_f else None
    flagged = torch.zeros(boards, points, dtype=torch.bool, device=q.device)
    for lanes in pieces(plan, q, f, z):
        X, schedule = excited(lanes), lanes.schedule
        upstream = G[lanes.rows, :, lanes.columns].movedim(1, 0).reshape(plan.n_out, -1)
        aim = torch.zeros_like(X)
        aim.index_add_(0, schedule.out_col, schedule.out_coef.unsqueeze(-1) * upstream.conj()[schedule.out_k])
        pull = _entry_pulls(lanes, X, _refined(lanes, aim[: plan.n], transposed=True))
        pull = pull.masked_fill(lanes.flagged, 0)
        slopes, own = _slopes(lanes, pull).real, schedule.real
        grad_q[:, lanes.rows].index_add_(0, schedule.source[own], slopes[own].sum(-1))
        pulled = pull.conj().reshape(len(pull), *lanes.shape)[~own]
        grad_z[:, lanes.rows, lanes.columns].index_add_(0, schedule.source[~own] - plan.n_q, pulled)
        if grad_f is not None:
            slope = slopes * schedule.exponent[:, None, None] * _values(lanes)
            grad_f[lanes.rows, lanes.columns] = _over_f(slope[own].sum(0), lanes)
        flagged[lanes.rows, lanes.columns] = lanes.flagged.reshape(lanes.shape)
    return grad_q, grad_z, grad_f, flagged


def jacobian(plan: Plan, q: Tensor, f: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Outputs `(B, K, n)` and their derivatives by q `(B, Q, K, n)` and z `(B, Z, K, n)`, by one adjoint an output."""
    boards, points = lanes_of(q, f, z)
    options = {"dtype": torch.complex128, "device": q.device}
    H = torch.zeros(boards, plan.n_out, points, **options)
    by_q = torch.zeros(boards, plan.n_q, plan.n_out, points, **options)
    by_z = torch.zeros(boards, plan.n_z, plan.n_out, points, **options)
    flagged = torch.zeros(boards, points, dtype=torch.bool, device=q.device)
    for lanes in pieces(plan, q, f, z):
        X, schedule, own = excited(lanes), lanes.schedule, lanes.schedule.real
        H[lanes.rows, :, lanes.columns] = _boards_first(_outputs(lanes, X), lanes)
        for k in range(plan.n_out):
            aim = torch.zeros_like(X)
            mine = schedule.out_k == k
            aim.index_add_(0, schedule.out_col[mine], schedule.out_coef[mine].unsqueeze(-1) + 0 * X[: int(mine.sum())])
            pull = _entry_pulls(lanes, X, _refined(lanes, aim[: plan.n], transposed=True))
            pull = torch.where(lanes.flagged, 0, pull)
            slope = _slopes(lanes, pull).movedim(1, 0)
            by_q[lanes.rows, :, k, lanes.columns].index_add_(1, schedule.source[own], slope[:, own])
            slope = _boards_first(pull, lanes)[:, ~own]
            by_z[lanes.rows, :, k, lanes.columns].index_add_(1, schedule.source[~own] - plan.n_q, slope)
        flagged[lanes.rows, lanes.columns] = lanes.flagged.reshape(lanes.shape)
    return H.masked_fill_(flagged.unsqueeze(1), 0), by_q, by_z, flagged


def solve(plan: Plan, q: Tensor, f: Tensor, z: Tensor, rhs: Tensor, transposed: bool) -> tuple[Tensor, Tensor]:
    """Solutions `(B, R, n_unknowns, n)` of A x = rhs, or Aᵀ x = rhs; rails at zero volts."""
    boards, points = lanes_of(q, f, z)
    count = rhs.shape[1]
    rhs = rhs.expand(boards, count, plan.n, points)
    x = torch.zeros_like(rhs, memory_format=torch.contiguous_format)
    flagged = torch.zeros(boards, points, dtype=torch.bool, device=q.device)
    for lanes in pieces(plan, q, f, z):
        places = lanes.schedule.row_place, lanes.schedule.col_place
        orders = lanes.schedule.row_order, lanes.schedule.col_order
        for k in range(count):
            given = rhs[lanes.rows, k, :, lanes.columns].movedim(1, 0).reshape(plan.n, -1)
            found = _refined(lanes, given.index_select(0, orders[transposed]), transposed)
            found = found.index_select(0, places[not transposed])
            x[lanes.rows, k, :, lanes.columns] = _boards_first(found, lanes)
        flagged[lanes.rows, lanes.columns] = lanes.flagged.reshape(lanes.shape)
    return x.masked_fill_(flagged[:, None, None], 0), flagged


# lanes


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


def _boards_first(table: Tensor, lanes: Lanes) -> Tensor:
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
    slots = torch.matmul(parts.permute(1, 2, 0), _basis(f)).movedim(0, 1)  # (slots, boards, 2 · points)
    slots = torch.view_as_complex(slots.reshape(plan.slots, -1, 2))
    slot, source, coefficient = schedule.complex_fills
    if len(slot):
        slots.index_add_(0, slot, coefficient.unsqueeze(-1) * z[source].reshape(len(source), -1))
    return slots


def _basis(f: Tensor) -> Tensor:
    """Real and imaginary parts of 1/s, 1 and s, `(boards or 1, 3, 2 · points)`; 1/s is zero at 0 Hz, which is flagged."""
    omega = 2 * math.pi * f
    inverse = torch.where(omega > 0, omega.reciprocal(), 0)
    none, one = torch.zeros_like(omega), torch.ones_like(omega)
    rows = [torch.stack(pair, -1).flatten(-2) for pair in ((none, -inverse), (one, none), (none, omega))]
    return torch.stack(rows, -2)


def _eliminate(group: Group, slots: Tensor, flagged: Tensor | None) -> Factor:
    """Steps of one shape side by side; resistors and capacitors alone cannot cancel, and nothing is flagged."""
    whole = _block(slots, group.col_start, group.count, group.columns)
    if group.is_mesh:
        pivot = whole.sum(1)
        if flagged is not None:
            flagged |= ~(_size(pivot) >= CANCELS * _size(whole).sum(1)).all(0)
    else:
        pivot = slots[group.pivot_start : group.pivot_start + group.count]
    R = pivot.reciprocal()
    U = whole * R.unsqueeze(1)
    L = U if group.is_mesh else _block(slots, group.row_start, group.count, group.rows) * R.unsqueeze(1)
    for i, j, scatter in group.pairs:
        scatter.add_product(slots, L[:, i], whole[:, j], group.sign)
    if group.gathered is not None:
        left, right, scatter = group.gathered
        rows = L[:, : group.rows].reshape(-1, slots.shape[1])
        columns = whole.reshape(-1, slots.shape[1])
        scatter.add_product(slots, rows.index_select(0, left), columns.index_select(0, right), group.sign)
    return Factor(R, U[:, : group.beside], L[:, : group.rows])


def _block(slots: Tensor, start: int, count: int, width: int) -> Tensor:
    """Slots that lie together, `(steps, width, lanes)`."""
    return slots[start : start + count * width].reshape(count, width, slots.shape[1])


def _size(x: Tensor) -> Tensor:
    return x.real.abs() + x.imag.abs()


# substitution


def substituted(
    lanes: Lanes, b: Tensor, transposed: bool, driven_only: bool = False, asked_only: bool = False
) -> Tensor:
    """A⁻¹b or A⁻ᵀb in the new numbering, `(n, lanes)`; b is used up. Steps that the sources do not reach, or that no
    output depends on, may be left out.
    """
    pairs = list(zip(lanes.schedule.groups, lanes.factors, strict=True))
    for group, factor in pairs:
        beside, scatter = (factor.U, group.to_columns) if transposed else (factor.L, group.to_rows)
        if beside.shape[1] and not (driven_only and not group.is_driven):
            update = beside * b[group.start : group.start + group.count].unsqueeze(1)
            scatter.add(b, update.reshape(-1, b.shape[1]), group.sign)
    x = torch.zeros_like(b)
    for group, factor in reversed(pairs):
        if asked_only and not group.is_asked:
            continue
        here = slice(group.start, group.start + group.count)
        torch.mul(factor.R, b[here], out=x[here])
        beside, index = (factor.L, group.row_index) if transposed else (factor.U, group.col_index)
        if beside.shape[1]:
            known = x.index_select(0, index).reshape(beside.shape)
            x[here].add_((beside * known).sum(1), alpha=group.sign)
    return x


def excited(lanes: Lanes, asked_only: bool = False) -> Tensor:
    """The extended unknowns with the sources on, `(n + rails + 1, lanes)`."""
    plan, schedule = lanes.plan, lanes.schedule
    b = torch.zeros(plan.n, lanes.slots.shape[1], dtype=lanes.slots.dtype, device=lanes.slots.device)
    b.index_add_(0, schedule.rhs_const_row, schedule.rhs_const.unsqueeze(-1).expand(-1, b.shape[1]))
    if len(schedule.rhs_row):
        y = _admittances(lanes, schedule.rhs_entry)
        b.index_add_(0, schedule.rhs_row, schedule.rhs_coef.unsqueeze(-1) * y)
    rails = schedule.rail_value.unsqueeze(-1).expand(-1, b.shape[1])
    x = substituted(lanes, b, transposed=False, driven_only=True, asked_only=asked_only)
    X = torch.cat([x, rails, torch.zeros_like(b[:1])])
    if plan.refine:
        _correct(lanes, X, _residual(lanes, X, schedule.source_row, schedule.source_value), transposed=False)
    _flag_infinite(lanes, _outputs(lanes, X) if asked_only else X)
    return X


def _refined(lanes: Lanes, rhs: Tensor, transposed: bool) -> Tensor:
    """A⁻¹ rhs or A⁻ᵀ rhs, refined where the plan asks for it; rails at zero."""
    x = substituted(lanes, rhs.clone(), transposed)
    if lanes.plan.refine:
        X = torch.cat([x, torch.zeros(lanes.plan.rails + 1, x.shape[1], dtype=x.dtype, device=x.device)])
        empty = lanes.schedule.source_row[:0], lanes.schedule.source_value[:0]
        _correct(lanes, X, _residual(lanes, X, *empty, transposed=transposed) + rhs, transposed)
        x = X[: lanes.plan.n]
    _flag_infinite(lanes, x)
    return x


def _residual(lanes: Lanes, X: Tensor, row: Tensor, value: Tensor, transposed: bool = False) -> Tensor:
    """Sources minus A·X (or Aᵀ·X), each entry by the difference that it sees, and on top of it what rounding may have
    added: a residual can be next to nothing by chance, and still lie in the direction that the circuit magnifies.
    """
    schedule, residual = lanes.schedule, torch.zeros_like(X)
    residual.index_add_(0, row, value.unsqueeze(-1).expand(-1, X.shape[1]))
    here, there = (schedule.rows, schedule.columns) if not transposed else (schedule.columns, schedule.rows)
    y = schedule.scale.unsqueeze(-1) * _admittances(lanes)
    flow = y * (X[there[0]] - X[there[1]])
    residual.index_add_(0, here[0], flow, alpha=-1)
    residual.index_add_(0, here[1], flow)
    place = (schedule.term_row, schedule.term_col) if not transposed else (schedule.term_col, schedule.term_row)
    term = schedule.term_value.unsqueeze(-1) * X[place[1]]
    residual.index_add_(0, place[0], term, alpha=-1)
    sizes, whole, size = _size(X), torch.zeros_like(X.real), _size(y)
    size = size * (sizes[there[0]] + sizes[there[1]])
    for target, part in ((here[0], size), (here[1], size), (place[0], _size(term))):
        whole.index_add_(0, target, part)
    noise = schedule.col_noise if transposed else schedule.row_noise
    return residual[: lanes.plan.n] + noise.unsqueeze(-1) * whole[: lanes.plan.n]


def _correct(lanes: Lanes, X: Tensor, residual: Tensor, transposed: bool) -> None:
    """One step of iterative refinement, which also tells how far to trust the solution: voltages and currents apart,
    since a large current that goes in a circle would excuse any voltage.
    """
    move = substituted(lanes, residual, transposed)
    n, size = lanes.plan.n, _size(move)
    X[:n] += move
    whole = _size(X)
    nodes = lanes.schedule.row_is_node if transposed else lanes.schedule.col_is_node
    for kind, rails in ((nodes, whole[n:]), (~nodes, whole[:0])):
        if bool(kind.any()):
            largest = torch.cat([whole[:n][kind], rails]).amax(0)
            lanes.flagged |= ~(size[kind].amax(0) <= MOVED * largest)


def _flag_infinite(lanes: Lanes, x: Tensor) -> None:
    total = x.sum(0)  # which is not finite if any of it is not
    lanes.flagged |= ~torch.isfinite(total.real + total.imag)


# entries


def _values(lanes: Lanes) -> Tensor:
    """q of every entry `(entries, boards, 1)`, zero for complex ones."""
    schedule, own = lanes.schedule, lanes.schedule.real
    values = torch.zeros(len(own), lanes.shape[0], dtype=lanes.q.dtype, device=lanes.q.device)
    values[own] = lanes.q[schedule.source[own]]
    return values.unsqueeze(-1)


def _admittances(lanes: Lanes, which: Tensor | None = None) -> Tensor:
    """y of every entry, or of some, `(entries, lanes)`."""
    schedule = lanes.schedule
    source, exponent = schedule.source, schedule.exponent
    source, exponent = (source, exponent) if which is None else (source[which], exponent[which])
    y = torch.empty(len(source), *lanes.shape, dtype=torch.complex128, device=lanes.q.device)
    own = source < lanes.plan.n_q
    y[own] = lanes.q[source[own]].unsqueeze(-1) * _powers(lanes, exponent[own])
    y[~own] = lanes.z[source[~own] - lanes.plan.n_q]
    return y.reshape(len(source), -1)


def _powers(lanes: Lanes, exponent: Tensor) -> Tensor:
    """s^exponent `(entries, boards, points)`; at 0 Hz an inductor has no voltage, and nothing hangs on it."""
    omega = (2 * math.pi * lanes.f).unsqueeze(0)
    inverse = torch.where(omega > 0, omega.reciprocal(), 0)
    none = torch.zeros_like(omega)
    one = torch.complex(torch.ones_like(omega), none)
    laws = torch.cat([torch.complex(none, -inverse), one, torch.complex(none, omega)])
    return laws.index_select(0, exponent + 1)


def _outputs(lanes: Lanes, X: Tensor) -> Tensor:
    schedule = lanes.schedule
    H = torch.zeros(lanes.plan.n_out, X.shape[1], dtype=X.dtype, device=X.device)
    return H.index_add_(0, schedule.out_k, schedule.out_coef.unsqueeze(-1) * X[schedule.out_col])


def _entry_pulls(lanes: Lanes, X: Tensor, adjoint: Tensor) -> Tensor:
    """d(output)/dy of every entry, `(entries, lanes)`."""
    schedule = lanes.schedule
    L = torch.cat([adjoint, torch.zeros_like(X[lanes.plan.n :])])
    across = (L[schedule.rows[0]] - L[schedule.rows[1]]) * (X[schedule.columns[0]] - X[schedule.columns[1]])
    return across * -schedule.scale.unsqueeze(-1)


def _slopes(lanes: Lanes, pull: Tensor) -> Tensor:
    """d(output)/dq of every entry, `(entries, boards, points)`."""
    return pull.reshape(len(pull), *lanes.shape) * _powers(lanes, lanes.schedule.exponent)


def _over_f(slope: Tensor, lanes: Lanes) -> Tensor:
    return slope / lanes.f
