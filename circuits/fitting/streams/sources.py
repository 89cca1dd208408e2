"""Where boards come from: a file for each, or one long table; either is walked in order, a board at a time."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from circuits.data import Measurements, read
from circuits.data.alike import Alike
from circuits.errors import DataError, OptionError

Given = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
T = TypeVar("T")

KINDS = 4
"""How many kinds of files are remembered, so that others of the kind are read at once."""


@dataclass(frozen=True)
class Reading:
    """How a board is read: what `circuits.read` takes, and the outputs that are kept."""

    quantity: str | None = None
    columns: Mapping[str, str] | None = None
    units: Mapping[str, str] | None = None
    outputs: str | tuple[str, ...] | None = None

    def kept(self, data: Measurements) -> Measurements:
        """The outputs that were asked for, of a board that has at least one value.

        Raises:
            DataError: every value is missing. UnknownName: an output that the board does not have.
        """
        data = data if self.outputs is None else data.select(self.outputs)
        if bool(data.values.isnan().all()):
            raise DataError("nothing to fit: every value is missing; give at least one measured value")
        return data


class Source(Protocol):
    """Boards in order; a piece is a board's name and whatever `read` needs to read it."""

    @property
    def many(self) -> int | None:
        """How many boards, where that is known at once."""
        ...

    @property
    def size(self) -> int:
        """Roughly how many boards there are."""
        ...

    def terms(self) -> dict[str, str]:
        """What tells one source from another."""
        ...

    def pieces(self) -> Iterator[tuple[str, Any]]:
        """The boards in order, unread."""
        ...

    def read(self, piece: Any, reading: Reading) -> Measurements:
        """Read one board."""
        ...

    def close(self) -> None:
        """Take away whatever was needed to read."""
        ...


class Files:
    """A file for each board.

    It is read in one way: files that are like one that was read before have their numbers read and nothing else.

    Args:
        paths: the files in order.
        names: what the table calls them.
    """

    def __init__(self, paths: Sequence[str], names: Sequence[str]):
        self.paths, self.names = paths, names
        self.known: list[Alike] = []

    @property
    def many(self) -> int:
        return len(self.paths)

    @property
    def size(self) -> int:
        return len(self.paths)

    def terms(self) -> dict[str, str]:
        digest = hashlib.sha256("\n".join(self.names).encode("utf-8", "surrogateescape")).hexdigest()
        return {"files": f"{len(self.names)} {digest}"}

    def pieces(self) -> Iterator[tuple[str, Any]]:
        return zip(self.names, self.paths, strict=True)

    def read(self, piece: Any, reading: Reading) -> Measurements:
        data = self._read(piece, reading)
        try:
            return reading.kept(data)
        except (DataError, LookupError) as error:
            raise DataError(f"{piece}: {error}") from None

    def close(self) -> None:
        pass

    def _read(self, path: str, reading: Reading) -> Measurements:
        """What a file holds: its numbers alone where its like has been understood before."""
        for alike in self.known:
            data = alike.read(path)
            if data is not None:
                return data
        quantity, columns, units = reading.quantity, reading.columns, reading.units
        data = read(path, quantity, columns=columns, units=units)
        if len(self.known) < KINDS:
            self.known.append(Alike.of(path, quantity, columns=columns, units=units))
        return data


def chunked(things: Iterator[T], size: int) -> Iterator[list[T]]:
    """So many at a time.

    >>> list(chunked(iter("abcde"), 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    while piece := list(islice(things, size)):
        yield piece


def source_of(given: Given, board: str, into: Path) -> Source:
    """The boards that a person means; `into` and what stands beside it for a while are never among them.

    Raises:
        DataError: nothing there. OptionError: something that is no path.
    """
    if not isinstance(given, (str, os.PathLike)):
        return _listed(given)
    path = Path(given)
    if path.is_dir():
        return _folder(path, into)
    if path.is_file():
        from circuits.fitting.streams.tables import table_of

        return table_of(path, board)
    if glob.has_magic(str(given)):
        found = sorted(one for one in glob.glob(str(given), recursive=True) if _is_data(Path(one), into))
        if found:
            return Files(found, found)
        raise DataError(f"no file is called {str(given)!r}; expected a pattern that files match, such as 'bench/*.csv'")
    raise DataError(f"there is no {str(given)!r}; expected a folder of files, a pattern, or a table of boards")


def _listed(given: Any) -> Files:
    try:
        paths = [os.fspath(one) for one in given]
    except TypeError as error:
        raise OptionError(f"source={given!r}; expected a folder, a pattern, a table or a list of paths") from error
    if not paths:
        raise DataError("an empty list of files; give at least one")
    return Files(paths, paths)


def _folder(path: Path, into: Path) -> Files:
    """The files of a folder by name, hidden ones left out."""
    found = sorted(one.name for one in path.iterdir() if _is_data(one, into))
    if not found:
        raise DataError(f"no files in the folder {str(path)!r}; expected one for each board")
    return Files([str(path / name) for name in found], found)


def _is_data(path: Path, into: Path) -> bool:
    """Whether it is a file that a person put there."""
    ours = path.name == into.name or path.name.startswith(f"{into.name}.journal")
    return path.is_file() and not path.name.startswith(".") and not (ours and path.parent.samefile(into.parent))
