"""One lane by elimination in decimal arithmetic of fifty digits: for what no double can hold.

At a lossless resonance, at 0 Hz, or where currents of 1e12 amperes go round a loop, binary floating point of any fixed
order of elimination may lose all digits. Here the currents of inductors are unknowns of their own, so that nothing is
infinite, and fifty digits leave the order of elimination to sparsity. A lane takes milliseconds; few ever come here.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, localcontext
from typing import TypeAlias

import numpy as np

from circuits.netlist.solver.plan import Plan

DIGITS = 50
TINY = Decimal("1e-35")
"""A pivot below this part of the largest number of its row is taken for the zero that rounding hides."""
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494")

Number: TypeAlias = "tuple[Decimal, Decimal]"
Row: TypeAlias = "dict[int, Number]"
ZERO: Number = (Decimal(0), Decimal(0))


class ExactLane:
    """The equations at one frequency f: q `(Q,)` real, z `(Z,)` complex.

    Extended indices are those of the plan, the currents of inductors (entries of exponent −1) coming after ground;
    their equations are V − (s/q)·I = 0.
    """

    def __init__(self, plan: Plan, q: np.ndarray, f: float, z: np.ndarray):
        self.plan = plan
        inductors = np.flatnonzero(plan.entry_exponent == -1).tolist()
        self.currents = {e: plan.ground + 1 + i for i, e in enumerate(inductors)}
        self.extended = plan.ground + 1 + len(inductors)
        with localcontext() as context:
            context.prec = DIGITS
            omega = 2 * PI * Decimal(float(f))
            self.entries = list(self._entries([Decimal(float(x)) for x in q], z, omega))

    def _entries(self, q: list[Decimal], z: np.ndarray, omega: Decimal) -> Iterable[tuple[int, int, int, int, Number]]:
        """Every entry (rp, rm, cp, cm, y)."""
        plan, ground = self.plan, self.plan.ground
        one = (Decimal(1), Decimal(0))
        for e in range(len(plan.entry_source)):
            places = (plan.entry_rp[e], plan.entry_rm[e], plan.entry_cp[e], plan.entry_cm[e])
            rp, rm, cp, cm = (int(place) for place in places)
            scale, source = Decimal(float(plan.entry_scale[e])), int(plan.entry_source[e])
            if source >= plan.n_q:
                value = complex(z[source - plan.n_q])
                yield rp, rm, cp, cm, (scale * Decimal(value.real), scale * Decimal(value.imag))
            elif e in self.currents:
                own = self.currents[e]
                yield rp, rm, own, ground, one
                yield own, ground, cp, cm, one
                yield own, ground, own, ground, (Decimal(0), -omega / (q[source] * scale))
            else:
                value = scale * q[source]
                yield (
                    rp,
                    rm,
                    cp,
                    cm,
                    (Decimal(0), value * omega) if plan.entry_exponent[e] == 1 else (value, Decimal(0)),
                )
        for row, column, value in zip(plan.term_row, plan.term_col, plan.term_value, strict=True):
            yield int(row), ground, int(column), ground, (Decimal(float(value)), Decimal(0))

    def excited(self) -> np.ndarray:
        """The extended unknowns with the sources on, in double precision, NaN where there is no solution."""
        plan = self.plan
        known = {plan.n + i: _number(value) for i, value in enumerate(plan.rail_value.tolist())}
        right = {int(row): _number(complex(v)) for row, v in zip(plan.source_row, plan.source_value, strict=True)}
        return self._solved(right, known, transposed=False)

    def solve(self, b: np.ndarray, transposed: bool = False) -> np.ndarray:
        """The extended unknowns of A x = b, or Aᵀ x = b, for b over unknowns (more is ignored), rails at zero."""
        right = {i: _number(complex(value)) for i, value in enumerate(b[: self.plan.n].tolist()) if value}
        return self._solved(right, {}, transposed)

    def _solved(self, right: Row, known: Row, transposed: bool) -> np.ndarray:
        with localcontext() as context:
            context.prec = DIGITS
            rows, right = self._matrix(right, known, transposed)
            found = _eliminated(rows, right)
        X = np.zeros(self.extended, complex)
        for place, value in known.items():
            X[place] = complex(float(value[0]), float(value[1]))
        if found is None:
            X[: self.plan.n] = np.nan
            X[self.plan.ground + 1 :] = np.nan
        else:
            for place, value in found.items():
                X[place] = complex(float(value[0]), float(value[1]))
        return X

    def _matrix(self, right: Row, known: Row, transposed: bool) -> tuple[dict[int, Row], Row]:
        """Sparse rows over the unknowns, and the right-hand side with what is known moved there."""
        unknown = {*range(self.plan.n), *self.currents.values()}
        rows: dict[int, Row] = {i: {} for i in unknown}
        right = dict(right)
        for rp, rm, cp, cm, (re, im) in self.entries:
            here, there = ((cp, cm), (rp, rm)) if transposed else ((rp, rm), (cp, cm))
            for row, a in zip(here, (1, -1), strict=True):
                if row not in unknown:
                    continue
                for column, b in zip(there, (1, -1), strict=True):
                    value = (re * a * b, im * a * b)
                    if column in unknown:
                        rows[row][column] = _plus(rows[row].get(column, ZERO), value)
                    elif column in known:
                        right[row] = _minus(right.get(row, ZERO), _times(value, known[column]))
        return rows, right


def _eliminated(rows: dict[int, Row], right: Row) -> Row | None:
    """Solve: the shortest row next, its pivot in the shortest column that is not tiny; None where there is none."""
    columns: dict[int, set[int]] = {}
    for i, row in rows.items():
        for j in [j for j, value in row.items() if value == ZERO]:
            del row[j]
        for j in row:
            columns.setdefault(j, set()).add(i)
    waiting, done = set(rows), []
    while waiting:
        i = min(waiting, key=lambda i: (len(rows[i]), i))
        waiting.remove(i)
        row = rows[i]
        largest = max((_size(value) for value in row.values()), default=Decimal(0))
        usable = [j for j, value in row.items() if _size(value) > largest * Decimal("1e-3")]
        if not usable:
            return None
        j = min(usable, key=lambda j: (len(columns[j]), -_size(row[j]), j))
        for column in row:
            columns[column].discard(i)
        for k in sorted(columns[j]):
            _subtract(rows[k], row, j, columns, k, right, i)
        done.append((j, row, i))
    found: Row = {}
    for j, row, i in reversed(done):
        value = right.get(i, ZERO)
        for column, factor in row.items():
            if column != j:
                value = _minus(value, _times(factor, found[column]))
        found[j] = _over(value, row[j])
    return found


def _subtract(target: Row, row: Row, j: int, columns: dict[int, set[int]], k: int, right: Row, i: int) -> None:
    """Free row k of unknown j; what cancels to nothing is dropped."""
    factor = _over(target[j], row[j])
    for column, value in row.items():
        before = target.get(column, ZERO)
        change = _times(factor, value)
        after = _minus(before, change)
        if column == j or _size(after) <= TINY * (_size(before) + _size(change)):
            target.pop(column, None)
            columns[column].discard(k)
        else:
            target[column] = after
            columns[column].add(k)
    if i in right:
        right[k] = _minus(right.get(k, ZERO), _times(factor, right[i]))


def _number(value: complex) -> Number:
    return Decimal(value.real), Decimal(value.imag)


def _plus(a: Number, b: Number) -> Number:
    return a[0] + b[0], a[1] + b[1]


def _minus(a: Number, b: Number) -> Number:
    return a[0] - b[0], a[1] - b[1]


def _times(a: Number, b: Number) -> Number:
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def _over(a: Number, b: Number) -> Number:
    square = b[0] * b[0] + b[1] * b[1]
    return (a[0] * b[0] + a[1] * b[1]) / square, (a[1] * b[0] - a[0] * b[1]) / square


def _size(a: Number) -> Decimal:
    return abs(a[0]) + abs(a[1])
