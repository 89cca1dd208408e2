"""Fits of impedance spectra, against impedance.py: `python benchmarks/impedance_fits.py [FILE.z]`.

A dummy cell of known parts, measured (a ZPlot file; without one it is simulated with noise), as R–(R‖C) and with a
constant-phase element in place of C; and a noiseless cell of 1 GΩ and 1 pF behind 1 MΩ, where a fit that is not scaled
stops short. Everybody starts from the same values, and weighs every point by its size. impedance.py is given both of
its weightings, and the better result counts.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from reporting import absent, at_most

import circuits as cc
from circuits.netlist import read_netlist

CELL = {"R0": 29.1, "R1": 46.7, "C1": 10.4e-6}
SCALED = {"R0": 1e6, "R1": 1e9, "C1": 1e-12}
WITH_C = """cell
R0 a b {R0!r}
R1 b 0 {R1!r}
C1 b 0 {C1!r}
.end"""
WITH_CPE = """cell
R0 a b {R0!r}
R1 b 0 {R1!r}
XC1 b 0 CPE q={C1!r} alpha=0.9
.end"""


def read_zplot(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and impedances of a ZPlot file: columns 0, 4 and 5 below the line `End Comments`."""
    lines = Path(path).read_text("latin-1").splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip().startswith("End Comments")) + 1
    rows = np.array([[float(cell) for cell in line.split()] for line in lines[start:] if line.strip()])
    return rows[:, 0], rows[:, 4] + 1j * rows[:, 5]


def cell(f: np.ndarray, R0: float, R1: float, C1: float) -> np.ndarray:
    """R0 + R1/(1 + jωR1C1)."""
    return R0 + R1 / (1 + 2j * np.pi * f * R1 * C1)


def measured(path: str | None) -> tuple[np.ndarray, np.ndarray]:
    """The dummy cell."""
    if path:
        return read_zplot(path)
    draw, f = np.random.default_rng(1), np.geomspace(1, 5e4, 48)
    noise = 1e-3 * draw.standard_normal((2, len(f)))
    return f, cell(f, **CELL) * (1 + noise[0] + 1j * noise[1])


def ours(text: str, start: dict[str, float], f: np.ndarray, z: np.ndarray) -> dict[str, float]:
    """Fitted values by name."""
    circuit = read_netlist(text.format(**start), output="Z(a)", learn="*")
    sigma = torch.from_numpy(1e-3 * np.abs(z))
    data = cc.Measurements(torch.from_numpy(f), "response", torch.from_numpy(z), sigma=sigma)
    found = cc.fit(circuit, data, history=False)
    return {name: float(value) for name, value in found.values.items()}


def theirs(circuit: str, start: list[float], f: np.ndarray, z: np.ndarray) -> list[np.ndarray]:
    """What impedance.py finds with either of its weightings."""
    from impedance.models.circuits import CustomCircuit

    found = []
    for weigh in (False, True):
        model = CustomCircuit(circuit, initial_guess=start)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(f, z, weight_by_modulus=weigh)
        found.append(model.parameters_)
    return found


def capacitance(q: float, alpha: float, R: float) -> float:
    """That of a constant-phase element in parallel to R, from the frequency of the arc's top: (q·R)^(1/α)/R."""
    return float((q * R) ** (1 / alpha) / R)


def off(values: list[float], true: dict[str, float]) -> float:
    """The largest relative error."""
    return float(np.abs(np.array(values) / np.array(list(true.values())) - 1).max())


def seconds(function: Callable[[], object]) -> float:
    """Processor time of one call."""
    began = time.process_time()
    function()
    return time.process_time() - began


def compare(title: str, true: dict[str, float], f: np.ndarray, z: np.ndarray, *, away: float, cpe: bool) -> float:
    """One row; every value starts `away` times from the truth, resistors below and the capacitor above."""
    start = {name: value * (away if name == "C1" else 1 / away) for name, value in true.items()}

    def mine() -> float:
        found = ours(WITH_CPE if cpe else WITH_C, start, f, z)
        C1 = capacitance(found["XC1.q"], found["XC1.alpha"], found["R1"]) if cpe else found["C1"]
        return off([found["R0"], found["R1"], C1], true)

    def other() -> float:
        guess = [*start.values(), 0.9] if cpe else [*start.values()]
        found = theirs("R0-p(R1,CPE1)" if cpe else "R0-p(R1,C1)", guess, f, z)
        if cpe:
            found = [np.array([*p[:2], capacitance(p[2], p[3], p[1])]) for p in found]
        return min(off(p, true) for p in found)

    error, line = mine(), f"  {title:26s} ohmgrad {100 * mine():.2g} % off in {1e3 * seconds(mine):.1f} ms"
    try:
        line += f"; impedance.py {100 * other():.2g} % off in {1e3 * seconds(other) / 2:.1f} ms"
    except ImportError as missing:
        absent("impedance.py", f"{missing}: pip install impedance pandas")
    print(line)
    return error


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", help="a ZPlot file of the dummy cell: 29.1 Ω, 46.7 Ω, 10.4 µF")
    given = parser.parse_args()
    torch.set_num_threads(1)
    f, z = measured(given.file)
    print(f"impedance fits; {given.file or 'the dummy cell is simulated'}: largest error of R0, R1 and C1")
    plain = compare("R–(R‖C)", CELL, f, z, away=3.0, cpe=False)
    constant = compare("R–(R‖CPE)", CELL, f, z, away=3.0, cpe=True)
    f = np.geomspace(1, 1e6, 100)
    scaled = compare("1 MΩ–(1 GΩ‖1 pF)", SCALED, f, cell(f, **SCALED), away=3.0, cpe=False)
    worst = max(plain, constant)
    at_most("the dummy cell off the known parts, with C and with CPE", 100 * worst, 0.5, "%")
    at_most("1 GΩ with 1 pF, relative error", scaled, 1e-6, "")


if __name__ == "__main__":
    main()
