"""A `Plan` laid out as `kernel.c` reads it.

Unknown t is the one that step t eliminates, in rows and in columns, so that substitutions run in place; slots are
numbered in the order of the steps that own them; fills and entries are sorted by kind, so that no loop of the kernel
has to ask.
"""

from __future__ import annotations

import numpy as np

from circuits.netlist.solver.plan import CANCELS, MOVED, Plan

DRIVEN, ASKED, NEEDED = 1, 2, 4
REAL, CAPACITIVE, INDUCTIVE, COMPLEX, KINDS = range(5)

STEP = np.dtype([(name, "i4") for name in ("pivot", "pivots", "col", "cols", "row", "rows", "flags", "is_mesh")])
PAIR = np.dtype([("col", "i4"), ("target", "i4")])
FILL = np.dtype([("slot", "i4"), ("source", "i4"), ("coef", "f8")])
ENTRY = np.dtype([(name, "i4") for name in ("rp", "rm", "cp", "cm", "source", "kind")] + [("scale", "f8")])
DRIVE = np.dtype([("row", "i4"), ("source", "i4"), ("re", "f8"), ("im", "f8")])
TERM = np.dtype([("row", "i4"), ("col", "i4"), ("value", "f8")])

NUMBERS = "n rails slots n_q n_z n_out assembly_at checked consts assemblies drives sources terms"
LIMITS = "cancels moved"
ARRAYS = (
    "step row_index col_index row_pairs row_of col_of is_node noise pair fill constant entry entry_by_source "
    "drive drive_const source rail assembly term out ask fill_start entry_start drive_start source_start out_start "
    "ask_start"
)
"""The members of `Program` in kernel.c, in their order."""


class Program:
    """The arrays of one plan, kept alive for the kernel.

    `members` are those of the C struct, `address` is where it lies; `cost` is about how many nanoseconds one core takes
    to a lane.

    >>> from circuits.netlist.solver.planning import make_plan
    >>> from circuits.netlist.formulation import Formulation
    >>> Program(make_plan(Formulation((), ()))).arrays["step"]["rows"]
    array([0], dtype=int32)
    """

    def __init__(self, plan: Plan):
        self.arrays = {**_step_arrays(plan), **_entry_arrays(plan), **_drive_arrays(plan), **_output_arrays(plan)}
        _mark_steps(self.arrays, plan)
        numbers = (
            *(plan.n, plan.rails, plan.slots, plan.n_q, plan.n_z, plan.n_out, plan.assembly_at, int(plan.checked)),
            *(plan.const_slot.size, plan.assembly_dst.size, plan.rhs_const_row.size, plan.source_row.size),
            plan.term_row.size,
        )
        addresses = (self.arrays[name].ctypes.data for name in ARRAYS.split())
        limits = np.array([CANCELS, MOVED]).view(np.int64)
        self.members = np.array([*numbers, *limits, *addresses], np.int64)
        self.address = self.members.ctypes.data
        products = self.arrays["pair"].size + 2 * plan.col_slot.size + 2 * plan.row_slot.size + plan.entry_source.size
        self.cost = 2.0 + 0.3 * products


# places


def _places(step: np.ndarray, plan: Plan) -> np.ndarray:
    """The step that eliminates each extended unknown; rails and ground stay where they are."""
    places = np.arange(plan.ground + 1, dtype=np.int32)
    places[step] = np.arange(plan.n, dtype=np.int32)
    return places


def _slot_numbers(plan: Plan) -> np.ndarray:
    """The new number of every slot: step by step its pivot, columns and rows, then slots that no step owns.

    Raises:
        ValueError: a slot of two steps, or a star–mesh pivot that is not the sum of its columns.
    """
    step = np.arange(plan.n)
    lists = []
    for part, (pointers, slots) in enumerate(
        ((plan.pivot_ptr, plan.pivot_slot), (plan.col_ptr, plan.col_slot), (plan.row_ptr, plan.row_slot))
    ):
        own = np.repeat(step, np.diff(pointers))
        mine = np.ones(slots.size, bool) if part == 1 else plan.step_symmetric[own] == 0
        lists.append((3 * own[mine] + part, slots[mine]))
    keys, slots = (np.concatenate(columns) for columns in zip(*lists, strict=True))
    slots = slots[np.argsort(keys, kind="stable")]
    mesh = [np.repeat(plan.step_symmetric != 0, np.diff(ptr)) for ptr in (plan.pivot_ptr, plan.col_ptr)]
    if np.unique(slots).size < slots.size or not np.array_equal(plan.pivot_slot[mesh[0]], plan.col_slot[mesh[1]]):
        raise ValueError("every slot must belong to one step, and a star–mesh pivot must be the sum of its columns")
    numbers = np.empty(plan.slots, np.int32)
    numbers[np.concatenate([slots, np.setdiff1d(np.arange(plan.slots), slots)])] = np.arange(plan.slots)
    return numbers


# steps


def _step_arrays(plan: Plan) -> dict[str, np.ndarray]:
    row, col, slot = _places(plan.step_row, plan), _places(plan.step_col, plan), _slot_numbers(plan)
    pair, row_pairs = _pairs(plan, slot)
    return {
        "step": _steps(plan),
        "row_index": row[plan.row_index],
        "col_index": col[plan.col_index[plan.col_index >= 0]],
        "row_of": plan.step_row,
        "col_of": plan.step_col,
        # of the unknowns and of the rows that residuals go to; the other way round for the transposed equations
        "is_node": plan.is_node[np.concatenate([plan.step_col, plan.step_row])].astype(np.int32),
        "noise": plan.noise[np.concatenate([plan.step_row, plan.step_col])].astype(float),
        "pair": pair,
        "row_pairs": row_pairs,
        "assembly": _records(TERM, slot[plan.assembly_dst], slot[plan.assembly_src], plan.assembly_sign),
        "constant": _records(FILL, slot[plan.const_slot], 0, plan.const_value),
    }


def _steps(plan: Plan) -> np.ndarray:
    """The steps, and a last one that counts what all have."""
    pivots, cols, rows = np.diff(plan.pivot_ptr), np.diff(plan.col_ptr), np.diff(plan.row_ptr)
    symmetric = plan.step_symmetric != 0
    sizes = np.where(symmetric, cols, pivots + cols + rows)
    first = np.cumsum(sizes) - sizes
    total = np.concatenate([[0], np.cumsum(plan.col_index >= 0)])
    steps = np.zeros(plan.n + 1, STEP)
    body = steps[:-1]
    body["pivot"], body["pivots"] = first, pivots
    body["col"] = np.where(symmetric, first, first + pivots)
    body["cols"] = total[plan.col_ptr[1:]] - total[plan.col_ptr[:-1]]
    body["row"] = np.where(symmetric, first, first + pivots + cols)
    body["rows"], body["is_mesh"] = rows, plan.step_sign > 0
    steps["rows"][-1], steps["cols"][-1] = rows.sum(), total[-1]
    return steps


def _pairs(plan: Plan, slot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Column and target of every update, row by row, and how many each row has."""
    width = np.maximum(np.diff(plan.col_ptr), 1)
    step = np.repeat(np.arange(plan.n), np.diff(plan.target_ptr))
    within = np.arange(plan.target_slot.size) - plan.target_ptr[step]
    real = plan.target_slot >= 0
    step, within, target = step[real], within[real], plan.target_slot[real]
    column = plan.col_slot[plan.col_ptr[step] + within % width[step]]
    row = plan.row_ptr[step] + within // width[step]
    return _records(PAIR, slot[column], slot[target]), np.bincount(row, minlength=plan.row_slot.size).astype(np.int32)


def _mark_steps(arrays: dict[str, np.ndarray], plan: Plan) -> None:
    """Set the flags of the steps: where b and c can be other than zero, and which unknowns the outputs need."""
    steps = arrays["step"]
    rows, cols = arrays["row_index"].tolist(), arrays["col_index"].tolist()
    row_at, col_at = (np.concatenate([[0], np.cumsum(steps[name][:-1])]).tolist() for name in ("rows", "cols"))
    driven = {*arrays["drive"]["row"].tolist(), *arrays["drive_const"]["row"].tolist()}
    asked = {*arrays["ask"]["col"].tolist()}
    needed = {*range(plan.n)} if plan.checked else {*asked}
    for t in range(plan.n):
        if t in driven:
            driven.update(rows[row_at[t] : row_at[t + 1]])
        if t in asked:
            asked.update(cols[col_at[t] : col_at[t + 1]])
        if t in needed:  # an unknown follows from those of later steps
            needed.update(cols[col_at[t] : col_at[t + 1]])
    for flag, members in ((DRIVEN, driven), (ASKED, asked), (NEEDED, needed)):
        steps["flags"][[*members]] |= flag


# entries, right-hand sides, outputs


def _kinds(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Kind and source of every entry."""
    exponent = plan.entry_exponent
    kind = np.where(exponent == 0, REAL, np.where(exponent > 0, CAPACITIVE, INDUCTIVE))
    is_complex = plan.entry_source >= plan.n_q
    return np.where(is_complex, COMPLEX, kind), plan.entry_source - plan.n_q * is_complex


def _entry_arrays(plan: Plan) -> dict[str, np.ndarray]:
    row, col, slot = _places(plan.step_row, plan), _places(plan.step_col, plan), _slot_numbers(plan)
    kind, source = _kinds(plan)
    ends = row[plan.entry_rp], row[plan.entry_rm], col[plan.entry_cp], col[plan.entry_cm]
    entry = _records(ENTRY, *ends, source, kind, plan.entry_scale)
    fill = _records(FILL, slot[plan.fill_slot], source[plan.fill_entry], plan.fill_coef)
    fill_kind = kind[plan.fill_entry]
    return {
        "entry": entry[np.lexsort((source, kind))],
        "entry_start": _starts(kind, KINDS),
        "entry_by_source": entry[np.argsort(plan.entry_source, kind="stable")],
        "source_start": _starts(plan.entry_source, plan.n_q + plan.n_z),
        "fill": fill[np.lexsort((fill["slot"], fill_kind))],
        "fill_start": _starts(fill_kind, KINDS),
        "term": _records(TERM, row[plan.term_row], col[plan.term_col], plan.term_value),
    }


def _drive_arrays(plan: Plan) -> dict[str, np.ndarray]:
    row = _places(plan.step_row, plan)
    kind, source = (values[plan.rhs_entry] for values in _kinds(plan))
    drive = _records(DRIVE, row[plan.rhs_row], source, np.real(plan.rhs_coef), np.imag(plan.rhs_coef))
    constants = (
        ("drive_const", row[plan.rhs_const_row], plan.rhs_const),
        ("source", row[plan.source_row], plan.source_value),
        ("rail", np.arange(plan.rails), plan.rail_value),
    )
    return {
        "drive": drive[np.argsort(kind, kind="stable")],
        "drive_start": _starts(kind, KINDS),
        **{name: _records(DRIVE, where, 0, np.real(value), np.imag(value)) for name, where, value in constants},
    }


def _output_arrays(plan: Plan) -> dict[str, np.ndarray]:
    col = _places(plan.step_col, plan)
    order = np.argsort(plan.out_k, kind="stable")
    out = _records(TERM, plan.out_k, col[plan.out_col], plan.out_coef)[order]
    ask = out[out["col"] < plan.n]
    return {
        "out": out,
        "ask": ask,
        "out_start": _starts(out["row"], plan.n_out),
        "ask_start": _starts(ask["row"], plan.n_out),
    }


def _records(dtype: np.dtype, *columns: np.ndarray | int) -> np.ndarray:
    """Columns side by side, as an array of C structs."""
    made = np.zeros(np.size(columns[0]), dtype)
    for name, column in zip(dtype.names or (), columns, strict=True):
        made[name] = column
    return made


def _starts(keys: np.ndarray, count: int) -> np.ndarray:
    """Where each key of 0 … count − 1 begins among the sorted keys, and where the last ends."""
    return np.searchsorted(np.sort(keys), np.arange(count + 1)).astype(np.int64)
