"""One board of a batch, as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from torch import Tensor

from circuits.errors import OptionError

Board: TypeAlias = "int | Sequence[int] | None"


def value_of(component: Tensor, batch: Sequence[int], board: Board) -> float:
    """The value of a component of one board.

    Args:
        component: of a shape that broadcasts to the batch.
        batch: shape of all boards, `()` if there is a single one.
        board: index of one of them, a number or as many as the batch has dimensions; None for a single board.

    Raises:
        OptionError: several boards and none chosen, or one that is not there.

    >>> import torch
    >>> value_of(torch.tensor([1.0, 2.0]), (3, 2), (0, 1))
    2.0
    """
    index = () if board is None else (board,) if isinstance(board, int) else tuple(board)
    shape = tuple(batch)
    if len(index) != len(shape) or not all(-n <= i < n for i, n in zip(index, shape, strict=True)):
        example = "" if not shape else f" such as board={0 if len(shape) == 1 else (0,) * len(shape)}"
        expected = f"expected the index of one{example}" if shape else "this is a single board, leave it out"
        raise OptionError(f"board={board!r} of boards of shape {shape}; {expected}")
    return float(component.detach().expand(shape)[index])
