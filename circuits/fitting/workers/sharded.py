"""A problem of which one process holds a part of the data, and whose sums go over all processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.model import CircuitModel, ModuleModel
from circuits.fitting.problem import Problem
from circuits.fitting.quadratic import Quadratic, Rows
from circuits.fitting.workers.exchange import Exchange
from losses import Loss, Scalar


@dataclass
class ShardedProblem(Problem):
    """A problem with this process's data alone, which answers for all data together.

    Loss, gradient and Gauss–Newton curvature are sums over data points: each process computes its own share, divided
    by the number of points of all, and the exchange adds the shares up. Every process gets the same numbers back, bit
    by bit, so that every method takes the same step everywhere without another word. A prior counts once: each worker
    brings its part of it.

    Args:
        total: measured points of each board over all workers.
        workers: how many share the data.
        exchange: how they add up; None as long as there is only this process.
    """

    total: Tensor | float = 1.0
    workers: int = 1
    exchange: Exchange | None = None
    constant_loss: Tensor | None = field(default=None, init=False)

    def __post_init__(self):
        super().__post_init__()
        self._prior_scale /= self.workers

    def _points(self) -> Tensor | float:
        """Points of all workers, by which everybody divides."""
        return self.total

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing here to compute: no points were left for this process, or it is a server."""
        return self.target.shape[-1] == 0 if isinstance(self.model, CircuitModel) else self.target.shape[1] == 0

    def take(self, rows: Tensor) -> ShardedProblem:
        """The same problem for some of the boards."""
        taken = super().take(rows)
        total = self.total
        if isinstance(total, Tensor) and len(total) > 1:
            total = total[rows]
        return replace(taken, total=total) if isinstance(taken, ShardedProblem) else self

    def predict(self, x: Tensor) -> Tensor:
        """Predictions of this process's own points."""
        return x.new_zeros(len(x), *self.target.shape[1:]) if self.is_idle else super().predict(x)

    @torch.no_grad()
    def wrong_leds(self, x: Tensor) -> Tensor:
        """How many LEDs of all workers are left unexplained, `(boards,)`."""
        wrong = self.over_all(lambda: super(ShardedProblem, self).wrong_leds(x).to(x.dtype), x, len(x))
        return wrong.round().long()

    @torch.no_grad()
    def losses(self, x: Tensor) -> Tensor:
        """Loss of every board over the data of all workers; without an autograd graph."""
        return self.over_all(lambda: self.own_losses(x), x, len(x))

    def gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and gradient over the data of all workers."""

        def own() -> Tensor:
            loss, gradient = super(ShardedProblem, self).gradient(x)
            return torch.cat([loss.unsqueeze(-1), gradient], -1)

        total = self.over_all(own, x, len(x), 1 + x.shape[1])
        return total[:, 0], total[:, 1:]

    def quadratic(self, x: Tensor) -> Quadratic:
        """Loss, gradient and curvature over the data of all workers; of the curvature one triangle travels."""
        boards, p = x.shape
        row, column = torch.triu_indices(p, p, device=x.device)

        def own() -> Tensor:
            model = super(ShardedProblem, self).quadratic(x)
            return torch.cat([model.loss.unsqueeze(-1), model.gradient, model.curvature[:, row, column]], -1)

        total = self.over_all(own, x, boards, 1 + p + len(row))
        curvature = x.new_zeros(boards, p, p)
        curvature[:, row, column] = total[:, 1 + p :]
        curvature[:, column, row] = total[:, 1 + p :]
        return Quadratic(total[:, 0], total[:, 1 : 1 + p], curvature)

    def reduce(self, prediction: Tensor) -> Tensor:
        """What the points of this process add to the mean over those of all."""
        pointwise = self.active_loss.pointwise(prediction, self.target)
        pointwise = pointwise if self.present is None else pointwise * self.present
        return pointwise.flatten(1).sum(-1) / self.count

    def spread(self) -> Tensor:
        """Loss of the best constant prediction over the data of all workers, `(boards or 1,)`; worked out once."""
        if self.constant_loss is None:
            self.constant_loss = self._spread()
        return self.constant_loss

    @torch.no_grad()
    def _spread(self) -> Tensor:
        target, like = self.target, self.model.values()
        shape = (len(target), 2 if target.is_complex() else 1)

        def own_sum() -> Tensor:
            total = (target if self.present is None else target * self.present).flatten(1).sum(-1)
            return torch.view_as_real(total) if target.is_complex() else total.unsqueeze(-1)

        total = self.over_all(own_sum, like, *shape)
        mean = torch.complex(total[:, 0], total[:, 1]) if target.is_complex() else total[:, 0]
        constant = (mean / self.total).view(-1, *[1] * (target.ndim - 1)).expand(target.shape)

        def own_spread() -> Tensor:
            pointwise = self.active_loss.pointwise(constant, target)
            return (pointwise if self.present is None else pointwise * self.present).flatten(1).sum(-1)

        return self.over_all(own_spread, like, len(target)) / self.total

    def rows(self, x: Tensor) -> Rows:
        """Rows of data points do not add up.

        Raises:
            OptionError: always; a plain module is fitted by gradients when its data are spread over workers.
        """
        raise OptionError(
            "LevenbergMarquardt takes the data of a plain module row by row, and rows do not add up over workers; use "
            "a method that needs the gradient alone, such as LBFGS() or GradientDescent(lr)"
        )

    @property
    def _is_silent(self) -> bool:
        """Whether this process adds nothing: it is a server, or it has neither points nor a part of a prior."""
        is_server = self.exchange is not None and self.exchange.is_server
        return is_server or (self.is_idle and not self.loss.priors)

    def over_all(self, compute: Callable[[], Tensor], like: Tensor, *shape: int) -> Tensor:
        """The sum over all workers of a table of this shape, each bringing what it has computed of its own."""
        own = (lambda: like.new_zeros(shape)) if self._is_silent else compute
        return own() if self.exchange is None else self.exchange.total(own, like, shape)

    def rows_of_all(self, rows: Tensor) -> Tensor:
        """The rows of all workers, one below the other."""
        return rows if self.exchange is None else self.exchange.rows(rows)


def shard_of(problem: Problem, index: int, workers: int) -> ShardedProblem:
    """The part of a problem that one of several workers holds: every workers-th data point, beginning with its own.

    Args:
        problem: with all data.
        index: which part, from 0; `workers` itself gives the empty part of a server.
        workers: how many parts there are; they differ by one point at most.

    Raises:
        OptionError: a loss that is no sum over points, or inputs of a module that cannot be cut.

    >>> import circuits as cc
    >>> from circuits.fitting.setup import make_problem
    >>> problem = make_problem(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), cc.log_grid(10, 10.0, 1e5)))
    >>> [shard_of(problem, i, 4).target.shape[-1] for i in range(4)]
    [3, 3, 2, 2]
    """
    refuse_one_number(problem.loss)
    model, is_circuit = problem.model, isinstance(problem.model, CircuitModel)
    axis = problem.target.ndim - 1 if is_circuit else 1
    points = torch.arange(problem.target.shape[axis], device=problem.target.device)
    mine = points[index::workers] if index < workers else points[:0]

    def cut(table: Tensor | None) -> Tensor | None:
        return None if table is None else table.expand(problem.target.shape).index_select(axis, mine)

    target = problem.target.index_select(axis, mine)
    return ShardedProblem(
        model=_cut_model(model, mine, len(points)),
        target=target,
        loss=problem.loss,
        coordinates=problem.coordinates,
        sigma=cut(problem.sigma),
        present=cut(problem.present),
        total=problem.count,
        workers=workers,
    )


def refuse_one_number(loss: Loss) -> None:
    """Refuse a loss that does not add up over data points.

    Raises:
        OptionError: a callable that returns one number for all data.
    """
    if isinstance(loss, Scalar):
        raise OptionError(
            f"{loss!r} is one number for all data, and nothing says how parts of the data add up to it; give a "
            "loss with points, such as Magnitude()"
        )


def _cut_model(model, mine: Tensor, points: int):
    """The model at some of the points alone."""
    if isinstance(model, CircuitModel):
        return replace(model, f=model.f.index_select(-1, mine))
    if not isinstance(model, ModuleModel):
        raise OptionError(f"cannot cut the data of a {type(model).__name__}; expected a circuit or a module")
    for part in model.inputs:
        if not isinstance(part, Tensor) or part.ndim == 0 or len(part) != points:
            raise OptionError(
                f"the module's inputs cannot be shared out: expected tensors of {points} rows, one for each row of the "
                "targets"
            )
    return replace(model, inputs=tuple(part.index_select(0, mine) for part in model.inputs))
