"""The nets that everybody is given: a driven node, `nodes` unknown ones, R, C and L between them."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sweep:
    """ngspice's `dec` sweep: `points` a decade from `low` hertz over `decades` decades."""

    points: int
    low: float
    decades: int

    @property
    def line(self) -> str:
        return f".ac dec {self.points} {self.low!r} {self.low * 10**self.decades!r}"


@dataclass(frozen=True)
class Network:
    """Branches `(letter, a, b, value)` between nodes: 0 is ground, 1 … `nodes` are unknown, `nodes + 1` has 1 V.

    The output is the voltage of the node `output`.
    """

    title: str
    nodes: int
    branches: tuple[tuple[str, int, int, float], ...]
    output: int
    sweep: Sweep

    def name(self, node: int) -> str:
        return "0" if node == 0 else "in" if node > self.nodes else f"n{node}"

    @property
    def text(self) -> str:
        """The netlist; every reader is given the same."""
        lines = [self.title, "V1 in 0 dc 0 ac 1"]
        lines += [
            f"{letter}{k} {self.name(a)} {self.name(b)} {float(value)!r}"
            for k, (letter, a, b, value) in enumerate(self.branches, 1)
        ]
        return "\n".join([*lines, self.sweep.line, ".end"])


def ladder(nodes: int) -> Network:
    """A line of equal RC sections, 1 kΩ and 1 µF in all, so that its end is still to be seen at the last frequency."""
    resistors = [("R", k - 1 if k > 1 else nodes + 1, k, 1e3 / nodes) for k in range(1, nodes + 1)]
    capacitors = [("C", k, 0, 1e-6 / nodes) for k in range(1, nodes + 1)]
    pairs = [branch for pair in zip(resistors, capacitors, strict=True) for branch in pair]
    return Network(f"ladder {nodes}", nodes, tuple(pairs), nodes, Sweep(333, 10.0, 3))


def random_net(nodes: int, seed: int, far: float = 0.1) -> Network:
    """A random RLC net of about 2.3 elements a node.

    A tree of resistors and inductors gives every node its path at 0 Hz, a third of the nodes have an element to
    ground, and as many loops as nodes close over three steps or, a part `far` of them, anywhere: with `far = 1` the
    net has no structure that an elimination could use. Impedances lie within a decade of 1 kΩ at 1 MHz.
    """
    draw = random.Random(seed)
    value = {"R": 1e3, "C": 159e-12, "L": 159e-6}
    pairs: list[tuple[str, int, int]] = []
    around: dict[int, list[int]] = {nodes + 1: []}
    for k in range(1, nodes + 1):
        parent = draw.choice(list(around)) if k > 1 else nodes + 1
        pairs.append((draw.choice("RRL"), parent, k))
        around.setdefault(k, []).append(parent)
        around[parent].append(k)
    for _ in range(nodes):
        a = b = draw.randint(1, nodes)
        if draw.random() < far:
            b = draw.randint(1, nodes)
        else:
            for _ in range(3):
                b = draw.choice(around[b])
        if a != b:
            pairs.append((draw.choice("RC"), a, b))
    pairs += [(draw.choice("RCC"), k, 0) for k in draw.sample(range(1, nodes + 1), max(1, nodes // 3))]
    branches = tuple((letter, a, b, value[letter] * 10 ** draw.uniform(-1, 1)) for letter, a, b in pairs)
    title = f"random {nodes}" if far < 1 else f"tangled {nodes}"
    return Network(title, nodes, branches, nodes, Sweep(333, 1e5, 3))


def stamps(net: Network) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The nodal equations as entries: rows, columns, and what each adds to conductance, capacitance and 1/inductance.

    The last is `(3, entries)`; column `nodes` stands for the driven node.
    """
    kind = {"R": 0, "C": 1, "L": 2}
    rows, columns, parts = [], [], []
    for letter, a, b, value in net.branches:
        size = value if letter == "C" else 1 / value
        for row, column, sign in ((a, a, 1), (b, b, 1), (a, b, -1), (b, a, -1)):
            if 0 < row <= net.nodes and column:
                part = np.zeros(3)
                part[kind[letter]] = sign * size
                rows.append(row - 1)
                columns.append(column - 1)
                parts.append(part)
    return np.array(rows), np.array(columns), np.array(parts).T


def reference(net: Network, f: np.ndarray) -> np.ndarray:
    """SciPy's sparse LU, one frequency after the other."""
    from scipy.sparse import csc_matrix
    from scipy.sparse.linalg import splu

    rows, columns, parts = stamps(net)
    answers = []
    for w in 2 * np.pi * f:
        y = parts[0] + 1j * w * parts[1] + parts[2] / (1j * w)
        table = csc_matrix((y, (rows, columns)), (net.nodes, net.nodes + 1))
        answers.append(splu(table[:, :-1].tocsc()).solve(-table[:, [-1]].toarray()[:, 0])[net.output - 1])
    return np.array(answers)
