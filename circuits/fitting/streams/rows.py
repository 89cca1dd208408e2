"""A row of the table for each board, as text that gives every number back exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from circuits.fitting.result import Fit
from circuits.fitting.stopping import SENTENCES

GOOD = "explains the data"
REFUSED = "not fitted"

Row = list[str]


def header(names: Sequence[str]) -> Row:
    """The names of the columns: each fitted value in SI units, beside it one standard error.

    >>> header(["R"])
    ['board', 'R', 'R_sigma', 'loss', 'steps', 'verdict', 'reason']
    """
    pairs = [column for name in names for column in (name, f"{name}_sigma")]
    return ["board", *pairs, "loss", "steps", "verdict", "reason"]


def refused(name: str, values: int, reason: str) -> Row:
    """The row of a board that could not be read or fitted.

    >>> refused("a.csv", 1, "no table")
    ['a.csv', '', '', '', '', 'not fitted', 'no table']
    """
    return [name, *[""] * (2 * values + 2), REFUSED, " ".join(reason.split())]


def fitted(names: Sequence[str], result: Fit) -> list[Row]:
    """The rows of all boards of a fit, in its order; `names` are those of the boards."""
    columns: list[list[float]] = []
    for name in result.values:
        columns += [result.values[name].tolist(), result.errors[name].tolist()]
    numbers = zip(*columns, result.loss.tolist(), strict=True)
    return [
        [board, *map(repr, row), str(steps), verdict, ""]
        for board, row, steps, verdict in zip(names, numbers, result.steps.tolist(), verdicts(result), strict=True)
    ]


def verdicts(result: Fit) -> list[str]:
    """In plain words: whether each board arrived, explains its data, and is determined by them."""
    said = np.full(len(result.end), GOOD, dtype=object)
    loose = np.stack([~torch.isfinite(error).numpy(force=True) for error in result.errors.values()], -1)
    names = list(result.errors)
    for row in np.flatnonzero(loose.any(-1)):
        said[row] = f"explains the data, which do not determine {', '.join(np.compress(loose[row], names))}"
    said[~result.explains.numpy(force=True)] = "does not explain the data"
    for row in np.flatnonzero(~result.converged.numpy(force=True)):
        said[row] = f"did not converge: {SENTENCES.get(str(result.reason[row]), result.reason[row])}"
    return said.tolist()
