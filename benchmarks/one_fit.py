"""One fit, measured against what a person would use instead, all in one run: `python benchmarks/one_fit.py`.

Each round times every contestant once, one after the other, so that all of them see the same machine; the figures are
medians of the rounds, and the ratios are medians of the ratios within a round. Threads are fixed to one. The classroom
loop is timed by its step and walked once to within 1 % (`--quick` extrapolates from fewer steps and skips that walk).
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import least_squares

import circuits as cc
import losses
from circuits.fitting import Stop

C = 1e-6
TRUE = {"low-pass": [198.944], "color organ": [198.944, 39.789, 159.155, 31.831]}
START = {"low-pass": 1000.0, "color organ": 500.0}


def low_pass(f, R):
    """Magnitude of the low-pass, for NumPy arrays and tensors alike."""
    return 1 / (1 + (2 * math.pi * f * C * R) ** 2) ** 0.5


def high_pass(f, R):
    """Magnitude of the high-pass."""
    x = 2 * math.pi * f * C * R
    return x / (1 + x**2) ** 0.5


def predict(name: str, f, R, stack: Callable):
    """What the plain contestants compute: the same formulas, written by hand."""
    if name == "low-pass":
        return low_pass(f, R[0])
    return stack([low_pass(f, R[0]), low_pass(f, R[1]) * high_pass(f, R[2]), high_pass(f, R[3])])


def jacobian(name: str, f: np.ndarray, R: np.ndarray) -> np.ndarray:
    """The analytic Jacobian that SciPy's `lm` is given."""
    x = 2 * np.pi * f * C

    def low_slope(r):
        return -(x**2) * r / (1 + (x * r) ** 2) ** 1.5

    def high_slope(r):
        return x / (1 + (x * r) ** 2) ** 1.5

    if name == "low-pass":
        return low_slope(R[0])[:, None]
    n = len(f)
    table = np.zeros((3 * n, 4))
    table[:n, 0] = low_slope(R[0])
    table[n : 2 * n, 1] = low_slope(R[1]) * high_pass(f, R[2])
    table[n : 2 * n, 2] = low_pass(f, R[1]) * high_slope(R[2])
    table[2 * n :, 3] = high_slope(R[3])
    return table


def circuit(name: str, values: list[float]) -> cc.Circuit:
    """The package's circuit."""
    return cc.LowPass(R=values[0]) if name == "low-pass" else cc.ColorOrgan(values[0], tuple(values[1:3]), values[3])


def contestants(name: str, f: torch.Tensor, data: cc.Measurements) -> dict[str, Callable[[], object]]:
    """A function a contestant; each starts anew from the same values."""
    board = circuit(name, [START[name]] * len(TRUE[name]))
    moving = [p for p in board.parameters() if p.requires_grad]
    fn, y, x0 = f.numpy(), data.values.numpy(), np.full(len(TRUE[name]), START[name])

    def ours():
        with torch.no_grad():
            for p in moving:
                p.fill_(START[name])
        return cc.fit(board, data, history=False)

    def residual(R):
        return (predict(name, fn, R, np.stack) - y).ravel()

    return {
        "ohmgrad fit": ours,
        "SciPy default": lambda: least_squares(residual, x0),
        "SciPy lm, analytic": lambda: least_squares(residual, x0, jac=lambda R: jacobian(name, fn, R), method="lm"),
    }


def classroom(
    name: str, f: torch.Tensor, y: torch.Tensor, steps: int, within: float | None
) -> tuple[float, int, float]:
    """The classroom's loop: plain gradient descent in ohms, lr 200; seconds, steps taken, worst relative error."""
    R = torch.full((len(TRUE[name]),), START[name], dtype=torch.float64, requires_grad=True)
    true = torch.tensor(TRUE[name], dtype=torch.float64)
    began = time.perf_counter()
    for step in range(1, steps + 1):
        loss = ((predict(name, f, R, torch.stack) - y) ** 2).mean()
        R.grad = None
        loss.backward()
        with torch.no_grad():
            R -= 200 * R.grad
        if within is not None and step % 500 == 0 and float((R.detach() / true - 1).abs().max()) < within:
            break
    return time.perf_counter() - began, step, float((R.detach() / true - 1).abs().max())


def seconds(function: Callable[[], object], repeats: int) -> float:
    """Time of one call."""
    began = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - began) / repeats


def one_fit(rounds: int, repeats: int, longest: int, quick: bool) -> None:
    """Low-pass and color organ from 1000 magnitudes."""
    f = cc.tones(1000)
    for name, true in TRUE.items():
        data = cc.simulate(circuit(name, true), f)
        players = contestants(name, f, data)
        error = max(abs(float(v) / t - 1) for v, t in zip(players["ohmgrad fit"]().values.values(), true, strict=True))
        times = {player: [] for player in players}
        for _ in range(rounds):
            for player, function in players.items():
                times[player].append(seconds(function, repeats))
        print(f"\n{name}, 1000 tones, from {START[name]:g} Ω; largest relative error of ohmgrad {error:.1e}")
        mine = times["ohmgrad fit"]
        for player, t in times.items():
            ratio = statistics.median(a / b for a, b in zip(t, mine, strict=True))
            print(f"  {player:20s} {statistics.median(t) * 1e6:9.0f} µs   {ratio:8.2f} × ohmgrad")
        took, steps, left = classroom(name, f, data.values, 2000 if quick else longest, None if quick else 0.01)
        mine += [
            seconds(players["ohmgrad fit"], repeats) for _ in range(rounds)
        ]  # the same machine after the long walk
        ratio, reached = took / statistics.median(mine), "within 1 %" if left < 0.01 else f"{100 * left:.3g} % off"
        print(f"  classroom loop       {took:9.2f} s    {ratio:8.0f} × ohmgrad ({steps} steps, {reached})")


def descent(rounds: int, steps: int) -> None:
    """Gradient descent with history against the ten-line loop, step for step."""
    f = cc.tones(1000)
    data = cc.simulate(cc.LowPass(R=198.944), f)
    walks = {}

    def by_hand():
        R = torch.tensor(1000.0, dtype=torch.float64, requires_grad=True)
        walk = []
        for _ in range(steps):
            loss = ((low_pass(f, R) - data.values) ** 2).mean()
            R.grad = None
            loss.backward()
            with torch.no_grad():
                R -= 200 * R.grad
            walk.append(R.item())
        walks["hand"] = walk

    def ours():
        found = cc.fit(
            cc.LowPass(R=1000.0),
            data,
            losses.Magnitude(),
            method=cc.GradientDescent(lr=200.0),
            coordinates="linear",
            stop=Stop(steps=steps),
        )
        walks["ours"] = found.history.of("R")[1:, 0].tolist()

    pairs = [(seconds(by_hand, 1), seconds(ours, 1)) for _ in range(rounds)]
    apart = max(abs(a / b - 1) for a, b in zip(walks["ours"], walks["hand"], strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    hand, own = (statistics.median(t) / steps * 1e6 for t in zip(*pairs, strict=True))
    print(f"\ngradient descent, lr 200 from 1 kΩ, {steps} steps")
    print(f"  by hand {hand:.0f} µs a step, ohmgrad with history {own:.0f} µs")
    print(f"  {ratio:.2f} × the hand-written loop; the two walks differ by {apart:.1e} at most")


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--longest", type=int, default=400_000, help="classroom steps at most")
    parser.add_argument("--quick", action="store_true", help="a smoke run: the classroom loop is cut short")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread, {given.rounds} rounds of {given.repeats} fits")
    one_fit(given.rounds, given.repeats, given.longest, given.quick)
    descent(max(3, given.rounds // 3), 300 if given.quick else 3000)


if __name__ == "__main__":
    main()
