"""Cards of controlled sources, couplings and lines: elements that refer to others, or join two pairs of nodes."""

from __future__ import annotations

from itertools import combinations

from circuits.netlist.expressions import Number
from circuits.netlist.language.algebra import constant, over
from circuits.netlist.language.card import IGNORED, Card
from circuits.netlist.language.definitions import Device, Quantity
from circuits.netlist.language.limits import MAX_ELEMENTS
from circuits.netlist.language.passives import Conditions

_BEHAVIOURAL = {"value", "vol", "cur", "table", "laplace", "freq", "chebyshev", "foster", "pwl", "delay"}
_WORDS = {"E": "vcvs", "F": "cccs", "G": "vccs", "H": "ccvs"}
_LINEAR = "only a gain is linear: give it as a number or in braces"
_LINE_KEYS = {"z0": "z0", "zo": "z0", "td": "td", "f": "f", "nl": "nl"} | dict.fromkeys(
    ("ic", "v1", "v2", "i1", "i2", "rel", "abs"), IGNORED
)


def read_controlled(card: Card, conditions: Conditions) -> Device:
    """`E1 out 0 in 0 10`, `G1 a b c d 1m`, `F1 a b V1 5`, `H1 a b V1 {r}`, and each as `POLY(1)` with one gain.

    Raises:
        NetlistError: a gain that is missing, or a source that is not linear.
    """
    del conditions
    letter = card.name[0].upper()
    nodes, controls = card.take_nodes(2), ()
    _refuse_behaviour(card)
    if card.word.text.lower() == _WORDS[letter]:
        card.at += 1
    is_polynomial = card.word.text.lower() == "poly" and card.ahead().kind == "word"
    if is_polynomial:
        _take_dimension(card)
    if letter in "EG":
        nodes += card.take_nodes(2)
    else:
        controls = (card.take_name("the voltage source whose current controls"),)
    keys = {"gain": "value"} | ({"m": "m"} if letter in "FG" else {})
    found = _polynomial(card) if is_polynomial else card.take_rest(keys, ("value",))
    if "value" not in found:
        raise card.fault(f"no gain; write one, such as `{card.name} … 10`")
    factors = (("*", found["m"].expression),) if "m" in found else ()
    value = Quantity(found["value"].expression, found["value"].offset, factors)
    return Device(letter, card.name, nodes, {"value": value}, card.line, controls, card.notes, "m" in found)


def _refuse_behaviour(card: Card) -> None:
    word = card.word
    if word.kind == "word" and word.text.lower() in _BEHAVIOURAL:
        raise card.fault(f"{word.text.upper()} makes it a behavioural source; {_LINEAR}")
    if word.kind == "formula":
        raise card.fault(f"an expression in the place of what controls it makes it behavioural; {_LINEAR}")


def _take_dimension(card: Card) -> None:
    card.at += 1
    if card.word.text != "1":
        raise card.fault(f"POLY({card.word.text[:20]}) depends on several quantities; write one source for each")
    card.at += 1


def _polynomial(card: Card) -> dict[str, Quantity]:
    """The gain of POLY(1) with the coefficients 0, gain; any other is no linear source."""
    coefficients = []
    while card.word.kind != "end":
        coefficients.append(card.take_quantity("a coefficient"))
    is_linear = len(coefficients) >= 2 and all(
        constant(q.expression) == 0 for q in (coefficients[0], *coefficients[2:])
    )
    if not is_linear:
        raise card.fault(f"POLY(1) with other coefficients than `0 gain`; {_LINEAR}")
    return {"value": coefficients[1]}


def read_coupling(card: Card, conditions: Conditions) -> list[Device]:
    """`K1 L1 L2 0.99`; with more inductors every pair of them is coupled by as much.

    Raises:
        NetlistError: fewer than two inductors, one that stands twice, or no coefficient.
    """
    del conditions
    names = [card.take_name("an inductor"), card.take_name("another inductor")]
    while card.word.kind == "word" and not card.is_value(card.word) and card.ahead().kind not in ("equals", "end"):
        if card.ahead().text.lower() == "tol":
            break
        names.append(card.take_name("an inductor"))
    if len({name.lower() for name in names}) < len(names):
        raise card.fault("an inductor cannot be coupled to itself; name each once", card.words[1])
    if len(names) ** 2 > 2 * MAX_ELEMENTS:
        raise card.fault(f"{len(names)} inductors are too many to couple all pairs of; couple fewer")
    found = card.take_rest({"k": "value", "coefficient": "value"}, ("value",))
    if "value" not in found:
        raise card.fault("no coefficient; write one, such as `K1 L1 L2 0.99`")
    pairs = list(combinations(names, 2))
    return [
        Device("K", _pair_name(card.name, pair, len(pairs)), (), found, card.line, pair, card.notes, label=card.name)
        for pair in pairs
    ]


def _pair_name(name: str, pair: tuple[str, str], pairs: int) -> str:
    """A single pair keeps the card's name."""
    return name if pairs == 1 else f"{name}_{pair[0]}_{pair[1]}"


def read_line(card: Card, conditions: Conditions) -> Device:
    """`T1 a 0 b 0 z0=50 td=10n`, or `f=100meg nl=0.25`: the delay is nl/f, with nl = 0.25 if left out.

    Raises:
        NetlistError: no impedance, or no delay.
    """
    del conditions
    nodes = card.take_nodes(4)
    found = card.take_rest(_LINE_KEYS)
    if "z0" not in found:
        raise card.fault("no impedance; write it as z0=50")
    if "td" not in found:
        if "f" not in found:
            raise card.fault("no delay; write it as td=10n, or as f=100meg nl=0.25")
        length = found["nl"].expression if "nl" in found else Number(0.25)
        found["td"] = Quantity(over(length, found["f"].expression), found["f"].offset)
    return Device("T", card.name, nodes, {role: found[role] for role in ("z0", "td")}, card.line, (), card.notes)
