"""What a diagnosis found: who is suspected, of what, on which evidence, and what cannot be told apart."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from circuits.files import replace_file
from circuits.lab.repair.faults import Fault
from circuits.notation import format as engineering

SHOWN = 10
"""Suspects in the table."""


@dataclass(frozen=True)
class Finding:
    """One hypothesis and what the measurement says of it.

    Args:
        fault: what would be wrong.
        text: the same with values, such as `R1 = 300 Ω in place of 200 Ω`.
        log_evidence: ln of the Bayes factor against a healthy board.
        probability: among everything that was looked at, priors counted.
        misfit: χ² of the readings at the most probable values; of LEDs how many are wrong.
        strain: Σ (deviation / standard deviation)² of the parts there, which belongs to the χ² of the whole.
        values: the most probable value of each part.
    """

    fault: Fault
    text: str
    log_evidence: float
    probability: float
    misfit: float
    strain: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class Suspect:
    """A part, a pair that may be swapped, or, without parts, the healthy board; its findings, the best first."""

    parts: tuple[str, ...]
    findings: tuple[Finding, ...]
    probability: float
    log_evidence: float

    @property
    def name(self) -> str:
        """`R1`, `R1 ↔ R2` or `nothing wrong`."""
        return " ↔ ".join(self.parts) or "nothing wrong"

    @property
    def best(self) -> Finding:
        """Its most probable fault."""
        return self.findings[0]

    def may_hide(self, threshold: float) -> bool:
        """Whether some gross fault of it accounts for the data about as well as a healthy board."""
        gross = [one for one in self.findings if one.fault.kind != "value off"]
        return any(one.log_evidence >= -threshold for one in gross)

    def told(self, threshold: float) -> str:
        """Its best fault, and what else of the same part is as good."""
        least = self.best.probability * math.exp(-threshold)
        others = [one for one in self.findings[1:] if one.probability >= least]
        if self.best.fault.kind == "wrong decade":  # a value off by nearly ten says nothing else
            others = [one for one in others if one.fault.kind != "value off"]
        more = dict.fromkeys(_short(one.fault) for one in others)
        return f"{self.best.text} (or {', '.join(more)})" if more else self.best.text


@dataclass(frozen=True)
class Diagnosis:
    """Suspects by falling probability, and what follows.

    Args:
        suspects: every part, every pair that may be swapped, and the healthy board.
        threshold: ln of the ratio of probabilities below which two suspects cannot be told apart.
        explains: whether the best suspect accounts for the measurement at all.
        fit: how well it does, as a phrase.
        described: what was measured.
    """

    suspects: tuple[Suspect, ...]
    threshold: float
    explains: bool
    fit: str
    described: str

    @property
    def first(self) -> Suspect:
        """The most probable."""
        return self.suspects[0]

    @property
    def healthy(self) -> bool:
        """Whether nothing wrong is what explains the measurement best."""
        return not self.first.parts and self.explains

    @property
    def group(self) -> tuple[Suspect, ...]:
        """The first and all whom these data cannot tell from it; of a healthy board only itself."""
        return (self.first, *(() if not self.first.parts else self._close()))

    @property
    def certain(self) -> bool:
        """Whether the first stands alone."""
        return self.explains and len(self.group) == 1

    @property
    def unseen(self) -> tuple[Suspect, ...]:
        """Of a healthy board: who may be open, shorted, a decade off or swapped without these data showing it."""
        return tuple(one for one in self.suspects if self.healthy and one.parts and one.may_hide(self.threshold))

    def _close(self) -> tuple[Suspect, ...]:
        least = self.first.probability * math.exp(-self.threshold)
        return tuple(one for one in self.suspects[1:] if one.probability >= least)

    @property
    def verdict(self) -> str:
        """The outcome in a sentence or two."""
        if not self.explains:
            return (
                f"No single fault explains these data: {self.fit}. The nearest is: {self.first.told(self.threshold)}."
            )
        if self.healthy:
            hidden = f" A fault of {_listed(one.name for one in self.unseen)} might not show here." * bool(self.unseen)
            return f"Nothing wrong: {self.fit}.{hidden}"
        told = [one.told(self.threshold) for one in self.group]
        if len(told) == 1:
            return f"{told[0]}: {self.fit}."
        return f"Cannot tell between: {'; '.join(told)}. With the first of them {self.fit}."

    def __str__(self) -> str:
        return self.table()

    def table(self, top: int = SHOWN) -> str:
        """The verdict, and the first suspects with their evidence."""
        from tabulate import tabulate  # loaded only to print

        rows = [
            [one.name, one.best.text, f"{one.log_evidence / math.log(10):+.1f}", _percent(one.probability)]
            for one in self.suspects[:top]
        ]
        grid = tabulate(rows, ["suspect", "what would be wrong", "log10 odds", "probability"], disable_numparse=True)
        note = "log10 odds: how many times better than a healthy board it accounts for the data, as a power of ten"
        return "\n".join([self.verdict, "", grid, "", note])

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain data."""
        return {
            "verdict": self.verdict,
            "healthy": self.healthy,
            "certain": self.certain,
            "explains": self.explains,
            "measured": self.described,
            "group": [one.name for one in self.group],
            "suspects": [_plain(one) for one in self.suspects],
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to a JSON file, replacing it in one step.

        Raises:
            DataError: a place that cannot be written.
        """
        replace_file(path, json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n")


def words(fault: Fault, values: Mapping[str, float], on_paper: Mapping[str, float], units: Mapping[str, str]) -> str:
    """A fault with its values.

    >>> words(Fault("value off", ("R1",)), {"R1": 300.0}, {"R1": 200.0}, {"R1": "Ω"})
    'R1 = 300 Ω in place of 200 Ω'
    """
    if fault.kind not in ("value off", "wrong decade"):
        return str(fault)
    name = fault.parts[0]
    value = on_paper[name] * fault.factor if fault.kind == "wrong decade" else values[name]
    return f"{name} = {engineering(value, units[name], 3)} in place of {engineering(on_paper[name], units[name])}"


def _short(fault: Fault) -> str:
    """A fault of a part that has been named already."""
    return f"× {fault.factor:g}" if fault.kind == "wrong decade" else fault.kind


def _plain(one: Suspect) -> dict[str, Any]:
    findings = [
        {
            "fault": finding.fault.kind,
            "factor": finding.fault.factor,
            "text": finding.text,
            "log_evidence": _finite(finding.log_evidence),
            "probability": finding.probability,
            "misfit": _finite(finding.misfit),
            "strain": _finite(finding.strain),
            "values": dict(finding.values),
        }
        for finding in one.findings
    ]
    shown = {"parts": list(one.parts), "probability": one.probability, "log_evidence": _finite(one.log_evidence)}
    return {**shown, "findings": findings}


def _finite(value: float) -> float | None:
    """A number that JSON has."""
    return value if math.isfinite(value) else None


def _percent(probability: float) -> str:
    return "< 0.01 %" if probability < 1e-4 else f"{100 * probability:.3g} %"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
