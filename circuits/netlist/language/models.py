"""Resistors, capacitors and inductors of a `.model`: their values from sheets and areas, and by temperature."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from circuits.netlist.expressions import Call, Expression, Name, Number
from circuits.netlist.language.algebra import ONE, ZERO, constant, minus, over, plus, times
from circuits.netlist.language.assignments import Assignment
from circuits.netlist.language.card import IGNORED, Card
from circuits.netlist.language.definitions import Definition, Model

Values = Mapping[str, Expression]
_VACUUM = 1 / (4e-7 * math.pi * 299792458.0**2)  # F/m, and the relative permittivity of SiO2, as ngspice has them
_OXIDE = 3.9 * _VACUUM
_TEMPERATURE = {"tc1": "tc1", "tc2": "tc2", "tnom": "tnom", "bv_max": IGNORED}
_SHAPE = "!its geometry is not followed; give the inductance as ind=…"


@dataclass(frozen=True)
class Law:
    """What a model of a kind may hold, and the value that follows from it and from the card's own length and width.

    `value` is a function of the model's values and the card's, or None where neither gives one.
    """

    kinds: tuple[str, ...]
    keys: Mapping[str, str]
    value: Callable[[Values, Values], Expression | None]


def _resistance(model: Values, card: Values) -> Expression | None:
    """RSH·(L − 2·short)/(W − 2·narrow), or R."""
    length = card.get("l", model.get("l", Number(10e-6)))
    width = card.get("w", model.get("w", Number(10e-6)))
    sheet = model.get("rsh", ZERO)
    if any((constant(part) or 0) <= 0 for part in (sheet, length, width) if constant(part) is not None):
        return model.get("r")
    short, narrow = (times(Number(2.0), model[key]) if key in model else ZERO for key in ("short", "narrow"))
    return times(over(minus(length, short), minus(width, narrow)), sheet)


def _capacitance(model: Values, card: Values) -> Expression | None:
    """CAP, or CJ·(W − narrow)·(L − short) + CJSW·2·((L − short) + (W − narrow))."""
    if "cap" in model:
        return model["cap"]
    both = times(Number(2.0), model["del"]) if "del" in model else ZERO
    length = minus(card.get("l", model.get("l", ZERO)), model.get("short", both))
    width = minus(card.get("w", model.get("w", Number(10e-6))), model.get("narrow", both))
    area, side = model.get("cj"), model.get("cjsw", ZERO)
    if area is None and "thick" in model:
        permittivity = times(model["di"], Number(_VACUUM)) if "di" in model else Number(_OXIDE)
        area = over(permittivity, model["thick"])
    if area is None and side == ZERO:
        return None
    return plus(times(area or ZERO, width, length), times(side, Number(2.0), plus(length, width)))


LAWS: Mapping[str, Law] = {
    "R": Law(
        ("r", "res"),
        {"r": "r", "res": "r", "rsh": "rsh", "narrow": "narrow", "dw": "narrow", "short": "short", "dlr": "short"}
        | {"w": "w", "defw": "w", "l": "l", "tc1r": "tc1", "tc2r": "tc2", "tce": "tce"}
        | dict.fromkeys(("kf", "af", "lf", "wf", "ef"), IGNORED)
        | _TEMPERATURE,
        _resistance,
    ),
    "C": Law(
        ("c",),
        {"cap": "cap", "cj": "cj", "cox": "cj", "cjsw": "cjsw", "capsw": "cjsw", "defw": "w", "w": "w", "defl": "l"}
        | {"l": "l", "narrow": "narrow", "short": "short", "del": "del", "di": "di", "thick": "thick"}
        | _TEMPERATURE,
        _capacitance,
    ),
    "L": Law(
        ("l",),
        {"ind": "ind"} | dict.fromkeys(("csect", "dia", "length", "nt", "mu"), _SHAPE) | _TEMPERATURE,
        lambda model, card: model.get("ind"),
    ),
}


def values_of(model: Model, home: Definition, letter: str) -> dict[str, Expression]:
    """What a model holds, by role, in names that mean the same wherever the model is used.

    What is no constant becomes a parameter of the definition that the model stands in, called `model.key`: a subcircuit
    that uses the model may have parameters of the same names.

    Raises:
        NetlistError: a model of another kind, or one that holds what its kind does not.
    """
    law = LAWS[letter]
    if model.kind not in law.kinds:
        raise model.line.fault(
            f"model {model.name} is of kind {model.kind.upper()}; a {letter} needs one of kind {law.kinds[0].upper()}"
        )
    card = Card(model.line, home)
    card.at = 3
    found = {}
    for role, quantity in card.take_rest(law.keys).items():
        expression = quantity.expression
        if constant(expression) is None:
            name = f"{model.name}.{role}"
            home.parameters[name.lower()] = Assignment(name, expression, model.line, quantity.offset)
            expression = Name(name)
        found[role] = expression
    return found


def temperature_factor(card: Values, model: Values, temperature: float, nominal: float) -> Expression:
    """1 + tc1·ΔT + tc2·ΔT², or 1.01^(tce·ΔT), with ΔT from the nominal temperature; both in °C.

    The card's own coefficients and temperature count before the model's and the circuit's.
    """
    tc1, tc2, tce = (card.get(key, model.get(key)) for key in ("tc1", "tc2", "tce"))
    if tc1 is tc2 is tce is None:
        return ONE
    own = card.get("temp") or plus(Number(temperature), card.get("dtemp", ZERO))
    difference = minus(own, model.get("tnom", Number(nominal)))
    if constant(difference) == 0:
        return ONE
    if tce is not None:
        return Call("pow", (Number(1.01), times(tce, difference)))
    return plus(ONE, times(plus(times(tc2 or ZERO, difference), tc1 or ZERO), difference))
