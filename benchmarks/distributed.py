"""Two processes by torchrun against one, each on one thread: `python benchmarks/distributed.py`.

    python benchmarks/distributed.py           boards shared out, and one data set shared out, beside one process
    python benchmarks/distributed.py --model   the cost on a thousand nodes, from what is measured here (SCALING.md)

Both processes are started once, by torchrun, before anything is timed. In each round process 0 fits everything alone
by `circuits.fit` while process 1 waits, and then both fit it together by `circuits.fit_distributed`; the clock is the
one on the wall. A fit counts until values, errors, losses, steps, reasons and verdicts are there. Shared points
take the general road of a fit; alone they do too, and the compiled one, where there is one, is shown beside it. The
processor's time of process 0 is shown as well: others who use the machine meanwhile do not disturb it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from machines.model import boards_seconds, points_seconds, sizes, sum_bytes, table
from organ_peers.case import START, TOLD, draw
from reporting import at_least, at_most, shown

import circuits as cc
from circuits.fitting.distributed import joined, part_of
from circuits.fitting.distributed.points import StepsTogether

P, POINT_P = 4, 2
"""Resistors of a color organ, and of the band-pass of the one data set."""


def organs(boards: int) -> cc.Circuit:
    R = torch.full((boards,), START, dtype=torch.float64)
    return cc.ColorOrgan(R, (R, R), R)


def measured_organs(boards: int) -> cc.Measurements:
    case = draw(boards)
    return cc.Measurements(
        torch.from_numpy(case.f), "magnitude", torch.from_numpy(case.y), outputs=("low", "band", "high")
    )


def measured_filter(points: int) -> cc.Measurements:
    return cc.simulate(cc.BandPass(R_low=39.8, R_high=159.2), cc.log_grid(points, 10.0, 1e5), noise=0.01)


def filter_() -> cc.Circuit:
    return cc.BandPass(R_low=500.0, R_high=300.0)


def rows_of(data: cc.Measurements, rows: slice) -> cc.Measurements:
    """Some of the points of the one data set."""
    sigma = None if data.sigma is None else data.sigma.expand(data.values.shape)[rows]
    return cc.Measurements(data.f[rows], data.quantity, data.values[rows], sigma)


def read(fit: Any) -> dict[str, Any]:
    """Everything that is asked of a fit, alone or shared."""
    assert fit.errors is not None and fit.explains is not None and fit.reason is not None
    values, errors = (torch.stack([v.reshape(-1) for v in table.values()]) for table in (fit.values, fit.errors))
    return {"values": values, "told": errors < TOLD * values}


def apart(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The largest relative difference of a value that the data tell; the others are noise in any fit."""
    return float((one["values"] / other["values"] - 1).abs()[other["told"]].max())


def timed(act: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds on the wall, of the processor, and the fit."""
    began, worked = time.perf_counter(), time.process_time()
    fit = act()
    read(fit)
    return time.perf_counter() - began, time.process_time() - worked, fit


def member(boards: int, points: int, rounds: int) -> dict[str, Any]:
    """What one of the processes does; process 0 has the figures."""
    torch.set_num_threads(1)
    many, one = measured_organs(boards), measured_filter(points)
    with joined(timeout=600.0) as group:
        mine = rows_of(one, part_of(points, group.rank, group.size))
        cases = {
            "boards": (
                lambda: cc.fit(organs(boards), many, history=False, progress=False),
                lambda: cc.fit_distributed(organs(boards), many, progress=False),
            ),
            "points": (
                lambda: cc.fit(filter_(), one, method=StepsTogether(), history=False, progress=False),
                lambda: cc.fit_distributed(filter_(), mine, given="part", progress=False),
            ),
        }
        figures = {name: rounds_of(group, *pair, rounds) for name, pair in cases.items()}
        if group.rank == 0:
            quick = lambda: cc.fit(filter_(), one, history=False, progress=False)  # noqa: E731
            figures["points"]["as it comes"] = [timed(quick)[0] for _ in range(rounds + 1)][1:]
        group.gather("ready")
        return figures


def rounds_of(group: Any, alone: Callable[[], Any], shared: Callable[[], Any], rounds: int) -> dict[str, Any]:
    """Both in turns; the first round warms up and is not counted."""
    times: list[tuple[float, ...]] = []
    found: Any = None
    difference, messages = 0.0, {}
    for _ in range(rounds + 1):
        group.gather("ready")
        single = timed(alone) if group.rank == 0 else None
        group.gather("ready")
        took, worked, found = timed(shared)
        if single is not None:
            times.append((single[0], took, single[1], worked))
            difference = max(difference, apart(read(found), read(single[2])))
        messages = {"sums": dict(found.messages.sums), "gathers": dict(found.messages.gathers)}
    steps = torch.as_tensor(found.steps).double()
    kept = times[1:]
    return {
        "alone": [one[0] for one in kept],
        "shared": [one[1] for one in kept],
        "work": [one[2] / one[3] for one in kept],
        "apart": difference,
        "messages": messages,
        "steps": [float(steps.mean()), float(steps.max())],
    }


def launch(boards: int, points: int, rounds: int, processes: int = 2) -> dict[str, Any]:
    """Start the processes and return what process 0 measured."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "figures.json")
        run = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        sizes_given = ["--boards", str(boards), "--points", str(points), "--rounds", str(rounds)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, *run, __file__, *sizes_given, "--member", path]
        subprocess.run(command, check=True, env=environment)
        return json.loads(Path(path).read_text("utf-8"))


def compare(given: argparse.Namespace) -> None:
    """Two processes against one."""
    figures = launch(given.boards, given.points, given.rounds)
    names = {"boards": f"{given.boards:,} color organs", "points": f"a band-pass measured at {given.points:,} points"}
    for share, what in names.items():
        own = figures[share]
        print(f"\n{what}, shared by {share}; {own['steps'][0]:.3g} steps on average; process 0 sent {own['messages']}")
        ratios = [a / b for a, b in zip(own["alone"], own["shared"], strict=True)]
        shown(f"{share}: one process alone", own["alone"], "s")
        if "as it comes" in own:
            shown(f"{share}: one process alone, compiled if that is there", own["as it comes"], "s")
        at_least(f"{share}: one process's time over two's", ratios, 1.7)
        shown(f"{share}: the same in processor's time", own["work"])
        at_most(f"{share}: largest relative difference of a value that is told", own["apart"], 1e-10, unit="")


def model(given: argparse.Namespace) -> None:
    """The cost on paper, from one small run of two processes."""
    boards, points = 5000, 500_000
    figures = launch(boards, points, 3)
    own, one = figures["boards"], figures["points"]
    board, steps = min(own["alone"]) / boards, one["steps"][1]
    sums = sum(one["messages"]["sums"].values())
    point = min(one["alone"]) / points / sums
    counted = one["messages"]["sums"].get(str(sum_bytes(POINT_P)), 0)
    print(
        f"measured: {board * 1e6:.3g} µs a board (color organ, p = {P}, 3 × 200 points, {own['steps'][0]:.3g} steps);"
    )
    print(f"{point * 1e9:.3g} ns a point and step (band-pass, p = {POINT_P}); {steps:.0f} steps made {sums} sums,")
    print(f"of which {counted} of {sum_bytes(POINT_P)} bytes; boards (bytes: times) {own['messages']['gathers']}\n")
    lines = sizes()
    for many in (1e5, 1e9):
        title = f"{many:,.0f} boards shared out (color organ, p = {P})"
        lines += table(title, lambda n, net, many=many: boards_seconds(n, many, board, P, net))
    for many in (1e6, 1e9):
        title = f"{many:,.0f} points of one data set shared out (p = {POINT_P}, {sums} sums, tree)"
        lines += table(title, lambda n, net, many=many: points_seconds(n, many, point, sums, POINT_P, net))
    print("\n".join(lines))


def main() -> None:
    """Run it and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", type=int, default=100_000)
    parser.add_argument("--points", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a smoke run")
    parser.add_argument("--model", action="store_true", help="the cost model as Markdown")
    parser.add_argument("--member", metavar="FILE", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.member:
        figures = member(given.boards, given.points, given.rounds)
        if os.environ.get("RANK", "0") == "0":
            Path(given.member).write_text(json.dumps(figures), "utf-8")
        return
    if given.quick:
        given.boards, given.points, given.rounds = 200, 20_000, 1
    model(given) if given.model else compare(given)


if __name__ == "__main__":
    main()
