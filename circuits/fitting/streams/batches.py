"""The boards of a chunk as a few batches, each fitted at once; a board that spoils its batch is found and set aside."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from circuits.circuit import Circuit
from circuits.data.measurements import Measurements
from circuits.errors import OhmgradError
from circuits.fitting.fitter import HowToMove, fit
from circuits.fitting.learnable import Fixed, find_learnable
from circuits.fitting.movement import Bounds, How
from circuits.fitting.result import Fit
from circuits.fitting.starts import Starts
from circuits.fitting.stopping import Stop
from circuits.fitting.streams import rows
from circuits.fitting.streams.sources import Reading, Source
from losses import LossError

ALIKE = 8
"""Boards of one frequency grid from which they are fitted without padding."""
MOST_POINTS = 2**23
"""Points of one batch."""


@dataclass(frozen=True)
class Task:
    """What is done to every board: the circuit where it starts, and the options of `fit`."""

    circuit: Circuit
    loss: Any = None
    fixed: Fixed = None
    tied: Mapping[str, str] | None = None
    bounds: Bounds = None
    starts: Starts = None
    seed: int = 0
    method: HowToMove = "auto"
    coordinates: How = None
    stop: Stop | None = None
    compile: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The fitted values, by dotted name."""
        return find_learnable(self.circuit, self.fixed, self.tied).leaders

    def fit(self, data: Measurements) -> Fit:
        """Fit a batch of boards `(boards, …)`, from where the circuit stands.

        Raises:
            KeyboardInterrupt: Ctrl-C, of which a fit by itself would keep what it had.
        """
        result = fit(
            repeated(self.circuit, data.batch_shape[0], self._moving()),
            data,
            self.loss,
            method=self.method,
            coordinates=self.coordinates,
            stop=self.stop,
            starts=self.starts,
            bounds=self.bounds,
            fixed=self.fixed,
            tied=self.tied,
            history=False,
            progress=False,
            seed=self.seed,
            compile=self.compile,
        )
        if (result.reason == "interrupted").any():
            raise KeyboardInterrupt
        return result

    def _moving(self) -> set[str]:
        return {slot.name for slot in find_learnable(self.circuit, self.fixed, self.tied).slots}


def repeated(circuit: Circuit, boards: int, names: set[str]) -> Circuit:
    """A copy of a single board as a batch of boards, the named components one value a board.

    >>> from circuits.filters import LowPass
    >>> repeated(LowPass(R=200.0), 3, {"R"}).R.tolist()
    [200.0, 200.0, 200.0]
    """
    batch, made = copy.deepcopy(circuit), {}
    for name, parameter in list(batch.named_parameters(remove_duplicate=False)):
        if name not in names:
            continue
        if id(parameter) not in made:  # one parameter may serve in two places; the old one is kept, and so its id
            own = parameter.detach().expand(boards).clone()
            made[id(parameter)] = parameter, nn.Parameter(own, parameter.requires_grad)
        owner, _, key = name.rpartition(".")
        batch.get_submodule(owner)._parameters[key] = made[id(parameter)][1]
    return batch


def fit_chunk(task: Task, source: Source, reading: Reading, pieces: Sequence[tuple[str, Any]]) -> list[rows.Row]:
    """The rows of some boards, in their order."""
    found: dict[int, rows.Row] = {}
    boards: dict[int, Measurements] = {}
    values = len(task.names)
    for at, (name, piece) in enumerate(pieces):
        try:
            boards[at] = source.read(piece, reading)
        except (OhmgradError, OSError) as error:
            found[at] = rows.refused(name, values, str(error))
    for group in grouped(boards):
        found.update(_fit_group(task, [pieces[at][0] for at in group], group, [boards[at] for at in group]))
    return [found[at] for at in range(len(pieces))]


def _fit_group(
    task: Task, names: Sequence[str], places: Sequence[int], boards: Sequence[Measurements]
) -> dict[int, rows.Row]:
    """Rows by place; where the batch is refused its halves are tried, down to the board that is to blame."""
    try:
        made = rows.fitted(names, task.fit(stacked(boards)))
        return dict(zip(places, made, strict=True))
    except (OhmgradError, LossError, torch.linalg.LinAlgError) as error:
        if len(boards) == 1:
            return {places[0]: rows.refused(names[0], len(task.names), str(error))}
    half = len(boards) // 2
    return {
        **_fit_group(task, names[:half], places[:half], boards[:half]),
        **_fit_group(task, names[half:], places[half:], boards[half:]),
    }


def grouped(boards: Mapping[int, Measurements]) -> list[list[int]]:
    """Which boards go into one batch: the same quantity and outputs, and one grid or lengths within a factor of two."""
    grids: dict[tuple[Hashable, bytes], list[int]] = {}
    for at, board in boards.items():
        grids.setdefault((_kind(board), board.f.numpy().tobytes()), []).append(at)
    groups, loose = [], {}
    for (kind, _), places in grids.items():
        points = len(boards[places[0]])
        if len(places) >= ALIKE:
            groups += _cut(places, points)
        else:
            loose.setdefault((kind, points.bit_length()), []).extend(places)
    for (_, bits), places in loose.items():
        groups += _cut(sorted(places), 2**bits)
    return groups


def _cut(places: list[int], points: int) -> list[list[int]]:
    most = max(1, MOST_POINTS // points)
    return [places[at : at + most] for at in range(0, len(places), most)]


def _kind(board: Measurements) -> Hashable:
    return board.quantity, board.outputs, board.sigma is None, board.values.dtype


def stacked(boards: Sequence[Measurements]) -> Measurements:
    """Boards of one kind as a batch: one grid where all have the same, else each its own, the missing end as NaN.

    >>> both = stacked([Measurements([1.0], "phase", [0.0]), Measurements([1.0, 2.0], "phase", [0.0, -1.0])])
    >>> both.f.tolist(), both.values.tolist()
    ([[1.0, 1.0], [1.0, 2.0]], [[0.0, nan], [0.0, -1.0]])
    """
    first, most = boards[0], max(len(board) for board in boards)
    values = torch.stack([_padded(board.values, most, torch.nan) for board in boards])
    sigma = None
    if first.sigma is not None:
        spread = [torch.broadcast_to(board.sigma, board.values.shape) for board in boards if board.sigma is not None]
        sigma = torch.stack([_padded(one, most, 1.0) for one in spread])
    if all(board.f.shape == first.f.shape and torch.equal(board.f, first.f) for board in boards):
        f = first.f
    else:
        f = torch.stack([_padded(board.f, most, float(board.f[-1])) for board in boards])
    return Measurements(f, first.quantity, values, sigma, first.outputs)


def _padded(table: Tensor, points: int, filler: float) -> Tensor:
    missing = points - table.shape[-1]
    return table if missing == 0 else torch.cat([table, table.new_full((*table.shape[:-1], missing), filler)], -1)
