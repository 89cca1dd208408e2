"""Products that share factors with one another are put together from what has been multiplied already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from circuits.fitting.many.expressions import POINT, Graph


class Products:
    """Products of a graph that are computed at every point anyway, by their factors.

    >>> graph = Graph()
    >>> x, y = graph.input("x", POINT), graph.input("y", POINT)
    >>> xy = graph.mul(x, y)
    >>> products = Products(graph, [xy])
    >>> square = graph.mul(graph.mul(x, x), graph.mul(y, y))
    >>> products.tidied(graph.mul(square, x)) == graph.mul(graph.mul(xy, xy), x)
    True
    """

    def __init__(self, graph: Graph, used: Iterable[int]):
        self.graph = graph
        self._made: dict[frozenset, int] = {}
        for number in graph.reachable(used):
            if graph.nodes[number].op == "mul" and graph.levels[number] == POINT:
                self._keep(graph.factors(graph.factored(number)[1])[1], graph.factored(number)[1])

    def tidied(self, number: int) -> int:
        """The same value, its factors at a point multiplied in an order that needs few multiplications."""
        graph = self.graph
        fixed, rest = graph.factored(number)
        if graph.nodes[rest].op != "mul":
            return number
        size, left = graph.factors(rest)
        total = graph.one
        together: Counter[int] = Counter()
        while left:
            part = self._largest_within(left)
            left, together = left - part, together + part
            total = graph.mul(total, self._product(part))
            self._keep(together, total)
        return graph.mul(graph.mul(fixed, graph.constant(size)), total)

    def _keep(self, factors: Counter[int], number: int) -> None:
        self._made.setdefault(frozenset(factors.items()), number)

    def _largest_within(self, left: Counter[int]) -> Counter[int]:
        """The largest product that is there and divides what is left; else a square, else a single factor."""
        there = [Counter(dict(key)) for key in self._made]
        fitting = [factors for factors in there if factors and not factors - left]
        squares = [Counter({factor: 2}) for factor, times in left.items() if times >= 2]
        best = max(fitting, key=lambda factors: (factors.total(), sorted(factors.items())), default=Counter())
        if best.total() >= 2:
            return best
        return squares[0] if squares else Counter([min(left)])

    def _product(self, part: Counter[int]) -> int:
        known = self._made.get(frozenset(part.items()))
        if known is not None:
            return known
        total = self.graph.product(1.0, part)
        self._keep(part, total)
        return total
