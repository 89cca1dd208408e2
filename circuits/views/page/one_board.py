"""One board of a batch as a fit of its own, so that every table is made in one way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.errors import OptionError
from circuits.fitting.result import Fit
from circuits.fitting.saved import SavedFit


def alone(fit: Fit | SavedFit, board: int) -> Fit | SavedFit:
    """The account of one board; a fit of a single board is that already.

    Raises:
        OptionError: no such board.

    >>> import circuits as cc
    >>> data = cc.simulate(cc.LowPass([200.0, 300.0]), cc.log_grid(60, 10.0, 1e5))
    >>> found = alone(cc.fit(cc.LowPass([500.0, 500.0]), data), 1)
    >>> round(float(found.values["R"]), 6), tuple(found.batch_shape)
    (300.0, ())
    """
    boards = fit.batch_shape.numel()
    if not 0 <= board < boards:
        raise OptionError(f"no board {board}; expected 0 to {boards - 1}")
    if not fit.batch_shape:
        return fit
    history = fit.history
    if history is not None:
        row = slice(board, board + 1)
        history = replace(
            history, values=history.values[:, row], loss=history.loss[:, row], gradient=history.gradient[:, row]
        )
    together = len(fit.batch_shape)
    return SavedFit(
        circuit=fit.circuit
        if isinstance(fit.circuit, Circuit)
        else None,  # of the whole batch: the views are told which board
        model_name=fit.model_name,
        units=fit.units,
        moved=fit.moved,
        held=fit.held,
        loss_name=fit.loss_name,
        names=fit.names,
        batch_shape=torch.Size(),
        values=_numbers(fit.values, board),
        errors=_numbers(fit.errors, board),
        intervals=None if fit.intervals is None else {n: v.flatten(0, -2)[board] for n, v in fit.intervals.items()},
        covariance=fit.covariance.flatten(0, together - 1)[board],
        correlation=fit.correlation.flatten(0, together - 1)[board],
        cutoffs={name: (_one(f, board), _one(error, board)) for name, (f, error) in fit.cutoffs.items()},
        identifiability=fit.identifiability[board],
        loss=_one(fit.loss, board).item(),
        steps=_one(fit.steps, board).item(),
        reason=str(np.asarray(fit.reason).reshape(-1)[board]),
        converged=bool(_one(fit.converged, board)),
        explains=bool(_one(fit.explains, board)),
        misfit=fit.misfit[board],
        notes=fit.notes,
        seconds=fit.seconds,
        history=history,
    )


def _numbers(named: dict[str, Tensor], board: int) -> dict[str, Tensor]:
    return {name: _one(value, board) for name, value in named.items()}


def _one(numbers: Any, board: int) -> Tensor:
    """The number of one board; one that all boards share serves each."""
    flat = torch.as_tensor(numbers).detach().reshape(-1)
    return flat[board if len(flat) > 1 else 0]
