"""Annotations: `tol=5%` on a card, and `; @tol=5% @learn @min=10 @max=1meg` in a comment that ngspice skips."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from circuits.netlist.language.lines import Line
from circuits.netlist.language.numerals import numeral

_NOTE = re.compile(r"(?:^|(?<=[\s,;]))@(?P<key>[^\W\d]\w*(?:\.\w+)?)(?:\s*=\s*(?P<value>[^\s,;@]+))?")
KNOWN = {"tol": "tolerance", "learn": "learn", "min": "low", "max": "high", "unit": "unit"}


@dataclass(frozen=True)
class Notes:
    """What a netlist says of a parameter beside its value; `line` is the number of the line that says it."""

    tolerance: float | None = None
    learn: bool = False
    low: float | None = None
    high: float | None = None
    unit: str | None = None
    number: int = 0

    def __bool__(self) -> bool:
        return self is not NONE and self != Notes(number=self.number)


NONE = Notes()


def notes_of(line: Line) -> dict[int, dict[str, Notes]]:
    """The annotations in the comments of a line, by the number of the physical line and by role.

    `@z0.tol=1%` is for z0, `@tol=1%` (role "") for every role. A comment that begins with `@` is one of annotations,
    and every word in it with that mark must be one; elsewhere words that begin with it count only if they are known.

    Raises:
        NetlistError: an unknown annotation, or one without the value that it needs.

    >>> notes_of(Line("x.cir", "R1 a b 10k", (0,), (1,), ((1, "@tol=5% @learn"),)))
    {1: {'': Notes(tolerance=0.05, learn=True, low=None, high=None, unit=None, number=1)}}
    """
    found: dict[int, dict[str, Notes]] = {}
    for number, remark in line.remarks:
        for match in _NOTE.finditer(remark) if "@" in remark else ():
            role, _, key = match["key"].lower().rpartition(".")
            if key in KNOWN:
                here = found.setdefault(number, {})
                here[role] = _with(line, number, here.get(role, Notes(number=number)), key, match["value"])
            elif remark.startswith("@"):
                raise _fault(line, number, f"no annotation @{match['key']}; known: {', '.join('@' + k for k in KNOWN)}")
    return found


def notes_of_card(line: Line) -> dict[str, Notes]:
    """The annotations of a whole card by role; a later physical line adds to an earlier one."""
    found: dict[str, Notes] = {}
    for said in notes_of(line).values() if line.remarks else ():
        for role, notes in said.items():
            found[role] = joined(found.get(role, NONE), notes)
    return found


def tolerance_of(text: str) -> float:
    """A relative tolerance, from `5%` or `0.05`.

    Raises:
        ValueError: no number from 0 to 1.

    >>> tolerance_of("5%"), tolerance_of("0.05")
    (0.05, 0.05)
    """
    percent = text.endswith("%")
    value = numeral(text[:-1] if percent else text)
    value = None if value is None else value / 100 if percent else value
    if value is None or not 0 <= value < 1:
        raise ValueError(f"{text!r} is no tolerance; write a relative one, such as 5% or 0.05")
    return value


def joined(first: Notes, second: Notes) -> Notes:
    """What two notes say together; the second wins where both speak.

    >>> joined(Notes(learn=True, low=1.0), Notes(low=2.0)) == Notes(learn=True, low=2.0)
    True
    """
    said = {key: getattr(second, key) for key in KNOWN.values() if getattr(second, key) not in (None, False)}
    return replace(first, number=second.number, **said)


def _with(line: Line, number: int, notes: Notes, key: str, text: str | None) -> Notes:
    """The notes with one more annotation."""
    if key == "learn":
        if text is not None:
            raise _fault(line, number, f"@learn takes no value, found {text!r}; write @learn alone")
        return replace(notes, learn=True)
    if text is None:
        raise _fault(line, number, f"@{key} needs a value; write @{key}=…")
    try:
        value = text if key == "unit" else tolerance_of(text) if key == "tol" else numeral(text)
    except ValueError as error:
        raise _fault(line, number, f"@{key}: {error}") from None
    if value is None:
        raise _fault(line, number, f"@{key}={text} is no number; write one, such as @{key}=10k")
    return replace(notes, **{KNOWN[key]: value})


def _fault(line: Line, number: int, message: str) -> Exception:
    return line.fault(message, line.starts[line.numbers.index(number)])
