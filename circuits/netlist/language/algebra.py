"""Building expressions out of expressions."""

from __future__ import annotations

import math
from functools import reduce

from circuits.errors import NetlistError
from circuits.netlist.expressions import Call, Expression, Number, evaluate, names

ONE = Number(1.0)
ZERO = Number(0.0)


def times(*factors: Expression) -> Expression:
    """The product of expressions, without factors of one.

    >>> times(Number(1.0), Number(3.0))
    Number(value=3.0)
    """
    wanted = [factor for factor in factors if factor != ONE]
    return reduce(lambda product, factor: Call("*", (product, factor)), wanted) if wanted else ONE


def over(dividend: Expression, divisor: Expression) -> Expression:
    """A quotient."""
    return dividend if divisor == ONE else Call("/", (dividend, divisor))


def plus(*terms: Expression) -> Expression:
    """The sum of expressions, without zeros."""
    wanted = [term for term in terms if term != ZERO]
    return reduce(lambda total, term: Call("+", (total, term)), wanted) if wanted else ZERO


def minus(first: Expression, second: Expression) -> Expression:
    """A difference."""
    return first if second == ZERO else Call("-", (first, second))


def constant(expression: Expression) -> float | None:
    """The value of an expression that mentions no name, NaN if it has none, or None for any other expression.

    >>> constant(times(Number(2.0), Number(3.0)))
    6.0
    """
    if isinstance(expression, Number):
        return expression.value
    if names(expression):
        return None
    try:
        return float(evaluate(expression, {}))
    except NetlistError:  # whoever uses the value says so, and where
        return math.nan
