"""The stock filters as netlists: the same parts, joined as their formulas suppose."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import nn

from circuits.bode import Bode, BodeBandPass
from circuits.circuit import Circuit
from circuits.color_organ import ColorOrgan
from circuits.errors import OptionError
from circuits.filters import BandPass, HighPass, LoadedBandPass, LowPass
from circuits.netlist.elements import GROUND, KINDS, Element, Netlist, Parameter, Sweep
from circuits.netlist.expressions import Expression, Name, Number
from circuits.netlist.writing.boards import Board, value_of

Part = tuple[str, str, str]
"""A component and the two nodes that it joins."""

_BAND = (("R_low", "in", "mid"), ("C_low", "mid", GROUND))
_FILTERS: Mapping[type[Circuit], tuple[Part, ...]] = {
    LowPass: (("R", "in", "out"), ("C", "out", GROUND)),
    HighPass: (("C", "in", "out"), ("R", "out", GROUND)),
    LoadedBandPass: (*_BAND, ("C_high", "mid", "out"), ("R_high", "out", GROUND)),
    BandPass: (*_BAND, ("buffer", "mid", "buffered"), ("C_high", "buffered", "out"), ("R_high", "out", GROUND)),
}
_DRAWN = (Bode, BodeBandPass)


def stock_netlist(circuit: Circuit, board: Board = None) -> Netlist:
    """The netlist of a stock filter: an ideal source at `in`, and `out`, or of a `ColorOrgan` `low`, `band` and `high`.

    The parameters have the dotted names of the components, so that a netlist circuit made of it has the same.

    Args:
        circuit: a `LowPass`, `HighPass`, `BandPass`, `LoadedBandPass`, or a `ColorOrgan` of such.
        board: which one of a batch.

    Raises:
        OptionError: a circuit that has no netlist, or a batch of boards and none chosen.

    >>> netlist = stock_netlist(LowPass(R=1000.0))
    >>> [(e.name, e.nodes) for e in netlist.elements]
    [('V1', ('in', '0')), ('R', ('in', 'out')), ('C', ('out', '0'))]
    """
    if isinstance(circuit, ColorOrgan):
        outputs = circuit.outputs
        placed = [part for name in outputs for part in _placed(getattr(circuit, name), f"{name}.", name)]
    else:
        placed = _placed(circuit)
    components = dict(circuit.named_parameters(remove_duplicate=False))
    parameters = {name: _parameter(name, components[name], circuit, board) for name in components}
    elements = [_source(), *(_element(*part) for part in placed)]
    return Netlist(circuit.title, tuple(elements), parameters, _sweep(circuit, board))


def _placed(circuit: Circuit, prefix: str = "", output: str = "out") -> list[Part]:
    """The parts of one filter, its own nodes told from those of others by a prefix."""
    kind = type(circuit)
    if kind not in _FILTERS:
        raise OptionError(_no_netlist(circuit))
    own = {"in": "in", GROUND: GROUND, "out": output}
    inner = prefix.replace(".", "_")
    return [(f"{prefix}{name}", own.get(a, f"{inner}{a}"), own.get(b, f"{inner}{b}")) for name, a, b in _FILTERS[kind]]


def _no_netlist(circuit: Circuit) -> str:
    name = type(circuit).__name__
    if isinstance(circuit, _DRAWN):
        return f"a {name} is a straight-line plot and no circuit of parts; write the filter that you fitted it for"
    known = ", ".join(kind.__name__ for kind in (*_FILTERS, ColorOrgan))
    return f"a {name} says nothing about how its parts are joined; expected {known} or a circuit read from a netlist"


def _element(name: str, a: str, b: str) -> Element:
    leaf = name.rpartition(".")[2]
    if leaf == "buffer":
        return Element("E", name, (b, GROUND, a, GROUND), {"value": Number(1.0)})
    return Element(leaf[0], name, (a, b), {"value": Name(name)})


def _source() -> Element:
    values: dict[str, Expression] = {"dc": Number(0.0), "ac": Number(1.0), "phase": Number(0.0)}
    return Element("V", "V1", ("in", GROUND), values)


def _parameter(name: str, component: nn.Parameter, circuit: Circuit, board: Board) -> Parameter:
    unit = KINDS[name.rpartition(".")[2][0]].roles["value"]
    value = value_of(component, circuit.batch_shape, board)
    return Parameter(name, Number(value), unit, learn=component.requires_grad)


def _sweep(circuit: Circuit, board: Board) -> Sweep:
    """Whole decades, two and more beyond every corner."""
    corners = [value_of(f, circuit.batch_shape, board) for f in circuit.cutoffs().values()]
    low, high = (math.log10(f) for f in (min(corners), max(corners)))
    return Sweep("dec", 20, float(f"1e{math.floor(low) - 2}"), float(f"1e{math.ceil(high) + 2}"))
