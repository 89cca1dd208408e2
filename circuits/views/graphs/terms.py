"""Terms as people write them: `2πf·R·C`, `x/√(1+x²)`, put together operation by operation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_CONSTANTS = {
    "180/π": 180 / math.pi,
    "π/180": math.pi / 180,
    "ln10": math.log(10),
    "ln10/20": math.log(10) / 20,
    "20/ln10": 20 / math.log(10),
}
_LAST_PI = 16  # multiples of π are written as such up to here
_FIRST = "f"  # stands before the other factors, as in 2πf·R·C


@dataclass(frozen=True)
class Term:
    """A number times factors over factors, or a sum of such; factors are text that can stand in a product.

    >>> print(Term.of("f") * Term(2 * math.pi) * Term.of("R") / Term.of("L"))
    2πf·R/L
    """

    number: float = 1.0
    over: tuple[str, ...] = ()
    under: tuple[str, ...] = ()
    addends: tuple[Term, ...] = ()

    @classmethod
    def of(cls, text: str) -> Term:
        """One factor: a name, or a function of something."""
        return cls(over=(text,))

    @classmethod
    def loose(cls, text: str) -> Term:
        """Text that needs brackets around it in a product."""
        return cls(addends=(cls.of(text),))

    @property
    def is_number(self) -> bool:
        """Whether it is a number alone."""
        return not (self.over or self.under or self.addends)

    @property
    def is_single(self) -> bool:
        """Whether it can be a factor as it stands."""
        return not self.addends and self.number == 1 and len(self.over) == 1 and not self.under

    def factor(self) -> str:
        """As text that can stand in a product or before an exponent."""
        text = str(self)
        is_plain = self.is_single or (self.is_number and self.number >= 0 and "/" not in text)
        return text if is_plain else f"({text})"

    def __mul__(self, other: Term) -> Term:
        if self.is_number and self.number == 1:
            return other
        if other.is_number and other.number == 1:
            return self
        left, right = self._product(), other._product()
        number = left.number * right.number
        return Term(number, left.over + right.over, left.under + right.under) if number else Term(0.0)

    def __truediv__(self, other: Term) -> Term:
        right = other._product()
        if right.number == 0:
            return Term.of(f"{self.factor()}/{other.factor()}")
        return self * Term(1 / right.number, right.under, right.over)

    def __add__(self, other: Term) -> Term:
        parts = [part for term in (self, other) for part in term._parts()]
        total = sum(part.number for part in parts if part.is_number)
        rest = [part for part in parts if not part.is_number]
        rest = [Term(total), *rest] if total > 0 else [*rest, Term(total)] if total < 0 else rest
        if len(rest) > 1:
            return Term(addends=tuple(rest))
        return rest[0] if rest else Term(0.0)

    def __neg__(self) -> Term:
        return self * Term(-1.0)

    def __sub__(self, other: Term) -> Term:
        opposite = [replace(part, number=-part.number) for part in other._parts()]
        return self + (Term(addends=tuple(opposite)) if len(opposite) > 1 else opposite[0])

    def _parts(self) -> tuple[Term, ...]:
        """The addends, or itself as the only one."""
        return self.addends if len(self.addends) > 1 else (self._product(),)

    def _product(self) -> Term:
        return Term.of(f"({self})") if self.addends else self

    def __str__(self) -> str:
        if self.addends:
            first, *rest = self.addends
            return str(first) + "".join(f" − {-part}" if part.number < 0 else f" + {part}" for part in rest)
        over, under = _gathered(self.over), _gathered(self.under)
        number, below = abs(self.number), 1 / self.number if self.number else math.inf
        if (over or under) and number != 1 and float(abs(below)).is_integer() and abs(below) <= 1000:
            number, under = 1.0, [written(abs(below)), *under]  # x/2, not 0.5·x
        top = _joined([*([] if over and number == 1 else [written(number)]), *over])
        bottom = "·".join(under) if len(under) < 2 else f"({'·'.join(under)})"
        return ("−" if self.number < 0 else "") + top + (f"/{bottom}" if bottom else "")


def _gathered(factors: Sequence[str]) -> list[str]:
    """Each factor once, with its exponent; the frequency first."""
    counts = {factor: factors.count(factor) for factor in factors}
    ordered = sorted(counts, key=lambda factor: factor != _FIRST)
    return [factor + (str(counts[factor]).translate(_SUPERSCRIPTS) if counts[factor] > 1 else "") for factor in ordered]


def _joined(factors: Sequence[str]) -> str:
    """Factors with dots between them, none between a multiple of π and the frequency."""
    if len(factors) > 1 and factors[0].endswith("π") and factors[1].startswith(_FIRST) and len(factors[1]) < 3:
        factors = [factors[0] + factors[1], *factors[2:]]
    return "·".join(f"({factor})" if "/" in factor and factor in _CONSTANTS else factor for factor in factors)


def written(number: float) -> str:
    """A number to four digits, or as the constant that it is.

    >>> written(2 * math.pi), written(-math.log(10)), written(0.25), written(1e-12)
    ('2π', '−ln10', '0.25', '1e−12')
    """
    size, sign = abs(number), "−" if number < 0 else ""
    multiple = size / math.pi if math.isfinite(size) else 0.0
    if 0 < round(multiple) <= _LAST_PI and math.isclose(multiple, round(multiple), rel_tol=1e-6):
        return f"{sign}{round(multiple) if round(multiple) > 1 else ''}π"
    for text, constant in _CONSTANTS.items():
        if math.isclose(size, constant, rel_tol=1e-6):
            return sign + text
    return decimal(number)


def decimal(number: float) -> str:
    """A number to four digits: `3.142`, `−1.5e−9`; a zero has no sign."""
    if not math.isfinite(number):
        return {math.inf: "∞", -math.inf: "−∞"}.get(number, "NaN")
    digits = f"{number + 0.0:.4g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")
    return digits.replace("-", "−")


def power(base: Term, exponent: Term) -> Term:
    """A power, the whole ones with a superscript.

    >>> print(power(Term.of("x"), Term(2.0)), power(Term.of("R") * Term.of("C"), Term(-1.0)))
    x² (R·C)⁻¹
    """
    if exponent.is_number and exponent.number == 0.5:
        return root(base)
    if exponent.is_number and float(exponent.number).is_integer() and abs(exponent.number) < 1000:
        return Term.of(base.factor() + str(int(exponent.number)).translate(_SUPERSCRIPTS))
    return Term.of(f"{base.factor()}^{exponent.factor()}")


def root(inside: Term) -> Term:
    """A square root: `√x`, `√(1 + x)`."""
    return Term.of(f"√{inside.factor()}")


def hypotenuse(first: Term, second: Term) -> Term:
    """`√(1+x²)`, of which a number comes first.

    >>> print(hypotenuse(Term.of("x"), Term(1.0)))
    √(1+x²)
    """
    ordered = (second, first) if second.is_number else (first, second)
    squares = [written(t.number**2) if t.is_number else str(power(t, Term(2.0))) for t in ordered]
    return Term.of(f"√({'+'.join(squares)})")


def called(name: str, *arguments: Term) -> Term:
    """A function of its arguments: `relu(x)`."""
    return Term.of(f"{name}({', '.join(map(str, arguments))})")
