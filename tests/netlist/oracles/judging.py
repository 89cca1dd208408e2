"""Ours against ngspice's, point by point, with the precise solve as the judge where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from circuits.netlist.elements import Netlist
from netlist.oracles.ngspice import Sweep
from netlist.oracles.precise import solve


@dataclass(frozen=True)
class Verdict:
    """Errors relative to the largest voltage of their frequency, by frequency in hertz.

    `agreed` counts the frequencies at which every voltage agrees; `theirs` has the errors of ngspice where it was
    shown wrong, `ours` ours where we were.
    """

    agreed: int
    theirs: Mapping[float, float] = field(default_factory=dict)
    ours: Mapping[float, float] = field(default_factory=dict)


def judge(netlist: Netlist, sweep: Sweep, voltages: Mapping[str, np.ndarray], tolerance: float = 1e-9) -> Verdict:
    """Compare all node voltages of a sweep; `voltages` are ours at `sweep.f`, by the names of the netlist."""
    ours = np.stack(list(voltages.values()))
    theirs = np.stack([sweep.voltages[node.lower()] for node in voltages])
    scale = np.abs(theirs).max(0)
    differ = np.flatnonzero(~(np.abs(ours - theirs).max(0) <= tolerance * scale))
    wrong: tuple[dict, dict] = {}, {}
    for k in differ:
        f = float(sweep.f[k])
        exact = solve(netlist, f).voltages
        truth = np.array([exact[node] for node in voltages])
        for side, errors in zip((ours[:, k], theirs[:, k]), wrong, strict=True):
            error = float(np.abs(side - truth).max() / np.abs(truth).max())
            if not error <= tolerance:
                errors[f] = error
    return Verdict(len(sweep.f) - len(differ), theirs=wrong[1], ours=wrong[0])
