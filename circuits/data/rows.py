"""Rows of plain numbers below a header that is known to the last byte, several thousand files a second.

What is read here is what `circuits.data.text.number` reads, to the last bit, or nothing at all. `rows.c` does it,
compiled at first use; without a compiler, or with `OHMGRAD_NATIVE=0`, a regular expression and NumPy do.
"""

from __future__ import annotations

import ctypes
import os
import re
import stat
import threading
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from circuits.compiling import BuildError, load_library

SOURCE = Path(__file__).with_name("rows.c")
ANY, POSITIVE, OVER_MINUS_ONE, LABEL, RISING = range(5)
"""What the numbers of a column must be: over minus one or equal to it; 0 or 1; positive and never falling."""

_POWERS = 64
_ROOM = 1 << 14
"""Numbers for which each thread has room at once; for more, room is made."""
_NUMBER = rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_own = threading.local()


class _Layout(ctypes.Structure):
    """`struct layout` of rows.c."""

    _fields_ = [
        ("header", ctypes.c_char_p),
        *((name, ctypes.c_void_p) for name in ("place", "rule", "powers")),
        *((name, ctypes.c_int64) for name in ("header_size", "columns", "separator", "max_bytes")),
    ]


class Rows:
    r"""Reads the rows of files that begin with the same bytes.

    Args:
        header: all bytes above the first row.
        separator: the byte between two numbers.
        place: for each column of the file, its row in what is given back, each once.
        rule: for each column of the file, what its numbers must be.
        max_bytes: the largest file that is read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "bench.csv")
    ...     _ = file.write_text("f,gain\n100,0.5\n200,0.25\n")
    ...     Rows(b"f,gain\n", b",", [0, 1], [RISING, ANY], 2**20).read(file).tolist()
    [[100.0, 200.0], [0.5, 0.25]]
    """

    def __init__(self, header: bytes, separator: bytes, place: list[int], rule: list[int], max_bytes: int):
        self.header, self.separator, self.max_bytes = header, separator, max_bytes
        self.place, self.rule = np.array(place, np.int64), np.array(rule, np.int64)

    def read(self, path: str | os.PathLike[str]) -> np.ndarray | None:
        """Numbers `(columns, rows)`, columns by their place; None for a file with anything else in it."""
        library = _library()
        return self._read_plainly(path) if library is None else self._read_compiled(library, os.fsencode(path))

    def __getstate__(self) -> tuple[bytes, bytes, list[int], list[int], int]:
        return self.header, self.separator, self.place.tolist(), self.rule.tolist(), self.max_bytes

    def __setstate__(self, state: tuple[bytes, bytes, list[int], list[int], int]) -> None:
        self.__init__(*state)

    @cached_property
    def _layout(self) -> _Layout:
        sizes = len(self.header), len(self.place), self.separator[0], self.max_bytes
        addresses = [array.ctypes.data for array in (self.place, self.rule, _powers())]
        return _Layout(self.header, *addresses, *sizes)

    @cached_property
    def _row(self) -> re.Pattern[bytes]:
        return re.compile(re.escape(self.separator).join([_NUMBER] * len(self.place)))

    def _read_compiled(self, library: ctypes.CDLL, path: bytes) -> np.ndarray | None:
        """With rows.c, into room that each thread keeps."""
        if b"\0" in path:
            return None
        room = getattr(_own, "room", None)
        if room is None:
            room = _own.room = _Room(_ROOM)
        rows = library.ohmgrad_rows(path, self._layout, room.address, room.size)
        while rows < -1:
            room = _Room(-1 - rows)
            rows = library.ohmgrad_rows(path, self._layout, room.address, room.size)
        columns = len(self.place)
        return None if rows == -1 else room.numbers[: rows * columns].reshape(columns, rows).copy()

    def _read_plainly(self, path: str | os.PathLike[str]) -> np.ndarray | None:
        """Without a compiler."""
        text = self._rows_of(path)
        lines = [] if text is None else text.rstrip(b"\r\n").replace(b"\r\n", b"\n").split(b"\n")
        if not lines or not all(map(self._row.fullmatch, lines)):
            return None
        cells = self.separator.join(lines).split(self.separator)
        table = np.array(list(map(float, cells))).reshape(len(lines), -1).T
        if not np.isfinite(table).all() or not all(map(_obeys, self.rule.tolist(), table)):
            return None
        out = np.empty(table.shape)
        out[self.place] = table
        return out

    def _rows_of(self, path: str | os.PathLike[str]) -> bytes | None:
        """What stands below the header, where the file is a plain one, not too large, and has the header."""
        try:
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode) or status.st_size > self.max_bytes:
                return None
            data = Path(path).read_bytes()
        except (OSError, ValueError):
            return None
        return data[len(self.header) :] if len(data) <= self.max_bytes and data.startswith(self.header) else None


class _Room:
    """Space for numbers that the compiled code fills."""

    def __init__(self, size: int):
        self.size, self.numbers = size, np.empty(size)
        self.address = self.numbers.ctypes.data


def _obeys(rule: int, column: np.ndarray) -> bool:
    low = float(column.min())
    if rule == LABEL:
        return bool(((column == 0) | (column == 1)).all())
    if rule == RISING:
        return low > 0 and bool((column[1:] >= column[:-1]).all())
    return low > 0 if rule == POSITIVE else low >= -1 if rule == OVER_MINUS_ONE else True


@cache
def _library() -> ctypes.CDLL | None:
    """The compiled reader; None where there is none."""
    if os.environ.get("OHMGRAD_NATIVE", "") == "0":
        return None
    try:
        library = load_library(SOURCE)
    except BuildError:
        return None
    library.ohmgrad_rows.restype = ctypes.c_int64
    library.ohmgrad_rows.argtypes = [ctypes.c_char_p, ctypes.POINTER(_Layout), ctypes.c_void_p, ctypes.c_int64]
    return None if library.ohmgrad_rows_begin() else library


@cache
def _powers() -> np.ndarray:
    """The upper 128 bits of 10^q, for q from -64 to 64, as two words, the lower one first."""
    words = np.empty((2 * _POWERS + 1, 2), np.uint64)
    for row, q in enumerate(range(-_POWERS, _POWERS + 1)):
        above, below = 10 ** max(q, 0) << 512, 10 ** max(-q, 0)
        bits = above // below
        bits >>= bits.bit_length() - 128
        words[row] = bits & (2**64 - 1), bits >> 64
    return words
