"""Bring every board of a problem to its minimum: stages of the loss, several starts, and a second look where needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

import losses
from circuits.fitting.history import Recorder
from circuits.fitting.led_doubts import is_astray
from circuits.fitting.loop import Outcome, run
from circuits.fitting.many.boards import compiled, run_boards
from circuits.fitting.methods import LBFGS, LevenbergMarquardt, Method, SignDescent
from circuits.fitting.model import CircuitModel, ModuleModel
from circuits.fitting.one_board import is_one_board, run_one_board
from circuits.fitting.other_ends import other_minima
from circuits.fitting.problem import Problem, led_term
from circuits.fitting.progress import Bar
from circuits.fitting.starts import drawn
from circuits.fitting.stopping import CONVERGED, Stop
from circuits.fitting.version_space import explains_every_led

LARGEST_JACOBIAN = 20_000_000
"""Elements of a Jacobian above which a plain module is left to gradients alone."""

STAGE_STEP, STAGE_STEPS = 1e-4, 40
"""A stage of a sharpening loss ends with a relative change of the values below this, or after so many steps."""

SHARP = 300.0
"""Sharpness from which on explaining every LED is enough. Over 40 draws of 1000 tones and four color organs, settling
at 300 left 95 % of the values within 2.7 %; going on to 3000 moved some within wide gaps, up to 4.1 %."""

RESCUE_STARTS = 16
POORLY_EXPLAINED = 0.1
"""A least-squares fit that leaves more than this share of the data's variance is looked at again from other starts."""


@dataclass
class Plan:
    """How to minimise: method, stop, and what to record.

    `automatic` allows a second look from other starts when the first result explains little; `compile` asks for
    compiled code, or forbids it, and None leaves it to what pays.
    """

    method: Method
    stop: Stop | None
    bar: Bar
    automatic: bool = False
    seed: int = 0
    compile: bool | None = None

    def stop_for(self, problem: Problem, x: Tensor, *, staged: bool = False) -> Stop:
        """The conditions that were asked for, or the method's own.

        A stage of a sharpening loss ends when its steps are small: the loss then comes from the narrowest gap between
        tones, and says nothing of whether the values in wider gaps have come to rest.
        """
        if self.stop is not None:
            return self.stop
        own = self.method.default_stop(x.dtype)
        return replace(own, decrease=None, step=STAGE_STEP, steps=STAGE_STEPS) if staged and own.decrease else own


@dataclass
class Minimum:
    """What came out: the best of the starts, and the problem at the last stage of every board.

    `problems[stage[i]]` is the problem whose loss board i ended with; `start` are the coordinates from which it came,
    if those are not the given ones.
    """

    outcome: Outcome
    problems: list[Problem]
    stage: np.ndarray
    start: Tensor | None = None
    notes: list[str] = field(default_factory=list)


def choose_method(problem: Problem) -> Method:
    """Gauss–Newton wherever the loss has a curvature and the Jacobian fits into memory; gradients otherwise."""
    terms = problem.loss.terms()
    if any(isinstance(term, losses.HardLed) for term in terms):
        return SignDescent(lr=0.5, shrink=0.5)
    if not problem.loss.gauss_newton:
        return LBFGS()
    if isinstance(problem.model, ModuleModel):
        size = problem.target.numel() * len(problem.model.names)
        if size > LARGEST_JACOBIAN or len(problem.model.names) > 2000:
            return LBFGS()
    return LevenbergMarquardt()


def minimise(problem: Problem, table: Tensor, plan: Plan, recorder: Recorder | None) -> Minimum:
    """Minimise from every start in `table (starts, boards, p)` and keep the best of each board."""
    if len(table) == 1:
        found = descend(problem, table[0], plan, recorder)
    elif isinstance(problem.model, CircuitModel):
        found = _recorded(problem, _side_by_side(problem, table, plan), plan, recorder)
    else:
        found = _one_by_one(problem, table, plan, recorder)
    if plan.automatic and not (found.outcome.reasons == "interrupted").any():
        found = _second_look(problem, table[0], found, plan, recorder)
    return found


def descend(problem: Problem, x: Tensor, plan: Plan, recorder: Recorder | None) -> Minimum:
    """Minimise from one start, through the stages of the loss; every board keeps the stage that suits it best.

    A sharper stage is kept only while it explains the data better than a blunt one. Without noise a board settles at
    the first sharp stage that explains all its LEDs: sharper ones would see nothing but the narrowest gap between
    tones. With noise it is the sharpness of largest likelihood, which is then looked for on a finer ladder.
    """
    stages = problem.loss.stages()
    if len(stages) == 1:
        problem = problem if stages[0] is problem.loss else problem.with_loss(stages[0])
        outcome = _run(problem, plan, plan.stop_for(problem, x), x, recorder)
        return Minimum(outcome, [problem], np.zeros(len(x), dtype=np.int64))
    found = _through(problem, stages, x, plan, recorder, stop_early=True)
    finer = problem.loss.refinements()
    settled = (found.stage == len(stages) - 1) | (found.outcome.reasons == "interrupted")
    for i in np.unique(found.stage):
        settled |= (found.stage == i) & _is_settled(found.problems[i], found.outcome.x)
    if settled.all() or not finer:
        return found
    again = _through(problem, finer, found.outcome.x, plan, recorder, stop_early=False)
    better = ~settled & (again.outcome.loss <= found.outcome.loss).numpy(force=True)
    steps = found.outcome.steps + np.where(settled, 0, again.outcome.steps)
    merged = _merge(found.outcome, again.outcome, better)
    merged.steps = steps
    stage = np.where(better, again.stage + len(found.problems), found.stage)
    return Minimum(merged, found.problems + again.problems, stage)


def _through(
    problem: Problem,
    stages: Sequence[losses.Loss],
    x: Tensor,
    plan: Plan,
    recorder: Recorder | None,
    *,
    stop_early: bool,
) -> Minimum:
    """Minimise one loss after another, each from where the last one ended; every board keeps its best."""
    problems = [problem.with_loss(stage) for stage in stages]
    best = Outcome.none_yet(x)
    stage, steps = np.zeros(len(x), dtype=np.int64), np.zeros(len(x), dtype=np.int64)
    settled = np.zeros(len(x), dtype=bool)
    for i, current in enumerate(problems):
        outcome = _run(current, plan, plan.stop_for(current, x, staged=True), x, recorder)
        steps = steps + outcome.steps
        better = (outcome.loss <= best.loss).numpy(force=True) & ~settled
        stage = np.where(better, i, stage)
        best = _merge(best, outcome, better)
        settled = settled | (better & _is_settled(current, outcome.x))
        x = outcome.x
        if (outcome.reasons == "interrupted").any():
            best.reasons = np.where(outcome.reasons == "interrupted", "interrupted", best.reasons)
            break
        if settled.all() or (stop_early and not better.any()):
            break
    best.steps = steps
    return Minimum(best, problems, stage)


def _is_settled(problem: Problem, x: Tensor) -> np.ndarray:
    """Which boards have all their LEDs explained by a comparator that is sharp enough."""
    led = led_term(problem.loss)
    if not isinstance(led, losses.LogisticLed) or (led.sharpness or 0.0) < SHARP:
        return np.zeros(len(x), dtype=bool)
    return explains_every_led(problem, x).numpy(force=True)


def _run(problem: Problem, plan: Plan, stop: Stop, x: Tensor, recorder: Recorder | None) -> Outcome:
    """One walk: on plain numbers where nothing else is asked for."""
    kernel = None if recorder is not None else compiled(problem, plan.method, stop, x, plan.compile)
    if kernel is not None:
        stop.check()
        return run_boards(problem, kernel, plan.method, stop, x, plan.bar)
    if recorder is None and isinstance(plan.method, LevenbergMarquardt) and is_one_board(problem, plan.method):
        stop.check()
        return run_one_board(problem, plan.method, stop, x)
    return run(problem, plan.method, stop, x, recorder, plan.bar)


def _merge(old: Outcome, new: Outcome, better: np.ndarray) -> Outcome:
    """Board by board, the new outcome where it is better."""
    row = torch.as_tensor(better, device=new.x.device)
    column = row.unsqueeze(-1)
    return Outcome(
        torch.where(column, new.x, old.x),
        torch.where(row, new.loss, old.loss),
        torch.where(column, new.gradient, old.gradient),
        np.where(better, new.steps, old.steps),
        np.where(better, new.reasons, old.reasons),
    )


def _side_by_side(problem: Problem, table: Tensor, plan: Plan) -> Minimum:
    """All starts of all boards as boards of one batch."""
    starts, boards, p = table.shape
    rows = torch.arange(boards, device=table.device).repeat(starts)
    many = descend(problem.take(rows), table.reshape(-1, p), plan, None)
    loss = torch.where(many.outcome.loss.isnan(), torch.inf, many.outcome.loss).reshape(starts, boards)
    best = loss.argmin(0).numpy(force=True)
    pick = torch.as_tensor(best * boards + np.arange(boards), device=table.device)
    chosen = pick.numpy(force=True)
    outcome = Outcome(
        many.outcome.x[pick],
        many.outcome.loss[pick],
        many.outcome.gradient[pick],
        many.outcome.steps[chosen],
        many.outcome.reasons[chosen],
    )
    problems = [problem.with_loss(one.loss) for one in many.problems]
    start = table.reshape(-1, p)[pick]
    notes = other_minima(problem, many.outcome.x, many.outcome.loss, many.outcome.reasons) if boards == 1 else []
    return Minimum(outcome, problems, many.stage[chosen], start, notes)


def _one_by_one(problem: Problem, table: Tensor, plan: Plan, recorder: Recorder | None) -> Minimum:
    """The starts of a plain module after each other; the history is that of the best."""
    found, recorders = [], []
    for x in table:
        recorders.append(None if recorder is None else Recorder(recorder.boards, recorder.names))
        found.append(descend(problem, x, plan, recorders[-1]))
        if (found[-1].outcome.reasons == "interrupted").any():
            break
    loss = np.array([one.outcome.loss.numpy(force=True) for one in found])
    best = int(np.nanargmin(np.where(np.isnan(loss), np.inf, loss)[:, 0]))
    if recorder is not None:
        recorder.replace_by(recorders[best])
    return found[best]


def _second_look(problem: Problem, x: Tensor, found: Minimum, plan: Plan, recorder: Recorder | None) -> Minimum:
    """Try again where the first result explains little, or came to rest where the data say nothing."""
    doubtful = doubtful_boards(found)
    if not doubtful.any():
        return found
    if isinstance(problem.model, ModuleModel):
        careful = replace(plan, method=LevenbergMarquardt(damping=100.0))
        fresh = None if recorder is None else Recorder(recorder.boards, recorder.names)
        better = _better_of(found, descend(problem, x, careful, fresh), np.zeros(1, dtype=np.int64), x)
        if better.notes and recorder is not None and fresh is not None:
            recorder.replace_by(fresh)
        return better
    where = np.flatnonzero(doubtful)
    rows = torch.as_tensor(where, device=x.device)
    some = problem.take(rows) if len(rows) < problem.boards else problem
    starts = RESCUE_STARTS if problem.loss.gauss_newton else RESCUE_STARTS // 4
    again = _side_by_side(some, drawn(some, x[rows], starts, plan.seed), plan)
    return _recorded(problem, _better_of(found, again, where, x), plan, recorder)


def _recorded(problem: Problem, found: Minimum, plan: Plan, recorder: Recorder | None) -> Minimum:
    """Walk once more from the starts that won, for the history alone: many starts side by side keep none."""
    if recorder is not None and found.start is not None:
        fresh = Recorder(recorder.boards, recorder.names)
        descend(problem, found.start, plan, fresh)
        recorder.replace_by(fresh)
    return found


def _better_of(found: Minimum, again: Minimum, where: np.ndarray, x: Tensor) -> Minimum:
    """Replace the boards that the second look improved; `x (boards, p)` are the given starts."""
    old, new = found.outcome, again.outcome
    rows = torch.as_tensor(where, device=old.x.device)
    better = (new.loss < old.loss[rows] * (1 - 1e-6)) | (new.loss.isfinite() & ~old.loss[rows].isfinite())
    if not bool(better.any()):
        return found
    pick, inside = rows[better], better.numpy(force=True)
    chosen = where[inside]
    old.x, old.loss = old.x.index_copy(0, pick, new.x[better]), old.loss.index_copy(0, pick, new.loss[better])
    old.gradient = old.gradient.index_copy(0, pick, new.gradient[better])
    old.steps[chosen] += new.steps[inside]
    old.reasons[chosen], found.stage[chosen] = new.reasons[inside], again.stage[inside] + len(found.problems)
    found.problems = found.problems + [found.problems[0].with_loss(one.loss) for one in again.problems]
    if again.start is not None:
        found.start = x.index_copy(0, pick, again.start[better])
    found.notes.append("a better minimum than from the given start was found from another one")
    return found


def doubtful_boards(found: Minimum) -> np.ndarray:
    """Boards whose minimum explains little of the data, or leaves LEDs unexplained, or lies on a plateau."""
    doubtful = np.array([reason not in CONVERGED for reason in found.outcome.reasons])
    for stage, problem in enumerate(found.problems):
        here = found.stage == stage
        if here.any():
            doubtful |= here & _explains_little(problem, found.outcome)
    return doubtful


@torch.no_grad()
def _explains_little(problem: Problem, outcome: Outcome) -> np.ndarray:
    if isinstance(problem.model, ModuleModel):
        if not problem.loss.gauss_newton:
            return np.zeros(1, dtype=bool)
        size = torch.linalg.vector_norm(problem.rows(outcome.x).jacobian, dim=0)
        scale = size * problem.coordinates.values(outcome.x)[0].abs()
        return np.array([bool((scale <= 1e-12 * scale.max()).any())])
    if led_term(problem.loss) is not None:
        return is_astray(problem, outcome.x).numpy(force=True)
    if not isinstance(problem.loss, losses.LeastSquares):
        return np.zeros(len(outcome.x), dtype=bool)
    is_plain = problem.present is None and problem.active_loss.is_even
    spread = outcome.spread if outcome.spread is not None and is_plain else problem.spread()
    return (outcome.loss > POORLY_EXPLAINED * spread).numpy(force=True)
