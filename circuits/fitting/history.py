"""What a fit remembers of its steps."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from circuits.fitting.coordinates import Coordinates
from circuits.fitting.methods.method import State
from losses import Loss

CHUNK = 1024
"""Steps that are kept as loose tensors before they are packed into one: a step then costs no copy of its own."""


@dataclass(frozen=True)
class History:
    """Every step of a fit, the start included: a stage of the loss begins where the one before it ended.

    Args:
        names: the p fitted values, by name.
        values: `(steps + 1, boards, p)`, in their own units.
        loss: `(steps + 1, boards)`.
        gradient: `(steps + 1, boards, p)`, with respect to the coordinates (the values themselves where they are
            linear, their logarithms where they are logarithmic).
        walks: (first row, loss) of each walk, one for every stage of the loss; empty in a history read from a file.

    A board that has stopped keeps the numbers of its last step.
    """

    names: tuple[str, ...]
    values: Tensor
    loss: Tensor
    gradient: Tensor
    walks: tuple[tuple[int, Loss], ...] = ()

    def __len__(self) -> int:
        return len(self.loss)

    def of(self, name: str) -> Tensor:
        """Walk of one value, `(steps + 1, boards)`."""
        return self.values[..., self.names.index(name)]

    def loss_at(self, step: int) -> Loss | None:
        """The loss that was walked at a row; None in a history read from a file."""
        return next((loss for first, loss in reversed(self.walks) if first <= step), None)


@dataclass
class Recorder:
    """Collects the states of a walk."""

    boards: int
    names: tuple[str, ...]
    loose: list[tuple[Tensor, ...]] = field(default_factory=list)
    packed: list[tuple[Tensor, ...]] = field(default_factory=list)
    walks: list[tuple[int, Loss]] = field(default_factory=list)
    is_known: bool = False

    def begin(self, loss: Loss) -> None:
        """What follows is a walk down this loss, from its start, which only the first walk has to remember."""
        self.is_known = bool(self.walks)
        self.walks.append((CHUNK * len(self.packed) + len(self.loose), loss))

    def record(self, state: State, rows: Tensor | None) -> None:
        """Remember one step."""
        if self.is_known:
            self.is_known = False
            return
        entry = (state.x, state.loss, state.gradient)
        if rows is not None:
            last = self.loose[-1] if self.loose else tuple(column[-1] for column in self.packed[-1])
            entry = tuple(old.index_copy(0, rows, new) for old, new in zip(last, entry, strict=True))
        self.loose.append(entry)
        if len(self.loose) == CHUNK:
            self._pack()

    def replace_by(self, other: Recorder) -> None:
        """Remember another walk in place of this one."""
        self.loose, self.packed, self.walks = other.loose, other.packed, other.walks

    def _pack(self) -> None:
        self.packed.append(tuple(torch.stack(column) for column in zip(*self.loose, strict=True)))
        self.loose = []

    def history(self, coordinates: Coordinates) -> History:
        """Everything recorded so far."""
        packed = [*self.packed]
        if self.loose:
            packed.append(tuple(torch.stack(column) for column in zip(*self.loose, strict=True)))
        x, loss, gradient = (torch.cat(column) for column in zip(*packed, strict=True))
        return History(self.names, coordinates.values(x), loss, gradient, tuple(self.walks))
