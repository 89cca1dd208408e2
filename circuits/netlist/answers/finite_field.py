"""Exact linear algebra modulo a prime: which equations are singular, and how, decided without a tolerance.

A number as written, such as 0.3, is a ratio of integers and so an element of the field; what has no such form (a
square root, a delay, a frequency) is drawn at random, since a property that holds for every frequency holds there too,
and one that fails is missed with a probability of about n/prime (J. T. Schwartz, J. ACM 27 (1980) 701). Singular is
then exactly that: no rounding hides it, and no bad scaling looks like it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np

LARGE = 2**61 - 1
"""For sparse rows of Python integers."""
SMALL = 2**31 - 1
"""For dense arrays, where the product of two elements fits 64 bits."""


class SingularPencil(Exception):
    """det(A + sB) is zero for every s."""


def element(value: float, prime: int) -> int:
    """A decimal number as an element of the field: 0.3 is 3/10.

    >>> (element(0.3, LARGE) * 10 - 3) % LARGE
    0
    """
    exact = as_written(value)
    return exact.numerator * pow(exact.denominator, -1, prime) % prime


def as_written(value: float) -> Fraction:
    """The decimal number that a float stands for.

    >>> as_written(0.3)
    Fraction(3, 10)
    """
    return Fraction(Decimal(repr(float(value))))


def null_vector(rows: Sequence[dict[int, int]], size: int, prime: int = LARGE) -> dict[int, int] | None:
    """A vector x ≠ 0 with A x = 0 for a square matrix of sparse rows, or None where there is none.

    Elimination takes the shortest row next, and in it the column that fewest others have.

    >>> null_vector([{0: 1, 1: 2}, {0: 2, 1: 4}], 2, prime=101)  # −2 and 1
    {1: 1, 0: 99}
    """
    left = {i: {j: v for j, v in row.items() if v} for i, row in enumerate(rows)}
    columns: dict[int, set[int]] = {j: set() for j in range(size)}
    for i, row in left.items():
        for j in row:
            columns[j].add(i)
    done: list[tuple[int, dict[int, int]]] = []
    waiting = set(left)
    by_length: dict[int, set[int]] = {}
    for i, row in left.items():
        by_length.setdefault(len(row), set()).add(i)
    while waiting:
        shortest = next(length for length in range(size + 1) if by_length.get(length))
        i = by_length[shortest].pop()
        waiting.discard(i)
        row = left.pop(i)
        for j in row:
            columns[j].discard(i)
        if not row:
            continue
        pivot = min(row, key=lambda j: len(columns[j]))
        inverse = pow(row[pivot], -1, prime)
        row = {j: v * inverse % prime for j, v in row.items()}
        done.append((pivot, row))
        for k in columns.pop(pivot):
            by_length[len(left[k])].discard(k)
            _subtract(left[k], row, pivot, columns, k, prime)
            by_length.setdefault(len(left[k]), set()).add(k)
    free = set(range(size)) - {pivot for pivot, _ in done}
    return min((_back(done, j, prime) for j in sorted(free)[:8]), key=len) if free else None


def _subtract(target: dict[int, int], row: dict[int, int], pivot: int, columns, index: int, prime: int) -> None:
    """Free one row of the pivot's column."""
    factor = target.pop(pivot)
    for j, v in row.items():
        if j == pivot:
            continue
        value = (target.get(j, 0) - factor * v) % prime
        if value:
            target[j] = value
            columns[j].add(index)
        elif j in target:
            del target[j]
            columns[j].discard(index)


def _back(done: list[tuple[int, dict[int, int]]], free: int, prime: int) -> dict[int, int]:
    """The null vector with 1 at a free column and 0 at the others."""
    x = {free: 1}
    for pivot, row in reversed(done):
        value = -sum(v * x[j] for j, v in row.items() if j in x) % prime
        if value:
            x[pivot] = value
    return x


def deflation_ranks(A: np.ndarray, B: np.ndarray) -> tuple[list[int], list[int]]:
    """How many infinite and zero eigenvalues a pencil A + sB has, as the sizes that deflation steps down to.

    While B is singular, of rank r, the rows of A that B has nothing in are constraints, and the pencil on the vectors
    that obey them is of size r (P. Van Dooren, Linear Algebra Appl. 27 (1979) 103). First for the infinite eigenvalues,
    then, A and B exchanged, for those at zero.

    Args:
        A, B: square arrays of elements modulo `SMALL`.

    Raises:
        SingularPencil: the determinant is zero for every s.

    >>> deflation_ranks(np.array([[1, 0], [0, 1]]), np.array([[1, 0], [0, 0]]))
    ([1], [])
    """
    A, B = A.astype(np.int64) % SMALL, B.astype(np.int64) % SMALL
    infinite, zero = [], []
    for sizes in (infinite, zero):
        while len(A):
            both, rank = row_reduced(np.concatenate([B, A], 1), len(A))
            if rank == len(A):
                break
            B, A, constraints = both[:rank, : len(A)], both[:rank, len(A) :], both[rank:, len(A) :]
            allowed = _null_space(constraints)
            if allowed.shape[1] != rank:
                raise SingularPencil
            A, B = product(A, allowed), product(B, allowed)
            sizes.append(rank)
        A, B = B, A
    return infinite, zero


def row_reduced(matrix: np.ndarray, width: int) -> tuple[np.ndarray, int]:
    """Reduced row echelon form with respect to the first `width` columns, and their rank."""
    matrix, rank = matrix.copy(), 0
    for column in range(width):
        found = np.flatnonzero(matrix[rank:, column])
        if not len(found):
            continue
        pivot = rank + int(found[0])
        matrix[[rank, pivot]] = matrix[[pivot, rank]]
        matrix[rank] = matrix[rank] * pow(int(matrix[rank, column]), -1, SMALL) % SMALL
        others = np.flatnonzero(matrix[:, column])
        others = others[others != rank]
        matrix[others] = (matrix[others] - matrix[others, column][:, None] * matrix[rank] % SMALL) % SMALL
        rank += 1
        if rank == len(matrix):
            break
    return matrix, rank


def product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The product of two matrices of elements, one column of the left at a time so that nothing overflows."""
    total = np.zeros((left.shape[0], right.shape[1]), np.int64)
    for k in range(left.shape[1]):
        rows = np.flatnonzero(left[:, k])
        if len(rows):
            total[rows] = (total[rows] + left[rows, k][:, None] * right[k] % SMALL) % SMALL
    return total


def _null_space(matrix: np.ndarray) -> np.ndarray:
    """A basis of the vectors that a matrix takes to zero, in columns."""
    width = matrix.shape[1]
    reduced, rank = row_reduced(matrix, width)
    pivots = [int(np.flatnonzero(row)[0]) for row in reduced[:rank]]
    free = [j for j in range(width) if j not in set(pivots)]
    basis = np.zeros((width, len(free)), np.int64)
    basis[free, range(len(free))] = 1
    basis[pivots] = (-reduced[:rank][:, free]) % SMALL
    return basis
