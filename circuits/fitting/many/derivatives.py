"""Derivatives of the nodes of a graph, as further nodes of it."""

from __future__ import annotations

from circuits.fitting.many.expressions import Graph


class Slopes:
    """d(node)/d(variable), by the chain rule from the inputs on; each is worked out once."""

    def __init__(self, graph: Graph, variable: int):
        self.graph = graph
        self._known = {variable: graph.one}

    def of(self, number: int) -> int:
        """The node that is the derivative of a node."""
        for each in self.graph.reachable([number]):
            if each not in self._known:
                self._known[each] = self._chain(each)
        return self._known[number]

    def _chain(self, number: int) -> int:
        graph, (op, args) = self.graph, self.graph.nodes[number]
        if op in ("const", "input", "less", "equal"):
            return graph.zero
        if op == "select":
            return graph.select(args[0], self._known[args[1]], self._known[args[2]])
        inner = [self._known[arg] for arg in args]
        if op == "mul" and args[0] == args[1]:
            return graph.mul(graph.constant(2.0), graph.mul(args[0], inner[0]))
        if op == "mul":
            return graph.add(graph.mul(inner[0], args[1]), graph.mul(args[0], inner[1]))
        if op == "atan2":  # (y′x − yx′)/(x² + y²)
            y, x = args
            turn = graph.sub(graph.mul(inner[0], x), graph.mul(y, inner[1]))
            return graph.div(turn, graph.add(graph.mul(x, x), graph.mul(y, y)))
        if op in ("add", "sub"):
            return getattr(graph, op)(*inner)
        return graph.zero if inner[0] == graph.zero else graph.mul(inner[0], self._outer(op, args[0], number))

    def _outer(self, op: str, a: int, value: int) -> int:
        """The derivative of a function of one number, by what stands in it; `value` is the function itself."""
        graph = self.graph
        if op == "neg":
            return graph.constant(-1.0)
        if op == "reciprocal":
            return graph.neg(graph.mul(value, value))
        if op == "sqrt":
            return graph.mul(graph.constant(0.5), graph.reciprocal(value))
        if op == "rsqrt":
            return graph.mul(graph.constant(-0.5), graph.mul(value, graph.mul(value, value)))
        if op == "exp":
            return value
        if op == "expm1":
            return graph.add(value, graph.one)
        if op in ("log", "log1p"):
            return graph.reciprocal(a if op == "log" else graph.add(a, graph.one))
        if op in ("sin", "cos"):
            return graph.unary("cos", a) if op == "sin" else graph.neg(graph.unary("sin", a))
        if op == "atan":
            return graph.reciprocal(graph.add(graph.mul(a, a), graph.one))
        if op == "abs":
            return graph.unary("sign", a)
        return graph.zero  # steps: sign, floor
