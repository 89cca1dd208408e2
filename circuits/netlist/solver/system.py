"""`System`: the linear system of a netlist, solved for whatever values its components have."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from circuits.component import broadcast_shapes
from circuits.netlist.elements import Element, Netlist
from circuits.netlist.expressions import evaluate, names
from circuits.netlist.formulation import Formulation, formulate
from circuits.netlist.solver.engine import Engine
from circuits.netlist.solver.opaque import respond
from circuits.netlist.solver.plan import Functional, Plan
from circuits.netlist.solver.planning import make_plan, needs_samples
from circuits.netlist.solver.quantities import Quantities
from circuits.netlist.solver.solution import Solve

Values = Mapping[str, Tensor]
SAMPLES = 5
"""Frequencies at which the pivots of active nets are chosen."""


class System:
    """The equations of a netlist, with a plan of elimination for every set of outputs that was asked for.

    Values are tensors `(*batch)` by the name of a free parameter; f is `(n,)` or `(*batch, n)` in hertz. What comes
    back is complex, `(*batch, …, n)`, and differentiable to any order in values and f.

    Args:
        netlist: a flattened netlist.
        currents: names of elements whose current shall be an unknown.

    Raises:
        NetlistError: voltage sources in a loop.
    """

    def __init__(self, netlist: Netlist, *, currents: Collection[str] = ()):
        self.netlist = netlist
        numbers = initial_values(netlist)
        zero = [e.name for e in netlist.elements if e.kind in "RL" and evaluate(e.values["value"], numbers) == 0]
        self.formulation: Formulation = formulate(netlist.elements, currents=currents, zero=zero)
        self._quantities = Quantities(netlist, self.formulation)
        self._sources = _sources(netlist)
        self._engines: dict[tuple, Engine] = {}
        self._plan: Plan | None = None
        self._usual = self._usual_samples(numbers) if needs_samples(self.formulation) else np.zeros((0, 0), complex)

    # what is asked

    def response(self, values: Values, f: Tensor, functionals: Sequence[Functional]) -> Tensor:
        """Weighted sums of the unknowns with all AC sources on, `(*batch, K, n)`."""
        q, f, z, batch = self._prepared(values, f)
        total = None
        for engine, factor in self._driven(values, functionals, q, f, z):
            H = respond(engine, q, f, z)
            H = H if factor is None else H * factor.expand(batch).reshape(-1, 1, 1)
            total = H if total is None else total + H
        return total.reshape(*batch, *total.shape[1:])  # type: ignore[union-attr]  # there is always one

    def jacobian(
        self, values: Values, f: Tensor, functionals: Sequence[Functional], wanted: Sequence[str]
    ) -> tuple[Tensor, Tensor]:
        """Weighted sums `(*batch, K, n)` and their derivatives `(*batch, p, K, n)`, without a graph."""
        with torch.no_grad():
            q, lanes, z, batch = self._prepared(values, f)
            driven = self._driven(values, functionals, q, lanes, z)
            if len(driven) > 1 or driven[0][1] is not None:
                return self._jacobian_by_autograd(values, f, functionals, wanted)
            H, by_q, by_z = driven[0][0].jacobian(q, lanes, z)
            rows = self._quantities.rows(values, lanes, batch, wanted, by_q, by_z)
        return H.reshape(*batch, *H.shape[1:]), rows.reshape(*batch, *rows.shape[1:])

    def solve(self, values: Values, f: Tensor, rhs: Tensor, transposed: bool = False) -> Tensor:
        """x `(*batch, R, n_unknowns, n)` with A x = rhs, or Aᵀ x = rhs, all sources off.

        Args:
            values, f: as everywhere.
            rhs: `(R, n_unknowns)`, or `(*batch, R, n_unknowns, n)`; real or complex.
            transposed: solve with the transposed matrix.
        """
        q, f, z, batch = self._prepared(values, f)
        engine = self._engine((), (), q, f, z)
        rhs = rhs.to(torch.complex128)
        shape = (*batch, *rhs.shape[-2:], f.shape[-1]) if rhs.ndim == 2 else (*batch, *rhs.shape[-3:-1], f.shape[-1])
        rhs = (rhs.unsqueeze(-1) if rhs.ndim == 2 else rhs).expand(shape)
        x = Solve.apply(engine, q, f, z, rhs.reshape(-1, *rhs.shape[-3:]), transposed)
        return x.reshape(*batch, *x.shape[1:])

    def quantities(self, values: Values, f: Tensor) -> tuple[Tensor, Tensor]:
        """q `(Q, *batch)` and z `(Z, *batch, n)` of the entries, with their graph."""
        q, f, z, batch = self._prepared(values, f)
        return q.reshape(-1, *batch), z.reshape(-1, *batch, f.shape[-1])

    # how it is answered

    def _prepared(self, values: Values, f: Tensor) -> tuple[Tensor, Tensor, Tensor, torch.Size]:
        """q `(Q, B)`, f `(n,)` or `(B, n)`, z `(Z, B, n)` in double precision, and the shape of the batch."""
        f = f if f.dtype == torch.float64 else f.double()
        f = f.unsqueeze(0) if f.ndim == 0 else f
        q, batch = self._quantities.real(values)
        if f.ndim > 1:
            batch = broadcast_shapes(batch, f.shape[:-1])
            f = f.expand(*batch, -1).reshape(-1, f.shape[-1])
        if q.ndim > 1 or batch:
            q = q.expand(len(q), *batch) if q.shape[1:] == batch else _boards_last(q, batch)
        q = q.reshape(len(q), batch.numel())
        own = f if f.ndim == 1 else f.reshape(*batch, -1)
        z = self._quantities.complex(values, own, batch)
        return q, f, z.reshape(len(z), q.shape[1], f.shape[-1]), batch

    def _driven(self, values: Values, functionals: Sequence[Functional], q, f, z) -> list[tuple[Engine, Tensor | None]]:
        """Engines whose outputs add up to the response: one for all sources of fixed strength, and one, with the factor
        that it takes, for each source that depends on a parameter.
        """
        key = tuple(tuple(sorted(one.items())) for one in functionals)
        fixed = tuple((name, strength) for name, strength in self._sources if isinstance(strength, complex))
        parts: list[tuple[Engine, Tensor | None]] = []
        for name, strength in self._sources:
            if isinstance(strength, Element):
                factor = _phasor(strength, values)
                parts.append((self._engine(key, ((name, 1 + 0j),), q, f, z), factor))
        if fixed or not parts:
            parts.insert(0, (self._engine(key, fixed, q, f, z), None))
        return parts

    def _engine(self, outputs: tuple, sources: tuple, q: Tensor, f: Tensor, z: Tensor) -> Engine:
        """The engine for these outputs (as sorted items) and these source strengths."""
        key = outputs, sources
        if key not in self._engines:
            dress = partial(self._dressed, outputs=outputs, sources=sources)
            self._engines[key] = Engine(dress(self._elimination(outputs, q, f, z)), partial(self._replanned, dress))
        return self._engines[key]

    def _elimination(self, outputs: tuple, q: Tensor, f: Tensor, z: Tensor) -> Plan:
        """The plan without sources and outputs; nodes that are asked for go last where that costs nothing."""
        if self._plan is None:
            n = len(self.formulation.unknowns)
            last = {column for one in outputs for column, _ in one if column < n}
            samples = self._samples(q, f, z) if needs_samples(self.formulation) else None
            self._plan = make_plan(self.formulation, samples, last)
        return self._plan

    def _samples(self, q: Tensor, f: Tensor, z: Tensor) -> np.ndarray:
        """y of every entry at lanes that stand for those given; where there is nothing to look at, as under a transform
        of functions, at the netlist's own values over a wide band. Lanes that this does not suit are noticed later.
        """
        if f.numel() and q.shape[1] and not torch.compiler.is_compiling():
            try:
                return self._sampled(*_spread(q, f, z))
            except RuntimeError:
                pass
        return self._usual

    def _usual_samples(self, numbers: Mapping[str, float]) -> np.ndarray:
        """y of every entry at the netlist's own values, from 0.1 Hz to 100 MHz."""
        with torch.no_grad():
            own = {name: torch.tensor(numbers[name], dtype=torch.float64) for name in self._quantities.free}
            q, f, z, _ = self._prepared(own, torch.logspace(-1, 8, SAMPLES, dtype=torch.float64))
            return self._sampled(*_spread(q, f, z))

    def _replanned(self, dress, q: Tensor, f: Tensor, z: Tensor) -> Plan:
        self._plan = make_plan(self.formulation, self._sampled(q, f, z))
        return dress(self._plan)

    def _sampled(self, q: Tensor, f: Tensor, z: Tensor) -> np.ndarray:
        """y of every entry at lanes given as boards of one point each: q `(Q, m)`, f `(m, 1)`, z `(Z, m, 1)`."""
        s = 2j * np.pi * np.where(f.numpy(force=True)[:, 0] > 0, f.numpy(force=True)[:, 0], 1e-3)
        tables = [q.numpy(force=True).astype(complex), z.resolve_conj().numpy(force=True)[:, :, 0]]
        entries = self.formulation.entries
        rows = [tables[e.is_complex][e.law] * s**e.exponent for e in entries]
        return np.array(rows).reshape(len(entries), len(s))

    def _dressed(self, plan: Plan, outputs: tuple, sources: tuple) -> Plan:
        """A plan of elimination with sources and outputs."""
        made = self.formulation
        rails, rows = np.zeros(len(made.rails), complex), {}
        for name, strength in sources:
            for rail, factor in made.rail_sources.get(name, ()):
                rails[rail] += factor * strength
            for row, factor in made.sources.get(name, ()):
                rows[row] = rows.get(row, 0) + factor * strength
        return plan.with_outputs([dict(one) for one in outputs]).with_sources(rails, rows)

    def _jacobian_by_autograd(self, values: Values, f: Tensor, functionals, wanted: Sequence[str]):
        """The same through autograd, for nets whose sources depend on parameters: a point is a board."""
        batch = broadcast_shapes(f.shape[:-1], *(v.shape for v in values.values()))
        points = (*batch, f.shape[-1])
        columns = {name: v.detach().expand(batch).unsqueeze(-1) for name, v in values.items()}
        leaves = {name: columns[name].expand(points).clone().requires_grad_() for name in wanted}
        with torch.enable_grad():
            H = self.response({**columns, **leaves}, f.detach().expand(points).unsqueeze(-1), functionals).squeeze(-1)
            rows = [torch.stack(_slopes(one, list(leaves.values())), -2) for one in H.unbind(-1)]
        return H.detach().movedim(-1, -2), torch.stack(rows, -2)


def initial_values(netlist: Netlist) -> dict[str, float]:
    """The numbers that the netlist itself gives to all its parameters, derived ones included."""
    numbers: dict[str, float] = {}
    for name, parameter in netlist.parameters.items():
        numbers[name] = float(evaluate(parameter.value, numbers))
    return numbers


def _sources(netlist: Netlist) -> list[tuple[str, complex | Element]]:
    """AC sources that are on: with their strength, or as they are where it depends on a parameter."""
    found: list[tuple[str, complex | Element]] = []
    for e in netlist.elements:
        if e.kind not in "VI":
            continue
        depends = (*names(e.values["ac"]), *names(e.values["phase"]))
        if depends:
            found.append((e.name, e))
            continue
        size, phase = (float(evaluate(e.values[role], {})) for role in ("ac", "phase"))
        if size:
            found.append((e.name, complex(size * np.exp(1j * np.deg2rad(phase)))))
    return found


def _phasor(e: Element, values: Values) -> Tensor:
    size, phase = (torch.as_tensor(evaluate(e.values[role], values)) for role in ("ac", "phase"))
    return torch.polar(torch.ones_like(size + phase), torch.deg2rad(phase + 0 * size).to((size + phase).dtype)) * size


def _boards_last(q: Tensor, batch: torch.Size) -> Tensor:
    """q `(Q, *own)` broadcast to `(Q, *batch)`."""
    return q.reshape(len(q), *[1] * (len(batch) - q.ndim + 1), *q.shape[1:]).expand(len(q), *batch)


def _spread(q: Tensor, f: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Lanes that stand for all: the ends of the frequencies and some between, on the first and last board."""
    points, boards = f.shape[-1], q.shape[1]
    rows = torch.tensor([0, boards - 1] * SAMPLES)[: SAMPLES + 1]
    order = (f if f.ndim == 1 else f[0]).argsort().cpu()
    columns = order[torch.linspace(0, points - 1, len(rows)).long()]
    rows, columns = rows.to(q.device), columns.to(q.device)
    at = f[columns] if f.ndim == 1 else f[rows, columns]
    return q[:, rows], at.unsqueeze(-1), z[:, rows, columns].unsqueeze(-1)


def _slopes(output: Tensor, leaves: list[Tensor]) -> list[Tensor]:
    """Complex derivatives of each point by its own values."""
    parts = [
        torch.autograd.grad(part.sum(), leaves, retain_graph=True, allow_unused=True, materialize_grads=True)
        for part in (output.real, output.imag)
    ]
    return [torch.complex(real, imaginary) for real, imaginary in zip(*parts, strict=True)]
