"""How long it takes to begin, in fresh interpreters: `python benchmarks/start_up.py`.

Every round starts each of them once, one after the other, by the clock on the wall; what the package adds is taken
within a round and its median given. `circuits fit` reads the LEDs of an organ that the examples ship.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from netlist_peers.timing import Times
from reporting import at_most, shown

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "examples" / "data" / "organ_leds.csv"
COMMANDS = {
    "bare Python": ("-c", "pass"),
    "import torch": ("-c", "import torch"),
    "import torch, circuits": ("-c", "import torch, circuits"),
    "import circuits": ("-c", "import circuits"),
    "circuits --help": ("-m", "circuits", "--help"),
    "circuits fit": ("-m", "circuits", "fit", str(SHIPPED)),
}


def started(arguments: tuple[str, ...]) -> Callable[[], float]:
    """A function that returns the seconds which an interpreter takes from beginning to end."""

    def timed() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)
        return time.perf_counter() - began

    return timed


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="a smoke run: one round")
    given = parser.parse_args()
    players = {name: started(arguments) for name, arguments in COMMANDS.items()}
    for timed in [] if given.quick else players.values():
        timed()  # whatever is compiled at first use, and read from the disk
    times = Times(players, 1 if given.quick else given.rounds)
    for name in times:
        print(f"  {name:24s} {1e3 * times.of(name):7.1f} ms")

    def beyond(name: str, other: str) -> list[float]:
        return [a - b for a, b in zip(times.seconds[name], times.seconds[other], strict=True)]

    shown("import torch, beyond bare Python", beyond("import torch", "bare Python"), "s")
    at_most("import circuits, beyond import torch", beyond("import torch, circuits", "import torch"), 0.05, "s")
    at_most("circuits --help", times.seconds["circuits --help"], 0.08, "s")
    at_most("circuits fit on the shipped file, beyond import torch", beyond("circuits fit", "import torch"), 1.0, "s")


if __name__ == "__main__":
    main()
