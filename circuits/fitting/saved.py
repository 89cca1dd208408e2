"""A fit that was read back from a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.fitting.history import History
from circuits.fitting.identifiability import strong_pairs
from circuits.fitting.shown import Shown


@dataclass(frozen=True)
class SavedFit(Shown):
    """A fit read back from a file: the same account as `Fit`, without the problem that it came from."""

    circuit: Circuit | None
    model_name: str
    units: dict[str, str]
    moved: tuple[str, ...]
    held: tuple[str, ...]
    loss_name: str
    names: tuple[str, ...]
    batch_shape: torch.Size
    values: dict[str, Tensor]
    errors: dict[str, Tensor]
    intervals: dict[str, Tensor] | None
    covariance: Tensor
    correlation: Tensor
    cutoffs: dict[str, tuple[Any, Any]]
    identifiability: Any
    loss: Any
    steps: Any
    reason: Any
    converged: Any
    explains: Any
    misfit: Any
    notes: tuple[str, ...]
    seconds: float
    history: History | None

    strong_correlations = property(
        lambda self: strong_pairs(self.names, self.correlation) if not self.batch_shape else []
    )
