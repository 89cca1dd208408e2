"""The benchmarks of netlists have to start; what they measure is read elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(*arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "WRONG" not in done.stdout, done.stdout
    return done.stdout


def test_the_benchmark_of_netlists_starts():
    printed = start("benchmarks/netlists.py", "--quick")
    assert printed.count("ladder 10") >= 1 and "value and gradient at most 2.2 sweeps" in printed


def test_the_benchmark_of_the_filter_starts():
    printed = start("benchmarks/lc_filter.py", "--quick")
    assert "10 board(s) × 400" in printed and "the JAX libraries were left out" in printed


def test_the_benchmark_of_impedance_fits_starts():
    printed = start("benchmarks/impedance_fits.py")
    assert printed.count("ohmgrad") == 3 and "1 GΩ with 1 pF converges to 1e-6" in printed
