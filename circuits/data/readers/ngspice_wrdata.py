"""ngspice `wrdata`: no header, blanks between numbers; the scale is repeated before every vector.

A complex vector takes three columns, `f re im`, a real one two, `f value`. What a real one is nobody wrote down, so it
has to be said; `ph()` is in radians unless the run had `set units=degrees`.
"""

from __future__ import annotations

import re
from dataclasses import replace

from circuits.data import text as lines_of
from circuits.data.exports import without_cut
from circuits.data.headers import Meaning
from circuits.data.interpretation import Source, interpret
from circuits.data.measurements import Measurements
from circuits.data.naming import AS_NAMED, Naming
from circuits.data.tabular import Table, fit_rows
from circuits.data.text import Line
from circuits.data.units import lookup
from circuits.errors import DataError

_NAME = "ngspice wrdata"
_CELL = re.compile(r"[+-]?[0-9][.,][0-9]+e[+-][0-9]{2,3}")
_RATIO = "as simulated: volts and amperes for what the sources of .ac give, which is the ratio for an input of 1 V"
_RADIANS = "phases are taken in radians, as ph() gives them; --unit NAME=deg says otherwise"


def recognise(text: str) -> bool:
    """Whether the first line is nothing but numbers as `wrdata` writes them, with blanks between.

    >>> recognise(" 1.00000000e+01  9.99000000e-01 -1.00000000e-02 "), recognise("100 0.5")
    (True, False)
    """
    cells = next((line.split() for line in lines_of.raw_lines(text, 100) if line.strip()), [])
    return len(cells) > 1 and all(_CELL.fullmatch(cell) for cell in cells)


def parse(text: str, quantity: str | None = None, naming: Naming = AS_NAMED) -> Measurements:
    """Read complex vectors as responses, an output each; real ones as what was asked for.

    Raises:
        DataError: columns in which no scale is repeated, or real vectors and nothing that says what they are.
    """
    rows = [Line(at, line, "") for at, line in enumerate(lines_of.raw_lines(text), 1) if line.strip()]
    width = len(rows[0].text.split())
    rows, skipped = without_cut(rows, None, width, text)
    cells, numbers = fit_rows(rows, None, [""] * width, 1)
    _check(cells, numbers)
    comma = "," in cells[0][0]
    known, note = _known([[lines_of.number(cell, comma) or 0.0 for cell in row] for row in cells], width)
    table = Table([one.name for one in known], cells, numbers, comma, "blank-separated", [], skipped)
    if all(one.role == "unknown" for one in known[1:]):
        known, said = _real(table, known, quantity, naming)
        note = f"{note}; {said}" if said else note
    else:
        known = naming.applied(table, known)
    return interpret(table, known, quantity, Source(_NAME, [note], ratio=_RATIO))


def _check(cells: list[list[str]], numbers: list[int]) -> None:
    """Every cell as `wrdata` writes it: anything else was not written by it."""
    for row, number in zip(cells, numbers, strict=True):
        odd = next((cell for cell in row if not _CELL.fullmatch(cell)), None)
        if odd is not None:
            raise DataError(f"line {number}: text {odd!r}; expected numbers as wrdata writes them, such as 1.00e+03")


def _known(rows: list[list[float]], width: int) -> tuple[list[Meaning], str]:
    """What the columns are, from where the scale is repeated."""
    hertz = lookup("Hz")
    for block in (3, 2):
        repeated = width % block == 0 and all(row[at] == row[0] for row in rows for at in range(0, width, block))
        if repeated and (block == 2 or width > 3):
            break
        if repeated:  # three columns may also be two real vectors on one scale
            break
    else:
        raise DataError(
            f"{width} columns in which no scale is repeated; write them with wr_singlescale unset, "
            "or with a header such as frequency_hz,real,imag"
        )
    known = [Meaning("frequency", "frequency", hertz, "")]
    vectors = width // block
    for i in range(1, vectors + 1):
        output = str(i) if vectors > 1 else ""
        known += [Meaning(f"scale {i}", "unknown", None, "")] if i > 1 else []
        if block == 3:
            label = f"vector {i}" if output else ""
            known += [Meaning(f"re {i}", "real", None, label), Meaning(f"im {i}", "imag", None, label)]
        else:
            known.append(Meaning(f"vector {i}", "unknown", None, f"vector {i}"))
    doubt = ", taken as one complex vector f re im and not as two real ones" if (block, width) == (3, 3) else ""
    return known, f"{vectors} {'complex' if block == 3 else 'real'} vector{'s' * (vectors > 1)}{doubt}"


def _real(table: Table, known: list[Meaning], quantity: str | None, naming: Naming) -> tuple[list[Meaning], str]:
    """Roles of real vectors: given by hand, or all of them the quantity that was asked for."""
    vectors = [one.name for one in known if one.name.startswith("vector")]
    if naming:
        known = naming.applied(table, known)
    elif quantity in ("magnitude", "decibels", "phase"):
        known = [
            replace(one, role=quantity, output=one.output if len(vectors) > 1 else "") if one.name in vectors else one
            for one in known
        ]
    else:
        raise DataError(
            f"real numbers ({', '.join(vectors)}) that may be a magnitude, decibels or a phase in radians; say which: "
            "--quantity decibels, or --column decibels='vector 1' --column phase='vector 2'"
        )
    bare = [one for one in known if one.role == "phase" and one.unit is None]
    known = [replace(one, unit=lookup("rad")) if one in bare else one for one in known]
    return known, _RADIANS if bare else ""
