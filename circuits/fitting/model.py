"""One face for everything that can be fitted: boards of a circuit, or one plain module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from circuits.circuit import Circuit
from circuits.component import Component
from circuits.errors import ShapeError
from circuits.fitting.jacobian import module_jacobian
from circuits.fitting.learnable import Learnable


class Model(ABC):
    """Predicts from a table of values `(boards, p)`, one row a board, whatever the module's own shapes are."""

    learnable: Learnable
    names: tuple[str, ...]
    boards: int

    @abstractmethod
    def values(self) -> Tensor:
        """Present values of the learnable parameters, `(boards, p)`, detached."""

    @abstractmethod
    def tensors(self, values: Tensor) -> list[Tensor]:
        """The table of values cut into one tensor a parameter, as the module wants them."""

    @abstractmethod
    def predict_from(self, tensors: list[Tensor]) -> Tensor:
        """Prediction of every board from one tensor a parameter."""

    def predict(self, values: Tensor) -> Tensor:
        """Prediction of every board at these values."""
        return self.predict_from(self.tensors(values))

    @abstractmethod
    def joined(self, slopes: Sequence[Tensor | None], values: Tensor) -> Tensor:
        """One tensor a parameter as a table like `values`; None stands for zeros. The inverse of `tensors`."""

    @property
    def kinds(self) -> tuple[Component | None, ...]:
        """What each value is, where a circuit says so."""
        return (None,) * len(self.names)

    def is_positive(self, column: int) -> bool:
        """Whether a value has to stay above zero."""
        return False

    @property
    def has_slopes(self) -> bool:
        """Whether `linearize` costs hardly more than a prediction, so that a gradient is best had from it."""
        return False

    @abstractmethod
    def linearize(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Prediction and its derivative `(boards, p, points…)` with respect to the values."""

    def store(self, values: Tensor) -> None:
        """Leave these values in the module."""
        self.learnable.store(self.tensors(values))


@dataclass
class CircuitModel(Model):
    """A circuit at frequencies f: the components' shape is the batch, and every board is a problem of its own.

    `f` is `(n,)` or `(boards, n)`; `batch` is `()` for a single board, else `(boards,)`: while a fit runs, a batch of
    any shape is one row of boards. `held` are the fixed components that differ from board to board, `(boards,)` each;
    their slots come after the learnable ones. `known` is what was found out about the circuit's formula; it holds for
    any of the boards.
    """

    circuit: Circuit
    learnable: Learnable
    f: Tensor
    quantity: str
    batch: tuple[int, ...]
    held: tuple[Tensor, ...] = ()
    known: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self):
        self.names = self.learnable.leaders
        self.boards = self.batch[0] if self.batch else 1
        moving = [slot for slot in self.learnable.slots if slot.column < len(self.names)]
        self._slot_names = [slot.name for slot in moving]
        self._is_tied = len(moving) > len(self.names)
        self._columns = torch.tensor([slot.column for slot in moving], device=self.f.device)

    def take(self, rows: Tensor) -> CircuitModel:
        """The same circuit with only some of the boards."""
        f = self.f if self.f.ndim == 1 else self.f[rows]
        return replace(self, f=f, batch=(len(rows),), held=tuple(tensor[rows] for tensor in self.held))

    @cached_property
    def kinds(self) -> tuple[Component | None, ...]:
        known = self.circuit.kinds()
        return tuple(known.get(name) for name in self.names)

    def is_positive(self, column: int) -> bool:
        kind = self.kinds[column]
        return kind is None or kind.positive

    @cached_property
    def has_slopes(self) -> bool:
        return self.circuit.has_slopes(self.quantity)

    def values(self) -> Tensor:
        return torch.stack([p.detach().reshape(-1) for p in self.learnable.parameters], -1)

    def tensors(self, values: Tensor) -> list[Tensor]:
        return [*(values if self.batch else values[0]).unbind(-1), *self.held]

    def predict_from(self, tensors: list[Tensor]) -> Tensor:
        with self.learnable.holding(tensors):
            return self.circuit.predict(self.f, self.quantity)

    def joined(self, slopes: Sequence[Tensor | None], values: Tensor) -> Tensor:
        columns = [torch.zeros_like(values[:, 0]) if slope is None else slope.reshape(-1) for slope in slopes]
        return torch.stack(columns, -1)

    def linearize(self, values: Tensor) -> tuple[Tensor, Tensor]:
        with self.learnable.holding(self.tensors(values)):
            prediction, jacobian = self.circuit.linearize(self.f, self.quantity, self._slot_names)
        if self._is_tied:
            dimension = len(self.batch)
            shape = (*jacobian.shape[:dimension], len(self.names), *jacobian.shape[dimension + 1 :])
            jacobian = jacobian.new_zeros(shape).index_add_(dimension, self._columns, jacobian)
        return prediction, jacobian


@dataclass
class ModuleModel(Model):
    """A plain module called on its inputs: every element of every parameter belongs to one problem."""

    module: nn.Module
    learnable: Learnable
    inputs: tuple[Any, ...]

    boards = 1

    def __post_init__(self):
        self._sizes = [p.numel() for p in self.learnable.parameters]
        self.names = tuple(
            name
            for leader, p in zip(self.learnable.leaders, self.learnable.parameters, strict=True)
            for name in element_names(leader, p)
        )

    def values(self) -> Tensor:
        return torch.cat([p.detach().reshape(-1) for p in self.learnable.parameters]).unsqueeze(0)

    def tensors(self, values: Tensor) -> list[Tensor]:
        pieces = values[0].split(self._sizes)
        return [piece.view(p.shape) for piece, p in zip(pieces, self.learnable.parameters, strict=True)]

    def joined(self, slopes: Sequence[Tensor | None], values: Tensor) -> Tensor:
        sizes = zip(slopes, self._sizes, strict=True)
        return torch.cat([values.new_zeros(size) if s is None else s.reshape(-1) for s, size in sizes]).unsqueeze(0)

    def predict_from(self, tensors: list[Tensor]) -> Tensor:
        with self.learnable.holding(tensors):
            prediction = self.module(*self.inputs)
        if not isinstance(prediction, Tensor):
            raise ShapeError(
                f"the module returned a {type(prediction).__name__}; a fit compares one tensor with the targets: "
                "wrap the module so that it returns the tensor that was measured"
            )
        return prediction

    def linearize(self, values: Tensor) -> tuple[Tensor, Tensor]:
        prediction, jacobian = module_jacobian(self.predict, values)
        return prediction, jacobian.unsqueeze(0)


def element_names(name: str, parameter: Tensor) -> list[str]:
    """Names of the elements of a parameter: `R`, or `weight[0,2]`."""
    if parameter.ndim == 0:
        return [name]
    index = torch.cartesian_prod(*(torch.arange(size) for size in parameter.shape)).reshape(-1, parameter.ndim)
    return [f"{name}[{','.join(str(i) for i in row)}]" for row in index.tolist()]
