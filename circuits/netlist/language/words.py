"""From a line to its words: names and numbers, equals signs, expressions in braces or quotes."""

from __future__ import annotations

import re
from typing import NamedTuple

from circuits.netlist.language.lines import Line

# blanks, commas and parentheses only separate; ngspice does not ask where they stand
_WORD = re.compile(r"[^\s,()={}'\"]+")
_SEPARATOR = re.compile(r"[\s,()]*")
_BLANK = re.compile(r"\s*")
_PLAIN = re.compile(r"\S+")
_SPECIAL = re.compile(r"[,()={}'\"]")
_BRACE = re.compile(r"[{}]")
_NUMBER_START = re.compile(r"[+-]?\.?[0-9]")
_OPERATOR = re.compile(r"[-+*/^()<>=!?:&|%\\]")


class Word(NamedTuple):
    """A piece of a line: its text, where it begins, and what it is.

    `kind` is "word", "equals", "formula" (what stood between braces or single quotes, or unbraced after an equals sign
    and can be nothing else) or "text" (between double quotes).
    """

    text: str
    offset: int
    kind: str = "word"


def split_words(line: Line) -> list[Word]:
    """Split a line.

    Raises:
        NetlistError: a brace or a quote that is not closed.

    >>> alone = lambda text: Line("x.cir", text, (0,), (1,))
    >>> [word.text for word in split_words(alone("R1 (a, b) r = {2 * Rf} m=2"))]
    ['R1', 'a', 'b', 'r', '=', '2 * Rf', 'm', '=', '2']
    """
    text = line.text
    if _SPECIAL.search(text) is None:
        return [Word(match[0], match.start()) for match in _PLAIN.finditer(text)]
    found: list[Word] = []
    position, after_equals = 0, False
    while True:
        separator = _BLANK if after_equals else _SEPARATOR  # after '=' a parenthesis belongs to the value
        position = separator.match(text, position).end()  # type: ignore[union-attr] # an empty match is a match
        if position == len(text):
            return found
        word, position = _next(line, position, after_equals)
        after_equals = word.kind == "equals"
        found.append(word)


def _next(line: Line, position: int, after_equals: bool) -> tuple[Word, int]:
    text, mark = line.text, line.text[position]
    if mark == "=":
        return Word("=", position, "equals"), position + 1
    if mark in "{'\"":
        end = closing(line, position)
        return Word(text[position + 1 : end], position + 1, "text" if mark == '"' else "formula"), end + 1
    if after_equals:
        return _value(line, position)
    match = _WORD.match(text, position)
    if match is None:
        raise line.fault(f"{mark!r} without its beginning; remove it", position)
    return Word(match[0], position), match.end()


def _value(line: Line, position: int) -> tuple[Word, int]:
    """What follows an equals sign without braces: a number, a name, or a formula without blanks outside parentheses."""
    end = value_end(line.text, position)
    found = line.text[position:end]
    is_formula = _NUMBER_START.match(found) is None and _OPERATOR.search(found) is not None
    return Word(found, position, "formula" if is_formula else "word"), end


def value_end(text: str, position: int) -> int:
    """Where a value without braces ends: at a blank or a comma outside parentheses, or at a parenthesis too many."""
    depth = 0
    for index in range(position, len(text)):
        character = text[index]
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth < 0:
                return max(index, position + 1)
        elif depth == 0 and (character in ",{}'\"" or character.isspace()):
            return max(index, position + 1)
    return len(text)


def closing(line: Line, position: int) -> int:
    """Where what opens here closes: the brace of the same depth, or the next quote of the same kind.

    Raises:
        NetlistError: nowhere.
    """
    text, mark = line.text, line.text[position]
    if mark != "{":
        end = text.find(mark, position + 1)
    else:
        end, depth = -1, 0
        for match in _BRACE.finditer(text, position):
            depth += 1 if match[0] == "{" else -1
            if depth == 0:
                end = match.start()
                break
    if end < 0:
        raise line.fault(f"{mark} is not closed; add {'}' if mark == '{' else mark} where it ends", position)
    return end
