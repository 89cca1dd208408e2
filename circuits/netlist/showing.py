"""What pictures ask of a circuit made of a netlist: a heading, its parts in their places, and where to look."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.component import Placed
from circuits.netlist.elements import KINDS, Element, Netlist, Sweep
from circuits.netlist.expressions import evaluate
from circuits.notation import format as engineering

LONGEST = 48
"""Letters of a heading."""

SEARCHED, A_DECADE = (1e-3, 1e10), 4
"""Hertz between which a response is searched for bends, and points a decade."""

BENT = 0.02
"""Change of the slope d log|H| / d log f, from one point to the next, that counts as a bend."""


def titled(line: str) -> str:
    """The first line of a netlist as a heading, up to where it goes into details.

    >>> titled("* Color organ as built on a breadboard: microphone, amplifier, three filters, three LEDs")
    'Color organ as built on a breadboard'
    """
    heading = re.split(r"[:;(]", line.lstrip("* "))[0].strip() or line.strip("* ")
    return textwrap.shorten(heading, LONGEST, placeholder=" …")


def frequencies_of(sweep: Sweep) -> Tensor:
    """The frequencies in hertz of an `.ac` line, `(n,)`, without 0 Hz; so many points a decade or octave, or in all.

    >>> frequencies_of(Sweep("dec", 2, 10.0, 1000.0)).tolist()
    [10.0, 31.6..., 100.0, 316.2..., 1000.0]
    """
    if sweep.kind == "lin":
        f = torch.linspace(sweep.low, sweep.high, sweep.points, dtype=torch.float64)
        return f[f > 0]
    base = {"dec": 10.0, "oct": 2.0}[sweep.kind]
    count = math.floor(math.log(sweep.high / sweep.low, base) * sweep.points * (1 + 1e-12) + 1e-9) + 1
    return sweep.low * base ** (torch.arange(count, dtype=torch.float64) / sweep.points)


def placed(
    netlist: Netlist, paths: Mapping[str, str], values: Mapping[str, Tensor], batch: Sequence[int], board: int
) -> tuple[Placed, ...]:
    """Every element between its nodes, its components by dotted name, and in words what is no component.

    Args:
        netlist: with the elements.
        paths: the dotted name of every component by its name in the netlist.
        values: of every parameter of the netlist.
        batch: shape of the boards. `board`: the one whose values are told, counted in rows.
    """
    return tuple(_placed(e, paths, values, batch, board) for e in netlist.elements)


def _placed(e: Element, paths: Mapping[str, str], values: Mapping[str, Tensor], batch: Sequence[int], board: int):
    own = {role: f"{e.name}.{role}" if len(e.values) > 1 else e.name for role in e.values}
    components = {role: paths[name] for role, name in own.items() if name in paths}
    said = []
    for role, name in own.items():
        number = torch.as_tensor(evaluate(e.values[role], values)).detach().double()
        number = float(number.expand(tuple(batch)).reshape(-1)[board])
        is_source = e.kind in "VI"
        if role not in components and not (is_source and number == 0):
            said.append(f"{name} = {engineering(number, KINDS[e.kind].roles[role])}")
    return Placed(e.kind, e.name, (*e.nodes, *e.controls), components, ", ".join(said))


def bending(circuit: Circuit) -> tuple[float, float]:
    """Frequencies in hertz from a decade below the first to a decade above the last bend of the response."""
    low, high = SEARCHED
    first, last = math.log10(low), math.log10(high)
    count = A_DECADE * round(last - first) + 1
    f = torch.logspace(first, last, count, dtype=torch.float64)
    with torch.no_grad():
        level = circuit.predict(f, "magnitude").double().log10().reshape(-1, count)
    curvature = level.diff().diff().abs().nan_to_num(0.0, 0.0, 0.0).amax(0) * A_DECADE
    bends = (curvature > BENT).nonzero().flatten()
    if len(bends) == 0:
        return 1.0, 1e6
    return float(f[bends[0] + 1]) / 10, float(f[bends[-1] + 1]) * 10
