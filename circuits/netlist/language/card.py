"""One card being read, word by word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from circuits.errors import NetlistError
from circuits.netlist.expressions import Expression, Name, Number
from circuits.netlist.language.definitions import Definition, Quantity
from circuits.netlist.language.formulas import parse_formula
from circuits.netlist.language.functions import expand
from circuits.netlist.language.limits import MAX_NAME
from circuits.netlist.language.lines import Line
from circuits.netlist.language.notes import NONE, Notes, notes_of_card, tolerance_of
from circuits.netlist.language.numerals import numeral
from circuits.netlist.language.words import Word, split_words

IGNORED = "ignored"
_NAME = re.compile(r"[^\W\d]\w*")
_END = Word("", 0, "end")
Keys = Mapping[str, str]
"""What the keys of a card, in lower case, mean: a role, `IGNORED`, or after a '!' the sentence that refuses it."""


class Card:
    """A card of an element: `name` is read, `word` comes next.

    `notes` gathers what the card and its comments say beside the value.
    """

    def __init__(self, line: Line, definition: Definition):
        self.line, self.definition = line, definition
        self.words = split_words(line)
        self.at = 0
        self.notes: dict[str, Notes] = notes_of_card(line)
        self.name = self.take_name("a name")

    @property
    def word(self) -> Word:
        """The word that comes next; its kind is "end" where there is none."""
        return self.words[self.at] if self.at < len(self.words) else _END

    def ahead(self, steps: int = 1) -> Word:
        """A word further on."""
        return self.words[self.at + steps] if self.at + steps < len(self.words) else _END

    def fault(self, message: str, word: Word | None = None) -> NetlistError:
        """An error that names the element, at a word or where the card ends."""
        word = word or self.word
        offset = word.offset if word.kind != "end" else len(self.line.text)
        return self.line.fault(f"{self.words[0].text[:MAX_NAME]}: {message}", offset)

    def take_name(self, what: str) -> str:
        """Read a name, of a node or of another element."""
        word = self.word
        if word.kind != "word":
            raise self.fault(f"expected {what}, found {shown(word)}; see {self._syntax()}")
        if len(word.text) > MAX_NAME:
            raise self.fault(f"a name of more than {MAX_NAME} characters; choose a shorter one")
        self.at += 1
        return word.text

    def take_nodes(self, count: int) -> tuple[str, ...]:
        """Read the nodes that an element joins."""
        return tuple([self.take_name(f"node {i} of {count}") for i in range(1, count + 1)])

    def take_quantity(self, what: str) -> Quantity:
        """Read a value: a number, an expression, or the name of a parameter."""
        if self.word.kind == "equals":
            self.at += 1
        word = self.word
        if not self.is_value(word) and _NAME.fullmatch(word.text) is None:
            raise self.fault(f"expected {what}, found {shown(word)}; see {self._syntax()}")
        self.at += 1
        return Quantity(self.expression(word), word.offset)

    def is_value(self, word: Word) -> bool:
        """Whether a word is a number or an expression; the name of a parameter looks like any other."""
        return word.kind == "formula" or (word.kind == "word" and self._numeral(word) is not None)

    def expression(self, word: Word) -> Expression:
        """The tree of a value."""
        if word.kind == "formula":
            tree = parse_formula(word.text, self.line, word.offset)
            return expand(tree, self.definition.function, self.line, word.offset)
        value = self._numeral(word)
        return Name(word.text) if value is None else Number(value)

    def take_rest(self, keys: Keys, positional: tuple[str, ...] = ()) -> dict[str, Quantity]:
        """Read all further values by role: those without a key in this order, the others as `key=value`.

        Raises:
            NetlistError: an unknown key, a value too many, or one given twice.
        """
        found: dict[str, Quantity] = {}
        waiting = [role for role in positional if role not in found]
        while self.word.kind != "end":
            key = self.word.text.lower()
            if self.is_key(keys):
                self.take_keyed(key, keys, found)
            elif waiting and (self.is_value(self.word) or _NAME.fullmatch(self.word.text)):
                self.put(found, waiting.pop(0), self.take_quantity("a value"))
            else:
                raise self.unknown(keys)
        return found

    def is_key(self, keys: Keys) -> bool:
        """Whether the next word begins `key=value`, or `key value` with a known key and a number."""
        if self.word.kind != "word":
            return False
        return self.ahead().kind == "equals" or (self.word.text.lower() in keys and self.is_value(self.ahead()))

    def take_keyed(self, key: str, keys: Keys, found: dict[str, Quantity]) -> None:
        """Read `key=value`."""
        role = keys.get(key)
        if role is not None and role.startswith("!"):
            raise self.fault(role[1:])
        if role is None and key != "tol":
            raise self.unknown(keys)
        self.at += 1
        if role is None:
            self._take_tolerance()
            return
        quantity = self.take_quantity(f"the value of {key}")
        while role == IGNORED and self.is_value(self.word):  # a list, as in ic=0,0,0,0
            self.at += 1
        if role != IGNORED:
            self.put(found, role, quantity)

    def put(self, found: dict[str, Quantity], role: str, quantity: Quantity) -> None:
        """Add a value that must be the only one of its role."""
        if role in found:
            raise self.fault(f"a second value for {role}; leave one out", self.words[self.at - 1])
        found[role] = quantity

    def unknown(self, keys: Keys) -> NetlistError:
        """An error about a word that means nothing here."""
        known = ", ".join([key for key, role in keys.items() if not role.startswith("!")] + ["tol"])
        return self.fault(f"{shown(self.word)} means nothing here; see {self._syntax()}; keys are {known}")

    def _take_tolerance(self) -> None:
        if self.word.kind == "equals":
            self.at += 1
        try:
            value = tolerance_of(self.word.text)
        except ValueError as error:
            raise self.fault(str(error)) from None
        number = self.line.number_at(self.word.offset)
        self.notes[""] = replace(self.notes.get("", NONE), tolerance=value, number=number)
        self.at += 1

    def _numeral(self, word: Word) -> float | None:
        try:
            return numeral(word.text)
        except ValueError as error:
            raise self.fault(str(error), word) from None

    def _syntax(self) -> str:
        from circuits.netlist.language.cards import CARDS  # the table knows this class

        row = CARDS.get(self.words[0].text[:1].upper())
        return f"`{row.syntax}`" if row else "its syntax"


def shown(word: Word) -> str:
    """A word as messages have it.

    >>> shown(Word("10k", 0)), shown(Word("", 0, "end"))
    ("'10k'", 'the end of the line')
    """
    return "the end of the line" if word.kind == "end" else repr(word.text[:40])
