"""The response of many slightly different circuits from the factors of one.

A change of some entries is A′ = A + U Vᵀ with few columns, so that with Aᵀλ = w, for H = wᵀx,

    H′ = H − λᵀU (1 + VᵀA⁻¹U)⁻¹ Vᵀx,

and in the limit of an infinite change, H′ = H − λᵀU (VᵀA⁻¹U)⁻¹ Vᵀx (J. Sherman and W. J. Morrison, Ann. Math. Stat. 21
(1950) 124; M. A. Woodbury, Princeton memorandum 42 (1950)). One solve for each column of U that is new.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from circuits.netlist.answers.pencil import Values, amount, known_values
from circuits.netlist.elements import Netlist
from circuits.netlist.expressions import names
from circuits.netlist.formulation import Entry, Formulation, Law
from circuits.netlist.laws import COMPLEX, REAL
from circuits.netlist.solver.system import System

Pair = tuple[int, int]
BYTES = 2**26
"""Memory for the solutions that are held at a time."""


@dataclass
class Update:
    """A change of a matrix by rows a and columns b, pairs of extended indices with +1 and −1.

    `finite` has for each row the columns with what is added, `(*batch, n)`; `limit` pairs whose entry becomes infinite.
    """

    finite: dict[Pair, dict[Pair, Tensor]] = field(default_factory=dict)
    limit: list[tuple[Pair, Pair]] = field(default_factory=list)

    @property
    def rows(self) -> list[Pair]:
        """Its rows, in order."""
        return list(self.finite) or [row for row, _ in self.limit]

    @property
    def columns(self) -> list[Pair]:
        """All its columns."""
        return [column for row in self.finite.values() for column in row] + [column for _, column in self.limit]


class Solved:
    """One circuit solved: what its unknowns are, and how its outputs answer to a current anywhere.

    Args:
        system: of the circuit, with its sources.
        values: free parameters by name.
        f: hertz.
        functionals: K outputs.
    """

    def __init__(self, system: System, values: Values, f: Tensor, functionals: Sequence[Mapping[int, float]]):
        self.system, self.values, self.f = system, values, f
        made = system.formulation
        self.n, self.ground = len(made.unknowns), made.ground
        found = system.response(values, f, [{i: 1.0} for i in range(made.ground)])
        self.x = torch.nn.functional.pad(found, (0, 0, 0, 1))
        weights = torch.zeros(len(functionals), made.ground + 1, dtype=torch.float64, device=f.device)
        for k, functional in enumerate(functionals):
            for index, value in functional.items():
                weights[k, index] = value
        self.H = weights.to(self.x) @ self.x
        self.reach = self._extended(system.solve(values, f, weights[:, : self.n], transposed=True))

    def _extended(self, x: Tensor) -> Tensor:
        """With zeros at rails and ground."""
        return torch.nn.functional.pad(x, (0, 0, 0, self.ground + 1 - x.shape[-2]))

    def changed(self, updates: Sequence[Update]) -> tuple[list[Tensor], list[Tensor]]:
        """Outputs `(*batch, K, n)` after each update alone, and how many times each magnifies rounding, as large."""
        rows = list(dict.fromkeys(row for update in updates for row in update.rows))
        wanted: dict[Pair, dict[Pair, None]] = {row: {} for row in rows}
        for update in updates:
            for row in update.rows:
                wanted[row].update(dict.fromkeys(update.columns))
        across, spread = self._across(rows, wanted)
        pairs = [self._after(update, across, spread) for update in updates]
        return [H for H, _ in pairs], [amplified for _, amplified in pairs]

    def _across(self, rows: Sequence[Pair], wanted) -> tuple[dict, dict]:
        """bᵀA⁻¹a of every pair that is needed, and Σ|b|ᵀ|A⁻¹a|; some columns a at a time."""
        across, spread = {}, {}
        count = max(1, BYTES // max(1, 16 * self.x[..., 0, :].numel() * self.n))
        for start in range(0, len(rows), count):
            chunk = rows[start : start + count]
            rhs = torch.zeros(len(chunk), self.ground + 1, dtype=torch.float64, device=self.f.device)
            for i, (plus, minus) in enumerate(chunk):
                rhs[i, plus] += 1
                rhs[i, minus] -= 1
            solution = self._extended(self.system.solve(self.values, self.f, rhs[:, : self.n]))
            for i, row in enumerate(chunk):
                for plus, minus in wanted[row]:
                    a, b = solution[..., i, plus, :], solution[..., i, minus, :]
                    across[row, (plus, minus)] = a - b
                    spread[row, (plus, minus)] = (a.abs() + b.abs()).detach()
        return across, spread

    def _after(self, update: Update, across, spread) -> tuple[Tensor, Tensor]:
        rows = update.rows
        if not rows:
            return self.H, torch.ones_like(self.H.real)
        reach = torch.stack([self.reach[..., plus, :] - self.reach[..., minus, :] for plus, minus in rows], -1)
        if update.limit:
            matrix = _table([[across[row, column] for row in rows] for _, column in update.limit])
            size = _table([[spread[row, column] for row in rows] for _, column in update.limit])
            drive = torch.stack([self._difference(column) for _, column in update.limit], -1)
            small = size.diagonal(dim1=-2, dim2=-1) / matrix.diagonal(dim1=-2, dim2=-1).abs()
        else:
            added = list(update.finite.values())
            matrix = _table([[_total([d * across[a, b] for b, d in own.items()]) for a in rows] for own in added])
            drive = torch.stack([_total([d * self._difference(b) for b, d in own.items()]) for own in added], -1)
            small = (1 + matrix.abs().sum(-1)) / (1 + matrix.diagonal(dim1=-2, dim2=-1)).abs()
            matrix = matrix + torch.eye(len(rows)).to(matrix)
        answer = _solved(matrix, drive)
        shift = (reach * answer.unsqueeze(-3)).sum(-1)
        H = self.H - shift
        with torch.no_grad():
            amplified = (small.amax(-1) if len(rows) == 1 else _condition(matrix)).unsqueeze(-2)
            lost = (self.H.abs() + amplified * shift.abs()) / H.abs()
            return H, torch.maximum(amplified, lost).nan_to_num(math.inf, math.inf)

    def _difference(self, column: Pair) -> Tensor:
        return self.x[..., column[0], :] - self.x[..., column[1], :]


def _table(rows: Sequence[Sequence[Tensor]]) -> Tensor:
    """`(*batch, n, r, r)` of its parts `(*batch, n)`."""
    return torch.stack([torch.stack(list(row), -1) for row in rows], -2)


def _total(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(torch.broadcast_tensors(*parts)).sum(0)


def _solved(matrix: Tensor, drive: Tensor) -> Tensor:
    if matrix.shape[-1] == 1:
        return drive / matrix[..., 0]
    return torch.linalg.solve_ex(matrix, drive.unsqueeze(-1))[0].squeeze(-1)


def _condition(matrix: Tensor) -> Tensor:
    """Of a matrix whose rows and columns are scaled to entries near one."""
    size = matrix.abs()
    scaled = matrix / size.amax(-1, keepdim=True).clamp_min(1e-300)
    scaled = scaled / scaled.abs().amax(-2, keepdim=True).clamp_min(1e-300)
    singular = torch.linalg.svdvals(scaled.nan_to_num(0.0))
    return singular[..., 0] / singular[..., -1]


# what changes when a part or a value does


class Entries:
    """The entries of a circuit at its present values, by the elements and the parameters that they come from."""

    def __init__(self, netlist: Netlist, made: Formulation, values: Values, f: Tensor):
        self.netlist, self.made, self.f = netlist, made, f
        self.known = known_values(netlist, values)
        self.lanes = [self._value(e, self.known) for e in made.entries]
        self.followers = _followers(netlist)
        self.of_element: dict[str, list[int]] = {}
        self.of_parameter: dict[str, list[int]] = {}
        for i, e in enumerate(made.entries):
            self.of_element.setdefault(e.element, []).append(i)
            for name in dict.fromkeys(name for value in self._law(e).values for name in names(value)):
                self.of_parameter.setdefault(name, []).append(i)

    def removal(self, element: str) -> Update:
        """No current through an element: its own current is made zero, or its admittance taken away."""
        if f"I({element})" in self.made.index:
            own = (self.made.current(element), self.made.ground)
            return Update(limit=[(own, own)])
        update = Update()
        for i in self.of_element.get(element, ()):
            self._add(update, i, -self.lanes[i])
        return update

    def wire(self, nodes: Sequence[str]) -> Update:
        """A wire between two nodes."""
        ends = (self.made.node(nodes[0]), self.made.node(nodes[1]))
        rows = tuple(end if end < len(self.made.unknowns) else self.made.ground for end in ends)
        return Update(limit=[((rows[0], rows[1]), ends)])

    def revaluation(self, name: str, factor: float) -> Update:
        """A free parameter times a factor, wherever it serves."""
        known = {**self.known, name: self.known[name] * factor}
        for follower in self.followers[name]:
            known[follower] = amount(self.netlist.parameters[follower].value, known)
        touched = dict.fromkeys(i for one in (name, *self.followers[name]) for i in self.of_parameter.get(one, ()))
        update = Update()
        for i in touched:
            self._add(update, i, self._value(self.made.entries[i], known) - self.lanes[i])
        return update

    def _law(self, e: Entry) -> Law:
        return (self.made.complex_laws if e.is_complex else self.made.real_laws)[e.law]

    def _value(self, e: Entry, known: Mapping[str, Tensor]) -> Tensor:
        """scale·q·s^exponent or scale·z, `(*batch, n)`."""
        law, f = self._law(e), self.f
        values = [amount(value, known) for value in law.values]
        if e.is_complex:
            return e.scale * COMPLEX[law.name](f, *(value.unsqueeze(-1) for value in values))
        s = torch.complex(torch.zeros_like(f), 2 * math.pi * f)
        q = REAL[law.name](*values).unsqueeze(-1)
        return e.scale * q * (s**e.exponent if e.exponent else torch.ones_like(s))

    def _add(self, update: Update, i: int, value: Tensor) -> None:
        e = self.made.entries[i]
        if e.rp != e.rm and e.cp != e.cm:
            columns = update.finite.setdefault((e.rp, e.rm), {})
            column = (e.cp, e.cm)
            columns[column] = columns[column] + value if column in columns else value


def _followers(netlist: Netlist) -> dict[str, list[str]]:
    """For every parameter, those that follow from it, in an order in which each can be evaluated."""
    found: dict[str, list[str]] = {name: [] for name in netlist.parameters}
    sources: dict[str, set[str]] = {}
    for name, parameter in netlist.parameters.items():
        near = names(parameter.value)
        sources[name] = set(near).union(*(sources[one] for one in near)) if near else set()
        for source in sources[name]:
            found[source].append(name)
    return found
