"""A hundred starts of the band-pass from LEDs, against one start: `python benchmarks/starts.py`.

1000 tones lit or dark, 1 µF capacitors held, both resistors unknown, the logistic likelihood. Both ways of asking take
turns on the same data, compiled as a person asks for with `compile=True`; data are kept once for all starts. One
thread, time of the processor. SciPy's way, for scale: `minimize` on the same likelihood from every start would take a
hundred times as long as from one.
"""

from __future__ import annotations

import argparse

import torch
from netlist_peers.timing import Times, clock
from reporting import at_most, holds, shown

import circuits as cc
import losses

TRUE = (39.789, 159.155)
FIRST = (200.0, 200.0)
STARTS = 100


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--starts", type=int, default=STARTS)
    parser.add_argument("--quick", action="store_true", help="a smoke run: one round, few tones, 10 starts")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rounds, tones, starts = (1, 200, 10) if given.quick else (given.rounds, 1000, given.starts)
    leds = cc.simulate(cc.BandPass(*TRUE), cc.tones(tones), "led")
    found: dict[str, cc.Fit] = {}

    def walked(name: str, count: int) -> None:
        found[name] = cc.fit(cc.BandPass(*FIRST), leds, losses.LogisticLed(), starts=count, history=False, compile=True)

    players = {"one": lambda: walked("one", 1), "many": lambda: walked("many", starts)}
    for act in players.values():
        act()  # whatever is read at first use is not of a fit
    times = Times({name: clock(act, 3 if rounds > 1 else 1) for name, act in players.items()}, rounds)
    print(f"torch {torch.__version__}, one thread; band-pass from {tones} LEDs, {rounds} rounds")
    for name, fit in found.items():
        values = ", ".join(f"{part} {float(value):.2f} Ω" for part, value in fit.values.items())
        print(f"  {name:5s} {1e3 * times.of(name):8.1f} ms   {values}")
    shown("a fit from one start", [1e3 * one for one in times.seconds["one"]], "ms")
    at_most(
        f"time of {STARTS} starts over one",
        times.ratios("many", "one"),
        5,
        note="" if starts == STARTS else f"{starts}",
    )
    holds("what was seen is explained, by one start and by many", all(bool(fit.explains) for fit in found.values()))


if __name__ == "__main__":
    main()
