"""Which other kind of measurement would tell a component that the present kind cannot: tried out, not guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.errors import OhmgradError
from circuits.fitting.identifiability import listed
from circuits.lab.dialogue.information import learned_names, sensitivity, verdict
from losses import HALF_POWER

if TYPE_CHECKING:
    from circuits.netlist.elements import Netlist

Trial: TypeAlias = "tuple[str, Callable[[], Tensor]]"

MOST_NODES = 12
"""Nodes of a netlist that are tried as further outputs."""


def other_measurements(
    circuit: Circuit, f: Tensor, quantity: str, known: Tensor | None = None, threshold: float = HALF_POWER
) -> tuple[str, ...]:
    """Sentences on which other measurement would determine what this one leaves open, `()` where nothing is open.

    Every suggestion is tried on paper: its Fisher information, added to that of the present measurement at all tones,
    determines the components that it names. Tried are a reading in place of an LED, and, for what that leaves open,
    the phase, every other node of the netlist, the impedance that the generator sees, a known load at the output, and
    a part of known value.

    Args:
        circuit: one board; stock filters are tried by their netlist.
        f: the tones in hertz that could be played, `(n,)`.
        quantity: what is measured now: "magnitude", "decibels", "phase", "response" or "led". LEDs tell where a
            magnitude crosses the threshold, and no more.
        known: Fisher information `(p, p)` of what has been measured beside that, in relative changes.
        threshold: the magnitude above which an LED is lit.

    >>> from circuits.filters import LowPass
    >>> board = LowPass(R=100.0)
    >>> board.C.requires_grad_()
    Parameter containing: tensor(1.0000e-06, dtype=torch.float64, requires_grad=True)
    >>> f = torch.logspace(1, 5, 9, dtype=torch.float64)
    >>> for line in other_measurements(board, f, "magnitude"):
    ...     print(line)
    the impedance Z(in) would tell R and C
    a known load of 100 Ω from out to ground would tell R and C
    R held at a known value would tell C
    C held at a known value would tell R
    """
    names = learned_names(circuit)
    base = _led_matrix(circuit, f, names, threshold) if quantity == "led" else _matrix(circuit, f, quantity, names)
    base = base if known is None else base + known
    said, told = [], set()
    if quantity == "led":
        reading = _matrix(circuit, f, "magnitude", names)
        gained = _gained(circuit, names, base, lambda: reading, _missing(circuit, names, base))
        if gained:
            said.append(f"a reading of the magnitude, in place of the LED, would tell {listed(gained, 'and')}")
        base = base + reading
    missing = _missing(circuit, names, base)
    if not missing:
        return tuple(said)
    for text, matrix in _trials(circuit, f, quantity, names):
        gained = _gained(circuit, names, base, matrix, missing)
        kind = text.partition(",")[0].partition(" of ")[0]  # of several outputs or loads one that tells it is enough
        if gained and (kind, gained) not in told:
            told.add((kind, gained))
            said.append(f"{text} would tell {listed(gained, 'and')}")
    return (*said, *_known_parts(circuit, names, base, missing))


def _matrix(circuit: Circuit, f: Tensor, quantity: str, names: Sequence[str]) -> Tensor:
    """Fisher information of all tones together, each reading good to 1 % of the largest."""
    prediction, _ = sensitivity(circuit, f, quantity, names)
    size = prediction.abs().max().item() or 1.0
    rows = sensitivity(circuit, f, quantity, names, 0.01 * size)[1].flatten(0, 1)
    return rows.T @ rows


def _led_matrix(circuit: Circuit, f: Tensor, names: Sequence[str], threshold: float) -> Tensor:
    """Fisher information of the tones at which some output crosses the threshold."""
    prediction, rows = sensitivity(circuit, f, "magnitude", names, 0.01)
    lit = prediction > threshold
    output, k = (lit[:, 1:] != lit[:, :-1]).nonzero(as_tuple=True)
    return rows[k, output].T @ rows[k, output]


def _missing(circuit: Circuit, names: Sequence[str], matrix: Tensor) -> tuple[str, ...]:
    determined = verdict(circuit, names, matrix).determined
    return tuple(name for name in names if name not in determined)


def _gained(
    circuit: Circuit,
    names: Sequence[str],
    base: Tensor,
    matrix: Callable[[], Tensor],
    missing: tuple[str, ...],
) -> tuple[str, ...]:
    """What would be known with the trial that is not without."""
    try:
        still = _missing(circuit, names, base + matrix())
    except OhmgradError:  # an output that this netlist cannot give
        return ()
    return tuple(name for name in missing if name not in still)


def _trials(circuit: Circuit, f: Tensor, quantity: str, names: Sequence[str]) -> Iterator[Trial]:
    """Measurements by what to call them, each with its information once it is asked for."""
    if quantity in ("magnitude", "decibels", "led"):
        yield "the phase as well", lambda: _matrix(circuit, f, "response", names)
    try:
        yield from _netlist_trials(circuit, f, names)
    except OhmgradError:  # a circuit that has no netlist
        return


def _netlist_trials(circuit: Circuit, f: Tensor, names: Sequence[str]) -> Iterator[Trial]:
    from circuits.netlist import NetlistCircuit, to_netlist
    from circuits.netlist.choosing import driven_by

    netlist = to_netlist(circuit)
    sources = [one for one in driven_by(netlist) if one.kind == "V" and one.nodes[1] == "0"]
    if len(sources) != 1:
        return
    source = sources[0].nodes[0]
    nodes = dict.fromkeys(node for one in netlist.elements for node in one.nodes if node not in ("0", source))

    def of(net: Netlist, output: str, quantity: str) -> Callable[[], Tensor]:
        return lambda: _matrix_by_name(NetlistCircuit(net, output), f, quantity, names)

    yield f"the impedance Z({source})", of(netlist, f"Z({source})", "response")
    for node in list(nodes)[:MOST_NODES]:
        yield f"another output, V({node})/V({source}),", of(netlist, f"V({node})/V({source})", "magnitude")
    for node in _ends(nodes):
        loaded, ohms = _loaded(circuit, netlist, node)
        yield f"a known load of {ohms} from {node} to ground", of(loaded, f"V({node})/V({source})", "magnitude")


def _ends(nodes: Sequence[str] | dict[str, None]) -> list[str]:
    """The nodes to load: the output where there is one of that name, else each of the few."""
    return ["out"] if "out" in nodes else list(nodes)[:MOST_NODES]


def _loaded(circuit: Circuit, netlist: Netlist, node: str) -> tuple[Netlist, str]:
    """The netlist with a resistor of the size of its own from a node to ground, and what that is."""
    from circuits.netlist.elements import Element
    from circuits.netlist.expressions import Number
    from circuits.notation import format

    units = circuit.units()
    ohms = [p.item() for name, p in circuit.named_parameters() if units[name] == "Ω"]
    value = float(f"{torch.tensor(ohms or [1000.0]).log().mean().exp().item():.1g}")
    load = Element("R", "R_known_load", (node, "0"), {"value": Number(value)})
    return replace(netlist, elements=(*netlist.elements, load)), format(value, "Ω")


def _matrix_by_name(circuit: Circuit, f: Tensor, quantity: str, names: Sequence[str]) -> Tensor:
    """The same as `_matrix`, of a netlist whose components are called as the circuit's."""
    own = {name.replace(".", "_").casefold(): name for name in circuit.units()}
    return _matrix(circuit, f, quantity, [own.get(name.replace(".", "_").casefold(), name) for name in names])


def _known_parts(circuit: Circuit, names: Sequence[str], base: Tensor, missing: tuple[str, ...]) -> Iterator[str]:
    """Parts that, known, would let the others be told."""
    for i, name in enumerate(names):
        if name not in missing:
            continue
        others = [j for j in range(len(names)) if j != i]
        if not others:
            continue
        still = _missing(circuit, [names[j] for j in others], base[others][:, others])
        gained = tuple(one for one in missing if one != name and one not in still)
        if gained:
            yield f"{name} held at a known value would tell {listed(gained, 'and')}"
