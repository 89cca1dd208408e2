"""Lines that name another file: `.include FILE`, and `.lib FILE SECTION`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from circuits.netlist.language.lines import Line

_FILE = re.compile(r"\s*(?:\"([^\"]*)\"|'([^']*)'|(\S+))")


def file_name(line: Line) -> tuple[str, str]:
    """The file that a line names, and what follows.

    Raises:
        NetlistError: it names none.

    >>> file_name(Line("x.cir", ".lib 'my parts.lib' fast", (0,), (1,)))
    ('my parts.lib', 'fast')
    """
    text = line.text.lstrip()
    begin = len(text.split(None, 1)[0])
    match = _FILE.match(text, begin)
    if match is None:
        raise line.fault("expected the name of a file after it")
    return match[1] or match[2] or match[3] or "", text[match.end() :].strip()


def section_of(lines: Iterable[Line], section: str, asking: Line) -> list[Line]:
    """The lines of one section of a library; `asking` is the line that wants it.

    Raises:
        NetlistError: there is none, or it does not end.
    """
    found: list[Line] | None = None
    for line in lines:
        word = line.text.split(None, 1)[0].lower()
        if word == ".lib" and not file_name(line)[1]:
            if found is not None:
                raise line.fault("a section within a section; close the first with .endl")
            found = [] if file_name(line)[0].lower() == section else None
        elif word == ".endl" and found is not None:
            return found
        elif found is not None:
            found.append(line)
    todo = "close it with .endl" if found is not None else "name one that it has"
    raise asking.fault(f"section {section!r} is not in that file, or never ends; {todo}")
