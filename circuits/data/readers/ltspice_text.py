"""LTspice, a plot exported as text: `(dB,degrees)` or `real,imaginary` in each cell, one block for each step."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from circuits.data import text as lines_of
from circuits.data.headers import Meaning
from circuits.data.interpretation import TAKEN, Source, interpret
from circuits.data.measurements import Measurements
from circuits.data.naming import AS_NAMED, Naming
from circuits.data.tabular import Table
from circuits.data.units import lookup
from circuits.errors import DataError

_NAME = "LTspice AC text"
_HEADER = re.compile(r"Freq\.\t.*", re.IGNORECASE)
_STEP = re.compile(r"Step Information:\s*(?P<step>.*?)\s*(?:\((?:Step|Run):\s*(?P<at>\d+)/(?P<of>\d+)\))?\s*$")
_NUMBER = r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?"
_POLAR = re.compile(rf"\(({_NUMBER})(dB)?,({_NUMBER})[^\s0-9,.)]{{1,3}}\)")
_CARTESIAN = re.compile(rf"({_NUMBER}),({_NUMBER})")
_SIMULATED = "as simulated: volts and amperes for what the sources of .ac give, which is the ratio for an input of 1 V"


@dataclass
class _Step:
    """The rows of one step: its name, line numbers, frequencies, and two cells for each trace."""

    name: str
    numbers: list[int] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def recognise(text: str) -> bool:
    r"""Whether the first line is `Freq.`, a tab and traces.

    >>> recognise("Freq.\tV(out)\n"), recognise("Freq.,gain")
    (True, False)
    """
    return any(_HEADER.match(line.strip()) for line in lines_of.raw_lines(text, 100))


def parse(text: str, quantity: str | None = None, naming: Naming = AS_NAMED) -> Measurements:
    """Read every trace of every step; several steps become outputs that have the step in their names.

    Raises:
        DataError: a cell that is no complex number, or steps at different frequencies.
    """
    lines = lines_of.raw_lines(text)
    at = next(i for i, line in enumerate(lines) if _HEADER.match(line.strip()))
    traces = [name.strip() for name in lines[at].strip().split("\t")[1:]]
    steps, kinds, cut = _steps(lines, at, traces, text.endswith(("\n", "\r")))
    table, known = _joined(steps, traces, kinds)
    table.comments.extend(line.strip() for line in lines[:at] if line.strip())
    notes = _about(steps, lines)
    ratio = TAKEN if all("/" in trace for trace in traces) else _SIMULATED
    return interpret(table, naming.applied(table, known), quantity, Source(_NAME, notes, cut, ratio))


def _steps(
    lines: list[str], header: int, traces: list[str], ended: bool
) -> tuple[list[_Step], tuple[str, str], list[str]]:
    """The blocks of rows below the header, what their two numbers are, and what was left out."""
    steps, kinds, cut = [], set(), []
    for number, line in enumerate(lines[header + 1 :], header + 2):
        found = _STEP.match(line.strip())
        if found:
            steps.append(_Step(found["step"] or f"step {len(steps) + 1}"))
        elif line.strip():
            if not steps:
                steps.append(_Step(""))
            try:
                row, kind = _row(line, number, len(traces))
            except DataError:
                if ended or number < len(lines):
                    raise
                cut.append(f"the last line, {number}, which was cut")
                continue
            kinds.add(kind)
            steps[-1].numbers.append(number)
            steps[-1].rows.append(row)
    if len(kinds) > 1 or ("mixed", "phase") in kinds:
        raise DataError("some cells are (dB,degrees) and others real,imaginary; export the plot in one form")
    steps = [step for step in steps if step.rows]
    if not steps:
        raise DataError("a header of LTspice and no rows below it; expected at least one")
    if not ended and not cut and _is_cartesian(kinds):  # a number in brackets cannot lose its end unnoticed
        cut.append(f"the last line, {steps[-1].numbers.pop()}, which may be cut")
        steps[-1].rows.pop()
    steps = [step for step in steps if step.rows]
    if not steps:
        raise DataError("a header of LTspice and one row below it, which may be cut; expected more")
    return steps, next(iter(kinds)), cut


def _is_cartesian(kinds: set[tuple[str, str]]) -> bool:
    return kinds == {("real", "imag")}


def _row(line: str, number: int, traces: int) -> tuple[list[str], tuple[str, str]]:
    """Frequency, then two numbers for each trace; and what these two are."""
    cells = [cell.strip() for cell in line.strip().split("\t")]
    polar = [_POLAR.fullmatch(cell) for cell in cells[1:]]
    plain = [_CARTESIAN.fullmatch(cell) for cell in cells[1:]]
    for found, kind in ((polar, ("", "phase")), (plain, ("real", "imag"))):
        if len(found) == traces and all(found):
            pairs = [(match[1], match[match.re.groups]) for match in found if match]
            if kind[0] == "":
                levels = {"decibels" if match[2] else "magnitude" for match in found if match}
                kind = (levels.pop() if len(levels) == 1 else "mixed", "phase")
            return [cells[0], *(part for pair in pairs for part in pair)], kind
    raise DataError(
        f"line {number}: {line.strip()[:60]!r}; expected a frequency and {traces} of (dB,degrees) or real,imaginary, "
        "with tabs between and a decimal point"
    )


def _joined(steps: list[_Step], traces: list[str], kinds: tuple[str, str]) -> tuple[Table, list[Meaning]]:
    """One table of all steps, a step's traces beside those of another."""
    first = steps[0]
    for step in steps[1:]:
        if [row[0] for row in step.rows] != [row[0] for row in first.rows]:
            raise DataError(
                f"line {step.numbers[0]}: step {step.name!r} has other frequencies than {first.name!r}; "
                "export each step to a file of its own"
            )
    if len({step.name for step in steps}) < len(steps):
        raise DataError("two steps of one name; export each step to a file of its own")
    names, known = ["Freq."], [Meaning("Freq.", "frequency", lookup("Hz"), "")]
    for step in steps:
        for trace in traces:
            parts = [trace if len(traces) > 1 else "", step.name if len(steps) > 1 else ""]
            output = " ".join(filter(None, parts))
            for role in kinds:
                names.append(f"{trace} {role}" + (f" {step.name}" if len(steps) > 1 else ""))
                known.append(Meaning(names[-1], role, _UNITS.get(role), output))
    rows = [
        [row[0][0], *(cell for part in row for cell in part[1:])] for row in zip(*(s.rows for s in steps), strict=True)
    ]
    return Table(names, rows, first.numbers, False, "tab-separated", []), known


_UNITS = {"decibels": lookup("dB"), "phase": lookup("deg")}


def _about(steps: list[_Step], lines: list[str]) -> list[str]:
    """What is to be said of the steps."""
    names = [step.name for step in steps]
    if len(names) > 1:
        return [f"{len(names)} steps, an output each: {', '.join(names)}"]
    if not names[0]:
        return []
    found = next(match for match in map(_STEP.match, map(str.strip, lines)) if match)
    alone = f"step {found['at']} of {found['of']}, the only one in the file" if found["at"] else "the only step"
    return [f"{names[0]}: {alone}"]
