"""The results as a page of Markdown, ratios first."""

from __future__ import annotations

from reporting import RATIO, Figure, short, with_unit

from suite.results import Record
from suite.table import BENCHMARKS


def page(machine: dict[str, str], records: dict[str, Record]) -> str:
    """The whole page."""
    ordered = [records[one.name] for one in BENCHMARKS if one.name in records]
    says = {one.name: one.says for one in BENCHMARKS}
    parts = [
        "# What was measured",
        "Written by `python benchmarks/run.py`, and not by hand. Every ratio is taken within one run: contestants take "
        "turns on the same machine, and what is given is the median of the rounds with their spread. One thread, "
        "but where a figure names two.",
        "![Every ratio over what it has to be, on a logarithmic axis](results.png)",
        "## The machine",
        _machine(machine),
        "## Ratios",
        _table([(record, one) for record in ordered for one in record.figures if _leads(one)]),
        "## Each benchmark",
    ]
    for record in ordered:
        parts += [f"### `{record.name}`: {says[record.name]}", _dated(record)]
        rest = [(record, one) for one in record.figures if not _leads(one)]
        parts += [_table(rest, named=False)] if rest else []
        parts += ["Left out: " + "; ".join(record.absent) + "."] if record.absent else []
    return "\n\n".join(parts) + "\n"


def _leads(figure: Figure) -> bool:
    """Whether a figure is one of the ratios that the project set itself."""
    return figure.unit == RATIO and figure.wanted is not None


def _machine(machine: dict[str, str]) -> str:
    rows = [f"| {what} | {value} |" for what, value in machine.items()]
    return "\n".join(["| | |", "|---|---|", *rows])


def _dated(record: Record) -> str:
    ended = "" if record.ended == "well" else f" **It ended badly: {record.ended}.**"
    smoke = " Smoke sizes: these figures say nothing." if record.quick else ""
    return f"{record.date}, commit {record.commit}, {record.seconds:.0f} s.{smoke}{ended}"


def _table(rows: list[tuple[Record, Figure]], named: bool = True) -> str:
    if not rows:
        return "None."
    first = ("| benchmark " if named else "") + "| figure | measured | spread | wanted | |"
    lines = [first, "|---" * (first.count("|") - 1) + "|"]
    for record, one in rows:
        cells = [f"`{record.name}`"] if named else []
        cells += [one.name.replace("|", "\\|"), *_cells(one)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cells(one: Figure) -> list[str]:
    note = f" ({one.note})".replace("|", "\\|") if one.note else ""
    spread = "" if one.low is None else f"{short(one.low)} to {short(one.high)}"
    if one.kind == "holds":
        return [f"{'yes' if one.met else 'no'}{note}", "", "yes", _judged(one)]
    wanted = "" if one.wanted is None else f"{one.kind} {with_unit(one.wanted, one.unit)}"
    return [f"**{with_unit(one.measured, one.unit)}**{note}", spread, wanted, _judged(one)]


def _judged(one: Figure) -> str:
    return {None: "", True: "met", False: "NOT MET"}[one.met]
