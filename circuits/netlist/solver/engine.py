"""`Engine`: a plan with the executor that suits the tensors at hand, and with care for the lanes that need it."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from circuits.netlist.solver import native, torch_executor
from circuits.netlist.solver.careful import CarefulLanes
from circuits.netlist.solver.plan import Plan

MANY = 0.05
"""Part of the lanes above which flagged ones call for other pivots, chosen at those lanes."""

_COUNT = itertools.count()
ENGINES: weakref.WeakValueDictionary[int, Engine] = weakref.WeakValueDictionary()
"""Engines by their numbers: a compiled graph holds no other objects than tensors and numbers."""


class Engine:
    """Solves lanes by its plan; `replan(lanes)` may give one with pivots for lanes that the present one cannot serve.

    q is `(Q, B)` and real, f `(n,)` or `(B, n)`, z `(Z, B, n)`; see `torch_executor` for what comes back. Everything
    is without a graph.
    """

    def __init__(self, plan: Plan, replan: Callable[[Tensor, Tensor, Tensor], Plan] | None = None):
        self.plan = plan
        self._replan = replan
        self.number = next(_COUNT)
        ENGINES[self.number] = self

    def forward(self, q: Tensor, f: Tensor, z: Tensor) -> Tensor:
        """Outputs `(B, K, n)`."""
        H, flagged = self._run(q, f, z, lambda executor: executor.forward(self.plan, q, f, z))
        for rows, columns, lanes in self._flagged(flagged, q, f, z):
            H[rows, :, columns] = _tensor(_outputs(self.plan, lanes.excited()).T, H)
        return H

    def gradient(self, q: Tensor, f: Tensor, z: Tensor, G: Tensor, want_f: bool):
        """Gradients by q `(Q, B)`, z `(Z, B, n)` and f `(B, n)` of a real loss with dL = Re Σ conj(G)·dH."""
        grad_q, grad_z, grad_f, flagged = self._run(
            q, f, z, lambda executor: executor.gradient(self.plan, q, f, z, G, want_f)
        )
        for rows, columns, lanes in self._flagged(flagged, q, f, z):
            upstream = G[rows, :, columns].resolve_conj().numpy(force=True).conj().T
            aim = np.zeros((self.plan.ground + 1, len(rows)), complex)
            np.add.at(aim, self.plan.out_col, self.plan.out_coef[:, None] * upstream[self.plan.out_k])
            slopes, by_f = lanes.slopes(lanes.excited(), lanes.solve(aim[: self.plan.n], True))
            by_q, by_z = self._by_source(slopes)
            grad_q.index_add_(1, rows, _tensor(np.real(by_q), grad_q))
            grad_z[:, rows, columns] = _tensor(np.conj(by_z), grad_z)
            if grad_f is not None:
                grad_f[rows, columns] = _tensor(by_f.sum(0).real, grad_f)
        return grad_q, grad_z, grad_f

    def jacobian(self, q: Tensor, f: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs `(B, K, n)` and their derivatives by q `(B, Q, K, n)` and z `(B, Z, K, n)`."""
        H, by_q, by_z, flagged = self._run(q, f, z, lambda executor: executor.jacobian(self.plan, q, f, z))
        for rows, columns, lanes in self._flagged(flagged, q, f, z):
            X = lanes.excited()
            H[rows, :, columns] = _tensor(_outputs(self.plan, X).T, H)
            for k in range(self.plan.n_out):
                aim, mine = np.zeros((self.plan.ground + 1, len(rows)), complex), self.plan.out_k == k
                np.add.at(aim, self.plan.out_col[mine], self.plan.out_coef[mine][:, None])
                found = self._by_source(lanes.slopes(X, lanes.solve(aim[: self.plan.n], True))[0])
                by_q[rows, :, k, columns], by_z[rows, :, k, columns] = (_tensor(part.T, H) for part in found)
        return H, by_q, by_z

    def solve(self, q: Tensor, f: Tensor, z: Tensor, rhs: Tensor, transposed: bool) -> Tensor:
        """x `(B, R, n_unknowns, n)` with A x = rhs, or Aᵀ x = rhs, the sources off; rhs broadcasts to that shape."""
        x, flagged = self._run(q, f, z, lambda executor: executor.solve(self.plan, q, f, z, rhs, transposed))
        for rows, columns, lanes in self._flagged(flagged, q, f, z):
            for k in range(x.shape[1]):
                b = rhs.expand(x.shape)[rows, k, :, columns].resolve_conj().numpy(force=True).T
                x[rows, k, :, columns] = _tensor(lanes.solve(b, transposed)[: self.plan.n].T, x)
        return x

    # which executor, which plan

    def _run(self, q: Tensor, f: Tensor, z: Tensor, call: Callable):
        """Call the executor, and once more with other pivots where many lanes are flagged."""
        executor = executor_for(q)
        *found, flagged = call(executor)
        if flagged is None or torch.compiler.is_compiling() or not bool(flagged.any()):
            return *found, None
        numbers = _is_finite(q, f, z)  # of what is not a number nothing comes but NaN
        flagged = flagged & numbers
        if self.plan.checked and self._replan and float(flagged.sum()) > max(MANY * flagged.numel(), 8):
            before, self.plan = self.plan, self._replan(*_some(flagged, q, f, z))
            *again, still = call(executor)
            still = numbers & (False if still is None else still)
            if int(still.sum()) < int(flagged.sum()):
                return *again, still
            self.plan = before
        return *found, flagged

    def _flagged(
        self, flagged: Tensor | None, q: Tensor, f: Tensor, z: Tensor
    ) -> Iterator[tuple[Tensor, Tensor, CarefulLanes]]:
        """The flagged lanes, by board and point, with their equations; nothing where there are none."""
        if flagged is None:
            return
        rows, columns = flagged.nonzero().unbind(-1)
        at = f[columns] if f.ndim == 1 else f[rows, columns]
        tables = q[:, rows], at, z[:, rows, columns].resolve_conj()
        yield rows, columns, CarefulLanes(self.plan, *(table.numpy(force=True) for table in tables))

    def _by_source(self, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total = np.zeros((self.plan.n_q + self.plan.n_z, slopes.shape[1]), complex)
        np.add.at(total, self.plan.entry_source, slopes)
        return total[: self.plan.n_q], total[self.plan.n_q :]


def _is_finite(q: Tensor, f: Tensor, z: Tensor) -> Tensor:
    """Which lanes have numbers to compute with, `(B, n)`."""
    return q.isfinite().all(0).unsqueeze(-1) & f.isfinite() & z.isfinite().all(0)


def executor_for(q: Tensor):
    """The kernel on a CPU that has a compiler, torch anywhere else and while a graph is traced."""
    if q.device.type == "cpu" and not torch.compiler.is_compiling() and native.available():
        return _Native
    return torch_executor


class _Native:
    """The kernel's four functions on tensors; None for the flagged lanes where there are none."""

    @staticmethod
    def forward(plan: Plan, q: Tensor, f: Tensor, z: Tensor):
        return _tensors(native.forward(plan, *_arrays(q, f, z), threads=torch.get_num_threads()))

    @staticmethod
    def gradient(plan: Plan, q: Tensor, f: Tensor, z: Tensor, G: Tensor, want_f: bool):
        q_, f_, z_, G_ = _arrays(q, f, z, G)
        return _tensors(native.gradient(plan, q_, f_, z_, G_, want_f, threads=torch.get_num_threads()))

    @staticmethod
    def jacobian(plan: Plan, q: Tensor, f: Tensor, z: Tensor):
        return _tensors(native.jacobian(plan, *_arrays(q, f, z), threads=torch.get_num_threads()))

    @staticmethod
    def solve(plan: Plan, q: Tensor, f: Tensor, z: Tensor, rhs: Tensor, transposed: bool):
        q_, f_, z_, b = _arrays(q, f, z, rhs)
        return _tensors(native.solve(plan, q_, f_, z_, b, transposed, threads=torch.get_num_threads()))


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [(tensor if tensor.is_contiguous() else tensor.contiguous()).numpy(force=True) for tensor in tensors]


def _tensors(arrays: tuple) -> tuple:
    *found, flagged = arrays
    kept = (*found, flagged if flagged.any() else None)
    return tuple(None if array is None else torch.from_numpy(array) for array in kept)


def _tensor(values: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(like)


def _outputs(plan: Plan, X: np.ndarray) -> np.ndarray:
    H = np.zeros((plan.n_out, X.shape[1]), complex)
    np.add.at(H, plan.out_k, plan.out_coef[:, None] * X[plan.out_col])
    return H


def _some(flagged: Tensor, q: Tensor, f: Tensor, z: Tensor, count: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """A few of the flagged lanes, a board each: q `(Q, m)`, f `(m, 1)`, z `(Z, m, 1)`."""
    places = flagged.nonzero()
    places = places[torch.linspace(0, len(places) - 1, min(count, len(places)), device=places.device).long()]
    row, column = places.unbind(-1)
    at = f[column] if f.ndim == 1 else f[row, column]
    return q[:, row], at.unsqueeze(-1), z[:, row, column].unsqueeze(-1)
