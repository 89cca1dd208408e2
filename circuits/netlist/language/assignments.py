"""`name=value` in `.param`, on `.subckt` and on `X` cards."""

from __future__ import annotations

import re
from dataclasses import dataclass

from circuits.netlist.expressions import Expression
from circuits.netlist.language.formulas import parse_formula
from circuits.netlist.language.limits import MAX_NAME
from circuits.netlist.language.lines import Line
from circuits.netlist.language.notes import NONE, Notes, notes_of
from circuits.netlist.language.words import closing

_ASSIGNED = re.compile(r"[\s,]*(?P<name>[^\W\d]\w*)\s*=(?!=)\s*")
_NEXT = re.compile(r"(?<=[\s,])(?P<name>[^\W\d]\w*)\s*=(?!=)")


@dataclass(frozen=True)
class Assignment:
    """A parameter as written: its value in names of where it stands, and what annotations say of it."""

    name: str
    expression: Expression
    line: Line
    offset: int
    notes: Notes = NONE


def read_assignments(line: Line, start: int) -> list[Assignment]:
    """Every `name=value` of a line from an offset on; a value is in braces, in quotes, or bare up to the next one.

    Raises:
        NetlistError: anything else there, or a value that is no expression.

    >>> line = Line("x.cir", ".param a=1k, b={2 * a} c = a + b", (0,), (1,))
    >>> [found.name for found in read_assignments(line, 7)]
    ['a', 'b', 'c']
    """
    text, position, found, notes = line.text, start, [], notes_of(line)
    while text[position:].strip(" \t,)"):
        match = _ASSIGNED.match(text, position)
        if match is None:
            rest = text[position:].strip()
            raise line.fault(f"expected name=value, found {rest[:40]!r}; write it so", position + 1)
        begin, end, position = _value(line, match.end())
        name, at = match["name"], match.start("name")
        if len(name) > MAX_NAME:
            raise line.fault(f"a name of more than {MAX_NAME} characters; choose a shorter one", at)
        said = notes.get(line.number_at(at), {}).get("", NONE) if notes else NONE
        found.append(Assignment(name, parse_formula(text[begin:end], line, begin), line, begin, said))
    return found


def _value(line: Line, position: int) -> tuple[int, int, int]:
    """Where a value begins and ends, and where reading goes on."""
    text = line.text
    if text[position : position + 1] in ("{", "'"):
        end = closing(line, position)
        return position + 1, end, end + 1
    if text[position : position + 1] == '"':
        raise line.fault("a text is no value here; give a number or an expression", position)
    following = _NEXT.search(text, position)
    end = following.start("name") if following else len(text)
    return position, position + len(text[position:end].rstrip(" \t,")), end
