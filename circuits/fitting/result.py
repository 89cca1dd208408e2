"""`Fit`: everything that happened, and what it means."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from circuits.circuit import Circuit
from circuits.errors import OptionError
from circuits.fitting.convergence import Convergence, convergence_at
from circuits.fitting.corners import corner_slopes, held_fixed
from circuits.fitting.error_propagation import propagate
from circuits.fitting.history import History, Recorder
from circuits.fitting.identifiability import judge, strong_pairs
from circuits.fitting.led_boards import led_ends
from circuits.fitting.minimisation import Minimum
from circuits.fitting.misfit import misfit_of
from circuits.fitting.problem import Problem, led_term
from circuits.fitting.profiling import Profiled
from circuits.fitting.stopping import CONVERGED
from circuits.fitting.theory.linearisation import Features, problem_features
from circuits.fitting.uncertainty import Information, blunt_led_problem, covariance, information
from circuits.fitting.version_space import explains_every_led


class Fit(Profiled):
    """The result of `circuits.fit`.

    For one board the properties below are plain numbers; for a batch of boards they have the batch's shape.

    Attributes:
        circuit: the fitted module, holding the fitted values.
        data: what it was fitted to, as it was given.
        problem: the two with their loss, as functions of the coordinates; `start` and `end` are coordinates of its
            boards.
        values: fitted values in SI units by dotted parameter name, each shaped like its parameter.
        errors: one standard error of each, likewise; infinite where the data do not determine a value on its own.
        intervals: for LED data that are all explained, `(…, 2)` by name: the lowest and highest value with which
            every LED can be explained; otherwise None.
        covariance: of the values in the order of `names`, `(*batch, p, p)`.
        correlation: the same without units.
        identifiability: which components the data determine, and which combinations otherwise.
        loss: the loss at the end. `steps`: how many it took. `reason`: why it stopped. `converged`: whether it arrived.
        history: values, gradients and loss by step, or None.
        explains: whether the model explains the data; `misfit` says by how much.
    """

    def __init__(
        self,
        module: nn.Module,
        data: Any,
        problem: Problem,
        found: Minimum,
        recorder: Recorder | None,
        start: Tensor,
        method: Any,
        seconds: float,
    ):
        self.circuit = module
        self.data = data
        self.method = method
        self.seconds = seconds
        self.notes = tuple(found.notes)
        self.start = start
        self.problem = problem
        self._found = found
        self._recorder = recorder

    # what was fitted

    @property
    def loss_name(self) -> str:
        """The loss of the last stage, as it writes itself."""
        return repr(self._found.problems[int(self._found.stage.max())].loss)

    @property
    def model_name(self) -> str:
        """What the circuit calls itself, or the class of a plain module."""
        return self.circuit.title if isinstance(self.circuit, Circuit) else type(self.circuit).__name__

    @property
    def units(self) -> dict[str, str]:
        """Unit of every component of a circuit by dotted name; empty for a plain module."""
        return self.circuit.units() if isinstance(self.circuit, Circuit) else {}

    @property
    def moved(self) -> tuple[str, ...]:
        """Dotted names of every parameter that the fit moved, those tied to another included."""
        columns = len(self.problem.model.learnable.leaders)
        return tuple(slot.name for slot in self.problem.model.learnable.slots if slot.column < columns)

    @cached_property
    def held(self) -> tuple[str, ...]:
        """What did not move in a circuit, as text: `C = 1 µF`, one entry for all of one value."""
        return held_fixed(self.circuit, self.moved) if isinstance(self.circuit, Circuit) else ()

    @property
    def start_values(self) -> dict[str, Tensor]:
        """The values that the fit started from, shaped like `values`."""
        return self._by_name(self.problem.coordinates.values(self.start))

    # where it ended

    @property
    def end(self) -> Tensor:
        """Coordinates at the end, `(boards, p)`."""
        return self._found.outcome.x

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the p fitted values; elements of a larger parameter are named `weight[0,2]`."""
        return self.problem.model.names

    @property
    def batch_shape(self) -> torch.Size:
        """Shape of the batch of boards, `()` for one."""
        return self.circuit.batch_shape if isinstance(self.circuit, Circuit) else torch.Size()

    @cached_property
    def _table(self) -> Tensor:
        return self.problem.coordinates.values(self._found.outcome.x)

    def _by_name(self, table: Tensor) -> dict[str, Tensor]:
        """A table `(boards, p)` as tensors shaped like the parameters."""
        learnable = self.problem.model.learnable
        pieces = self.problem.model.tensors(table)
        shapes = [p.shape for p in learnable.parameters]
        return {n: t.reshape(s) for n, t, s in zip(learnable.leaders, pieces, shapes, strict=False)}

    @cached_property
    def values(self) -> dict[str, Tensor]:
        """Fitted values in SI units, by dotted parameter name."""
        return self._by_name(self._table)

    @cached_property
    def loss(self) -> Any:
        """The loss at the end, a float for one board."""
        return self._shaped(self._found.outcome.loss)

    @cached_property
    def steps(self) -> Any:
        """Steps taken, over all stages of the loss."""
        return self._shaped(self._found.outcome.steps)

    @cached_property
    def reason(self) -> Any:
        """Why the fit stopped: one of the names in `circuits.fitting.stopping.SENTENCES`."""
        reasons = self._found.outcome.reasons
        return str(reasons[0]) if not self.batch_shape else reasons.reshape(tuple(self.batch_shape))

    @cached_property
    def converged(self) -> Any:
        """Whether the fit arrived, rather than being ended."""
        return self._shaped(np.isin(self._found.outcome.reasons, CONVERGED))

    def _shaped(self, numbers: Tensor | np.ndarray) -> Any:
        """Numbers of every board: a plain Python number for one, the batch's shape otherwise."""
        if not self.batch_shape:
            return numbers[0].item()
        return torch.as_tensor(numbers).reshape(self.batch_shape)

    @cached_property
    def history(self) -> History | None:
        """Every step of the fit, if it was recorded."""
        if self._recorder is None or not (self._recorder.loose or self._recorder.packed):
            return None
        return self._recorder.history(self.problem.coordinates)

    # how well it is known

    def _stages(self):
        """The problem of every stage that some board ended with, those boards, and their coordinates."""
        found = self._found
        for stage, problem in enumerate(found.problems):
            rows = np.flatnonzero(found.stage == stage)
            if len(rows) == 0:
                continue
            everything = len(rows) == len(found.stage)
            picked = torch.as_tensor(rows, device=found.outcome.x.device)
            yield (
                (problem if everything else problem.take(picked)),
                rows,
                found.outcome.x[picked],
                found.outcome.loss[picked],
            )

    def _judged(self):
        """The same, boards whose LEDs are all explained apart from the others and seen by a blunt comparator."""
        right = self._all_lit_right.numpy(force=True)
        for problem, rows, x, loss in self._stages():
            for inside, judge_by in ((~right[rows], problem), (right[rows], None)):
                if inside.all():
                    yield judge_by or blunt_led_problem(problem), rows, x, loss
                elif inside.any():
                    pick = torch.as_tensor(np.flatnonzero(inside), device=x.device)
                    some = problem.take(pick)
                    yield (some if judge_by else blunt_led_problem(some)), rows[inside], x[pick], loss[pick]

    @cached_property
    def _information(self) -> Information:
        pieces, order = [], []
        for problem, rows, x, _ in self._judged():
            pieces.append(information(problem, x))
            order.extend(rows)
        back = torch.as_tensor(np.argsort(order))
        fields = zip(*((i.scale, i.strength, i.axes, i.seen) for i in pieces), strict=True)
        return Information(*(torch.cat(parts)[back] for parts in fields))

    @cached_property
    def _covariance(self) -> Tensor:
        """Covariance of the coordinates `(boards, p, p)`, directions that the data do not see left out."""
        x = self._found.outcome.x
        total = x.new_empty(len(x), x.shape[1], x.shape[1])
        for problem, rows, part, loss in self._judged():
            total[torch.as_tensor(rows)] = covariance(problem, part, loss).detach()
        return total if self._intervals is None else self._spread_over_intervals(total, self._intervals)

    def _spread_over_intervals(self, total: Tensor, ends: Tensor) -> Tensor:
        """Where every LED is explained, a value is equally likely anywhere in its interval: σ = width/√12."""
        width = (ends[..., 1] - ends[..., 0]) / math.sqrt(12)
        size = total.diagonal(dim1=-2, dim2=-1).sqrt()
        stretch = torch.where(size > 0, width / size, torch.zeros_like(size))
        stretch = torch.where(width.isfinite(), stretch, torch.ones_like(stretch))
        spread = total * stretch.unsqueeze(-1) * stretch.unsqueeze(-2)
        return torch.where(self._all_lit_right.view(-1, 1, 1), spread, total)

    @cached_property
    def covariance(self) -> Tensor:
        """Covariance of the values in SI units, `(*batch, p, p)`; infinite in what the data do not determine."""
        slope = self.problem.coordinates.slope(self._table)
        total = self._covariance
        if slope is not None:
            total = total * slope.unsqueeze(-1) * slope.unsqueeze(-2)
        unseen = self._undetermined
        total = total.masked_fill(unseen.unsqueeze(-1) | unseen.unsqueeze(-2), torch.nan)
        total = torch.where(torch.diag_embed(unseen), torch.inf, total)
        return total.reshape(*self.batch_shape, *total.shape[1:])

    @cached_property
    def _undetermined(self) -> Tensor:
        """Which values the data do not determine on their own, `(boards, p)`."""
        known = self._information
        direction = known.unseen() > 1e-8
        nothing = (known.strength <= 0).all(-1, keepdim=True)
        return direction | nothing | (self._effect == 0)

    @cached_property
    def _effect(self) -> Tensor:
        """Zero where a value has no effect at all."""
        known = self._information
        diagonal = (known.axes**2 * known.strength.unsqueeze(-2)).sum(-1)
        return torch.where(diagonal > 1e-300, 1.0, 0.0)

    @cached_property
    def correlation(self) -> Tensor:
        """Correlation of the values, `(*batch, p, p)`."""
        size = self.covariance.diagonal(dim1=-2, dim2=-1).sqrt()
        return self.covariance / (size.unsqueeze(-1) * size.unsqueeze(-2))

    @property
    def strong_correlations(self) -> list[str]:
        """Pairs of values that the data hardly tell apart (|correlation| above 0.99), for one board."""
        return strong_pairs(self.names, self.correlation) if not self.batch_shape else []

    @cached_property
    def errors(self) -> dict[str, Tensor]:
        """One standard error of each value in SI units, by dotted parameter name."""
        size = self.covariance.diagonal(dim1=-2, dim2=-1).clamp_min(0).sqrt()
        return self._by_name(size.reshape(-1, len(self.names)))

    @cached_property
    def _all_lit_right(self) -> Tensor:
        boards = len(self._found.outcome.x)
        if led_term(self.problem.loss) is None or not isinstance(self.circuit, Circuit):
            return torch.zeros(boards, dtype=torch.bool)
        return explains_every_led(self.problem, self._found.outcome.x)

    @cached_property
    def _intervals(self) -> Tensor | None:
        """Ends of the coordinates that explain every LED, `(boards, p, 2)`; NaN for boards that leave some wrong."""
        right = self._all_lit_right
        if not bool(right.any()):
            return None
        x, rows = self._found.outcome.x, right.nonzero().flatten()
        if len(rows) == len(x):
            return led_ends(self.problem, x)
        ends = torch.full((*x.shape, 2), torch.nan, dtype=x.dtype, device=x.device)
        return ends.index_copy(0, rows, led_ends(self.problem.take(rows), x[rows]))

    @cached_property
    def intervals(self) -> dict[str, Tensor] | None:
        """Lowest and highest value of each component with which every LED can be explained, `(*batch, 2)` by name."""
        if self._intervals is None:
            return None
        ends = torch.stack([self.problem.coordinates.values(self._intervals[..., side]) for side in (0, 1)], -1)
        return {name: ends[:, i].reshape(*self.batch_shape, 2) for i, name in enumerate(self.names)}

    @cached_property
    def identifiability(self) -> Any:
        """The verdict on what the data determine: one `Identifiability`, or a list of them for a batch."""
        table, total = self._table.numpy(force=True), self._covariance.numpy(force=True)
        is_log = np.broadcast_to(torch.as_tensor(self.problem.coordinates.log).numpy(force=True), table.shape[1:])
        known = self._information
        verdicts = [judge(self.names, self.units, v, is_log, known, total[i], i) for i, v in enumerate(table)]
        return verdicts[0] if not self.batch_shape else verdicts

    @cached_property
    def cutoffs(self) -> dict[str, tuple[Any, Any]]:
        """Corner frequencies of a circuit in hertz with their standard errors, by dotted name."""
        if not isinstance(self.circuit, Circuit):
            return {}
        found = corner_slopes(self.circuit, self.problem.model.learnable, self._table)
        return {n: (f, self._error_of(slope.unsqueeze(-1)).reshape(f.shape)) for n, (f, slope) in found.items()}

    def _error_of(self, slope: Tensor, rows: slice = slice(None)) -> Tensor:
        """Standard error `(boards, n)` of quantities with these derivatives by the values, `(boards, p, n)`."""
        stretch, one_sided = self.problem.coordinates.slope(self._table[rows]), None
        if self._intervals is not None:
            one_sided = self._all_lit_right[rows].unsqueeze(-1) & ~self._intervals[rows].isfinite().all(-1)
        slope = slope if stretch is None else slope * stretch.unsqueeze(-1)
        return propagate(slope, self._covariance[rows], self._information.take(rows), one_sided)

    def standard_error(self, slope: Tensor, board: int = 0) -> Tensor:
        """One standard error of quantities of a board with these derivatives by the values in SI units, `(p, …)`."""
        rows = slice(self._checked(board), board + 1)
        return self._error_of(slope.flatten(1).unsqueeze(0), rows).reshape(slope.shape[1:])

    # whether it explains the data

    @cached_property
    def _misfit(self) -> tuple[np.ndarray, list[str]]:
        """Per board whether the data are explained, and a sentence about it."""
        explains, sentences = np.zeros(len(self._table), dtype=bool), [""] * len(self._table)
        for problem, rows, x, loss in self._stages():
            good, said = misfit_of(problem, x, loss)
            explains[rows] = good
            for row, sentence in zip(rows, said, strict=True):
                sentences[row] = sentence
        return explains, sentences

    @property
    def explains(self) -> Any:
        """Whether the model explains the data: one bool, or one a board."""
        return self._shaped(self._misfit[0])

    @property
    def misfit(self) -> Any:
        """A sentence on how well the data are explained, or a list of them for a batch."""
        return self._misfit[1] if self.batch_shape else self._misfit[1][0]

    # looking back at the walk

    def final_problem(self, board: int = 0) -> Problem:
        """The problem of one board on its own, with the loss of the stage that it ended with."""
        problem = self._found.problems[int(self._found.stage[self._checked(board)])]
        return self._alone(problem, board)

    def problem_at(self, step: int, board: int = 0) -> Problem:
        """The problem of one board with the loss that was walked at this row of the history.

        Raises:
            OptionError: no history, no such step, or no such board.
        """
        history = self.history
        if history is None:
            raise OptionError("this fit kept no history, so no step can be looked at; fit again with history=True")
        rows = len(history)
        if not -rows <= step < rows:
            raise OptionError(f"no step {step} in a history of steps 0 to {rows - 1}")
        loss = history.loss_at(step % rows)
        board = self._checked(board)
        return self.final_problem(board) if loss is None else self._alone(self.problem.with_loss(loss), board)

    def _alone(self, problem: Problem, board: int) -> Problem:
        return problem.take(torch.tensor([board], device=self.end.device)) if self.batch_shape else problem

    def _checked(self, board: int) -> int:
        boards = len(self.end)
        if not 0 <= board < boards:
            raise OptionError(f"no board {board}; expected 0 to {boards - 1}")
        return board

    def convergence(self, board: int = 0) -> Convergence:
        """Which learning rates of gradient descent are stable where this board ended, and how quick they are."""
        return convergence_at(self.final_problem(board), self.end[board : board + 1])

    def features(self, board: int = 0) -> Features:
        """What the data of a board can see where it ended: singular values, and the combinations they belong to."""
        return problem_features(self.final_problem(board), self.end[board : board + 1])

    def __repr__(self) -> str:
        state = "converged" if np.all(np.asarray(self.converged)) else "not converged"
        shape = f" on {tuple(self.batch_shape)} boards" if self.batch_shape else ""
        return f"Fit({type(self.circuit).__name__}{shape}, {', '.join(self.values)}: {state})"
