"""What is refused before any board is read."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import torch

import losses
from circuits.circuit import Circuit
from circuits.data.measurements import QUANTITIES, Measurements
from circuits.data.naming import Naming
from circuits.errors import DataError, OptionError, UnknownName
from circuits.fitting.fitter import as_method
from circuits.fitting.setup import make_problem
from circuits.fitting.starts import start_table
from circuits.fitting.stopping import check_stop
from circuits.fitting.streams import parquet
from circuits.fitting.streams.batches import Task
from circuits.fitting.streams.sources import Reading


def checked_place(into: str | os.PathLike[str]) -> Path:
    """Find out before the work, rather than after it, that the table has no place to go."""
    path = Path(into)
    if path.is_dir():
        raise DataError(f"cannot write {path}: it is a folder; give the name of a file, such as {path}/boards.csv")
    if parquet.is_parquet(path):
        parquet.check_installed()
    if not path.parent.is_dir():
        raise DataError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    return path


def check_task(task: Task, reading: Reading) -> None:
    """Refuse options that no board could follow, rather than every board for them."""
    circuit = task.circuit
    if not isinstance(circuit, Circuit):
        raise OptionError(f"cannot fit a {type(circuit).__name__} to many boards; expected a circuit")
    if circuit.batch_shape:
        raise OptionError(
            f"the circuit is a batch of boards, {tuple(circuit.batch_shape)}; expected one, where every fit starts"
        )
    if reading.quantity is not None and reading.quantity not in QUANTITIES:
        raise UnknownName("quantity", reading.quantity, QUANTITIES)
    Naming(reading.columns or {}, reading.units or {})
    check_stop(task.stop)
    loss = None if task.loss is None else losses.as_loss(task.loss)
    quantity = (None if loss is None else loss.quantity) or reading.quantity or "magnitude"
    points = torch.zeros(*([len(circuit.outputs)] if circuit.outputs else []), 1, dtype=torch.float64)
    values = torch.complex(points, points) if quantity == "response" else points
    sigma = None if quantity == "led" else 1.0
    data = Measurements(torch.tensor([1e3]), quantity, values, sigma, circuit.outputs)  # pyright: ignore
    problem = make_problem(
        copy.deepcopy(circuit),
        data,
        loss,
        coordinates=task.coordinates,
        bounds=task.bounds,
        fixed=task.fixed,
        tied=task.tied,
        is_whole=False,
    )
    as_method(task.method, problem)
    start_table(problem, task.starts, task.seed)
