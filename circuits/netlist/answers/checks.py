"""Circuits without a single solution, found before anything is solved and named; nothing is cured in secret."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from circuits.errors import NetlistError
from circuits.netlist.elements import GROUND, Element, Netlist
from circuits.netlist.expressions import evaluate
from circuits.netlist.formulation import Formulation, formulate

if TYPE_CHECKING:
    from torch import Tensor

Known = Mapping[str, "float | Tensor"]

SMALL = 150
"""Unknowns up to which exact arithmetic is tried at once; beyond, only where floating point finds something odd."""
WELL = 1e11
"""A matrix that floating point finds better conditioned than this is not singular."""
MOST = 6
"""Names that a message lists at most."""
_BLOCKS_DC = ("C", "CPE", "WARBURG", "WARBURG_OPEN")


def check_solvable(netlist: Netlist, known: Known | None = None, *, dc: bool = False) -> None:
    """Refuse a netlist whose equations have no single solution, at every frequency or, with `dc`, at 0 Hz.

    Loops of voltage sources and parts without a path to ground are found by walking through the circuit. What active
    elements can do beyond, such as a feedback of exactly one, is found by exact arithmetic with the values as they are
    written, so that it takes no tolerance: an ill-conditioned circuit passes. A circuit of passive parts with neither
    loops nor floating parts always has a solution, save at the resonances of a lossless one.

    Args:
        netlist: flattened.
        known: values of all its parameters, its own where None; of a batch the first board is looked at.
        dc: at 0 Hz, where inductors are shorts and capacitors open.

    Raises:
        NetlistError: with the place, the elements and nodes concerned, and what to do.

    >>> from circuits.netlist.expressions import Number
    >>> check_solvable(Netlist("", (Element("R", "R1", ("a", "b"), {"value": Number(50.0)}),)))
    Traceback (most recent call last):
    circuits.errors.NetlistError: ...R1 has no way to ground: no element is connected to node 0; ...
    """
    known = known_numbers(netlist) if known is None else known
    zero = {e.name for e in netlist.elements if e.kind in "RL" and first(evaluate(e.values["value"], known)) == 0}
    shorts = zero | {e.name for e in netlist.elements if dc and e.kind == "L"}
    _check_loops(netlist.elements, shorts)
    _check_islands(netlist.elements, dc)
    if _may_be_singular(netlist, known, dc):
        made = formulate(netlist.elements, zero=zero, inductors="branch")
        _check_rank(netlist, made, known, dc)


def known_numbers(netlist: Netlist) -> dict[str, float]:
    """The numbers that a netlist gives to all its parameters."""
    known: dict[str, float] = {}
    for name, parameter in netlist.parameters.items():
        known[name] = float(evaluate(parameter.value, known))
    return known


def first(value: float | Tensor) -> float:
    """A number, that of the first board where there are many."""
    return float(value) if isinstance(value, (int, float)) else float(value.detach().reshape(-1)[0])


# loops of voltages


def _check_loops(elements: Collection[Element], shorts: Collection[str]) -> None:
    forest = _Forest()
    ties: dict[str, list[tuple[str, Element]]] = {}
    for e in elements:
        if e.kind != "V" and e.name not in shorts:
            continue
        plus, minus = e.nodes
        if not forest.join(plus, minus):
            loop = [*_path(ties, plus, minus), e]
            at_dc = any(other.kind == "L" and other.name in shorts for other in loop)
            raise NetlistError(
                f"{e.place}: {_listed(other.name for other in loop)} {'form' if len(loop) > 1 else 'is'} a loop "
                f"without resistance{' at 0 Hz' if at_dc else ''}, in which the current is not determined; "
                "put a resistance in series with one of them"
            )
        ties.setdefault(plus, []).append((minus, e))
        ties.setdefault(minus, []).append((plus, e))


def _path(ties: Mapping[str, list[tuple[str, Element]]], start: str, end: str) -> list[Element]:
    """The elements between two nodes of a tree."""
    came: dict[str, tuple[str, Element] | None] = {start: None}
    waiting = [start]
    while waiting and end not in came:
        node = waiting.pop()
        for other, e in ties.get(node, ()):
            if other not in came:
                came[other] = (node, e)
                waiting.append(other)
    path, node = [], end
    while (step := came.get(node)) is not None:
        node = step[0]
        path.append(step[1])
    return path


# parts without a path to ground


def _check_islands(elements: Collection[Element], dc: bool) -> None:
    forest = _Forest()
    for e in elements:
        if not (dc and e.kind in _BLOCKS_DC):
            for plus, minus in _joined(e):
                forest.join(plus, minus)
    ground = forest.root(GROUND)
    nodes = dict.fromkeys(node for e in elements for node in e.nodes)
    afloat = [node for node in nodes if forest.root(node) != ground]
    if not afloat:
        return
    island = [node for node in afloat if forest.root(node) == forest.root(afloat[0])]
    inside = [e for e in elements if any(node in island for node in e.nodes)]
    joined = [e for e in inside if any(pair[0] in island for pair in _joined(e)) and not (dc and e.kind in _BLOCKS_DC)]
    raise NetlistError(_island_message(elements, island, inside, joined, GROUND in nodes, dc))


def _joined(e: Element) -> Iterator[tuple[str, str]]:
    """Pairs of nodes between which an element can carry a current that depends on the circuit."""
    if e.kind == "T":
        yield e.nodes[0], e.nodes[1]
        yield e.nodes[2], e.nodes[3]
    elif e.kind not in ("I", "K"):
        yield e.nodes[0], e.nodes[1]


def _island_message(elements, island, inside, joined, has_ground: bool, dc: bool) -> str:
    place = inside[0].place
    if not has_ground:
        return (
            f"{place}: {inside[0].name} has no way to ground: no element is connected to node 0; "
            "name one node of the circuit 0"
        )
    where = f"node {island[0]} has" if len(island) == 1 else f"nodes {_listed(island)} have"
    own = {e.name for e in joined}
    coupled = [e.name for e in elements if e.kind == "K" and own & set(e.controls)]
    others = [e.name for e in inside if e.name not in own]
    parts = [f"of {_listed(own)}" if own else "", f"beyond {_listed(others)}" if others else ""]
    parts += [f"(a coupling, {coupled[0]}, is no path)"] if coupled else []
    voltage = "its voltage is" if len(island) == 1 else "their voltages are"
    return (
        f"{place}: {where} no path to ground{' at 0 Hz' if dc else ''} {' '.join(part for part in parts if part)}: "
        f"{voltage} not determined; connect {island[0]} to node 0, by a wire or by a resistor of your choice"
    )


class _Forest:
    """Which nodes are joined."""

    def __init__(self):
        self._above: dict[str, str] = {}

    def root(self, node: str) -> str:
        above = self._above
        while (up := above.get(node, node)) != node:
            above[node] = above.get(up, up)
            node = up
        return node

    def join(self, a: str, b: str) -> bool:
        """Join two nodes; False where they were."""
        a, b = self.root(a), self.root(b)
        self._above[a] = b
        return a != b


# all else


def _may_be_singular(netlist: Netlist, known: Known, dc: bool) -> bool:
    """Whether there are elements that can be singular without a loop or an island."""
    coupled: set[str] = set()
    for e in netlist.elements:
        if e.kind in "EFGH" or (dc and e.kind == "T"):
            return True
        if e.kind == "K":
            if abs(first(evaluate(e.values["value"], known))) >= 1 or coupled & set(e.controls):
                return True
            coupled |= set(e.controls)
    return False


def _check_rank(netlist: Netlist, made: Formulation, known: Known, dc: bool) -> None:
    from circuits.netlist.answers.exact import exact_rows  # passive nets need none of it
    from circuits.netlist.answers.finite_field import null_vector

    n = len(made.unknowns)
    if n > SMALL and not dc and _is_well_conditioned(made, known):
        return
    rows = exact_rows(netlist, made, known, at_zero=dc)
    free = null_vector(rows, n)
    if free is None:
        return
    columns: list[dict[int, int]] = [{} for _ in range(n)]
    for i, row in enumerate(rows):
        for j, value in row.items():
            columns[j][i] = value
    tied = null_vector(columns, n) or {}
    raise NetlistError(_rank_message(netlist, made, free, tied, dc))


def _rank_message(netlist: Netlist, made: Formulation, free: Iterable[int], tied: Iterable[int], dc: bool) -> str:
    open_ones = [made.unknowns[i] for i in sorted(free)]
    equations = [made.unknowns[i] for i in sorted(tied)]
    elements = [name[2:-1] for name in equations if name.startswith("I(")]
    nodes = {name[2:-1] for name in (*equations, *open_ones) if name.startswith("V(")}
    active = [e for e in netlist.elements if e.kind in "EFGHKT"]
    near = [e for e in active if e.name in elements or nodes & set(e.nodes)] or active
    return (
        f"{near[0].place}: {_listed(open_ones)} {'is' if len(open_ones) == 1 else 'are'} not determined "
        f"{'at 0 Hz' if dc else 'at any frequency'}: the equations of {_listed(equations_in_words(equations))} follow "
        f"from each other with the values of {_listed(e.name for e in near)}; change one of these, or add a resistance"
    )


def equations_in_words(equations: Iterable[str]) -> list[str]:
    """What the rows of the matrix are, by the unknown of the same name.

    >>> equations_in_words(["V(a)", "I(E1)"])
    ['node a', 'E1']
    """
    return [f"node {name[2:-1]}" if name.startswith("V(") else name[2:-1] for name in equations]


def _is_well_conditioned(made: Formulation, known: Known) -> bool:
    """Whether floating point is sure that the matrix is not singular, from its size and that of its inverse."""
    import numpy as np
    from scipy.sparse import coo_matrix, diags_array
    from scipy.sparse.linalg import splu

    from circuits.netlist.answers.exact import numeric_places

    n = len(made.unknowns)
    rows, columns, values = numeric_places(made, known, 1234.5)
    matrix = coo_matrix((values, (rows, columns)), shape=(n, n)).tocsr()
    for _ in range(3):
        left = 1 / np.sqrt(np.maximum(abs(matrix).max(axis=1).toarray().ravel(), 1e-300))
        right = 1 / np.sqrt(np.maximum(abs(matrix).max(axis=0).toarray().ravel(), 1e-300))
        matrix = (diags_array(left) @ matrix @ diags_array(right)).tocsr()
    try:
        factors = splu(matrix.tocsc())
    except RuntimeError:
        return False
    x = np.cos(np.arange(n) ** 1.5) + 0j
    size = 0.0
    for _ in range(3):
        x = factors.solve(x / np.linalg.norm(x))
        size = max(size, float(np.linalg.norm(x)))
        x = factors.solve(x / np.linalg.norm(x), "H")
        size = max(size, float(np.linalg.norm(x)))
    return bool(size * np.sqrt(abs(matrix).sum(axis=1).max()) < WELL)


def _listed(names: Iterable[str]) -> str:
    names = sorted(names) if isinstance(names, (set, frozenset)) else list(names)
    shown = names[:MOST] if len(names) > MOST + 1 else names
    more = [f"{len(names) - len(shown)} more"] if len(shown) < len(names) else []
    words = [*shown, *more]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
