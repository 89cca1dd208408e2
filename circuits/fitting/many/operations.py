"""What torch's operations mean element by element: each becomes nodes of a graph.

An element is a pair of nodes, its real and its imaginary part; that of a real tensor is zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from circuits.fitting.many.expressions import Graph

Pair: TypeAlias = "tuple[int, int]"
Rule: TypeAlias = "Callable[..., Pair]"

MOVES = frozenset(
    (
        *("view", "_unsafe_view", "reshape", "_reshape_alias", "expand", "unsqueeze", "squeeze", "select", "slice"),
        *("permute", "transpose", "t", "stack", "cat", "clone", "alias", "detach", "unbind", "split", "flip", "roll"),
        *("split_with_sizes", "index_select", "index", "diagonal", "repeat", "broadcast_to", "gather", "unfold"),
    )
)
"""Operations that only move elements about: they are carried out on the numbers of the nodes."""


def add(g: Graph, a: Pair, b: Pair, alpha: Pair | None = None) -> Pair:
    """a + alpha·b."""
    b = b if alpha is None else mul(g, alpha, b)
    return g.add(a[0], b[0]), g.add(a[1], b[1])


def sub(g: Graph, a: Pair, b: Pair, alpha: Pair | None = None) -> Pair:
    """a − alpha·b."""
    b = b if alpha is None else mul(g, alpha, b)
    return g.sub(a[0], b[0]), g.sub(a[1], b[1])


def rsub(g: Graph, a: Pair, b: Pair, alpha: Pair | None = None) -> Pair:
    """b − alpha·a."""
    return sub(g, b, a, alpha)


def neg(g: Graph, a: Pair) -> Pair:
    """−a."""
    return g.neg(a[0]), g.neg(a[1])


def mul(g: Graph, a: Pair, b: Pair) -> Pair:
    """a · b."""
    if a[1] == g.zero and b[1] == g.zero:
        return g.mul(a[0], b[0]), g.zero
    real = g.sub(g.mul(a[0], b[0]), g.mul(a[1], b[1]))
    return real, g.add(g.mul(a[0], b[1]), g.mul(a[1], b[0]))


def reciprocal(g: Graph, a: Pair) -> Pair:
    """1/a."""
    if a[1] == g.zero:
        return g.reciprocal(a[0]), g.zero
    inverse = g.reciprocal(norm(g, a))
    return g.mul(a[0], inverse), g.neg(g.mul(a[1], inverse))


def div(g: Graph, a: Pair, b: Pair) -> Pair:
    """a / b."""
    if b[1] == g.zero:
        return g.div(a[0], b[0]), g.div(a[1], b[0])
    return mul(g, a, reciprocal(g, b))


def norm(g: Graph, a: Pair) -> int:
    """|a|²."""
    return g.add(g.square(a[0]), g.square(a[1]))


def absolute(g: Graph, a: Pair) -> Pair:
    """|a|."""
    return g.hypot(a[0], a[1]), g.zero


def angle(g: Graph, a: Pair) -> Pair:
    """Angle in radians."""
    return g.atan2(a[1], a[0]), g.zero


def power(g: Graph, a: Pair, exponent: Pair) -> Pair:
    """a to a constant real power."""
    known = g.value(exponent[0])
    if known is None or g.value(exponent[1]) != 0 or (a[1] != g.zero and known != int(known)):
        raise NotImplementedError("a power that is no constant")
    if a[1] == g.zero:
        return g.power(a[0], known), g.zero
    whole = (g.one, g.zero)
    for _ in range(abs(int(known))):
        whole = mul(g, whole, a)
    return reciprocal(g, whole) if known < 0 else whole


def exponential(g: Graph, a: Pair) -> Pair:
    """e^a."""
    size = g.unary("exp", a[0])
    if a[1] == g.zero:
        return size, g.zero
    return g.mul(size, g.unary("cos", a[1])), g.mul(size, g.unary("sin", a[1]))


def root(g: Graph, a: Pair) -> Pair:
    """√a of a real number."""
    return g.unary("sqrt", _only(g, a)), g.zero


def rsqrt(g: Graph, a: Pair) -> Pair:
    """1/√a."""
    return g.reciprocal(root(g, a)[0]), g.zero


def sigmoid(g: Graph, a: Pair) -> Pair:
    """1/(1 + e^−a)."""
    return g.reciprocal(g.add(g.one, g.unary("exp", g.neg(_only(g, a))))), g.zero


def log_sigmoid(g: Graph, a: Pair) -> Pair:
    """ln of the same: min(a, 0) − ln(1 + e^−|a|)."""
    x = _only(g, a)
    tail = g.unary("log1p", g.unary("exp", g.neg(g.unary("abs", x))))
    return g.sub(g.smaller(x, g.zero), tail), g.zero


def tangent(g: Graph, a: Pair) -> Pair:
    """tan a."""
    x = _only(g, a)
    return g.div(g.unary("sin", x), g.unary("cos", x)), g.zero


def tanh(g: Graph, a: Pair) -> Pair:
    """tanh a = 1 − 2/(1 + e^2a)."""
    doubled = g.unary("exp", g.mul(g.constant(2.0), _only(g, a)))
    return g.sub(g.one, g.mul(g.constant(2.0), g.reciprocal(g.add(doubled, g.one)))), g.zero


def hypot(g: Graph, a: Pair, b: Pair) -> Pair:
    """√(a² + b²)."""
    return g.hypot(_only(g, a), _only(g, b)), g.zero


def atan2(g: Graph, a: Pair, b: Pair) -> Pair:
    """Angle of the point (b, a)."""
    return g.atan2(_only(g, a), _only(g, b)), g.zero


def clamp(g: Graph, a: Pair, low: Pair | None = None, high: Pair | None = None) -> Pair:
    """a between two ends."""
    x = _only(g, a)
    x = x if low is None else g.larger(x, _only(g, low))
    return (x if high is None else g.smaller(x, _only(g, high))), g.zero


def clamp_max(g: Graph, a: Pair, high: Pair) -> Pair:
    """The smaller of two."""
    return clamp(g, a, None, high)


def relu(g: Graph, a: Pair) -> Pair:
    """max(a, 0)."""
    return g.select(g.less(g.zero, _only(g, a)), a[0], g.zero), g.zero


def where(g: Graph, condition: Pair, a: Pair, b: Pair) -> Pair:
    """a where the condition holds, else b."""
    return g.select(condition[0], a[0], b[0]), g.select(condition[0], a[1], b[1])


def addcmul(g: Graph, a: Pair, b: Pair, c: Pair, value: Pair | None = None) -> Pair:
    """a + value·b·c."""
    return add(g, a, mul(g, b, c), value)


def _only(g: Graph, a: Pair) -> int:
    """The number of what has to be real."""
    if a[1] != g.zero:
        raise NotImplementedError("an operation on complex numbers that is not known here")
    return a[0]


def _unary(op: str) -> Rule:
    return lambda g, a: (g.unary(op, _only(g, a)), g.zero)


def _scaled(op: str | None, factor: float) -> Rule:
    def rule(g: Graph, a: Pair) -> Pair:
        inner = _only(g, a) if op is None else g.unary(op, _only(g, a))
        return g.mul(g.constant(factor), inner), g.zero

    return rule


def _compared(rule: Callable[[Graph, int, int], int]) -> Rule:
    return lambda g, a, b: (rule(g, _only(g, a), _only(g, b)), g.zero)


def _not(g: Graph, a: int) -> int:
    return g.select(a, g.zero, g.one)


RULES: dict[str, Rule] = {
    "add": add,
    "sub": sub,
    "rsub": rsub,
    "neg": neg,
    "mul": mul,
    "div": div,
    "reciprocal": reciprocal,
    "abs": absolute,
    "angle": angle,
    "pow": power,
    "square": lambda g, a: mul(g, a, a),
    "exp": exponential,
    "sqrt": root,
    "rsqrt": rsqrt,
    "sigmoid": sigmoid,
    "log_sigmoid_forward": log_sigmoid,
    "tan": tangent,
    "tanh": tanh,
    "hypot": hypot,
    "atan2": atan2,
    "clamp": clamp,
    "clamp_min": clamp,
    "clamp_max": clamp_max,
    "minimum": clamp_max,
    "maximum": clamp,
    "relu": relu,
    "where": where,
    "addcmul": addcmul,
    "complex": lambda g, a, b: (_only(g, a), _only(g, b)),
    "_conj": lambda g, a: (a[0], g.neg(a[1])),
    "conj_physical": lambda g, a: (a[0], g.neg(a[1])),
    "resolve_conj": lambda g, a: a,
    "resolve_neg": lambda g, a: a,
    "_to_copy": lambda g, a: a,
    "lt": _compared(lambda g, a, b: g.less(a, b)),
    "gt": _compared(lambda g, a, b: g.less(b, a)),
    "le": _compared(lambda g, a, b: _not(g, g.less(b, a))),
    "ge": _compared(lambda g, a, b: _not(g, g.less(a, b))),
    "eq": _compared(lambda g, a, b: g.equal(a, b)),
    "ne": _compared(lambda g, a, b: _not(g, g.equal(a, b))),
    "logical_not": lambda g, a: (_not(g, a[0]), g.zero),
    "bitwise_not": lambda g, a: (_not(g, a[0]), g.zero),
    "logical_and": lambda g, a, b: (g.select(a[0], b[0], g.zero), g.zero),
    "bitwise_and": lambda g, a, b: (g.select(a[0], b[0], g.zero), g.zero),
    "logical_or": lambda g, a, b: (g.select(a[0], g.one, b[0]), g.zero),
    "bitwise_or": lambda g, a, b: (g.select(a[0], g.one, b[0]), g.zero),
    "isnan": lambda g, a: (g.zero, g.zero),
    "log10": _scaled("log", 1 / math.log(10)),
    "log2": _scaled("log", 1 / math.log(2)),
    "rad2deg": _scaled(None, 180 / math.pi),
    "deg2rad": _scaled(None, math.pi / 180),
    **{op: _unary(op) for op in ("expm1", "log", "log1p", "sin", "cos", "atan", "sign", "floor")},
}
"""The meaning of an operation by its name in torch's own library, for arguments of one element each."""
