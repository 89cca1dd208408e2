"""A problem: a model, what was measured, and the loss between them, as functions of the coordinates x."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.coordinates import Coordinates
from circuits.fitting.model import CircuitModel, Model
from circuits.fitting.quadratic import Quadratic, Rows
from losses import LeastSquares, LedLoss, Loss, Scalar


@dataclass
class Problem:
    """What a method sees.

    Args:
        model: predicts from a table of values.
        target: `(boards or 1, points…)`, what was measured, with zeros where nothing was.
        loss: an object of `losses`, without the measurement's own σ.
        coordinates: the map from x to values.
        sigma: the measurement's σ, `(boards or 1, points…)`, or None.
        present: weights 1 and 0 for points measured and missing, or None when all are there.
    """

    model: Model
    target: Tensor
    loss: Loss
    coordinates: Coordinates
    sigma: Tensor | None = None
    present: Tensor | None = None
    count: Tensor | float = field(init=False)

    def __post_init__(self):
        self.active_loss = self.loss if self.sigma is None else self.loss.with_sigma(self.sigma)
        self.count = self._points()
        self._prior_scale = 1.0 / (self.loss.deviance or 1.0)

    def _points(self) -> Tensor | float:
        """Measured points of each board."""
        if self.present is None:
            return float(math.prod(self.target.shape[1:]))
        return self.present.flatten(1).sum(-1).clamp_min(1.0)

    @property
    def numbers(self) -> Tensor | float:
        """Real numbers measured on each board: a complex response counts twice."""
        return self.count * (2 if self.target.is_complex() else 1)

    @property
    def boards(self) -> int:
        """How many boards are fitted side by side."""
        return self.model.boards

    def take(self, rows: Tensor) -> Problem:
        """The same problem for some of the boards."""
        if not isinstance(self.model, CircuitModel):
            return self

        def cut(table: Tensor | None) -> Tensor | None:
            return table if table is None or table.shape[0] == 1 else table[rows]

        return replace(
            self,
            model=self.model.take(rows),
            target=cut(self.target),
            sigma=cut(self.sigma),
            present=cut(self.present),
            coordinates=self.coordinates,
        )

    def with_loss(self, loss: Loss) -> Problem:
        """The same problem with another loss."""
        return replace(self, loss=loss)

    def start(self) -> Tensor:
        """Coordinates of the values that the module holds now, inside the bounds."""
        return self.coordinates.clip(self.coordinates.from_values(self.model.values()))

    def predict(self, x: Tensor) -> Tensor:
        """Predictions `(boards, points…)` at x."""
        return self.board_first(self.model.predict(self.coordinates.values(x)))

    def losses(self, x: Tensor) -> Tensor:
        """Loss of every board at x, `(boards,)`."""
        return self.own_losses(x)

    def own_losses(self, x: Tensor) -> Tensor:
        """What the data that are here add to it, with its graph."""
        values = self.coordinates.values(x)
        loss = self.reduce(self.board_first(self.model.predict(values)))
        return loss + self.prior_loss(values) if self.loss.priors else loss

    @property
    def led(self) -> LedLoss:
        """The part of the loss that speaks of LEDs; a problem without one is never asked."""
        found = led_term(self.loss)
        if found is None:
            raise OptionError(f"{self.loss!r} does not speak of LEDs; give a loss such as LogisticLed()")
        return found

    def explained(self, prediction: Tensor) -> Tensor:
        """Which LEDs the prediction lights as they were seen; one that was not seen has nothing left to explain."""
        right = self.led.explained(prediction, self.target)
        return right if self.present is None else right | (self.present == 0)

    @torch.no_grad()
    def wrong_leds(self, x: Tensor) -> Tensor:
        """How many LEDs the prediction at x leaves unexplained, `(boards,)`."""
        return (~self.explained(self.predict(x))).flatten(1).sum(-1)

    def over_all(self, compute: Callable[[], Tensor], like: Tensor, *shape: int) -> Tensor:
        """A sum over the data, such as `compute` makes of those that are here; here those are all of them."""
        return compute()

    def rows_of_all(self, rows: Tensor) -> Tensor:
        """A table `(points, n)` with a row for some of the data points; here those are all there are."""
        return rows

    @torch.no_grad()
    def spread(self) -> Tensor:
        """Loss of the best constant prediction, `(boards or 1,)`: how much there is to explain."""
        loss = self.active_loss
        if self.present is None and isinstance(loss, LeastSquares) and loss.is_even:
            return self.target.flatten(1).var(-1, correction=0)
        if self.present is None:
            constant = self.target.flatten(1).mean(-1).view(-1, *[1] * (self.target.ndim - 1)).expand(self.target.shape)
            return self.active_loss.pointwise(constant, self.target).flatten(1).mean(-1)
        weight = self.present
        total = weight.flatten(1).sum(-1).clamp_min(1.0)
        mean = (self.target * weight).flatten(1).sum(-1) / total
        constant = mean.view(-1, *[1] * (self.target.ndim - 1)).expand(self.target.shape)
        return (self.active_loss.pointwise(constant, self.target) * weight).flatten(1).sum(-1) / total

    def gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Loss `(boards,)` and its gradient `(boards, p)` with respect to the coordinates.

        By autograd, or where the circuit has its slopes in closed form by the chain rule from those, which is the
        same to the last digits and quicker. The last factor dv/dx is multiplied on by hand either way.
        """
        values = self.coordinates.values(x.detach())
        if self.model.has_slopes and self.loss.gauss_newton:
            loss, gradient = self._gradient_from_slopes(values)
        else:
            loss, gradient = self._gradient_by_autograd(values)
        stretch = self.coordinates.slope(values)
        gradient = gradient if stretch is None else gradient * stretch
        return self._with_priors(values, stretch, loss, gradient) if self.loss.priors else (loss, gradient)

    @torch.no_grad()
    def _gradient_from_slopes(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and its gradient with respect to the values, from the Jacobian."""
        prediction, jacobian, slope, curvature = self._linearize(values)
        gradient = (jacobian @ slope.flatten(1).unsqueeze(-1)).squeeze(-1)
        count = self.count.unsqueeze(-1) if isinstance(self.count, Tensor) else self.count
        return self._total(prediction, slope, curvature), gradient / count

    def _gradient_by_autograd(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """The same by one backward pass, from a graph that begins at the values, one leaf a parameter."""
        tensors = self.model.tensors(values)
        leaves = [tensor.detach().requires_grad_() for tensor in tensors[: len(self.model.learnable.leaders)]]
        with torch.enable_grad():
            loss = self.reduce(self.board_first(self.model.predict_from([*leaves, *tensors[len(leaves) :]])))
            if not loss.requires_grad:
                return loss.detach(), torch.zeros_like(values)
            slopes = torch.autograd.grad(loss if self.boards == 1 else loss.sum(), leaves, allow_unused=True)
        return loss.detach(), self.model.joined(slopes, values)

    @torch.no_grad()
    def _with_priors(self, values: Tensor, stretch: Tensor | None, loss: Tensor, gradient: Tensor):
        """Add what the priors say to loss and gradient."""
        weight = 2 * self._prior_scale / self.count
        for column, residual, derivative in self._prior_rows(values, stretch):
            gradient[:, column] += residual * derivative * weight
        return loss + self.prior_loss(values), gradient

    @torch.no_grad()
    def quadratic(self, x: Tensor) -> Quadratic:
        """Loss, gradient and Gauss–Newton curvature of every board, from the exact Jacobian."""
        values = self.coordinates.values(x)
        prediction, jacobian, slope, curvature = self._linearize(values)
        scale = 1.0 / self.count
        factor = jacobian
        if not isinstance(curvature, float):
            factor = jacobian * curvature.sqrt().flatten(1).unsqueeze(1)
        matrix = factor @ factor.mT
        vector = (jacobian @ slope.flatten(1).unsqueeze(-1)).squeeze(-1)
        stretch = self.coordinates.slope(values)
        stretch = torch.ones_like(values) if stretch is None else stretch
        per_point = scale.unsqueeze(-1) if isinstance(scale, Tensor) else scale
        weight = stretch * per_point
        if isinstance(curvature, float):
            matrix = matrix * (stretch.unsqueeze(-1) * (weight * curvature).unsqueeze(-2))
        else:
            matrix = matrix * (stretch.unsqueeze(-1) * weight.unsqueeze(-2))
        loss, vector = self._total(prediction, slope, curvature), vector * weight
        if self.loss.priors:
            loss = loss + self.prior_loss(values)
            vector, matrix = self._add_priors(values, stretch, vector, matrix)
        return Quadratic(loss, vector, matrix)

    @torch.no_grad()
    def rows(self, x: Tensor) -> Rows:
        """The Gauss–Newton model of a single board, as rows."""
        values = self.coordinates.values(x)
        prediction, jacobian, slope, curvature = self._linearize(values)
        stretch = self.coordinates.slope(values)
        scale = 1.0 / math.sqrt(float(self.count))
        root = math.sqrt(curvature) if isinstance(curvature, float) else curvature.sqrt().flatten()
        table = jacobian[0] if stretch is None else jacobian[0] * stretch.T
        gradient = ((table @ slope.flatten()) * scale**2).unsqueeze(0)
        loss = self._total(prediction, slope, curvature)
        rows = (table * (root * scale)).T
        residual = slope.flatten() / (root + torch.finfo(rows.dtype).tiny) * scale
        if self.loss.priors:
            loss = loss + self.prior_loss(values)
            rows, residual, gradient = self._append_priors(values, stretch, rows, residual, gradient)
        return Rows(loss, gradient, rows, residual if isinstance(self.active_loss, LeastSquares) else None)

    @torch.no_grad()
    def residual(self, x: Tensor) -> Tensor:
        """The residuals of `rows` alone, without the Jacobian."""
        values = self.coordinates.values(x)
        prediction = self.board_first(self.model.predict(values))
        residual = cast(LeastSquares, self.active_loss).residuals(prediction, self.target)
        if self.present is not None:
            residual = residual * self.present
        residual = torch.view_as_real(residual) if residual.is_complex() else residual
        weight = math.sqrt(2.0 / float(self.count))
        priors = [r * math.sqrt(self._prior_scale) for _, r, _ in self._prior_rows(values, None)]
        return torch.cat([residual.flatten(), *priors]) * weight

    def _append_priors(self, values, stretch, rows, residual, gradient):
        """Add the priors' rows below the data's."""
        weight = math.sqrt(2 * self._prior_scale / float(self.count))
        for column, r, derivative in self._prior_rows(values, stretch):
            row = rows.new_zeros(1, rows.shape[1])
            row[0, column] = derivative * weight
            rows, residual = torch.cat([rows, row]), torch.cat([residual, r * weight])
            gradient[:, column] += r * derivative * weight**2
        return rows, residual, gradient

    def _linearize(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor, Any]:
        """Prediction and Jacobian as real tables, with the loss's slope and curvature at each point."""
        prediction, jacobian = self.model.linearize(values)
        prediction = self.board_first(prediction)
        slope, curvature = self.active_loss.quadratic(prediction, self.target)
        if self.present is not None:
            slope, curvature = slope * self.present, self.present * curvature
        if isinstance(curvature, Tensor):
            curvature = curvature.expand(slope.shape)
        if prediction.is_complex():
            jacobian = torch.view_as_real(jacobian)
            slope = torch.view_as_real(slope)
            if isinstance(curvature, Tensor):
                curvature = curvature.unsqueeze(-1).expand(slope.shape)
        jacobian = jacobian.reshape(len(values), values.shape[1], -1)
        return prediction, jacobian, slope, curvature

    def _total(self, prediction: Tensor, slope: Tensor, curvature: Tensor | float) -> Tensor:
        """Loss of every board, re-using the slope where the loss is a plain sum of squares."""
        if isinstance(curvature, float) and isinstance(self.active_loss, LeastSquares):
            return slope.flatten(1).square().sum(-1) * (0.5 / curvature / self.count)
        return self.reduce(prediction)

    def reduce(self, prediction: Tensor) -> Tensor:
        """Mean over the measured points of every board."""
        if isinstance(self.loss, Scalar):
            return self._reduce_scalar(prediction)
        pointwise = self.active_loss.pointwise(prediction, self.target)
        if self.present is not None:
            return (pointwise * self.present).flatten(1).sum(-1) / self.count
        if self.boards == 1:
            return pointwise.mean().unsqueeze(0)
        return pointwise.flatten(1).mean(-1)

    def _reduce_scalar(self, prediction: Tensor) -> Tensor:
        """A user's own scalar loss, board by board."""
        if self.boards == 1:
            target, one = self.target[0], prediction[0]
            if self.present is not None:
                keep = self.present[0].bool()
                target, one = target[keep], one[keep]
            return _single(self.loss(one, target)).reshape(1)
        target = self.target.expand(prediction.shape)
        keep = torch.ones_like(target, dtype=torch.bool) if self.present is None else self.present.bool()
        boards = zip(prediction, target, keep.expand(prediction.shape), strict=True)
        return torch.stack([_single(self.loss(p[k], t[k])) for p, t, k in boards])

    def board_first(self, prediction: Tensor) -> Tensor:
        """A prediction with its board axis, also where there is a single board without one."""
        if prediction.ndim < self.target.ndim:
            return prediction.unsqueeze(0)
        return prediction

    def _named(self, values: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.model.names, values.unbind(-1), strict=True))

    def _prior_rows(self, values: Tensor, stretch: Tensor | None) -> list[tuple[int, Tensor, Tensor]]:
        """Every row that the priors add: its column, its residual and its derivative, `(boards,)` each."""
        rows = []
        for prior in self.loss.priors:
            for name, residual in prior.residuals(self._named(values)).items():
                column = self.model.names.index(name)
                derivative = 1.0 / (prior.tolerance[name] * values[:, column])
                rows.append((column, residual, derivative if stretch is None else derivative * stretch[:, column]))
        return rows

    def prior_loss(self, values: Tensor) -> Tensor:
        """What the priors add to the loss of every board."""
        named = self._named(values)
        residuals = [r for prior in self.loss.priors for r in prior.residuals(named).values()]
        return torch.stack(residuals).square().sum(0) * (self._prior_scale / self.count)

    def _add_priors(self, values, stretch, vector, matrix):
        """Add the priors' rows to gradient and curvature."""
        weight = 2 * self._prior_scale / self.count
        for column, residual, derivative in self._prior_rows(values, stretch):
            vector[:, column] += residual * derivative * weight
            matrix[:, column, column] += derivative**2 * weight
        return vector, matrix


def _single(loss: Tensor) -> Tensor:
    """The one number that a user's own loss has to return."""
    if not isinstance(loss, Tensor) or loss.numel() != 1 or loss.is_complex():
        shape = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise OptionError(f"the loss returned {shape}; expected one real number, say by .mean()")
    return loss.reshape(())


def led_term(loss: Loss) -> LedLoss | None:
    """The part of a loss that speaks of LEDs, if there is one."""
    return next((term for term in loss.terms() if isinstance(term, LedLoss)), None)
