"""Sparse elimination of complex equations in `Decimal`, to however many digits the context carries."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

Complex: TypeAlias = "tuple[Decimal, Decimal]"
ZERO, ONE = (Decimal(0), Decimal(0)), (Decimal(1), Decimal(0))


class Singular(Exception):
    """The circuit has no single solution."""


def eliminate(rows: dict, right: dict) -> dict[str, Complex]:
    """Solve by sparse elimination: the shortest row next, its pivot in the shortest column that is not tiny."""
    rows = {key: {c: v for c, v in row.items() if v != ZERO} for key, row in rows.items()}
    right = {key: right.get(key, ZERO) for key in rows}
    first = {key: max(map(size, row.values()), default=Decimal(0)) for key, row in rows.items()}
    columns: dict[str, set] = {}
    for key, row in rows.items():
        for column in row:
            columns.setdefault(column, set()).add(key)
    done = []
    while rows:
        key = min(rows, key=lambda k: len(rows[k]))
        row = rows.pop(key)
        column = _pivot(row, columns, first[key], key)
        done.append((column, row, right[key]))
        for other in row:
            columns[other].discard(key)
        for below in list(columns[column]):
            right[below] = _subtract(rows[below], row, column, right[below], right[key], columns, below)
    return _substitute(done)


def _pivot(row: dict, columns: dict[str, set], first: Decimal, key: str) -> str:
    largest = max(map(size, row.values()), default=Decimal(0))
    if largest <= first * Decimal("1e-35"):
        raise Singular(f"the equation of {key} follows from the others")
    return min((c for c, v in row.items() if size(v) >= largest * Decimal("1e-6")), key=lambda c: len(columns[c]))


def _subtract(target: dict, row: dict, column: str, old: Complex, by: Complex, columns: dict, key: str) -> Complex:
    """Free one row of one unknown; returns its new right-hand side."""
    p, q = over(target[column], row[column])
    for c, (x, y) in row.items():
        if c in target:
            a, b = target[c]
            target[c] = (a - (p * x - q * y), b - (p * y + q * x))
        else:
            target[c] = (q * y - p * x, -(p * y + q * x))
            columns[c].add(key)
    del target[column]
    return minus(old, times((p, q), by))


def _substitute(done: list[tuple[str, dict, Complex]]) -> dict[str, Complex]:
    found: dict[str, Complex] = {}
    for column, row, value in reversed(done):
        for other, factor in row.items():
            if other != column:
                value = minus(value, times(factor, found[other]))
        found[column] = over(value, row[column])
    return found


# complex numbers as pairs


def plus(a: Complex, b: Complex) -> Complex:
    return a[0] + b[0], a[1] + b[1]


def minus(a: Complex, b: Complex) -> Complex:
    return a[0] - b[0], a[1] - b[1]


def times(a: Complex, b: Complex) -> Complex:
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def scaled(a: Complex, factor: Decimal | int) -> Complex:
    return a[0] * factor, a[1] * factor


def over(a: Complex, b: Complex) -> Complex:
    square = b[0] * b[0] + b[1] * b[1]
    return (a[0] * b[0] + a[1] * b[1]) / square, (a[1] * b[0] - a[0] * b[1]) / square


def size(a: Complex) -> Decimal:
    return abs(a[0]) + abs(a[1])
