"""Which steps of a long walk are worth stopping at."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def key_steps(x: Array, limit: int) -> Array:
    """At most `limit` steps of a walk `(steps + 1, p)`, the first and the last always among them, in rising order.

    Half of them are spread evenly along the path walked (every coordinate weighed by its range), half evenly in
    log(1 + step): neither a fast beginning nor a long crawl is lost.

    >>> key_steps(np.linspace(0, 1, 100_001)[:, None], 8).tolist()
    [0, 26, 666, 7834, 25990, 49046, 74040, 100000]
    """
    last = len(x) - 1
    if last < limit:
        return np.arange(last + 1)
    x = np.where(np.isfinite(x), x, np.nan)
    with np.errstate(all="ignore"):
        low, high = np.nanpercentile(x[:: max(last // 4096, 1)], [0, 100], axis=0)
        moved = np.nan_to_num(np.abs(np.diff(x, axis=0)) / np.where(high > low, high - low, np.inf))
    path = np.concatenate([[0.0], np.cumsum(np.minimum(moved, 1.0).sum(-1))])
    path = path / path[-1] if path[-1] > 0 else path
    along = path + np.log1p(np.arange(last + 1)) / np.log1p(last)
    picked = np.searchsorted(along, np.linspace(0.0, along[-1], limit))
    picked = np.unique(np.minimum(picked, last))
    rest = np.setdiff1d(np.arange(last + 1), picked, assume_unique=True)  # room is left where both picked the same
    more = rest[np.linspace(0, len(rest) - 1, limit - len(picked)).astype(int)]
    return np.union1d(picked, more)
