"""The roof over fits of color organs: how often a second the machine gives rsqrt(1 + x²), which every point needs."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("roofline.c")
FLAGS = ("-O3", "-march=native", "-ffast-math", "-std=gnu11")
PER_POINT = 4
"""rsqrt(1 + x²) of a tone: one each in low- and high-pass, two in the band-pass."""


def rates() -> dict[str, float] | None:
    """Rates a second by precision, of one thread; None where there is no compiler."""
    given = shlex.split(os.environ.get("CC", ""))
    compiler = given or [name for name in ("cc", "gcc", "clang") if shutil.which(name)][:1]
    if not compiler:
        return None
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "roofline")
        try:
            subprocess.run([*compiler, *FLAGS, "-o", program, str(SOURCE), "-lm"], check=True, capture_output=True)
            said = subprocess.run([program], check=True, capture_output=True, text=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return None
    single, double = said.split()
    return {"float32": float(single), "float64": float(double)}


def least_seconds(evaluations: float, points: int, rate: float) -> float:
    """The least time for so many evaluations of a board of so many tones."""
    return evaluations * points * PER_POINT / rate
