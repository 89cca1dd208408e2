"""From bytes to lines, cells and numbers, whatever program wrote the file."""

from __future__ import annotations

import codecs
import csv
import re
from typing import NamedTuple

from circuits.errors import DataError

COMMENT_MARKS = ("#", "%", ";", "//", "*", "!")
MISSING = frozenset(["", "nan", "na", "n/a", "-", "--", "?", "none", "null", "missing"])
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16, so it is tried before
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_END = re.compile(r"\r\n|\r|\n")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_COMMA_NUMBER = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")


class Line(NamedTuple):
    """A line that is not blank, with its number in the file and without its comment mark."""

    number: int
    text: str
    mark: str


def decode(data: bytes) -> str:
    """Turn bytes into text: UTF-8, UTF-16 or UTF-32 by their marks, else UTF-8, else Windows Latin.

    Raises:
        DataError: the bytes are no text.

    >>> decode("Phase (°)".encode("latin-1")), decode("1,5".encode("utf-16"))
    ('Phase (°)', '1,5')
    """
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), None) or _unmarked(data)
    for name in (encoding,) if encoding != "utf-8" else ("utf-8", "cp1252", "latin-1"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise DataError("this is no text file; expected a table in UTF-8, UTF-16 or Latin-1: export it as CSV")


def raw_lines(text: str, most: int = 0) -> list[str]:
    r"""The lines of a text as they stand, blank ones too; of a long text only the first ones, where asked.

    >>> raw_lines("a\r\n\nb")
    ['a', '', 'b']
    """
    return _LINE_END.split(text, most)[: most or None]


def lines(text: str) -> list[Line]:
    r"""Split into lines at any line end, dropping blank ones and setting comment marks apart.

    >>> lines("# f, gain\r\n\r\n100,0.5")
    [Line(number=1, text=' f, gain', mark='#'), Line(number=3, text='100,0.5', mark='')]
    """
    found = []
    for number, line in enumerate(_LINE_END.split(text), start=1):
        bare = line.lstrip()
        if not bare:
            continue
        mark = next((mark for mark in COMMENT_MARKS if bare.startswith(mark)), "")
        found.append(Line(number, bare.lstrip("".join(COMMENT_MARKS)) if mark else line, mark))
    return found


def split(text: str, delimiter: str | None) -> list[str]:
    """Split a line into stripped cells; None splits at any run of blanks, quotes protect a delimiter.

    >>> split('100; "0,5" ;', ";"), split("100   0.5", None)
    (['100', '0,5', ''], ['100', '0.5'])
    """
    if delimiter is None:
        return text.split()
    if '"' not in text:
        return [cell.strip() for cell in text.split(delimiter)]
    try:
        return [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter, skipinitialspace=True))]
    except csv.Error as problem:
        raise DataError(f"a line cannot be split into cells ({problem}); expected one row on each line") from None


def number(cell: str, decimal_comma: bool = False) -> float | None:
    """Read a decimal number, or None where the cell holds anything else; no thousands separators.

    >>> number("1.5e3"), number("0,5"), number("0,5", decimal_comma=True), number("1k")
    (1500.0, None, 0.5, None)
    """
    cell = cell.replace("−", "-")
    if decimal_comma and "," in cell:
        cell = cell.replace(",", ".") if _COMMA_NUMBER.fullmatch(cell) else ""
    return float(cell) if _NUMBER.fullmatch(cell) else None


def missing(cell: str) -> bool:
    """Whether the cell says that there is no value."""
    return not cell or cell.lower() in MISSING


def has_decimal_comma(cells: list[str]) -> bool:
    """Whether the numbers among the cells are written with a comma: some are, and none has a point."""
    with_comma = any(_COMMA_NUMBER.fullmatch(cell) for cell in cells if "," in cell)
    return with_comma and not any(_NUMBER.fullmatch(cell) for cell in cells if "." in cell)


def _unmarked(data: bytes) -> str:
    """UTF-16 without a mark shows as zeros in every second byte; all else is tried as UTF-8."""
    head = data[:2000]
    if len(head) >= 4 and b"\0" in head:
        even, odd = head[0::2].count(0), head[1::2].count(0)
        if max(even, odd) > 0.4 * len(head) / 2 and min(even, odd) == 0:
            return "utf-16-be" if even > odd else "utf-16-le"
    return "utf-8"
