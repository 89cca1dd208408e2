"""What a `Plan` says, carried out lane by lane in the plainest Python: the measure of the native kernel.

`dense_matrix` is the measure of this file: the matrix and right-hand side straight from the entries, without a plan.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from circuits.netlist.solver.plan import Plan

CANCELS, MOVED = 1e-5, 1e-10


def size(x):
    return abs(np.real(x)) + abs(np.imag(x))


class Lane:
    """One board at one frequency, eliminated."""

    def __init__(self, plan: Plan, q: np.ndarray, f: float, z: np.ndarray):
        self.plan, self.f = plan, f
        self.flagged = not np.isfinite(f)
        with np.errstate(all="ignore"):
            self.power = {0: 1.0 + 0j, 1: 2j * np.pi * f, -1: 1 / (2j * np.pi * f) if f else complex("nan")}
            source, own = plan.entry_source, plan.entry_source < plan.n_q
            self.y = np.array(
                [q[i] * self.power[int(e)] if mine else z[i - plan.n_q]
                 for i, e, mine in zip(source, plan.entry_exponent, own, strict=True)],
                dtype=complex,
            )  # fmt: skip
            inductive = (plan.entry_exponent < 0) & own
            may_cancel = bool(np.isin(plan.fill_entry, np.flatnonzero(inductive | ~own)).any()) or not (q >= 0).all()
            self.flagged |= not f > 0 and bool(np.isin(plan.fill_entry, np.flatnonzero(inductive)).any())
            self.eliminate(may_cancel)

    def eliminate(self, may_cancel: bool) -> None:
        p = self.plan
        slots = np.zeros(p.slots, complex)
        for slot, entry, coefficient in zip(p.fill_slot, p.fill_entry, p.fill_coef, strict=True):
            slots[slot] += coefficient * self.y[entry]
        np.add.at(slots, p.const_slot, p.const_value)
        self.steps = []
        for t in range(p.n):
            if t == p.assembly_at:
                for target, source, sign in zip(p.assembly_dst, p.assembly_src, p.assembly_sign, strict=True):
                    slots[target] += sign * slots[source]
            pivots = slots[p.pivot_slot[p.pivot_ptr[t] : p.pivot_ptr[t + 1]]]
            Y = pivots.sum()
            if not 1e-150 < abs(Y) < 1e150:
                self.flagged = True
            if p.step_symmetric[t] and may_cancel and not size(Y) >= CANCELS * size(pivots).sum():
                self.flagged = True
            cols, rows = slice(*p.col_ptr[t : t + 2]), slice(*p.row_ptr[t : t + 2])
            whole = slots[p.col_slot[cols]]
            u, lower = whole / Y, slots[p.row_slot[rows]] / Y
            targets = p.target_slot[p.target_ptr[t] : p.target_ptr[t + 1]].reshape(len(lower), len(whole))
            for i, j in np.ndindex(targets.shape):
                if targets[i, j] >= 0:
                    slots[targets[i, j]] += p.step_sign[t] * lower[i] * whole[j]
            beside = p.col_index[cols] >= 0
            self.steps.append((1 / Y, u[beside], p.col_index[cols][beside], lower, p.row_index[rows]))

    def substituted(self, b: np.ndarray, transposed: bool) -> np.ndarray:
        """A⁻¹b, or A⁻ᵀb."""
        p, b, x = self.plan, b.astype(complex), np.zeros(self.plan.n, complex)
        for t, (_, u, columns, lower, rows) in enumerate(self.steps):
            here, values, index = (p.step_col[t], u, columns) if transposed else (p.step_row[t], lower, rows)
            b[index] += p.step_sign[t] * values * b[here]
        for t, (R, u, columns, lower, rows) in reversed(list(enumerate(self.steps))):
            row, column = p.step_row[t], p.step_col[t]
            here, there, values, index = (column, row, lower, rows) if transposed else (row, column, u, columns)
            x[there] = R * b[here] + p.step_sign[t] * (values * x[index]).sum()
        return x

    def checked(self, x: np.ndarray, b: np.ndarray, rails: np.ndarray, transposed: bool) -> np.ndarray:
        """x with rails and ground behind it; where the plan has LU steps, flagged by what refinement would move."""
        p = self.plan
        X = np.concatenate([x, rails, [0.0]])
        if p.checked:
            whole = self.sizes(X, transposed)
            rounding = p.noise * whole
            move = self.substituted(b - self.product(X, transposed) + rounding, transposed)
            X[: p.n] += move
            nodes = np.asarray(p.is_node, bool)
            for kind, beside in ((nodes, size(rails)), (~nodes, whole[nodes])):
                largest = max([*size(X[: p.n][kind]), *beside], default=0.0)
                if kind.any() and not size(move[kind]).max() <= MOVED * largest:
                    self.flagged = True
        if not np.isfinite(X).all():
            self.flagged = True
        return X

    def product(self, X: np.ndarray, transposed: bool) -> np.ndarray:
        """A X, or Aᵀ X, from the entries."""
        p, result = self.plan, np.zeros(self.plan.ground + 1, complex)
        rows, columns = (p.entry_rp, p.entry_rm), (p.entry_cp, p.entry_cm)
        rows, columns = (columns, rows) if transposed else (rows, columns)
        flow = p.entry_scale * self.y * (X[columns[0]] - X[columns[1]])
        np.add.at(result, rows[0], flow)
        np.subtract.at(result, rows[1], flow)
        to, of = (p.term_col, p.term_row) if transposed else (p.term_row, p.term_col)
        np.add.at(result, to, p.term_value * X[of])
        return result[: p.n]

    def sizes(self, X: np.ndarray, transposed: bool) -> np.ndarray:
        """What is added up in every row of A X, or Aᵀ X, without signs."""
        p, result = self.plan, np.zeros(self.plan.ground + 1)
        rows, columns = (p.entry_rp, p.entry_rm), (p.entry_cp, p.entry_cm)
        rows, columns = (columns, rows) if transposed else (rows, columns)
        parts = abs(p.entry_scale) * size(self.y) * (size(X[columns[0]]) + size(X[columns[1]]))
        for row in rows:
            np.add.at(result, row, parts)
        to, of = (p.term_col, p.term_row) if transposed else (p.term_row, p.term_col)
        np.add.at(result, to, size(p.term_value * X[of]))
        return result[: p.n]

    def excited(self) -> np.ndarray:
        p, b, own = self.plan, np.zeros(self.plan.n, complex), np.zeros(self.plan.n, complex)
        np.add.at(b, p.rhs_row, p.rhs_coef * self.y[p.rhs_entry])
        np.add.at(b, p.rhs_const_row, p.rhs_const)
        np.add.at(own, p.source_row, p.source_value)
        return self.checked(self.substituted(b, False), own, p.rail_value, False)

    def solved(self, b: np.ndarray, transposed: bool) -> np.ndarray:
        return self.checked(self.substituted(b, transposed), b, np.zeros(self.plan.rails), transposed)

    def outputs(self, X: np.ndarray) -> np.ndarray:
        H = np.zeros(self.plan.n_out, complex)
        np.add.at(H, self.plan.out_k, self.plan.out_coef * X[self.plan.out_col])
        return H

    def slopes(self, X: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """d(Σ weight_k·H_k)/dy of every entry."""
        p, c = self.plan, np.zeros(self.plan.ground + 1, complex)
        np.add.at(c, p.out_col, p.out_coef * weight[p.out_k])
        L = self.solved(c[: p.n], True)
        return -p.entry_scale * (L[p.entry_rp] - L[p.entry_rm]) * (X[p.entry_cp] - X[p.entry_cm])

    def by_source(self, by_y: np.ndarray) -> np.ndarray:
        """d/dq and d/dz from d/dy."""
        p, total = self.plan, np.zeros(self.plan.n_q + self.plan.n_z, complex)
        own = p.entry_source < p.n_q
        power = np.array([self.power[int(e)] for e in p.entry_exponent])
        np.add.at(total, p.entry_source, by_y * np.where(own, power, 1))
        return total


def lanes(plan: Plan, q: np.ndarray, f: np.ndarray, z: np.ndarray) -> Iterator[tuple[int, int, Lane]]:
    for board in range(q.shape[1]):
        for point in range(f.shape[-1]):
            at = f[point] if f.ndim == 1 else f[board, point]
            yield board, point, Lane(plan, q[:, board], float(at), z[:, board, point])


def forward(plan: Plan, q: np.ndarray, f: np.ndarray, z: np.ndarray):
    H = np.zeros((q.shape[1], plan.n_out, f.shape[-1]), complex)
    flagged = np.zeros((q.shape[1], f.shape[-1]), bool)
    with np.errstate(all="ignore"):
        for board, point, lane in lanes(plan, q, f, z):
            values = lane.outputs(lane.excited())
            flagged[board, point] = lane.flagged
            H[board, :, point] = 0 if lane.flagged else values
    return H, flagged


def gradient(plan: Plan, q: np.ndarray, f: np.ndarray, z: np.ndarray, G: np.ndarray, want_f: bool = False):
    flagged = np.zeros((q.shape[1], f.shape[-1]), bool)
    by_q, by_z, by_f = np.zeros_like(q), np.zeros_like(z), np.zeros(flagged.shape)
    with np.errstate(all="ignore"):
        for board, point, lane in lanes(plan, q, f, z):
            by_y = lane.slopes(lane.excited(), G[board, :, point].conj())
            flagged[board, point] = lane.flagged
            if lane.flagged:
                continue
            total = lane.by_source(by_y)
            by_q[:, board] += np.real(total[: plan.n_q])
            by_z[:, board, point] = total[plan.n_q :].conj()
            rate = {0: 0.0, 1: 2j * np.pi, -1: -lane.power[-1] / lane.f if lane.f else 0.0}
            values = [q[i, board] if i < plan.n_q else 0.0 for i in plan.entry_source]
            by_f[board, point] = (by_y * values * [rate[int(e)] for e in plan.entry_exponent]).sum().real
    return by_q, by_z, by_f if want_f else None, flagged


def jacobian(plan: Plan, q: np.ndarray, f: np.ndarray, z: np.ndarray):
    boards, points = q.shape[1], f.shape[-1]
    H, flagged = np.zeros((boards, plan.n_out, points), complex), np.zeros((boards, points), bool)
    total = np.zeros((boards, plan.n_q + plan.n_z, plan.n_out, points), complex)
    with np.errstate(all="ignore"):
        for board, point, lane in lanes(plan, q, f, z):
            X = lane.excited()
            rows = [lane.by_source(lane.slopes(X, weight)) for weight in np.eye(plan.n_out)]
            flagged[board, point] = lane.flagged
            if not lane.flagged:
                H[board, :, point] = lane.outputs(X)
                total[board, :, :, point] = np.array(rows).reshape(plan.n_out, -1).T
    return H, total[:, : plan.n_q], total[:, plan.n_q :], flagged


def solve(plan: Plan, q: np.ndarray, f: np.ndarray, z: np.ndarray, rhs: np.ndarray, transposed: bool = False):
    boards, points = q.shape[1], f.shape[-1]
    rhs = np.broadcast_to(rhs, (boards, rhs.shape[1], plan.n, points))
    x, flagged = np.zeros(rhs.shape, complex), np.zeros((boards, points), bool)
    with np.errstate(all="ignore"):
        for board, point, lane in lanes(plan, q, f, z):
            found = [lane.solved(b, transposed)[: plan.n] for b in rhs[board, :, :, point]]
            flagged[board, point] = lane.flagged
            x[board, :, :, point] = 0 if lane.flagged else np.array(found).reshape(len(found), plan.n)
    return x, flagged


def dense_matrix(plan: Plan, lane: Lane) -> tuple[np.ndarray, np.ndarray]:
    """A `(n, n)` and b of A x = b, from entries, terms, sources and rails alone."""
    whole = np.array([lane.product(column, False) for column in np.eye(plan.ground + 1)]).T
    b = np.zeros(plan.n, complex)
    np.add.at(b, plan.source_row, plan.source_value)
    return whole[:, : plan.n], b - whole[:, plan.n : -1] @ plan.rail_value
