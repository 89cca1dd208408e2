"""The ratios as a picture: how many times over what was asked, on a logarithmic axis."""

from __future__ import annotations

import textwrap
from pathlib import Path

from reporting import RATIO, Figure, short

from suite.results import Record
from suite.table import BENCHMARKS

MET, MISSED = "#1b7f5a", "#c0392b"
WIDE = 74
"""Characters of a label's line."""


def plot(path: Path, records: dict[str, Record]) -> None:
    """Draw the ratios that something was asked of; nothing is drawn where there are none."""
    rows = [
        (name, one)
        for name in (one.name for one in BENCHMARKS if one.name in records)
        for one in records[name].figures
        if one.unit == RATIO and one.wanted and one.measured > 0
    ]
    if not rows:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Sheet

    sheet = Sheet(figsize=(13, 1.6 + 0.36 * len(rows)), layout="constrained")
    FigureCanvasAgg(sheet)
    axes = sheet.add_subplot()
    for row, (name, one) in enumerate(reversed(rows)):
        _bar(axes, row, name, one)
    axes.set_yticks(range(len(rows)), [_label(name, one) for name, one in reversed(rows)], fontsize=9)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0.5), max(high, 2.0) * 6)  # room for what is written at the ends
    axes.axvline(1.0, color="black", linewidth=1)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("how many times better than wanted (1: just met)")
    axes.set_title("Measured ratios over those that were asked for", loc="left")
    sheet.savefig(path, dpi=110)


def _bar(axes, row: int, name: str, one: Figure) -> None:
    wanted = one.wanted or 1.0
    color = MET if one.met else MISSED

    def share(measured: float) -> float:
        return wanted / max(measured, 1e-12) if one.kind == "at most" else max(measured, 1e-12) / wanted

    axes.plot([1.0, share(one.measured)], [row, row], color=color, linewidth=2, alpha=0.5)
    axes.plot(share(one.measured), row, "o", color=color)
    ends = [share(one.measured)]
    if one.low is not None and one.high is not None:
        ends += [share(one.low), share(one.high)]
        axes.plot(ends[1:], [row, row], color=color, linewidth=5, alpha=0.35, solid_capstyle="butt")
    sign = "≤" if one.kind == "at most" else "≥"
    text = f"  {short(one.measured)} ({sign} {short(wanted)})"
    axes.text(max(*ends, 1.0), row, text, va="center", ha="left", fontsize=9, color=color)


def _label(name: str, one: Figure) -> str:
    return "\n".join(textwrap.wrap(f"{name}: {one.name}", WIDE))
