"""How far tolerances can carry an answer: to first order, and at the worst board there can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.lab.production.answers import Answer, answer_of, evaluated, slopes
from circuits.lab.production.sampling import block_size
from circuits.lab.production.tolerances import Tolerances, checked

ROUNDS = 20
"""Corners of the box that are tried one after the other, for each number and side."""
STEPS = (0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
"""Steps of the search inside the box, of its half width."""


@dataclass(frozen=True, eq=False)
class FirstOrder:
    """m numbers to first order: `changes` `(p, m)` has that of each part at its whole tolerance."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    nominal: Tensor
    changes: Tensor
    sigma: Tensor

    @property
    def rss(self) -> Tensor:
        """`(m,)`, √Σ changes²: the tolerance of each number, where independent parts seldom are all at their worst."""
        return self.changes.square().sum(0).sqrt()

    @property
    def worst(self) -> Tensor:
        """`(m,)`, Σ |changes|: every part at the end that hurts."""
        return self.changes.abs().sum(0)


@dataclass(frozen=True, eq=False)
class Extremes:
    """Lowest and highest that each of m numbers can be, `(m,)`, and the boards where, `(m, p)` in SI units.

    `is_vertex` says where both boards have every part at one end of its tolerance. `checked` is how many boards drawn
    at random confirm it: none of them lies outside.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    nominal: Tensor
    low: Tensor
    high: Tensor
    low_at: Tensor
    high_at: Tensor
    is_vertex: Tensor
    checked: int


def first_order(circuit: Circuit, tolerances: Tolerances, f: Any = None, quantity: str = "magnitude") -> FirstOrder:
    """Tolerances through the exact gradient: y ≈ y₀ + Σ ∂y/∂p·p·δ.

    `sigma` is the standard deviation √(jᵀΣj) of the answer under the distribution and the correlation of the parts;
    `rss` and `worst` take each part at its whole tolerance. Of an LED it is the magnitude that lights it.

    Args: as for `monte_carlo`.

    >>> from circuits.filters import LowPass
    >>> found = first_order(LowPass(R=1000.0), Tolerances({"R": 0.03, "C": 0.04}))
    >>> [round(100 * (part / found.nominal).item(), 6) for part in (found.rss, found.worst)]
    [5.0, 7.0]

    Reference: R. Spence and R. S. Soin, Tolerance Design of Electronic Circuits, 1988, chapter 3.
    """
    answer, values = answer_of(circuit, f, quantity), checked(circuit, tolerances)
    boards = values.expand(len(answer.labels), -1)
    nominal, gradient = slopes(circuit, tolerances.names, boards, answer)
    relative = (gradient * values).T
    scaled = relative * tolerances.sigmas.unsqueeze(-1)
    if tolerances.root is not None:
        scaled = tolerances.root.T @ scaled
    changes = relative * tolerances.scales.unsqueeze(-1)
    return FirstOrder(tolerances.names, answer.labels, nominal, changes, scaled.square().sum(0).sqrt())


def worst_case(
    circuit: Circuit,
    tolerances: Tolerances,
    f: Any = None,
    quantity: str = "magnitude",
    *,
    boards: int = 1000,
    seed: int = 0,
) -> Extremes:
    """Extremes of each number over the whole box of tolerances, whatever the distribution and the correlation.

    For each number and side, the gradient at the nominal board says at which corner of the box to look; the gradient
    there says whether another corner is better; and so on. A search from the best corner and from the nominal board
    then walks inward, for answers such as a resonance that are highest in the middle. The check draws boards evenly
    over the box: where one of them lies outside, the search goes on from there.

    Args:
        circuit, tolerances, f, quantity: as for `monte_carlo`; of an LED it is the magnitude that lights it.
        boards: how many to draw for the check.
        seed: of those.

    >>> from circuits.filters import LowPass
    >>> found = worst_case(LowPass(R=1000.0), Tolerances({"R": 0.05, "C": 0.10}))
    >>> round(found.low.item(), 2), round(found.high.item(), 2)
    (137.8, 186.15)

    Reference: R. Spence and R. S. Soin, as for `first_order`, chapter 3 (vertex analysis).
    """
    answer, values = answer_of(circuit, f, quantity), checked(circuit, tolerances)
    search = _Search(circuit, tolerances, answer, values)
    low, high = search.extreme(-1.0), search.extreme(1.0)
    drawn = torch.rand(boards, len(values), dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    low, high = search.confirmed(low, drawn, -1.0), search.confirmed(high, drawn, 1.0)
    nominal = search.at(torch.zeros(len(answer.labels), len(values), dtype=torch.float64))[0]
    is_vertex = (low.z.abs().eq(1) & high.z.abs().eq(1)).all(-1)
    low_at, high_at = search.parts(low.z), search.parts(high.z)
    return Extremes(tolerances.names, answer.labels, nominal, low.y, high.y, low_at, high_at, is_vertex, boards)


@dataclass(frozen=True, eq=False)
class _Board:
    """The best boards so far: z `(m, p)` within ±1, and their number y `(m,)`."""

    z: Tensor
    y: Tensor

    def or_better(self, other: _Board, side: float) -> _Board:
        better = side * (other.y - self.y) > 0
        return _Board(torch.where(better.unsqueeze(-1), other.z, self.z), torch.where(better, other.y, self.y))


@dataclass(frozen=True, eq=False)
class _Search:
    """Boards of which each is to make its own number of the answer extreme; side is 1 for high, −1 for low."""

    circuit: Circuit
    tolerances: Tolerances
    answer: Answer
    values: Tensor

    def parts(self, z: Tensor) -> Tensor:
        return self.values * (1 + self.tolerances.scales * z)

    def at(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Number `(m,)` and gradient by z `(m, p)`."""
        y, gradient = slopes(self.circuit, self.tolerances.names, self.parts(z), self.answer)
        return y, gradient * self.values * self.tolerances.scales

    def extreme(self, side: float) -> _Board:
        z = torch.zeros(len(self.answer.labels), len(self.values), dtype=torch.float64)
        y, gradient = self.at(z)
        middle = best = _Board(z, y)
        for _ in range(ROUNDS):
            z = _corner(side * gradient, z)
            y, gradient = self.at(z)
            improved = best.or_better(_Board(z, y), side)
            if torch.equal(improved.z, best.z):
                break
            best = improved
        return self.walked(best, side).or_better(self.walked(middle, side), side)

    def walked(self, best: _Board, side: float) -> _Board:
        """Uphill by smaller and smaller steps of every part at once, each step kept where it helps."""
        y, gradient = self.at(best.z)
        for step in STEPS:
            for _ in range(3):
                z = (best.z + step * (side * gradient).sign()).clamp(-1, 1)
                if torch.equal(z, best.z):
                    return best
                y, slope = self.at(z)
                better = side * (y - best.y) > 0
                best = best.or_better(_Board(z, y), side)
                gradient = torch.where(better.unsqueeze(-1), slope, gradient)
                if not bool(better.any()):
                    break
        return best

    def confirmed(self, best: _Board, drawn: Tensor, side: float) -> _Board:
        """The same, or what a walk finds from the random boards that were better."""
        found = best
        for block in drawn.split(block_size(len(self.answer.labels))):
            answers = side * evaluated(
                self.circuit, self.tolerances.names, self.parts(block), _as_magnitude(self.answer)
            )
            y, index = answers.max(0)
            found = found.or_better(_Board(block[index], side * y), side)
        return best if torch.equal(found.z, best.z) else self.walked(found, side)


def _corner(uphill: Tensor, z: Tensor) -> Tensor:
    """The corner of the box that a gradient points at; a part without influence stays, or goes to its upper end."""
    stay = torch.where(z == 0, 1.0, z)
    return torch.where(uphill == 0, stay, uphill.sign())


def _as_magnitude(answer: Answer) -> Answer:
    """Without a threshold: of lit and dark there is no slope."""
    return Answer(answer.labels, answer.f, answer.quantity)
