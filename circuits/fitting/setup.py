"""The door of a fit: model, data, loss and options become one problem, or one clear error."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

import losses
from circuits.circuit import Circuit
from circuits.component import Component
from circuits.data.measurements import Measurements
from circuits.errors import ComponentError, DataError, OptionError, ShapeError, UnknownName
from circuits.fitting.learnable import Fixed, Learnable, find_learnable, fixed_values
from circuits.fitting.model import CircuitModel, Model, ModuleModel
from circuits.fitting.movement import Bounds, How, make_coordinates
from circuits.fitting.one_sided import refuse_one_sided
from circuits.fitting.problem import Problem
from circuits.notation import parse

DEFAULT_LOSS: Mapping[str | None, losses.Loss] = {
    None: losses.Squared(),
    "magnitude": losses.Magnitude(),
    "decibels": losses.Decibel(),
    "phase": losses.Phase(),
    "response": losses.Complex(),
    "led": losses.LogisticLed(),
}
"""The loss for each measured quantity when none is given: least squares, and the likelihood for LEDs."""

Data = Measurements | tuple[Any, Any]


def make_problem(
    module: nn.Module,
    data: Data,
    loss: Any = None,
    *,
    coordinates: How = None,
    bounds: Bounds = None,
    fixed: Fixed = None,
    tied: Mapping[str, str] | None = None,
    is_whole: bool = True,
) -> Problem:
    """Check everything that a person gave and state the problem; see `fit` for the arguments.

    Of data that are no more than a part (`is_whole=False`) all may be missing, or all LEDs lit.
    """
    if not isinstance(module, nn.Module):
        raise OptionError(f"cannot fit a {type(module).__name__}; expected a circuit or any torch.nn.Module")
    _check_data(data)
    loss = None if loss is None else losses.as_loss(loss)
    learnable = find_learnable(module, fixed, tied)
    with holding_fixed(module, fixed):
        problem = _checked_problem(module, learnable, data, loss, coordinates, bounds)
        if is_whole:
            _refuse_too_little(problem)
        return problem


def _checked_problem(
    module: nn.Module, learnable: Learnable, data: Data, loss: losses.Loss | None, coordinates: How, bounds: Bounds
) -> Problem:
    """The problem, once the fixed components have their values."""
    _check_finite(module, learnable)
    if isinstance(module, Circuit):
        model, target, sigma, loss = _circuit_side(module, learnable, data, loss)
    else:
        model, target, sigma, loss = _module_side(module, learnable, data, loss)
    present = None
    if _has_missing(target):
        missing = target.isnan()
        present = (~missing).to(learnable.parameters[0].dtype)
        target = torch.where(missing, torch.zeros_like(target), target)
        sigma = None if sigma is None else torch.where(missing, torch.ones_like(sigma), sigma)
    _check_priors(loss, model, sigma)
    return Problem(model, target, loss, make_coordinates(model, coordinates, bounds), sigma, present)


def _refuse_too_little(problem: Problem) -> None:
    """Refuse data that say nothing, or LEDs that never change."""
    if problem.present is not None and not bool(problem.present.any()):
        raise DataError("nothing to fit: every value is missing; give at least one measured value")
    if problem.loss.quantity == "led":
        refuse_one_sided(problem)


@contextmanager
def holding_fixed(module: nn.Module, fixed: Fixed) -> Iterator[None]:
    """Give the fixed components their values; a problem that is refused leaves the module as it was."""
    parameters = dict(module.named_parameters(remove_duplicate=False))
    values = {name: value for name, value in fixed_values(fixed).items() if value is not None}
    wanted = {name: _fixed_value(module, name, parameters[name], value) for name, value in values.items()}
    before = {name: parameters[name].detach().clone() for name in wanted}
    try:
        _copy(parameters, wanted)
        yield
    except BaseException:
        _copy(parameters, before)
        raise


def _has_missing(target: Tensor) -> bool:
    """Whether a value is NaN: the sum tells most quickly that none is."""
    total = target.sum()
    return not bool(torch.isfinite(total)) and bool(target.isnan().any())


def _copy(parameters: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, value in values.items():
            parameters[name].copy_(value)


def _fixed_value(module: nn.Module, name: str, parameter: nn.Parameter, value: Any) -> Tensor:
    """A value to hold, as a tensor of the parameter's shape."""
    try:
        value = parse(value) if isinstance(value, str) else value
        table = torch.as_tensor(value, dtype=parameter.dtype, device=parameter.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ComponentError(f"fixed {name} = {value!r}; expected a number, or text such as '100n'") from error
    if table.numel() != 1 and table.shape != parameter.shape:
        shapes = f"{tuple(table.shape)}; expected {tuple(parameter.shape)}"
        raise ShapeError(f"fixed {name} has shape {shapes}, or one number")
    table = table.reshape(parameter.shape) if table.numel() == parameter.numel() else table.expand(parameter.shape)
    is_positive = isinstance(module, Circuit) and _is_positive(module.kinds(), name)
    fine = torch.isfinite(table) & ((table > 0) if is_positive else torch.isfinite(table))
    if not bool(fine.all()):
        wrong = float(table[~fine].reshape(-1)[0])
        kind = "a positive, finite value" if is_positive else "a finite value"
        raise ComponentError(f"fixed {name} = {wrong:g}; expected {kind}")
    return table


def _is_positive(kinds: Mapping[str, Component], name: str) -> bool:
    """Whether a component of a circuit has to stay above zero."""
    return name not in kinds or kinds[name].positive


def _check_data(data: Any) -> None:
    if not isinstance(data, Measurements) and not (isinstance(data, (tuple, list)) and len(data) == 2):
        raise DataError(
            f"cannot fit to data of type {type(data).__name__}; expected Measurements (from circuits.read or "
            "circuits.simulate) or a pair (inputs, targets)"
        )


def _check_finite(module: nn.Module, learnable: Learnable) -> None:
    kinds = module.kinds() if isinstance(module, Circuit) else {}
    for name, parameter in zip(learnable.leaders, learnable.parameters, strict=True):
        if not parameter.is_floating_point():
            raise ComponentError(f"{name} holds {parameter.dtype}; expected real floating-point numbers to learn")
        lowest, highest = (float(end) for end in torch.aminmax(parameter.detach()))
        if not (math.isfinite(lowest) and math.isfinite(highest)):
            raise ComponentError(f"{name} starts at NaN or infinity; give it a finite value before the fit")
        if isinstance(module, Circuit) and _is_positive(kinds, name) and not lowest > 0:
            raise ComponentError(f"{name} starts at {lowest:g}; expected a positive value before the fit")


def _circuit_side(
    circuit: Circuit, learnable: Learnable, data: Data, loss: losses.Loss | None
) -> tuple[CircuitModel, Tensor, Tensor | None, losses.Loss]:
    """Boards of a circuit against measurements."""
    data = _measured(circuit, data, loss)
    if loss is None:
        loss = DEFAULT_LOSS[data.quantity]
    elif loss.quantity is not None:
        data = data.as_quantity(loss.quantity)
    data = _matching_outputs(circuit, data)
    own = learnable.parameters[0]
    tables = [table for table in (data.f, data.values, data.sigma) if table is not None]
    if any(table.dtype.to_real() != own.dtype or table.device != own.device for table in tables):
        data = data.to(own.device, own.dtype)
    batch = _batch(circuit, learnable)
    f = data.f if data.f.ndim == 1 else _flat(data.f, batch, 1, "frequencies")
    points = (len(circuit.outputs), len(data)) if circuit.outputs else (len(data),)
    target = _flat(data.values, batch, len(points), "values")
    sigma = None if data.sigma is None else _flat(data.sigma.expand(data.values.shape), batch, len(points), "sigma")
    rows = () if not batch else (batch.numel(),)
    held = {} if not batch else _held(circuit, learnable, batch)
    model = CircuitModel(circuit, learnable.with_held(circuit, held), f, data.quantity, rows, tuple(held.values()))
    return model, target, sigma, loss


def _measured(circuit: Circuit, data: Data, loss: losses.Loss | None) -> Measurements:
    """A plain pair (f, values) becomes measurements of what the loss compares, or of the magnitude."""
    if isinstance(data, Measurements):
        return data
    try:
        f, values = (torch.as_tensor(part) for part in data)
    except (TypeError, ValueError, RuntimeError) as error:
        kinds = " and ".join(type(part).__name__ for part in data)
        raise DataError(
            f"cannot fit to a pair of {kinds} holding {str(data)[:60]}; expected numeric frequencies and values"
        ) from error
    quantity = (loss.quantity if loss is not None else None) or ("response" if values.is_complex() else "magnitude")
    has_outputs = values.ndim > 1 and values.shape[-2] == len(circuit.outputs)
    return Measurements(f, quantity, values, outputs=circuit.outputs if has_outputs else ())


def _matching_outputs(circuit: Circuit, data: Measurements) -> Measurements:
    """The measured outputs in the circuit's order, an output that was not measured being all missing."""
    expected, given = circuit.outputs, data.outputs
    if expected == given or (expected and len(given) == len(expected) and set(given).isdisjoint(expected)):
        return data
    if not expected and len(given) == 1:
        return data.select(given[0])
    if expected and given and set(given) <= set(expected):
        return _with_missing(data, expected)
    raise ShapeError(
        f"{circuit.title} has {_outputs(expected)} and the data {_outputs(given)}; "
        "choose the matching outputs with data.select(...)"
    )


def _with_missing(data: Measurements, expected: tuple[str, ...]) -> Measurements:
    """Fill in rows of missing values, and put the rows in order."""

    def row(table: Tensor, name: str, filler: float) -> Tensor:
        if name in data.outputs:
            return table[..., data.outputs.index(name), :]
        return torch.full_like(table[..., 0, :], filler)

    values = torch.stack([row(data.values, name, torch.nan) for name in expected], -2)
    sigma = None
    if data.sigma is not None:
        full = data.sigma.expand(data.values.shape)
        sigma = torch.stack([row(full, name, 1.0) for name in expected], -2)
    return Measurements(data.f, data.quantity, values, sigma, expected, data.meta, data.understood)


def _outputs(names: tuple[str, ...]) -> str:
    return f"the outputs {', '.join(names)}" if names else "one unnamed output"


def _batch(circuit: Circuit, learnable: Learnable) -> torch.Size:
    """The shape of the batch of boards, which every learnable component must have."""
    batch = circuit.batch_shape
    for name, parameter in zip(learnable.leaders, learnable.parameters, strict=True):
        if parameter.shape != batch:
            raise ShapeError(
                f"{name} has shape {tuple(parameter.shape)} in a batch of boards {tuple(batch)}; every board is fitted "
                f"on its own, so give {name} one value a board (shape {tuple(batch)}) or hold it fixed"
            )
    return batch


def _held(circuit: Circuit, learnable: Learnable, batch: torch.Size) -> dict[str, Tensor]:
    """Fixed components that differ from board to board, one row each."""
    moving = {slot.name for slot in learnable.slots}
    return {
        name: p.detach().expand(batch).reshape(-1)
        for name, p in circuit.named_parameters(remove_duplicate=False)
        if name not in moving and p.ndim > 0
    }


def _flat(table: Tensor, batch: torch.Size, points: int, what: str) -> Tensor:
    """A table `(*batch, points…)` as `(boards, points…)`, or `(1, points…)` when it serves every board."""
    own = table.shape[: table.ndim - points]
    if table.ndim < points or own not in (batch, torch.Size()):
        raise ShapeError(
            f"the {what} have shape {tuple(table.shape)} for boards of shape {tuple(batch)}; expected "
            f"{points} dimension{'s' if points > 1 else ''} for one board, or those of the boards before them: give "
            "the circuit one value a board, such as LowPass(R=[500.0] * boards)"
        )
    return table.reshape(-1 if own else 1, *table.shape[table.ndim - points :])


def _module_side(
    module: nn.Module, learnable: Learnable, data: Data, loss: losses.Loss | None
) -> tuple[ModuleModel, Tensor, Tensor | None, losses.Loss]:
    """A plain module against a pair of inputs and targets."""
    own, sigma = learnable.parameters[0], None
    if isinstance(data, Measurements):
        loss = DEFAULT_LOSS[data.quantity] if loss is None else loss
        data = data.as_quantity(loss.quantity) if loss.quantity else data
        data = data.to(own.device, own.dtype)
        inputs, target = (data.f,), data.values
        sigma = None if data.sigma is None else data.sigma.expand(target.shape).unsqueeze(0)
    else:
        inputs, target = data
        inputs = inputs if isinstance(inputs, tuple) else (inputs,)
        inputs = tuple(_tensor(part, own) for part in inputs)
        target = _tensor(target, own)
        if not isinstance(target, Tensor):
            raise DataError(f"the targets are a {type(target).__name__}; expected a tensor or an array of numbers")
        loss = DEFAULT_LOSS[None] if loss is None else loss
    model = ModuleModel(module, learnable, inputs)
    with torch.no_grad():
        prediction = model.predict(model.values())
    if prediction.shape != target.shape:
        raise ShapeError(
            f"the module predicts shape {tuple(prediction.shape)} and the targets have shape {tuple(target.shape)}; "
            "make the two equal"
        )
    return model, target.unsqueeze(0), sigma, loss


def _tensor(part: Any, own: Tensor) -> Any:
    """Numbers as a tensor beside the parameters; floating-point numbers take their precision."""
    try:
        tensor = torch.as_tensor(part)
    except (TypeError, ValueError, RuntimeError):
        return part
    if tensor.is_floating_point():
        return tensor.to(own.device, own.dtype)
    return tensor.to(own.device)


def _check_priors(loss: losses.Loss, model: Model, sigma: Tensor | None) -> None:
    """A prior speaks of what is learned, and is weighed against a known noise."""
    for prior in loss.priors:
        for name in prior.nominal:
            if name not in model.names:
                raise UnknownName("learnable component", name, model.names)
    least_squares = all(isinstance(term, losses.LeastSquares) for term in loss.terms())
    if loss.priors and least_squares and sigma is None and loss.sigma is None:
        raise OptionError(
            "a Prior is weighed against the noise of the data, and none is known; give the measurements a sigma, or "
            "the loss, as in Magnitude(sigma=0.01) + Prior(...)"
        )
