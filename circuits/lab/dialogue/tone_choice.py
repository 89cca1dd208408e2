"""Which tone to play next: the one whose answers are expected to narrow the components most."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.data import log_grid
from circuits.lab.dialogue.posterior import Posterior

GRID = 300
"""Tones over the whole range among which corners are looked for."""

SCOUTS = 150
"""Boards of the swarm whose corners are candidates."""

CANDIDATES = 250
"""Tones that are weighed against each other."""

MOST_PATTERNS = 5
"""Outputs up to which every pattern of lit and dark LEDs is weighed; with more, each output on its own."""


@dataclass(frozen=True)
class Choice:
    """A tone in hertz, the nats by which its answers are expected to narrow what is wanted, and what to expect there.

    `expected` is the probability of lit, or the reading, and `spread` its standard deviation, one an output.
    """

    tone: float
    gain: float
    expected: tuple[float, ...]
    spread: tuple[float, ...]


def choose_tone(posterior: Posterior, goal: Tensor, low: float, high: float) -> Choice:
    """The tone between low and high hertz that is expected to narrow the components most.

    What is narrowed is Σⱼ max(0, ln σⱼ/goalⱼ) + ½ ln det Σ of the components that are not yet known to their goal: the
    expected information (D. V. Lindley, 1956) of a Gaussian of the same covariance, spent where it is wanted.

    Args:
        posterior: what is known.
        goal: the σ wanted of every coordinate, `(p,)`.
        low, high: the playable range in hertz.
    """
    tones = candidates(posterior, low, high)
    measure = _Wanted(posterior, goal)
    gains = measure.led(tones) if posterior.look.is_led else measure.reading(tones)
    best = int(gains.argmax())
    expected, spread = _expected(posterior, tones[best : best + 1])
    return Choice(float(tones[best]), max(float(gains[best]), 0.0), expected, spread)


def candidates(posterior: Posterior, low: float, high: float) -> Tensor:
    """Tones worth weighing: a grid, and for LEDs where boards of the swarm switch, `(n,)` rising."""
    grid = log_grid(GRID, low, high)
    coarse = grid[:: GRID // 60]
    if not posterior.look.is_led:
        return grid
    corners = _corners(posterior, grid)
    if len(corners) > CANDIDATES:
        corners = corners[torch.linspace(0, len(corners) - 1, CANDIDATES).round().long()]
    tones = torch.cat([coarse, corners]).tolist()
    return torch.tensor(sorted({float(f"{f:.5g}") for f in tones if low <= f <= high}), dtype=torch.float64)


def _corners(posterior: Posterior, grid: Tensor) -> Tensor:
    """Frequencies at which boards of the swarm switch an LED, rising: found on the grid, then by a secant."""
    step = max(posterior.size // SCOUTS, 1)
    order = torch.argsort(posterior.weights, descending=True, stable=True)
    rows = order[::step][:SCOUTS] if len(posterior.seen) else order[:SCOUTS]
    level = _level(posterior, grid, rows)
    turns = (level[..., :-1] > 0) != (level[..., 1:] > 0)
    board, output, k = turns.nonzero(as_tuple=True)
    if not len(board):
        return grid[:0]
    log_f = grid.log()
    left, right = level[board, output, k], level[board, output, k + 1]
    found = log_f[k] + (log_f[k + 1] - log_f[k]) * left / (left - right)
    f = found.exp().unsqueeze(-1)
    here = _level(posterior, f, rows[board])[torch.arange(len(board)), output, 0]
    slope = (right - left) / (log_f[k + 1] - log_f[k])
    found = torch.minimum(torch.maximum(found - here / slope, log_f[k]), log_f[k + 1])
    return found.exp().sort().values


def _level(posterior: Posterior, f: Tensor, rows: Tensor) -> Tensor:
    return posterior.predict(f, rows).clamp_min(1e-300).log() - math.log(posterior.look.threshold)


def _expected(posterior: Posterior, tone: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    prediction, weights = posterior.predict(tone)[..., 0], posterior.weights.unsqueeze(-1)
    if posterior.look.is_led:
        chance = (weights * posterior.look.lit(prediction)).sum(0)
        return tuple(chance.tolist()), tuple((chance * (1 - chance)).sqrt().tolist())
    mean = (weights * prediction).sum(0)
    spread = ((weights * (prediction - mean).square()).sum(0) + posterior.look.sigma**2).sqrt()
    return tuple(mean.tolist()), tuple(spread.tolist())


class _Wanted:
    """What is still wanted of a swarm, as a number of nats, now and after an answer."""

    def __init__(self, posterior: Posterior, goal: Tensor):
        self.posterior, self.goal = posterior, goal
        self.x = posterior.x - (posterior.weights.unsqueeze(-1) * posterior.x).sum(0)
        p = self.x.shape[1]
        pairs = (self.x.unsqueeze(-1) * self.x.unsqueeze(-2)).flatten(1)
        self.moments = torch.cat([torch.ones(len(self.x), 1, dtype=torch.float64), self.x, pairs], -1)
        self.moments = self.moments * posterior.weights.unsqueeze(-1)
        self.p = p
        total = self.moments.sum(0)
        self.covariance = self._covariance(total.unsqueeze(0))
        wide = self.covariance[0].diagonal().sqrt() > goal
        self.open = wide.nonzero().flatten()
        self.now = self.nats(self.covariance)

    def led(self, tones: Tensor) -> Tensor:
        """Expected narrowing by the LEDs at each tone, `(n,)`."""
        lit = self.posterior.look.lit(self.posterior.predict(tones)).movedim(-1, 0)  # (n, N, k)
        if lit.shape[-1] <= MOST_PATTERNS:
            return self._by_answer(_patterns(lit))
        return torch.stack([self._by_answer(_patterns(lit[..., k : k + 1])) for k in range(lit.shape[-1])]).sum(0)

    def reading(self, tones: Tensor) -> Tensor:
        """Expected narrowing by readings at each tone, by linear regression on the swarm, `(n,)`."""
        weights = self.posterior.weights
        y = self.posterior.predict(tones).movedim(-1, 0)
        y = y - (weights.view(1, -1, 1) * y).sum(1, keepdim=True)
        heavy = y * weights.view(1, -1, 1)
        own = y.mT @ heavy + self.posterior.look.sigma**2 * torch.eye(y.shape[-1], dtype=y.dtype)
        shared = self.x.T @ heavy
        after = self.covariance - shared @ torch.linalg.solve(own, shared.mT)
        return self.now - self.nats(after)

    def nats(self, covariance: Tensor) -> Tensor:
        """What is wanted of these covariances `(…, p, p)`."""
        floor = torch.diag_embed((0.2 * self.goal).square())
        covariance = covariance + floor
        sigma = covariance.diagonal(dim1=-2, dim2=-1).clamp_min(1e-300).sqrt()
        single = (sigma / self.goal).log().clamp_min(0).sum(-1)
        if not len(self.open):
            return single
        block = covariance[..., self.open.unsqueeze(-1), self.open]
        return single + 0.5 * torch.linalg.slogdet(block)[1]

    def _by_answer(self, chances: Tensor) -> Tensor:
        """Expected narrowing where each answer has these chances on each board, `(n, answers, N)`."""
        sums = chances @ self.moments
        share = sums[..., 0]
        after = self.nats(self._covariance(sums))
        return (share * torch.where(share > 1e-9, self.now - after, 0.0)).sum(-1)

    def _covariance(self, sums: Tensor) -> Tensor:
        whole = sums[..., :1].clamp_min(1e-300)
        mean = sums[..., 1 : 1 + self.p] / whole
        square = (sums[..., 1 + self.p :] / whole).unflatten(-1, (self.p, self.p))
        return square - mean.unsqueeze(-1) * mean.unsqueeze(-2)


def _patterns(lit: Tensor) -> Tensor:
    """Chance of every pattern of lit and dark on every board, `(n, 2^k, N)`, from that of each LED `(n, N, k)`."""
    chances = torch.ones_like(lit[..., :1])
    for k in range(lit.shape[-1]):
        one = lit[..., k : k + 1]
        chances = torch.cat([chances * one, chances * (1 - one)], -1)
    return chances.mT
