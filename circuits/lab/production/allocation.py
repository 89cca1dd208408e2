"""Which part to buy in which tolerance: the cheapest choice that reaches a wanted yield."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.errors import OptionError
from circuits.lab.production.deciding import Check, checks_of, numbers_of
from circuits.lab.production.sampling import block_size
from circuits.lab.production.specifications import Specification
from circuits.lab.production.tolerances import Tolerances, checked
from circuits.lab.production.yields import Yield, estimate_yield, judged

Prices = Mapping[str, Mapping[float, float]]
MOST = 200_000
"""Choices that are tried at most."""
FIRST = 64
"""Boards that are judged first, those that failed most often so far."""


@dataclass(frozen=True, eq=False)
class Allocation:
    """The cheapest choice: `tolerances` by component, its price, and how it does.

    `searched` is the yield of the boards that the choice was made on, `verified` that of other boards; since the choice
    is the first to reach what was wanted, the second may lie a little below. `tried` is how many choices were judged.
    """

    tolerances: Mapping[str, float]
    price: float
    searched: float
    verified: Yield
    tried: int


def cheapest_tolerances(
    circuit: Circuit,
    specification: Specification,
    prices: Prices,
    wanted: float,
    *,
    tolerances: Tolerances | None = None,
    boards: int = 2000,
    verified: int = 20_000,
    seed: int = 0,
) -> Allocation:
    """The cheapest tolerance for each part with which at least the wanted share of boards passes.

    Choices are tried by rising price, so that the first that passes is the cheapest, with nothing assumed of how the
    yield depends on a tolerance. All are judged on the same drawn boards (a part of twice the tolerance is twice as far
    off), and a choice is given up as soon as so many boards have failed that it cannot pass any more; the boards that
    failed the choices before come first, so that most are given up after a few dozen.

    Args:
        circuit, specification: as for `estimate_yield`.
        prices: by component, the price of each relative tolerance: `{"R": {0.01: 0.05, 0.05: 0.01}}`.
        wanted: the share of boards that has to pass, such as 0.95.
        tolerances: of further parts, about which there is no choice, and the distribution; independent and Gaussian
            where None.
        boards: for the search.
        verified: boards for the yield of what was found.
        seed: of the search; the verification takes the next one.

    Raises:
        OptionError: no choice reaches the wanted yield, which the message says how near the tightest comes; or prices
            or a share that there cannot be.

    >>> from circuits.filters import LowPass
    >>> passes = Specification([1000.0], "magnitude", [0.66], [0.75])
    >>> prices = {"R": {0.01: 0.05, 0.05: 0.01}, "C": {0.05: 0.60, 0.10: 0.20, 0.20: 0.10}}
    >>> found = cheapest_tolerances(LowPass(R=159.155), passes, prices, wanted=0.97)
    >>> dict(found.tolerances), round(found.price, 2)
    ({'R': 0.05, 'C': 0.1}, 0.21)
    """
    _check(prices, wanted)
    fixed = tolerances or Tolerances({})
    if fixed.correlation is not None:
        raise OptionError("parts that are correlated; tolerances are chosen for independent parts")
    own = {name: size for name, size in fixed.sizes.items() if name not in prices}
    widest = replace(fixed, sizes={**{name: max(grades) for name, grades in prices.items()}, **own})
    search = _Search(circuit, checks_of(circuit, specification), widest, checked(circuit, widest), boards, seed)
    needed = math.ceil(wanted * boards - 1e-9)
    for tried, (price, choice) in enumerate(by_price(prices), 1):
        passed = search.passes(choice, boards - needed)
        if passed is not None:
            final = replace(widest, sizes={**choice, **own})
            counted = estimate_yield(circuit, specification, final, boards=verified, seed=seed + 1)
            return Allocation(choice, price, passed / boards, counted, tried)
        if tried == MOST:
            raise OptionError(
                f"none of the {MOST:,} cheapest choices reaches {wanted:.1%}; leave out grades that are poor"
            )
    tightest = {name: min(grades) for name, grades in prices.items()}
    share = (search.passes(tightest, boards) or 0) / boards
    raise OptionError(
        f"no choice reaches {wanted:.1%}: with the tightest of all {share:.1%} pass; centre the values first"
    )


def by_price(prices: Prices) -> Iterator[tuple[float, dict[str, float]]]:
    """Every choice of a tolerance for each part, by rising price.

    >>> [round(price, 2) for price, _ in by_price({"R": {0.01: 0.3, 0.05: 0.1}, "C": {0.1: 0.5, 0.2: 0.4}})]
    [0.5, 0.6, 0.7, 0.8]
    """
    names = list(prices)
    grades = [sorted((price, tolerance) for tolerance, price in prices[name].items()) for name in names]

    def price_of(at: tuple[int, ...]) -> float:
        return math.fsum(grades[i][j][0] for i, j in enumerate(at))

    start: tuple[int, ...] = (0,) * len(names)
    waiting: list[tuple[float, tuple[int, ...]]] = [(price_of(start), start)]
    seen: set[tuple[int, ...]] = {start}
    while waiting:
        price, at = heapq.heappop(waiting)
        yield price, {name: grades[i][j][1] for i, (name, j) in enumerate(zip(names, at, strict=True))}
        for i, j in enumerate(at):
            dearer = (*at[:i], j + 1, *at[i + 1 :])
            if j + 1 < len(grades[i]) and dearer not in seen:
                seen.add(dearer)
                heapq.heappush(waiting, (price_of(dearer), dearer))


class _Search:
    """The boards that every choice is judged on, those first that failed most."""

    def __init__(
        self,
        circuit: Circuit,
        checks: Sequence[Check],
        widest: Tolerances,
        nominal: Tensor,
        boards: int,
        seed: int,
    ):
        self.circuit, self.checks, self.widest, self.nominal = circuit, checks, widest, nominal
        self.deviations = widest.deviations(boards, seed)
        self.failures = torch.zeros(boards, dtype=torch.long)

    def passes(self, choice: Mapping[str, float], allowed: int) -> int | None:
        """How many boards pass, or None as soon as more fail than are allowed."""
        scale = torch.ones(len(self.nominal), dtype=torch.float64)
        for i, (name, size) in enumerate(self.widest.sizes.items()):
            scale[i] = choice.get(name, size) / size if size else 1.0
        order, failed, start = self.failures.argsort(descending=True, stable=True), 0, 0
        size = max(FIRST, 2 * allowed)
        while start < len(order):
            rows = order[start : start + size]
            values = (self.deviations[rows] * scale).add_(1).mul_(self.nominal)
            fails = ~judged(self.circuit, self.widest.names, values, self.checks)
            self.failures[rows] += fails
            failed += int(fails.sum())
            if failed > allowed:
                return None
            start, size = start + size, min(4 * size, block_size(numbers_of(self.checks)))
        return len(order) - failed


def _check(prices: Prices, wanted: float) -> None:
    if not 0 < wanted <= 1:
        raise OptionError(f"a wanted yield of {wanted!r}; expected a share above 0 and up to 1, such as 0.95")
    if not prices or not all(prices.values()):
        raise OptionError("no prices; expected them by part and tolerance, such as {'R': {0.01: 0.05, 0.05: 0.01}}")
    for name, grades in prices.items():
        for tolerance, price in grades.items():
            if not (math.isfinite(price) and price >= 0 and 0 <= tolerance < 1):
                raise OptionError(
                    f"{name}: {tolerance!r} at {price!r}; expected a tolerance below 1 and a price from 0 on"
                )
