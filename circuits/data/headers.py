"""What one column's name means: its role, its unit, and the output that it belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from circuits.data.units import Unit, take_off

_WORDS = {
    "frequency": ("frequency", "frequencies", "freq", "freqs", "freq."),
    "sigma": ("sigma", "σ", "unc", "uncertainty", "err", "error", "std", "stdev", "stddev", "sd", "±"),
    "phase": ("phase", "phi", "φ", "ϕ", "arg", "argument", "angle"),
    "decibels": ("db",),
    "real": ("real", "re"),
    "imag": ("imag", "imaginary", "im"),
    "vin": ("vin",),
    "vout": ("vout",),
    "magnitude": ("magnitude", "mag", "gain", "ratio", "amplitude", "|h|", "|g|", "|a|"),
    "voltage": ("voltage", "vpp", "vrms"),
    "led": ("led", "leds", "lit", "lamp", "light"),
}
_ROLE_OF = {word: role for role, words in _WORDS.items() for word in words}
_WHOLE_NAMES = {"f": "frequency", "tone": "frequency", "tones": "frequency", "omega": "omega", "ω": "omega"}
_WHOLE_NAMES |= {"k": "magnitude", "h": "magnitude", "a": "magnitude"}
_FILLERS = frozenset(["in", "of", "the", "part", "shift", "difference", "response", "transfer", "peak", "h"])
_FILLERS |= {"level", "attenuation", "loss", "value", "measured"}
_LONGEST = 200  # no name is longer; the patterns take their time over a line of prose
_NO_AXIS = frozenset(["log", "log10", "response", "cutoff", "corner"])
_V = r"(?<![a-z0-9])[vu][ _]?\(?(?:{})\)?(?![a-z0-9])"
_OUT, _IN = _V.format("out|o|r|c|l"), _V.format("in|i|s")
_REWRITES = tuple(
    (re.compile(pattern, re.IGNORECASE), word)
    for pattern, word in (
        (rf"\|?{_OUT}\|?[ _]*[/ _][ _]*\|?{_IN}\|?", " ratio "),
        (r"(?<![a-z])out(?:put)?[ _]*/[ _]*in(?:put)?(?![a-z])", " ratio "),
        (r"\|?(?<![a-z])[hga]\((?:f|jω|jw|s)\)\|?", " |h| "),
        (
            rf"{_IN}|(?<![a-z])(?:input|in)[ _]?voltage|voltage[ _]in(?![a-z])|(?<![a-z])input(?![a-z])",
            " vin ",
        ),
        (rf"{_OUT}|(?<![a-z])(?:output|out)[ _]?voltage|voltage[ _]out(?![a-z])", " vout "),
        (r"(?<![a-z])output(?![a-z])", " vout "),
        (r"(?<![a-z])peak[- ]to[- ]peak(?![a-z])", " peak "),
        (r"±|\+/-", " ± "),
    )
)


@dataclass(frozen=True)
class Meaning:
    """How one column's name was understood.

    `role` is frequency, omega, magnitude, decibels, phase, real, imag, vin, vout, led or unknown.
    `is_sigma` says that the column holds the uncertainty of that role. `output` is what the name says
    beside (`low` in `low_db`). `certain` tells a frequency by name from one by unit only.
    """

    name: str
    role: str
    unit: Unit | None
    output: str
    is_sigma: bool = False
    certain: bool = True

    @property
    def factor(self) -> float:
        """What the column's numbers are multiplied by to be in our unit."""
        return self.unit.factor if self.unit else 1.0


def understand(name: str) -> Meaning:
    """Understand a column's name.

    >>> meaning = understand("low_db")
    >>> meaning.role, meaning.output
    ('decibels', 'low')
    >>> [understand(name).role for name in ("f / kHz", "Phase (°)", "V(out)/V(in)", "V_in [mV]", "K")]
    ['frequency', 'phase', 'magnitude', 'vin', 'magnitude']
    """
    if len(name) > _LONGEST:
        return Meaning(name, "unknown", None, name)
    stem, unit = take_off(name)
    if unit is None:  # the unit of `phase_deg_sigma` stands before its last word
        head, _, last = name.replace("_", " ").rpartition(" ")
        inner, unit = take_off(head) if _ROLE_OF.get(last.lower()) == "sigma" else ("", None)
        stem = f"{inner} {last}" if unit else stem
    words = _words(stem)
    kind = unit.kind if unit else ""
    roles = {_ROLE_OF[word.lower()] for word in words if word.lower() in _ROLE_OF}
    whole = _WHOLE_NAMES.get(words[0].lower(), "") if len(words) == 1 else ""
    role, certain = _role(roles | {whole} - {""}, kind, {word.lower() for word in words})
    if role == "omega" and unit:  # rad/s is turned to hertz by its factor, like any unit
        role = "frequency"
    is_sigma = "sigma" in roles
    return Meaning(name, role, unit, "" if whole else _output(name, stem, words, role, is_sigma), is_sigma, certain)


def _role(roles: set[str], kind: str, words: set[str]) -> tuple[str, bool]:
    """The role that words and unit agree on, and whether the words alone would say so."""
    measured = roles - {"sigma", "frequency", "omega"}
    if kind in ("", "frequency") and not measured:
        if roles & {"frequency", "omega"} and not words & _NO_AXIS:
            return ("omega" if "omega" in roles else "frequency"), True
        return ("frequency" if kind and not words & _NO_AXIS else "unknown"), False
    if kind == "frequency":
        return "unknown", True
    if kind in ("phase", "decibels"):
        return kind, True
    for role in ("phase", "decibels", "real", "imag", "vin", "vout"):
        if role in roles:
            return role, True
    if kind == "voltage":
        return ("vout" if roles & {"magnitude", "voltage"} else "unknown"), True
    if kind == "magnitude" or "magnitude" in roles:
        return "magnitude", True
    return ("led" if "led" in roles else "unknown"), True


def _words(stem: str) -> list[str]:
    """The words of a name; the many names of the two voltages and of their ratio become one each."""
    for pattern, word in _REWRITES:
        stem = pattern.sub(word, stem)
    words = [word for word in re.split(r"[\s_()\[\]{},:]+", stem) if word]
    parts = [word.split("-") if _ROLE_OF.keys() & set(word.lower().split("-")) else [word] for word in words]
    return [part for split in parts for part in split if part]


def _output(name: str, stem: str, words: list[str], role: str, is_sigma: bool) -> str:
    """What the name says beside role and unit: the output's name, or nothing."""
    if role == "unknown" and not is_sigma:
        return stem
    rest = [word for word in words if word.lower() not in _ROLE_OF and word.lower() not in _FILLERS]
    if rest and all(word.isdigit() for word in rest) and not is_sigma:
        return stem  # "led 1", not "1"
    return ("_" if "_" in name and " " not in name else " ").join(rest)
