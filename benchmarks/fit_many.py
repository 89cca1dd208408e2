"""Thousands of files into one table, killed and resumed: `python benchmarks/fit_many.py`.

5,000 CSV files of color organs with 1 % noise (frequency, low, band, high; 200 rows), every fit of everybody started at
the same values. `circuits.fit_many` against a loop of `np.loadtxt` and lmfit's `Model.fit` with its own derivatives, on
a sample of the files, in turns. Seconds are those of the processor, the table and the journal included.

Then a process that fits all of them is killed with SIGKILL at a random moment of its work 20 times, and begun again
each time: the table must have the bytes of a run that nobody touched.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from netlist_peers.timing import clock
from reporting import absent, at_least, at_most, holds, shown

import circuits as cc

POINTS, NOISE, C = 200, 0.01, 1e-6
START = {"low": 300.0, "band_low": 60.0, "band_high": 200.0, "high": 50.0}
VALUES = np.array([200.0, 40.0, 160.0, 32.0])
NAMES = ("low.R", "band.R_low", "band.R_high", "high.R")


def organ() -> cc.ColorOrgan:
    return cc.ColorOrgan(low=START["low"], band=(START["band_low"], START["band_high"]), high=START["high"])


def model(f: np.ndarray, low: float, band_low: float, band_high: float, high: float) -> np.ndarray:
    """Magnitudes `(3, n)` as a user of lmfit writes them."""
    w = 2 * np.pi * f * C
    band = w * band_high / np.sqrt((1 + (w * band_low) ** 2) * (1 + (w * band_high) ** 2))
    return np.stack([1 / np.sqrt(1 + (w * low) ** 2), band, w * high / np.sqrt(1 + (w * high) ** 2)])


def write_files(folder: Path, count: int) -> None:
    """One file a board."""
    draw, f = np.random.default_rng(6), np.geomspace(50.0, 20e3, POINTS)
    for k in range(count):
        values = VALUES * np.exp(draw.uniform(np.log(0.7), np.log(1.4), 4))
        table = model(f, *values) * (1 + NOISE * draw.standard_normal((3, POINTS)))
        header = "frequency_hz,low_magnitude,band_magnitude,high_magnitude"
        path, columns = folder / f"{k:05d}.csv", np.vstack([f, table]).T
        np.savetxt(path, columns, fmt="%.10g", delimiter=",", header=header, comments="")


def lmfit_loop(paths: list[Path]) -> Callable[[], np.ndarray] | None:
    """What a user would do: a file at a time."""
    try:
        from lmfit import Model
    except ImportError:
        absent("lmfit", "pip install 'ohmgrad[bench]'")
        return None

    def loop() -> np.ndarray:
        peer, found = Model(model, independent_vars=["f"]), []
        parameters = peer.make_params(**START)
        for parameter in parameters.values():
            parameter.min = 0.0
        for path in paths:
            table = np.loadtxt(path, delimiter=",", skiprows=1).T
            result = peer.fit(table[1:], parameters, f=table[0])
            found.append([result.params[name].value for name in START])
        return np.array(found)

    return loop


def values_in(table: Path) -> np.ndarray:
    """The fitted resistors of every board."""
    lines = [line.split(",") for line in table.read_text("utf-8").splitlines()]
    columns = [lines[0].index(name) for name in NAMES]
    return np.array([[float(line[column]) for column in columns] for line in lines[1:]])


def compare(folder: Path, into: Path, sample: int, rounds: int) -> None:
    """Times of both, in turns, and their answers on the sample."""
    files = sorted(folder.iterdir())
    few = files[:: max(1, len(files) // sample)][:sample]
    loop = lmfit_loop(few)
    ours = clock(lambda: cc.fit_many(folder, organ(), into, progress=False, compile=True))
    ours()  # the program for the circuit is compiled once
    seconds, ratios = [], []
    for _ in range(rounds):
        seconds.append(ours() / len(files))
        if loop is not None:
            ratios.append(clock(loop)() / len(few) / seconds[-1])
    shown("boards a second from files to the table", [1 / one for one in seconds], "/s", f"{len(files):,} files")
    if loop is not None:
        at_least("lmfit's time over ours, a file", ratios, 10.0, note=f"a sample of {len(few)} files")
        apart = np.abs(values_in(into)[:: max(1, len(files) // sample)][:sample] / loop() - 1)
        at_most("largest relative difference of a value from lmfit's", float(apart.max()), 1e-4, unit="")


WORK = """
import sys, circuits as cc
sys.path.insert(0, sys.argv[3])
from fit_many import organ
print("ready", flush=True)
cc.fit_many(sys.argv[1], organ(), sys.argv[2], progress=False, compile=True, chunk=int(sys.argv[4]))
"""


def started(command: list[str]) -> subprocess.Popen[bytes]:
    """A process that has loaded everything and begins to work now."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    if process.stdout is None or process.stdout.readline() != b"ready\n":
        check(process.wait() or 1)
    return process


def check(status: int) -> None:
    """A run that nobody killed has to end well."""
    if status != 0:
        raise SystemExit(f"a run ended with {status}")


def kill_and_resume(folder: Path, into: Path, kills: int, chunk: int) -> None:
    """Kill a run at random moments and begin it again, until the last one is let alone."""
    whole, draw = into.with_name("whole.csv"), random.Random(6)
    command = [sys.executable, "-c", WORK, str(folder), str(into), str(Path(__file__).parent), str(chunk)]
    begun = started([*command[:4], str(whole), *command[5:]])
    began = time.perf_counter()
    check(begun.wait())
    span, killed, journalled = time.perf_counter() - began, 0, set()
    journal = into.with_name(f"{into.name}.journal")
    while killed < kills:
        process = started(command)
        try:
            check(process.wait(draw.uniform(0.0, span)))
            into.unlink()  # done before the moment came: another one from the beginning
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
            journalled.add(journal.stat().st_size if journal.exists() else 0)
    check(started(command).wait())
    same = into.read_bytes() == whole.read_bytes()
    note = f"{kills} kills, which left {len(journalled)} different journals, chunks of {chunk}"
    holds("the table after kills at random moments is the same, byte for byte", same, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="40 files and 2 kills")
    options = parser.parse_args()
    count, sample, rounds, kills, chunk = (40, 5, 1, 2, 10) if options.quick else (5000, 40, 5, 20, 500)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder, into = Path(place, "bench"), Path(place, "boards.csv")
        folder.mkdir()
        write_files(folder, count)
        compare(folder, into, sample, rounds)
        into.unlink()
        kill_and_resume(folder, into, kills, chunk)


if __name__ == "__main__":
    main()
