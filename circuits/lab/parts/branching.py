"""Branch and bound over boxes of parts: the best boards that can be built from a drawer, for one block of a circuit."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from circuits.lab.parts.pairing import Choices
from circuits.lab.parts.relaxation import relax
from circuits.lab.parts.wanted import Block

_TOGETHER = 64  # boxes opened in one go
_LEAF, _SMALL = 64, 10_000  # boards tried one by one in a box, and in the whole problem
_TUNED = 8  # how many times fewer, where each has to be tuned
_STARTS, _FURTHER = 64, 6  # of the first box, and of every other beside the two that are most likely
_SLACK = 1e-9  # relative; costs nearer than this are the same
_ROUNDING = 1e-24  # mean square error


class Board(NamedTuple):
    """A board that can be built: its cost, the index of every component's choice, and all values in SI units."""

    cost: float
    picks: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Places:
    """The p components of a block: for each its choices, or None where it is trimmed, and its walls as logarithms."""

    choices: tuple[Choices | None, ...]
    copies: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def fixed(self) -> list[int]:
        """Columns for which a part is chosen."""
        return [i for i, choices in enumerate(self.choices) if choices is not None]

    def used(self, picks: Sequence[int]) -> Counter[int]:
        """How many of which parts of the drawer a board takes."""
        total: Counter[int] = Counter()
        for column, pick in zip(self.fixed, picks, strict=True):
            for part, count in self.choices[column].used(pick).items():  # pyright: ignore[reportOptionalMemberAccess]
                total[part] += count * self.copies[column]
        return total


@dataclass
class Ranking:
    """The best boards of a block, at most `wanted`, by rising cost; `complete` when there are no others.

    `boards` and `boxes` count what was looked at; `finished` says that the search came to its end, `tried` that every
    board there is was evaluated.
    """

    wanted: int
    found: list[Board] = field(default_factory=list)
    known: set[tuple[int, ...]] = field(default_factory=set)
    boards: int = 0
    boxes: int = 0
    finished: bool = True
    tried: bool = False

    @property
    def threshold(self) -> float:
        """What a box must promise to be worth opening."""
        if len(self.found) < self.wanted:
            return math.inf
        worst = self.found[-1].cost
        return worst - _SLACK * worst - _ROUNDING

    @property
    def complete(self) -> bool:
        """Whether every board that can be built is in the list."""
        return self.finished and len(self.found) < self.wanted

    def add(self, board: Board) -> None:
        """Keep it if it is among the best."""
        if board.picks in self.known:
            return
        self.known.add(board.picks)
        self.found = sorted([*self.found, board], key=lambda one: one.cost)[: self.wanted]


class _Box(NamedTuple):
    """Choices `low[i]` to `high[i]` of every place, and where the best values between them are."""

    bound: float
    order: int
    low: tuple[int, ...]
    high: tuple[int, ...]
    x: tuple[float, ...]

    @property
    def size(self) -> int:
        return math.prod(high - low + 1 for low, high in zip(self.low, self.high, strict=True))


class Search:
    """The search for the best boards of one block.

    A box is a range of choices for every place. Its bound is the best response that continuous values within the box
    could have, trimmed components with them. A box whose bound is no better than the best board found is dropped;
    another is split where its best values lie between two choices, the way integer programs are; a small box is tried
    out. The choices nearest to the best values of a box are tried as well: they are what makes the threshold sink.

    A bound is as good as its minimisation: it holds where one of the starts, many for the first box and several for
    every other, leads to the lowest minimum there. A problem with few boards is tried out and needs no bound.

    Args:
        block, places: the problem.
        limits: how many there are of the parts that can run out, by index into the drawer.
        ideal: `(p,)`, the values that the circuit has now, in SI units.
        most: boxes after which the search ends, its answer then unproven.
        exhaustive: try out problems with that many boards at most, without boxes; None decides.

    Reference: A. H. Land and A. G. Doig, Econometrica 28 (1960) 497; R. J. Dakin, Comput. J. 8 (1965) 250.
    """

    def __init__(
        self,
        block: Block,
        places: Places,
        limits: Mapping[int, int],
        ideal: Tensor,
        most: int,
        exhaustive: int | None = None,
    ):
        self.block, self.places, self.limits, self.most = block, places, limits, most
        self.fixed = places.fixed
        self.trims = len(self.fixed) < len(places.choices)
        self.logs = [np.log(choices.values) for choices in places.choices if choices is not None]
        self.ideal = ideal.log()
        share = _TUNED if self.trims else 1
        self.small = _SMALL // share if exhaustive is None else exhaustive
        self.leaf = max(1, min(_LEAF // share, self.small))
        self.count = itertools.count()

    @property
    def combinations(self) -> int:
        """How many boards there are, those without enough parts included."""
        return math.prod(len(logs) for logs in self.logs)

    def best(self, wanted: int = 1) -> Ranking:
        """The best boards that there are enough parts for."""
        ranking = Ranking(wanted)
        whole = _Box(0.0, 0, (0,) * len(self.logs), tuple(len(logs) - 1 for logs in self.logs), ())
        if whole.size <= self.small:
            self._try([whole], ranking)
            ranking.tried = True
            return ranking
        heap: list[_Box] = []
        self._push([whole], heap, ranking)
        while heap and heap[0].bound < ranking.threshold:
            if ranking.boxes >= self.most:
                ranking.finished = False
                break
            opened = [heapq.heappop(heap) for _ in range(min(_TOGETHER, len(heap)))]
            opened = [box for box in opened if box.bound < ranking.threshold]
            self._try([box for box in opened if box.size <= self.leaf], ranking)
            halves = [half for box in opened if box.size > self.leaf for half in self._split(box)]
            self._push(halves, heap, ranking)
        return ranking

    # boxes

    def _push(self, boxes: list[_Box], heap: list[_Box], ranking: Ranking) -> None:
        """Find the bounds of new boxes, try the boards nearest to their best values, keep what is worth opening."""
        if not boxes:
            return
        ranking.boxes += len(boxes)
        low, high = self._walls(boxes)
        relaxed = relax(self.block, low, high, self._starts(boxes, low, high))
        self._try_near(boxes, relaxed.x, ranking)
        found = zip(boxes, relaxed.bound.tolist(), relaxed.x.tolist(), strict=True)
        for box, bound, x in found:
            bound = max(bound, box.bound)  # a part of a box is never better than the box
            if bound < ranking.threshold:
                heapq.heappush(heap, _Box(bound, next(self.count), box.low, box.high, tuple(x)))

    def _walls(self, boxes: Sequence[_Box]) -> tuple[Tensor, Tensor]:
        ends = []
        for side, walls in (("low", self.places.low), ("high", self.places.high)):
            table = np.tile(np.array(walls), (len(boxes), 1))
            indices = np.array([getattr(box, side) for box in boxes])
            for place, column in enumerate(self.fixed):
                table[:, column] = self.logs[place][indices[:, place]]
            ends.append(torch.from_numpy(table))
        return ends[0], ends[1]

    def _starts(self, boxes: Sequence[_Box], low: Tensor, high: Tensor) -> Tensor:
        """Where the box it comes from had its best, and its own middle; all over the place for the first box."""
        generator = torch.Generator().manual_seed(len(boxes))
        starts = _FURTHER if boxes[0].x else _STARTS
        anywhere = low + (high - low) * torch.rand(starts, *low.shape, generator=generator, dtype=low.dtype)
        likely = torch.tensor([box.x for box in boxes], dtype=low.dtype) if boxes[0].x else self.ideal.expand_as(low)
        return torch.cat([torch.stack([likely, (low + high) / 2]), anywhere])

    def _split(self, box: _Box) -> list[_Box]:
        """Two boxes: one side of the best value that is farthest from any choice, and the other."""
        place, cut = self._cut(box)
        high, low = list(box.high), list(box.low)
        high[place], low[place] = cut, cut + 1
        return [box._replace(high=tuple(high)), box._replace(low=tuple(low))]

    def _cut(self, box: _Box) -> tuple[int, int]:
        widest, place, cut = 0.0, -1, 0
        for i, logs in enumerate(self.logs):
            x, low, high = box.x[self.fixed[i]], box.low[i], box.high[i]
            below = min(max(int(np.searchsorted(logs, x, "right")) - 1, low), high - 1)
            if high > low and (gap := min(x - logs[below], logs[below + 1] - x)) > max(widest, 1e-9):
                widest, place, cut = gap, i, below
        if place < 0:  # its best values are choices: then halve it where there is most to choose from
            place = max(range(len(self.logs)), key=lambda i: box.high[i] - box.low[i])
            cut = (box.low[place] + box.high[place]) // 2
        return place, cut

    # boards

    def _try_near(self, boxes: Sequence[_Box], x: Tensor, ranking: Ranking) -> None:
        columns = []
        for i, logs in enumerate(self.logs):
            value = x[:, self.fixed[i]].numpy()
            at = np.searchsorted(logs, value).clip(1, max(len(logs) - 1, 1))
            at = at - (value - logs[at - 1] < logs[np.minimum(at, len(logs) - 1)] - value)
            columns.append(at.clip([box.low[i] for box in boxes], [box.high[i] for box in boxes]))
        self._judge(np.unique(np.stack(columns, -1), axis=0), ranking)

    def _try(self, boxes: Sequence[_Box], ranking: Ranking) -> None:
        """Try every board of these boxes."""
        tables = []
        for box in boxes:
            ranges = [np.arange(low, high + 1) for low, high in zip(box.low, box.high, strict=True)]
            tables.append(np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, len(ranges)))
        if tables:
            self._judge(np.concatenate(tables), ranking)

    def _judge(self, picks: np.ndarray, ranking: Ranking) -> None:
        """Find the cost of these boards, tuning what is trimmed, and keep the best that there are enough parts for."""
        ranking.boards += len(picks)
        values, costs = self._costs(picks)
        for row in torch.argsort(costs, stable=True).tolist():
            cost = float(costs[row])
            if not cost < ranking.threshold and len(ranking.found) >= ranking.wanted:
                break
            board = Board(cost, tuple(picks[row].tolist()), tuple(values[row].tolist()))
            if board.picks not in ranking.known and self.affordable(board):
                ranking.add(board)

    def _costs(self, picks: np.ndarray) -> tuple[Tensor, Tensor]:
        low = torch.tensor(self.places.low, dtype=torch.float64).repeat(len(picks), 1)
        high = torch.tensor(self.places.high, dtype=torch.float64).repeat(len(picks), 1)
        for i, column in enumerate(self.fixed):
            low[:, column] = high[:, column] = torch.from_numpy(self.logs[i][picks[:, i]])
        if self.trims:
            relaxed = relax(self.block, low, high, torch.stack([self.ideal.expand_as(low), (low + high) / 2]))
            values, costs = relaxed.x.exp(), relaxed.cost
        else:
            values, costs = low.exp(), None
        for i, column in enumerate(self.fixed):  # as printed on the part, not as its logarithm rounds
            choices = self.places.choices[column]
            values[:, column] = torch.from_numpy(choices.values[picks[:, i]])  # pyright: ignore
        return values, self.block.costs(values) if costs is None else costs

    def affordable(self, board: Board) -> bool:
        """Whether there are enough parts for it."""
        used = self.places.used(board.picks)
        return all(count <= self.limits.get(part, count) for part, count in used.items())
