"""The roof over fits of color organs: how often a second the machine gives rsqrt(1 + x²), which every point needs."""

from __future__ import annotations

import contextlib
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


class Roof:
    """The program that measures it; a context, in which every call of `measure` adds a round."""

    def __init__(self) -> None:
        given = shlex.split(os.environ.get("CC", ""))
        self.compiler = given or [name for name in ("cc", "gcc", "clang") if shutil.which(name)][:1]
        self.rounds: dict[str, list[float]] = {"float32": [], "float64": []}
        self.folder = tempfile.TemporaryDirectory()
        self.program = str(Path(self.folder.name) / "roofline")

    def __enter__(self) -> Roof:
        if self.compiler:
            command = [*self.compiler, *FLAGS, "-o", self.program, str(SOURCE), "-lm"]
            with contextlib.suppress(OSError):  # a compiler that is named and not there
                subprocess.run(command, check=False, capture_output=True)
        return self

    def __exit__(self, *_) -> None:
        self.folder.cleanup()

    @property
    def is_there(self) -> bool:
        """Whether a compiler made the program."""
        return Path(self.program).exists()

    def measure(self) -> None:
        """Rates a second by precision, of one thread at this moment."""
        if self.is_there:
            said = subprocess.run([self.program], check=True, capture_output=True, text=True).stdout.split()
            for kind, rate in zip(self.rounds, said, strict=True):
                self.rounds[kind].append(float(rate))


def least_seconds(evaluations: float, points: int, rate: float) -> float:
    """The least time for so many evaluations of a board of so many tones."""
    return evaluations * points * PER_POINT / rate
