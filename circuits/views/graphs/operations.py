"""The term that each operation of torch computes, from the terms of its operands."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from circuits.views.graphs.terms import Term, called, hypotenuse, power, root, written

Build: TypeAlias = "Callable[..., Term]"
_GUARD = 1e15
"""A clamp beyond this (or below its reciprocal) keeps numbers finite, and is no part of the formula."""

SAME = frozenset(
    {"alias", "as_tensor", "asarray", "broadcast_to", "clone", "contiguous", "detach", "double", "expand", "expand_as"}
    | {"flatten", "float", "positive", "requires_grad", "reshape", "squeeze", "to", "type_as", "unflatten", "unsqueeze"}
    | {"view", "view_as"}
)
"""Operations after which the numbers are what they were."""

SQUARING = frozenset({"hypot", "pow", "square"})
"""Operations that read better of a short name: `√(1+x²)`."""

_ONE = Term(1.0)
_SPELLINGS = {
    "multiply": "mul",
    "true_divide": "div",
    "truediv": "div",
    "divide": "div",
    "subtract": "sub",
    "negative": "neg",
    "absolute": "abs",
    "clip": "clamp",
    "arctan": "atan",
    "arctan2": "atan2",
    "rtruediv": "rdiv",
    "itruediv": "div",
    "iadd": "add",
    "isub": "sub",
    "imul": "mul",
    "rmul": "mul",
}


def operation(function_name: str) -> str:
    """One spelling for each operation: `mul` of `__rmul__`, `mul_` and `multiply`.

    >>> [operation(name) for name in ("__rmul__", "mul_", "multiply", "__rsub__", "relu")]
    ['mul', 'mul', 'mul', 'rsub', 'relu']
    """
    name = function_name
    if name.startswith("__") and name.endswith("__"):
        name = name[2:-2]
    name = name.rstrip("_") or name
    return _SPELLINGS.get(name, name)


def term_of(name: str, arguments: Sequence[Any], options: Mapping[str, Any], part: int | None = None) -> Term:
    """The term that an operation computes.

    Args:
        name: of the operation, as `operation` spells it.
        arguments: a `Term` for each tensor and number, a list of them for a list; anything else as it is.
        options: arguments by name, likewise.
        part: which one, of an operation with several results.

    >>> print(term_of("div", [Term.of("x"), term_of("hypot", [Term.of("x"), Term(1.0)], {})], {}))
    x/√(1+x²)
    """
    if part is not None:
        return _part(name, arguments, options, part)
    if name in SAME and arguments and isinstance(arguments[0], Term):
        return arguments[0]
    if name in _TABLE:
        try:
            return _TABLE[name](*arguments, **options)
        except (TypeError, AttributeError, ValueError):  # called in a way that the table does not know
            pass
    return called(name, *_operands([*arguments, *options.values()]))


def _part(name: str, arguments: Sequence[Any], options: Mapping[str, Any], part: int) -> Term:
    """One of several results: `unbind(x)[0]`."""
    if name == "broadcast_tensors" and part < len(arguments) and isinstance(arguments[part], Term):
        return arguments[part]
    return Term.of(f"{called(name, *_operands([*arguments, *options.values()]))}[{part}]")


def _operands(arguments: Sequence[Any]) -> list[Term]:
    """The terms among the arguments that are no plain numbers, each once."""
    found: dict[Term, None] = {}
    for argument in arguments:
        for item in argument if isinstance(argument, (list, tuple)) else [argument]:
            if isinstance(item, Term) and not item.is_number:
                found[item] = None
    return list(found)


def _add(a: Term, b: Term, *, alpha: Term = _ONE) -> Term:
    return a + b * alpha


def _sub(a: Term, b: Term, *, alpha: Term = _ONE) -> Term:
    return a - b * alpha


def _clamp(x: Term, min: Term | None = None, max: Term | None = None) -> Term:
    low = None if min is None or abs(_number(min)) < 1 / _GUARD and _number(min) else min
    high = None if max is None or _number(max) > _GUARD else max
    if low is not None and _number(low) < -_GUARD:
        low = None
    if low is not None and high is not None:
        return called("clamp", x, low, high)
    return called("max", x, low) if low is not None else called("min", x, high) if high is not None else x


def _number(term: Term) -> float:
    return term.number if term.is_number else 1.0


def _abs(x: Term) -> Term:
    return Term.of(f"|{x}|")


def _exp(x: Term) -> Term:
    if math.isclose(x.number, math.log(10), rel_tol=1e-6) and not x.addends:
        return Term.of(f"10^{Term(1.0, x.over, x.under).factor()}")
    return called("exp", x)


def _where(condition: Term, yes: Term, no: Term) -> Term:
    return Term.loose(f"{yes} if {condition} else {no}")


def _compared(sign: str) -> Build:
    return lambda a, b: Term.loose(f"{a} {sign} {b}")


def _listed(tensors: Sequence[Term], dim: Any = None) -> Term:
    return Term.of(f"({', '.join(map(str, tensors))})")


def _log(name: str) -> Build:
    return lambda x: called(name, x)


def _item(x: Term, key: Any) -> Term:
    if isinstance(key, Term) and key.is_number:
        return Term.of(f"{x.factor()}[{written(key.number)}]")
    raise ValueError


_TABLE: dict[str, Build] = {
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "rdiv": lambda a, b: b / a,
    "add": _add,
    "radd": lambda a, b: b + a,
    "sub": _sub,
    "rsub": lambda a, b: b - a,
    "neg": lambda a: -a,
    "reciprocal": lambda a: Term(1.0) / a,
    "square": lambda a: power(a, Term(2.0)),
    "pow": power,
    "rpow": lambda a, b: power(b, a),
    "sqrt": root,
    "rsqrt": lambda a: Term(1.0) / root(a),
    "hypot": hypotenuse,
    "abs": _abs,
    "exp": _exp,
    "log": _log("ln"),
    "log10": _log("log₁₀"),
    "log2": _log("log₂"),
    "log1p": lambda a: called("ln", Term(1.0) + a),
    "clamp": _clamp,
    "clamp_min": lambda x, low: _clamp(x, low),
    "clamp_max": lambda x, high: _clamp(x, None, high),
    "atan": _log("arctan"),
    "where": _where,
    "complex": lambda a, b: Term.loose(f"{a} + j·{b.factor()}"),
    "lt": _compared("<"),
    "gt": _compared(">"),
    "le": _compared("≤"),
    "ge": _compared("≥"),
    "stack": _listed,
    "cat": _listed,
    "getitem": _item,
    "deg2rad": lambda a: Term(math.pi / 180) * a,
    "rad2deg": lambda a: Term(180 / math.pi) * a,
}
