"""The log of a session: one line of JSON an answer, on the disk before the session goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circuits.errors import DataError

FORMAT = "ohmgrad session"
VERSION = 1


class SessionLog:
    """A file that only grows: a heading that says what the session is about, then a line an answer.

    A last line that was torn by a kill is left out, told in `note`, and overwritten by the next one; a last line that
    lacks no more than its end is kept. Everything else that cannot be read is refused, so that no answer is ever lost.

    Args:
        path: the file; it is made with the first line where there is none.
        heading: what the session is about. A file that is there must be about the same.

    Raises:
        DataError: the file is no log, is about something else, is damaged, or cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = SessionLog(f"{folder}/organ.log", {"circuit": "ColorOrgan"})
    ...     log.append({"tone": 800.0, "seen": [1, 0, 0]})
    ...     SessionLog(f"{folder}/organ.log", {"circuit": "ColorOrgan"}).entries
    [{'tone': 800.0, 'seen': [1, 0, 0]}]
    """

    def __init__(self, path: str | os.PathLike[str], heading: Mapping[str, Any]):
        self.path, self.note = Path(path), ""
        self.heading = {FORMAT: VERSION, **heading}
        lines = self._lines()
        if not lines and self._size and not self.note:
            raise DataError(f"{self.path} is no session log; its first line is no JSON: give another file")
        self._check_heading(lines)
        self.entries = lines[1:]

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one line, and return only once it is on the disk.

        Raises:
            DataError: it cannot be written; the log is then as it was.
        """
        before = self._size
        text = "" if before else json.dumps(self.heading, ensure_ascii=False) + "\n"
        text += json.dumps(entry, ensure_ascii=False) + "\n"
        try:
            self._write(before, text.encode())
        except OSError as error:
            raise DataError(f"cannot write {self.path}: {error.strerror}; the last answer is not kept") from error
        self.entries.append(dict(entry))

    def _write(self, start: int, content: bytes) -> None:
        """Put content behind what is good; take back what did not get there whole."""
        with open(self.path, "r+b" if self._end else "a+b") as file:
            self._check_untouched(os.fstat(file.fileno()).st_size)
            try:
                file.truncate(start)
                file.seek(start)
                file.write((b"\n" if self._open_end else b"") + content)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(start)
                raise
            self._size = self._end = file.tell()
            self._open_end = False

    def _check_untouched(self, length: int) -> None:
        if length != self._end:
            raise DataError(
                f"{self.path} was written by somebody else since it was read; the last answer is not kept: "
                "leave the other session, and begin this one again"
            )

    def _lines(self) -> list[Any]:
        """Every whole line, read; where the good part of the file ends goes to `_size`."""
        self._size, self._open_end = 0, False
        try:
            content = self.path.read_bytes() if self.path.exists() else b""
        except OSError as error:
            raise DataError(f"cannot read {self.path}: {error.strerror}; give another file") from error
        found, self._end = [], len(content)
        pieces = content.split(b"\n")
        for number, piece in enumerate(pieces, 1):
            is_last = number == len(pieces)
            if piece.strip():
                line = self._line(piece, number, is_last)
                if line is None:
                    return found
                found.append(line)
            self._size += len(piece) + (not is_last)
            self._open_end = is_last and bool(piece.strip())
        return found

    def _line(self, piece: bytes, number: int, is_last: bool) -> dict[str, Any] | None:
        """One line read, or None where a kill tore the last one."""
        mark = f'{{"{FORMAT}'.encode()
        try:
            line = json.loads(piece.decode())
            if isinstance(line, dict):
                return line
        except ValueError:
            if is_last and (number > 1 or piece.startswith(mark[: len(piece)])):
                self.note = f"{self.path}: line {number} was torn off while it was written, and is left out"
                return None
        raise DataError(
            f"{self.path}, line {number}: {piece[:40].decode(errors='replace')!r} is no line of a session log; "
            "repair or remove that line, or give another file"
        )

    def _check_heading(self, lines: list[Any]) -> None:
        """Refuse a log of another kind or of another circuit."""
        if not lines:
            return
        told = lines[0]
        if told.get(FORMAT) != VERSION:
            raise DataError(f"{self.path} is no session log of version {VERSION}; give another file")
        for key, value in self.heading.items():
            if told.get(key) != value:
                raise DataError(
                    f"{self.path} is about {key} {_shown(told.get(key))}, this session about {_shown(value)}; "
                    "begin with the same, or give another file"
                )


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} = {one:g}" for name, one in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)
