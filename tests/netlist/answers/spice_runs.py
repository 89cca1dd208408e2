"""ngspice's `.op` and `.noise` as peers: every column of their plots by name."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

from netlist.oracles import ngspice


def run_real(netlist: str, plot: str) -> dict[str, np.ndarray]:
    """Columns of one real plot, such as "Operating Point", by their names in lower case."""
    if ngspice.PROGRAM is None:
        pytest.skip(ngspice.NOT_RUN)
    with tempfile.TemporaryDirectory() as scratch:
        raw, written = Path(scratch, "out.raw"), Path(scratch, "net.cir")
        written.write_text(netlist, "utf-8")
        command = [ngspice.PROGRAM, "-n", "-b", "-r", str(raw), str(written)]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=120, check=False)
        if not raw.exists():
            raise ngspice.NgspiceFailed(done.stdout + done.stderr)
        for block in raw.read_bytes().split(b"Title:")[1:]:
            head, _, body = block.partition(b"Binary:\n")
            if f"Plotname: {plot}".encode() in head:
                return _columns(head.decode(), body)
    raise ngspice.NgspiceFailed(done.stdout + done.stderr)


def _columns(head: str, body: bytes) -> dict[str, np.ndarray]:
    n_columns, n_points = (int(re.search(rf"No\. {what}: *(\d+)", head)[1]) for what in ("Variables", "Points"))  # type: ignore
    names = [line.split("\t")[2] for line in head.partition("Variables:\n")[2].splitlines()[:n_columns]]
    table = np.frombuffer(body[: 8 * n_columns * n_points], dtype=float).reshape(n_points, n_columns)
    return dict(zip(names, table.T, strict=True))
