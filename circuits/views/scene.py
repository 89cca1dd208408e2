"""What a picture shows, gathered from a fit, a circuit or measurements before anything is drawn."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.data import Measurements, log_grid
from circuits.errors import OptionError
from circuits.fitting.model import CircuitModel
from circuits.fitting.problem import Problem, led_term
from circuits.fitting.result import Fit
from circuits.fitting.saved import SavedFit
from circuits.fitting.table import written
from circuits.notation import format as engineering
from circuits.notation import format_with_error
from losses import HALF_POWER

Array: TypeAlias = "np.ndarray[Any, Any]"
POINTS = 1200
"""Frequencies of a drawn curve: enough for every pixel of a wide picture."""

LINE = 100
"""Letters of a line under the title, about as many as a picture is wide."""


@dataclass(frozen=True)
class Observed:
    """Points that were measured: `f (n,)`, `values` and `sigma (k, n)`, NaN where one is missing."""

    f: Array
    values: Array
    sigma: Array | None = None


@dataclass(frozen=True)
class Curve:
    """A prediction on a grid: `f (m,)`, `values (k, m)`; `at_data (k, n)` at the measured frequencies."""

    f: Array
    values: Array
    at_data: Array | None = None


@dataclass(frozen=True)
class Corner:
    """A corner frequency in hertz, the index of its output, and how it is written with and without its error."""

    hertz: float
    output: int
    text: str
    short: str = ""


@dataclass(frozen=True)
class Scene:
    """Everything that a picture of one board shows; `outputs` is `("",)` for a single unnamed one."""

    title: str
    quantity: str
    outputs: tuple[str, ...]
    observed: Observed | None = None
    curve: Curve | None = None
    start: Curve | None = None
    corners: tuple[Corner, ...] = ()
    notes: tuple[str, ...] = ()
    threshold: float | None = None
    spread: tuple[Array, ...] = ()
    """One standard error of the curve, `(k, m)` for each real quantity drawn; infinite where nothing is known."""
    unit: str = ""
    """Of the response; none of a ratio."""


def scene_of(thing: Fit | SavedFit | Circuit | Measurements, board: int) -> Scene:
    """Gather what there is to see of one board.

    Raises:
        OptionError: nothing that has a response over frequency, or no such board.
    """
    if isinstance(thing, Measurements):
        return _of_measurements(thing, _checked(board, thing.batch_shape))
    if isinstance(thing, SavedFit) and isinstance(thing.circuit, Circuit):
        scene = _of_circuit(thing.circuit, _checked(board, thing.batch_shape))
        corners = _corners(thing.cutoffs, scene.outputs, board)
        return replace(scene, corners=corners, notes=_notes(thing, scene.outputs, board))
    if isinstance(thing, Circuit):
        return _of_circuit(thing, _checked(board, thing.batch_shape))
    if isinstance(thing, Fit) and isinstance(thing.circuit, Circuit):
        return _of_fit(thing, thing.circuit, _checked(board, thing.batch_shape))
    what = f"a fit of a {type(thing.circuit).__name__}" if isinstance(thing, (Fit, SavedFit)) else type(thing).__name__
    raise OptionError(f"cannot draw a response of {what}; expected a fit of a circuit, a circuit or Measurements")


def _checked(board: int, batch: Sequence[int]) -> int:
    boards = math.prod(batch)
    if not 0 <= board < boards:
        raise OptionError(f"no board {board}; expected 0 to {boards - 1}")
    return board


def _of_measurements(data: Measurements, board: int) -> Scene:
    outputs = data.outputs or ("",)
    f = data.f.reshape(-1, data.f.shape[-1])
    values = data.values.reshape(-1, len(outputs), len(data))
    sigma = None if data.sigma is None else data.sigma.expand(data.values.shape).reshape(values.shape)[board]
    observed = Observed(
        _array(f[board if len(f) > 1 else 0]), _array(values[board]), None if sigma is None else _array(sigma)
    )
    title = f"Measured: {data.describe()}"
    return Scene(title, data.quantity, outputs, observed, threshold=HALF_POWER if data.quantity == "led" else None)


def _of_circuit(circuit: Circuit, board: int) -> Scene:
    """A Bode plot over what the circuit says is worth seeing, or two decades beyond the outermost corners."""
    with torch.no_grad():
        corners = {name: (f, None) for name, f in circuit.cutoffs().items()}
    outputs = circuit.outputs or ("",)
    marks = _corners(corners, outputs, board)
    ends = [mark.hertz for mark in marks] or [1e3]
    grid = log_grid(POINTS, *(circuit.span() or (min(ends) / 100, max(ends) * 100)))
    with torch.no_grad():
        values = circuit.predict(grid, "response")
    values = values.reshape(-1, len(outputs), POINTS)
    curve = Curve(_array(grid), _array(values[board if len(values) > 1 else 0]))
    units = circuit.units()
    parts = dict(circuit.named_parameters(remove_duplicate=False))
    texts = {name: engineering(part_of(circuit, parts[name], board), unit) for name, unit in units.items()}
    name = in_words(circuit.title)
    notes = _by_output(texts, outputs)
    return Scene(name, "response", outputs, None, curve, None, marks, notes, unit=circuit.response_unit)


def _of_fit(fit: Fit, circuit: Circuit, board: int) -> Scene:
    """The data, the fitted curve, and the curve where the fit started."""
    problem = fit.problem.take(torch.tensor([board])) if fit.batch_shape else fit.problem
    model, outputs = _circuit_model(problem), circuit.outputs or ("",)
    observed = _observed(problem, outputs)
    f, pad = observed.f, 1.25 if len(observed.f) > 1 else 10.0
    grid = log_grid(POINTS, float(f.min()) / pad, float(f.max()) * pad)
    ends = (fit.end, fit.start)
    curve, start = (_curve(problem, x[board : board + 1], grid, observed.f, outputs) for x in ends)
    led = led_term(problem.loss)
    title = f"{in_words(circuit.title)}: {fit.misfit}"
    if fit.batch_shape:
        title = f"{in_words(circuit.title)}, board {board}: {fit.misfit[board]}"
    return Scene(
        title,
        model.quantity,
        outputs,
        observed,
        curve,
        start,
        _corners(fit.cutoffs, outputs, board),
        _notes(fit, outputs, board),
        None if led is None else led.threshold,
        _spread(fit, problem, grid, len(outputs), board),
        circuit.response_unit,
    )


def _spread(fit: Fit, problem: Problem, grid: Tensor, outputs: int, board: int) -> tuple[Array, ...]:
    """One standard error of the fitted curve, from the exact Jacobian and the covariance of the fit."""
    model = _circuit_model(problem)
    values = problem.coordinates.values(fit.end[board : board + 1])
    prediction, jacobian = replace(model, f=grid.to(model.f)).linearize(values)
    slope = jacobian.reshape(values.shape[1], outputs, -1)
    if not slope.is_complex():
        return (_array(fit.standard_error(slope, board)),)
    relative = slope / prediction.reshape(outputs, -1)  # d ln H = d ln|H| + i dφ
    parts = (relative.real * (20 / math.log(10)), torch.rad2deg(relative.imag))
    return tuple(_array(fit.standard_error(part, board)) for part in parts)


def _circuit_model(problem: Problem) -> CircuitModel:
    """The side of a problem that knows its frequencies: the fit of a circuit has no other."""
    return cast(CircuitModel, problem.model)


def _observed(problem: Problem, outputs: Sequence[str]) -> Observed:
    """What was measured on a single board, with the σ of the data or else of the loss."""
    target = problem.target.reshape(len(outputs), -1)
    if problem.present is not None:
        target = torch.where(problem.present.reshape(target.shape) > 0, target, torch.nan)
    sigma = problem.active_loss.sigma
    spread = None if sigma is None else _array(sigma.expand(problem.target.shape).reshape(target.shape))
    f = _circuit_model(problem).f
    return Observed(_array(f.reshape(-1, f.shape[-1])[0]), _array(target), spread)


def _curve(problem: Problem, x: Tensor, grid: Tensor, f: Array, outputs: Sequence[str]) -> Curve:
    """What a single board predicts at these coordinates, on the grid and at the measured frequencies."""
    model, values = _circuit_model(problem), problem.coordinates.values(x)
    predictions = []
    for points in (grid, torch.as_tensor(f)):
        with torch.no_grad():
            prediction = replace(model, f=points.to(model.f)).predict(values)
        predictions.append(_array(prediction.reshape(len(outputs), -1)))
    return Curve(_array(grid), *predictions)


def _corners(cutoffs: Any, outputs: Sequence[str], board: int) -> tuple[Corner, ...]:
    """Corners with their errors where they are known, `800.1 ± 1.3 Hz`."""
    marks = []
    for name, (hertz, error) in cutoffs.items():
        f = float(_one(hertz, board))
        sigma = math.nan if error is None else float(_one(error, board))
        is_known = math.isfinite(sigma) and 0 < sigma < f
        text = format_with_error(f, sigma, "Hz") if is_known else engineering(f, "Hz")
        output = name.partition(".")[0]
        marks.append(Corner(f, outputs.index(output) if output in outputs else 0, text, engineering(f, "Hz", 3)))
    return tuple(sorted(marks, key=lambda mark: mark.hertz))


def _notes(fit: Fit | SavedFit, outputs: Sequence[str], board: int) -> tuple[str, ...]:
    """The fitted values of every output with what was held: `R = 198.94 ± 0.12 Ω, C = 1 µF held`."""
    if not isinstance(fit.circuit, Circuit):
        return ()
    units = fit.circuit.units()
    texts = {}
    for name, value in fit.values.items():
        numbers = float(_one(value, board)), float(_one(fit.errors[name], board))
        texts[name] = written(*numbers, units[name], "not known alone")
    for name, parameter in fit.circuit.named_parameters(remove_duplicate=False):
        if name not in fit.moved:
            texts[name] = f"{engineering(part_of(fit.circuit, parameter, board), units[name])} held"
    return _by_output(texts, outputs)


def _by_output(texts: Mapping[str, str], outputs: Sequence[str]) -> tuple[str, ...]:
    """One text for each output, of its own components; those of one value together, as many as fit into a line.

    Where no output has components of its own, the first one tells all.

    >>> _by_output({"low.R": "2 Ω", "band.C_low": "1 µF", "band.C_high": "1 µF"}, ("low", "band"))
    ('R = 2 Ω', 'C_low = C_high = 1 µF')
    >>> _by_output({"R1": "2 Ω"}, ("low", "band"))
    ('R1 = 2 Ω', '')
    """
    rows = []
    has_own = any(name.startswith(f"{output}.") for name in texts for output in outputs)
    for output in outputs:
        stem = f"{output}." if output and has_own else ""
        names: dict[str, list[str]] = {}
        for name, text in texts.items():
            if name.startswith(stem) and (has_own or output == outputs[0]):
                names.setdefault(text, []).append(name.removeprefix(stem))
        rows.append(_line([f"{' = '.join(group)} = {text}" for text, group in names.items()]))
    return tuple(rows)


def _line(parts: Sequence[str]) -> str:
    """Parts in a row, as many as a line holds."""
    shown = [part for i, part in enumerate(parts) if i == 0 or len(", ".join(parts[: i + 1])) <= LINE]
    return ", ".join(shown) + (", …" if len(shown) < len(parts) else "")


def in_words(kind: str) -> str:
    """The name of a class as a title has it; what is written for people stays as it is.

    >>> in_words("ColorOrgan"), in_words("LowPass"), in_words("RC dummy cell")
    ('Color organ', 'Low-pass', 'RC dummy cell')
    """
    if re.fullmatch("(?:[A-Z][a-z0-9]+)+", kind) is None:
        return kind
    words = "".join(f" {letter}" if letter.isupper() else letter for letter in kind)
    return words.strip().capitalize().replace(" pass", "-pass")


def _one(tensor: Tensor, board: int) -> Tensor:
    """The number of one board; a value that all boards share serves each."""
    flat = torch.as_tensor(tensor).detach().reshape(-1)
    return flat[board if len(flat) > 1 else 0]


def part_of(circuit: Circuit, parameter: Tensor, board: int) -> float:
    """The value of a component on one board: components of different shapes broadcast over the boards."""
    return float(parameter.detach().expand(circuit.batch_shape).reshape(-1)[board])


def _array(tensor: Tensor) -> Array:
    return tensor.detach().numpy(force=True)
