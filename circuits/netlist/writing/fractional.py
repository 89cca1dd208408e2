r"""Elements that ngspice does not have, as networks of resistors and capacitors that it runs.

All four are sums of branches, each a resistor and a capacitor in series, side by side between the two nodes:

Constant phase: s^α = sin(πα)/π ∫ e^(αu)·s/(s + e^u) du over all u. The integrand is smooth, so the trapezoidal rule of
step h converges as fast as e^(−π²/h); h is a third of a decade. What lies beyond the ends is two geometric series, each
put into one branch that keeps their first two moments. A Warburg element is one with α = ½.

Finite Warburg elements, with κ = k − ½ (open) or κ = k (shorted, and a resistor beside):
√s·tanh √s = Σ 2s/(s + π²κ²). The first 16 terms are written as they are, the rest as the integral over κ, by three
Gauss points an octave, and what lies beyond as one branch.

Reference: for the first integral, and why such networks exist, J. C. Wang, J. Electrochem. Soc. 134 (1987) 1915.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

LOWEST, HIGHEST = 1e-3, 1e6
"""Hertz between which the networks hold."""

STANDS_IN = "for ngspice, @standin"
"""Beside the name of a subcircuit, tells the language to take its own element of that name."""

_STEP = math.log(10) / 3
_BEYOND = math.log(10) * 1.5
_EXACT = 16
_OCTAVES = 15  # up to κ = 5e5: a tau of 10,000 s at 1 MHz
_GAUSS = ((-math.sqrt(0.6), 5 / 9), (0.0, 8 / 9), (math.sqrt(0.6), 5 / 9))


def definitions(kinds: Iterable[str]) -> list[str]:
    """Lines of the subcircuits for these kinds of elements, each defined once.

    >>> [line for line in definitions(["WARBURG"]) if line.startswith(".subckt")][1]
    '.subckt WARBURG a b sigma=1.0  ; for ngspice, @standin'
    """
    wanted = set(kinds)
    wanted |= {"CPE"} if "WARBURG" in wanted else set()
    return [line for kind, lines in _DEFINITIONS.items() if kind in wanted for line in ("", *lines())]


def _constant_phase() -> Iterator[str]:
    yield "* constant phase, Y = q (j 2 pi f)^alpha with 0 < alpha < 1: within 1e-4 from 1 mHz to 1 MHz"
    yield f".subckt CPE a b q=1.0 alpha=0.5  ; {STANDS_IN}"
    yield f".param g={{q*{_STEP / math.pi!r}*sin({math.pi!r}*alpha)}}"
    first = math.log(2 * math.pi * LOWEST) - _BEYOND
    count = math.ceil((math.log(2 * math.pi * HIGHEST) + _BEYOND - first) / _STEP) + 1
    places = [first + _STEP * k for k in range(count)]
    for k, u in enumerate(places, 1):
        yield from _branch(k, f"1/(g*exp(alpha*{_text(u)}))", f"g*exp((alpha-1)*{_text(u)})")
    end, h = places[-1], repr(_STEP)
    yield "* the two branches for all that lies below and above"
    below = f"g*exp(alpha*{_text(first)})/(exp(alpha*{h})-1)"
    corner = f"exp({_text(first)})*(exp(alpha*{h})-1)/(exp((alpha+1)*{h})-1)"
    yield from _branch(count + 1, f"1/({below})", f"{below}/({corner})")
    above = f"g*exp((alpha-1)*{_text(end)})/(exp((1-alpha)*{h})-1)"
    corner = f"exp({_text(end)})*(exp((2-alpha)*{h})-1)/(exp((1-alpha)*{h})-1)"
    yield from _branch(count + 2, f"1/({above}*{corner})", above)
    yield ".ends"


def _warburg() -> Iterator[str]:
    yield "* Warburg, Z = sigma (1 - j)/sqrt(2 pi f): a constant phase of 45 degrees"
    yield f".subckt WARBURG a b sigma=1.0  ; {STANDS_IN}"
    yield f"X1 a b CPE q={{1/({math.sqrt(2)!r}*sigma)}} alpha=0.5"
    yield ".ends"


def _open() -> Iterator[str]:
    yield "* open Warburg, Z = r coth(w)/w with w = sqrt(j 2 pi f tau): within 2e-4 up to 1 MHz and a tau of 10000 s"
    yield f".subckt WARBURG_OPEN a b r=1.0 tau=1.0  ; {STANDS_IN}"
    yield from _finite(0.5)
    yield ".ends"


def _shorted() -> Iterator[str]:
    yield "* shorted Warburg, Z = r tanh(w)/w with w = sqrt(j 2 pi f tau): within 2e-4 up to 1 MHz and a tau of 10000 s"
    yield f".subckt WARBURG_SHORT a b r=1.0 tau=1.0  ; {STANDS_IN}"
    yield "R0 a b {r}"
    yield from _finite(0.0)
    yield ".ends"


def _finite(shift: float) -> Iterator[str]:
    terms = [(k - shift, 1.0) for k in range(1, _EXACT + 1)]
    start = _EXACT + 0.5 - shift
    for _ in range(_OCTAVES):
        terms += [(start * (1.5 + 0.5 * place), start * 0.5 * weight) for place, weight in _GAUSS]
        start *= 2
    for k, (kappa, weight) in enumerate(terms, 1):
        yield from _branch(k, f"r/{2 * weight!r}", f"{2 * weight / (math.pi * kappa) ** 2!r}*tau/r")
    # ∫ 2s/(s + π²κ²) dκ from here on, by its first two moments 2/(π²κ) and 2/(3π⁴κ³)
    rest = 2 / (math.pi**2 * start)
    yield from _branch(len(terms) + 1, f"r/{rest * 3 * (math.pi * start) ** 2!r}", f"{rest!r}*tau/r")


def _branch(k: int, resistance: str, capacitance: str) -> Iterator[str]:
    # the capacitor first: the large conductances are then at b, mostly ground, and a keeps its digits
    yield f"C{k} a n{k} {{{capacitance}}}"
    yield f"R{k} n{k} b {{{resistance}}}"


def _text(number: float) -> str:
    return f"({number!r})" if number < 0 else repr(number)


_DEFINITIONS = {"CPE": _constant_phase, "WARBURG": _warburg, "WARBURG_OPEN": _open, "WARBURG_SHORT": _shorted}
