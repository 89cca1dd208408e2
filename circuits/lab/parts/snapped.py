"""`Snapped`: the parts that were chosen, the response that they give, and how sure it is that there are none better."""

from __future__ import annotations

import copy
import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from circuits.circuit import Circuit
from circuits.files import replace_file
from circuits.lab.parts.branching import Search
from circuits.lab.parts.combining import Together
from circuits.lab.parts.drawer import Drawer, Part
from circuits.lab.parts.pairing import Choice
from circuits.lab.parts.wanted import Wanted
from circuits.notation import format


@dataclass(frozen=True)
class Swap:
    """A component, the value that it should have in the SI unit, and the part or the pair to use for it.

    `copies` is how many times that is wanted, where one component stands for several parts of the board.
    """

    name: str
    unit: str
    ideal: float
    choice: Choice
    copies: int = 1

    @property
    def change(self) -> float:
        """How far the part is from the ideal value, relative."""
        return self.choice.value / self.ideal - 1


@dataclass(frozen=True, eq=False)
class Snapped:
    """A circuit built of real parts.

    Attributes:
        circuit: a copy of the circuit with the values of the parts.
        swaps: a `Swap` for every component that was chosen for.
        trimmed: (before, after) of the free components in SI units, by name.
        wanted: frequencies `f` `(n,)`, `quantity`, and the wanted `values` `(k, n)`.
        error: `(k, n)`, response less wanted, in the unit of the quantity; the distance for a complex response.
        rounded: the root mean square error if each component were rounded to the nearest choice alone; None where the
            drawer has not enough parts for that, or something is trimmed.
        tried: whether every set of parts that could matter was evaluated, so that the answer is certain.
        proven: whether the search came to its end, so that no other set of parts does better, as far as its bounds can
            tell (see `circuits.lab.parts.branching.Search`).
        combinations: sets of parts that there are. `boards`: boards that were evaluated, boxes included.
        without: components that the response does not depend on; they were left as they are.
    """

    circuit: Circuit
    stock: str
    swaps: tuple[Swap, ...]
    trimmed: Mapping[str, tuple[float, float]]
    wanted: Wanted
    error: Tensor
    rounded: float | None
    tried: bool
    proven: bool
    combinations: int
    boards: int
    without: tuple[str, ...] = ()

    @property
    def rms(self) -> float:
        """Root mean square error over everything that is wanted, in the unit of the quantity."""
        return _rms(self.error)

    @property
    def worst(self) -> tuple[float, float, str]:
        """The largest error, where it is in hertz, and at which output ("" for a single one)."""
        size = self.error.abs().nan_to_num()
        k, n = divmod(int(size.argmax()), size.shape[1])
        outputs = self.wanted.circuit.outputs
        return float(size[k, n]), float(self.wanted.f[n]), outputs[k] if outputs else ""

    @property
    def shopping(self) -> dict[Part, int]:
        """How many of each part the board takes."""
        total: Counter[Part] = Counter()
        for swap in self.swaps:
            for part in swap.choice.parts:
                total[part] += swap.copies
        return dict(total)

    @property
    def price(self) -> float | None:
        """What the parts cost together; None where the price of one is not known."""
        prices = [(part.price, count) for part, count in self.shopping.items()]
        if any(price is None for price, _ in prices):
            return None
        return sum(price * count for price, count in prices if price is not None)

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers and text that JSON can hold."""
        worst, where, output = self.worst
        return {
            "stock": self.stock,
            "swaps": [_as_dict(swap) for swap in self.swaps],
            "trimmed": {name: {"before": old, "after": new} for name, (old, new) in self.trimmed.items()},
            "without_effect": list(self.without),
            "quantity": self.wanted.quantity,
            "rms_error": self.rms,
            "worst_error": {"error": worst, "frequency_hz": where, "output": output},
            "rms_error_if_rounded": self.rounded,
            "price": self.price,
            "tried": self.tried,
            "proven": self.proven,
            "combinations": self.combinations,
            "boards_evaluated": self.boards,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_dict` to a JSON file.

        Raises:
            DataError: a place that cannot be written.
        """
        replace_file(path, json.dumps(self.to_dict(), ensure_ascii=False, indent=2) + "\n")

    def __str__(self) -> str:
        return "\n".join([*_table(self), "", *_sentences(self)])


def account_of(
    wanted: Wanted,
    board: Circuit,
    drawer: Drawer,
    swaps: tuple[Swap, ...],
    trimmed: Mapping[str, tuple[float, float]],
    nearest: Mapping[str, float],
    searches: Sequence[Search],
    together: Together,
    without: tuple[str, ...],
) -> Snapped:
    """Judge a board with its parts in place."""
    error = _error(wanted, board)
    boards = sum(ranking.boards + ranking.boxes for ranking in together.rankings)
    combinations = math.prod(search.combinations for search in searches)
    rounded = None if trimmed else _rounded(wanted, searches, nearest, error)
    tried = together.proven and all(ranking.tried for ranking in together.rankings)
    return Snapped(
        board,
        drawer.name,
        swaps,
        trimmed,
        wanted,
        error,
        rounded,
        tried,
        together.proven,
        combinations,
        boards,
        without,
    )


def _rounded(wanted: Wanted, searches: Sequence[Search], nearest: Mapping[str, float], error: Tensor) -> float | None:
    """The error of rounding each alone, where there are enough parts for that."""
    used: Counter[int] = Counter()
    for search in searches:
        picks = [
            int(abs(choices.values - nearest[name]).argmin())
            for name, choices in zip(search.block.names, search.places.choices, strict=True)
            if choices is not None
        ]
        used += search.places.used(picks)
    limits = searches[0].limits if searches else {}
    if any(count > limits.get(part, count) for part, count in used.items()):
        return None
    board = copy.deepcopy(wanted.circuit)
    for name, value in nearest.items():
        board.get_parameter(name).data.fill_(value)
    return _rms(_error(wanted, board))


def _error(wanted: Wanted, board: Circuit) -> Tensor:
    error = wanted.predict(board) - wanted.values
    return error.abs() if error.is_complex() else error


def _rms(error: Tensor) -> float:
    return math.sqrt(float(error.square().nanmean()))


def _as_dict(swap: Swap) -> dict[str, Any]:
    return {
        "component": swap.name,
        "unit": swap.unit,
        "ideal": swap.ideal,
        "value": swap.choice.value,
        "change": swap.change,
        "parts": [
            {"value": part.value, "tolerance": part.tolerance, "price": part.price} for part in swap.choice.parts
        ],
        "connection": swap.choice.connection,
        "copies": swap.copies,
    }


def _table(snapped: Snapped) -> list[str]:
    """The swap list in columns."""
    rows = [("component", "ideal", "use", "gives", "off by")]
    for swap in snapped.swaps:
        times = f"{swap.copies} × " if swap.copies > 1 else ""
        use = f"{times}({swap.choice.written})" if times and len(swap.choice.parts) > 1 else times + swap.choice.written
        ideal, gives = format(swap.ideal, swap.unit), format(swap.choice.value, swap.unit)
        rows.append((swap.name, ideal, use, gives, f"{100 * swap.change:+.1f} %"))
    for name, (before, after) in snapped.trimmed.items():
        unit = snapped.circuit.units()[name]
        rows.append(
            (name, format(before, unit), "trim to", format(after, unit), f"{100 * (after / before - 1):+.1f} %")
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _sentences(snapped: Snapped) -> list[str]:
    """What comes of it."""
    worst, where, output = snapped.worst
    at = f"{output} at {format(where, 'Hz')}" if output else format(where, "Hz")
    quantity = "" if snapped.wanted.quantity == "decibels" else f" in {snapped.wanted.quantity}"
    said = [
        f"error of the response{quantity}: {_size(snapped, snapped.rms)} rms, at most {_size(snapped, worst)} ({at})"
    ]
    if snapped.rounded is not None and snapped.rounded > snapped.rms * (1 + 1e-6):
        said.append(f"rounding each part alone would give {_size(snapped, snapped.rounded)} rms")
    sets = f"{snapped.combinations:,} set{'s' * (snapped.combinations != 1)} of parts from {snapped.stock}"
    how = "every one that matters was tried" if snapped.tried else "by branch and bound"
    said.append(
        f"the best of {sets}, {how}" if snapped.proven else f"the best found of {sets}; the search was cut short"
    )
    if snapped.price is not None and snapped.swaps:
        said.append(f"price of the parts: {snapped.price:.2f}")
    if snapped.without:
        said.append(f"left as they are, without effect on the response: {', '.join(snapped.without)}")
    return said


def _size(snapped: Snapped, error: float) -> str:
    """An error in the unit of the quantity."""
    return format(error, "dB", 3) if snapped.wanted.quantity == "decibels" else f"{error:.3g}"
