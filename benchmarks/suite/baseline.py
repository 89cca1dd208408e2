"""A stored baseline of figures, and what has fallen since.

Only ratios of two contestants of one run are compared by size (the unit "times"); of the others, which change from
machine to machine, it counts only whether what was met is met no more.
"""

from __future__ import annotations

import json
from pathlib import Path

from reporting import RATIO, Figure, short

from suite.results import Record, write_json

SHARE = 0.25
"""A ratio may be worse by this share before it counts: what the rounds of a quiet machine of two cores vary by."""


def save_baseline(path: Path, machine: dict[str, str], records: dict[str, Record]) -> None:
    """Keep the figures of these records, and those of other benchmarks that were kept before."""
    kept = read_baseline(path)
    for name, record in records.items():
        kept[name] = {
            one.name: {"measured": one.measured, "kind": one.kind, "unit": one.unit, "met": one.met}
            for one in record.figures
            if one.unit == RATIO or one.wanted is not None
        }
    write_json(path, {"machine": machine, "benchmarks": kept})


def read_baseline(path: Path) -> dict[str, dict[str, dict]]:
    """The figures that are kept, by benchmark and name."""
    return json.loads(path.read_text("utf-8"))["benchmarks"] if path.exists() else {}


def fallen(kept: dict[str, dict[str, dict]], records: dict[str, Record], share: float = SHARE) -> list[str]:
    """What is worse than it was, a sentence each."""
    found = []
    for name, record in records.items():
        now = {one.name: one for one in record.figures}
        for figure, before in kept.get(name, {}).items():
            worse = figure in now and _worse(before, now[figure], share)
            if worse:
                found.append(f"{name}: {figure}: {worse}")
        if record.ended != "well" and name in kept:
            found.append(f"{name}: {record.ended}")
    return found


def silent(kept: dict[str, dict[str, dict]], records: dict[str, Record]) -> list[str]:
    """Figures of the baseline that their benchmark did not give this time: a peer may be missing."""
    return [
        f"{name}: {figure}"
        for name, record in records.items()
        for figure in kept.get(name, {})
        if figure not in {one.name for one in record.figures}
    ]


def _worse(before: dict, now: Figure, share: float) -> str:
    was = before["measured"]
    if now.unit == RATIO and now.kind in ("at least", "at most"):
        change = was / now.measured if now.kind == "at least" else now.measured / was
        limit = 1 / (1 - share)
        if change > limit:
            verb = "fell" if now.kind == "at least" else "rose"
            by = abs(1 - now.measured / was)
            return f"{verb} from {short(was)} to {short(now.measured)} times, by {by:.0%}"
    return f"was met, and is not: {now}" if before["met"] and not now.met else ""
