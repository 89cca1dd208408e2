"""The cost of a shared fit on n processes, on paper: computing, and messages of latency λ and rate β.

    boards  T(n) = t·B/n + (n − 1)·(λ + s·(B/n)/β)                          one gather, s bytes a board, by a ring
    points  T(n) = k·(t·N/n + A(n, m)),  A = 2(n − 1)·(λ + m/(n·β))         k sums of m bytes, by a ring
                                         A = 2·⌈log₂ n⌉·(λ + m/β)           by a tree

Reference: R. Thakur, R. Rabenseifner, W. Gropp, Optimization of collective communication operations in MPICH,
Int. J. High Perform. Comput. Appl. 19 (2005) 49-66.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

NODES = (1, 2, 4, 16, 64, 256, 1024)


@dataclass(frozen=True)
class Net:
    """What lies between two processes: seconds before a message arrives, bytes a second after that."""

    name: str
    latency: float
    rate: float


NETS = (
    Net("Ethernet, 10 Gbit/s", 50e-6, 1.25e9),
    Net("InfiniBand, 100 Gbit/s", 2e-6, 12.5e9),
)


def board_bytes(p: int) -> int:
    """What a board brings to the gather: p values, p errors, and five numbers, float64."""
    return (2 * p + 5) * 8


def sum_bytes(p: int) -> int:
    """What travels at each step: state, loss, gradient, one triangle of the curvature, float64."""
    return (2 + p + p * (p + 1) // 2) * 8


def ring(nodes: int, size: float, net: Net) -> float:
    """Seconds of an all-reduce around a ring."""
    return 2 * (nodes - 1) * (net.latency + size / (nodes * net.rate))


def tree(nodes: int, size: float, net: Net) -> float:
    """Seconds of an all-reduce up and down a tree."""
    return 2 * math.ceil(math.log2(nodes)) * (net.latency + size / net.rate)


def gather(nodes: int, size: float, net: Net) -> float:
    """Seconds until everybody has what everybody brought, `size` bytes in all, around a ring."""
    return (nodes - 1) * (net.latency + size / (nodes * net.rate))


def boards_seconds(nodes: int, boards: float, each: float, p: int, net: Net) -> float:
    """A batch of boards."""
    return each * boards / nodes + gather(nodes, board_bytes(p) * boards, net)


def points_seconds(nodes: int, points: float, each: float, sums: int, p: int, net: Net, reduce=tree) -> float:
    """One data set."""
    return sums * (each * points / nodes + reduce(nodes, sum_bytes(p), net))


def limit(seconds, most: int = 1 << 24) -> int:
    """The largest power of two of processes that are still used to at least one half: n T(n) ≤ 2 T(1)."""
    nodes = 1
    while nodes < most and 2 * nodes * seconds(2 * nodes) <= 2 * seconds(1):
        nodes *= 2
    return nodes


def table(title: str, seconds) -> list[str]:
    """Markdown: time, speed-up and use of every number of processes, for each net."""
    lines = [f"**{title}**", "", "| processes | " + " | ".join(f"{net.name}" for net in NETS) + " |"]
    lines.append("|---:|" + "---:|" * len(NETS))
    for nodes in NODES:
        cells = []
        for net in NETS:
            took, one = seconds(nodes, net), seconds(1, net)
            cells.append(f"{_time(took)}, {one / took:.4g} ×, {100 * one / took / nodes:.0f} %")
        lines.append(f"| {nodes} | " + " | ".join(cells) + " |")
    ends = [f"{limit(lambda n, net=net: seconds(n, net)):,}" for net in NETS]
    return [*lines, "| used to a half up to | " + " | ".join(ends) + " |", ""]


def _time(seconds: float) -> str:
    """Seconds, in the unit that suits them."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def sizes() -> list[str]:
    """Markdown: bytes of each message for some numbers of parameters."""
    lines = ["| parameters p | bytes a sum (each step) | bytes a board (once, at the end) |", "|---:|---:|---:|"]
    return lines + [f"| {p} | {sum_bytes(p)} | {board_bytes(p)} |" for p in (1, 2, 4, 8, 16, 32)] + [""]
