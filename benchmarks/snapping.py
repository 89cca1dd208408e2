"""Real parts for the color organ, against trying every set of parts: `python benchmarks/snapping.py`.

Two stocks: E12 without pairs, and the 30-part drawer of the examples with pairs, each part as often as it is there. The
exhaustive search is NumPy by hand: it knows that each output depends on its own resistors only, evaluates every board
of every filter, sorts them, and combines them under the counts of the drawer until nothing cheaper can come. Both run
in turns in one process, on one thread. The last two cases have no exhaustive search beside them: all eight parts of the
organ, capacitors too, and the breadboard organ as a netlist, whose outputs depend on all four resistors.
"""

from __future__ import annotations

import argparse
import heapq
import math
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from reporting import at_most, holds, shown

import circuits as cc
from circuits.lab import Drawer, Snapped, read_drawer, snap
from circuits.lab.parts.drawer import drawer_of_series

EXAMPLES = Path(__file__).parent.parent / "examples"
IDEAL = [198.944, 39.789, 159.155, 31.831]
PARTS = ["low.R", "band.R_low", "band.R_high", "high.R"]
LIMIT = 2.0
Way = tuple[float, tuple[int, ...]]


def ways(drawer: Drawer, pairs: bool) -> list[Way]:
    """Every resistance from one part or two, and which parts it takes."""
    own = [(i, part) for i, part in enumerate(drawer.parts) if part.unit == "Ω" and part.count != 0]
    found: list[Way] = [(part.value, (i,)) for i, part in own]
    for at, (i, a) in enumerate(own if pairs else []):
        for j, b in own[at:]:
            if i != j or a.count is None or a.count > 1:
                found += [(a.value + b.value, (i, j)), (a.value * b.value / (a.value + b.value), (i, j))]
    return found


def ranked(places: list[list[Way]], response: Callable, f: np.ndarray, ideal: list[float]) -> list:
    """Costs of every board of one filter, the best thousand, with the parts that each takes."""
    wanted = response(f, *([value] for value in ideal))[0]
    values = [np.array([value for value, _ in place]) for place in places]
    if len(values) == 1:
        costs = ((response(f, values[0]) - wanted) ** 2).sum(-1)
    else:  # a row of boards at a time, so that they stay in the cache
        rows = (response(f, np.full(len(values[1]), a), values[1]) - wanted for a in values[0])
        costs = np.stack([(row**2).sum(-1) for row in rows])
    best = np.argsort(costs, axis=None)[:1000]
    found = []
    for flat in best:
        picks = np.unravel_index(flat, costs.shape)
        parts = sum((place[i][1] for place, i in zip(places, picks, strict=True)), ())
        found.append(
            (float(costs[picks]), [place[i][0] for place, i in zip(places, picks, strict=True)], Counter(parts))
        )
    return found


def x(f: np.ndarray, R) -> np.ndarray:
    """ωRC, boards by frequencies."""
    return 2 * math.pi * 1e-6 * np.asarray(R)[:, None] * f


FILTERS = {
    "low": (1, lambda f, R: (1 + x(f, R) ** 2) ** -0.5),
    "band": (2, lambda f, a, b: x(f, b) * ((1 + x(f, a) ** 2) * (1 + x(f, b) ** 2)) ** -0.5),
    "high": (1, lambda f, R: x(f, R) * (1 + x(f, R) ** 2) ** -0.5),
}


def exhaustive(drawer: Drawer, pairs: bool, f: np.ndarray) -> tuple[float, list[float]]:
    """Root mean square error and values of the best organ, by trying all of them."""
    found, lists, ideal = ways(drawer, pairs), [], list(IDEAL)
    for count, response in FILTERS.values():
        own = [ideal.pop(0) for _ in range(count)]
        lists.append(ranked([found] * count, response, f, own))
    heap, seen = [(sum(rows[0][0] for rows in lists), (0, 0, 0))], set()
    while heap:  # by rising cost, the first that there are enough parts for
        cost, at = heapq.heappop(heap)
        used = sum((rows[i][2] for rows, i in zip(lists, at, strict=True)), Counter())
        if all(drawer.parts[i].count is None or n <= drawer.parts[i].count for i, n in used.items()):
            values = [value for rows, i in zip(lists, at, strict=True) for value in rows[i][1]]
            return math.sqrt(cost / (3 * len(f))), values
        for k in range(3):
            following = tuple(i + (j == k) for j, i in enumerate(at))
            if following not in seen and following[k] < len(lists[k]):
                seen.add(following)
                heapq.heappush(heap, (sum(rows[i][0] for rows, i in zip(lists, following, strict=True)), following))
    raise SystemExit("the drawer does not suffice among the best thousand of each filter")


def timed(function: Callable) -> tuple[float, object]:
    """Seconds, and what came out."""
    began = time.perf_counter()
    result = function()
    return time.perf_counter() - began, result


def compared(title: str, drawer: Drawer, pairs: bool, f: torch.Tensor, rounds: int) -> None:
    """The package and the exhaustive search in turns."""
    organ = cc.ColorOrgan(IDEAL[0], (IDEAL[1], IDEAL[2]), IDEAL[3])
    mine, theirs = [], []
    for _ in range(rounds):
        seconds, snapped = timed(lambda: snap(organ, drawer, f, pairs=pairs))
        mine.append(seconds)
        seconds, (best, values) = timed(lambda: exhaustive(drawer, pairs, f.numpy()))  # pyright: ignore
        theirs.append(seconds)
    found = [swap.choice.value for swap in snapped.swaps]  # pyright: ignore
    describe(title, snapped)  # pyright: ignore
    own, other = statistics.median(mine), statistics.median(theirs)
    print(f"  ohmgrad {own:.3f} s, trying all {other:.3f} s ({other / own:.1f} times as long), medians of {rounds}")
    same = math.isclose(snapped.rms, best, rel_tol=1e-9)  # pyright: ignore
    print(
        f"  rms error {snapped.rms:.9g}, of the exhaustive search {best:.9g}; same parts: {np.allclose(found, values)}"
    )  # pyright: ignore
    holds(f"equal to exhaustive search, {title}", same)
    at_most(f"slowest search, {title}", max(mine), LIMIT, "s")
    shown(f"time of trying all over ours, {title}", [b / a for a, b in zip(mine, theirs, strict=True)])


def alone(title: str, act: Callable[[], Snapped], rounds: int) -> None:
    """Cases too large to try all."""
    times = [timed(act) for _ in range(rounds)]
    describe(title, times[-1][1])  # pyright: ignore
    print(f"  ohmgrad {statistics.median(t for t, _ in times):.3f} s, median of {rounds}")


def describe(title: str, snapped: Snapped) -> None:
    """What was chosen from how many."""
    print(f"\n{title}: {snapped.combinations:,} sets of parts, {snapped.boards:,} boards and boxes evaluated")
    print("  " + ", ".join(f"{swap.name} {swap.choice.written}" for swap in snapped.swaps))
    rounded = "not to be had" if snapped.rounded is None else f"{snapped.rounded:.3g}"
    print(f"  rms error {snapped.rms:.3g}; each rounded alone {rounded}; searched to the end: {snapped.proven}")


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a smoke run: one round, few frequencies")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rounds, f = (1, cc.log_grid(40, 10.0, 1e5)) if given.quick else (given.rounds, cc.log_grid(200, 10.0, 1e5))
    print(f"torch {torch.__version__}, one thread, {len(f)} frequencies, magnitudes of three outputs")
    box = read_drawer(EXAMPLES / "data" / "drawer.csv")
    compared("color organ, E12", drawer_of_series("E12"), False, f, rounds)
    compared("color organ, drawer of 30 with pairs", box, True, f, rounds)
    organ = cc.ColorOrgan(IDEAL[0], (IDEAL[1], IDEAL[2]), IDEAL[3])
    every = [name for name, _ in organ.named_parameters()]
    alone("all eight parts, drawer with pairs", lambda: snap(organ, box, f, parts=every, pairs=True), rounds)
    outputs = {name: f"V({name})/V(in)" for name in organ.outputs}
    board = cc.read_netlist(EXAMPLES / "netlists" / "organ.cir", outputs, values={"R1": 206.4, "R2": 37.6, "R3": 165.1})
    alone("breadboard organ, drawer with pairs", lambda: snap(board, box, f, pairs=True), rounds)


if __name__ == "__main__":
    main()
