"""A `Plan` carried out in torch: wherever there is no compiler, on other devices, and as the measure of the kernel.

Nothing here keeps a graph: derivatives come from the adjoint, not from these operations.
"""

from __future__ import annotations

import torch
from torch import Tensor

from circuits.netlist.solver.lanes import Lanes, boards_first, lanes_of, pieces, powers, values
from circuits.netlist.solver.plan import Plan
from circuits.netlist.solver.substitution import excited, outputs, solved


def forward(plan: Plan, q: Tensor, f: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs `(B, K, n)` and which lanes need pivoting, `(B, n)`; see `kernel.c` for the same."""
    boards, points = lanes_of(q, f, z)
    H = torch.zeros(boards, plan.n_out, points, dtype=torch.complex128, device=q.device)
    flagged = torch.zeros(boards, points, dtype=torch.bool, device=q.device)
    for lanes in pieces(plan, q, f, z):
        X = excited(lanes, asked_only=not plan.checked)
        H[lanes.rows, :, lanes.columns] = boards_first(outputs(lanes, X), lanes)
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
        pull = _entry_pulls(lanes, X, solved(lanes, aim[: plan.n], transposed=True))
        pull = pull.masked_fill(lanes.flagged, 0)
        slopes, own = _slopes(lanes, pull).real, schedule.real
        grad_q[:, lanes.rows].index_add_(0, schedule.source[own], slopes[own].sum(-1))
        pulled = pull.conj().reshape(len(pull), *lanes.shape)[~own]
        grad_z[:, lanes.rows, lanes.columns].index_add_(0, schedule.source[~own] - plan.n_q, pulled)
        if grad_f is not None:
            slope = slopes * schedule.exponent[:, None, None] * values(lanes)
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
        H[lanes.rows, :, lanes.columns] = boards_first(outputs(lanes, X), lanes)
        for k in range(plan.n_out):
            aim = torch.zeros_like(X)
            mine = schedule.out_k == k
            aim.index_add_(0, schedule.out_col[mine], schedule.out_coef[mine].unsqueeze(-1) + 0 * X[: int(mine.sum())])
            pull = _entry_pulls(lanes, X, solved(lanes, aim[: plan.n], transposed=True))
            pull = torch.where(lanes.flagged, 0, pull)
            slope = _slopes(lanes, pull).movedim(1, 0)
            by_q[lanes.rows, :, k, lanes.columns].index_add_(1, schedule.source[own], slope[:, own])
            slope = boards_first(pull, lanes)[:, ~own]
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
            found = solved(lanes, given.index_select(0, orders[transposed]), transposed)
            found = found.index_select(0, places[not transposed])
            x[lanes.rows, k, :, lanes.columns] = boards_first(found, lanes)
        flagged[lanes.rows, lanes.columns] = lanes.flagged.reshape(lanes.shape)
    return x.masked_fill_(flagged[:, None, None], 0), flagged


def _entry_pulls(lanes: Lanes, X: Tensor, adjoint: Tensor) -> Tensor:
    """d(output)/dy of every entry, `(entries, lanes)`."""
    schedule = lanes.schedule
    L = torch.cat([adjoint, torch.zeros_like(X[lanes.plan.n :])])
    across = (L[schedule.rows[0]] - L[schedule.rows[1]]) * (X[schedule.columns[0]] - X[schedule.columns[1]])
    return across * -schedule.scale.unsqueeze(-1)


def _slopes(lanes: Lanes, pull: Tensor) -> Tensor:
    """d(output)/dq of every entry, `(entries, boards, points)`."""
    return pull.reshape(len(pull), *lanes.shape) * powers(lanes, lanes.schedule.exponent)


def _over_f(slope: Tensor, lanes: Lanes) -> Tensor:
    return slope / lanes.f
