"""Yield of the color organ, 5 % R and 10 % C, measured against loops in one run: `python benchmarks/yields.py`.

A hundred thousand boards are judged at two hundred tones, log-uniform from 1 Hz to 1 MHz: three LEDs each, lit or dark
as on the nominal board, without the tones within 12 % of a corner, where either will do. The contestants:

- ohmgrad: `estimate_yield`, which draws its boards (counted), and computes only the tones that decide;
- the same with every tone computed (`every=True`), which is what a circuit of unknown shape pays;
- a plain NumPy loop over boards, given the drawn values (not counted), with the filters written out by hand;
- the package's own circuit, given the values of one board after the other.

The loops walk a subset of the boards in each round and are scaled to all; once, the NumPy loop walks all of them, to
compare verdicts. Rounds are interleaved; ratios are medians of those of a round; one thread, time of the processor.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import torch
from netlist_peers.timing import Times, clock
from reporting import at_least, at_most, holds, shown

import circuits as cc
from circuits.lab import (
    Specification,
    Tolerances,
    centre,
    cheapest_tolerances,
    estimate_yield,
    leds_as_limits,
    tolerances_of,
    yield_costs,
)
from circuits.lab.production.tolerances import checked

ORGAN = (198.944, (39.789, 159.155), 31.831)
PRICES = {"R": {0.01: 0.02, 0.05: 0.01, 0.10: 0.005}, "C": {0.02: 1.0, 0.05: 0.4, 0.10: 0.15, 0.20: 0.08}}


def table(tones: int) -> Specification:
    """What the nominal board shows, but for tones so near a corner that either will do."""
    organ = cc.ColorOrgan(*ORGAN)
    seen = cc.simulate(organ, cc.tones(tones, seed=1), "led")
    corners = {name.split(".")[0]: [] for name in organ.cutoffs()}
    for name, f in organ.cutoffs().items():
        corners[name.split(".")[0]].append(f.item())
    values = seen.values.clone()
    for row, output in enumerate(organ.outputs):
        near = [min(abs(math.log(f / corner)) for corner in corners[output]) < 0.12 for f in seen.f.tolist()]
        values[row, near] = math.nan
    return leds_as_limits(cc.Measurements(seen.f, "led", values, outputs=organ.outputs), organ.threshold)


def numpy_loop(spec: Specification, boards: np.ndarray) -> np.ndarray:
    """Which boards pass, one by one."""
    w, lower, upper = 2 * np.pi * spec.f.numpy(), spec.lower.numpy(), spec.upper.numpy()
    passes = np.zeros(len(boards), dtype=bool)
    for i, (low_R, low_C, R_low, R_high, C_low, C_high, high_R, high_C) in enumerate(boards):
        low = 1 / np.sqrt(1 + (w * low_R * low_C) ** 2)
        x = w * R_high * C_high
        band = 1 / np.sqrt(1 + (w * R_low * C_low) ** 2) * x / np.sqrt(1 + x**2)
        x = w * high_R * high_C
        magnitudes = np.stack([low, band, x / np.sqrt(1 + x**2)])
        passes[i] = ((magnitudes >= lower) & (magnitudes <= upper)).all()
    return passes


def circuit_loop(spec: Specification, names: tuple[str, ...], boards: np.ndarray) -> list[bool]:
    """The same by a circuit of the package that takes the values of one board after the other."""
    passes, circuit = [], cc.ColorOrgan(*ORGAN)
    parts = [circuit.get_parameter(name) for name in names]
    with torch.no_grad():
        for board in boards.tolist():
            for part, value in zip(parts, board, strict=True):
                part.fill_(value)
            magnitudes = circuit.magnitude(spec.f)
            passes.append(bool(((magnitudes >= spec.lower) & (magnitudes <= spec.upper)).all()))
    return passes


def scaled(timed, factor: float):
    """Seconds of a loop over a subset, as if over all."""
    return lambda: factor * timed()


def race(spec: Specification, parts: Tolerances, boards: int, rounds: int) -> None:
    """The figure: equal to the loop, and so many times faster."""
    organ = cc.ColorOrgan(*ORGAN)
    values = ((1 + parts.deviations(boards)) * checked(organ, parts)).numpy()
    few, fewer = min(boards, 4000), min(boards, 400)

    def ours():
        return estimate_yield(organ, spec, parts, boards=boards)

    def every():
        return estimate_yield(organ, spec, parts, boards=boards, every=True)

    times = Times(
        {
            "ohmgrad": clock(ours, 3),
            "ohmgrad, every tone": clock(every),
            "NumPy loop": scaled(clock(lambda: numpy_loop(spec, values[:few])), boards / few),
            "circuit, board by board": scaled(
                clock(lambda: circuit_loop(spec, parts.names, values[:fewer])), boards / fewer
            ),
        },
        rounds,
    )
    print(f"  (loops timed on {few:,} and {fewer:,} boards and scaled to {boards:,})")
    for name in times:
        print(f"  {name:23s} {times.of(name):8.3f} s  {times.ratio(name, 'ohmgrad'):8.1f} × ohmgrad")
    found, loop, other = ours(), numpy_loop(spec, values), estimate_yield(organ, spec, parts, boards=boards, seed=1)
    same = found.passed == int(loop.sum()) == every().passed
    holds("the verdicts of the NumPy loop on the same boards", same, f"{found.passed:,} and {int(loop.sum()):,} pass")
    apart = abs(other.share - loop.mean()) / math.hypot(other.error, found.error)
    at_most("the yield of other boards, from the loop's", apart, 4, "σ of sampling")
    for name in ("NumPy loop", "circuit, board by board"):
        at_least(f"time over ours: {name}", times.ratios(name, "ohmgrad"), 50)
    every_tone = times.ratios("NumPy loop", "ohmgrad, every tone")
    shown("time over ours with every tone computed: NumPy loop", every_tone)


def netlist(boards: int, rounds: int) -> None:
    """A circuit of unknown shape: a band-pass by SPICE text, every tone computed, against board by board."""
    text = "rlc\nV1 in 0 AC 1\nL1 in a 10m tol=5%\nC1 a out 100n tol=10%\nR1 out 0 {R} tol=5%\n"
    circuit = cc.read_netlist(text.replace("{R}", "300"))
    f = cc.log_grid(200, 500.0, 50e3)
    level = circuit.decibels(f).detach()
    spec, parts = Specification(f, "decibels", level - 1.0, level + 1.0), tolerances_of(circuit)
    values = ((1 + parts.deviations(boards)) * checked(circuit, parts)).tolist()
    few = 200

    def one_by_one():
        for board in values[:few]:
            with torch.no_grad():
                for name, value in zip(parts.names, board, strict=True):
                    circuit.get_parameter(name).fill_(value)
                bool(((circuit.decibels(f) >= spec.lower) & (circuit.decibels(f) <= spec.upper)).all())

    def ours():
        with torch.no_grad():
            for name, value in {"L1": 10e-3, "C1": 100e-9, "R1": 300.0}.items():
                circuit.get_parameter(name).fill_(value)
        return estimate_yield(circuit, spec, parts, boards=boards)

    players = {"ohmgrad": clock(ours), "board by board": scaled(clock(one_by_one), boards / few)}
    times = Times(players, rounds)
    ratio = times.ratio("board by board", "ohmgrad")
    print(f"\nnetlist, {boards:,} boards × 200 frequencies: {ours()}")
    print(f"  {times.of('ohmgrad'):.3f} s; board by board {ratio:.1f} × that (timed on {few} and scaled)")
    shown("time over ours, netlist, every tone: board by board", times.ratios("board by board", "ohmgrad"))


def designs(spec: Specification, parts: Tolerances) -> None:
    """What the yield is good for: costs, centring, the cheapest tolerances."""
    organ = cc.ColorOrgan(*ORGAN)
    costs = yield_costs(organ, spec, parts, boards=100_000)
    print(
        "\nwhat tolerances cost: "
        + ", ".join(f"{c.name} {100 * c.gain:.2f} ± {100 * c.error:.2f} %" for c in costs[:4])
    )
    start = cc.ColorOrgan(170.0, (45.0, 150.0), 36.0)
    found = []
    seconds = clock(lambda: found.append(centre(start, spec, parts)))()
    print(
        f"centring from 170, (45, 150), 36 Ω: {found[0].before.share:.4f} → {found[0].after.share:.4f} "
        f"in {seconds:.2f} s"
    )
    prices = {name: PRICES[name.split(".")[-1][0]] for name in parts.names}
    wanted = 0.95
    seconds = clock(lambda: found.append(cheapest_tolerances(organ, spec, prices, wanted)))()
    choice = found[-1]
    print(
        f"cheapest tolerances for {wanted:.0%}: {choice.price:.3f}, {choice.tried:,} of {3**4 * 4**4:,} choices tried "
        f"in {seconds:.2f} s; other boards {choice.verified.share:.4f}"
    )


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", type=int, default=100_000)
    parser.add_argument("--tones", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="a smoke run: few boards, two rounds")
    given = parser.parse_args()
    boards, rounds = (5000, 2) if given.quick else (given.boards, given.rounds)
    torch.set_num_threads(1)
    spec = table(given.tones)
    parts = tolerances_of(cc.ColorOrgan(*ORGAN), {"R": 0.05, "C": 0.10})
    print(
        f"torch {torch.__version__}, one thread; color organ, {boards:,} boards × {given.tones} tones, {rounds} rounds"
    )
    race(spec, parts, boards, rounds)
    netlist(min(boards, 20_000), max(2, rounds // 3))
    designs(spec, parts)


if __name__ == "__main__":
    main()
