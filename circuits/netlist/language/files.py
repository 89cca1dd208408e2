"""Reading the files of a netlist: regular ones of a bearable size, and none outside its own folder unless allowed."""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path

from circuits.errors import NetlistError
from circuits.netlist.language.limits import MAX_FILES, MAX_TEXT

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Folder:
    """The folder that a netlist lives in, and the right to read in it.

    `root` is None for a netlist that is only text. What was read so far counts towards one limit for all files.
    """

    def __init__(self, root: Path | None, allow_outside: bool = False):
        self.root = Path(os.path.realpath(root)) if root is not None else None
        self.allow_outside = allow_outside
        self._left = MAX_TEXT
        self._files = 0

    def find(self, name: str, beside: Path | None) -> Path:
        """The file that this name means in a file of the folder `beside`, all links followed.

        Raises:
            ValueError: no such file, or none that may be read; the text says why and what to do.
        """
        if self.root is None:
            raise ValueError("a netlist given as text has no folder to read other files from; pass folder=")
        if "\0" in name or not name:
            raise ValueError("expected the name of a file after it")
        places = [folder / name for folder in (beside, self.root) if folder is not None]
        try:
            found = next((place for place in places if place.exists()), places[0])
            path = Path(os.path.realpath(found))
        except (OSError, ValueError) as error:
            raise ValueError(f"cannot look for {name[:80]!r} ({error}); name a file of the netlist's folder") from None
        if not self.allow_outside and not path.is_relative_to(self.root):
            raise ValueError(
                f"{name[:80]!r} lies outside the netlist's folder; move it there, or pass allow_outside=True if you "
                "trust this netlist"
            )
        return path

    def read(self, path: Path) -> str:
        """The text of a file.

        Raises:
            ValueError: nothing there, no regular file, too large, or no text.
        """
        self._files += 1
        if self._files > MAX_FILES:
            raise ValueError(f"more than {MAX_FILES} files are read; include each once")
        data = _bytes(path, self._left)
        self._left -= len(data)
        return decode(data)

    def shown(self, path: Path) -> str:
        """A file's name as messages have it: relative to the folder where it lies in it."""
        if self.root is not None and path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return path.as_posix()


def decode(data: bytes) -> str:
    """Text in UTF-8, UTF-16 by its mark, or Windows Latin, which old programs write for their µ and Ω.

    Raises:
        ValueError: bytes that are no text.

    >>> decode("C1 a b 1µ".encode("latin-1"))
    'C1 a b 1µ'
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    for name in (encoding,) if encoding else ("utf-8", "cp1252", "latin-1"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise ValueError("this is no text; save the netlist as UTF-8")


def read_whole(path: str | os.PathLike[str]) -> tuple[str, Path]:
    """The text of a netlist's main file, and the folder it lives in.

    Raises:
        NetlistError: a file that cannot be read.
    """
    path = Path(path)
    try:
        text = decode(_bytes(path, MAX_TEXT))
    except ValueError as error:
        raise NetlistError(f"{path.name or path}: {error}") from None
    return text, path.parent


def _bytes(path: Path, most: int) -> bytes:
    """All bytes of a regular file; a pipe or a device is not even waited for."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError(f"{path.name!r} is no regular file; name a text file")
        with open(os.open(path, flags), "rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise ValueError(f"cannot read {path.name!r} ({error.strerror}); name a file that is there") from None
    if len(data) > most:
        raise ValueError(f"{path.name!r} is too large; all files of a netlist together may have {MAX_TEXT} bytes")
    return data
