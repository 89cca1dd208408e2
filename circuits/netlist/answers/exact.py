"""The equations of a netlist over a finite field: the values as they are written, everything else drawn at random."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from circuits.netlist.answers import finite_field
from circuits.netlist.elements import Netlist
from circuits.netlist.expressions import Expression, evaluate
from circuits.netlist.formulation import Formulation, Law
from circuits.netlist.laws import COMPLEX, REAL

Known = Mapping[str, "float | Tensor"]


class ExactValues:
    """q and z of the entries of a formulation as elements of a field, for the first board.

    A coupled inductance that is no square in the field is replaced by one drawn at random, so that the mutual one,
    k·√(L1·L2), is an element too; inductances whose ratio is the square of a rational number keep that ratio.
    """

    def __init__(self, netlist: Netlist, known: Known, prime: int, *, seed: int = 0, at_zero: bool = False):
        self.known, self.prime, self.at_zero = known, prime, at_zero
        self.chance = random.Random(seed)
        elements = {e.name: e for e in netlist.elements}
        coupled = {name for e in netlist.elements if e.kind == "K" for name in e.controls}
        self.roots: dict[Expression, int] = {}
        bases: dict[Fraction, int] = {}
        for expression in dict.fromkeys(elements[name].values["value"] for name in sorted(coupled)):
            self.roots[expression] = self._root(finite_field.as_written(_first(evaluate(expression, known))), bases)
        self.halves: dict[object, int] = {}

    def drawn(self) -> int:
        """A random element that is not zero."""
        return self.chance.randrange(1, self.prime)

    def _root(self, value: Fraction, bases: dict[Fraction, int]) -> int:
        """√value, drawn where the field has none; by the ratio to a base where that is a square."""
        if value <= 0:
            return 0 if value == 0 else self.drawn()
        for base, root in bases.items():
            ratio = value / base
            numerator, denominator = math.isqrt(ratio.numerator), math.isqrt(ratio.denominator)
            if (numerator**2, denominator**2) == (ratio.numerator, ratio.denominator):
                return root * numerator * pow(denominator, -1, self.prime) % self.prime
        square = finite_field.element(float(value), self.prime)
        root = pow(square, (self.prime + 1) // 4, self.prime)  # the primes are 3 modulo 4
        bases[value] = root if root * root % self.prime == square else self.drawn()
        return bases[value]

    def of(self, law: Law) -> int:
        """The value of a law."""
        if law.name == "mutual":
            k, *inductances = law.values
            return self._number(k) * self.roots[inductances[0]] * self.roots[inductances[1]] % self.prime
        if law.name.startswith("line_"):
            return self._line(law)
        if law.name not in ("direct", "reciprocal"):
            if not self.at_zero:
                return self.drawn()
            return pow(self._number(law.values[0]), -1, self.prime) if law.name == "warburg_short" else 0
        root = self.roots.get(law.values[0])
        value = self._number(law.values[0]) if root is None else root * root % self.prime
        return value if law.name == "direct" else pow(value, -1, self.prime)

    def _line(self, law: Law) -> int:
        """sinh(s·td/2) or cosh(s·td/2) from a random exponential, one for each delay; 0 and 1 at 0 Hz."""
        half = 1 if self.at_zero else self.halves.setdefault(law.values[-1], self.drawn())
        sign = -1 if law.name.startswith("line_sine") else 1
        value = (half + sign * pow(half, -1, self.prime)) * pow(2, -1, self.prime) % self.prime
        return value * self._number(law.values[0]) % self.prime if law.name.endswith("_ohms") else value

    def _number(self, expression: Expression) -> int:
        return finite_field.element(_first(evaluate(expression, self.known)), self.prime)


def _first(value: float | Tensor) -> float:
    """A number, that of the first board where there are many."""
    return float(value.detach().reshape(-1)[0]) if isinstance(value, Tensor) else float(value)


@dataclass(frozen=True)
class ExactPencil:
    """G, C and the sources b of a lumped netlist modulo `finite_field.SMALL`."""

    matrices: tuple[np.ndarray, np.ndarray]
    b: np.ndarray

    def bordered(self, functional: Mapping[int, float]) -> tuple[np.ndarray, np.ndarray]:
        """[[G, −b], [wᵀ, 0]] and [[C, 0], [0, 0]] for what is read, w."""
        G, C = (np.pad(matrix, (0, 1)) for matrix in self.matrices)
        G[:-1, -1] = -self.b % finite_field.SMALL
        for index, value in functional.items():
            G[-1, index] = (G[-1, index] + int(value)) % finite_field.SMALL
        return G, C


def exact_pencil(
    netlist: Netlist, made: Formulation, known: Known, strengths: Mapping[str, Tensor] | None = None
) -> ExactPencil:
    """The pencil of a formulation without rails and without powers of s other than 0 and 1."""
    prime, n = finite_field.SMALL, len(made.unknowns)
    exact = ExactValues(netlist, known, prime)
    values = [exact.of(law) for law in made.real_laws]
    matrices = []
    for power in (0, 1):
        terms = made.terms if power == 0 else []
        matrix = np.zeros((n, n), np.int64)
        for row, column, value in _places(made, [e for e in made.entries if e.exponent == power], values, (), terms):
            matrix[row, column] = (matrix[row, column] + value) % prime
        matrices.append(matrix)
    b = np.zeros(n, np.int64)
    for name, strength in (strengths or {}).items():
        first = complex(strength.detach().reshape(-1)[0])
        size = finite_field.element(first.real, prime) if first.imag == 0 else exact.drawn()
        for row, factor in made.sources[name]:
            b[row] = (b[row] + int(factor) * size) % prime
    return ExactPencil((matrices[0], matrices[1]), b)


def exact_rows(
    netlist: Netlist, made: Formulation, known: Known, *, at_zero: bool = False, seed: int = 0
) -> list[dict[int, int]]:
    """The rows of the matrix modulo `finite_field.LARGE` at a random s, or at s = 0; sparse, by unknown."""
    prime, n = finite_field.LARGE, len(made.unknowns)
    exact = ExactValues(netlist, known, prime, seed=seed, at_zero=at_zero)
    real, other = ([exact.of(law) for law in laws] for laws in (made.real_laws, made.complex_laws))
    s = 0 if at_zero else exact.drawn()
    powers = {0: 1, 1: s, -1: 0 if at_zero else pow(s, -1, prime)}
    rows: list[dict[int, int]] = [{} for _ in range(n)]
    for row, column, value in _places(made, made.entries, real, other, made.terms, powers):
        rows[row][column] = (rows[row].get(column, 0) + value) % prime
    return rows


def numeric_places(made: Formulation, known: Known, f: float) -> tuple[list[int], list[int], list[complex]]:
    """Rows, columns and values of all that adds up to the matrix at one frequency in hertz, in floating point."""
    s, at = 2j * math.pi * f, torch.tensor([f], dtype=torch.float64)
    real = [complex(REAL[law.name](*_numbers(law, known))) for law in made.real_laws]
    other = [
        complex(COMPLEX[law.name](at, *torch.tensor(_numbers(law, known), dtype=torch.float64)))
        for law in made.complex_laws
    ]
    rows, columns, values = zip(
        *_places(made, made.entries, real, other, made.terms, {0: 1, 1: s, -1: 1 / s}), strict=True
    )
    return list(rows), list(columns), list(values)


def _numbers(law: Law, known: Known) -> list[float]:
    return [_first(evaluate(value, known)) for value in law.values]


def _places(
    made: Formulation, entries, real: Sequence, other: Sequence, terms, powers: Mapping | None = None
) -> Iterator[tuple[int, int, Any]]:
    """Row, column and value of all that adds up to the matrix, signs included."""
    n = len(made.unknowns)
    for e in entries:
        value = (other if e.is_complex else real)[e.law] * (powers[e.exponent] if powers else 1) * int(e.scale)
        for row, a in ((e.rp, 1), (e.rm, -1)):
            for column, b in ((e.cp, 1), (e.cm, -1)):
                if row < n and column < n:
                    yield row, column, a * b * value
    for row, column, value in terms:
        if column < n:
            yield row, column, int(value)
