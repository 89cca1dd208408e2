"""Minima of a loss that is known on a grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

SHALLOW = 1e-4
"""Depth, as a share of the height of the whole grid, below which a dip counts as rounding, or as a plateau."""


def grid_minima(loss: Any, most: int = 6) -> list[tuple[int, ...]]:
    """Indices of the separate minima of a grid, the deepest first.

    A point counts when no neighbour is lower and every way to a lower point leads at least `SHALLOW` of the height of
    the grid uphill; of a flat floor one point stands for all. A point at the rim is a minimum of the grid, not of the
    loss, and does not count unless it is the deepest.

    Args:
        loss: a grid of one or two axes; points that are not finite count as infinitely high.
        most: how many to return.

    >>> grid_minima([3.0, 1.0, 2.0, 0.0, 4.0])
    [(3,), (1,)]
    """
    table, tolerance = _heights(loss)
    if not np.isfinite(table).any():
        return []
    lowest = table == ndimage.minimum_filter(table, size=3, mode="nearest")
    found: list[tuple[int, ...]] = []
    for flat in np.argsort(np.where(lowest, table, np.inf), axis=None, kind="stable")[: lowest.sum()]:
        at = tuple(int(i) for i in np.unravel_index(flat, table.shape))
        if found and (len(found) == most or _is_at_rim(at, table.shape) or _is_connected(table, at, found, tolerance)):
            continue
        found.append(at)
    return found


def is_open(loss: Any, at: tuple[int, ...]) -> bool:
    """Whether the floor around a minimum of the grid runs to the rim, so that no single point of it is the lowest.

    >>> is_open([3.0, 1.0, 2.0], (1,)), is_open([3.0, 1.0, 1.0], (1,)), is_open([3.0, 2.0, 1.0], (2,))
    (False, True, True)
    """
    pool = floor_of(loss, at)
    inside = np.zeros_like(pool)
    inside[(slice(1, -1),) * pool.ndim] = True
    return bool((pool & ~inside).any())


def floor_of(loss: Any, at: tuple[int, ...]) -> np.ndarray:
    """The points that can be reached from a minimum without climbing more than `SHALLOW` of the height of the grid."""
    table, tolerance = _heights(loss)
    return _pool(table, at, tolerance)


def _heights(loss: Any) -> tuple[np.ndarray, float]:
    """The grid with infinity where a number is missing, and the rise that does not count."""
    table = np.nan_to_num(np.asarray(loss, dtype=float), nan=np.inf, posinf=np.inf)
    finite = table[np.isfinite(table)]
    return table, SHALLOW * float(np.ptp(finite)) if len(finite) else 0.0


def _pool(table: np.ndarray, at: tuple[int, ...], tolerance: float) -> np.ndarray:
    labelled: Any = ndimage.label(table <= table[at] + tolerance, structure=np.ones((3,) * table.ndim))
    return labelled[0] == labelled[0][at]


def _is_at_rim(at: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return any(i in (0, size - 1) for i, size in zip(at, shape, strict=True))


def _is_connected(table: np.ndarray, at: tuple[int, ...], lower: list[tuple[int, ...]], tolerance: float) -> bool:
    """Whether a lower minimum can be reached without climbing more than the tolerance."""
    pool = _pool(table, at, tolerance)
    return any(pool[one] for one in lower)
