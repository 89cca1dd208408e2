"""Contestants timed in turn, so that all of them see the same machine; ratios are medians of the ratios of a round.

Times are those of the processor, which is the same on an idle machine with one thread, and lets others work beside.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator

LEAST = 0.02
"""Seconds that a short call is repeated for, in each round."""
RIGHT = 1e-8
"""Relative to the largest value of the sweep: further off than this an answer is wrong, and its time says nothing."""


def clock(
    function: Callable[[], object], repeats: int = 1, now: Callable[[], float] = time.process_time
) -> Callable[[], float]:
    """A function that calls `function` so often and returns the seconds of one call."""

    def timed() -> float:
        began = now()
        for _ in range(repeats):
            function()
        return (now() - began) / repeats

    return timed


def repeats_for(function: Callable[[], object], seconds: float = LEAST) -> int:
    """How often to call it so that it takes about so long."""
    function()
    return max(1, round(seconds / clock(function)()))


class Times:
    """Seconds a call of each contestant, round by round."""

    def __init__(self, players: dict[str, Callable[[], float]], rounds: int):
        self.seconds: dict[str, list[float]] = {name: [] for name in players}
        for _ in range(rounds):
            for name, player in players.items():
                self.seconds[name].append(player())

    def __iter__(self) -> Iterator[str]:
        return iter(self.seconds)

    def of(self, name: str) -> float:
        """Median seconds."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, to: str) -> float:
        """Median of the ratios within a round."""
        return statistics.median(a / b for a, b in zip(self.seconds[name], self.seconds[to], strict=True))

    def ratios(self, name: str, to: str) -> list[float]:
        """The ratio within every round."""
        return [a / b for a, b in zip(self.seconds[name], self.seconds[to], strict=True)]

    def best(self, names: Iterable[str]) -> str:
        """The fastest of them."""
        return min(names, key=self.of)
