"""What a program exported: a preamble that is not to be counted, a header known by its looks, rows."""

from __future__ import annotations

import re
from dataclasses import replace

from circuits.data import text
from circuits.data.tabular import DELIMITERS, LAYOUTS, Table, delimiter_of, fit_rows, split_names
from circuits.data.text import Line
from circuits.errors import DataError

_PREAMBLE = 1000  # lines among which the header is sought
_MARKS = "".join(text.COMMENT_MARKS)
_HEADER_LENGTH = 1000  # no header is longer; the patterns take their time over a line of prose
_COUNT = re.compile(r"(?:number of points|points|data points)\s*[:,;=\t]\s*(?P<count>[0-9]{1,9})\s*$", re.IGNORECASE)


def header_line(content: str, header: re.Pattern[str]) -> int | None:
    r"""The number of the first line that begins as the header does, from 1; None where there is none.

    >>> header_line("Bode Data\nFrequency(Hz),Gain(dB)", re.compile(r"Frequency"))
    2
    """
    head = text.raw_lines(content, _PREAMBLE)
    return next((at for at, line in enumerate(head, 1) if header.match(line[:_HEADER_LENGTH].strip())), None)


def tabulate_below(content: str, header: re.Pattern[str]) -> Table:
    r"""The table below the first line that matches; what stands above goes to its comments.

    A last line that was cut, in a file that was not written to its end, is left out and said to be.

    Raises:
        DataError: no such line, no rows below it, or a row of another length.

    >>> table = tabulate_below("Bode Data\nN,2\n# Freq (Hz), Gain (dB)\n1,-3.0\n2,-6", re.compile(r"# Freq"))
    >>> table.names, table.rows, table.skipped
    (['Freq (Hz)', 'Gain (dB)'], [['1', '-3.0']], ['the last line, 5, which was cut'])
    """
    at = header_line(content, header)
    if at is None:
        raise DataError(f"no header like {header.pattern}")
    every = text.raw_lines(content)
    body = [Line(number, line, "") for number, line in enumerate(every[at:], at + 1) if line.strip()]
    remarks = [line for line in body if line.text.lstrip()[0] in "#%!*" or line.text.lstrip().startswith("//")]
    rows = [line for line in body if line not in remarks] if remarks else body
    delimiter = delimiter_of([line.text for line in rows])
    names = _names(every[at - 1], delimiter, rows)
    rows, skipped = without_cut(rows, delimiter, len(names), content)
    cells, numbers = fit_rows(rows, delimiter, names, at)
    if remarks:
        skipped.append(f"{len(remarks)} comment line{'s' * (len(remarks) > 1)} below the header")
    comments = [line.strip().lstrip(_MARKS).strip() for line in every[: at - 1] if line.strip()]
    skipped += _missing_points(comments, len(cells))
    decimal_comma = "," in content and text.has_decimal_comma([cell for row in cells for cell in row])
    layout = f"{LAYOUTS[delimiter]}-separated" + (", decimal comma" if decimal_comma else "")
    return Table(names, cells, numbers, decimal_comma, layout, comments, skipped)


def with_column(table: Table, name: str, cells: list[str], instead: str | None = None) -> Table:
    """The same table with one column more, or with one in the place of another; its numbers have points.

    >>> with_column(Table(["a"], [["1"]], [1], False, "", []), "b", ["2"]).rows
    [['1', '2']]
    """
    if instead is None:
        rows = [[*row, cell] for row, cell in zip(table.rows, cells, strict=True)]
        return replace(table, names=[*table.names, name], rows=rows)
    at = table.names.index(instead)
    rows = [[*row[:at], cell, *row[at + 1 :]] for row, cell in zip(table.rows, cells, strict=True)]
    return replace(table, names=[*table.names[:at], name, *table.names[at + 1 :]], rows=rows)


def as_cells(table: Table, numbers: list[float]) -> list[str]:
    """Numbers as cells of this table, exactly; a NaN is an empty one.

    >>> as_cells(Table([], [], [], True, "", []), [0.5])
    ['0,5']
    """
    cells = ["" if number != number else repr(float(number)) for number in numbers]
    return [cell.replace(".", ",") for cell in cells] if table.decimal_comma else cells


def _names(line: str, delimiter: str | None, rows: list[Line]) -> list[str]:
    """The names in a header, which may begin with a comment mark and separate in another way than its rows."""
    widths = [len(text.split(row.text, delimiter)) for row in rows[:3]]
    bare = line.strip()
    stripped = bare.lstrip(_MARKS).strip()
    for candidate in (bare, stripped):
        for other in (delimiter, *DELIMITERS):
            names = split_names(candidate, other)
            if len(names) in widths and len(names) > 1:
                return [names[0].lstrip(_MARKS).strip() or names[0], *(name.strip() for name in names[1:])]
    return text.split(stripped, delimiter if delimiter is not None else ",")


def without_cut(rows: list[Line], delimiter: str | None, width: int, content: str) -> tuple[list[Line], list[str]]:
    """The rows without a last one that ends in the middle: the file has no end of line and the number is short."""
    if content.endswith(("\n", "\r")) or not rows or not content.strip().endswith(rows[-1].text.strip()):
        return rows, []
    last = text.split(rows[-1].text, delimiter)
    tails = {_shape(text.split(row.text, delimiter)[-1]) for row in rows[:-1]}
    if len(last) == width and tails == {_shape(last[-1])}:  # of a row that stands alone nothing is known
        return rows, []
    return rows[:-1], [f"the last line, {rows[-1].number}, which was cut"]


def _shape(cell: str) -> tuple[int, int]:
    """Digits behind the decimal mark, and characters of the exponent or the unit behind them."""
    digits = re.match(r"[^.,]*(?:[.,]([0-9]*))?(.*)", cell)
    return (len(digits[1] or ""), len(digits[2])) if digits else (0, 0)


def _missing_points(comments: list[str], points: int) -> list[str]:
    """A preamble that promises another number of points."""
    found = next(filter(None, map(_COUNT.search, comments)), None)
    if found is None or int(found["count"]) == points:
        return []
    return [f"the file promises {found['count']} points and has {points}"]
