"""LEDs of a color organ, tones chosen by `Session` against a fixed grid: `python benchmarks/led_session.py`.

A hundred boards with capacitors of 1 µF and resistors of nominal × 10^U(−½, ½); the session begins at the nominal
values and believes them to a factor of ten. What counts is the number of tones after which all four resistors are
within 1 % of the truth, and stay there; half of all boards must be. A board with R_low/R_high of the band-pass
above √2 − 1 never lights its band LED, so no number of tones tells its resistors: it counts as never reached, for
both.

The fixed grid is spaced evenly in log frequency, over the range that the session chooses from and over a kinder
one, and its answers are fitted by `circuits.fit` with the logistic likelihood. Its tones give three answers each,
as the session's do.
"""

from __future__ import annotations

import argparse
import math
import time

import torch
from reporting import at_least, at_most
from torch import Tensor

import circuits as cc
import losses
from circuits.errors import OhmgradError
from circuits.lab.dialogue.session import Session

NOMINAL = torch.tensor([198.944, 39.789, 159.155, 31.831], dtype=torch.float64)
RANGES = {"1 Hz to 1 MHz, as the session": (1.0, 1e6), "100 Hz to 40 kHz, where all corners lie": (100.0, 40e3)}
COUNTS = (25, 40, 60, 80, 100, 120, 140, 160, 180, 200, 250, 300, 350, 400, 500, 600, 800, 1000)
NEVER = 10**9


def organ(values: Tensor) -> cc.Circuit:
    """A color organ, or a batch of them `(boards, 4)`."""
    low, band_low, band_high, high = values.unbind(-1)
    return cc.ColorOrgan(low=low, band=(band_low, band_high), high=high)


def boards(count: int, seed: int) -> Tensor:
    """True values, `(count, 4)`."""
    u = torch.rand(count, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return NOMINAL * 10 ** (u - 0.5)


def session(true: Tensor, seed: int, most: int) -> dict[str, float]:
    """One board: tones until the session says so, tones until it is so, and the error at the end."""
    board, found = organ(true), Session(organ(NOMINAL), seed=seed)
    errors = []
    while not found.done and len(errors) < most:
        tone = found.propose()
        found.tell(tone, (board(tone) > cc.ColorOrgan.threshold).tolist())
        middles = torch.tensor([one.middle for one in found.state().values()], dtype=torch.float64)
        errors.append(float((middles / true - 1).abs().max()))
    reached = next((n for n in range(1, len(errors) + 1) if max(errors[n - 1 :]) < 0.01), NEVER)
    inside = all(one.low <= v <= one.high for one, v in zip(found.state().values(), true.tolist(), strict=True))
    return {
        "said": len(errors) if found.good else NEVER,
        "reached": reached,
        "error": errors[-1],
        "stuck": float(found.stuck),
        "inside": float(inside),
    }


def grid_within(true: Tensor, count: int, low: float, high: float) -> int:
    """How many boards a fit to a fixed grid gets within 1 %."""
    data = cc.simulate(organ(true), cc.log_grid(count, low, high), "led")
    lit = data.values.sum(-1)
    told = ((lit > 0) & (lit < count)).all(-1)  # a fit refuses an LED that never changes
    if not bool(told.any()):
        return 0
    board = organ(NOMINAL.expand(int(told.sum()), 4).clone())
    data = cc.Measurements(data.f, "led", data.values[told], outputs=data.outputs)
    try:
        fitted = cc.fit(board, data, losses.LogisticLed(), history=False)
    except OhmgradError:
        return 0
    values = torch.stack([fitted.values[name] for name in fitted.names], -1)
    return int(((values / true[told] - 1).abs() < 0.01).all(-1).sum())


def median(numbers: list[float]) -> float:
    """The smallest number that half of them do not exceed."""
    return sorted(numbers)[math.ceil(len(numbers) / 2) - 1]


def shown(tones: float) -> str:
    """A number of tones, or that there is none."""
    return "never" if tones >= NEVER else f"{tones:g}"


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boards", type=int, default=100)
    parser.add_argument("--most", type=int, default=80, help="tones at most of a session")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    true = boards(given.boards, given.seed)
    lights = true[:, 1] / true[:, 2] < math.sqrt(2) - 1
    print(f"{given.boards} boards; the band LED of {int((~lights).sum())} lights at no tone")
    began, found = time.perf_counter(), []
    for seed, values in enumerate(true):
        found.append(session(values, seed, given.most))
    seconds = time.perf_counter() - began
    for what, key in (("within 1 % of the truth, for good,", "reached"), ("the session says so", "said")):
        every = [one[key] for one in found]
        lit = [one[key] for one, ok in zip(found, lights.tolist(), strict=True) if ok]
        print(f"  {what:36s} median {shown(median(every)):>5s} tones; of those that light {shown(median(lit)):>5s}")
    good = [one for one in found if one["said"] < NEVER]
    worst = max((one["error"] for one in good), default=float("nan"))
    print(f"  said so on {len(good)} boards, the largest error then {100 * worst:.2f} %;")
    print(f"  the truth in all four intervals on {int(sum(one['inside'] for one in found))} boards;")
    print(f"  said that no tone tells more on {int(sum(one['stuck'] for one in found))} boards; {seconds:.0f} s in all")
    chosen, needed = median([one["said"] for one in found]), {}
    for name, (low, high) in RANGES.items():
        reached = {n: grid_within(true, n, low, high) for n in COUNTS}
        failing = [n for n in COUNTS if 2 * reached[n] < given.boards]
        later = [n for n in COUNTS if n > max(failing, default=0)]
        needed[name] = later[0] if later else NEVER
        few = ", ".join(f"{n}: {reached[n]}" for n in COUNTS if n in (40, 100, 200, 400, 1000))
        print(f"fixed grid, {name}: half of the boards within 1 % from {shown(needed[name])} tones ({few} boards)")
    at_most("tones until all four are within 1 %, median", chosen, 40, "tones", f"{given.boards} boards")
    at_least("tones of a fixed grid at its kindest over ours", min(needed.values()) / chosen, 3)


if __name__ == "__main__":
    main()
