"""From text to a table: which line is the header, what separates the cells, which lines are rows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from circuits.data import labels, text
from circuits.data.headers import understand
from circuits.data.text import Line
from circuits.errors import DataError

DELIMITERS = (";", "\t", ",", None)
_SAMPLE = 200  # lines that decide on the delimiter
_PREAMBLE = 1000  # lines among which the header is sought
LAYOUTS = {";": "semicolon", "\t": "tab", ",": "comma", None: "blank"}
ADVICE = "name it frequency_hz, freq_khz or f"


@dataclass(frozen=True)
class Table:
    """A header and rows of cells, each row with its line number in the file."""

    names: list[str]
    rows: list[list[str]]
    numbers: list[int]
    decimal_comma: bool
    layout: str
    comments: list[str]
    skipped: list[str] = field(default_factory=list)

    def column(self, index: int) -> list[str]:
        """The cells of one column."""
        return [row[index] for row in self.rows]


def tabulate(content: str, frequency: str | None = None) -> Table:
    r"""Find header and rows in the text of a file.

    A header is a line that names a frequency, or that has the name given for it.

    Raises:
        DataError: nothing in the file, no header with a frequency, no rows, or a row of another length.

    >>> table = tabulate("# f / kHz; gain\n1; 0,7\n")
    >>> table.names, table.rows, table.decimal_comma
    (['f / kHz', 'gain'], [['1', '0,7']], True)
    """
    found = text.lines(content)
    if not found:
        raise DataError("the file is empty; expected a header such as frequency_hz,magnitude and rows of numbers")
    delimiter = delimiter_of([line.text for line in found if not line.mark])
    if delimiter == ";":  # then a leading ";" is an empty first cell, not a comment
        found = [Line(line.number, ";" + line.text, "") if line.mark == ";" else line for line in found]
    header, names = _header(found, delimiter, frequency)
    body = [line for line in found[header + 1 :] if not line.mark]
    rows, numbers = fit_rows(body, delimiter, names, found[header].number)
    decimal_comma = "," in content and text.has_decimal_comma([cell for row in rows for cell in row])
    layout = f"{LAYOUTS[delimiter]}-separated" + (", decimal comma" if decimal_comma else "")
    notes = [line.text.strip() for at, line in enumerate(found) if at != header and (line.mark or at < header)]
    return Table(names, rows, numbers, decimal_comma, layout, notes)


def delimiter_of(sample: list[str]) -> str | None:
    """The delimiter under which most lines are rows of numbers and labels; else what splits most lines.

    >>> delimiter_of(["1,5;2", "2,5;3"])
    ';'
    """
    sample = sample[:_SAMPLE]

    def rows(delimiter: str | None) -> int:
        return sum(is_row(text.split(line, delimiter)) for line in sample)

    def splits(delimiter: str | None) -> int:
        return sum(len(text.split(line, delimiter)) > 1 for line in sample)

    best = max(DELIMITERS, key=rows)
    return best if rows(best) else max(DELIMITERS, key=splits)


def _is_number(cell: str) -> bool:
    return text.number(cell) is not None or text.number(cell, decimal_comma=True) is not None


def is_row(cells: list[str]) -> bool:
    """Two cells or more, a number among them, and nothing but numbers, labels and blanks.

    >>> is_row(["100", "on", ""]), is_row(["100", "Ana"])
    (True, False)
    """
    known = all(_is_number(cell) or labels.state(cell) is not None for cell in cells)
    return len(cells) > 1 and known and any(_is_number(cell) for cell in cells)


def _header(found: list[Line], delimiter: str | None, frequency: str | None = None) -> tuple[int, list[str]]:
    """Index and names of the header: a plain line that names a frequency, else the last comment that does."""
    first = next(
        (i for i, line in enumerate(found) if not line.mark and is_row(text.split(line.text, delimiter))),
        None,
    )
    width = len(text.split(found[first].text, delimiter)) if first is not None else None
    above = range(min(len(found) if first is None else first, _PREAMBLE))
    plain = [at for at in above if not found[at].mark]
    remarks = [at for at in reversed(above) if found[at].mark]
    for at in plain + remarks:
        names = _names(found[at].text, delimiter, width, frequency)
        if names is not None:
            return at, names
    raise _no_header(found, plain, remarks, first, delimiter)


def _names(line: str, delimiter: str | None, width: int | None, frequency: str | None = None) -> list[str] | None:
    """The names on a line if it is a header: one is a frequency, and each has a cell if possible.

    A comment may separate its names in another way than the rows separate their cells.
    """
    names = split_names(line, delimiter)
    if len(names) != width:
        others = (split_names(line, other) for other in DELIMITERS)
        names = next((other for other in others if len(other) == width), names)
    given = frequency is not None and frequency.lower() in [name.lower() for name in names]
    return names if given or _names_frequency(names) else None


def split_names(line: str, delimiter: str | None) -> list[str]:
    """Split a header; where blanks separate, a unit in brackets or after a slash stays with its name.

    >>> split_names("f (Hz) gain", None)
    ['f (Hz)', 'gain']
    """
    if delimiter is not None:
        return text.split(line, delimiter)
    wide = [cell for cell in re.split(r"\t|\s{2,}", line.strip()) if cell]
    if len(wide) > 1:
        return wide
    return re.findall(r"[^\s/(\[]*(?:\s*/\s*[^\s]+|\s*[(\[][^)\]]*[)\]])|\S+", line.strip())


def _names_frequency(names: list[str]) -> bool:
    """Whether a line of cells is a header and not a setting such as `Frequency,1000`."""
    if len(names) < 2:
        return False
    meanings = [understand(name) for name in names]
    axis = [meaning for meaning in meanings if meaning.role in ("frequency", "omega") and not meaning.is_sigma]
    numeric = sum(_is_number(name) for name in names)
    return bool(axis) and (numeric == 0 or (any(one.certain for one in axis) and len(names) > 2))


def _no_header(
    found: list[Line], plain: list[int], remarks: list[int], first: int | None, delimiter: str | None
) -> DataError:
    """What is wrong with a file without a header that names a frequency."""
    likely = [at for at in (plain[-1:] or remarks[:1]) if len(text.split(found[at].text, delimiter)) > 1]
    where = f"line {found[likely[0]].number}: " if likely else ""
    if likely:
        names = ", ".join(repr(name) for name in text.split(found[likely[0]].text, delimiter))
        return DataError(f"{where}no frequency column among {names}; {ADVICE}")
    if first is not None:
        return DataError(
            f"line {found[first].number}: no frequency column, since no header stands above the numbers; "
            "write one, such as frequency_hz,magnitude"
        )
    return DataError("no table in this file; expected a header such as frequency_hz,magnitude and rows of numbers")


def fit_rows(
    body: list[Line], delimiter: str | None, names: list[str], header: int
) -> tuple[list[list[str]], list[int]]:
    """Rows as long as the header, blank ones dropped, with their line numbers.

    Raises:
        DataError: no rows, or one of another length.
    """
    rows, numbers, width = [], [], len(names)
    for line in body:
        cells = text.split(line.text, delimiter)
        if not any(cells):
            continue
        if len(cells) != width:
            cells = _fitted(cells, width, line.number, delimiter)
        rows.append(cells)
        numbers.append(line.number)
    if not rows:
        raise DataError(f"line {header}: a header and no rows below it; expected at least one row of numbers")
    return rows, numbers


def _fitted(cells: list[str], width: int, number: int, delimiter: str | None) -> list[str]:
    """Cut blank cells beyond the header; any other difference in length is an error."""
    if len(cells) > width and not any(cells[width:]):
        return cells[:width]
    hint = " (a decimal comma needs ';' or tab between the cells)" if delimiter == "," and len(cells) > width else ""
    raise DataError(
        f"line {number}: {len(cells)} cells, the header has {width}; expected a cell for each name{hint}, "
        "empty where a value is missing"
    )
