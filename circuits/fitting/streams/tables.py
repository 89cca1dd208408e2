"""One table of all boards in long form: a column that names the board, and those that a file of one would have."""

from __future__ import annotations

import codecs
import csv
import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from circuits.data import Measurements
from circuits.data.alike import Alike
from circuits.data.naming import Naming
from circuits.data.readers.table import parse
from circuits.errors import DataError
from circuits.fitting.streams import parquet
from circuits.fitting.streams.sources import KINDS, Reading, Source

HEAD = 2**16
"""Bytes from which encoding and separator are guessed."""
A_BOARD = 10_000
"""Bytes that a board takes in a table, roughly."""

Cells = list[str]


class Table:
    """Rows of all boards, those of one board together; read as it goes, never as a whole.

    Args:
        path: the file.
        names: its columns. board: the one that names the board.
        rows: walks the rows, each with a cell for every column.
        delimiter: what stands between cells that hold no other.

    Raises:
        DataError: no such column.
    """

    def __init__(
        self, path: Path, names: Sequence[str], board: str, rows: Callable[[], Iterator[Cells]], delimiter: str = ","
    ):
        self.path, self.names, self.board, self.rows, self.delimiter = path, names, board, rows, delimiter
        if board not in names:
            listed = ", ".join(names[:20]) or "none"
            raise DataError(
                f"{path}: no column {board!r} that names the board; its columns are {listed}: choose one with board=, "
                "or give a folder or a list with a file for each board"
            )
        self.column = names.index(board)
        self.scratch: Any = None
        self.known: list[Alike] = []

    @property
    def many(self) -> None:
        """Nobody knows before the end."""
        return None

    @property
    def size(self) -> int:
        return self.path.stat().st_size // A_BOARD

    def terms(self) -> dict[str, str]:
        size = self.path.stat().st_size
        return {"table": f"{self.path.name}, {size} bytes, {','.join(self.names)}", "board column": self.board}

    def pieces(self) -> Iterator[tuple[str, Any]]:
        """A board's name and its rows, or what is wrong with them; the column of the name is in none of them.

        Raises:
            DataError: a table with no rows.
        """
        seen: set[str] = set()
        for name, rows in groupby(self._named_rows(), key=lambda row: row[self.column].strip()):
            if name in seen:
                yield name, DataError(f"rows of board {name!r} stand apart from the others; sort the table by board")
                continue
            seen.add(name)
            yield name, [row[: self.column] + row[self.column + 1 :] for row in rows]
        if not seen:
            raise DataError(f"{self.path}: a header and no rows; expected the points of at least one board")

    def _named_rows(self) -> Iterator[Cells]:
        """Every row; one that ends before it names a board is a bad one of the board before it."""
        name = ""
        for row in self.rows():
            if len(row) <= self.column:
                row = [*row, *[""] * (self.column - len(row)), name]
            name = row[self.column]
            yield row

    def read(self, piece: Any, reading: Reading) -> Measurements:
        if isinstance(piece, DataError):
            raise piece
        lines = io.StringIO()
        header = [*self.names[: self.column], *self.names[self.column + 1 :]]
        csv.writer(lines, delimiter=self.delimiter, lineterminator="\n").writerows([header, *piece])
        return reading.kept(self._read(lines.getvalue(), reading))

    def _read(self, text: str, reading: Reading) -> Measurements:
        """What the rows of one board hold: their numbers alone where their like has been understood before."""
        path = self._written(text)
        for alike in self.known:
            data = alike.read(path)
            if data is not None:
                return data
        quantity, columns, units = reading.quantity, reading.columns or {}, reading.units or {}
        data = parse(text, quantity, Naming(columns, units))
        data = data if quantity is None else data.as_quantity(quantity)
        if len(self.known) < KINDS:
            self.known.append(Alike.of(path, quantity, columns=columns, units=units))
        return data

    def _written(self, text: str) -> str:
        """The path of a file that holds this text for a while; it stays open, which is quicker."""
        if self.scratch is None:
            self.scratch = tempfile.NamedTemporaryFile()  # noqa: SIM115 - until `close`
        self.scratch.seek(0)
        self.scratch.write(text.encode("utf-8", "replace"))
        self.scratch.truncate()
        self.scratch.flush()
        return self.scratch.name

    def close(self) -> None:
        """Take away what was written to be read."""
        if self.scratch is not None:
            self.scratch.close()
            self.scratch = None


def table_of(path: Path, board: str) -> Source:
    """The table in a file: Parquet by the ending, else text with a header.

    Raises:
        DataError: a file that cannot be read, or that has no such column. OptionError: Parquet without pyarrow.
    """
    if parquet.is_parquet(path):
        return Table(path, parquet.columns_of(path), board, lambda: parquet.rows_of(path))
    try:
        with open(path, "rb") as stream:
            head = stream.read(HEAD)
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r} ({error.strerror}); expected a table of boards") from None
    encoding = _encoding(head)
    first = next((line for line in head.decode(encoding, "replace").splitlines() if not _is_comment(line)), "")
    delimiter = max("\t;,", key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    return Table(path, names, board, lambda: _rows(path, encoding, delimiter), delimiter)


def _rows(path: Path, encoding: str, delimiter: str) -> Iterator[Cells]:
    """The rows below the header."""
    with open(path, encoding=encoding, errors="replace", newline="") as stream:
        reader = csv.reader((line for line in stream if not _is_comment(line)), delimiter=delimiter)
        try:
            next(reader)
            yield from reader
        except csv.Error as error:
            raise DataError(f"{path}, row {reader.line_num}: no table from here on ({error})") from None


def _encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the head may end within a letter
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _is_comment(line: str) -> bool:
    """A line that is no row: blank, or a remark."""
    return line.startswith("#") or line.isspace() or not line
