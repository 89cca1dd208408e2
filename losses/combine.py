"""Sums of losses and priors, and losses made heavier or lighter."""

from __future__ import annotations

from torch import Tensor, nn

from losses.checks import LossError, positive
from losses.loss import Addable, Loss
from losses.prior import Prior


class Scaled(Loss):
    """A loss times a weight; the weight has no share in a likelihood, so that there is none unless it is 1.

    Args:
        loss: what is weighed.
        weight: a finite number above 0.

    Raises:
        LossError: the weight is not such a number.

    >>> import torch
    >>> from losses import Squared
    >>> loss = 2 * Squared()
    >>> loss, loss(torch.tensor([3.0]), torch.tensor([1.0]))
    (2 * Squared(), tensor(8.))
    """

    def __init__(self, loss: Loss, weight: float) -> None:
        """Take a loss and its weight."""
        super().__init__()
        self.loss, self.weight = loss, positive("the weight of a loss", weight)
        self.quantity, self.gauss_newton = loss.quantity, loss.gauss_newton
        self.priors = tuple(self.weight * prior for prior in loss.priors)

    @property
    def sigma(self) -> Tensor | None:
        """The standard deviation that the loss knows."""
        return self.loss.sigma

    def pointwise(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return weight · pointwise."""
        return self.weight * self.loss.pointwise(prediction, target)

    def quadratic(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor | float]:
        """Return weight · d and weight · c."""
        d, c = self.loss.quadratic(prediction, target)
        return self.weight * d, self.weight * c

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return weight · loss, a scalar."""
        return self.weight * self.loss(prediction, target)

    def stages(self) -> tuple[Loss, ...]:
        """Return every stage of the loss, weighed."""
        stages = self.loss.stages()
        return (self,) if stages == (self.loss,) else tuple(Scaled(stage, self.weight) for stage in stages)

    def refinements(self) -> tuple[Loss, ...]:
        """Return every refinement of the loss, weighed."""
        return tuple(Scaled(finer, self.weight) for finer in self.loss.refinements())

    def with_sigma(self, sigma: Tensor | float | None) -> Loss:
        """Return the weighed loss that knows `sigma`."""
        return Scaled(self.loss.with_sigma(sigma), self.weight)

    def terms(self) -> tuple[Loss, ...]:
        """Return the loss without its weight."""
        return self.loss.terms()

    def __repr__(self) -> str:
        """Return weight * loss."""
        return f"{self.weight:g} * {self.loss!r}"


class Sum(Loss):
    """The sum of losses of one quantity, with any number of priors beside them.

    `forward` compares with the data alone, Σ losses; the priors know no prediction, and a fit adds them:
    minimise Σ deviance · pointwise + Σ prior.

    Args:
        parts: losses and priors; a sum among them is taken apart.

    Raises:
        LossError: two losses compare different quantities.

    >>> import torch
    >>> from losses import Magnitude
    >>> loss = Magnitude(sigma=0.01) + Prior({"C": 1e-6}, 0.05)
    >>> loss
    Magnitude(sigma=0.01) + Prior(C=1e-06 ± 5%)
    >>> loss.priors[0]({"C": torch.tensor(1.1e-6)})
    tensor(3.6336)
    """

    def __init__(self, *parts: Addable) -> None:
        """Take the parts apart into losses and priors."""
        super().__init__()
        losses: list[Loss] = []
        priors: list[Prior] = []
        for part in parts:
            if isinstance(part, Sum):
                losses += part.losses
                priors += part.own_priors
            elif isinstance(part, Loss):
                losses.append(part)
            elif isinstance(part, Prior):
                priors.append(part)
        # Listed twice: once for torch, which moves modules, once for the types of their elements.
        self.parts = nn.ModuleList([*losses, *priors])
        self.losses, self.own_priors = tuple(losses), tuple(priors)
        self.quantity = _one_quantity(losses)
        self.priors = tuple(prior for loss in losses for prior in loss.priors) + self.own_priors
        self.gauss_newton = bool(losses) and all(loss.gauss_newton for loss in losses)
        self.deviance = losses[0].deviance if len(losses) == 1 else None

    @property
    def sigma(self) -> Tensor | None:
        """The standard deviation that the only loss knows; several have none in common."""
        return self.losses[0].sigma if len(self.losses) == 1 else None

    def pointwise(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the sum of the losses of each point, without priors."""
        first, *others = self._data()
        points = first.pointwise(prediction, target)
        for loss in others:
            points = points + loss.pointwise(prediction, target)
        return points

    def quadratic(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor | float]:
        """Return Σ d and Σ c, without priors."""
        first, *others = self._data()
        d, c = first.quadratic(prediction, target)
        for loss in others:
            more_d, more_c = loss.quadratic(prediction, target)
            d, c = d + more_d, c + more_c
        return d, c

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the sum of the losses, a scalar, without priors."""
        first, *others = self._data()
        total = first(prediction, target)
        for loss in others:
            total = total + loss(prediction, target)
        return total

    def stages(self) -> tuple[Loss, ...]:
        """Return the sums of the stages, walked together; a loss with fewer stages stays at its last.

        >>> from losses import LogisticLed
        >>> (LogisticLed() + Prior({"C": 1e-6}, 0.05)).stages()[-1]
        LogisticLed(sharpness=3000) + Prior(C=1e-06 ± 5%)
        """
        walks = [loss.stages() for loss in self.losses]
        count = max((len(walk) for walk in walks), default=1)
        if count == 1:
            return (self,)
        steps = ([walk[min(step, len(walk) - 1)] for walk in walks] for step in range(count))
        return tuple(Sum(*losses, *self.own_priors) for losses in steps)

    def refinements(self) -> tuple[Loss, ...]:
        """Return the refinements of the only loss, with the priors; several losses have none in common."""
        only = list(self._data())
        if len(only) != 1:
            return ()
        return tuple(Sum(finer, *self.own_priors) for finer in only[0].refinements())

    def with_sigma(self, sigma: Tensor | float | None) -> Loss:
        """Return the sum whose losses know `sigma`."""
        return Sum(*(loss.with_sigma(sigma) for loss in self.losses), *self.own_priors)

    def terms(self) -> tuple[Loss, ...]:
        """Return the losses that meet the data, without weights and priors."""
        return tuple(term for loss in self.losses for term in loss.terms())

    def __repr__(self) -> str:
        """Return the parts with + between them."""
        return " + ".join(map(repr, self.parts))

    def _data(self) -> tuple[Loss, ...]:
        if not self.losses:
            raise LossError(f"{self!r} compares nothing with the data; add a loss, such as Magnitude()")
        return self.losses


def scaled(loss: Loss, weight: float) -> Loss:
    """Return a loss, or each part of a sum, `weight` times as heavy.

    >>> from losses import Magnitude
    >>> 2 * (3 * Magnitude() + Prior({"C": 1e-6}, 0.1))
    6 * Magnitude() + Prior(C=1e-06 ± 7.07107%)
    """
    weight = positive("the weight of a loss", weight)
    if weight == 1:
        return loss
    if isinstance(loss, Sum):
        return Sum(*(weight * one for one in loss.losses), *(weight * prior for prior in loss.own_priors))
    if isinstance(loss, Scaled):
        return scaled(loss.loss, loss.weight * weight)
    return Scaled(loss, weight)


def _one_quantity(losses: list[Loss]) -> str | None:
    """Return the quantity that all losses compare; a loss without one goes with any."""
    named = [loss for loss in losses if loss.quantity is not None]
    for other in named[1:]:
        if other.quantity != named[0].quantity:
            mixed = f"{named[0].quantity} and {other.quantity}"
            raise LossError(f"{named[0]!r} + {other!r} mixes {mixed}; expected one quantity")
    return named[0].quantity if named else None
