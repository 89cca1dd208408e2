"""A fit as a person reads it: a table with units, what else follows from it, and a verdict."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from tabulate import tabulate
from torch import Tensor

from circuits.fitting.identifiability import Identifiability, listed
from circuits.fitting.stopping import SENTENCES
from circuits.notation import format as engineering
from circuits.notation import format_with_error

if TYPE_CHECKING:
    from circuits.fitting.result import Fit
    from circuits.fitting.saved import SavedFit

    Account = Fit | SavedFit

MOST_ROWS = 12
"""Boards, or elements of parameters, that are listed one by one; of more the first are shown."""


def describe(fit: Account) -> str:
    """The whole account of a fit, as text."""
    return _describe_batch(fit) if fit.batch_shape else _describe_one(fit)


def _describe_one(fit: Account) -> str:
    """One board, or one plain module."""
    rows, said = value_rows(fit), verdict(fit)
    warning, said = ([], said) if fit.explains else ([said[0], ""], said[1:])  # before anybody believes an error
    parts = [title(fit), "", *warning, _grid(rows[:MOST_ROWS], value_head(fit))]
    if len(rows) > MOST_ROWS:
        parts.append(f"… and {len(rows) - MOST_ROWS} more")
    corners = corner_rows(fit)
    if corners:
        parts += ["", _grid(corners, list(CORNER_HEAD))]
    return "\n".join([*parts, "", *said])


def title(fit: Account) -> str:
    """Which circuit was fitted to what, by which loss."""
    return f"{fit.model_name} by {fit.loss_name}" + (f"; held fixed: {', '.join(fit.held)}" if fit.held else "")


def value_head(fit: Account) -> list[str]:
    """The columns of `value_rows`."""
    head = ["component" if fit.units else "parameter", "value ± error"]
    return [*head, "every LED explained from … to"] if fit.intervals else head


def value_rows(fit: Account) -> list[list[str]]:
    """Name, value with error (or what is known instead), and the interval for LED data, a row each."""
    units = fit.units
    values, errors = _flat(fit.values), _flat(fit.errors)
    known = fit.identifiability
    rows = []
    for name, value, error in zip(fit.names, values, errors, strict=True):
        row = [name, written(value, error, units.get(name, ""), reason_unknown(known, name))]
        if fit.intervals:
            row.append(interval_text(fit.intervals[name], units.get(name, "")))
        rows.append(row)
    for combination in known.together:
        error = combination.value * combination.relative_error
        rows.append([combination.name, written(combination.value, error, combination.unit, "not determined")])
    return rows


def reason_unknown(known: Identifiability, name: str) -> str:
    """What to print in place of an error."""
    if name in known.invisible:
        return "not seen by these data"
    if name in known.mingled:
        return "not told apart from the others"
    inside = [c.name for c in known.together if name in c.exponents]
    if not inside:
        return "not determined"
    return f"only {listed(inside, 'and')} {'is' if len(inside) == 1 else 'are'} determined"


def written(value: float, error: float, unit: str, otherwise: str) -> str:
    """A value with its error, or without one and with the reason."""
    if unit and 0 < value < error < math.inf:
        return f"{engineering(value, unit)} (hardly determined: ± {100 * error / value:.2g} %)"
    if math.isfinite(error) and error > 0:
        return format_with_error(value, error, unit) if unit else f"{_digits(value, error)} ± {error:.2g}"
    shown = engineering(value, unit) if unit else f"{value:.9g}"
    if error == 0:
        return f"{shown} (exactly reproduced)"
    if math.isnan(error):
        return f"{shown} (no error can be estimated)"
    return f"{shown} ({otherwise})"


def _digits(value: float, error: float) -> str:
    """A plain number with as many digits as its error deserves."""
    if value == 0 or error >= abs(value):
        return f"{value:.3g}"
    return f"{value:.{min(17, 2 + math.floor(math.log10(abs(value) / error) + 1))}g}"


def interval_text(ends: Tensor, unit: str) -> str:
    """An interval of values; an end that the data do not give is left open."""
    low, high = ends.tolist()
    if math.isnan(low):
        return "—"
    if low <= 0 and math.isinf(high):
        return "anything"
    if low <= 0:
        return f"up to {engineering(high, unit, digits=5)}"
    if math.isinf(high):
        return f"{engineering(low, unit, digits=5)} or more"
    return f"{engineering(low, unit, digits=5)} … {engineering(high, unit, digits=5)}"


CORNER_HEAD = ("corner", "frequency ± error")


def corner_rows(fit: Account) -> list[list[str]]:
    """Corner frequencies with their errors, a row each."""
    return [[name, written(float(f), float(error), "Hz", "not determined")] for name, (f, error) in fit.cutoffs.items()]


def verdict(fit: Account) -> list[str]:
    """What the data say about the fit, line by line."""
    lines = [fit.misfit + ("" if fit.explains else ": this circuit does not explain these data")]
    if not fit.identifiability.complete:
        lines.append(str(fit.identifiability))
    if fit.strong_correlations:
        lines.append("nearly the same to these data: " + ", ".join(fit.strong_correlations))
    lines.append(
        f"stopped after {fit.steps} steps: {SENTENCES[fit.reason]}" + ("" if fit.converged else " (not converged)")
    )
    return lines + list(fit.notes)


def _describe_batch(fit: Account) -> str:
    """Many boards: the first ones, and how the values spread."""
    boards = fit.batch_shape.numel()
    more = [f"… and {boards - MOST_ROWS} more"] if boards > MOST_ROWS else []
    parts = [title(fit), "", _grid(board_rows(fit), ["board", *fit.values]), *more]
    return "\n".join([*parts, "", _grid(spread_rows(fit), list(SPREAD_HEAD)), "", *batch_verdict(fit)])


def board_rows(fit: Account) -> list[list[str]]:
    """The first boards of a batch: number, and every value with its error."""
    values = {n: v.reshape(-1) for n, v in fit.values.items()}
    errors = {n: e.reshape(-1) for n, e in fit.errors.items()}
    verdicts = fit.identifiability

    def cell(name: str, board: int) -> str:
        numbers = float(values[name][board]), float(errors[name][board])
        return written(*numbers, fit.units.get(name, ""), reason_unknown(verdicts[board], name))

    listed_boards = range(min(fit.batch_shape.numel(), MOST_ROWS))
    return [[str(board), *(cell(name, board) for name in values)] for board in listed_boards]


SPREAD_HEAD = ("over the boards", "lowest", "quarter", "median", "three quarters", "highest")


def spread_rows(fit: Account) -> list[list[str]]:
    """How each value spreads over the boards of a batch, in the columns of `SPREAD_HEAD`."""
    rows = []
    for name, value in fit.values.items():
        quartiles = torch.quantile(value.reshape(-1).double(), _QUARTILES.to(value.device))
        rows.append([name, *(engineering(float(q), fit.units.get(name, "")) for q in quartiles)])
    return rows


def batch_verdict(fit: Account) -> list[str]:
    """What the data say about the boards of a batch, line by line."""
    boards = fit.batch_shape.numel()
    arrived = int(torch.as_tensor(fit.converged).sum())
    explained = int(torch.as_tensor(fit.explains).sum())
    steps = np.asarray(fit.steps)
    return [
        f"{arrived} of {boards} boards converged, in {steps.min()} to {steps.max()} steps",
        f"{explained} of {boards} boards explain their data",
        *sorted({str(v) for v in fit.identifiability if not v.complete})[:3],
    ]


_QUARTILES = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0], dtype=torch.float64)


def _grid(rows: list[list], head: list[str]) -> str:
    return tabulate(rows, headers=head, tablefmt="simple", disable_numparse=True)


def _flat(named: dict[str, Tensor]) -> list[float]:
    return [float(v) for tensor in named.values() for v in tensor.reshape(-1)]
