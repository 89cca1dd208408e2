"""Reading thousands of files that look alike, beside NumPy's reader of numbers and the full reader.

    OMP_NUM_THREADS=1 python benchmarks/alike.py

Files of 200 rows and four columns of all the digits that a double has, as `Measurements.to_csv` writes them; they lie
in the page cache. Rounds are interleaved; ratios are medians of those of a round; one thread, time of the processor.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from reporting import at_most, shown

from circuits.data import Measurements, log_grid, read
from circuits.data.alike import Alike

FILES, ROWS, ROUNDS = 200, 200, 7
WANTED_MICROSECONDS = 60.0


def write_files(folder: Path, files: int) -> list[Path]:
    draw = torch.Generator().manual_seed(1)
    paths = [folder / f"board {i}.csv" for i in range(files)]
    for path in paths:
        values = torch.randn(3, ROWS, generator=draw, dtype=torch.float64)
        Measurements(log_grid(ROWS, 10.0, 1e5), "decibels", values, outputs=("low", "band", "high")).to_csv(path)
    return paths


def microseconds(work: Callable[[Path], object], paths: list[Path]) -> float:
    start = time.process_time()
    for path in paths:
        work(path)
    return (time.process_time() - start) / len(paths) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run: one round, few files")
    files, turns = (20, 1) if parser.parse_args().quick else (FILES, ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder), files)
        alike = Alike.of(paths[0])
        works: dict[str, tuple[Callable[[Path], object], int]] = {
            "alike.read_arrays": (alike.read_arrays, files),
            "alike.read": (alike.read, files),
            "numpy.loadtxt": (lambda path: np.loadtxt(path, delimiter=",", skiprows=2), files),
            "circuits.read": (read, 10),
        }
        rounds = [
            {name: microseconds(work, paths[:count]) for name, (work, count) in works.items()} for _ in range(turns)
        ]
    print(f"{files} files of {ROWS} rows and 4 columns, microseconds a file (median of {turns} rounds)")
    for name in works:
        own = statistics.median(one[name] for one in rounds)
        ratio = statistics.median(one[name] / one["alike.read_arrays"] for one in rounds)
        print(f"  {name:18} {own:8.1f}   {ratio:6.1f} times alike.read_arrays")
    at_most("numbers of a file", [one["alike.read_arrays"] for one in rounds], WANTED_MICROSECONDS, "µs")
    for name in [*works][1:]:
        shown(f"time of {name} over alike.read_arrays", [one[name] / one["alike.read_arrays"] for one in rounds])


if __name__ == "__main__":
    main()
