"""The equations of a netlist: modified nodal analysis, every element a few entries of rank one.

Unknowns are node voltages and branch currents. Nodes that voltage sources tie to ground are *rails*: their voltage is
known, and they are no unknowns. With the extended vector X = [unknowns, rails, 0] the equations are

    Σ_e scale_e · y_e · a_e b_eᵀ X + terms · X = sources,

a_e = +1 at row `rp` and −1 at row `rm`, b_e = +1 at column `cp` and −1 at column `cm`; the last place of X is ground.
y_e is q·s^exponent with a real q a board, or a complex z a lane (a board at one frequency); `laws` say how q and z
follow from the values of the elements. C. W. Ho, A. E. Ruehli and P. A. Brennan, "The modified nodal approach to
network analysis", IEEE Trans. Circuits Syst. 22 (1975) 504.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from circuits.errors import NetlistError
from circuits.netlist.elements import GROUND, KINDS, Element
from circuits.netlist.expressions import Expression

ADMITTANCES = ("R", "L", "C", "CPE", "WARBURG", "WARBURG_OPEN", "WARBURG_SHORT")
"""Kinds that are an admittance between their two nodes."""


@dataclass(frozen=True)
class Law:
    """How a q or a z follows from values: a name in `laws.REAL` or `laws.COMPLEX`, and the expressions it takes."""

    name: str
    values: tuple[Expression, ...]


@dataclass(frozen=True)
class Entry:
    """One entry of rank one; `law` is an index into the q's (`is_complex`: the z's) of the formulation.

    An admittance between two nodes has the same rows and columns, but that rails and ground have no row.
    """

    law: int
    is_complex: bool
    exponent: int
    scale: float
    rp: int
    rm: int
    cp: int
    cm: int
    element: str
    is_admittance: bool = False


@dataclass
class Formulation:
    """The equations of one netlist; indices are into the extended vector.

    `terms` are constant matrix entries (row, column, value); `sources` say what each independent source adds to the
    right-hand side, by name of the source: (row, factor); `rail_sources` what each adds to a rail's voltage.
    """

    unknowns: tuple[str, ...]
    rails: tuple[str, ...]
    entries: list[Entry] = field(default_factory=list)
    real_laws: list[Law] = field(default_factory=list)
    complex_laws: list[Law] = field(default_factory=list)
    terms: list[tuple[int, int, float]] = field(default_factory=list)
    sources: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    rail_sources: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    def __post_init__(self):
        self.index = {name: i for i, name in enumerate((*self.unknowns, *self.rails))}

    @property
    def ground(self) -> int:
        """The last place of the extended vector, where the voltage is zero."""
        return len(self.unknowns) + len(self.rails)

    def node(self, name: str) -> int:
        """Index of a node's voltage."""
        return self.ground if name == GROUND else self.index[f"V({name})"]

    def current(self, name: str) -> int:
        """Index of an element's current, which must be an unknown."""
        return self.index[f"I({name})"]


def formulate(
    elements: Collection[Element],
    *,
    currents: Collection[str] = (),
    zero: Collection[str] = (),
    inductors: str = "auto",
) -> Formulation:
    """The equations of flattened elements.

    Args:
        elements: of a `Netlist`.
        currents: names of elements whose current must be an unknown, since somebody asks for it.
        zero: names of resistors and inductors whose value is zero, which have no admittance.
        inductors: "auto" takes inductors as admittances in nets of two-terminal parts alone, which are solved without a
            subtraction, and with their current as unknown elsewhere; "branch" always the latter, as 0 Hz needs it.

    Raises:
        NetlistError: a loop of voltage sources.
    """
    asked = {*currents, *(c for e in elements if e.kind in "FH" for c in e.controls)}
    rails = find_rails(elements, asked)
    passive = inductors == "auto" and all(_is_passive(e, asked, rails, zero) for e in elements)
    branches = [e for e in elements if _needs_current(e, asked, rails, zero, passive)]
    nodes = dict.fromkeys(node for e in elements for node in e.nodes if node != GROUND)
    unknowns = [f"V({node})" for node in nodes if node not in rails.voltage]
    for e in branches:
        unknowns += [f"I({e.name})"] if e.kind != "T" else [f"I({e.name})", f"I({e.name}.b)"]
    made = Formulation(tuple(unknowns), tuple(f"V({node})" for node in rails.voltage))
    writer = _Writer(made, {e.name for e in branches}, {e.name: e for e in elements})
    for e in elements:
        if e.name not in rails.sources:
            writer.write(e)
    for i, parts in enumerate(rails.voltage.values()):
        for source, factor in parts.items():
            made.rail_sources.setdefault(source, []).append((i, factor))
    for source in rails.sources:
        made.rail_sources.setdefault(source, [])
    return made


@dataclass(frozen=True)
class Rails:
    """Nodes tied to ground by voltage sources: their voltage as a sum of sources, and the sources that do it."""

    voltage: Mapping[str, Mapping[str, float]]
    sources: frozenset[str]


def find_rails(elements: Collection[Element], asked: Collection[str]) -> Rails:
    """Follow voltage sources from ground, leaving out those whose current is wanted.

    Raises:
        NetlistError: sources that close a loop.
    """
    waiting = [e for e in elements if e.kind == "V" and e.name not in asked]
    known: dict[str, dict[str, float]] = {GROUND: {}}
    used: set[str] = set()
    while True:
        ready = [e for e in waiting if (e.nodes[0] in known) or (e.nodes[1] in known)]
        if not ready:
            break
        for e in ready:
            waiting.remove(e)
            plus, minus = e.nodes
            if plus in known and minus in known:
                raise NetlistError(
                    f"{e.place}: {e.name} closes a loop of voltage sources between {plus} and {minus}; "
                    "put a resistance in series with one of them"
                )
            node, base, sign = (plus, minus, 1.0) if minus in known else (minus, plus, -1.0)
            known[node] = {**known[base], e.name: sign}
            used.add(e.name)
    del known[GROUND]
    return Rails(known, frozenset(used))


def _is_passive(e: Element, asked: Collection[str], rails: Rails, zero: Collection[str]) -> bool:
    """Whether the element leaves the net one of admittances between nodes."""
    if e.name in asked or e.name in zero:
        return False
    return e.kind in ADMITTANCES or e.kind == "I" or e.name in rails.sources


def _needs_current(e: Element, asked, rails: Rails, zero: Collection[str], passive: bool) -> bool:
    """Whether the element's current is an unknown."""
    if e.name in rails.sources:
        return False
    if e.kind in ("V", "E", "H", "T") or e.name in asked or e.name in zero:
        return True
    return e.kind == "L" and not passive


class _Writer:
    """Adds the entries of one element after the other."""

    def __init__(self, made: Formulation, branches: Collection[str], elements: Mapping[str, Element]):
        self.made, self.branches, self.elements = made, branches, elements
        self.n = len(made.unknowns)

    def write(self, e: Element) -> None:
        """Add what the element contributes."""
        if e.kind in ADMITTANCES:
            self._admittance(e)
        else:
            getattr(self, f"_{e.kind}")(e)

    # pieces

    def _entry(self, e: Element, law: Law, rows, columns, *, exponent=0, scale=1.0, is_complex=False) -> None:
        is_admittance = rows is columns and scale == 1.0
        laws = self.made.complex_laws if is_complex else self.made.real_laws
        if not (laws and laws[-1] is law):
            laws.append(law)
        (rp, rm), (cp, cm) = self._rows(rows), columns
        self.made.entries.append(
            Entry(len(laws) - 1, is_complex, exponent, scale, rp, rm, cp, cm, e.name, is_admittance)
        )

    def _rows(self, rows) -> Iterator[int]:
        """Rails and ground have no row: what would go there goes to ground."""
        return (row if row < self.n else self.made.ground for row in rows)

    def _term(self, row: int, column: int, value: float) -> None:
        if row < self.n and column != self.made.ground:
            self.made.terms.append((row, column, value))

    def _pair(self, nodes) -> tuple[int, int]:
        return self.made.node(nodes[0]), self.made.node(nodes[1])

    def _branch(self, e: Element, nodes=None, name: str = "") -> int:
        """Give the element's current to its nodes, and its row the voltage across it; returns that row."""
        plus, minus = self._pair(nodes or e.nodes)
        row = self.made.current(name or e.name)
        for node, sign in ((plus, 1.0), (minus, -1.0)):
            self._term(node, row, sign)
            self._term(row, node, sign)
        return row

    def _own(self, row: int) -> tuple[int, int]:
        return row, self.made.ground

    # elements

    def _admittance(self, e: Element) -> None:
        law, exponent, is_complex = _ADMITTANCE[e.kind]
        nodes, roles = self._pair(e.nodes), tuple(e.values[role] for role in KINDS[e.kind].roles)
        if e.name not in self.branches:
            self._entry(e, Law(law, roles), nodes, nodes, exponent=exponent, is_complex=is_complex)
            return
        if e.kind in ("R", "L"):  # voltage − impedance · current = 0, which holds at zero as well
            row = self._branch(e)
            own = self._own(row)
            value = Law("direct", (e.values["value"],))
            self._entry(e, value, own, own, exponent=1 if e.kind == "L" else 0, scale=-1.0)
            return
        row = self.made.current(e.name)  # current − admittance · voltage = 0
        for node, sign in zip(nodes, (1.0, -1.0), strict=True):
            self._term(node, row, sign)
        self._term(row, row, 1.0)
        self._entry(e, Law(law, roles), self._own(row), nodes, exponent=exponent, scale=-1.0, is_complex=is_complex)

    def _V(self, e: Element) -> None:
        self.made.sources[e.name] = [(self._branch(e), 1.0)]

    def _I(self, e: Element) -> None:
        plus, minus = self._pair(e.nodes)
        if e.name not in self.branches:
            rows = [(plus, -1.0), (minus, 1.0)]
            self.made.sources[e.name] = [(row, sign) for row, sign in rows if row < self.n]
            return
        row = self.made.current(e.name)
        self._term(plus, row, 1.0)
        self._term(minus, row, -1.0)
        self._term(row, row, 1.0)
        self.made.sources[e.name] = [(row, 1.0)]

    def _E(self, e: Element) -> None:
        row = self._branch(e, e.nodes[:2])
        gain = Law("direct", (e.values["value"],))
        self._entry(e, gain, self._own(row), self._pair(e.nodes[2:]), scale=-1.0)

    def _G(self, e: Element) -> None:
        rows, columns, value = self._pair(e.nodes[:2]), self._pair(e.nodes[2:]), Law("direct", (e.values["value"],))
        if e.name not in self.branches:
            self._entry(e, value, rows, columns)
        else:
            self._entry(e, value, self._own(self._given(e, rows)), columns, scale=-1.0)

    def _F(self, e: Element) -> None:
        control = self._own(self.made.current(e.controls[0]))
        rows, value = self._pair(e.nodes), Law("direct", (e.values["value"],))
        if e.name not in self.branches:
            self._entry(e, value, rows, control)
        else:
            self._entry(e, value, self._own(self._given(e, rows)), control, scale=-1.0)

    def _given(self, e: Element, nodes: tuple[int, int]) -> int:
        """The row `current − … = 0` of an element whose current is an unknown and enters its two nodes."""
        row = self.made.current(e.name)
        for node, sign in zip(nodes, (1.0, -1.0), strict=True):
            self._term(node, row, sign)
        self._term(row, row, 1.0)
        return row

    def _H(self, e: Element) -> None:
        row = self._branch(e)
        control = self._own(self.made.current(e.controls[0]))
        self._entry(e, Law("direct", (e.values["value"],)), self._own(row), control, scale=-1.0)

    def _K(self, e: Element) -> None:
        first, second = (self.made.current(name) for name in e.controls)
        inductances = tuple(self.elements[name].values["value"] for name in e.controls)
        mutual = Law("mutual", (e.values["value"], *inductances))
        for row, column in ((first, second), (second, first)):
            self._entry(e, mutual, self._own(row), self._own(column), exponent=1, scale=-1.0)

    def _T(self, e: Element) -> None:
        """With t = ω·td/2: j sin t·(V_a + V_b) = z0·cos t·(I_a + I_b), cos t·(V_a − V_b) = j·z0·sin t·(I_a − I_b).

        Of the several ways to write a line this one keeps its digits where the line is short, down to 0 Hz, and at
        every resonance.
        """
        ends = [(e.nodes[:2], e.name), (e.nodes[2:], f"{e.name}.b")]
        first, second = (self.made.current(name) for _, name in ends)
        for nodes, name in ends:
            for node, sign in zip(self._pair(nodes), (1.0, -1.0), strict=True):
                self._term(node, self.made.current(name), sign)
        z0, td = e.values["z0"], e.values["td"]
        pairs = [self._pair(nodes) for nodes, _ in ends]
        sum_row, difference_row = self._own(first), self._own(second)
        voltage, current = Law("line_sine", (td,)), Law("line_cosine_ohms", (z0, td))
        for pair in pairs:
            self._entry(e, voltage, sum_row, pair, is_complex=True)
        for column in (first, second):
            self._entry(e, current, sum_row, self._own(column), scale=-1.0, is_complex=True)
        voltage, current = Law("line_cosine", (td,)), Law("line_sine_ohms", (z0, td))
        for pair, sign in zip(pairs, (1.0, -1.0), strict=True):
            self._entry(e, voltage, difference_row, pair, scale=sign, is_complex=True)
        self._entry(e, current, difference_row, (first, second), scale=-1.0, is_complex=True)


_ADMITTANCE: Mapping[str, tuple[str, int, bool]] = {
    "R": ("reciprocal", 0, False),
    "C": ("direct", 1, False),
    "L": ("reciprocal", -1, False),
    "CPE": ("constant_phase", 0, True),
    "WARBURG": ("warburg", 0, True),
    "WARBURG_OPEN": ("warburg_open", 0, True),
    "WARBURG_SHORT": ("warburg_short", 0, True),
}
"""The law of an admittance, its power of s, and whether it is complex, a value a lane."""
