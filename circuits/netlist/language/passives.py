"""Cards of resistors, capacitors and inductors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from circuits.netlist.expressions import Expression
from circuits.netlist.language.algebra import ONE
from circuits.netlist.language.card import IGNORED, Card
from circuits.netlist.language.definitions import Definition, Device, Model, Quantity
from circuits.netlist.language.models import LAWS, temperature_factor, values_of

_COMMON = {"m": "m", "scale": "scale", "tc1": "tc1", "tc2": "tc2", "temp": "temp", "dtemp": "dtemp"}
_CHARGE = "!a charge that depends on a voltage is no linear capacitor; give its capacitance"
KEYS: Mapping[str, Mapping[str, str]] = {
    "R": {"r": "value", "resistance": "value", "l": "l", "w": "w", "tc": "tc1", "tce": "tce"}
    | _COMMON
    | {"noisy": IGNORED, "noise": IGNORED, "bv_max": IGNORED}
    | {"ac": "!a resistance for .ac of its own makes two circuits of one; give that one as the value"},
    "C": {"c": "value", "cap": "value", "capacitance": "value", "l": "l", "w": "w", "ic": IGNORED, "bv_max": IGNORED}
    | _COMMON
    | {"q": _CHARGE},
    "L": {"l": "value", "inductance": "value", "ic": IGNORED, "nt": "!turns are not followed; give the inductance"}
    | _COMMON,
}


@dataclass(frozen=True)
class Conditions:
    """The temperature of a circuit and the one that its values hold for, in °C."""

    temperature: float = 27.0
    nominal: float = 27.0


def read_passive(card: Card, conditions: Conditions) -> Device:
    """`R1 a b 10k`, `C1 a b c=1u m=2`, `L1 a b {L}`, `R2 a b sheet l=10u w=1u` with a model called sheet.

    Raises:
        NetlistError: a card without a value, or with what no such element has.
    """
    letter = card.name[0].upper()
    nodes = card.take_nodes(2)
    found: dict[str, Quantity] = {}
    model: dict[str, Expression] = {}
    while card.word.kind != "end":
        word = card.word
        if card.is_key(KEYS[letter]):
            card.take_keyed(word.text.lower(), KEYS[letter], found)
            if word.text.lower().startswith("tc") and card.is_value(card.word):
                card.put(found, "tc2", card.take_quantity("a second temperature coefficient"))
        elif not model and (named := _model_here(card)) is not None:
            card.at += 1
            model = values_of(*named, letter) or {"": ONE}
        elif "value" in found:
            raise card.unknown(KEYS[letter])
        else:
            found["value"] = card.take_quantity("a value")
    return _device(card, letter, nodes, found, model, conditions)


def _model_here(card: Card) -> tuple[Model, Definition] | None:
    """The model that the next word names, if it does, and where it is defined."""
    name = card.word.text.lower()
    found = card.definition.find_model(name) if card.word.kind == "word" else None
    if found is not None and card.definition.has_parameter(name):
        raise card.fault(f"{card.word.text!r} is a model and a parameter; rename one of them")
    return found


def _device(
    card: Card,
    letter: str,
    nodes: tuple[str, ...],
    found: dict[str, Quantity],
    model: dict[str, Expression],
    conditions: Conditions,
) -> Device:
    own = {role: quantity.expression for role, quantity in found.items()}
    value = found.get("value")
    if value is None:
        calculated = LAWS[letter].value(model, own) if model else None
        if calculated is None:
            raise card.fault(f"no value; write one, such as `{card.name} {' '.join(nodes)} 1k`")
        value = Quantity(calculated)
    factor = temperature_factor(own, model, conditions.temperature, conditions.nominal)
    factors = [("*", own[key]) for key in ("scale",) if key in own] + ([("*", factor)] if factor != ONE else [])
    if "m" in own:
        factors.append(("*" if letter == "C" else "/", own["m"]))
    quantity = Quantity(value.expression, value.offset, tuple(factors))
    return Device(letter, card.name, nodes, {"value": quantity}, card.line, (), card.notes, "m" in own)
