"""From text to lines as SPICE counts them: comments gone, continuations joined, every character with its place."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from circuits.errors import NetlistError
from circuits.netlist.elements import Place
from circuits.netlist.language.limits import MAX_LINE

_BREAK = re.compile(r"\r\n|\r|\n")
# a dollar begins a comment only after a blank or a comma; a semicolon or two slashes begin one anywhere
_COMMENT = re.compile(r";|//|(?<=[ ,\t])\$")
_WHOLE_COMMENT = ("*", ";", "$", "//")
_SHOWN = 160


@dataclass(frozen=True)
class Line:
    """A line with its continuations: `text` without comments, and where each of its physical lines begins in it.

    `remarks` are the comments at the ends of the physical lines, by number.
    """

    file: str
    text: str
    starts: tuple[int, ...]
    numbers: tuple[int, ...]
    remarks: tuple[tuple[int, str], ...] = ()

    def number_at(self, offset: int) -> int:
        """The number, in its file, of the physical line that this character stands on."""
        return self.numbers[max(bisect_right(self.starts, offset) - 1, 0)]

    def place(self, offset: int = 0) -> Place:
        """Where a character was written."""
        return Place(self.file, self.number_at(offset), self.text[:_SHOWN].strip())

    def fault(self, message: str, offset: int = 0) -> NetlistError:
        """An error that begins with file and line."""
        return NetlistError(f"{self.file}:{self.number_at(offset)}: {message}")


def read_lines(text: str, file: str, first: int = 1) -> Iterator[Line]:
    r"""Join continuations, drop comments, blank lines and `.control` blocks; the first line has number `first`.

    >>> for line in read_lines("R1 a b ; of the drawer\n* a remark\n+ 10k $ 5 %\n", "x.cir"):
    ...     print(line.text, line.numbers, line.remarks)
    R1 a b  10k (1, 3) ((1, 'of the drawer'), (3, '5 %'))
    """
    parts: list[tuple[int, str, str]] = []
    continued = False  # by two backslashes at the end of the line before
    for number, content, remark in _without_control(text, file, first):
        bare = content.lstrip()
        if not bare:
            continue
        if bare.startswith("+") or continued:
            if not parts:
                raise NetlistError(f"{file}:{number}: there is nothing to continue here; leave out the '+'")
            content = bare.removeprefix("+")
        else:
            yield from _joined(parts, file)
            parts = []
        continued = content.rstrip().endswith("\\\\")
        parts.append((number, content.rstrip()[:-2] if continued else content, remark))
    yield from _joined(parts, file)


def split(text: str) -> list[str]:
    r"""Physical lines, whatever their ends.

    >>> split("a\r\nb\rc\n")
    ['a', 'b', 'c', '']
    """
    return _BREAK.split(text)


def _without_control(text: str, file: str, first: int) -> Iterator[tuple[int, str, str]]:
    """Number, content and remark of every physical line outside `.control` … `.endc`."""
    began = 0
    for number, physical in enumerate(split(text), start=first):
        if physical.lstrip().startswith("."):
            word = physical.split(None, 1)[0].lower()
            if word == ".control":
                if began:
                    raise NetlistError(f"{file}:{number}: a .control within .control; close the first with .endc")
                began = number
            elif word == ".endc":
                if not began:
                    raise NetlistError(f"{file}:{number}: .endc without .control; leave it out")
                began = 0
                continue
        if not began:
            yield (number, *_uncommented(physical, file, number))
    if began:
        raise NetlistError(f"{file}:{began}: .control without .endc; add one where the commands end")


def _uncommented(physical: str, file: str, number: int) -> tuple[str, str]:
    """Content and remark of one physical line."""
    if physical.lstrip().startswith(_WHOLE_COMMENT):
        return "", ""
    found = _COMMENT.search(physical)
    content, remark = (physical[: found.start()], physical[found.end() :]) if found else (physical, "")
    if not content.isprintable() and not content.replace("\t", " ").isprintable():
        raise NetlistError(f"{file}:{number}: a character that cannot be printed; save the netlist as plain text")
    return content, remark.strip()


def _joined(parts: Sequence[tuple[int, str, str]], file: str) -> Iterator[Line]:
    if not parts:
        return
    if sum(len(content) for _, content, _ in parts) > MAX_LINE:
        raise NetlistError(f"{file}:{parts[0][0]}: a line of more than {MAX_LINE} characters; write several")
    starts, length = [], 0
    for _, content, _ in parts:
        starts.append(length)
        length += len(content) + 1
    remarks = tuple((number, remark) for number, _, remark in parts if remark)
    text = " ".join([content for _, content, _ in parts])
    yield Line(file, text, tuple(starts), tuple(number for number, _, _ in parts), remarks)
