"""The truth about roots: det(G + sC) as a polynomial in hundreds of digits, from the entries of a formulation."""

from __future__ import annotations

from collections.abc import Mapping

import mpmath
from mpmath import mp

from circuits.netlist.elements import Netlist
from circuits.netlist.formulation import Formulation
from netlist.oracles.building import numbers

DIGITS = 400
RADIUS = 10**6


def exact_roots(netlist: Netlist, made: Formulation) -> list[complex]:
    """Every root of the determinant, those at zero included; values are plain numbers."""
    with mp.workdps(DIGITS):
        G, C = _matrices(netlist, made)
        points = [RADIUS * mpmath.expjpi(mpmath.mpf(2) * k / (G.rows + 1)) for k in range(G.rows + 1)]
        values = [_determinant(G + C * s) for s in points]
        turned = [
            sum(v * mpmath.expjpi(-mpmath.mpf(2) * j * k / len(points)) for k, v in enumerate(values)) / len(points)
            for j in range(len(points))
        ]
        size = max(map(abs, turned)) * mpmath.mpf(10) ** (80 - DIGITS)
        there = [j for j, value in enumerate(turned) if abs(value) > size]
        low, high = there[0], there[-1]
        coefficients = [mpmath.re(turned[j]) / mpmath.mpf(RADIUS) ** j for j in range(high, low - 1, -1)]
        found = mpmath.polyroots(coefficients, maxsteps=2000, extraprec=400) if high > low else []
        return [0j] * low + [complex(root) for root in found]


def _matrices(netlist: Netlist, made: Formulation):
    known: Mapping[str, mpmath.mpf] = {name: mpmath.mpf(value) for name, value in numbers(netlist).items()}
    laws = {"direct": lambda a: a, "reciprocal": lambda a: 1 / a, "mutual": lambda k, a, b: k * mpmath.sqrt(a * b)}
    n = len(made.unknowns)
    G, C = mpmath.zeros(n), mpmath.zeros(n)
    for e in made.entries:
        law = made.real_laws[e.law]
        y = laws[law.name](*(known[value.name] for value in law.values))  # type: ignore[union-attr]
        for row, a in ((e.rp, 1), (e.rm, -1)):
            for column, b in ((e.cp, 1), (e.cm, -1)):
                if row < n and column < n:
                    (C if e.exponent else G)[row, column] += a * b * e.scale * y
    for row, column, value in made.terms:
        if column < n:
            G[row, column] += value
    return G, C


def _determinant(matrix):
    matrix, total = matrix.copy(), mpmath.mpf(1)
    n = matrix.rows
    for k in range(n):
        pivot = max(range(k, n), key=lambda i: abs(matrix[i, k]))
        if matrix[pivot, k] == 0:
            return mpmath.mpf(0)
        if pivot != k:
            total = -total
            for j in range(n):
                matrix[k, j], matrix[pivot, j] = matrix[pivot, j], matrix[k, j]
        total *= matrix[k, k]
        for i in range(k + 1, n):
            factor = matrix[i, k] / matrix[k, k]
            if factor != 0:
                for j in range(k, n):
                    matrix[i, j] -= factor * matrix[k, j]
    return total
