"""What is known of a board after some looks at it: a swarm of boards, each as likely as what was seen makes it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.errors import OptionError, ShapeError, UnknownName
from circuits.fitting.learnable import find_learnable
from circuits.lab.dialogue.observing import Look, Observation, as_tensors

SWARM = 1000
"""Boards in the swarm."""

MOVES = 8
"""Attempts of every board to move after a look."""

DEPLETED = 0.5
"""The swarm moves once its weights are worth less than this share of it."""

LOST = 0.02
"""A look that leaves less than this share of the swarm likely contradicts the earlier ones: all are weighed anew."""

DECADES = 1.0
"""How far each way a component may be from its value when nothing is said, in powers of ten."""


class Posterior:
    r"""A swarm of N boards with weights, in the logarithm of what is positive: the posterior of the components.

    Before the first look every component is uniform (in its logarithm) within its range. A look multiplies the weights
    by its likelihood; when few boards carry all the weight they are drawn anew by it, and every board then moves by
    differences of two others, kept or not by Metropolis' rule. One seed gives one swarm.

    Args:
        circuit: one board; its learnable components are what is asked for.
        look: how values are read off it.
        within: powers of ten each way of the present value, or (low, high) in SI units by name; the others get
            `DECADES`.
        seed: of all that is random.
        size: N.

    Raises:
        ShapeError: a batch of boards. UnknownName: a range for a component that is not learned.
        OptionError: nothing is learned, or a range that is none.

    References: N. Chopin, A sequential particle filter method for static models, Biometrika 89 (2002) 539-551.
    C. J. F. ter Braak, A Markov chain Monte Carlo version of the genetic algorithm differential evolution,
    Statistics and Computing 16 (2006) 239-249.
    """

    def __init__(
        self,
        circuit: Circuit,
        look: Look,
        within: float | Mapping[str, tuple[float, float]] = DECADES,
        seed: int = 0,
        size: int = SWARM,
    ):
        if circuit.batch_shape:
            raise ShapeError(f"a batch of boards {tuple(circuit.batch_shape)}; a session is about one board: give one")
        self.circuit, self.look, self.seed, self.size = circuit, look, seed, size
        self.learnable = find_learnable(circuit)
        self.names = self.learnable.leaders
        self.outputs = max(len(circuit.outputs), 1)
        kinds = circuit.kinds()
        self.is_log = torch.tensor([kinds[name].positive for name in self.names])
        self.low, self.high = self._ranges(within)
        self.seen: list[Observation] = []
        self._begin()

    # what is known

    def values(self, x: Tensor) -> Tensor:
        """Component values in SI units of coordinates `(…, p)`."""
        return torch.where(self.is_log, x.exp(), x)

    def quantiles(self, shares: Sequence[float]) -> Tensor:
        """Values in SI units below which these shares of the weight lie, `(p, len(shares))`."""
        order = self.x.argsort(0)
        ranked = self.x.gather(0, order)
        heaped = self.weights[order].cumsum(0)
        heaped = (heaped - 0.5 * self.weights[order]) / heaped[-1]
        rows = torch.searchsorted(
            heaped.T.contiguous(), torch.tensor(shares, dtype=heaped.dtype).expand(len(self.names), -1).contiguous()
        )
        at = ranked.T.gather(1, rows.clamp_max(self.size - 1))
        return torch.where(self.is_log.unsqueeze(-1), at.exp(), at)

    def predict(self, f: Tensor, rows: Tensor | slice = slice(None)) -> Tensor:
        """What boards of the swarm would show at f, `(n,)` or `(boards, n)`: `(boards, outputs, n)`."""
        return self._predict(self.x[rows], f)

    # learning

    def tell(self, seen: Observation) -> None:
        """Learn from one look."""
        self.seen.append(seen)
        likelihood = self._likelihood(self.x, [seen])
        if self._worth(likelihood) < LOST * self.size:
            self._weigh_anew()
            return
        self.log_weights = self.log_weights + likelihood
        if self._worth(torch.zeros_like(likelihood)) < DEPLETED * self.size:
            self._draw_anew()
            self._move(self.look)

    def replay(self, seen: Sequence[Observation]) -> None:
        """Begin anew, and learn from these looks in order."""
        self._begin()
        for one in seen:
            self.tell(one)

    @property
    def weights(self) -> Tensor:
        """Share of the probability that each board of the swarm carries, `(N,)`."""
        return torch.softmax(self.log_weights, 0)

    # the swarm

    def _begin(self) -> None:
        """Spread over the ranges, evenly in every single component."""
        self.seen = []
        self._random = torch.Generator().manual_seed(self.seed)
        draws = torch.stack([torch.randperm(self.size, generator=self._random) for _ in self.names], -1)
        jitter = torch.rand(draws.shape, generator=self._random, dtype=torch.float64)
        self.x = self.low + (draws + jitter) / self.size * (self.high - self.low)
        self.log_weights = torch.zeros(self.size, dtype=torch.float64)

    def _weigh_anew(self) -> None:
        """All looks at once, first as if they were blunt and then sharper and sharper."""
        seen = self.seen
        self._begin()
        self.seen = seen
        blunt, told = 200.0, torch.zeros(self.size, dtype=torch.float64)
        while blunt > 1.0 or not bool(told.any()):
            blunt, likelihood = self._sharper(blunt, told)
            self.log_weights = likelihood - told
            self._draw_anew()
            self._move(self.look.blunted(blunt))
            told = self._likelihood(self.x, seen, self.look.blunted(blunt))

    def _sharper(self, blunt: float, told: Tensor) -> tuple[float, Tensor]:
        """The next sharper look that still leaves a third of the swarm likely, at least a little sharper."""
        for factor in (8.0, 4.0, 2.0, 1.4, 1.15):
            next_blunt = max(blunt / factor, 1.0)
            likelihood = self._likelihood(self.x, self.seen, self.look.blunted(next_blunt))
            if worth(likelihood - told) > 0.33 * self.size:
                break
        return next_blunt, likelihood

    def _draw_anew(self) -> None:
        """Boards by their weight, by systematic resampling."""
        heaped = self.weights.cumsum(0)
        start = torch.rand(1, generator=self._random, dtype=torch.float64)
        ladder = (torch.arange(self.size, dtype=torch.float64) + start) / self.size
        self.x = self.x[torch.searchsorted(heaped, ladder).clamp_max(self.size - 1)]
        self.log_weights = torch.zeros(self.size, dtype=torch.float64)

    def _move(self, look: Look) -> None:
        """Every board tries to move by the difference of two others."""
        here = self._likelihood(self.x, self.seen, look)
        reach = 2.38 / math.sqrt(2 * len(self.names))
        for _ in range(MOVES):
            one, other = (torch.randperm(self.size, generator=self._random) for _ in range(2))
            draws = torch.rand(self.size, 2, generator=self._random, dtype=torch.float64)
            noise = torch.randn(self.x.shape, generator=self._random, dtype=torch.float64)
            step = (self.x[one] - self.x[other]) * (0.1 + draws[:, :1]) * reach
            there = self.x + step + 1e-6 * noise
            inside = ((there >= self.low) & (there <= self.high)).all(-1)
            new = torch.where(inside, self._likelihood(there, self.seen, look), -math.inf)
            taken = draws[:, 1].log() < new - here
            self.x = torch.where(taken.unsqueeze(-1), there, self.x)
            here = torch.where(taken, new, here)

    def _worth(self, more: Tensor) -> float:
        return worth(self.log_weights + more)

    def _likelihood(self, x: Tensor, seen: Sequence[Observation], look: Look | None = None) -> Tensor:
        """Log-likelihood of looks at boards `(N, p)`, `(N,)`."""
        f, values = as_tensors(seen, self.outputs)
        return (look or self.look).log_likelihood(self._predict(x, f), values).flatten(1).sum(1)

    def _predict(self, x: Tensor, f: Tensor) -> Tensor:
        with torch.no_grad(), self.learnable.holding(list(self.values(x).unbind(-1))):
            prediction = self.circuit.predict(f, self.look.quantity).to(torch.float64)
        return prediction if self.circuit.outputs else prediction.unsqueeze(-2)

    def _ranges(self, within: float | Mapping[str, tuple[float, float]]) -> tuple[Tensor, Tensor]:
        """Ends of the coordinates, `(p,)` each."""
        given = within if isinstance(within, Mapping) else {}
        decades = DECADES if isinstance(within, Mapping) else float(within)
        for name in given:
            if name not in self.names:
                raise UnknownName("learned component", name, self.names)
        if not 0 < decades < 12:
            raise OptionError(f"within={decades}; expected powers of ten each way, above 0 and below 12")
        ends = [self._range(i, given.get(name), decades) for i, name in enumerate(self.names)]
        low, high = torch.tensor(ends, dtype=torch.float64).unbind(-1)
        return low, high

    def _range(self, i: int, given: tuple[float, float] | None, decades: float) -> tuple[float, float]:
        name, value = self.names[i], self.learnable.parameters[i].item()
        kind = self.circuit.kinds()[name]
        if given is None and kind.positive:
            reach = 10.0**decades
            given = (value / reach, value * reach)
        elif given is None:
            reach = max(abs(value), 1.0) * decades * 2
            given = (value - reach, value + reach)
        low = given[0] if kind.bounds[0] is None else max(given[0], kind.bounds[0])
        high = given[1] if kind.bounds[1] is None else min(given[1], kind.bounds[1])
        if not (low < high and math.isfinite(low) and math.isfinite(high)) or (kind.positive and low <= 0):
            raise OptionError(f"{name} from {low:g} to {high:g}; expected a range with low below high")
        return (math.log(low), math.log(high)) if kind.positive else (low, high)


def worth(log_weights: Tensor) -> float:
    """How many equally likely boards these weights are worth, (Σw)²/Σw².

    >>> worth(torch.tensor([0.0, 0.0, -torch.inf]))
    2.0
    """
    weights = torch.softmax(log_weights, 0)
    return round(float(1 / weights.square().sum()), 9)
