"""`fit`, and the generator beneath it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import nn

from circuits.errors import OptionError, UnknownName
from circuits.fitting.history import Recorder
from circuits.fitting.learnable import Fixed
from circuits.fitting.loop import Step, walk
from circuits.fitting.methods import LBFGS, LevenbergMarquardt, Method, TorchOptimiser
from circuits.fitting.minimisation import Plan, choose_method, minimise
from circuits.fitting.movement import Bounds, How
from circuits.fitting.problem import Problem
from circuits.fitting.progress import Bar
from circuits.fitting.result import Fit
from circuits.fitting.setup import Data, make_problem
from circuits.fitting.starts import Starts, start_table
from circuits.fitting.stopping import Stop, check_stop

NAMED_METHODS: Mapping[str, Callable[[], Method]] = {"levenberg-marquardt": LevenbergMarquardt, "lbfgs": LBFGS}
"""Methods that need no settings, by the names that a command line uses; `auto` chooses among them."""

MANY_BOARDS = 1000
"""Boards above which no history is kept unless it is asked for."""

HowToMove = str | Method | Callable[..., Any]


def fit(
    model: nn.Module,
    data: Data,
    loss: Any = None,
    *,
    method: HowToMove = "auto",
    coordinates: How = None,
    stop: Stop | None = None,
    starts: Starts = None,
    bounds: Bounds = None,
    fixed: Fixed = None,
    tied: Mapping[str, str] | None = None,
    history: bool | None = None,
    progress: bool | None = None,
    seed: int = 0,
    compile: bool | None = None,
) -> Fit:
    """Find the values that make the model's prediction agree with what was measured, and leave them in the model.

    In a `Circuit` the shape of the components is a batch of boards; every board is fitted on its own and stops for
    itself. In any other module every element of every learnable parameter belongs to one problem.

    Args:
        model: a circuit, or any `nn.Module`.
        data: `Measurements`, or a pair (inputs, targets): frequencies in hertz and magnitudes for a circuit, what the
            module is called with and what it should return for a module (a tuple of inputs is unpacked).
        loss: an object of `losses`, or any callable (prediction, target) → scalar; None takes least squares in the
            measured quantity, or for LEDs the likelihood.
        method: "auto", the name of a method, a method object, or a factory of a `torch.optim` optimiser.
        coordinates: "log", "linear", or a mapping from name to either; None moves the positive components of a
            circuit as logarithms and the parameters of a module as they are.
        stop: when to stop (for each stage of the loss); None takes the method's own conditions.
        starts: how many starts, the first being the present values, or a list of starts by name; the best result
            counts.
        bounds: (low, high) by name, in SI units; either may be None.
        fixed: names held fixed, or a mapping from name to the value to hold.
        tied: names that always take the value of another name.
        history: keep values, loss and gradient of every step (None: unless there are many boards or starts).
        progress: show a bar; None shows one when somebody is there to see it and the fit takes a while.
        seed: for whatever is drawn.
        compile: fit by a program in C that is made for this circuit and this loss, which takes about a second once
            and is kept for the next time; None does so where it pays (many boards, no history), False never.

    Raises:
        DataError: data that cannot be fitted, such as LEDs that are all lit.
        ShapeError: shapes of model and data that do not agree.
        ComponentError: a start that no component can have.
        OptionError: options that cannot be followed, such as no way to stop.
        UnknownName: a component, method or coordinate that does not exist; the message lists those that do.

    >>> import circuits as cc
    >>> board = cc.LowPass(R=500.0)
    >>> result = cc.fit(board, cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5)))
    >>> round(board.R.item(), 6), result.converged
    (200.0, True)
    """
    began = time.perf_counter()
    check_stop(stop)
    problem = make_problem(model, data, loss, coordinates=coordinates, bounds=bounds, fixed=fixed, tied=tied)
    chosen = as_method(method, problem)
    bar = Bar(progress, stop.steps if stop else None)
    plan = Plan(
        chosen, stop, bar, automatic=method == "auto" and starts is None and stop is None, seed=seed, compile=compile
    )
    table = start_table(problem, starts, seed)
    keeps = history if history is not None else problem.boards <= MANY_BOARDS
    recorder = Recorder(problem.boards, problem.model.names) if keeps else None
    try:
        found = minimise(problem, table, plan, recorder)
    finally:
        bar.close()
    problem.model.store(problem.coordinates.values(found.outcome.x))
    start = table[0] if found.start is None else found.start
    return Fit(model, data, problem, found, recorder, start, chosen, time.perf_counter() - began)


def iterate(
    model: nn.Module,
    data: Data,
    loss: Any = None,
    *,
    method: HowToMove = "auto",
    coordinates: How = None,
    stop: Stop | None = None,
    bounds: Bounds = None,
    fixed: Fixed = None,
    tied: Mapping[str, str] | None = None,
) -> Iterator[Step]:
    """Walk step by step: the loop that `fit` runs, opened up, one record a step, the model holding the present values.

    Takes the arguments of `fit`. A loss with stages is walked at its first; nothing restores the best state at the end.

    >>> import circuits as cc
    >>> board, data = cc.LowPass(R=1000.0), cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5))
    >>> for step in cc.iterate(board, data, method=cc.GradientDescent(lr=0.5)):
    ...     if step.index == 3:
    ...         break
    >>> bool(step.loss < 0.1)
    True
    """
    check_stop(stop)
    problem = make_problem(model, data, loss, coordinates=coordinates, bounds=bounds, fixed=fixed, tied=tied)
    problem = problem.with_loss(problem.loss.stages()[0])
    chosen = as_method(method, problem)
    x = problem.start()
    values = problem.coordinates.values(x)
    for step in walk(problem, chosen, stop or chosen.default_stop(x.dtype), x):
        present = step.problem.coordinates.values(step.state.x)
        values = present if step.rows is None else values.index_copy(0, step.rows, present)
        problem.model.store(values)
        yield step


def as_method(method: HowToMove, problem: Problem) -> Method:
    """The method object that a person means.

    Raises:
        UnknownName: an unknown name.
        OptionError: something that is neither a method nor a factory of an optimiser.
    """
    if isinstance(method, Method):
        return method
    if isinstance(method, str):
        if method == "auto":
            return choose_method(problem)
        if method not in NAMED_METHODS:
            raise UnknownName("method", method, ["auto", *NAMED_METHODS])
        return NAMED_METHODS[method]()
    if isinstance(method, type) and issubclass(method, Method):
        raise OptionError(f"method={method.__name__} is a class; give an object, such as {method.__name__}(...)")
    if callable(method):
        return TorchOptimiser(method)
    raise OptionError(f"method={method!r}; expected 'auto', a method object, or a factory such as torch.optim.Adam")
