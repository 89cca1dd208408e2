"""The journal beside the table: what is done already, chunk by chunk, on the disk before the next one begins."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from circuits.errors import DataError, OptionError

try:
    import fcntl
except ImportError:  # where there are no such locks nobody is refused
    fcntl = None

FORMAT = "ohmgrad fit_many 1"


class Journal:
    """A file of JSON lines: what is fitted and how, then a line a chunk, then one that says that all is done.

    The file is locked while it is open, by a lock that ends with the process however it ends. A last line that was
    torn by a kill is dropped.

    Args:
        path: the file; it is begun if it is not there.
        terms: what must be the same in every run that goes on with it.

    Raises:
        OptionError: it belongs to another run, or a run is at work on it now.
        DataError: a place that cannot be written, or a file that is no journal.
    """

    def __init__(self, path: Path, terms: Mapping[str, str]):
        self.path = path
        self.file = _locked(path)
        try:
            self.kept = self._whole_lines(dict(terms))
        except BaseException:
            self.file.close()
            raise

    def _whole_lines(self, terms: dict[str, str]) -> int:
        """Cut off a torn line; the number of records below the first."""
        self.file.seek(0)
        count, end = 0, 0
        for line in self.file:
            record = _record(line)
            if record is None:
                break
            if count == 0:
                self._check(record, terms)
            count, end = count + 1, end + len(line)
        if count == 0 and self.file.seek(0, os.SEEK_END) > 0 and not self._is_torn_first():
            raise DataError(f"{self.path} is no journal of fit_many; move it away, or choose another place to write to")
        self.file.seek(end)
        self.file.truncate()
        if count == 0:
            self.write({"format": FORMAT, "terms": terms})
            return 0
        return count - 1

    def _is_torn_first(self) -> bool:
        """Whether there is nothing but the beginning of a first line."""
        self.file.seek(0)
        begun, start = self.file.read(2**20), json.dumps({"format": FORMAT})[:-1].encode()
        return b"\n" not in begun and begun[: len(start)] == start[: len(begun)]

    def _check(self, first: Mapping[str, Any], terms: Mapping[str, str]) -> None:
        if first.get("format") != FORMAT:
            raise DataError(f"{self.path} is no journal of fit_many; move it away, or choose another place to write to")
        before = first["terms"]
        other = [name for name in {**before, **terms} if before.get(name) != terms.get(name)]
        if other:
            raise OptionError(
                f"{self.path} belongs to a run that was begun otherwise (not the same: {', '.join(other)}); go on with "
                "what that was begun with, choose another place to write to, or delete the journal to begin again"
            )

    def write(self, record: Mapping[str, Any]) -> None:
        """Add a line, and see it on the disk."""
        try:
            self.file.write(json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n")
            self.file.flush()
            os.fsync(self.file.fileno())
        except OSError as error:
            raise DataError(
                f"cannot write {self.path}: {error.strerror}; make room, then run the same again to go on"
            ) from error

    def close(self) -> None:
        """Let others have it."""
        self.file.close()


def records(file: BinaryIO) -> Iterator[dict[str, Any]]:
    """The whole lines of an open journal below the first, one at a time."""
    file.seek(0)
    for at, line in enumerate(file):
        record = _record(line)
        if record is None:
            return
        if at > 0:
            yield record


def terms_in(file: BinaryIO) -> dict[str, str]:
    """What the first line says that all parts must have alike."""
    file.seek(0)
    return (_record(file.readline()) or {}).get("terms", {})


def _record(line: bytes) -> dict[str, Any] | None:
    """A line that was written to its end."""
    if not line.endswith(b"\n"):
        return None
    try:
        found = json.loads(line.decode("utf-8", "surrogateescape"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _locked(path: Path) -> Any:
    """The open file, which nobody else has."""
    while True:
        try:
            file = open(path, "a+b")  # noqa: SIM115 - it stays open as long as the run
        except OSError as error:
            raise DataError(
                f"cannot write {path}: {error.strerror}; choose a folder that exists and may be written"
            ) from error
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
            file.close()  # another run has just finished and taken it away
        except BlockingIOError as error:
            file.close()
            raise OptionError(
                f"a run is at work on {path} now; wait for its end, or choose another place to write to"
            ) from error
        except BaseException:
            file.close()
            raise
