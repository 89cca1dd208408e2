"""A hundred thousand color organs on the GPU beside the CPU: `python benchmarks/gpu.py`.

Four resistors and 3 × 200 noisy magnitudes a board (`organ_peers/case.py`), in float64. Both fit in turns, by the clock
on the wall, the CPU on as many threads as it is given; the circuit goes to the device by `circuit.to("cuda")`, and
the data follow it once, within the time that is measured. Where there is no CUDA device this says so, and ends well.
"""

from __future__ import annotations

import argparse
import time

import torch
from organ_peers.case import START, TOLD, draw
from reporting import absent, at_least, at_most, shown

import circuits as cc


def organs(boards: int) -> cc.Circuit:
    """Every resistor where everybody starts."""
    R = torch.full((boards,), START, dtype=torch.float64)
    return cc.ColorOrgan(R, (R, R), R)


def fitted(boards: int, data: cc.Measurements, device: str) -> tuple[float, torch.Tensor, torch.Tensor]:
    """Seconds of one fit from the start, with values and relative errors `(boards, 4)` on the CPU."""
    circuit = organs(boards).to(device)
    began = time.perf_counter()
    found = cc.fit(circuit, data, history=False, progress=False)
    values = torch.stack([value.cpu() for value in found.values.values()], -1)  # waits for the device
    took = time.perf_counter() - began
    errors = torch.stack([error.cpu() for error in found.errors.values()], -1)
    return took, values, errors / values


def main() -> None:
    """Run it and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a smoke run")
    given = parser.parse_args()
    boards, rounds = (500, 1) if given.quick else (given.boards, given.rounds)
    if not torch.cuda.is_available():
        print("There is no CUDA device here, so nothing was measured.")
        absent("a GPU", "run this where torch.cuda.is_available()")
        return
    case = draw(boards)
    data = cc.Measurements(
        torch.from_numpy(case.f), "magnitude", torch.from_numpy(case.y), outputs=("low", "band", "high")
    )
    print(f"{torch.cuda.get_device_name()} beside {torch.get_num_threads()} CPU threads, {boards:,} color organs")
    fitted(boards, data, "cuda")  # the first call loads what the device needs
    here, there, apart = [], [], 0.0
    for _ in range(rounds):
        took, expected, share = fitted(boards, data, "cpu")
        here.append(took)
        took, values, _ = fitted(boards, data, "cuda")
        there.append(took)
        apart = max(apart, float((values / expected - 1).abs()[share < TOLD].max()))
    shown("boards a second on the GPU", [boards / took for took in there], "/s")
    shown("boards a second on the CPU", [boards / took for took in here], "/s")
    at_least("the CPU's time over the GPU's", [a / b for a, b in zip(here, there, strict=True)], 1.0)
    at_most("largest relative difference of a resistor that is told", apart, 1e-9, unit="")


if __name__ == "__main__":
    main()
