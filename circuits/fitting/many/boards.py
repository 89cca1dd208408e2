"""Many boards of one circuit by compiled code: which problems it serves, and what comes back.

Every board walks on its own, from its own start, with its own damping, until its own reason to stop: the steps of
`methods.LevenbergMarquardt`, written in C around the circuit's formula (`formula`, `emission`, `solver.c`).
"""

from __future__ import annotations

import ctypes
from typing import cast

import numpy as np
import torch
from torch import Tensor

from circuits.fitting.loop import SMALL, Outcome
from circuits.fitting.many.formula import even_loss, formula_of
from circuits.fitting.many.kernel import REASONS, Kernel, is_switched_off, kernel_of
from circuits.fitting.many.tracing import Untraceable
from circuits.fitting.methods import LevenbergMarquardt, Method
from circuits.fitting.model import CircuitModel
from circuits.fitting.problem import Problem
from circuits.fitting.progress import Bar
from circuits.fitting.quadratic import Quadratic
from circuits.fitting.stopping import Stop
from losses import LeastSquares
from losses.names import Scalar

EAGER = 40e-9
"""Seconds that a step-by-step fit takes for each number measured and each value fitted, all its steps together."""
WORTH_A_LOOK, WORTH_COMPILING = 0.03, 5.0
"""Seconds of such a fit above which a compiled formula is looked for, and above which it is compiled unasked."""
SLICE = 0.2
"""Seconds of compiled work after which Python sees an interrupt; a slice is this at a microsecond for 500 points."""
LEAST_SLICE = 64
"""Boards of a slice at least."""
ALIKE = 1e-9
"""By how much a compiled formula may differ from torch's numbers, relative to the largest of a board."""
AIMS_AT_THE_MINIMUM = 1e-4
"""Where a fit is to stop earlier than at this decrease, or for other reasons, it does not begin in single precision."""
CLOSE = 1e-3
"""The same in single precision."""
TRIED = 8
"""Boards on which the two are compared."""


def can_serve(problem: Problem, method: Method, stop: Stop) -> bool:
    """Whether the compiled way knows everything that is asked for."""
    model, coordinates = problem.model, problem.coordinates
    return (
        type(problem) is Problem  # others add up over processes, or hold a value of every board
        and isinstance(model, CircuitModel)
        and type(method) is LevenbergMarquardt
        and problem.loss.gauss_newton
        and not isinstance(problem.loss, Scalar)
        and stop.patience is None
        and stop.time is None
        and stop.steps is not None  # an endless walk in C would not hear Ctrl-C
        and problem.target.device.type == "cpu"
        and len(model.names) <= SMALL
        and (coordinates.low is None or coordinates.low.ndim == 1)
        and (not problem.loss.priors or _priors(problem) is not None)
    )


def compiled(problem: Problem, method: Method, stop: Stop, x: Tensor, wish: bool | None) -> Kernel | None:
    """The kernel for a problem, if there is one, or it may be made: `wish` True asks for it, False forbids it.

    It is compared with torch's numbers at some of the starts x `(boards, p)`.

    None leaves it to what a fit would take without: compiling takes about a second, once for a formula and machine.
    """
    if wish is False or is_switched_off() or not can_serve(problem, method, stop):
        return None
    numbers = problem.boards * problem.target[:1].numel() * len(problem.model.names)
    eager = numbers * (EAGER if isinstance(problem.active_loss, LeastSquares) else 4 * EAGER)
    if wish is None and eager < WORTH_A_LOOK:
        return None
    try:
        formula = formula_of(problem)
    except Untraceable:
        return None
    kernel = kernel_of(formula, may_compile=bool(wish) or eager > WORTH_COMPILING)
    if kernel is None:
        return None
    judged = cast(CircuitModel, problem.model).known
    if kernel.library not in judged:  # of one circuit and kind of loss, once a fit
        judged[kernel.library] = Boards(problem, kernel, LevenbergMarquardt(), stop).is_right(x)
    return kernel if judged[kernel.library] else None


class Boards:
    """A problem as arrays for the kernel."""

    def __init__(self, problem: Problem, kernel: Kernel, method: LevenbergMarquardt, stop: Stop):
        self.problem, self.kernel, self.method, self.stop = problem, kernel, method, stop
        model = cast(CircuitModel, problem.model)
        weight = _weights(problem)
        counts = torch.as_tensor(problem.count, dtype=torch.float64).reshape(-1)
        priors = _priors(problem) if problem.loss.priors else None
        low, high = problem.coordinates.low, problem.coordinates.high
        log = torch.as_tensor(problem.coordinates.log).expand(len(model.names))
        self.arrays = {
            "f": _array(model.f),
            **_targets(_planes(problem.target)),
            "w": None if weight is None else _array(weight),
            "count": _array(counts),
            "held": _array(torch.stack(model.held, -1)) if model.held else None,
            "low": None if low is None else _array(low),
            "high": None if high is None else _array(high),
            "prior_at": None if priors is None else priors[0],
            "prior_weight": None if priors is None else priors[1],
            "is_log": log.to(torch.uint8).contiguous().numpy(),
        }
        self.integers = {
            "points": model.f.shape[-1],
            "boards": problem.boards,
            "shared_f": int(model.f.ndim == 1),
            "shared_t": int(problem.target.shape[0] == 1),
            "shared_w": int(weight is not None and weight.shape[0] == 1),
            "shared_count": int(len(counts) == 1),
        }

    def run(self, x: Tensor, *, steps: int | None = None, single: bool = True) -> Outcome:
        """Fit every board from its coordinates x `(boards, p)`; `steps=0` only looks at them."""
        found = _Found(x)
        numbers, integers = self._numbers(steps), self._integers(len(x), steps, single)
        each = max(int(SLICE / (2e-9 * max(self.problem.target[:1].numel(), 1))), LEAST_SLICE)
        try:
            for first in range(0, len(x), each):
                last = min(first + each, len(x))
                self.kernel.run(self.kernel.call(integers, numbers, {**self.arrays, **found.arrays()}, first, last))
        except KeyboardInterrupt:
            found.reason[found.reason == 0] = -1
        return found.outcome(x)

    def _numbers(self, steps: int | None) -> dict[str, float]:
        stop = self.stop
        return {
            "damping": self.method.damping,
            "gradient_stop": -1.0 if stop.gradient is None else stop.gradient,
            "loss_stop": -1.0 if stop.loss is None else stop.loss,
            "decrease_stop": -np.inf if stop.decrease is None or steps == 0 else stop.decrease,
            "step_stop": -1.0 if stop.step is None else stop.step,
        }

    def _integers(self, boards: int, steps: int | None, single: bool) -> dict[str, int]:
        limit = 2**62 if self.stop.steps is None else int(self.stop.steps)
        quick = steps is None and limit > 40 and (self.stop.decrease or 1.0) <= AIMS_AT_THE_MINIMUM
        return {
            **self.integers,
            "threads": _threads(boards, self.problem.target[:1].numel()),
            "single": int(single and quick),
            "steps": limit if steps is None else steps,
        }

    def call_of_one(self) -> tuple[ctypes.Structure, tuple[np.ndarray, ...]]:
        """A call for one board, to be used again and again: only where the targets lie changes.

        The arrays are what it writes (x, loss, steps, reason); they live as long as somebody holds them.
        """
        found = _Found(torch.zeros(1, len(self.problem.model.names), dtype=torch.float64))
        integers = {**self._integers(1, None, True), "boards": 1}
        self._kept = {**self.arrays, **found.arrays(), "curvature": None, "spread": None}
        call = self.kernel.call(integers, self._numbers(None), self._kept, 0, 1)
        return call, (found.x[0], found.loss, found.taken, found.reason)

    def run_on(self, table: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, ...]:
        """Fit other boards `(boards, …points)` of the same kind, all from one start: x, loss, steps and reasons."""
        boards = len(table)
        found = _Found(torch.from_numpy(start).expand(boards, -1))
        planes = _array(_planes(torch.from_numpy(table)))
        integers = {**self._integers(boards, None, True), "boards": boards, "shared_t": 0}
        arrays = {**self.arrays, **found.arrays(), "t": planes, "curvature": None, "spread": None}
        self.kernel.run(self.kernel.call(integers, self._numbers(None), arrays, 0, boards))
        return found.x, found.loss, found.taken, found.reason

    def is_right(self, x: Tensor) -> bool:
        """Whether the compiled formula gives what torch does, on a few of the boards at x."""
        problem, boards = self.problem, self.problem.boards
        rows = torch.linspace(0, boards - 1, min(TRIED, boards)).long()
        some = problem.take(rows) if boards > 1 else problem
        here = x[rows] if boards > 1 else x
        with torch.no_grad():
            wanted = some.quadratic(here)
        seen = Boards(some, self.kernel, self.method, self.stop).quadratic(here)
        # a gradient is a sum of residuals times slopes, which may all but cancel
        size = (wanted.loss.clamp_min(0).unsqueeze(-1) * wanted.curvature.diagonal(dim1=-2, dim2=-1).abs()).sqrt()
        pairs = ((seen.loss, wanted.loss), (seen.curvature, wanted.curvature))
        pairs += ((torch.cat([seen.gradient, size], -1), torch.cat([wanted.gradient, size], -1)),)
        share = ALIKE if x.dtype == torch.float64 else CLOSE
        return all(_is_close(a.numpy(), b.numpy(), share) for a, b in pairs)

    def quadratic(self, x: Tensor) -> Quadratic:
        """Loss, gradient and curvature of every board at x."""
        found = _Found(x)
        arrays = {**self.arrays, **found.arrays()}
        numbers, integers = self._numbers(0), self._integers(len(x), 0, False)
        self.kernel.run(self.kernel.call(integers, numbers, arrays, 0, len(x)))
        loss, gradient, curvature = (
            torch.from_numpy(table).to(x.dtype) for table in (found.loss, found.gradient, found.curvature)
        )
        return Quadratic(loss, gradient, curvature)


class _Found:
    """What the kernel writes."""

    def __init__(self, x: Tensor):
        boards, p = x.shape
        self.x = x.detach().to(torch.float64, copy=True, memory_format=torch.contiguous_format).numpy()
        self.loss, self.gradient = np.full(boards, np.inf), np.full((boards, p), np.nan)
        self.curvature = np.full((boards, p, p), np.nan)
        self.spread = np.full(boards, np.nan)
        self.taken, self.reason = np.zeros(boards, np.int32), np.zeros(boards, np.int32)

    def arrays(self) -> dict[str, np.ndarray]:
        """By the names that solver.c has for them."""
        return {
            name: getattr(self, name) for name in ("x", "loss", "gradient", "curvature", "spread", "taken", "reason")
        }

    def outcome(self, x: Tensor) -> Outcome:
        """As the walk in torch gives it."""
        names = np.array([*REASONS, "interrupted"], dtype=object)
        at, loss, gradient = (torch.from_numpy(table).to(x.dtype) for table in (self.x, self.loss, self.gradient))
        outcome = Outcome(at, loss, gradient, self.taken.astype(np.int64), names[self.reason])
        outcome.spread = torch.from_numpy(self.spread).to(x.dtype)
        return outcome


def run_boards(problem: Problem, kernel: Kernel, method: Method, stop: Stop, x: Tensor, bar: Bar) -> Outcome:
    """What `loop.run` returns, by compiled code."""
    return Boards(problem, kernel, cast(LevenbergMarquardt, method), stop).run(x)


CHUNK = 2000
"""Boards whose Jacobian is held at once where there is no compiled code."""


def quadratic_of(problem: Problem, x: Tensor) -> Quadratic:
    """`Problem.quadratic` of any number of boards: by compiled code where there is some, else a few at a time."""
    method = LevenbergMarquardt()
    kernel = compiled(problem, method, method.default_stop(x.dtype), x, None)
    if kernel is not None:
        return Boards(problem, kernel, method, method.default_stop(x.dtype)).quadratic(x)
    if len(x) <= CHUNK or type(problem) is not Problem:
        return problem.quadratic(x)
    parts = [problem.take(rows).quadratic(x[rows]) for rows in torch.arange(len(x), device=x.device).split(CHUNK)]
    loss, gradient, curvature = (
        torch.cat([getattr(part, name) for part in parts]) for name in ("loss", "gradient", "curvature")
    )
    return Quadratic(loss, gradient, curvature)


def _array(table: Tensor) -> np.ndarray:
    return table.detach().to(torch.float64).contiguous().numpy()


def _targets(planes: Tensor) -> dict[str, np.ndarray | None]:
    """In the precision that they have: a float32 circuit is fitted by numbers of that kind."""
    if planes.dtype == torch.float32:
        return {"t": None, "t_single": planes.contiguous().numpy()}
    return {"t": _array(planes), "t_single": None}


def _planes(table: Tensor) -> Tensor:
    """Outputs by points, those of a complex response as real parts and then imaginary parts: `(boards, planes, n)`."""
    table = table if table.ndim == 3 else table.unsqueeze(1)
    return torch.cat([table.real, table.imag], 1) if table.is_complex() else table


def _weights(problem: Problem) -> Tensor | None:
    """Weight of every number, `(boards or 1, planes, n)`; None where all are one."""
    loss, present = even_loss(problem), problem.present
    weight = loss.unweighted()[1] if isinstance(loss, LeastSquares) else None
    if present is None and weight is None:
        return None
    shape = problem.target.shape
    total = torch.ones(1, *shape[1:], dtype=torch.float64) if present is None else present
    total = total if weight is None else total * weight
    total = total.expand(-1, *shape[1:])
    total = total if total.ndim == 3 else total.unsqueeze(1)
    return torch.cat([total, total], 1) if problem.target.is_complex() else total


def _priors(problem: Problem) -> tuple[np.ndarray, np.ndarray] | None:
    """Centre and weight `(p,)` of all priors together, in logarithms; None where they speak of something else."""
    names = problem.model.names
    log = torch.as_tensor(problem.coordinates.log).expand(len(names)).numpy()
    centre, weight = np.zeros(len(names)), np.zeros(len(names))
    for prior in problem.loss.priors:
        for name, nominal in prior.nominal.items():
            j = names.index(name)
            if isinstance(nominal, Tensor) or weight[j] or not log[j]:
                return None
            centre[j] = np.log(nominal)
            weight[j] = problem._prior_scale / float(prior.tolerance[name]) ** 2
    return centre, weight


def _threads(boards: int, numbers: int) -> int:
    """Torch's threads, as far as there is a fifth of a millisecond of work for each."""
    return max(min(torch.get_num_threads(), boards * numbers // 100_000), 1)


def _is_close(found: np.ndarray, wanted: np.ndarray, share: float) -> bool:
    fine = np.isfinite(wanted).reshape(len(wanted), -1).all(1)  # a board without numbers says nothing
    wanted, found, boards = wanted[fine], found[fine], int(fine.sum())
    if not boards:
        return True
    size = np.abs(wanted).reshape(boards, -1).max(1)
    apart = np.abs(found - wanted).reshape(boards, -1).max(1)
    return bool((apart <= share * size).all())
