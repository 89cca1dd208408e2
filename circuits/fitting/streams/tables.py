"""One table of all boards in long form: a column that names the board, and those that a file of one would have."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from circuits.data import Measurements
from circuits.data.naming import Naming
from circuits.data.readers.table import parse
from circuits.errors import DataError
from circuits.fitting.streams.sources import Reading, Source

HEAD = 2**16
"""Bytes from which encoding and separator are guessed."""
A_BOARD = 10_000
"""Bytes that a board takes in a table, roughly."""


class Table:
    """Rows of all boards, those of one board together; read as it goes, never as a whole.

    Args:
        path: the file. board: the column that names the board.

    Raises:
        DataError: no such column, or nothing in the file.
    """

    def __init__(self, path: Path, board: str):
        self.path, self.board = path, board
        try:
            with open(path, "rb") as stream:
                self.head = stream.read(HEAD)
        except OSError as error:
            raise DataError(f"cannot read {str(path)!r} ({error.strerror}); expected a table of boards") from None
        self.encoding = _encoding(self.head)
        first = _first_line(self.head.decode(self.encoding, "replace"))
        self.delimiter = max("\t;,", key=first.count) if first else ","
        self.names = [name.strip() for name in next(csv.reader([first], delimiter=self.delimiter), [])]
        if board not in self.names:
            listed = ", ".join(self.names[:20]) or "none"
            raise DataError(
                f"{path}: no column {board!r} that names the board; its columns are {listed}: choose one with board=, "
                "or give a folder or a list with a file for each board"
            )
        self.column = self.names.index(board)

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
        for name, rows in groupby(self._rows(), key=lambda row: row[self.column].strip()):
            if name in seen:
                yield name, DataError(f"rows of board {name!r} stand apart from the others; sort the table by board")
                continue
            seen.add(name)
            yield name, [row[: self.column] + row[self.column + 1 :] for row in rows]
        if not seen:
            raise DataError(f"{self.path}: a header and no rows; expected the points of at least one board")

    def _rows(self) -> Iterator[list[str]]:
        """The rows below the header; one that ends before it names a board is a bad one of the board before it."""
        name = ""
        with open(self.path, encoding=self.encoding, errors="replace", newline="") as stream:
            reader = csv.reader((line for line in stream if not _is_comment(line)), delimiter=self.delimiter)
            try:
                next(reader)
                for row in reader:
                    if len(row) <= self.column:
                        row = [*row, *[""] * (self.column - len(row)), name]
                    name = row[self.column]
                    yield row
            except csv.Error as error:
                raise DataError(f"{self.path}, row {reader.line_num}: no table from here on ({error})") from None

    def read(self, piece: Any, reading: Reading) -> Measurements:
        if isinstance(piece, DataError):
            raise piece
        lines = io.StringIO()
        header = self.names[: self.column] + self.names[self.column + 1 :]
        csv.writer(lines, delimiter=self.delimiter, lineterminator="\n").writerows([header, *piece])
        naming = Naming(reading.columns or {}, reading.units or {})
        data = parse(lines.getvalue(), reading.quantity, naming)
        return reading.kept(data if reading.quantity is None else data.as_quantity(reading.quantity))


def table_of(path: Path, board: str) -> Source:
    """The table in a file, of whatever kind its name says."""
    return Table(path, board)


def _encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the head may end within a letter
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if not _is_comment(line)), "")


def _is_comment(line: str) -> bool:
    """A line that is no row: blank, or a remark."""
    return not line.strip() or line.startswith("#")
