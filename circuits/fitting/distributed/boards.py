"""Boards shared out: every process fits some of them as if they were all, and at the end they are put together."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from circuits.circuit import Circuit
from circuits.data.measurements import Measurements
from circuits.errors import OptionError
from circuits.fitting.distributed.agreement import check_agreement, module_terms, together
from circuits.fitting.distributed.found import Table, columns_of
from circuits.fitting.distributed.group import Group, part_of
from circuits.fitting.distributed.task import Task
from circuits.fitting.learnable import find_learnable, fixed_values
from circuits.fitting.setup import Data, holding_fixed


def fit_boards(group: Group, circuit: nn.Module, data: Data, task: Task) -> Table:
    """Fit the boards of a circuit, each process some of them, and leave the values in it; see `fit_distributed`."""
    check_agreement(group, _terms(circuit, task))
    learnable = together(group, lambda: find_learnable(circuit, task.fixed, task.tied))
    own = together(group, lambda: _own(group, circuit, data, task, len(learnable.leaders)))
    table = Table(learnable.leaders, group.rows(own))
    if task.given == "part":
        return table
    learnable.store(table.columns[:, : len(learnable.leaders)].to(learnable.parameters[0].dtype).unbind(-1))
    return table


def _terms(circuit: nn.Module, task: Task) -> dict[str, str]:
    """What all processes must have alike: of boards of their own, the kind alone."""
    own = ("shapes of the components", "values of the components") if task.given == "part" else ()
    return {what: said for what, said in {**task.terms(), **module_terms(circuit)}.items() if what not in own}


def _own(group: Group, circuit: nn.Module, data: Data, task: Task, p: int) -> Tensor:
    """What this process finds of its own boards, a row for each."""
    if not isinstance(circuit, Circuit) or not circuit.batch_shape:
        what = "one board" if isinstance(circuit, Circuit) else f"a {type(circuit).__name__}"
        raise OptionError(f"share='boards' was given {what}; expected a circuit of many boards, or share='points'")
    if task.given == "part":
        return columns_of(task.fit(circuit, data, task.fixed, shows=group.rank == 0))
    rows = part_of(circuit.batch_shape.numel(), group.rank, group.size)
    with holding_fixed(circuit, task.fixed):
        if rows.start == rows.stop:
            return Table.empty(p, next(circuit.parameters()).device)
        part, own = cut_circuit(circuit, rows), cut_data(data, circuit, rows)
        return columns_of(task.fit(part, own, tuple(fixed_values(task.fixed)), shows=group.rank == 0))


def cut_circuit(circuit: Circuit, rows: slice) -> Circuit:
    """A copy of some of the boards of a circuit, in one row whatever the shape of the batch was.

    >>> from circuits.filters import LowPass
    >>> cut_circuit(LowPass(R=[[100.0, 200.0], [300.0, 400.0]]), slice(1, 3)).R.tolist()
    [200.0, 300.0]
    """
    part, batch = copy.deepcopy(circuit), circuit.batch_shape
    before = dict(part.named_parameters(remove_duplicate=False))
    made: dict[int, nn.Parameter] = {}
    for name, parameter in before.items():
        if parameter.ndim == 0:
            continue
        if id(parameter) not in made:  # one parameter may serve in two places
            own = parameter.detach().expand(batch).reshape(-1)[rows].clone()
            made[id(parameter)] = nn.Parameter(own, parameter.requires_grad)
        owner, _, key = name.rpartition(".")
        part.get_submodule(owner)._parameters[key] = made[id(parameter)]
    return part


def cut_data(data: Data, circuit: Circuit, rows: slice) -> Data:
    """The data of some of the boards; a table that serves every board is left as it is."""
    batch = circuit.batch_shape

    def cut(table: Tensor, points: int) -> Tensor:
        own = table.shape[: max(table.ndim - points, 0)]
        return table.reshape(-1, *table.shape[len(own) :])[rows] if own == batch else table

    if isinstance(data, Measurements):
        points = 2 if data.outputs else 1
        sigma = data.sigma if data.sigma is None else cut(data.sigma.expand(data.values.shape), points)
        values, f = cut(data.values, points), cut(data.f, 1)
        return Measurements(f, data.quantity, values, sigma, data.outputs, data.meta, data.understood)
    f, values = (torch.as_tensor(part) for part in data)
    has_outputs = len(circuit.outputs) > 0 and values.ndim > 1 and values.shape[-2] == len(circuit.outputs)
    return cut(f, 1), cut(values, 2 if has_outputs else 1)
