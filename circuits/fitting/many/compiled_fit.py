"""One fit, made once and called again and again: new values at the same frequencies, answered in microseconds."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from circuits.errors import DataError, OptionError, ShapeError
from circuits.fitting.learnable import Fixed
from circuits.fitting.many.boards import Boards, compiled
from circuits.fitting.many.kernel import REASONS
from circuits.fitting.methods import LevenbergMarquardt
from circuits.fitting.movement import Bounds, How
from circuits.fitting.problem import Problem
from circuits.fitting.setup import Data, make_problem
from circuits.fitting.stopping import CONVERGED, Stop


@dataclass(frozen=True)
class Answer:
    """What a compiled fit found.

    `values` in SI units by dotted name, `loss`, `steps` and `reason`: numbers for one board, arrays `(boards,)` for
    many.
    """

    values: dict[str, Any]
    loss: Any
    steps: Any
    reason: Any

    @property
    def converged(self) -> Any:
        """Whether the fit arrived, rather than being ended."""
        return np.isin(self.reason, CONVERGED) if isinstance(self.reason, np.ndarray) else self.reason in CONVERGED


class CompiledFit:
    """See `compile_fit`."""

    def __init__(self, problem: Problem, boards: Boards):
        self.names = problem.model.names
        self._boards = boards
        self._start = problem.start().numpy()[0]
        self._log = np.broadcast_to(np.asarray(problem.coordinates.log), self._start.shape)
        self._all_log, self._p = bool(self._log.all()), len(self.names)
        self._shape = tuple(problem.target.shape[1:])
        self._is_complex = problem.target.is_complex()
        self._call, self._alive = boards.call_of_one()

    def __call__(self, values: Any) -> Answer:
        """Fit the circuit to new values at the frequencies it was made for, from the same start.

        Args:
            values: `(n,)`, `(k, n)` of a circuit with k outputs, or with boards in front of that.

        Raises:
            ShapeError: another number of points or outputs. DataError: values that are missing or not finite.
        """
        table = np.ascontiguousarray(values, dtype=complex if self._is_complex else float)
        if table.shape == self._shape and not self._is_complex:
            return self._one(table)
        inner = table.shape[table.ndim - len(self._shape) :]
        if inner != self._shape or table.ndim > len(self._shape) + 1:
            raise ShapeError(f"values of shape {table.shape}; expected {self._shape}, or boards in front of that")
        many = self._many(table.reshape(-1, *self._shape))
        if table.ndim > len(self._shape):
            return many
        values = {name: one[0].item() for name, one in many.values.items()}
        return Answer(values, many.loss[0].item(), many.steps[0].item(), many.reason[0])

    def _one(self, table: np.ndarray) -> Answer:
        """One real board, with as little around the kernel as can be."""
        call, (x, loss, steps, reason) = self._call, self._alive
        x[:] = self._start
        call.t = table.ctypes.data
        self._boards.kernel.library.ohmgrad_fit(ctypes.byref(call))
        if reason[0] == 1:
            raise DataError("values that are missing or not finite; leave those points out, or use circuits.fit")
        found = np.exp(x) if self._all_log else np.where(self._log, np.exp(x), x)
        return Answer(dict(zip(self.names, found.tolist(), strict=True)), loss.item(), steps.item(), REASONS[reason[0]])

    def _many(self, table: np.ndarray) -> Answer:
        if not np.isfinite(table.sum()) and not np.isfinite(table).all():
            raise DataError("values that are missing or not finite; leave those points out, or use circuits.fit")
        x, loss, steps, reason = self._boards.run_on(table, self._start)
        found = np.where(self._log, np.exp(x), x)
        names = np.array(REASONS, dtype=object)[reason]
        return Answer(dict(zip(self.names, found.T, strict=True)), loss, steps, names)


def compile_fit(
    circuit: nn.Module,
    data: Data,
    loss: Any = None,
    *,
    coordinates: How = None,
    stop: Stop | None = None,
    bounds: Bounds = None,
    fixed: Fixed = None,
    tied: Mapping[str, str] | None = None,
) -> CompiledFit:
    """Make a fit that is called again and again with new values: at a bench that measures all day, or in a loop.

    The formula of the circuit and of the loss becomes a program in C, which takes about a second the first time and is
    kept for the next process. A call starts where the circuit stands now and leaves the circuit alone. It takes the
    steps of `fit` by Levenberg–Marquardt, without its second look from other starts.

    Args:
        circuit: one board; it is not changed.
        data: measurements whose frequencies, quantity and σ all later ones share, or a pair (f, values).
        loss, coordinates, stop, bounds, fixed, tied: as in `fit`.

    Raises:
        OptionError: no C compiler, or a circuit or loss whose formula cannot be learned.
        What `fit` raises for data and options.

    >>> import circuits as cc
    >>> f = cc.log_grid(100, 10.0, 1e5)
    >>> again = compile_fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), f))
    >>> round(again(cc.LowPass(330.0)(f).detach()).values["R"], 6)
    330.0
    """
    problem = make_problem(circuit, data, loss, coordinates=coordinates, bounds=bounds, fixed=fixed, tied=tied)
    if problem.boards > 1 or len(problem.loss.stages()) > 1:
        raise OptionError("compile_fit takes one board and a loss without stages; use circuits.fit(…, compile=True)")
    problem = problem.with_loss(problem.loss.stages()[0])
    method = LevenbergMarquardt()
    stop = stop or method.default_stop(problem.target.dtype.to_real())
    kernel = compiled(problem, method, stop, problem.start(), True)
    if kernel is None:
        raise OptionError(
            "this fit cannot be compiled: there is no C compiler, or the formula of the circuit or of the loss cannot "
            "be learned; use circuits.fit"
        )
    return CompiledFit(problem, Boards(problem, kernel, method, stop))
