"""`fit_distributed`: the one line that every process calls."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from circuits.circuit import Circuit
from circuits.fitting.distributed.boards import fit_boards
from circuits.fitting.distributed.found import REASONS, Found, Table, messages_of
from circuits.fitting.distributed.group import Group, joined
from circuits.fitting.distributed.points import fit_points
from circuits.fitting.distributed.task import Task
from circuits.fitting.fitter import HowToMove
from circuits.fitting.learnable import Fixed
from circuits.fitting.movement import Bounds, How
from circuits.fitting.result import Fit
from circuits.fitting.setup import Data
from circuits.fitting.starts import Starts
from circuits.fitting.stopping import Stop


def fit_distributed(
    circuit: nn.Module,
    data: Data,
    loss: Any = None,
    *,
    share: str | None = None,
    given: str = "whole",
    method: HowToMove = "auto",
    coordinates: How = None,
    stop: Stop | None = None,
    starts: Starts = None,
    bounds: Bounds = None,
    fixed: Fixed = None,
    tied: Mapping[str, str] | None = None,
    progress: bool | None = None,
    seed: int = 0,
    timeout: float = 600.0,
) -> Found:
    """Fit in all processes that torchrun started, on one machine or many; every process calls this alike.

    Started without torchrun the same line fits in one process, with the same answer. Boards: each process fits
    its block of them by `circuits.fit`, and the results are gathered; (2p + 5) numbers a board travel. Points: the
    loss is a sum over data points, so its value, gradient and curvature (the normal equations JᵀJ δ = −Jᵀr) are added
    up over the processes at each step, 2 + p + p(p + 1)/2 numbers a board, and all take the same steps.

    Args:
        circuit, data, loss, method, coordinates, stop, starts, bounds, fixed, tied, progress, seed: as in
            `circuits.fit`, the same in every process. The circuit is moved to its device beforehand: on CUDA, one
            process a device, the processes speak by nccl, on CPUs by gloo.
        share: "boards" or "points"; None shares boards where there is a batch of them, else points.
        given: "whole" where every process gives all data and takes its part of them; "part" where the data are
            already this process's own: its points, or its boards and their circuit (see `part_of`).
        timeout: seconds after which a silent process counts as lost.

    Raises:
        OptionError, ShapeError: the processes were not given the same. UnknownName: an unknown way of sharing.
        DataError: data that cannot be fitted; what one process raises all raise.
        WorkerError: a process died, raised what is no error of this package, or fell silent.

    Reference: S. Chu et al., Map-reduce for machine learning on multicore, NeurIPS 19 (2006), on sums over data.

    >>> import circuits as cc
    >>> boards = cc.LowPass(R=[500.0, 500.0, 500.0])
    >>> found = fit_distributed(boards, cc.simulate(cc.LowPass(R=[100.0, 200.0, 300.0]), cc.log_grid(60, 10.0, 1e5)))
    >>> found.values["R"].round(decimals=6).tolist(), found.share, found.processes
    ([100.0, 200.0, 300.0], 'boards', 1)
    """
    began = time.perf_counter()
    is_batch = isinstance(circuit, Circuit) and len(circuit.batch_shape) > 0
    chosen = share or ("boards" if is_batch else "points")
    fixed = (
        dict(fixed) if isinstance(fixed, Mapping) else fixed if fixed is None or isinstance(fixed, str) else (*fixed,)
    )
    task = Task(loss, chosen, given, method, coordinates, stop, starts, bounds, fixed, tied, progress, seed)
    device = next((p.device for p in circuit.parameters()), torch.device("cpu"))
    with joined(device, timeout) as group:
        if task.share == "boards":
            return _of_boards(group, circuit, fit_boards(group, circuit, data, task), began)
        return _of_points(group, fit_points(group, circuit, data, task), began)


def _of_boards(group: Group, circuit: nn.Module, table: Table, began: float) -> Found:
    """The record of what many processes found of their boards, in the shape of the circuit's batch if it is whole."""
    p, like = len(table.names), dict(circuit.named_parameters(remove_duplicate=False))
    batch = tuple(circuit.batch_shape) if isinstance(circuit, Circuit) else ()
    batch = batch if math.prod(batch) == len(table.columns) else (len(table.columns),)
    loss, steps, converged, explains, reason = table.columns[:, 2 * p :].reshape(*batch, 5).unbind(-1)
    return Found(
        circuit=circuit,
        values=table.by_name(0, like, batch),
        errors=table.by_name(p, like, batch),
        loss=loss.to(like[table.names[0]].dtype),
        steps=steps.long(),
        reason=np.array(REASONS, dtype=object)[reason.long().numpy(force=True)],
        converged=converged.bool(),
        explains=explains.bool(),
        share="boards",
        processes=group.size,
        messages=messages_of(group),
        seconds=time.perf_counter() - began,
    )


def _of_points(group: Group, fit: Fit, began: float) -> Found:
    """The record of what all processes found alike; they work it out together."""
    is_circuit = isinstance(fit.circuit, Circuit)
    return Found(
        circuit=fit.circuit,
        values=fit.values,
        errors=fit.errors if is_circuit else {},
        loss=fit.loss,
        steps=fit.steps,
        reason=fit.reason,
        converged=fit.converged,
        explains=fit.explains,
        share="points",
        processes=group.size,
        messages=messages_of(group),
        seconds=time.perf_counter() - began,
    )
