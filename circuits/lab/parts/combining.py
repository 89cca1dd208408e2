"""Several blocks that share one drawer: the best board of each, or the next best where the parts do not suffice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circuits.lab.parts.branching import Board, Ranking, Search

_MOST = 1 << 16  # boards of a block that are lined up at most


@dataclass(frozen=True)
class Together:
    """One board for each block, or None where the drawer does not suffice; `proven` when no others are better."""

    boards: tuple[Board, ...] | None
    rankings: tuple[Ranking, ...]
    proven: bool

    @property
    def cost(self) -> float:
        """Mean square error of the whole."""
        return sum(board.cost for board in self.boards or ())


def best_together(searches: Sequence[Search], limits: Mapping[int, int]) -> Together:
    """Choose one board for each block so that the drawer suffices and the sum of their costs is lowest.

    Blocks do not act on each other but through the drawer. So each lines up its best boards, and the best combination
    of these is sought; where it is worse than what a longer line could promise, the lines are made longer. What comes
    out is the best of all.

    Args:
        searches: one for each block.
        limits: how many there are of the parts that can run out, by index into the drawer.
    """
    wanted = 1
    while True:
        rankings = [search.best(wanted) for search in searches]
        found = _combine(searches, rankings, limits)
        finished = all(ranking.finished for ranking in rankings)
        cost = sum(board.cost for board in found or ())
        if found is not None and finished and cost <= _promise(rankings):
            return Together(found, tuple(rankings), True)
        if not finished or all(ranking.complete for ranking in rankings) or wanted >= _MOST:
            return Together(found, tuple(rankings), finished and wanted < _MOST)
        wanted *= 8


def _promise(rankings: Sequence[Ranking]) -> float:
    """The lowest sum that boards left out of the lines could give."""
    firsts = [ranking.found[0].cost if ranking.found else 0.0 for ranking in rankings]
    total = sum(firsts)
    rest = [
        total - first + ranking.found[-1].cost
        for first, ranking in zip(firsts, rankings, strict=True)
        if not ranking.complete and ranking.found
    ]
    return min(rest, default=float("inf"))


def _combine(
    searches: Sequence[Search], rankings: Sequence[Ranking], limits: Mapping[int, int]
) -> tuple[Board, ...] | None:
    """The best combination of the boards lined up: depth first, cut where the firsts of the rest are too dear."""
    if not all(ranking.found for ranking in rankings):
        return None
    firsts = [ranking.found[0].cost for ranking in rankings]
    rest = [sum(firsts[i:]) for i in range(len(firsts) + 1)]
    best: list = [float("inf"), None]

    def descend(depth: int, cost: float, used: Counter[int], chosen: tuple[Board, ...]) -> None:
        if depth == len(rankings):
            best[:] = [cost, chosen]
            return
        for board in rankings[depth].found:
            total = cost + board.cost
            if total + rest[depth + 1] >= best[0]:
                return
            together = used + searches[depth].places.used(board.picks)
            if all(count <= limits.get(part, count) for part, count in together.items()):
                descend(depth + 1, total, together, (*chosen, board))

    descend(0, 0.0, Counter(), ())
    return best[1]
