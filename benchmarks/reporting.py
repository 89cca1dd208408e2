"""How a benchmark says what it measured: a line that begins with `→`, and the same as JSON where the suite asks.

    at_least("SciPy's time over ours", times.ratios("SciPy", "ohmgrad"), 5.0)
    at_most("largest relative error", 3e-12, 1e-9, unit="")
    holds("the verdicts of the loop on the same boards", same, "98,123 pass")
    shown("boards a second", 1.2e6, unit="/s")
    absent("JAX", "give --jax-python, an interpreter that has it")

A figure is a number or a list of them, one a round: the median counts and the spread is shown. Names say what is
measured and never what came out, for a baseline finds its figures by them. `OHMGRAD_FIGURES` names the file that the
suite reads, a line of JSON for each.
"""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

FILE = "OHMGRAD_FIGURES"
RATIO = "times"
"""The unit of what may be compared between runs: a ratio of two contestants of one run."""


@dataclass(frozen=True)
class Figure:
    """What was measured, and what it has to be; `low` and `high` are the ends of the rounds."""

    name: str
    measured: float
    wanted: float | None = None
    unit: str = RATIO
    kind: str = "shown"
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether it is what it has to be; None where nothing is asked."""
        if self.wanted is None:
            return None
        return self.measured <= self.wanted if self.kind == "at most" else self.measured >= self.wanted

    def __str__(self) -> str:
        if self.kind == "holds":
            return f"→ {self.name}{self._noted()} — {'met' if self.met else 'NOT MET'}"
        spread = "" if self.low in (None, self.high) else f" ({short(self.low)} to {short(self.high)})"
        line = f"→ {self.name}: {with_unit(self.measured, self.unit)}{spread}{self._noted()}"
        if self.wanted is None:
            return line
        wanted = with_unit(self.wanted, self.unit)
        return f"{line}, wanted {self.kind} {wanted} — {'met' if self.met else 'NOT MET'}"

    def _noted(self) -> str:
        return f" ({self.note})" if self.note else ""


def short(number: float | None) -> str:
    """Three digits, thousands apart."""
    if number is None or not math.isfinite(number):
        return str(number)
    if abs(number) >= 100 or number == round(number) and abs(number) < 100:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def with_unit(number: float, unit: str) -> str:
    """A number with its unit, if it has one."""
    return f"{short(number)} {unit}".rstrip()


def at_least(name: str, measured: float | Sequence[float], wanted: float, unit: str = RATIO, note: str = "") -> Figure:
    """A figure that is good when it is large."""
    return report(name, measured, wanted, unit, "at least", note)


def at_most(name: str, measured: float | Sequence[float], wanted: float, unit: str = RATIO, note: str = "") -> Figure:
    """A figure that is good when it is small."""
    return report(name, measured, wanted, unit, "at most", note)


def holds(name: str, good: bool, note: str = "") -> Figure:
    """Something that is so or is not."""
    return report(name, float(good), 1.0, "", "holds", note)


def shown(name: str, measured: float | Sequence[float], unit: str = RATIO, note: str = "") -> Figure:
    """A figure of which nothing is asked."""
    return report(name, measured, None, unit, "shown", note)


def report(
    name: str, measured: float | Sequence[float], wanted: float | None, unit: str, kind: str, note: str
) -> Figure:
    """Print a figure, and write it where the suite asks."""
    rounds = [float(measured)] if isinstance(measured, (int, float)) else [float(one) for one in measured]
    ends = (min(rounds), max(rounds)) if len(rounds) > 1 else (None, None)
    figure = Figure(name, statistics.median(rounds), wanted, unit, kind, *ends, note)
    print(figure, flush=True)
    _write({"figure": asdict(figure)})
    return figure


def absent(what: str, how: str) -> None:
    """Say that a peer or a device is not there, and how to have it; never an error."""
    print(f"left out: {what} ({how})", flush=True)
    _write({"absent": what, "how": how})


def _write(line: dict) -> None:
    path = os.environ.get(FILE)
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
