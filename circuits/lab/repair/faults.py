"""What can be wrong with a part: its value off, open, shorted, a decade wrong, or two parts swapped."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.lab.repair.nominal import Nominal

KINDS = ("value off", "open", "shorted", "wrong decade", "swapped")
"""The faults that are looked for."""

DECADES = (0.1, 10.0, 0.01, 100.0, 0.001, 1000.0)
"""What the value of a part in a wrong decade is multiplied by."""

OPEN_OHMS, SHORT_OHMS = 1e12, 1e-6
"""Impedance of a part that is open or shorted: more, or less, than anything around it."""

AT_FAULT = 0.05
"""Prior odds of a part being at fault, against a healthy board."""

SPREAD_OFF = 1.5
"""One standard deviation of ln(factor) for a value that is off: most are within a factor of 4.5."""

STARTS_OFF = (-4.0, -2.7, -1.7, -1.0, -0.5, -0.2, 0.2, 0.5, 1.0, 1.7, 2.7, 4.0)
"""Where the search for ln(factor) starts."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a board, or nothing where there are no parts.

    Args:
        kind: one of `KINDS`, or "healthy".
        parts: dotted name of the part, or of the two that are swapped.
        factor: of a wrong decade.

    >>> print(Fault("open", ("R1",)), Fault("wrong decade", ("C1",), 0.1), Fault("swapped", ("R1", "R2")), sep="; ")
    R1 open; C1 × 0.1; R1 and R2 swapped
    """

    kind: str = "healthy"
    parts: tuple[str, ...] = ()
    factor: float = 1.0

    def __post_init__(self) -> None:
        if self.kind != "healthy" and self.kind not in KINDS:
            raise OptionError(f"kind={self.kind!r} of a fault; expected one of {', '.join(KINDS)}, healthy")

    def __str__(self) -> str:
        if self.kind == "healthy":
            return "nothing wrong"
        if self.kind == "wrong decade":
            return f"{self.parts[0]} × {self.factor:g}"
        return f"{' and '.join(self.parts)} {self.kind}"


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """b boards, each with one thing wrong, as Gaussian beliefs in the p components: `(b, p)` tables.

    Args:
        faults: what is wrong with each.
        centres: component values where every part is as the hypothesis has it.
        widths: standard deviation of each about its centre, relative; 0 is exact.
        starts: ln(value / centre) from which the search starts.
        log_priors: `(b,)`, ln of the prior odds against a healthy board.
    """

    faults: tuple[Fault, ...]
    centres: Tensor
    widths: Tensor
    starts: Tensor
    log_priors: Tensor

    def take(self, rows: Tensor) -> Hypotheses:
        """Some of the boards."""
        tables = (self.centres[rows], self.widths[rows], self.starts[rows], self.log_priors[rows])
        return Hypotheses(tuple(self.faults[row] for row in rows.tolist()), *tables)


def hypotheses(board: Nominal, low: float, high: float, kinds: Sequence[str] = KINDS) -> Hypotheses:
    """Everything that may be the matter with a board, by single parts and by pairs of a kind.

    The prior odds of every part are the same, `AT_FAULT`, shared evenly among its kinds of faults; all pairs together
    have those of one part. Two parts whose values are within their tolerances of each other are no pair.

    Args:
        board: its parts on paper.
        low, high: lowest and highest frequency in hertz, at which open and shorted have to be so.
        kinds: which of `KINDS` to look for.

    Raises:
        OptionError: an unknown kind, or none.

    >>> from circuits.filters import LowPass
    >>> from circuits.lab.repair.nominal import nominal_of
    >>> made = hypotheses(nominal_of(LowPass(R=1000.0)), 10.0, 1e4, ["open", "wrong decade"])
    >>> [str(fault) for fault in made.faults][:4]
    ['nothing wrong', 'R open', 'R × 0.1', 'R × 10']
    """
    if not kinds or not set(kinds) <= set(KINDS):
        raise OptionError(f"kinds={list(kinds)!r}; expected some of {', '.join(KINDS)}")
    single = [kind for kind in KINDS[:-1] if kind in kinds]
    pairs = list(_pairs(board)) if "swapped" in kinds else []
    rows = [(Fault(), board.values, board.widths, torch.zeros_like(board.values), 1.0)]
    for part in board.suspects:
        for kind in single:
            made = list(_single(board, part, kind, low, high))
            alike = 1 if kind == "value off" else len(made)  # several starts of one hypothesis
            rows += [(*row, AT_FAULT / len(single) / alike) for row in made]
    rows += [(*_swapped(board, a, b), AT_FAULT / len(pairs)) for a, b in pairs]
    faults, centres, widths, starts, priors = zip(*rows, strict=True)
    log_priors = torch.tensor(priors, dtype=torch.float64).log()
    return Hypotheses(faults, torch.stack(centres), torch.stack(widths), torch.stack(starts), log_priors)


def limit(unit: str, kind: str, low: float, high: float) -> float:
    """The value of an open or shorted resistor, capacitor or inductor that counts as such between low and high hertz.

    >>> limit("F", "open", 10.0, 1e4), limit("Ω", "shorted", 10.0, 1e4)
    (1.5915494309189534e-17, 1e-06)
    """
    ohms = OPEN_OHMS if kind == "open" else SHORT_OHMS
    hardest = low if (unit == "F") != (kind == "open") else high
    if unit == "F":
        return 1 / (2 * math.pi * hardest * ohms)
    if unit == "H":
        return ohms / (2 * math.pi * hardest)
    return ohms


Row = tuple[Fault, Tensor, Tensor, Tensor]


def _single(board: Nominal, part: int, kind: str, low: float, high: float) -> Iterator[Row]:
    """Every board with one fault of a kind in one part."""
    still, name, unit = torch.zeros_like(board.values), board.names[part], board.units[part]
    if kind == "value off":
        for start in STARTS_OFF:
            at = _with(still, part, start)
            yield Fault(kind, (name,)), board.values, _with(board.widths, part, SPREAD_OFF), at
    elif kind == "wrong decade":
        for factor in DECADES:
            yield Fault(kind, (name,), factor), _with(board.values, part, board.values[part] * factor), *_as(board)
    elif unit in ("Ω", "F", "H"):
        value = limit(unit, kind, low, high)
        yield Fault(kind, (name,)), _with(board.values, part, value), _with(board.widths, part, 0.0), still


def _as(board: Nominal) -> tuple[Tensor, Tensor]:
    return board.widths, torch.zeros_like(board.values)


def _pairs(board: Nominal) -> Iterator[tuple[int, int]]:
    for a, b in combinations(board.suspects, 2):
        if board.units[a] == board.units[b] and bool(board.positive[a] & board.positive[b]):
            apart = abs(float(board.values[a].log() - board.values[b].log()))
            if apart > max(math.hypot(float(board.widths[a]), float(board.widths[b])), 1e-9):
                yield a, b


def _swapped(board: Nominal, a: int, b: int) -> Row:
    """The two parts in each other's place, each with the tolerance that it brings along."""
    order = torch.arange(len(board.values))
    order[a], order[b] = b, a
    fault = Fault("swapped", (board.names[a], board.names[b]))
    return fault, board.values[order], board.widths[order], torch.zeros_like(board.values)


def _with(values: Tensor, index: int, value: float | Tensor) -> Tensor:
    changed = values.clone()
    changed[index] = value
    return changed
