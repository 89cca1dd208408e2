"""Real formulas as a graph of numbered nodes: equal formulas are one node, and constants are folded as they are made.

A node's arguments have smaller numbers, so that the numbers are an order in which everything can be computed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

CONSTANT, BOARD, POINT = range(3)
"""How often a node has to be computed: never, once for a board, once for a data point."""

ENDLESS = 1e100
"""From here on a bound is there for the sake of floating-point numbers alone, not of the circuit."""

UNARY = {
    "neg": lambda a: -a,
    "sqrt": lambda a: math.sqrt(a) if a >= 0 else math.nan,
    "exp": lambda a: math.exp(a) if a < 709 else math.inf,
    "expm1": lambda a: math.expm1(a) if a < 709 else math.inf,
    "log": lambda a: math.log(a) if a > 0 else (-math.inf if a == 0 else math.nan),
    "log1p": lambda a: math.log1p(a) if a > -1 else (-math.inf if a == -1 else math.nan),
    "sin": math.sin,
    "cos": math.cos,
    "atan": math.atan,
    "abs": abs,
    "sign": lambda a: float((a > 0) - (a < 0)),
    "floor": lambda a: float(math.floor(a)),
}
"""What a function of one number is of a constant."""


class Node(NamedTuple):
    """`op` of `args`: numbers of nodes, or the value of a constant, or the name of an input."""

    op: str
    args: tuple


class Graph:
    """Nodes with their levels; methods named for an operation give the number of its node.

    >>> graph = Graph()
    >>> x = graph.input("x", POINT)
    >>> graph.mul(x, graph.constant(1.0)) == x, graph.add(x, x) == graph.add(x, x)
    (True, True)
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.levels: list[int] = []
        self._numbers: dict[Node, int] = {}
        self._factors: dict[int, tuple[int, int]] = {}
        self.zero, self.one = self.constant(0.0), self.constant(1.0)

    def copy(self) -> Graph:
        """The same nodes under the same numbers, to which others can be added."""
        other = Graph()
        other.nodes, other.levels = [*self.nodes], [*self.levels]
        other._numbers, other._factors = {**self._numbers}, {**self._factors}
        return other

    def _node(self, op: str, args: tuple, level: int) -> int:
        node = Node(op, args)
        number = self._numbers.get(node)
        if number is None:
            number = self._numbers[node] = len(self.nodes)
            self.nodes.append(node)
            self.levels.append(level)
        return number

    def _of(self, op: str, *args: int) -> int:
        return self._node(op, args, max(self.levels[a] for a in args))

    def constant(self, value: float) -> int:
        """A number; −0.0 is 0.0."""
        return self._node("const", (float(value) + 0.0,), CONSTANT)

    def input(self, name: str, level: int) -> int:
        """Something that is given from outside."""
        return self._node("input", (name,), level)

    def value(self, number: int) -> float | None:
        """The value of a constant, None for all else."""
        node = self.nodes[number]
        return node.args[0] if node.op == "const" else None

    def unary(self, op: str, a: int) -> int:
        """One of `UNARY`."""
        known = self.value(a)
        return self._of(op, a) if known is None else self.constant(UNARY[op](known))

    def neg(self, a: int) -> int:
        """−a."""
        node = self.nodes[a]
        return node.args[0] if node.op == "neg" else self.unary("neg", a)

    def add(self, a: int, b: int) -> int:
        """a + b."""
        u, v = self.value(a), self.value(b)
        if u is not None and v is not None:
            return self.constant(u + v)
        if u == 0 or v == 0:
            return b if u == 0 else a
        for one, other in ((a, b), (b, a)):
            if self.nodes[other].op == "neg":
                return self.sub(one, self.nodes[other].args[0])
        return self._of("add", *sorted((a, b)))

    def sub(self, a: int, b: int) -> int:
        """a − b."""
        u, v = self.value(a), self.value(b)
        if u is not None and v is not None:
            return self.constant(u - v)
        if v == 0:
            return a
        if u == 0:
            return self.neg(b)
        if self.nodes[b].op == "neg":
            return self.add(a, self.nodes[b].args[0])
        return self.zero if a == b else self._remainder(a, b) or self._of("sub", a, b)

    def _remainder(self, a: int, b: int) -> int:
        """a − a·x²/(1 + x²) as a/(1 + x²), by which no digits cancel; 0 where that is not what is asked."""
        (size, one), (other_size, other) = self.factors(a), self.factors(b)
        if one - other or not size:
            return 0
        more = other - one
        for root in [n for n, times in more.items() if times >= 2 and self.nodes[n].op == "rsqrt"]:
            under, roots = self.nodes[self.nodes[root].args[0]], Counter({root: 2})
            if under.op == "add" and under.args[0] == self.one:
                square_size, square = self.factors(under.args[1])
                if square == more - roots and math.isclose(other_size / size, square_size, rel_tol=1e-12):
                    return self.product(size, one + roots)
        return 0

    def mul(self, a: int, b: int) -> int:
        """a · b; zero times anything is zero."""
        u, v = self.value(a), self.value(b)
        if u is not None and v is not None:
            return self.constant(u * v)
        for known, other in ((u, b), (v, a)):
            if known == 0:
                return self.zero
            if known == 1:
                return other
            if known == -1:
                return self.neg(other)
        for one, other in ((a, b), (b, a)):
            if self.nodes[one].op == "neg":
                return self.neg(self.mul(self.nodes[one].args[0], other))
        return self._ordered(a, b)

    def _ordered(self, a: int, b: int) -> int:
        """A product, what a board has once in front of what differs from point to point."""
        (k, x), (m, y) = self._front(a), self._front(b)
        if (k == self.one and m == self.one) or (x == self.one and y == self.one):
            return self._of("mul", *sorted((a, b)))
        fixed, rest = self.mul(k, m), self.mul(x, y)
        return fixed if rest == self.one else self._of("mul", fixed, rest)

    def _front(self, number: int) -> tuple[int, int]:
        """The factor of a node that a board has once, and the other, as far as one look at the node tells."""
        if self.levels[number] < POINT:
            return number, self.one
        node = self.nodes[number]
        return node.args if node.op == "mul" and self.levels[node.args[0]] < POINT else (self.one, number)  # type: ignore[return-value]

    def div(self, a: int, b: int) -> int:
        """a / b."""
        u, v = self.value(a), self.value(b)
        if v is not None and v != 0:
            return self.mul(a, self.constant(1 / v)) if u is None else self.constant(u / v)
        return self.zero if u == 0 else self.mul(a, self.reciprocal(b))

    def reciprocal(self, a: int) -> int:
        """1/a, of a square root 1/√a."""
        node, known = self.nodes[a], self.value(a)
        if known is not None and known != 0:
            return self.constant(1 / known)
        if node.op == "sqrt":
            return self._of("rsqrt", node.args[0])
        if node.op == "neg":
            return self.neg(self.reciprocal(node.args[0]))
        return self._of("reciprocal", a)

    def square(self, a: int) -> int:
        """a²; that of a root is what stands under it."""
        node = self.nodes[a]
        return node.args[0] if node.op == "sqrt" else self.mul(a, a)

    def power(self, a: int, exponent: float) -> int:
        """a to a constant power, by multiplications and roots where it is a multiple of one half."""
        if exponent == 0:
            return self.one
        if exponent < 0:
            return self.reciprocal(self.power(a, -exponent))
        if exponent == int(exponent) and exponent <= 16:
            half = self.power(a, exponent // 2)
            whole = self.one if exponent < 2 else self.square(half)
            return self.mul(whole, a) if exponent % 2 else whole
        if exponent == int(exponent) + 0.5 and exponent <= 16:
            return self.mul(self.power(a, int(exponent)), self.unary("sqrt", a))
        return self.unary("exp", self.mul(self.constant(exponent), self.unary("log", a)))

    def hypot(self, a: int, b: int) -> int:
        """√(a² + b²)."""
        if b == self.zero or a == self.zero:
            return self.unary("abs", a if b == self.zero else b)
        return self.unary("sqrt", self.add(self.square(a), self.square(b)))

    def atan2(self, y: int, x: int) -> int:
        """The angle of the point (x, y) in radians."""
        u, v = self.value(y), self.value(x)
        return self._of("atan2", y, x) if u is None or v is None else self.constant(math.atan2(u, v))

    def smaller(self, a: int, b: int) -> int:
        """The smaller of two; no number of a circuit reaches `ENDLESS`."""
        if (self.value(b) or 0.0) >= ENDLESS:
            return a
        return self.select(self.less(a, b), a, b)

    def larger(self, a: int, b: int) -> int:
        """The larger of two."""
        return self.select(self.less(a, b), b, a)

    def less(self, a: int, b: int) -> int:
        """Whether a < b, as 1 or 0; only to be used in `select`, `both`, `inverted`."""
        u, v = self.value(a), self.value(b)
        return self._of("less", a, b) if u is None or v is None else self.constant(float(u < v))

    def equal(self, a: int, b: int) -> int:
        """Whether a = b."""
        u, v = self.value(a), self.value(b)
        return self._of("equal", a, b) if u is None or v is None else self.constant(float(u == v))

    def select(self, condition: int, a: int, b: int) -> int:
        """a where the condition holds, b elsewhere."""
        known = self.value(condition)
        if known is not None or a == b:
            return a if known or a == b else b
        return self._of("select", condition, a, b)

    def reachable(self, wanted: Iterable[int]) -> list[int]:
        """Numbers of all nodes that the wanted ones need, in an order of computing."""
        found: set[int] = set()
        left = list(wanted)
        while left:
            number = left.pop()
            if number not in found:
                found.add(number)
                node = self.nodes[number]
                if node.op not in ("const", "input"):
                    left.extend(node.args)
        return sorted(found)

    def factored(self, number: int) -> tuple[int, int]:
        """The same as a product of what is computed once for a board and what differs from point to point."""
        if number not in self._factors:
            self._factors[number] = self._split(number)
        return self._factors[number]

    def _split(self, number: int) -> tuple[int, int]:
        if self.levels[number] < POINT:
            return number, self.one
        node = self.nodes[number]
        if node.op == "neg":
            fixed, rest = self.factored(node.args[0])
            return self.neg(fixed), rest
        if node.op == "mul":
            (a, x), (b, y) = (self.factored(arg) for arg in node.args)
            return self.mul(a, b), self.mul(x, y)
        if node.op in ("add", "sub"):
            (a, x), (b, y) = (self.factored(arg) for arg in node.args)
            shared, left, right, is_sum = self._shared(a, b, node.op == "add")
            if shared != self.one:
                left, right = self.mul(left, x), self.mul(right, y)
                return shared, self.add(left, right) if is_sum else self.sub(left, right)
        return self.one, number

    def _shared(self, a: int, b: int, is_sum: bool) -> tuple[int, int, int, bool]:
        """What two products have in common, what is left of each, and whether those are then to be added."""
        (size, one), (other_size, other) = self.factors(a), self.factors(b)
        if self.one in (a, b) or not size or not other_size:
            return self.one, a, b, is_sum
        common, ratio = one & other, other_size / size
        rest = self.product(abs(ratio), other - common)
        return self.product(size, common), self.product(1.0, one - common), rest, is_sum == (ratio > 0)

    def factors(self, number: int) -> tuple[float, Counter[int]]:
        """A product as a number, and its other factors with how often each stands in it."""
        node = self.nodes[number]
        if node.op == "const":
            return node.args[0], Counter()
        if node.op == "neg":
            size, inner = self.factors(node.args[0])
            return -size, inner
        if node.op == "mul":
            (size, one), (other_size, other) = (self.factors(arg) for arg in node.args)
            return size * other_size, one + other
        return 1.0, Counter([number])

    def product(self, size: float, factors: Counter[int]) -> int:
        """The node of a number times these factors."""
        total = self.constant(size)
        for factor in sorted(factors.elements()):
            total = self.mul(total, factor)
        return total
