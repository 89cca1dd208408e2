"""What a board with real parts is judged by: its response against the one that is wanted, for many boards at once."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.data import Measurements
from circuits.errors import DataError, OptionError, ShapeError, UnknownName
from circuits.fitting.learnable import find_learnable
from circuits.fitting.model import CircuitModel

QUANTITIES = ("magnitude", "decibels", "response")
"""Quantities in which responses can be compared; of a complex response, the distance in the plane."""
_POINTS = 2_000_000  # points of a response predicted in one go


@dataclass(frozen=True)
class Wanted:
    """The response that is wanted, and the circuit that should give it.

    `circuit` is a copy with its ideal values, a single board in float64; `f` is `(n,)` in hertz; `values` is `(k, n)`,
    with k = 1 for a circuit of one output, and NaN where nothing is asked; `points` is how many are not NaN.
    """

    circuit: Circuit
    f: Tensor
    quantity: str
    values: Tensor

    @property
    def points(self) -> int:
        """How many numbers are compared."""
        return int((~self.values.isnan()).sum())

    def block(self, names: Sequence[str], outputs: Sequence[int]) -> Block:
        """The part of the problem that these components decide on alone, through these outputs."""
        for name, parameter in self.circuit.named_parameters():
            parameter.requires_grad_(name in names)
        learnable = find_learnable(self.circuit)
        model = CircuitModel(self.circuit, learnable, self.f, self.quantity, (1,))
        return Block(model, torch.tensor(list(outputs)), self.values[list(outputs)], self.points)

    def predict(self, circuit: Circuit) -> Tensor:
        """The quantity as a circuit gives it, `(k, n)`."""
        with torch.no_grad():
            return _by_output(circuit.predict(self.f, self.quantity), 0)


@dataclass(frozen=True, eq=False)
class Block:
    """A circuit, some of its outputs, and the p components that these depend on, in the order of `model.names`.

    `values` are `(k, n)`; a cost is a share of the mean square error over all the `points` of the whole problem, so
    that the costs of several blocks add up.
    """

    model: CircuitModel
    outputs: Tensor
    values: Tensor
    points: int

    @property
    def names(self) -> tuple[str, ...]:
        """Dotted names of the components."""
        return self.model.names

    def copies(self) -> list[int]:
        """How many parts each component stands for: several where one Parameter has several names."""
        columns = [slot.column for slot in self.model.learnable.slots]
        return [columns.count(column) for column in range(len(self.names))]

    def costs(self, values: Tensor) -> Tensor:
        """Mean square error of boards with these values `(boards, p)` in SI units, `(boards,)`."""
        size = max(1, _POINTS // max(1, self.model.f.numel() * self.values.shape[0]))
        with torch.no_grad():
            return torch.cat([self._costs(part) for part in values.split(size)])

    def _costs(self, values: Tensor) -> Tensor:
        prediction = self.model.predict_from(self.model.tensors(values))
        residual = self._residual(_by_output(prediction, 1))
        return _numbers(residual).square().sum(-1).nan_to_num(nan=math.inf) / self.points

    def linearize(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Residuals `(boards, m)` and their derivative by the logarithm of every component, `(boards, p, m)`."""
        prediction, jacobian = self.model.linearize(values)
        prediction, jacobian = _by_output(prediction, 1), _by_output(jacobian, 2)
        residual = self._residual(prediction)
        slope = jacobian[..., self.outputs, :] * values[..., None, None]
        return _numbers(residual), _numbers(torch.where(self.values.isnan(), 0.0, slope))

    def _residual(self, prediction: Tensor) -> Tensor:
        """What is missing, zero where nothing is asked."""
        return torch.where(self.values.isnan(), 0.0, prediction[..., self.outputs, :] - self.values)


def wanted_from(
    circuit: Circuit, f: Tensor | None, target: Tensor | Measurements | None, quantity: str, names: Iterable[str]
) -> Wanted:
    """Bring circuit and target into one shape.

    Raises:
        DataError: a target that is not finite. ShapeError: shapes that differ, a batch of boards.
        UnknownName: a quantity or component that is not there. OptionError: no frequencies.
    """
    if quantity not in QUANTITIES:
        raise UnknownName("quantity to compare by", quantity, QUANTITIES)
    if circuit.batch_shape.numel() != 1 or circuit.batch_shape:
        raise ShapeError(f"{tuple(circuit.batch_shape)} boards; expected one: take parts for each board on its own")
    known = dict(circuit.named_parameters(remove_duplicate=False))
    for name in names:
        if name not in known:
            raise UnknownName("component", name, known)
    own = copy.deepcopy(circuit).double()
    if isinstance(target, Measurements):
        f, target = target.f, _measured(target, own, quantity)
    if f is None:
        raise OptionError("no frequencies to compare at; give f, or a target of Measurements")
    f = own._checked(torch.as_tensor(f, dtype=torch.float64).reshape(-1))
    with torch.no_grad():
        ideal = _by_output(own.predict(f, quantity), 0)
    values = ideal if target is None else _shaped(target.to(ideal.dtype), ideal)
    if values.isinf().any() or values.isnan().all():
        raise DataError(f"the {quantity} that is wanted is not finite everywhere; leave those frequencies out")
    return Wanted(own, f, quantity, values)


def _measured(target: Measurements, circuit: Circuit, quantity: str) -> Tensor:
    """The values of measurements in this quantity, outputs in the order of the circuit."""
    if target.quantity == "led":
        raise DataError("LEDs that are lit or dark are no response to come near to; give magnitudes or decibels")
    if target.batch_shape:
        raise ShapeError(f"measurements of {tuple(target.batch_shape)} boards; expected those of one")
    target = target.as_quantity(quantity)
    return (target.select(circuit.outputs) if circuit.outputs and target.outputs else target).values


def _shaped(target: Tensor, ideal: Tensor) -> Tensor:
    target = target if target.ndim > 1 else target.unsqueeze(0)
    if target.shape != ideal.shape:
        raise ShapeError(f"a target of {tuple(target.shape)}; the circuit gives {tuple(ideal.shape)}")
    return target


def _by_output(prediction: Tensor, leading: int) -> Tensor:
    """A dimension of one output where the circuit has no names for several, `(*leading, k, n)`."""
    return prediction if prediction.ndim == leading + 2 else prediction.unsqueeze(-2)


def _numbers(residual: Tensor) -> Tensor:
    """Outputs and frequencies in one row of real numbers."""
    row = residual.flatten(-2)
    return torch.view_as_real(row).flatten(-2) if row.is_complex() else row
