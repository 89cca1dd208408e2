"""The pivots of the LU steps: sparse, and large enough at every sample lane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

THRESHOLD = 0.1
"""A pivot has at least this fraction of the largest number in its column, at every sample: Markowitz's rule with
threshold pivoting (I. S. Duff, A. M. Erisman, J. K. Reid, Direct Methods for Sparse Matrices, 2nd ed., 2017, ch. 7)."""

COLUMNS_LOOKED_AT = 4
"""How many of the emptiest columns are searched for a pivot."""


@dataclass(frozen=True)
class Pivot:
    """One LU step: where its pivot is, and the other columns of its row and rows of its column."""

    row: int
    column: int
    columns: tuple[int, ...]
    rows: tuple[int, ...]


def choose_pivots(matrix: dict[tuple[int, int], np.ndarray]) -> list[Pivot]:
    """The sequence of pivots for a sparse matrix given at sample lanes: `matrix[row, column]` is `(samples,)`.

    Where no entry passes the threshold at every sample, the one that does best at its worst sample is taken; the
    residual of every lane is checked later anyway.

    >>> entries = {(0, 0): 1e-9, (0, 1): 1.0, (1, 0): 1.0, (1, 1): 1.0}
    >>> [(p.row, p.column) for p in choose_pivots({place: np.array([value]) for place, value in entries.items()})]
    [(1, 0), (0, 1)]
    """
    rows, columns = _equilibrated(matrix)
    pivots = []
    while columns:
        row, column = _best(rows, columns)
        pivots.append(_eliminate(rows, columns, row, column))
    return pivots


Sparse = dict[int, dict[int, np.ndarray]]


def _equilibrated(matrix: dict[tuple[int, int], np.ndarray]) -> tuple[Sparse, dict[int, set[int]]]:
    """Rows of the matrix scaled to largest entries of one, and the rows that each column has."""
    rows: Sparse = {}
    columns: dict[int, set[int]] = {}
    for (row, column), value in matrix.items():
        rows.setdefault(row, {})[column] = value
        columns.setdefault(column, set()).add(row)
    for row, cells in rows.items():
        largest = np.max([abs(value) for value in cells.values()], axis=0)
        largest = np.where(largest > 0, largest, 1.0)
        rows[row] = {column: value / largest for column, value in cells.items()}
    for column, members in columns.items():
        largest = np.max([abs(rows[row][column]) for row in members], axis=0)
        largest = np.where(largest > 0, largest, 1.0)
        for row in members:
            rows[row][column] = rows[row][column] / largest
    return rows, columns


def _best(rows: Sparse, columns: dict[int, set[int]]) -> tuple[int, int]:
    """The acceptable entry of least (row count − 1)(column count − 1) among the emptiest columns."""
    best, fallback = None, None
    emptiest = sorted(columns, key=lambda column: (len(columns[column]), column))
    for looked, column in enumerate(emptiest):
        members = sorted(columns[column])
        sizes = np.array([abs(rows[row][column]) for row in members])
        largest = sizes.max(axis=0)
        worst = (sizes / np.where(largest > 0, largest, 1.0)).min(axis=1) * (largest > 0).all()
        for row, quality in zip(members, worst, strict=True):
            cost = (len(rows[row]) - 1) * (len(members) - 1)
            if quality >= THRESHOLD and (best is None or (cost, -quality) < best[0]):
                best = ((cost, -quality), row, column)
            if fallback is None or quality > fallback[0]:
                fallback = (quality, row, column)
        if best is not None and (looked + 1 >= COLUMNS_LOOKED_AT or best[0][0] <= (len(members) - 1) ** 2):
            break
    chosen = best or fallback
    return chosen[1], chosen[2]  # type: ignore[index]  # there is a column, and it has a row


def _eliminate(rows: Sparse, columns: dict[int, set[int]], row: int, column: int) -> Pivot:
    """Carry the step out at the samples."""
    pivot_row = rows.pop(row)
    pivot = pivot_row.pop(column)
    pivot = np.where(pivot == 0, 1.0, pivot)
    below = sorted(columns.pop(column) - {row})
    for other in pivot_row:
        columns[other].discard(row)
    for i in below:
        cells = rows[i]
        factor = cells.pop(column) / pivot
        for j, value in pivot_row.items():
            if j in cells:
                cells[j] = cells[j] - factor * value
            else:
                cells[j] = -factor * value
                columns[j].add(i)
    return Pivot(row, column, tuple(sorted(pivot_row)), tuple(below))
