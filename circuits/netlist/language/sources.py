"""Cards of independent sources: what they are at DC, and what `.ac` sees of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from circuits.netlist.expressions import Call, Expression, Number
from circuits.netlist.language.algebra import ZERO, constant, plus, times
from circuits.netlist.language.card import Card
from circuits.netlist.language.definitions import Device, Quantity
from circuits.netlist.language.passives import Conditions

_PORT = "ports are not followed; write the resistor of a port as an R card"
_RANDOM = "draws random numbers; a noisy source is given to the noise analysis"
_REFUSED = {"portnum": _PORT, "z0": _PORT, "pwr": _PORT, "freq": _PORT, "phase": _PORT}
_REFUSED |= {"trnoise": _RANDOM, "trrandom": _RANDOM, "external": "is set from outside; give its value"}
_DEGREE = Number(math.pi / 180)


def _delayed(first: int) -> Callable[[Sequence[Expression]], Expression | None]:
    """The first value, as long as the one at `first`, a delay, is not negative."""

    def at_start(given: Sequence[Expression]) -> Expression | None:
        delay = constant(given[first]) if len(given) > first else 0.0
        return given[0] if delay is None or delay >= 0 else None

    return at_start


def _sine(given: Sequence[Expression]) -> Expression | None:
    """VO + VA·sin(phase)."""
    if _delayed(3)(given) is None:
        return None
    return plus(given[0], times(given[1], Call("sin", (times(given[5], _DEGREE),)))) if len(given) > 5 else given[0]


def _frequency_modulated(given: Sequence[Expression]) -> Expression | None:
    """VO + VA·sin(phase of the carrier + MDI·sin(phase of the signal))."""
    index, carrier, signal = ((*given, *[ZERO] * 7)[i] for i in (3, 5, 6))
    if len(given) <= 5:
        return given[0]
    inner = times(index, Call("sin", (times(signal, _DEGREE),)))
    return plus(given[0], times(given[1], Call("sin", (plus(times(carrier, _DEGREE), inner),))))


def _piecewise(given: Sequence[Expression]) -> Expression | None:
    """The first voltage, as long as its time is not negative."""
    start = constant(given[0])
    return given[1] if start is None or start >= 0 else None


AT_START: Mapping[str, Callable[[Sequence[Expression]], Expression | None]] = {
    "sin": _sine,
    "sine": _sine,
    "pulse": _delayed(2),
    "exp": _delayed(2),
    "pwl": _piecewise,
    "sffm": _frequency_modulated,
    "am": lambda given: ZERO if _delayed(4)(given) is not None else None,
}
"""The value at t = 0 of functions of time, which ngspice's operating point takes where there is no DC value; None where
they begin before that."""
_WORDS = {"dc", "ac", "acmag", "acphase", "distof1", "distof2", "r", "td", "m", *AT_START, *_REFUSED}


def read_source(card: Card, conditions: Conditions) -> Device:
    """`V1 a 0 5`, `V1 a 0 DC 1 AC 1 45`, `I1 0 a AC 1`, `V1 a 0 SIN(0 1 1k) AC 1`.

    Raises:
        NetlistError: a word that no source has, or a value given twice.
    """
    del conditions
    nodes = card.take_nodes(2)
    found: dict[str, Quantity] = {}
    if card.is_value(card.word) or (card.word.kind == "word" and card.word.text.lower() not in _WORDS):
        found["dc"] = card.take_quantity("a DC value")
    while card.word.kind != "end":
        _take(card, found)
    start = found.pop("start", Quantity(ZERO))
    if "phase" in found:
        found.setdefault("ac", Quantity(Number(1.0)))
    factors = (("*", found["m"].expression),) if "m" in found else ()
    values = {"dc": found.get("dc", start), "ac": found.get("ac", Quantity(ZERO))}
    values = {role: Quantity(q.expression, q.offset, factors) for role, q in values.items()}
    values["phase"] = found.get("phase", Quantity(ZERO))
    return Device(card.name[0].upper(), card.name, nodes, values, card.line, (), card.notes, "m" in found)


def _take(card: Card, found: dict[str, Quantity]) -> None:
    """Read one keyword with its values."""
    word = card.word
    key = word.text.lower()
    if key in _REFUSED and word.kind == "word":
        raise card.fault(f"{key} {_REFUSED[key]}")
    if word.kind != "word" or key not in _WORDS or (key == "m" and card.name[0] in "Vv"):
        raise card.unknown({key: "" for key in ("dc", "ac", "sin", "pulse", "exp", "pwl", "sffm", "am")})
    card.at += 1
    given = _take_values(card)
    if key in AT_START:
        _put_start(card, found, key, given)
    elif key == "ac":
        for role, quantity in zip(("ac", "phase"), given or [Quantity(Number(1.0))], strict=False):
            card.put(found, role, quantity)
        if len(given) > 2:
            raise card.fault("ac takes a magnitude and a phase; leave the other values out", word)
    elif key in ("dc", "acmag", "acphase", "m"):
        if len(given) > 1 or (not given and key != "dc"):
            raise card.fault(f"{key} takes one value, found {len(given)}; write {key} 1", word)
        for quantity in given:
            card.put(found, {"acmag": "ac", "acphase": "phase"}.get(key, key), quantity)


def _take_values(card: Card) -> list[Quantity]:
    """All values up to the next keyword."""
    given: list[Quantity] = []
    if card.word.kind == "equals":
        card.at += 1
    while card.word.kind in ("word", "formula") and (
        card.is_value(card.word) or card.word.text.lower() not in (*_WORDS, "tol")
    ):
        given.append(card.take_quantity("a value"))
    return given


def _put_start(card: Card, found: dict[str, Quantity], key: str, given: list[Quantity]) -> None:
    """Keep the value that a function of time begins with."""
    if len(given) < 2:
        raise card.fault(f"{key} needs at least two values, found {len(given)}; give them in parentheses")
    start = AT_START[key]([quantity.expression for quantity in given])
    if start is None and "dc" not in found:
        raise card.fault(f"{key} begins before t = 0, so its value there is not followed; give it as DC before")
    card.put(found, "start", Quantity(start or ZERO, given[0].offset))
