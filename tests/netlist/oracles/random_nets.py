"""Random linear netlists from a seed: RLC nets, ladders, and nets with every kind of element.

Each gives a `Netlist`; `building.to_text` writes it for SPICE. The same seed gives the same net everywhere, since
Python promises as much of its own `random`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from itertools import combinations

from circuits.netlist.elements import Netlist, Sweep
from netlist.oracles.building import Bench
from netlist.oracles.elimination import Singular
from netlist.oracles.precise import amplification

OHM, HENRY, FARAD = (1.0, 1e6), (1e-9, 1.0), (1e-12, 100e-6)
WIDE = Sweep("dec", 1, 1e-3, 1e9)


def log_uniform(chance: random.Random, low: float, high: float) -> float:
    """A number drawn uniformly in its logarithm, rounded to six digits as a netlist would have it."""
    return float(f"{math.exp(chance.uniform(math.log(low), math.log(high))):.6g}")


# nets of two-terminal elements


def rlc(n: int, seed: int = 0, degree: float = 3.0, drive: str = "resistance", kinds: str = "RLC") -> Netlist:
    """A connected random net of n nodes beside ground, with n·degree/2 branches.

    Args:
        n: nodes.
        seed: which net.
        degree: average number of branches at a node.
        drive: "resistance" is a voltage source with 50 Ω, "voltage" one without, "current" a current source into `n1`.
        kinds: letters of what the branches are.
    """
    chance = random.Random(f"rlc {n} {seed} {degree} {drive} {kinds}")
    bench = Bench(f"random {kinds} net, {n} nodes, seed {seed}")
    nodes = ["0", *(f"n{i}" for i in range(1, n + 1))]
    _drive(bench, drive)
    pairs = [(nodes[i], nodes[chance.randrange(i)]) for i in range(1, n + 1)]
    while len(pairs) < n * degree / 2:
        a, b = chance.sample(nodes, 2)
        pairs.append((a, b))
    for i, (a, b) in enumerate(pairs, 1):
        _branch(bench, chance, chance.choice(kinds), str(i), f"{a} {b}")
    return bench.netlist(WIDE)


def ladder(sections: int, R: float = 1e3, C: float = 1e-9, drive: str = "voltage", seed: int | None = None) -> Netlist:
    """An RC ladder: R in series and C to ground, as often as said; with a seed, values vary by a factor of 10."""
    chance = random.Random(f"ladder {sections} {seed}")
    bench = Bench(f"RC ladder of {sections} sections")
    _drive(bench, drive)
    spread = (lambda: 1.0) if seed is None else (lambda: log_uniform(chance, 10**-0.5, 10**0.5))
    for i in range(1, sections + 1):
        bench.add("R", str(i), f"n{i} n{i + 1}", R * spread())
        bench.add("C", str(i), f"n{i + 1} 0", C * spread())
    return bench.netlist(Sweep("dec", 10, 1.0, 1e6))


def _drive(bench: Bench, drive: str) -> None:
    if drive == "current":
        bench.add("I", "1", "0 n1", ac=1.0)
        return bench.add("R", "s", "n1 0", 50.0)
    bench.add("V", "1", "n1 0" if drive == "voltage" else "in 0", ac=1.0)
    if drive == "resistance":
        bench.add("R", "s", "in n1", 50.0)


def _branch(bench: Bench, chance: random.Random, kind: str, name: str, nodes: str) -> None:
    limits = {"R": OHM, "L": HENRY, "C": FARAD}[kind]
    bench.add(kind, name, nodes, log_uniform(chance, *limits))


# nets of every kind


def mixed(seed: int, n: int | None = None, kinds: str = "RLCKVIEFGHT") -> Netlist:
    """A connected net of 3 to 60 nodes with some of every kind of element, to be swept from 1 mHz to 1 GHz.

    Nothing keeps it from being ill-posed, but none of the seeds 0 to 1999 is, see `well_posed`.
    """
    chance = random.Random(f"mixed {seed} {n} {kinds}")
    n = n or round(log_uniform(chance, 3, 60))
    return _Mixed(chance, n, kinds, f"random net, seed {seed}").bench.netlist(WIDE)


def well_posed(
    count: int, seed: int = 0, limit: float = 1e3, make: Callable[[int], Netlist] = mixed
) -> Iterator[tuple[int, Netlist]]:
    """Nets whose voltages follow from their values: (seed, net), `count` of them.

    A net is left out where, at 1 mHz, 1 kHz or 1 GHz, relative errors of the values would be magnified more than
    `limit` times in the voltages (relative to the largest), or where there is no single solution.
    """
    while count:
        netlist = make(seed)
        if is_well_posed(netlist, limit):
            yield seed, netlist
            count -= 1
        seed += 1


def is_well_posed(netlist: Netlist, limit: float = 1e3) -> bool:
    """Whether small errors of the values stay small in the voltages, at both ends and in the middle of the band."""
    try:
        return all(amplification(netlist, f) < limit for f in (1e-3, 1e3, 1e9))
    except Singular:
        return False


class _Mixed:
    """Grows one net: a spanning tree and some loops of R, L and C, then sources and all else between the nodes."""

    def __init__(self, chance: random.Random, n: int, kinds: str, title: str):
        self.chance, self.bench = chance, Bench(title)
        self.nodes = ["0", *(f"n{i}" for i in range(1, n + 1))]
        self.tied = {node: node for node in self.nodes}  # who is tied to whom by voltages: never a loop of them
        self.sources: list[str] = []
        self.inductors: list[str] = []
        for i in range(1, n + 1):
            self.passive(self.nodes[i], self.nodes[chance.randrange(i)])
        for _ in range(round(n * chance.uniform(0.3, 1.2))):
            self.passive(*self.two())
        self.voltage_source()
        for kind in kinds:
            for _ in range(0 if kind in "RLC" else chance.choice((0, 1, 1, 2)[: max(2, n // 4)])):
                _MORE[kind](self)

    def name(self) -> str:
        return str(len(self.bench.elements) + 1)

    def gain(self, low: float, high: float) -> float:
        return self.chance.choice((-1, 1)) * log_uniform(self.chance, low, high)

    def two(self) -> tuple[str, str]:
        a, b = self.chance.sample(self.nodes, 2)
        return a, b

    def two_not_tied(self) -> tuple[str, str] | None:
        """Two nodes that a voltage may be forced between, ground more often than not."""
        for _ in range(20):
            a, b = self.two()
            b = "0" if a != "0" and self.chance.random() < 0.6 else b
            if self.root(a) != self.root(b):
                self.tied[self.root(a)] = self.root(b)
                return a, b
        return None

    def root(self, node: str) -> str:
        while self.tied[node] != node:
            node = self.tied[node]
        return node

    # the elements

    def passive(self, a: str, b: str) -> None:
        kind, name = self.chance.choice("RRRLCC"), self.name()
        _branch(self.bench, self.chance, kind, name, f"{a} {b}")
        if kind == "L":
            self.inductors.append(f"L{name}")

    def voltage_source(self) -> None:
        """A source of voltage; where all nodes are tied, none. The first always finds a place."""
        pair, name = self.two_not_tied(), self.name()
        if pair:
            self.bench.add("V", name, pair, ac=self.gain(0.1, 10), phase=self.chance.choice((0.0, 30.0, -135.5)))
            self.sources.append(f"V{name}")

    def current_source(self) -> None:
        self.bench.add("I", self.name(), self.two(), ac=log_uniform(self.chance, 1e-6, 1e-2), phase=self.gain(1, 180))

    def coupling(self) -> None:
        """Two inductors coupled, or three of them loosely enough to be possible."""
        several = self.chance.choice((2, 2, 3))
        if len(self.inductors) >= several:
            chosen = [self.inductors.pop(self.chance.randrange(len(self.inductors))) for _ in range(several)]
            for pair in combinations(chosen, 2):
                k = round(self.chance.uniform(0.01, 0.95 if several == 2 else 0.45), 3)
                self.bench.add("K", self.name(), "", k, of=pair)

    def vcvs(self) -> None:
        pair = self.two_not_tied()
        if pair:
            self.bench.add("E", self.name(), (*pair, *self.two()), self.gain(0.01, 5))

    def ccvs(self) -> None:
        pair = self.two_not_tied()
        if pair:
            self.bench.add("H", self.name(), pair, self.gain(1, 1e3), of=[self.chance.choice(self.sources)])

    def vccs(self) -> None:
        self.bench.add("G", self.name(), (*self.two(), *self.two()), self.gain(1e-6, 1e-2))

    def cccs(self) -> None:
        self.bench.add("F", self.name(), self.two(), self.gain(0.01, 0.9), of=[self.chance.choice(self.sources)])

    def line(self) -> None:
        (a, b), chance = self.two(), self.chance
        low, high = ("0", "0") if chance.random() < 0.7 else self.two()
        roles = {"z0": log_uniform(chance, 10, 300), "td": log_uniform(chance, 1e-11, 1e-8)}
        self.bench.add("T", self.name(), (a, low, b, high), roles=roles)


_MORE: dict[str, Callable[[_Mixed], None]] = {
    "K": _Mixed.coupling,
    "V": _Mixed.voltage_source,
    "I": _Mixed.current_source,
    "E": _Mixed.vcvs,
    "F": _Mixed.cccs,
    "G": _Mixed.vccs,
    "H": _Mixed.ccvs,
    "T": _Mixed.line,
}
