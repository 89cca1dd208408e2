"""What the pictures of a fit cost, against the same arithmetic written by hand: `python benchmarks/pictures.py`.

The surface: the loss on a grid of two components by `loss_over`, against the formulas in bare torch, every point of the
grid computed in full, at the best of several chunk sizes and in one piece. The peak of memory is the highest resident
set of the process during the call over the one before it (`VmHWM`, set back through `/proc`: Linux only).

The contributions: one vectorised call against a loop of `torch.autograd.grad` over the points, each of them selected
on its own. Each round times every contestant once, one after the other; ratios are medians of the ratios within a
round, with the least and the greatest behind them.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from reporting import at_most, shown
from torch import Tensor

import circuits as cc
import losses
from circuits.fitting.landscape import loss_over
from circuits.fitting.per_sample_gradients import contributions

C = 1e-6
NOISE = 0.01
"""Noise of the magnitudes: without any the loss would vanish at its minimum, and its last digits with it."""
CHUNKS = (16, 32, 48, 64, 128, 512)
CASES = {
    "low-pass R, C": ("R", "C"),
    "band-pass": ("R_low", "R_high"),
    "organ, one filter": ("band.R_low", "band.R_high"),
}
CASES["organ, two filters"] = ("low.R", "high.R")


def low(f: Tensor, tau: Tensor) -> Tensor:
    """Magnitude of a low-pass."""
    x = f * (2 * math.pi * tau)
    return torch.rsqrt(1 + x * x)


def high(f: Tensor, tau: Tensor) -> Tensor:
    """Magnitude of a high-pass."""
    x = f * (2 * math.pi * tau)
    return x * torch.rsqrt(1 + x * x)


def bare(case: str, f: Tensor, target: Tensor, held: dict[str, float]) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of boards with these values of the two components, `(N, 1)` each, by hand."""

    def square(prediction: Tensor, k: int | None = None) -> Tensor:
        left = prediction - (target if k is None else target[k])
        return (left * left).mean(-1)

    def organ(r1, r2, r3, r4):
        return (square(low(f, r1), 0) + square(low(f, r2) * high(f, r3), 1) + square(high(f, r4), 2)) / 3

    own = {name: torch.tensor([[value * C]], dtype=f.dtype) for name, value in held.items()}
    return {
        "low-pass R, C": lambda a, b: square(low(f, a * b)),
        "band-pass": lambda a, b: square(low(f, a * C) * high(f, b * C)),
        "organ, one filter": lambda a, b: organ(own["low.R"], a * C, b * C, own["high.R"]),
        "organ, two filters": lambda a, b: organ(a * C, own["band.R_low"], own["band.R_high"], b * C),
    }[case]


def fitted(case: str, points: int) -> cc.Fit:
    """A fit of the circuit of a case, from its start."""
    f = cc.tones(points)
    board: cc.Circuit
    true: cc.Circuit
    if case.startswith("organ"):
        board, true = cc.ColorOrgan(300.0, (60.0, 200.0), 50.0), cc.ColorOrgan(198.944, (39.789, 159.155), 31.831)
    elif case == "band-pass":
        board, true = cc.BandPass(60.0, 200.0), cc.BandPass(39.789, 159.155)
    else:
        board, true = cc.LowPass(300.0), cc.LowPass(198.944)
        board.C.requires_grad_()
    return cc.fit(board, cc.simulate(true, f, noise=NOISE), losses.Magnitude())


def grids(fit: cc.Fit, names: tuple[str, str], side: int) -> list[Tensor]:
    """A decade either way of the fitted values."""
    return [float(fit.values[name]) * torch.logspace(-1, 1, side, dtype=torch.float64) for name in names]


def seconds(function: Callable[[], object]) -> float:
    """Processor time of one call."""
    began = time.process_time()
    function()
    return time.process_time() - began


def surface(rounds: int, side: int, points: int) -> None:
    """The loss surface of each case."""
    print(f"\nloss surface, {side} × {side} boards × {points} points")
    for case, names in CASES.items():
        fit = fitted(case, points)
        problem, axes = fit.final_problem(), grids(fit, names, side)
        held = {name: float(value) for name, value in fit.values.items() if name not in names}
        one = bare(case, cc.tones(points), problem.target[0], held)
        first, second = (table.reshape(-1, 1) for table in torch.meshgrid(*axes, indexing="ij"))

        def by_hand(chunk: int, one=one, first=first, second=second) -> Tensor:
            pairs = zip(first.split(chunk), second.split(chunk), strict=True)
            return torch.cat([one(a, b).expand(len(a)) for a, b in pairs]) / NOISE**2

        def ours(problem=problem, x=fit.end, names=names, axes=axes) -> Tensor:
            return loss_over(problem, x, names, axes)

        apart = float((ours().reshape(-1) / by_hand(64) - 1).abs().max())
        chunks = (*CHUNKS, len(first))
        times = [(seconds(ours), *(seconds(lambda c=c: by_hand(c)) for c in chunks)) for _ in range(rounds)]
        medians = [statistics.median(column) for column in zip(*times, strict=True)]
        best = min(range(len(chunks)), key=lambda i: medians[i + 1])
        ratios = sorted(row[0] / row[best + 1] for row in times)
        ratio = statistics.median(ratios)
        held, plain = megabytes(ours), megabytes(lambda c=chunks[-1], f=by_hand: f(c))
        print(
            f"  {case:19s} {medians[0]:6.3f} s   {ratio:5.2f} × ({ratios[0]:.2f} to {ratios[-1]:.2f}) bare arithmetic"
            f" at its best chunk of {chunks[best]}   {medians[0] / medians[-1]:5.2f} × in one piece   apart {apart:.0e}"
            f"   peak {held}, in one piece {plain}"
        )
        shown(f"time of the surface over bare arithmetic, {case}", ratios)
        at_most(f"surface apart from bare arithmetic, {case}", apart, 1e-9, "")


def megabytes(function: Callable[[], object]) -> str:
    """How far the resident set of the process rises during a call."""
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what earlier calls left behind would hide what this one takes
        Path("/proc/self/clear_refs").write_text("5")  # the peak is what is held now
    except (AttributeError, OSError):
        return "not measured"
    before = _status("VmHWM")
    function()
    return f"{(_status('VmHWM') - before) / 1024:.0f} MB"


def _status(field: str) -> float:
    """A number of kilobytes from the process's status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def pulls(rounds: int, points: int) -> None:
    """Contributions of every point against a loop of `torch.autograd.grad`."""
    print(f"\ncontributions of {points} points")
    for case in ("low-pass R, C", "band-pass", "organ, one filter"):
        fit = fitted(case, points)
        problem, x = fit.final_problem(), fit.start

        def loop(problem=problem, x=x) -> Tensor:
            leaf = x.clone().requires_grad_()
            cost = problem.active_loss.pointwise(problem.predict(leaf), problem.target) / problem.count
            shape = cost.shape[1:]
            cost = cost.reshape(-1)
            rows = [torch.autograd.grad(cost[i], leaf, retain_graph=True)[0] for i in range(len(cost))]
            return torch.stack(rows, -1).reshape(1, len(problem.model.names), *shape)

        def ours(problem=problem, x=x) -> Tensor:
            return contributions(problem, x)

        apart = float((ours() - loop()).abs().max() / loop().abs().max())
        times = [(seconds(loop), seconds(lambda: [ours() for _ in range(100)]) / 100) for _ in range(rounds)]
        mine, theirs = (statistics.median(column) for column in zip(*[(b, a) for a, b in times], strict=True))
        ratios = sorted(a / b for a, b in times)
        print(
            f"  {case:19s} {mine * 1e6:6.0f} µs   the loop {theirs * 1e3:6.1f} ms: {statistics.median(ratios):5.0f} ×"
            f" ({ratios[0]:.0f} to {ratios[-1]:.0f})   apart {apart:.0e}"
        )
        shown(f"time of the loop over the contributions, {case}", ratios)


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=int, default=200)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a smoke run on a small grid")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    side, points, rounds = (20, 100, 2) if given.quick else (given.side, given.points, given.rounds)
    print(f"torch {torch.__version__}, {given.threads} thread(s), {rounds} rounds; processor times")
    surface(rounds, side, points)
    pulls(rounds, points)


if __name__ == "__main__":
    main()
