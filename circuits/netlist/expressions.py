"""Expressions of a netlist as plain trees, and their values: over numbers, or over tensors with their graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from circuits.errors import NetlistError

Real: TypeAlias = "float | Tensor"


@dataclass(frozen=True)
class Number:
    """A number as written."""

    value: float


@dataclass(frozen=True)
class Name:
    """A parameter by its full name."""

    name: str


@dataclass(frozen=True)
class Call:
    """An operator or a function, by its key in `FUNCTIONS`, with its arguments."""

    function: str
    arguments: tuple[Expression, ...]


Expression: TypeAlias = "Number | Name | Call"


@dataclass(frozen=True)
class Function:
    """What an operator or a function does to its arguments: as many as `arity`, numbers and tensors alike."""

    arity: int
    apply: Callable[..., Real]


def evaluate(expression: Expression, values: Mapping[str, Real]) -> Real:
    """The value of an expression, differentiable where the values are tensors.

    As in ngspice, `log` is the natural logarithm, `x^y` is |x|ʸ, and what is true has the value 1.

    Args:
        expression: a tree of numbers, names and calls.
        values: by full name, everything that the expression mentions; floats, or tensors whose shapes broadcast.

    Raises:
        NetlistError: a name without a value, or a value that is not finite, such as that of `1/0` or `sqrt(-1)`.

    >>> half = Call("/", (Name("R1"), Number(2.0)))
    >>> evaluate(half, {"R1": 100.0})
    50.0
    >>> R1 = torch.tensor([100.0, 300.0], requires_grad=True)
    >>> torch.autograd.grad(evaluate(half, {"R1": R1}).sum(), R1)[0]
    tensor([0.5000, 0.5000])
    """
    try:
        value = _value(expression, values)
    except NetlistError:
        raise
    except (ArithmeticError, ValueError, TypeError, RuntimeError) as error:
        raise NetlistError(f"{to_text(expression)} has no value ({error}); give numbers that fit together") from error
    if not isinstance(expression, Name) and not _is_finite(value):  # a name's value was somebody else's to check
        raise NetlistError(f"{to_text(expression)} is not finite; change the values that go into it")
    return value


def names(expression: Expression) -> tuple[str, ...]:
    """Every name in an expression, once, from left to right.

    >>> names(Call("+", (Name("b"), Call("*", (Name("a"), Name("b"))))))
    ('b', 'a')
    """
    found: dict[str, None] = {}
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Name):
            found[part.name] = None
        elif isinstance(part, Call):
            waiting.extend(reversed(part.arguments))
    return tuple(found)


def to_text(expression: Expression) -> str:
    """An expression as ngspice reads it between braces; numbers keep every digit.

    >>> to_text(Call("*", (Call("+", (Name("a"), Number(1e-6))), Call("u-", (Name("b"),)))))
    '(a+1e-06)*(-b)'
    """
    if isinstance(expression, Number):
        return repr(float(expression.value))
    return _text(expression, 0)


def _value(expression: Expression, values: Mapping[str, Real]) -> Real:
    if isinstance(expression, Number):
        return expression.value
    if isinstance(expression, Name):
        if expression.name not in values:
            raise NetlistError(f"no value for {expression.name!r}; give one for every name that an expression mentions")
        return values[expression.name]
    if expression.function == "?:":
        return _choice(expression.arguments, values)
    arguments = []
    for argument in expression.arguments:  # no comprehension: it would cost a second stack frame a level
        arguments.append(_value(argument, values))
    return FUNCTIONS[expression.function].apply(*arguments)


def _choice(arguments: tuple[Expression, ...], values: Mapping[str, Real]) -> Real:
    """Only the branch that counts, where all boards agree: the other may have no value, and its gradient be NaN."""
    condition = _value(arguments[0], values)
    if not isinstance(condition, Tensor):
        return _value(arguments[1 if condition else 2], values)
    try:
        agreed = bool((condition != 0).all()), bool((condition == 0).all())
    except RuntimeError:  # under vmap, or on a meta tensor, there is no value to look at
        agreed = False, False
    if any(agreed):
        return _value(arguments[1 if agreed[0] else 2], values)
    return _where(condition, _value(arguments[1], values), _value(arguments[2], values))


def _is_finite(value: Real) -> bool:
    if not isinstance(value, Tensor):
        return math.isfinite(value)
    try:
        return bool(torch.isfinite(value.detach()).all())
    except RuntimeError:  # under vmap, or on a meta tensor, there is no value to look at
        return True


# what functions do, on numbers as C's library does it, and on tensors


def _one(number: Callable[[float], float], tensor: Callable[[Tensor], Tensor]) -> Function:
    """A function of one argument: NaN outside its domain and infinity beyond its range, never an exception."""

    def apply(x: Real) -> Real:
        if isinstance(x, Tensor):
            return tensor(x)
        try:
            return float(number(x))
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan

    return Function(1, apply)


def _divide(x: Real, y: Real) -> Real:
    if isinstance(x, Tensor) or isinstance(y, Tensor) or y:
        return x / y
    return math.nan if x == 0 or math.isnan(x) else math.copysign(math.inf, x) * math.copysign(1.0, y)


def _power(x: Real, y: Real) -> Real:
    if isinstance(x, Tensor) or isinstance(y, Tensor):
        return torch.pow(x, y)  # type: ignore[arg-type] # either may be a number
    try:
        return math.pow(x, y)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


def _power_of_size(x: Real, y: Real) -> Real:
    return _power(abs(x), y)


def _remainder(x: Real, y: Real) -> Real:
    if isinstance(x, Tensor) or isinstance(y, Tensor):
        return x - y * torch.trunc(torch.as_tensor(x / y))
    return math.fmod(x, y) if y else math.nan


def _whole_quotient(x: Real, y: Real) -> Real:
    quotient = abs(_divide(x, y))
    if isinstance(quotient, Tensor):
        return torch.trunc(quotient)
    return float(math.trunc(quotient)) if math.isfinite(quotient) else quotient


def _extreme(number: Callable[[float, float], float], tensor: Callable[[Tensor, Tensor], Tensor]) -> Function:
    def apply(x: Real, y: Real) -> Real:
        like = x if isinstance(x, Tensor) else y
        if not isinstance(like, Tensor):
            return number(x, y)  # type: ignore[arg-type] # neither is a tensor
        return tensor(_as(x, like), _as(y, like))

    return Function(2, apply)


def _test(test: Callable[[Real, Real], object]) -> Function:
    """A comparison: 1 where it holds and 0 elsewhere."""

    def apply(x: Real, y: Real) -> Real:
        held = test(x, y)
        if isinstance(held, Tensor):
            return held.to(x.dtype if isinstance(x, Tensor) else y.dtype)  # type: ignore[union-attr]
        return float(bool(held))

    return Function(2, apply)


def _where(condition: Real, x: Real, y: Real) -> Real:
    if not isinstance(condition, Tensor):
        return x if condition else y
    return torch.where(condition != 0, _as(x, condition), _as(y, condition))


def _as(value: Real, like: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=like.dtype, device=like.device)


def _sign(x: float) -> float:
    return float((x > 0) - (x < 0))


_ARCTAN = _one(math.atan, torch.atan)
_LOG = _one(lambda x: math.log(x) if x else -math.inf, torch.log)

FUNCTIONS: Mapping[str, Function] = {
    "||": _test(lambda x, y: (x != 0) | (y != 0)),
    "&&": _test(lambda x, y: (x != 0) & (y != 0)),
    "==": _test(lambda x, y: x == y),
    "!=": _test(lambda x, y: x != y),
    "<": _test(lambda x, y: x < y),
    ">": _test(lambda x, y: x > y),
    "<=": _test(lambda x, y: x <= y),
    ">=": _test(lambda x, y: x >= y),
    "+": Function(2, lambda x, y: x + y),
    "-": Function(2, lambda x, y: x - y),
    "*": Function(2, lambda x, y: x * y),
    "/": Function(2, _divide),
    "%": Function(2, _remainder),
    "\\": Function(2, _whole_quotient),
    "^": Function(2, _power_of_size),
    "u-": Function(1, lambda x: -x),
    "!": _one(lambda x: float(x == 0), lambda x: (x == 0).to(x.dtype)),
    "?:": Function(3, _where),
    "ternary_fcn": Function(3, _where),
    "sqr": Function(1, lambda x: x * x),
    "sqrt": _one(math.sqrt, torch.sqrt),
    "exp": _one(math.exp, torch.exp),
    "ln": _LOG,
    "log": _LOG,
    "log10": _one(lambda x: math.log10(x) if x else -math.inf, torch.log10),
    "sin": _one(math.sin, torch.sin),
    "cos": _one(math.cos, torch.cos),
    "tan": _one(math.tan, torch.tan),
    "asin": _one(math.asin, torch.asin),
    "acos": _one(math.acos, torch.acos),
    "atan": _ARCTAN,
    "arctan": _ARCTAN,
    "sinh": _one(math.sinh, torch.sinh),
    "cosh": _one(math.cosh, torch.cosh),
    "tanh": _one(math.tanh, torch.tanh),
    "asinh": _one(math.asinh, torch.asinh),
    "acosh": _one(math.acosh, torch.acosh),
    "atanh": _one(math.atanh, torch.atanh),
    "abs": Function(1, lambda x: abs(x)),
    "sgn": _one(_sign, torch.sign),
    "int": _one(math.trunc, torch.trunc),
    "nint": _one(round, torch.round),
    "floor": _one(math.floor, torch.floor),
    "ceil": _one(math.ceil, torch.ceil),
    "pow": Function(2, _power),
    "pwr": Function(2, _power_of_size),
    "min": _extreme(min, torch.minimum),
    "max": _extreme(max, torch.maximum),
}
"""Operators and functions as ngspice has them in `.param` and braces; those that draw random numbers are left out."""

LEVELS: Mapping[str, int] = {
    operator: level
    for level, operators in enumerate(("||", "&&", "== != < > <= >=", "+ -", "* / % \\", "^"), start=1)
    for operator in operators.split()
}
"""How tightly a binary operator binds; equals bind from left to right, even `^`."""


def _text(expression: Expression, level: int) -> str:
    """Text that may stand beside an operator of this level."""
    if isinstance(expression, Number):
        text = repr(float(expression.value))
        return f"({text})" if text.startswith("-") else text
    if isinstance(expression, Name):
        return expression.name
    own = LEVELS.get(expression.function)
    if own is not None:
        left, right = expression.arguments
        text = f"{_text(left, own)}{expression.function}{_text(right, own + 1)}"
        return f"({text})" if own < level else text
    if expression.function == "u-":  # ngspice takes a sign only at the beginning of parentheses
        return f"(-{_text(expression.arguments[0], LEVELS['*'])})"
    if expression.function == "!":
        return f"!{_text(expression.arguments[0], len(LEVELS))}"
    function = "ternary_fcn" if expression.function == "?:" else expression.function
    return f"{function}({','.join([_text(argument, 0) for argument in expression.arguments])})"
