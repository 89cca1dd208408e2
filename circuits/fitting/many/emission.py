"""A formula as C: one function that adds up loss, gradient and curvature of one board over its points."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from circuits.fitting.many.expressions import CONSTANT, POINT, Graph
from circuits.fitting.many.formula import Formula, Sum

HERE = Path(__file__).parent
INFIX = {"add": "+", "sub": "-", "mul": "*"}
SCALAR = {"rsqrt": "1 / MATH(sqrt)({0})", "reciprocal": "1 / {0}", "neg": "-{0}", "select": "{0} != 0 ? {1} : {2}"} | {
    "less": "(T)({0} < {1})",
    "equal": "(T)({0} == {1})",
    "sign": "(T)(({0} > 0) - ({0} < 0))",
    "abs": "MATH(fabs)({0})",
}
PLAIN = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Constants that are written out; all others are handed over, so that their values do not change the program."""


DOUBLE = (
    *("T double", "INT long long", "IS_FLOAT 0", "NAME(x) x##_d", "MATH(x) x"),
    *("INTEL(x) _mm512_##x##_pd", "WIDTH __m512d", "WIDE(x) _ZGVeN8v_##x"),
)
SINGLE = (
    *("T float", "INT int", "IS_FLOAT 1", "NAME(x) x##_f", "MATH(x) x##f"),
    *("INTEL(x) _mm512_##x##_ps", "WIDTH __m512", "WIDE(x) _ZGVeN16v_##x##f"),
)
FUNCTION = """
#define WEIGH(x, plane) (weighted ? (x) * NAME(load)(w + (plane) * n + i) : (x))
static inline __attribute__((always_inline)) void NAME(add_up)(int weighted, const T *v, const T *c, const T *f,
        const T *t, const T *w, long n, long m, T *out) {
    (void)v; (void)c; (void)f; (void)t; (void)w;
    LOOK
}
static __attribute__((noinline)) void NAME(plain)(const T *v, const T *c, const T *f, const T *t, const T *w, long n,
        long m, T *out) {
    NAME(add_up)(0, v, c, f, t, w, n, m, out);
}
static __attribute__((noinline)) void NAME(weighted)(const T *v, const T *c, const T *f, const T *t, const T *w, long n,
        long m, T *out) {
    NAME(add_up)(1, v, c, f, t, w, n, m, out);
}
"""
"""Sums over the points 0 … m − 1 of planes of n, which are added to `out`."""


class Written:
    """The C text of a formula, and the constants that go with it."""

    def __init__(self, formula: Formula):
        self.formula = formula
        self.constants: list[float] = []
        self._places: dict[float, int] = {}
        graph = formula.graph
        sums = formula.sums()
        wanted = [number for one in sums for number in (one.rest, one.factor)]
        self._needed = graph.reachable(wanted)
        self.size = len(self._needed)
        self.text = _program(formula, self._look(sums))

    # numbers

    def _constant(self, value: float) -> str:
        sign, size = ("-" if value < 0 else ""), abs(value)
        if size in PLAIN:
            return f"({sign}(T){size})"
        place = self._places.setdefault(value, len(self.constants))
        if place == len(self.constants):
            self.constants.append(value)
        return f"c[{place}]"

    def _scalar(self, number: int) -> str:
        value = self.formula.graph.value(number)
        return f"n{number}" if value is None else self._constant(value)

    def _vector(self, number: int) -> str:
        is_point = self.formula.graph.levels[number] == POINT
        return f"n{number}" if is_point else f"NAME(splat)({self._scalar(number)})"

    def _board_line(self, number: int) -> str:
        op, args = self.formula.graph.nodes[number]
        if op == "input":
            return f"T n{number} = v[{args[0][1:]}];"
        given = [self._scalar(arg) for arg in args]
        if op in INFIX:
            return f"T n{number} = {f' {INFIX[op]} '.join(given)};"
        template = SCALAR.get(op, f"MATH({op})({', '.join(given)})")
        return f"T n{number} = {template.format(*given)};"

    def _point_line(self, number: int) -> str:
        graph = self.formula.graph
        op, args = graph.nodes[number]
        if op == "input":
            name = args[0]
            place = "f + i" if name == "f" else f"t + {name[1:]} * n + i"
            return f"V n{number} = NAME(load)({place});"
        if op in INFIX:  # a scalar may stand beside a vector
            given = [f"n{a}" if graph.levels[a] == POINT else self._scalar(a) for a in args]
            return f"V n{number} = {f' {INFIX[op]} '.join(given)};"
        if op == "neg":
            return f"V n{number} = -n{args[0]};"
        if op == "sqrt" and (twin := self._rsqrt_of(args[0])) is not None:
            root = f"n{args[0]} * n{twin}"
            return f"V n{number} = NAME(pick)(n{args[0]} == NAME(splat)(0), n{args[0]}, {root});"
        return f"V n{number} = NAME({op})({', '.join(self._vector(arg) for arg in args)});"

    def _rsqrt_of(self, number: int) -> int | None:
        """The node 1/√n, where that is needed as well."""
        graph = self.formula.graph
        return next((n for n in self._needed if graph.nodes[n] == ("rsqrt", (number,))), None)

    # the function

    def _look(self, sums: list[Sum]) -> str:
        """The body of `look` in kernel.c: sums over the points, then what a board multiplies them by."""
        graph = self.formula.graph
        board = [n for n in self._needed if CONSTANT < graph.levels[n] < POINT]
        kept = list(dict.fromkeys((one.rest, one.plane) for one in sums))
        lines = [self._board_line(n) for n in board]
        lines += [f"V s{k} = NAME(splat)(0);" for k in range(len(kept))]
        lines += ["for (long i = 0; i < m; i += W) {"]
        lines += [f"    {self._point_line(n)}" for n in self._in_order(graph, [rest for rest, _ in kept])]
        lines += [f"    s{k} += WEIGH({self._vector(rest)}, {plane});" for k, (rest, plane) in enumerate(kept)]
        lines += ["}"]
        lines += [f"T r{k} = NAME(sum)(s{k});" for k in range(len(kept))]
        places = {one: k for k, one in enumerate(kept)}
        lines += [f"out[{place}] += {self._total(row, places)};" for place, row in self._rows() if row]
        return "\n    ".join(lines)

    def _in_order(self, graph: Graph, rests: Iterable[int]) -> list[int]:
        """Sqrt after its rsqrt; otherwise as numbered."""
        points = [n for n in graph.reachable(rests) if graph.levels[n] == POINT]
        twins = {n: self._rsqrt_of(graph.nodes[n].args[0]) for n in points if graph.nodes[n].op == "sqrt"}
        ordered: list[int] = []
        for n in points:
            twin = twins.get(n)
            if twin is not None and twin not in ordered:
                ordered.append(twin)
            if n not in ordered:
                ordered.append(n)
        return ordered

    def _rows(self) -> list[tuple[int, tuple[Sum, ...]]]:
        """Place in `out` and sums: the loss, the gradient, the lower triangle of the curvature row by row."""
        p = self.formula.values
        rows = [(0, self.formula.loss), *enumerate(self.formula.gradient, 1)]
        return rows + [(1 + p + j * (j + 1) // 2 + k, row) for (j, k), row in self.formula.curvature.items()]

    def _total(self, row: tuple[Sum, ...], places: dict[tuple[int, int], int]) -> str:
        return " + ".join(f"{self._scalar(one.factor)} * r{places[one.rest, one.plane]}" for one in row)


def _program(formula: Formula, look: str) -> str:
    """The whole of it: the formula in both precisions, and the solver."""
    prelude, lanes, solver = ((HERE / name).read_text("utf-8") for name in ("prelude.c", "lanes.c", "solver.c"))
    sizes = {"P": formula.values, "HELD": formula.held, "PLANES": formula.planes, "PARTS": formula.parts}
    parts = [prelude, *(f"#define {name} {size}" for name, size in sizes.items()), _linked(formula)]
    for precision in (DOUBLE, SINGLE):
        names = [line.split("(")[0] for line in precision]
        parts += [f"#define {line}" for line in precision] + [lanes, FUNCTION.replace("LOOK", look)]
        parts += [f"#undef {name.split()[0]}" for name in [*names, "V", "I", "W", "WEIGH"]]
    return "\n".join([*parts, solver])


def _linked(formula: Formula) -> str:
    """Where the factor of the curvature may be other than zero: where the curvature is, and what elimination fills."""
    p = formula.values
    linked = [[(j, k) in formula.curvature or j == k for k in range(p)] for j in range(p)]
    for k in range(p):
        below = [j for j in range(k + 1, p) if linked[j][k]]
        for j in below:
            for i in below:
                linked[j][i] = linked[j][i] or i <= j
    rows = ", ".join("{" + ", ".join(str(int(one)) for one in row) + "}" for row in linked)
    return f"static const char LINKED[P][P] = {{{rows}}};"
