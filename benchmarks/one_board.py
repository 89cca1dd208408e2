"""One board, measured against what a person would use instead, all in one run: `python benchmarks/one_board.py`.

1000 magnitudes of a low-pass and of a color organ. Each round times every contestant once, one after the other, so
that all of them see the same machine; the figures are medians of the rounds, and the ratios are medians of the ratios
within a round. One thread. The classroom's loop has a benchmark of its own, `classroom.py`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import numpy as np
import torch
from netlist_peers.timing import Times, clock
from reporting import absent, at_least, at_most, shown
from scipy.optimize import least_squares

import circuits as cc
from circuits.fitting.many import Answer
from circuits.netlist.solver import native

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
    return cc.LowPass(*values) if name == "low-pass" else cc.ColorOrgan(values[0], (values[1], values[2]), values[3])


def warm_fit(board: cc.Circuit, data: cc.Measurements) -> Callable[[], Answer] | None:
    """The fit of `board` compiled and kept, ready to be called again and again; None without a compiler.

    Every call starts from what the board holds now.
    """
    if not native.available():
        return None
    again, values = cc.compile_fit(board, data), data.values.numpy()
    return lambda: again(values)


def restarted(board: cc.Circuit, start: float, act: Callable[[], cc.Fit]) -> Callable[[], cc.Fit]:
    """The act, with every learned component put back before."""
    moving = [p for p in board.parameters() if p.requires_grad]

    def act_again() -> cc.Fit:
        with torch.no_grad():
            for p in moving:
                p.fill_(start)
        return act()

    return act_again


def contestants(name: str, f: torch.Tensor, data: cc.Measurements) -> dict[str, Callable[[], object]]:
    """A function a contestant; each starts anew from the same values."""
    board = circuit(name, [START[name]] * len(TRUE[name]))
    fn, y, x0 = f.numpy(), data.values.numpy(), np.full(len(TRUE[name]), START[name])

    def residual(R):
        return (predict(name, fn, R, np.stack) - y).ravel()

    players: dict[str, Callable[[], object]] = {
        "ohmgrad": restarted(board, START[name], lambda: cc.fit(board, data, history=False)),
        "SciPy, default": lambda: least_squares(residual, x0),
        "SciPy, lm, analytic": lambda: least_squares(residual, x0, jac=lambda R: jacobian(name, fn, R), method="lm"),  # pyright: ignore
    }
    warm = warm_fit(board, data)
    if warm is not None:
        players["ohmgrad, warm"] = warm
    other = lmfit_fit(name, fn, y)
    if other is not None:
        players["lmfit"] = other
    return players


def lmfit_fit(name: str, f: np.ndarray, y: np.ndarray) -> Callable[[], object] | None:
    """lmfit's `minimize` as a person writes it, where it is installed."""
    try:
        import lmfit
    except ImportError:
        return None
    parameters = lmfit.Parameters()
    for i in range(len(TRUE[name])):
        parameters.add(f"R{i}", value=START[name], min=1e-3)

    def residual(given):
        return (predict(name, f, list(given.valuesdict().values()), np.stack) - y).ravel()

    return lambda: lmfit.minimize(residual, parameters)


def one_fit(name: str, rounds: int, repeats: int) -> None:
    """A circuit from 1000 magnitudes."""
    f, true = cc.tones(1000), TRUE[name]
    data = cc.simulate(circuit(name, true), f)
    players = contestants(name, f, data)
    print(f"\n{name}, 1000 tones, from {START[name]:g} Ω")
    for ours in ("ohmgrad", "ohmgrad, warm"):
        if ours in players:
            values = players[ours]().values.values()  # pyright: ignore[reportAttributeAccessIssue]
            error = max(abs(float(v) / t - 1) for v, t in zip(values, true, strict=True))
            at_most(f"largest relative error, {name}, {ours}", error, 1e-9, "")
    times = Times({player: clock(function, repeats) for player, function in players.items()}, rounds)
    for player in times:
        print(f"  {player:20s} {times.of(player) * 1e6:9.0f} µs   {times.ratio(player, 'ohmgrad'):8.2f} × ohmgrad")
    judge(name, times)


def judge(name: str, times: Times) -> None:
    """The figures of one circuit."""
    shown(f"one fit, {name}, ohmgrad", [1e6 * s for s in times.seconds["ohmgrad"]], "µs")
    what = f"time of SciPy's default over ours, not compiled, {name}"
    at_least(what, times.ratios("SciPy, default", "ohmgrad"), 1)
    shown(f"time of SciPy's lm over ours, not compiled, {name}", times.ratios("SciPy, lm, analytic", "ohmgrad"))
    if "ohmgrad, warm" in times:
        shown(f"one fit, {name}, ohmgrad, warm", [1e6 * s for s in times.seconds["ohmgrad, warm"]], "µs")
        what = f"time of SciPy's lm with Jacobian over ours, compiled and warm, {name}"
        at_least(what, times.ratios("SciPy, lm, analytic", "ohmgrad, warm"), 5)
    else:
        absent(f"{name}, compiled and warm", "no C compiler")
    if "lmfit" in times:
        shown(f"time of lmfit over ours, not compiled, {name}", times.ratios("lmfit", "ohmgrad"))
    else:
        absent("lmfit", "pip install lmfit")


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="a smoke run: one round of one fit")
    given = parser.parse_args()
    rounds, repeats = (1, 1) if given.quick else (given.rounds, given.repeats)
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread, {rounds} rounds of {repeats} fits")
    for name in TRUE:
        one_fit(name, rounds, repeats)


if __name__ == "__main__":
    main()
