"""The classroom's loop against a fit, the low-pass from magnitudes: `python benchmarks/classroom.py`.

1000 tones, log-uniform from 1 Hz to 1 MHz; plain gradient descent on the resistance in ohms from 1 kΩ, learning rate
200, until the loss or the gradient is under 1e-6 or 100,000 steps are done, as it is taught. The loop is walked in
full once, between rounds of the fit so that both see the same machine; `--quick` walks its first steps and scales by
the 89,164 that it takes. Then `GradientDescent` of the package, history and all, against the same loop, step for step.
One thread, time of the processor.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import torch
from netlist_peers.timing import Times, clock
from one_board import low_pass, restarted, warm_fit
from reporting import RATIO, absent, at_least, at_most, holds, shown

import circuits as cc
import losses
from circuits.fitting.many import Answer

TRUE, START, LR = 198.944, 1000.0, 200.0
SMALL, MOST, KNOWN = 1e-6, 100_000, 89_164


def classroom_loop(f: torch.Tensor, y: torch.Tensor, most: int = MOST, walk: list[float] | None = None):
    """Steps taken and the resistance found, by the loop of the classroom."""
    R = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    step = 0
    for step in range(1, most + 1):  # noqa: B007, the steps that were taken are the answer
        loss = ((low_pass(f, R) - y) ** 2).mean()
        R.grad = None
        loss.backward()
        assert R.grad is not None
        with torch.no_grad():
            R -= LR * R.grad
        if walk is not None:
            walk.append(R.item())
        elif loss.item() < SMALL or abs(R.grad.item()) < SMALL:
            break
    return step, R.item()


def fits(data: cc.Measurements) -> dict[str, tuple[Callable[[], cc.Fit | Answer], float]]:
    """The fits, and how many times faster than the loop each has to be."""
    board = cc.LowPass(R=START)
    found = {"eager": (restarted(board, START, lambda: cc.fit(board, data, history=False)), 15e3)}
    warm = warm_fit(board, data)
    if warm is None:
        absent("compiled and warm", "no C compiler")
    else:
        found["warm"] = (warm, 100e3)
    return found


def against_the_loop(f: torch.Tensor, data: cc.Measurements, rounds: int, quick: bool) -> None:
    """One walk of the loop, in seconds, over the time of a fit."""
    players = fits(data)
    before = {name: clock(act, 20) for name, (act, _) in players.items()}
    for act, _ in players.values():
        act()  # whatever is read at first use is not of a fit
    times = {name: [timed() for _ in range(rounds)] for name, timed in before.items()}
    ended: list[tuple[int, float]] = []
    took = clock(lambda: ended.append(classroom_loop(f, data.values, 500 if quick else MOST)))()
    steps, R = ended[0]
    took *= KNOWN / steps if quick else 1
    for name, timed in before.items():
        times[name] += [timed() for _ in range(rounds)]
    scaled, off = " (scaled)" * quick, 100 * abs(R / TRUE - 1)
    print(f"  the loop: {took:.2f} s, {steps:,} steps{scaled}, {off:.2g} % off")
    shown("time of the classroom's loop", took, "s")
    shown("relative error of the classroom's loop", abs(R / TRUE - 1), "")
    for name, (act, wanted) in players.items():
        error = abs(float(act().values["R"]) / TRUE - 1)
        print(f"  {name} fit: {statistics.median(times[name]) * 1e6:.0f} µs")
        at_least(f"time of the classroom's loop over a fit, {name}", [took / one for one in times[name]], wanted)
        at_most(f"relative error of the fit, {name}", error, 1e-9, "")


def descent(f: torch.Tensor, data: cc.Measurements, rounds: int, steps: int) -> None:
    """Gradient descent with history against the ten-line loop, step for step."""
    walks: dict[str, list[float]] = {}

    def by_hand():
        walks["hand"] = []
        classroom_loop(f, data.values, steps, walks["hand"])

    def ours():
        how, stop = cc.GradientDescent(lr=LR), cc.Stop(steps=steps)
        found = cc.fit(cc.LowPass(R=START), data, losses.Magnitude(), method=how, coordinates="linear", stop=stop)
        assert found.history is not None
        walks["ours"] = found.history.of("R")[1:, 0].tolist()

    times = Times({"hand": clock(by_hand), "ours": clock(ours)}, rounds)
    apart = max(abs(a / b - 1) for a, b in zip(walks["ours"], walks["hand"], strict=True))
    print(f"\ngradient descent, lr {LR:g} from 1 kΩ, {steps} steps")
    print(f"  by hand {times.of('hand') / steps * 1e6:.0f} µs a step, ohmgrad {times.of('ours') / steps * 1e6:.0f} µs")
    shown("time of the hand-written descent over ours with history", times.ratios("hand", "ours"), RATIO)
    holds("the two walks agree to 1e-9", apart < 1e-9, f"{apart:.1e} apart at most")


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="a smoke run: the loop is cut short and scaled")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rounds = 1 if given.quick else given.rounds
    f = cc.tones(1000)
    data = cc.simulate(cc.LowPass(R=TRUE), f)
    print(f"torch {torch.__version__}, one thread; the low-pass from 1000 magnitudes, from {START:g} Ω")
    against_the_loop(f, data, rounds, given.quick)
    descent(f, data, max(1, rounds // 3), 100 if given.quick else 3000)


if __name__ == "__main__":
    main()
