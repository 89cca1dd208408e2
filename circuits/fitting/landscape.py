"""The loss over a grid of values of one component or two, as one batch of boards."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.errors import OptionError, UnknownName
from circuits.fitting.model import CircuitModel, ModuleModel
from circuits.fitting.problem import Problem
from circuits.notation import format as engineering
from losses import Scalar

BLOCK = 131_072
"""Numbers that a thread computes with at a time. A table of them has a megabyte and stays near the processor, where the
same arithmetic takes a quarter of the time that it takes in memory; smaller blocks lose as much to their number."""

ROOM = 16 * BLOCK
"""Numbers that are asked for once and given back. The C library learns from it to keep blocks of such a size, which it
would else return to the system after each of them; fetching them again costs as much as half the arithmetic."""

SHOWN = 12
"""Names listed in a message at most: a plain module may have thousands."""


@torch.no_grad()
def loss_over(problem: Problem, x: Tensor, names: str | Sequence[str], grids: Tensor | Sequence[Any]) -> Tensor:
    """Evaluate the loss of one board on a grid of values of one component or two, the others held at x.

    Every point of the grid is a board of its own, computed in blocks that fit into a cache. Components broadcast over
    the grid, so that a factor or an output that knows only one of the two is computed for that one alone. A plain
    module is mapped over the grid by `torch.func.vmap`; where its operations, or those of a user's own loss, cannot be
    batched, point by point.

    Args:
        problem: of a single board, such as `fit.final_problem()`.
        x: its coordinates, `(1, p)`.
        names: one or two of `problem.model.names`, or of the components that are tied to them.
        grids: a list of values in SI units for each name, `(n1,)` and `(n2,)`.

    Returns:
        The loss, `(n1,)` or `(n1, n2)`, priors included; at each point what `problem.losses` gives there.

    Raises:
        UnknownName: no such component. OptionError: a component that is held fixed, the same one twice, none, more
            than two, a grid that is empty or not of finite (in a circuit, positive) numbers, or several boards.

    >>> import circuits as cc
    >>> fit = cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), cc.log_grid(50, 10.0, 1e5)))
    >>> loss_over(fit.final_problem(), fit.end, "R", [100.0, 200.0, 400.0]).round(decimals=4)
    tensor([0.0125, 0.0000, 0.0125], dtype=torch.float64)
    """
    names = (names,) if isinstance(names, str) else tuple(names)
    columns = columns_of(problem, names)
    if problem.boards != 1:
        raise OptionError(f"a surface of {problem.boards} boards; expected one: problem.take(torch.tensor([board]))")
    values = problem.coordinates.values(x.detach().reshape(-1))
    axes = _axes(problem, values, names, grids)
    values.new_empty(ROOM)
    if isinstance(problem.model, CircuitModel):
        total = _Boards(problem, problem.model, values, columns).losses(axes)
    else:
        total = _over_module(problem, values, columns, axes)
    total = total / problem.count
    return total + _priors(problem, values, columns, axes) if problem.loss.priors else total


def columns_of(problem: Problem, names: Sequence[str]) -> list[int]:
    """Columns of one or two components among the coordinates; a tied component has that of its leader.

    Raises:
        UnknownName, OptionError: as for `loss_over`.
    """
    if not 1 <= len(names) <= 2:
        given = ", ".join(names) or "none"
        raise OptionError(f"a surface over {len(names)} components ({given}); expected the name of one, or of two")
    columns = [column_of(problem, name) for name in names]
    if len(set(columns)) < len(columns):
        raise OptionError(f"a surface over {names[0]} and {names[1]}, which move as one; name two different components")
    return columns


def column_of(problem: Problem, name: str) -> int:
    """Column of a component among the coordinates.

    Raises:
        UnknownName: no such component. OptionError: one that is held fixed.
    """
    model, known = problem.model, problem.model.names
    if name in known:
        return known.index(name)
    learnable, own = model.learnable, model.circuit if isinstance(model, CircuitModel) else None
    if isinstance(own, Circuit):
        for slot in learnable.slots:
            if slot.name == name and slot.column < len(known):
                return slot.column
        parts = dict(own.named_parameters(remove_duplicate=False))
        if name in parts:
            raise OptionError(f"{name} {_held_at(parts[name], own.units().get(name, ''))}; {_frees(name)}")
    if isinstance(model, ModuleModel) and name.partition("[")[0] in _fixed(model):
        raise OptionError(f"{name} is held fixed; {_frees(name.partition('[')[0])}")
    raise UnknownName("learned component", name, (*known[:SHOWN], "…") if len(known) > SHOWN else known)


def _fixed(model: ModuleModel) -> set[str]:
    moving = {slot.name for slot in model.learnable.slots}
    return {name for name, _ in model.module.named_parameters(remove_duplicate=False)} - moving


def _held_at(part: Tensor, unit: str) -> str:
    value = f" at {engineering(part.item(), unit)}" if part.numel() == 1 else ""
    return f"is held fixed{value}, and a loss is drawn over what a fit moves"


def _frees(name: str) -> str:
    return f"free it with .{name}.requires_grad_() before the fit, or name another"


def _axes(problem: Problem, values: Tensor, names: Sequence[str], grids: Any) -> list[Tensor]:
    """The grids as tensors beside the values, checked."""
    grids = [grids] if len(names) == 1 and not _is_nested(grids) else list(grids)
    if len(grids) != len(names):
        raise OptionError(f"{len(grids)} grids for {len(names)} components; expected one list of values for each")
    axes = [torch.as_tensor(grid, dtype=values.dtype, device=values.device).reshape(-1) for grid in grids]
    for name, axis in zip(names, axes, strict=True):
        is_positive = problem.model.is_positive(column_of(problem, name))
        if len(axis) == 0 or not bool((torch.isfinite(axis) & ((axis > 0) | (not is_positive))).all()):
            raise OptionError(f"the grid of {name} expects {'positive, ' * is_positive}finite values, at least one")
    return axes


def _is_nested(grids: Any) -> bool:
    """Whether there is a list of grids, rather than a single grid."""
    if isinstance(grids, Tensor):
        return grids.ndim > 1
    return len(grids) > 0 and not isinstance(grids[0], (int, float)) and getattr(grids[0], "ndim", 1) > 0


@dataclass
class _Boards:
    """A circuit at every point of a grid."""

    problem: Problem
    model: CircuitModel
    values: Tensor
    columns: Sequence[int]

    def __post_init__(self):
        self.f = self.model.f if self.model.f.ndim == 1 else self.model.f[0]
        self.points = self.problem.target.shape[1:]
        self._others = [*self.values.unbind(-1), *(tensor.reshape(()) for tensor in self.model.held)]
        self._can_broadcast = True

    def losses(self, axes: Sequence[Tensor]) -> Tensor:
        """Summed losses of the points, `(n1,)` or `(n1, n2)`."""
        if len(axes) == 1:
            return self._over(axes[0], self.values.new_zeros(1), None).squeeze(1)
        if len(self.points) < 2 or isinstance(self.problem.loss, Scalar):
            return self._over(axes[0], axes[1], None)
        first, second = (self._reached(i, axis) for i, axis in enumerate(axes))
        here = [self.values[column].reshape(1) for column in self.columns]
        total = self.values.new_zeros(len(axes[0]), len(axes[1]))
        for moves, others in ((True, True), (True, False), (False, True), (False, False)):
            outputs = (first == moves) & (second == others)
            if bool(outputs.any()):
                grid = (axes[0] if moves else here[0], axes[1] if others else here[1])
                total += self._over(*grid, None if bool(outputs.all()) else outputs)
        return total

    def _reached(self, which: int, axis: Tensor) -> Tensor:
        """Which outputs depend on one of the components, `(k,)`.

        One does not when neither a NaN in the component comes out of it, nor any value of the grid changes a bit of it.
        """
        one = self.values[self.columns[1 - which]].reshape(1)
        tried = torch.cat([axis, axis.new_full((1,), torch.nan)])
        seen = self._predict(*((tried, one) if which == 0 else (one, tried)))
        return (seen != seen[:1]).flatten(2).any(-1).any(0)

    def _over(self, first: Tensor, second: Tensor, outputs: Tensor | None) -> Tensor:
        """Summed losses on the grid, `(n1, n2)`, in blocks; of some outputs only, if these are named."""
        total = first.new_empty(len(first), len(second))
        problem, before, after = self.problem, ..., ...
        if outputs is not None:
            problem, before, after = self._narrowed(outputs, first[:1], second[:1])
        for rows, columns in _blocks(len(first), len(second), math.prod(self.points)):
            cost = _costs(problem, self._predict(first[rows], second[columns])[:, before])[:, after]
            total[rows, columns] = cost.flatten(1).sum(-1).view(total[rows, columns].shape)
        return total

    def _narrowed(self, outputs: Tensor, first: Tensor, second: Tensor) -> tuple[Problem, Any, Any]:
        """The problem of some outputs, what to take of a prediction, and what of the losses that follow.

        A loss may hold numbers of its own for every output; then these cannot be left out before it has spoken.
        """
        rows = outputs.nonzero().flatten()
        keep = slice(int(rows[0]), int(rows[-1]) + 1) if int(rows[-1]) - int(rows[0]) == len(rows) - 1 else rows
        problem = self.problem
        tables = {name: getattr(problem, name) for name in ("target", "sigma", "present")}
        some = replace(problem, **{name: None if table is None else table[:, keep] for name, table in tables.items()})
        prediction = self._predict(first, second)
        try:
            is_same = torch.equal(_costs(some, prediction[:, keep]), _costs(problem, prediction)[:, keep])
        except (RuntimeError, ValueError):
            is_same = False
        return (some, keep, ...) if is_same else (problem, ..., keep)

    def _predict(self, first: Tensor, second: Tensor) -> Tensor:
        """Predictions `(n1 · n2, points…)`; the components broadcast over the grid where the circuit lets them."""
        grid, shape = [first.unsqueeze(-1), second], (len(first), len(second))
        if self._can_broadcast:
            try:
                return self._predicted(grid, shape)
            except RuntimeError:  # a circuit that puts components together as they are
                self._can_broadcast = False
        return self._predicted([axis.expand(shape) for axis in grid], shape)

    def _predicted(self, grid: Sequence[Tensor], shape: tuple[int, int]) -> Tensor:
        tensors = [*self._others]
        for column, axis in zip(self.columns, grid, strict=False):
            tensors[column] = axis
        with self.model.learnable.holding(tensors):
            prediction = self.model.circuit.predict(self.f, self.model.quantity)
        return prediction.expand(*shape, *self.points).flatten(0, 1)


def _blocks(rows: int, columns: int, points: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of a grid, about as high as wide, so that a factor of one component is computed for few boards."""
    boards = max(1, torch.get_num_threads() * BLOCK // max(points, 1))
    width = min(columns, max(math.isqrt(boards), boards // rows))
    height = max(1, boards // width)
    for top in range(0, rows, height):
        for left in range(0, columns, width):
            yield slice(top, top + height), slice(left, left + width)


def _costs(problem: Problem, prediction: Tensor) -> Tensor:
    """The loss of every point of every board, `(N, points…)`; one that has no points counts for all of them."""
    if isinstance(problem.loss, Scalar):
        return (_scalar_losses(problem, prediction) * problem.count).unsqueeze(-1)
    cost = problem.active_loss.pointwise(prediction, problem.target)
    return cost if problem.present is None else torch.where(problem.present > 0, cost, 0.0)


def _scalar_losses(problem: Problem, prediction: Tensor) -> Tensor:
    """A user's own scalar loss of every board, `(N,)`."""
    target = problem.target[0]
    if problem.present is not None:
        keep = problem.present[0].bool()
        target, prediction = target[keep], prediction[:, keep]
    return _mapped(lambda one: problem.loss(one, target).reshape(()), prediction)


def _mapped(function: Callable[[Tensor], Tensor], table: Tensor) -> Tensor:
    """`function` of every row, all at once where its operations can be batched."""
    try:
        return torch.func.vmap(function)(table)
    except (RuntimeError, NotImplementedError):
        return torch.stack([function(row) for row in table])


def _over_module(problem: Problem, values: Tensor, columns: Sequence[int], axes: Sequence[Tensor]) -> Tensor:
    """Summed losses of a plain module on the grid, in blocks of it."""
    shape = tuple(len(axis) for axis in axes)
    mesh = torch.stack([part.reshape(-1) for part in torch.meshgrid(*axes, indexing="ij")], -1)
    numbers = problem.target.numel() + len(values)
    pieces = []
    for part in mesh.split(max(1, torch.get_num_threads() * BLOCK // numbers)):
        table = values.expand(len(part), -1).clone()
        table[:, list(columns)] = part
        prediction = _mapped(lambda row: problem.model.predict(row.unsqueeze(0)), table)
        pieces.append(_costs(problem, prediction).flatten(1).sum(-1))
    return torch.cat(pieces).view(shape)


def _priors(problem: Problem, values: Tensor, columns: Sequence[int], axes: Sequence[Tensor]) -> Tensor:
    """What the priors add on the grid."""
    named = dict(zip(problem.model.names, values.unbind(-1), strict=True))
    for i, (column, axis) in enumerate(zip(columns, axes, strict=True)):
        named[problem.model.names[column]] = axis.unsqueeze(-1) if i < len(axes) - 1 else axis
    added = values.new_zeros([len(axis) for axis in axes])
    for prior in problem.loss.priors:
        for residual in prior.residuals(named).values():
            added = added + residual.square()
    return added * (problem._prior_scale / problem.count)
