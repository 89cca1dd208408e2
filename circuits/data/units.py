"""The unit at the end of a column's name: `(Hz)`, `[kHz]`, `/ dB`, `_deg`, `in V`."""

from __future__ import annotations

import math
import re
from typing import NamedTuple


class Unit(NamedTuple):
    """What a unit measures and what one of it is in ours: hertz, ratio, dB, degrees, volts of some swing."""

    kind: str
    factor: float
    name: str
    swing: str = ""


_SWINGS = {"": "", "pp": "peak to peak", "p-p": "peak to peak", "pk-pk": "peak to peak", "rms": "rms"}
_SWINGS |= {"p": "peak", "pk": "peak"}
_TABLE: dict[str, tuple[str, float, str]] = {
    "hz": ("frequency", 1.0, "Hz"),
    "hertz": ("frequency", 1.0, "Hz"),
    "khz": ("frequency", 1e3, "kHz"),
    "mhz": ("frequency", 1e6, "MHz"),
    "ghz": ("frequency", 1e9, "GHz"),
    "rad/s": ("frequency", 0.5 / math.pi, "rad/s"),
    "rad/sec": ("frequency", 0.5 / math.pi, "rad/s"),
    "db": ("decibels", 1.0, "dB"),
    "rad": ("phase", 180.0 / math.pi, "radians"),
    "radian": ("phase", 180.0 / math.pi, "radians"),
    "radians": ("phase", 180.0 / math.pi, "radians"),
    "%": ("magnitude", 0.01, "%"),
    "percent": ("magnitude", 0.01, "%"),
}
_TABLE |= {word: ("phase", 1.0, "degrees") for word in ("deg", "degs", "degree", "degrees", "°", "º", "*")}
_TABLE |= {word: ("decibels", 1.0, f"dB{word[2:]}, taken as dB") for word in ("dbm", "dbv", "dbu")}
_TABLE |= {word: ("magnitude", 1.0, "ratio") for word in ("v/v", "1", "lin", "linear", "-", "ratio")}
_VOLTS = re.compile(r"(?P<scale>[mµμuk]?)v(?:olts?)?[ _]?(?P<swing>pp|p-p|pk-pk|rms|pk|p)?")
_SCALES = {"": 1.0, "m": 1e-3, "µ": 1e-6, "μ": 1e-6, "u": 1e-6, "k": 1e3}
_BRACKETED = re.compile(r"^(?P<stem>.*?)\s*[(\[{]\s*(?P<unit>[^()\[\]{}]*?)\s*[)\]}]\s*$")
_AFTER_SLASH = re.compile(r"^(?P<stem>.+?)\s*/\s*(?P<unit>[^\s/]+(?:/s(?:ec)?)?)$")
_LAST_WORD = re.compile(r"^(?P<stem>.*?)(?:[\s_]+in)?[\s_]+(?P<unit>[^\s_]+)$")


def lookup(word: str) -> Unit | None:
    """Find a unit by the way it is written; mHz is the only one whose case matters.

    >>> lookup("kHz").factor, lookup("mVpp").swing, lookup("furlong")
    (1000.0, 'peak to peak', None)
    """
    if word == "mHz":
        return Unit("frequency", 1e-3, "mHz")
    if word.lower() in _TABLE:
        return Unit(*_TABLE[word.lower()])
    match = _VOLTS.fullmatch(word.lower())
    if match is None:
        return None
    return Unit("voltage", _SCALES[match["scale"]], word, _SWINGS[match["swing"] or ""])


def take_off(name: str) -> tuple[str, Unit | None]:
    """Split a column's name into what is left of it and its unit.

    >>> take_off("f / kHz")[0], take_off("phase_deg")[1].kind, take_off("V(out)")
    ('f', 'phase', ('V(out)', None))
    """
    for pattern in (_BRACKETED, _AFTER_SLASH, _LAST_WORD):
        match = pattern.match(name)
        # a one-letter last word ("channel 1", "R V") is a name more often than a unit
        if match is None or (pattern is _LAST_WORD and match["unit"].lower() in ("1", "-", "*", "ratio", "v")):
            continue
        unit = lookup(match["unit"])
        if unit is not None:
            return match["stem"].strip(" _"), unit
    alone = lookup(name) if name.lower() in ("hz", "khz", "db", "deg", "rad") else None
    return ("", alone) if alone else (name, None)
