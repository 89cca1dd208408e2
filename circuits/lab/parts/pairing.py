"""What can be put in the place of one component: a part of the drawer, or two in series or in parallel."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from circuits.errors import OptionError
from circuits.lab.parts.drawer import UNITS, Drawer, Part

SINGLE, SERIES, PARALLEL = 0, 1, 2
_SAME = 1e-12  # relative; two ways to the same value
_MOST = 20_000_000


@dataclass(frozen=True)
class Choice:
    """One way to fill the place of a component, and the value that this gives.

    >>> Choice(69.0, (Part("Ω", 47.0), Part("Ω", 22.0)), SERIES).written
    '47 Ω + 22 Ω'
    """

    value: float
    parts: tuple[Part, ...]
    how: int

    @property
    def written(self) -> str:
        """The parts as a person puts them together."""
        return (" ∥ " if self.how == PARALLEL else " + ").join(str(part) for part in self.parts)

    @property
    def connection(self) -> str:
        """How they are put together: single, series or parallel."""
        return ("single", "series", "parallel")[self.how]


@dataclass(frozen=True, eq=False)
class Choices:
    """All the ways to fill a place, by rising value.

    `values` is `(m,)` in the SI unit; `first` and `second` `(m,)` are indices into the parts of the drawer, the second
    −1 for a single part; `how` `(m,)` is SINGLE, SERIES or PARALLEL.
    """

    drawer: Drawer
    values: np.ndarray
    first: np.ndarray
    second: np.ndarray
    how: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def choice(self, index: int) -> Choice:
        """One of them, with its parts."""
        indices = [int(i) for i in (self.first[index], self.second[index]) if i >= 0]
        return Choice(float(self.values[index]), tuple(self.drawer.parts[i] for i in indices), int(self.how[index]))

    def used(self, index: int) -> Counter[int]:
        """How many of which parts of the drawer it takes."""
        return Counter(int(i) for i in (self.first[index], self.second[index]) if i >= 0)


def choices_for(drawer: Drawer, unit: str, pairs: bool = False, copies: int = 1) -> Choices:
    """The ways to fill a place for a part of this unit.

    Two resistors or inductors add up in series and 1/(1/a + 1/b) in parallel; capacitors the other way round.

    Args:
        drawer: what there is.
        unit: Ω, F or H.
        pairs: also two parts in series or in parallel.
        copies: how often the same is wanted on the board, where one component stands for several parts.

    Raises:
        OptionError: nothing of this unit in the drawer, or more pairs than can be looked at.

    >>> drawer = Drawer("box", (Part("Ω", 10.0, count=1), Part("Ω", 40.0, count=1)))
    >>> choices_for(drawer, "Ω", pairs=True).values.tolist()
    [8.0, 10.0, 40.0, 50.0]
    """
    own = np.array(drawer.of(unit), dtype=np.int64)
    counts = [drawer.parts[i].count for i in own]
    left = np.array([np.inf if count is None else count for count in counts])
    own, left = own[left >= copies], left[left >= copies]
    if not len(own):
        kind = UNITS.get(unit)
        needs = f"{copies} {kind}s of one value" if copies > 1 else f"any {kind}" if kind else f"any part in {unit}"
        raise OptionError(f"{drawer.name} does not have {needs}; choose another stock or keep that component")
    if pairs and len(own) ** 2 > _MOST:
        raise OptionError(f"{drawer.name} makes {len(own) ** 2:,} pairs; take a coarser series or leave out pairs")
    value = np.array([drawer.parts[i].value for i in own])
    columns = [(value, own, np.full(len(own), -1), np.full(len(own), SINGLE))]
    if pairs:
        columns += _pairs(value, own, left, unit, copies)
    values, first, second, how = (np.concatenate(column) for column in zip(*columns, strict=True))
    return _sorted(drawer, values, first, second, how)


def _pairs(value: np.ndarray, own: np.ndarray, left: np.ndarray, unit: str, copies: int):
    """Columns of the pairs that there are enough parts for: both the same takes two."""
    i, j = np.triu_indices(len(own))
    enough = (i != j) | (left[i] >= 2 * copies)
    i, j = i[enough], j[enough]
    added, shared = value[i] + value[j], value[i] * value[j] / (value[i] + value[j])
    for total, how in ((added, PARALLEL if unit == "F" else SERIES), (shared, SERIES if unit == "F" else PARALLEL)):
        yield total, own[j], own[i], np.full(len(i), how)


def _sorted(drawer: Drawer, values: np.ndarray, first: np.ndarray, second: np.ndarray, how: np.ndarray) -> Choices:
    """By value, then few parts, then cheap ones; of the same value only the first, where no part can run out."""
    price = np.array([part.price or 0.0 for part in drawer.parts])
    cost = price[first] + np.where(second >= 0, price[second], 0.0)
    # equal up to rounding, so that 3.3 + 3.3 does not stand before 6.6
    order = np.lexsort((cost, second >= 0, np.round(np.log(values), 11)))
    if not drawer.limited:
        kept = np.ones(len(order), dtype=bool)
        kept[1:] = np.diff(values[order]) > _SAME * values[order][1:]
        order = order[kept]
    order = order[np.argsort(values[order], kind="stable")]
    return Choices(drawer, values[order], first[order], second[order], how[order])
