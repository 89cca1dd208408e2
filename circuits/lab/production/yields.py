"""Yield: which share of boards passes, and which part's tolerance costs most of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.errors import OptionError
from circuits.lab.production.answers import made_of
from circuits.lab.production.deciding import Check, checks_of, numbers_of
from circuits.lab.production.sampling import block_size
from circuits.lab.production.specifications import Specification
from circuits.lab.production.tolerances import Tolerances, checked

BOARDS = 10_000
FEW = 16
"""Columns up to which joining them one by one beats torch's reduction over a short row."""
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, eq=False)
class Yield:
    """How many of the boards drawn pass.

    `failing` has, for each limit that was computed, the share of boards that break it, the largest first. Limits that
    follow from others are not computed.

    >>> print(Yield(980, 1000, ()))
    98.00 % of 1,000 boards pass (95 % sure: 96.93 to 98.70 %)
    """

    passed: int
    boards: int
    failing: tuple[tuple[str, float], ...]

    @property
    def share(self) -> float:
        """The share that passes."""
        return self.passed / self.boards

    @property
    def error(self) -> float:
        """One standard deviation of the share by sampling, √(y(1−y)/N)."""
        return math.sqrt(self.share * (1 - self.share) / self.boards)

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies with 95 % confidence (Wilson's interval, which holds near 0 and 1 as well).

        Reference: E. B. Wilson, J. Am. Statist. Assoc. 22 (1927) 209-212.
        """
        n, z2 = self.boards, _NORMAL_95**2
        centre = (self.share + z2 / (2 * n)) / (1 + z2 / n)
        half = _NORMAL_95 / (1 + z2 / n) * math.sqrt(self.error**2 + z2 / (4 * n * n))
        return max(centre - half, 0.0), min(centre + half, 1.0)

    def __str__(self) -> str:
        low, high = self.interval
        said = f"{100 * self.share:.2f} % of {self.boards:,} boards pass"
        return f"{said} (95 % sure: {100 * low:.2f} to {100 * high:.2f} %)"


@dataclass(frozen=True)
class Cost:
    """What the tolerance of one part costs: the yield were it perfect, less the yield as it is, and its error."""

    name: str
    yield_if_perfect: float
    gain: float
    error: float


def estimate_yield(
    circuit: Circuit,
    specification: Specification,
    tolerances: Tolerances,
    *,
    boards: int = BOARDS,
    seed: int = 0,
    every: bool = False,
) -> Yield:
    """Share of the boards drawn from the tolerances that keep within every limit.

    Args:
        circuit: a single board with its nominal values.
        specification: the limits, from `leds_as_limits`, from `read_mask` or made by hand.
        tolerances: how the parts scatter.
        boards: how many to draw.
        seed: of the draws.
        every: compute every limit, also those that follow from others (see `circuits.lab.production.deciding`).

    Raises:
        OptionError, UnknownName, ShapeError: limits or tolerances that do not fit the circuit.

    >>> from circuits.filters import LowPass
    >>> passes = Specification([1000.0], "magnitude", [0.69], [0.72])
    >>> print(estimate_yield(LowPass(R=159.155), passes, Tolerances({"R": 0.05, "C": 0.10})))
    74.26 % of 10,000 boards pass (95 % sure: 73.39 to 75.11 %)
    """
    checks, values = checks_of(circuit, specification, every), checked(circuit, tolerances)
    passed, broken = 0, [torch.zeros_like(check.lower) for check in checks]
    for factors in _factors(tolerances, checks, boards, seed):
        found = verdicts(circuit, tolerances.names, factors.mul_(values), checks)
        for total, fine in zip(broken, found, strict=True):
            total += len(fine) - fine.sum(0)
        passed += int(_all(found).sum())
    shares = [(label, float(share)) for c, b in zip(checks, broken, strict=True) for label, share in _named(c, b)]
    failing = sorted(((label, share / boards) for label, share in shares if share), key=lambda one: -one[1])
    return Yield(passed, boards, tuple(failing))


def yield_costs(
    circuit: Circuit,
    specification: Specification,
    tolerances: Tolerances,
    *,
    boards: int = BOARDS,
    seed: int = 0,
) -> list[Cost]:
    """What each part's tolerance costs, the dearest first: the yield were this one part exactly its nominal value.

    The same boards are judged with and without the deviation of the part, so that the difference is known far better
    than either yield: error² = (a + b − (a−b)²/N)/N², with a boards that it would save and b that it would spoil.

    Args: as for `estimate_yield`.

    >>> from circuits.filters import LowPass
    >>> passes = Specification([1000.0], "magnitude", [0.69], [0.72])
    >>> [cost.name for cost in yield_costs(LowPass(R=159.155), passes, Tolerances({"R": 0.05, "C": 0.10}))]
    ['C', 'R']
    """
    checks, values = checks_of(circuit, specification), checked(circuit, tolerances)
    names, passed = tolerances.names, 0
    saved, spoiled = ([0] * len(names) for _ in range(2))
    for factors in _factors(tolerances, checks, boards, seed):
        passes = judged(circuit, names, factors * values, checks)
        passed += int(passes.sum())
        for i in range(len(names)):
            perfect = factors.clone()
            perfect[:, i] = 1.0
            then = judged(circuit, names, perfect.mul_(values), checks)
            saved[i] += int((then & ~passes).sum())
            spoiled[i] += int((passes & ~then).sum())
    costs = [_cost(name, passed, boards, *ab) for name, *ab in zip(names, saved, spoiled, strict=True)]
    return sorted(costs, key=lambda cost: -cost.gain)


def judged(circuit: Circuit, names: Sequence[str], values: Tensor, checks: Sequence[Check]) -> Tensor:
    """Which boards, `(boards, p)` in SI units, pass: `(boards,)` of bool.

    >>> from circuits.filters import LowPass
    >>> circuit = LowPass(R=159.155)
    >>> checks = checks_of(circuit, Specification([1000.0], "magnitude", [0.69], [0.72]))
    >>> judged(circuit, ["R"], torch.tensor([[159.0], [200.0]]), checks)
    tensor([ True, False])
    """
    return _all(verdicts(circuit, names, values, checks))


def verdicts(circuit: Circuit, names: Sequence[str], values: Tensor, checks: Sequence[Check]) -> list[Tensor]:
    """For each check which limits are kept, `(boards, [k,] n)` of bool; NaN keeps none."""
    with torch.no_grad(), made_of(circuit, names, values):
        found = [check.part.predict(check.f, check.quantity) for check in checks]
    boards = len(values)
    kept = [(y >= check.lower) & (y <= check.upper) for y, check in zip(found, checks, strict=True)]
    return [fine.expand(boards, *check.lower.shape) for fine, check in zip(kept, checks, strict=True)]


def _all(verdict: Sequence[Tensor]) -> Tensor:
    """Which boards keep every limit."""
    rows = [fine.flatten(1) for fine in verdict]
    parts = [part for fine in rows for part in (fine.unbind(-1) if fine.shape[1] <= FEW else [fine.all(-1)])]
    return reduce(Tensor.logical_and_, parts[1:], parts[0].clone())


def _factors(tolerances: Tolerances, checks: Sequence[Check], boards: int, seed: int) -> Iterator[Tensor]:
    """1 + deviation, block by block."""
    if boards < 1:
        raise OptionError(f"{boards} boards; expected at least one")
    for deviations in tolerances.blocks(boards, block_size(numbers_of(checks)), seed):
        yield deviations.add_(1)


def _named(check: Check, broken: Tensor) -> list[tuple[str, float]]:
    return list(zip(check.labels(), broken.flatten().tolist(), strict=True))


def _cost(name: str, passed: int, boards: int, saved: int, spoiled: int) -> Cost:
    gain = (saved - spoiled) / boards
    variance = max(saved + spoiled - (saved - spoiled) ** 2 / boards, 0.0) / boards**2
    return Cost(name, passed / boards + gain, gain, math.sqrt(variance))
