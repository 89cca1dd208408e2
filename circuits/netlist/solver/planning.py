"""From the equations of a netlist to its `Plan`: which nodes go by star–mesh, and what is left to LU."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from circuits.netlist.formulation import Entry, Formulation
from circuits.netlist.solver.pivoting import choose_pivots
from circuits.netlist.solver.plan import Plan, ints
from circuits.netlist.solver.star_mesh import elimination_order


def make_plan(made: Formulation, samples: np.ndarray | None = None, last: Collection[int] = ()) -> Plan:
    """The plan of a formulation, without sources and outputs yet.

    Args:
        made: the equations.
        samples: y of every entry at some lanes, `(entries, samples)` complex, from which the pivots of LU steps are
            chosen; a net of two-terminal parts alone needs none.
        last: unknowns that are eliminated last among the star–mesh ones, best those that are asked for.
    """
    return _Planner(made).plan(samples, last)


def needs_samples(made: Formulation) -> bool:
    """Whether some unknowns cannot be eliminated in star–mesh form."""
    return len(star_mesh_nodes(made)) < len(made.unknowns)


def star_mesh_nodes(made: Formulation) -> set[int]:
    """Unknowns that are touched by admittances between nodes alone."""
    touched = {place for row, column, _ in made.terms for place in (row, column)}
    for e in made.entries:
        if not e.is_admittance:
            touched |= {e.rp, e.rm, e.cp, e.cm}
    nodes = (i for i, name in enumerate(made.unknowns) if name.startswith("V("))
    return {i for i in nodes if i not in touched}


class _Planner:
    """Collects the arrays of a plan while it walks through the elimination."""

    def __init__(self, made: Formulation):
        self.made, self.n = made, len(made.unknowns)
        self.by_mesh = star_mesh_nodes(made)
        self.slot: dict[tuple, int] = {}  # ("y", i, j) a branch, ("y", i) one to ground, ("a", row, column) an entry
        self.fills: list[tuple[int, int, float]] = []
        self.consts: list[tuple[int, float]] = []
        self.rhs: list[tuple[int, int]] = []
        self.steps: list[tuple] = []
        self.levels: dict[tuple[str, int], int] = {}
        self.assembly: list[tuple[int, int, float]] = []

    def plan(self, samples: np.ndarray | None, last: Collection[int]) -> Plan:
        """Fill, eliminate by star–mesh, assemble what is left, eliminate that by LU."""
        for index, e in enumerate(self.made.entries):
            self._fill(index, e)
        for row, column, value in self.made.terms:
            if column < self.n:
                self.consts.append((self._at("a", row, column), value))
        self._mesh_steps(last)
        meshed = len(self.steps)
        if meshed < self.n:
            self._assemble()
            self._lu_steps(samples)
        return self._arrays(meshed)

    def _at(self, *key) -> int:
        return self.slot.setdefault(key, len(self.slot))

    def _branch(self, i: int, j: int) -> int:
        return self._at("y", min(i, j), max(i, j))

    # fill

    def _fill(self, index: int, e: Entry) -> None:
        ends = (e.cp, e.cm)
        if e.is_admittance and any(end in self.by_mesh for end in ends):
            if e.cp == e.cm:
                return
            known = [end for end in ends if end >= self.n]
            inner = [end for end in ends if end < self.n]
            slot = self._branch(*inner) if not known else self._at("y", inner[0])
            self.fills.append((slot, index, 1.0))
            if known and known[0] != self.made.ground:
                self.rhs.append((inner[0], index))
            return
        for row, a in ((e.rp, 1.0), (e.rm, -1.0)):
            if row >= self.n:
                continue
            for column, b in ((e.cp, 1.0), (e.cm, -1.0)):
                if column < self.n:
                    self.fills.append((self._at("a", row, column), index, a * b * e.scale))
            if any(self.n <= column < self.made.ground for column in ends):
                self.rhs.append((row, index))

    # star–mesh

    def _mesh_steps(self, last: Collection[int]) -> None:
        graph: dict[int, set[int]] = {node: set() for node in range(self.n)}
        for key in self.slot:
            if key[0] == "y" and len(key) == 3:
                graph[key[1]].add(key[2])
                graph[key[2]].add(key[1])
        for node, around in elimination_order(graph, self.by_mesh, last):
            self._mesh_step(node, around)

    def _mesh_step(self, node: int, around: list[int]) -> None:
        branches = [self._branch(node, other) for other in around]
        grounded = ("y", node) in self.slot
        columns = [*branches, self.slot["y", node]] if grounded else branches
        targets = []
        for a, i in enumerate(around):
            targets += [self._branch(i, j) if b > a else -1 for b, j in enumerate(around)]
            if grounded:
                targets.append(self._at("y", i))
        indices = [*around, -1] if grounded else around
        level = self._level(node, node, around, around)
        self.steps.append((node, node, 1.0, 1, level, columns, columns, indices, branches, around, targets))

    def _level(self, row: int, column: int, rows: Collection[int], columns: Collection[int]) -> int:
        """One more than that of every step whose results this one takes."""
        level = 1 + max(self.levels.get(("row", row), -1), self.levels.get(("column", column), -1))
        for kind, members in (("row", rows), ("column", columns)):
            for member in members:
                self.levels[kind, member] = max(self.levels.get((kind, member), -1), level)
        return level

    # LU

    def _assemble(self) -> None:
        """Bring the branches between what is left into its matrix."""
        left = set(range(self.n)) - self.by_mesh
        for key, slot in [*self.slot.items()]:
            if key[0] != "y" or not left.issuperset(key[1:]):
                continue
            for i in key[1:]:
                self.assembly.append((self._at("a", i, i), slot, 1.0))
            if len(key) == 3:
                for i, j in (key[1:], key[:0:-1]):
                    self.assembly.append((self._at("a", i, j), slot, -1.0))

    def _lu_steps(self, samples: np.ndarray | None) -> None:
        count = 1 if samples is None else samples.shape[1]
        y = np.ones((len(self.made.entries), count), complex) if samples is None else samples
        values = self._sample_slots(y)
        matrix = {key[1:]: values[slot] for key, slot in self.slot.items() if key[0] == "a"}
        for row in set(range(self.n)) - self.by_mesh:
            matrix.setdefault((row, row), np.zeros(count, complex))  # so that choosing sees every row and column
        for pivot in choose_pivots(matrix):
            row, column = pivot.row, pivot.column
            columns = [self._at("a", row, j) for j in pivot.columns]
            below = [self._at("a", i, column) for i in pivot.rows]
            targets = [self._at("a", i, j) for i in pivot.rows for j in pivot.columns]
            level = self._level(row, column, pivot.rows, pivot.columns)
            self.steps.append(
                (row, column, -1.0, 0, level, [self._at("a", row, column)], columns, pivot.columns, below)
                + (pivot.rows, targets)
            )

    def _sample_slots(self, y: np.ndarray) -> np.ndarray:
        """Numbers in the slots at the samples, after the star–mesh steps and the assembly."""
        values = np.zeros((len(self.slot), y.shape[1]), complex)
        for slot, entry, coefficient in self.fills:
            values[slot] += coefficient * y[entry]
        for slot, value in self.consts:
            values[slot] += value
        for _, _, _, _, _, _, columns, _, branches, _, targets in self.steps:
            whole = values[columns]
            total = whole.sum(0)
            share = values[branches] / np.where(total == 0, 1.0, total)
            update = (share[:, None] * whole[None]).reshape(-1, y.shape[1])
            for target, value in zip(targets, update, strict=True):
                if target >= 0:
                    values[target] += value
        for slot, source, sign in self.assembly:
            values[slot] += sign * values[source]
        return values

    # arrays

    def _noise(self) -> np.ndarray:
        signs = np.random.default_rng(1).choice([-1.0, 1.0], self.n)
        signs[sorted(self.by_mesh)] = 0.0
        return signs * np.finfo(float).eps

    def _arrays(self, meshed: int) -> Plan:
        made, entries, n_q = self.made, self.made.entries, len(self.made.real_laws)
        self.fills.sort()
        self.rhs.sort()
        rows, cols, signs, symmetric, levels, pivots, columns, indices, below, below_rows, targets = (
            zip(*self.steps, strict=True) if self.steps else ((),) * 11
        )
        empty = ints(()), np.zeros(0, complex)
        return Plan(
            n=self.n,
            rails=len(made.rails),
            slots=max(len(self.slot), 1),
            n_q=n_q,
            n_z=len(made.complex_laws),
            is_node=ints(name.startswith("V(") for name in made.unknowns),
            noise=self._noise(),
            entry_source=ints(e.law + n_q * e.is_complex for e in entries),
            entry_exponent=ints(e.exponent for e in entries),
            entry_scale=np.array([e.scale for e in entries], dtype=float),
            entry_rp=ints(e.rp for e in entries),
            entry_rm=ints(e.rm for e in entries),
            entry_cp=ints(e.cp for e in entries),
            entry_cm=ints(e.cm for e in entries),
            fill_slot=ints(slot for slot, _, _ in self.fills),
            fill_entry=ints(entry for _, entry, _ in self.fills),
            fill_coef=np.array([value for _, _, value in self.fills], dtype=float),
            const_slot=ints(slot for slot, _ in self.consts),
            const_value=np.array([value for _, value in self.consts], dtype=float),
            rhs_row=ints(row for row, _ in self.rhs),
            rhs_entry=ints(entry for _, entry in self.rhs),
            rhs_coef=np.zeros(len(self.rhs), complex),
            rhs_const_row=empty[0],
            rhs_const=empty[1],
            source_row=empty[0],
            source_value=empty[1],
            term_row=ints(row for row, _, _ in made.terms),
            term_col=ints(column for _, column, _ in made.terms),
            term_value=np.array([value for _, _, value in made.terms], dtype=float),
            rail_value=np.zeros(len(made.rails), complex),
            step_row=ints(rows),
            step_col=ints(cols),
            step_sign=np.array(signs, dtype=float),
            step_symmetric=ints(symmetric),
            step_level=ints(levels),
            **_ragged("pivot", slot=pivots),
            **_ragged("col", slot=columns, index=indices),
            **_ragged("row", slot=below, index=below_rows),
            **_ragged("target", slot=targets),
            assembly_at=meshed,
            assembly_dst=ints(slot for slot, _, _ in self.assembly),
            assembly_src=ints(slot for _, slot, _ in self.assembly),
            assembly_sign=np.array([sign for _, _, sign in self.assembly], dtype=float),
            n_out=0,
            out_k=empty[0],
            out_col=empty[0],
            out_coef=np.zeros(0),
        )


def _ragged(name: str, **lists) -> dict[str, np.ndarray]:
    """Lists of lists laid end to end, and where each begins."""
    arrays = {f"{name}_{part}": ints(x for one in rows for x in one) for part, rows in lists.items()}
    sizes = [len(one) for one in next(iter(lists.values()))]
    return {f"{name}_ptr": ints(np.cumsum([0, *sizes])), **arrays}
