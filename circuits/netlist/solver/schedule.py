"""The steps of a `Plan` in groups that torch takes as one operation each.

Steps that do not wait for each other and have one shape form a group. Unknowns, rows and slots are numbered anew, in
the order in which groups take them, so that what a group works on lies in one piece and needs no gathering.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from circuits.netlist.solver.plan import Plan

FEW_PAIRS = 12
"""Products of a step up to which a group of several steps takes them pair by pair, without gathering."""

LARGE = 24
"""Steps of a group from which it pays to set those apart that take part in substitution."""

ToDevice = Callable[[np.ndarray], Tensor]


@dataclass(frozen=True)
class Scatter:
    """Rows to which products are added; `distinct` when no row is named twice."""

    target: Tensor
    distinct: bool

    def add(self, table: Tensor, update: Tensor, sign: float) -> None:
        """`table[target] += sign · update`, row by row."""
        if not self.distinct:
            table.index_add_(0, self.target, update, alpha=sign)
            return
        # index_add_ takes rows one by one: where none comes twice, gathering and putting back is several times quicker
        table.index_copy_(0, self.target, torch.add(table.index_select(0, self.target), update, alpha=sign))

    def add_product(self, table: Tensor, left: Tensor, right: Tensor, sign: float) -> None:
        """`table[target] += sign · left · right`, row by row."""
        if not self.distinct:
            table.index_add_(0, self.target, left * right, alpha=sign)
            return
        table.index_copy_(0, self.target, table.index_select(0, self.target).addcmul_(left, right, value=sign))


@dataclass(frozen=True)
class Group:
    """Steps `start` to `start + count` in the new numbering, which are also their rows and unknowns.

    Slots: columns from `col_start`, `columns` a step, the first `beside` of them unknowns (a branch to ground comes
    last); for LU steps the pivots from `pivot_start` and the rows from `row_start`, `rows` a step. `pairs` are products
    (row, column) with the slots that they go to, one step each; `gathered` the same all at once, as positions among the
    group's rows and columns. `col_index`, `row_index` are the unknowns and rows beside, flat. `is_driven` says whether
    the sources reach any of its rows, `is_asked` whether any output depends on its unknowns.
    """

    is_mesh: bool
    assemble_first: bool
    is_driven: bool
    is_asked: bool
    sign: float
    start: int
    count: int
    col_start: int
    columns: int
    beside: int
    pivot_start: int
    row_start: int
    rows: int
    pairs: list[tuple[int, int, Scatter]]
    gathered: tuple[Tensor, Tensor, Scatter] | None
    col_index: Tensor
    row_index: Tensor
    to_columns: Scatter
    to_rows: Scatter


@dataclass(frozen=True)
class Schedule:
    """A plan on one device, renumbered; `order[new] = old` for rows and for unknowns, `place[old] = new`.

    `real_fills` are (slot, q, coefficient) for the exponents −1, 0 and 1; `complex_fills` the same for z. `rows` and
    `columns` are the pairs of extended indices of every entry.
    """

    groups: list[Group]
    row_noise: Tensor
    col_noise: Tensor
    row_is_node: Tensor
    col_is_node: Tensor
    row_order: Tensor
    col_order: Tensor
    col_place: Tensor
    row_place: Tensor
    real_fills: list[tuple[Tensor, Tensor, Tensor]]
    complex_fills: tuple[Tensor, Tensor, Tensor]
    const_slot: Tensor
    const_value: Tensor
    assembly_dst: Tensor
    assembly_src: Tensor
    assembly_sign: Tensor
    rhs_row: Tensor
    rhs_entry: Tensor
    rhs_coef: Tensor
    rhs_const_row: Tensor
    rhs_const: Tensor
    source_row: Tensor
    source_value: Tensor
    rail_value: Tensor
    term_row: Tensor
    term_col: Tensor
    term_value: Tensor
    out_k: Tensor
    out_col: Tensor
    out_coef: Tensor
    source: Tensor
    real: Tensor
    exponent: Tensor
    scale: Tensor
    rows: tuple[Tensor, Tensor]
    columns: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class _Numbering:
    """New numbers of rows, extended unknowns and slots, by old number."""

    rows: np.ndarray
    columns: np.ndarray
    slots: np.ndarray


def make_schedule(plan: Plan, device: torch.device) -> Schedule:
    """Group the steps of a plan, renumber, and bring everything to a device."""

    def on(array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        return (tensor.long() if tensor.dtype == torch.int32 else tensor).to(device)

    driven, asked = _driven(plan), _asked(plan)
    gathered_steps = _alike(plan, driven, asked)
    numbers = _numbered(plan, gathered_steps)
    source, exponent = plan.entry_source[plan.fill_entry], plan.entry_exponent[plan.fill_entry]
    slots, is_real = numbers.slots[plan.fill_slot], source < plan.n_q
    kept = {name: on(getattr(plan, name)) for name in _AS_THEY_ARE}
    return Schedule(
        groups=_groups(plan, gathered_steps, numbers, on, driven, asked),
        row_noise=on(plan.noise[np.argsort(numbers.rows[: plan.n])]),
        col_noise=on(plan.noise[np.argsort(numbers.columns[: plan.n])]),
        row_is_node=on(plan.is_node[np.argsort(numbers.rows[: plan.n])] > 0),
        col_is_node=on(plan.is_node[np.argsort(numbers.columns[: plan.n])] > 0),
        row_order=on(np.argsort(numbers.rows[: plan.n])),
        col_order=on(np.argsort(numbers.columns[: plan.n])),
        row_place=on(numbers.rows[: plan.n]),
        col_place=on(numbers.columns[: plan.n]),
        real_fills=[
            (on(slots[mine]), on(source[mine]), on(plan.fill_coef[mine]))
            for mine in (is_real & (exponent == power) for power in (-1, 0, 1))
        ],
        complex_fills=(on(slots[~is_real]), on(source[~is_real] - plan.n_q), on(plan.fill_coef[~is_real])),
        const_slot=on(numbers.slots[plan.const_slot]),
        assembly_dst=on(numbers.slots[plan.assembly_dst]),
        assembly_src=on(numbers.slots[plan.assembly_src]),
        rhs_row=on(numbers.rows[plan.rhs_row]),
        rhs_const_row=on(numbers.rows[plan.rhs_const_row]),
        source_row=on(numbers.rows[plan.source_row]),
        term_row=on(numbers.rows[plan.term_row]),
        term_col=on(numbers.columns[plan.term_col]),
        out_col=on(numbers.columns[plan.out_col]),
        **kept,
        source=on(plan.entry_source),
        real=on(plan.entry_source < plan.n_q),
        exponent=on(plan.entry_exponent),
        scale=on(plan.entry_scale),
        rows=(on(numbers.rows[plan.entry_rp]), on(numbers.rows[plan.entry_rm])),
        columns=(on(numbers.columns[plan.entry_cp]), on(numbers.columns[plan.entry_cm])),
    )


_AS_THEY_ARE = (
    *("const_value", "assembly_sign", "rhs_entry", "rhs_coef", "rhs_const", "source_value", "rail_value"),
    *("term_value", "out_k", "out_coef"),
)


def _alike(plan: Plan, driven: np.ndarray, asked: np.ndarray) -> list[np.ndarray]:
    """Steps of one level and one shape, levels in order, star–mesh before LU."""
    sizes = [np.diff(ptr) for ptr in (plan.row_ptr, plan.col_ptr)]
    groups: dict[tuple, list[int]] = {}
    for step in range(plan.n):
        is_lu = step >= plan.assembly_at
        key = (is_lu, int(plan.step_level[step]), int(sizes[0][step]), int(sizes[1][step]))
        groups.setdefault(key, []).append(step)
    whole = (np.array(groups[key]) for key in sorted(groups))
    return [part for steps in whole for part in _set_apart(steps, driven | asked)]


def _set_apart(steps: np.ndarray, used: np.ndarray) -> list[np.ndarray]:
    """Two groups in place of a large one of which only a few steps take part in substitution."""
    few = used[steps]
    if len(steps) < LARGE or not 0 < few.sum() <= len(steps) // 4:
        return [steps]
    return [steps[few], steps[~few]]


def _numbered(plan: Plan, groups: list[np.ndarray]) -> _Numbering:
    """Number rows, unknowns and slots as the groups take them; what is left of the slots comes last."""
    order = np.concatenate([*groups, np.zeros(0, int)]).astype(int)
    rows, columns = np.arange(plan.ground + 1), np.arange(plan.ground + 1)
    rows[plan.step_row[order]] = columns[plan.step_col[order]] = np.arange(plan.n)
    taken: list[np.ndarray] = []
    for steps in groups:
        taken += [plan.col_slot[plan.col_ptr[t] : plan.col_ptr[t + 1]] for t in steps]
        if steps[0] >= plan.assembly_at:
            taken.append(plan.pivot_slot[plan.pivot_ptr[steps]])
            taken += [plan.row_slot[plan.row_ptr[t] : plan.row_ptr[t + 1]] for t in steps]
    used = np.concatenate([*taken, np.zeros(0, int)]).astype(int)
    slots = np.full(plan.slots, -1)
    slots[used] = np.arange(len(used))
    rest = np.flatnonzero(slots < 0)
    slots[rest] = np.arange(len(used), plan.slots)
    return _Numbering(rows, columns, slots)


def _groups(plan: Plan, groups, numbers: _Numbering, on: ToDevice, driven: np.ndarray, asked: np.ndarray):
    made: list[Group] = []
    start = slot = 0
    for steps in groups:
        group = _group(plan, steps, numbers, on, (start, slot), bool(driven[steps].any()), bool(asked[steps].any()))
        made.append(group)
        start += group.count
        slot = group.row_start + (0 if group.is_mesh else group.count * group.rows)
    return made


def _group(plan: Plan, steps: np.ndarray, numbers: _Numbering, on, begin: tuple[int, int], *reached: bool) -> Group:
    first, count, is_mesh = steps[0], len(steps), bool(steps[0] < plan.assembly_at)
    rows, columns = (int(ptr[first + 1] - ptr[first]) for ptr in (plan.row_ptr, plan.col_ptr))
    start, col_start = begin
    pivot_start = col_start + count * columns
    row_start = pivot_start + (0 if is_mesh else count)

    def table(ptr: np.ndarray, values: np.ndarray, width: int) -> np.ndarray:
        return np.stack([values[ptr[t] : ptr[t] + width] for t in steps]).reshape(count, width)

    col_index, row_index = (table(plan.col_ptr, plan.col_index, columns), table(plan.row_ptr, plan.row_index, rows))
    beside = int((col_index[0] >= 0).sum())
    col_index, row_index = numbers.columns[col_index[:, :beside]], numbers.rows[row_index]
    pairs, gathered = _products(table(plan.target_ptr, plan.target_slot, rows * columns), columns, numbers, on)
    return Group(
        is_mesh=is_mesh,
        assemble_first=bool((steps == plan.assembly_at).any()),
        is_driven=reached[0],
        is_asked=reached[1],
        sign=float(plan.step_sign[first]),
        start=start,
        count=count,
        col_start=col_start,
        columns=columns,
        beside=beside,
        pivot_start=pivot_start,
        row_start=row_start,
        rows=rows,
        pairs=pairs,
        gathered=gathered,
        col_index=on(col_index.reshape(-1)),
        row_index=on(row_index.reshape(-1)),
        to_columns=_scatter(col_index.reshape(-1), on),
        to_rows=_scatter(row_index.reshape(-1), on),
    )


def _products(targets: np.ndarray, columns: int, numbers: _Numbering, on: ToDevice):
    """The products of a group: pair by pair where they are few and the steps many, else all gathered."""
    used = np.flatnonzero(targets[0] >= 0) if targets.size else np.zeros(0, int)
    if not len(used):
        return [], None
    goal = numbers.slots[targets[:, used]]
    row, column = np.divmod(used, columns)
    count = len(targets)
    if count > 1 and len(used) <= FEW_PAIRS:
        whole = zip(row.tolist(), column.tolist(), goal.T, strict=True)
        return [(i, j, _scatter(one, on)) for i, j, one in whole], None
    step = np.arange(count)[:, None]
    rows_a_step = targets.shape[1] // columns
    left, right = step * rows_a_step + row, step * columns + column
    return [], (on(left.reshape(-1)), on(right.reshape(-1)), _scatter(goal.reshape(-1), on))


def _scatter(target: np.ndarray, on: ToDevice) -> Scatter:
    return Scatter(on(target), len(np.unique(target)) == len(target))


def _driven(plan: Plan) -> np.ndarray:
    """Which steps have anything on their right-hand side, `(n,)`."""
    rows = np.zeros(plan.n + 1, bool)
    rows[plan.rhs_row] = rows[plan.rhs_const_row] = True
    driven = np.zeros(plan.n, bool)
    for t in range(plan.n):
        driven[t] = rows[plan.step_row[t]]
        if driven[t]:
            rows[plan.row_index[plan.row_ptr[t] : plan.row_ptr[t + 1]]] = True
    return driven


def _asked(plan: Plan) -> np.ndarray:
    """Which steps' unknowns the outputs depend on, `(n,)`."""
    columns = np.zeros(plan.ground + 1, bool)
    columns[plan.out_col] = True
    asked = np.zeros(plan.n, bool)
    for t in range(plan.n):  # an unknown follows from those of later steps
        asked[t] = columns[plan.step_col[t]]
        if asked[t]:
            beside = plan.col_index[plan.col_ptr[t] : plan.col_ptr[t + 1]]
            columns[beside[beside >= 0]] = True
    return asked
