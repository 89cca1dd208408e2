"""What processes that fitted together found, the same record in each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from circuits.fitting.distributed.group import Group
from circuits.fitting.result import Fit
from circuits.fitting.stopping import SENTENCES


@dataclass(frozen=True)
class Messages:
    """What one process sent for a fit.

    Args:
        sums: bytes of a row that was added up over all processes, and how often.
        gathers: bytes of what this process brought when something was gathered, and how often.
    """

    sums: Mapping[int, int]
    gathers: Mapping[int, int]

    @property
    def bytes(self) -> int:
        """Bytes that this process brought in all."""
        return sum(size * times for table in (self.sums, self.gathers) for size, times in table.items())

    def __str__(self) -> str:
        said = [f"{times} sums of {size} bytes" for size, times in sorted(self.sums.items())]
        said += [f"{times} gathers of {size} bytes" for size, times in sorted(self.gathers.items())]
        return ", ".join(said) or "nothing was sent"


@dataclass(frozen=True, eq=False)
class Found:
    """The result of `circuits.fit_distributed`: for every board where it ended, and how well that is known.

    Args:
        circuit: the module, holding the fitted values.
        values: in SI units by dotted name, each shaped like its parameter.
        errors: one standard error of each, likewise; none of a plain module, whose rows do not add up over processes.
        loss, steps, converged, explains: one number a board in the batch's shape, plain ones for a single board.
        reason: why each board stopped, an array of the batch's shape or one text.
        share: what was shared out, "boards" or "points". processes: among how many.
        messages: what this process sent.
        seconds: from the call to here.
    """

    circuit: nn.Module
    values: dict[str, Tensor]
    errors: dict[str, Tensor]
    loss: Any
    steps: Any
    reason: Any
    converged: Any
    explains: Any
    share: str
    processes: int
    messages: Messages
    seconds: float

    def __str__(self) -> str:
        arrived, boards = int(np.sum(np.asarray(self.converged))), int(np.size(np.asarray(self.converged)))
        lines = [f"{type(self.circuit).__name__}: {arrived} of {boards} boards converged"]
        if boards == 1:
            lines += [
                f"  {name} = {value.reshape(-1)[0]:.6g} ± {self.errors[name].reshape(-1)[0]:.2g}"
                for name, value in self.values.items()
                if value.numel() == 1
            ]
        who = "one process" if self.processes == 1 else f"{self.processes} processes"
        lines.append(f"  {self.share} shared among {who} in {self.seconds:.3g} s; sent from here: {self.messages}")
        return "\n".join(lines)


def messages_of(group: Group) -> Messages:
    """What a group has counted so far."""
    return Messages(dict(group.sums), dict(group.gathers))


REASONS = tuple(SENTENCES)
"""Why a fit stopped, by number: in a table of numbers a reason is one, too."""

NUMBER_OF = {reason: number for number, reason in enumerate(REASONS)}


@dataclass(frozen=True)
class Table:
    """What was found, as numbers that can be sent.

    Args:
        names: of the p learned parameters.
        columns: `(boards, 2p + 5)` in float64: values, errors, loss, steps, converged, explains, reason.
    """

    names: tuple[str, ...]
    columns: Tensor

    @staticmethod
    def empty(p: int, device: torch.device) -> Tensor:
        """No board at all."""
        return torch.zeros(0, 2 * p + 5, dtype=torch.float64, device=device)

    def by_name(self, first: int, like: Mapping[str, Tensor], batch: tuple[int, ...]) -> dict[str, Tensor]:
        """p columns from this one on, in the shape of the boards and the precision of the parameters."""
        columns = self.columns[:, first : first + len(self.names)].reshape(*batch, -1).unbind(-1)
        return {name: column.to(like[name].dtype) for name, column in zip(self.names, columns, strict=True)}


def columns_of(fit: Fit) -> Tensor:
    """The columns of a `Table` from the fit of some boards."""
    boards, device = len(fit.end), fit.end.device
    reasons = np.asarray(fit.reason, dtype=object).reshape(-1)
    codes = np.fromiter((NUMBER_OF[reason] for reason in reasons), np.int64, boards)
    numbers = (torch.as_tensor(n) for n in (fit.loss, fit.steps, fit.converged, fit.explains, codes))
    parts = [*fit.values.values(), *fit.errors.values(), *numbers]
    return torch.stack([part.detach().to(device, torch.float64).reshape(boards) for part in parts], -1)
