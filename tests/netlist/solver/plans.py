"""Plans of nets with numbers for them, as the executors take them: arrays, boards, points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from circuits.netlist.elements import Netlist
from circuits.netlist.solver.plan import Plan
from circuits.netlist.solver.planning import make_plan, needs_samples
from circuits.netlist.solver.system import System
from netlist.oracles.building import numbers


@dataclass
class Case:
    """A plan with sources on all rails and two nodes, three outputs, and boards whose values differ."""

    plan: Plan
    q: np.ndarray
    f: np.ndarray
    z: np.ndarray

    @property
    def arguments(self) -> tuple[Plan, np.ndarray, np.ndarray, np.ndarray]:
        return self.plan, self.q, self.f, self.z

    @property
    def shape(self) -> tuple[int, int]:
        """Boards and points."""
        return self.q.shape[1], self.f.shape[-1]

    def upstream(self, seed: int = 0) -> np.ndarray:
        """G of a loss."""
        return complex_normal(seed, self.shape[0], self.plan.n_out, self.shape[1])


def complex_normal(seed: int, *shape: int) -> np.ndarray:
    chance = np.random.default_rng(seed)
    return chance.standard_normal(shape) + 1j * chance.standard_normal(shape)


def make_case(netlist: Netlist, f: np.ndarray, boards: int = 1, spread: float = 0.2, seed: int = 0) -> Case:
    """f is `(n,)` or `(boards, n)`."""
    chance = np.random.default_rng(seed)
    values = {
        name: torch.tensor(value * (1 + spread * (chance.random(boards) - 0.5)), dtype=torch.float64)
        for name, value in numbers(netlist).items()
    }
    f = np.ascontiguousarray(f, dtype=float)
    system = System(netlist)
    q, z = system.quantities(values, torch.from_numpy(f))
    q, z = q.numpy(), np.ascontiguousarray(z.resolve_conj().numpy())
    made = system.formulation
    samples = None
    if needs_samples(made):
        s = 2j * np.pi * np.broadcast_to(f, (boards, f.shape[-1]))[:, :: max(f.shape[-1] // 5, 1)].reshape(boards, -1)
        columns = np.ascontiguousarray(z[:, :, :: max(f.shape[-1] // 5, 1)])
        rows = [columns[e.law] if e.is_complex else q[e.law][:, None] * s**e.exponent for e in made.entries]
        samples = np.array([np.broadcast_to(row, s.shape).reshape(-1) for row in rows])
    plan = make_plan(made, samples)
    rails = complex_normal(seed + 1, plan.rails)
    sources = {row: complex(complex_normal(seed + row, 1)[0]) for row in {0, plan.n - 1} if 0 <= row < plan.n}
    outputs = [{plan.n - 1: 1.0, plan.ground: 2.0}, {0: 1.0, plan.n // 2: -0.5}, {plan.ground - 1: 3.0, 0: 1.0}]
    return Case(plan.with_sources(rails, sources).with_outputs(outputs if plan.n else []), q, f, z)
