"""ngspice as a peer: one process a netlist, its AC answers read from the binary raw file in full precision.

A process a netlist costs about 7 ms and is the only way to be sure: a second `ac` in one ngspice 39 process may be
wrong. Frequencies are those that ngspice itself reports, since it walks them by repeated multiplication; the imaginary
part of its frequency column is garbage and is dropped. Where ngspice is not installed, tests marked `needs_ngspice` are
skipped and the terminal says so.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

PROGRAM = shutil.which("ngspice")
NOT_RUN = "NOT RUN: ngspice is not installed (Debian's package `ngspice`)"
needs_ngspice = pytest.mark.skipif(PROGRAM is None, reason=NOT_RUN)


class NgspiceFailed(Exception):
    """ngspice wrote no answers; the message is what it said."""


@dataclass(frozen=True)
class Sweep:
    """What one AC analysis gave: hertz `(n,)`, voltages by node and branch currents by element, each complex `(n,)`.

    Names are in lower case, as ngspice has them. Currents are those of V, L, E and H.
    """

    f: np.ndarray
    voltages: Mapping[str, np.ndarray]
    currents: Mapping[str, np.ndarray]
    said: str = ""


def run_ac(netlist: str, ac: str | None = None, folder: Path | str | None = None) -> Sweep:
    """Run a netlist.

    Args:
        netlist: its text, title first.
        ac: a sweep such as `dec 10 1 1meg`, in the place of the `.ac` line that the netlist has.
        folder: where its `.include` lines look.

    Raises:
        NgspiceFailed: there were no answers.
    """
    if PROGRAM is None:
        pytest.skip(NOT_RUN)
    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch, "out.raw")
        written = Path(scratch, "net.cir")
        written.write_text(_with_sweep(netlist, ac), "utf-8")
        command = [PROGRAM, "-n", "-b", "-r", str(raw), str(written)]
        done = subprocess.run(command, cwd=folder or scratch, capture_output=True, text=True, timeout=120, check=False)
        said = done.stdout + done.stderr
        if not raw.exists():
            raise NgspiceFailed(said)
        return _read(raw.read_bytes(), said)


def run_many(netlists: Iterable[str], ac: str | None = None, workers: int = 2) -> list[Sweep | NgspiceFailed]:
    """The same for many netlists, in their order; one that failed gives its error."""

    def attempt(netlist: str) -> Sweep | NgspiceFailed:
        try:
            return run_ac(netlist, ac)
        except NgspiceFailed as error:
            return error

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(attempt, netlists))


def _with_sweep(netlist: str, ac: str | None) -> str:
    if ac is None:
        return netlist
    lines = [line for line in netlist.splitlines() if not re.match(r"\s*\.(ac|end)\b", line, re.IGNORECASE)]
    return "\n".join([*lines, f".ac {ac}", ".end", ""])


def _read(raw: bytes, said: str = "") -> Sweep:
    """The AC plot of a binary raw file."""
    for block in raw.split(b"Title:")[1:]:
        head, _, body = block.partition(b"Binary:\n")
        if b"Plotname: AC Analysis" in head:
            return _plot(head.decode("utf-8", "replace"), body, said)
    raise NgspiceFailed(said or "no AC analysis in the raw file")


def _plot(head: str, body: bytes, said: str) -> Sweep:
    n_columns, n_points = (int(re.search(rf"No\. {what}: *(\d+)", head)[1]) for what in ("Variables", "Points"))  # type: ignore
    if not n_points:
        raise NgspiceFailed(said or "an AC analysis of no points")
    names = [line.split("\t")[2] for line in head.partition("Variables:\n")[2].splitlines()[:n_columns]]
    table = np.frombuffer(body[: 16 * n_columns * n_points], dtype=np.complex128).reshape(n_points, n_columns)
    columns = dict(zip(names, table.T, strict=True))
    voltages = {name[2:-1]: column for name, column in columns.items() if name.startswith("v(")}
    currents = {name[2:-1]: column for name, column in columns.items() if name.startswith("i(")}
    return Sweep(columns["frequency"].real.copy(), voltages, currents, said)
