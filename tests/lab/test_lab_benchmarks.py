"""The benchmarks of the bench have to start; what they measure is read elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("yields.py", "--quick"), "→"),
        (("snapping.py", "--quick"), "same parts"),
        (("diagnosis.py", "--boards", "4", "--healthy", "1"), "organ.cir"),
        (("led_session.py", "--boards", "1", "--most", "4"), "tones"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_the_benchmark_starts(arguments, said):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, f"benchmarks/{arguments[0]}", *arguments[1:]]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
