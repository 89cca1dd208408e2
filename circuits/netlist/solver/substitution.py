"""Solutions of factored lanes: substitution, and what can be trusted."""

from __future__ import annotations

import torch
from torch import Tensor

from circuits.netlist.solver.lanes import Lanes, admittances, kept, magnitude
from circuits.netlist.solver.plan import MOVED


def substituted(
    lanes: Lanes,
    b: Tensor,
    transposed: bool,
    driven_only: bool = False,
    asked_only: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """A⁻¹b or A⁻ᵀb in the new numbering, `(n, lanes)`; b is used up. Steps that the sources do not reach, or that no
    output depends on, may be left out: what would belong there is anything.
    """
    pairs = list(zip(lanes.schedule.groups, lanes.factors, strict=True))
    for group, factor in pairs:
        beside, scatter = (factor.U, group.to_columns) if transposed else (factor.L, group.to_rows)
        if beside.shape[1] and not (driven_only and not group.is_driven):
            update = beside * b[group.start : group.start + group.count].unsqueeze(1)
            scatter.add(b, update.reshape(-1, b.shape[1]), group.sign)
    x = torch.empty_like(b) if out is None else out
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
    b = kept("b", plan.n, lanes.slots.shape[1], lanes.slots.device).zero_()
    b.index_add_(0, schedule.rhs_const_row, schedule.rhs_const.unsqueeze(-1).expand(-1, b.shape[1]))
    if len(schedule.rhs_row):
        y = admittances(lanes, schedule.rhs_entry)
        b.index_add_(0, schedule.rhs_row, schedule.rhs_coef.unsqueeze(-1) * y)
    X = kept("X", plan.ground + 1, b.shape[1], b.device)
    X[plan.n :] = 0
    X[plan.n : plan.ground] = schedule.rail_value.unsqueeze(-1)
    substituted(lanes, b, transposed=False, driven_only=True, asked_only=asked_only, out=X[: plan.n])
    if plan.checked:
        _check(lanes, X, *_residual(lanes, X, schedule.source_row, schedule.source_value), transposed=False)
    _flag_infinite(lanes, outputs(lanes, X) if asked_only else X)
    return X


def solved(lanes: Lanes, rhs: Tensor, transposed: bool) -> Tensor:
    """A⁻¹ rhs or A⁻ᵀ rhs, checked where the plan asks for it; rails at zero."""
    x = substituted(lanes, rhs.clone(), transposed)
    if lanes.plan.checked:
        X = torch.cat([x, torch.zeros(lanes.plan.rails + 1, x.shape[1], dtype=x.dtype, device=x.device)])
        empty = lanes.schedule.source_row[:0], lanes.schedule.source_value[:0]
        residual, whole = _residual(lanes, X, *empty, transposed=transposed)
        _check(lanes, X, residual + rhs, whole, transposed)
    _flag_infinite(lanes, x)
    return x


def _residual(lanes: Lanes, X: Tensor, row: Tensor, value: Tensor, transposed: bool = False) -> tuple[Tensor, Tensor]:
    """Sources minus A·X (or Aᵀ·X), each entry by the difference that it sees, and on top of it what rounding may have
    added: a residual can be next to nothing by chance, and still lie in the direction that the circuit magnifies.
    Beside it what each of these sums adds up, without signs.
    """
    schedule, residual = lanes.schedule, torch.zeros_like(X)
    residual.index_add_(0, row, value.unsqueeze(-1).expand(-1, X.shape[1]))
    here, there = (schedule.rows, schedule.columns) if not transposed else (schedule.columns, schedule.rows)
    y = schedule.scale.unsqueeze(-1) * admittances(lanes)
    flow = y * (X[there[0]] - X[there[1]])
    residual.index_add_(0, here[0], flow, alpha=-1)
    residual.index_add_(0, here[1], flow)
    place = (schedule.term_row, schedule.term_col) if not transposed else (schedule.term_col, schedule.term_row)
    term = schedule.term_value.unsqueeze(-1) * X[place[1]]
    residual.index_add_(0, place[0], term, alpha=-1)
    sizes, whole, size = magnitude(X), torch.zeros_like(X.real), magnitude(y)
    size = size * (sizes[there[0]] + sizes[there[1]])
    for target, part in ((here[0], size), (here[1], size), (place[0], magnitude(term))):
        whole.index_add_(0, target, part)
    noise = schedule.col_noise if transposed else schedule.row_noise
    residual, whole = residual[: lanes.plan.n], whole[: lanes.plan.n]
    return residual + noise.unsqueeze(-1) * whole, whole


def _check(lanes: Lanes, X: Tensor, residual: Tensor, whole: Tensor, transposed: bool) -> None:
    """Flag what a step of iterative refinement would move far. The step is not taken: it would bring in the rounding
    assumed. Voltages and currents are judged apart, since a large current that goes in a circle would excuse any
    voltage; currents by what flows at all, `whole` of the equations that add up currents.
    """
    move = magnitude(substituted(lanes, residual, transposed))
    n, size, nodes = lanes.plan.n, magnitude(X), (lanes.schedule.col_is_node, lanes.schedule.row_is_node)
    voltages, sums = reversed(nodes) if transposed else nodes
    known = (voltages, size[n:]), (~voltages, whole[sums])
    for kind, beside in known:
        if bool(kind.any()):
            largest = torch.cat([size[:n][kind], beside]).amax(0)
            lanes.flagged |= ~(move[kind].amax(0) <= MOVED * largest)


def _flag_infinite(lanes: Lanes, x: Tensor) -> None:
    total = x.sum(0)  # which is not finite if any of it is not
    lanes.flagged |= ~torch.isfinite(total.real + total.imag)


def outputs(lanes: Lanes, X: Tensor) -> Tensor:
    """The sums of the extended unknowns that are asked for, `(outputs, lanes)`."""
    schedule = lanes.schedule
    H = torch.zeros(lanes.plan.n_out, X.shape[1], dtype=X.dtype, device=X.device)
    return H.index_add_(0, schedule.out_k, schedule.out_coef.unsqueeze(-1) * X[schedule.out_col])
