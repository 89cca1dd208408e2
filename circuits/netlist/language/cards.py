"""The elements of the language, one row a letter: a new element is one row here and one in `elements.KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from circuits.netlist.language.card import Card
from circuits.netlist.language.controlled import read_controlled, read_coupling, read_line
from circuits.netlist.language.definitions import Definition, Device, Instance
from circuits.netlist.language.instances import EXTENSIONS, read_instance
from circuits.netlist.language.lines import Line
from circuits.netlist.language.passives import Conditions, read_passive
from circuits.netlist.language.sources import read_source

Read: TypeAlias = "Device | Instance | list[Device]"


class Row(NamedTuple):
    """How a card is read, and how it is written."""

    read: Callable[[Card, Conditions], Read]
    syntax: str


CARDS: Mapping[str, Row] = {
    "R": Row(read_passive, "R1 node node 10k"),
    "C": Row(read_passive, "C1 node node 100n"),
    "L": Row(read_passive, "L1 node node 10m"),
    "K": Row(read_coupling, "K1 L1 L2 0.99"),
    "V": Row(read_source, "V1 node node DC 0 AC 1 0"),
    "I": Row(read_source, "I1 node node DC 0 AC 1 0"),
    "E": Row(read_controlled, "E1 out+ out- in+ in- gain"),
    "F": Row(read_controlled, "F1 out+ out- V1 gain"),
    "G": Row(read_controlled, "G1 out+ out- in+ in- transconductance"),
    "H": Row(read_controlled, "H1 out+ out- V1 transresistance"),
    "T": Row(read_line, "T1 a+ a- b+ b- z0=50 td=10n"),
    "X": Row(read_instance, "X1 node … subcircuit parameter=value"),
}
REFUSED: Mapping[str, str] = {
    "A": "a code model",
    "B": "a behavioural source",
    "D": "a diode",
    "J": "a field-effect transistor",
    "M": "a field-effect transistor",
    "N": "a compiled model",
    "O": "a lossy line",
    "P": "a coupled line",
    "Q": "a bipolar transistor",
    "S": "a voltage-controlled switch",
    "U": "a distributed RC line or a logic gate",
    "W": "a current-controlled switch",
    "Y": "a lossy line",
    "Z": "a field-effect transistor",
}


def read_card(line: Line, definition: Definition, conditions: Conditions) -> list[Device | Instance]:
    """The elements of one card of a definition.

    Raises:
        NetlistError: an element that is not linear, or a card that is not as its row says.
    """
    letter = line.text.lstrip()[0].upper()
    row = CARDS.get(letter)
    if row is None:
        name = line.text.split(None, 1)[0][:40]
        what = REFUSED.get(letter, "no element")
        known = ", ".join([*CARDS, *(kind.letter for kind in EXTENSIONS.values())])
        raise line.fault(f"{name} is {what}; this package reads linear circuits, made of {known}")
    found = row.read(Card(line, definition), conditions)
    return list(found) if isinstance(found, list) else [found]
