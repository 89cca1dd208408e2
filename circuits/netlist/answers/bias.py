"""The DC operating point of a linear circuit: inductors are shorts, capacitors open, sources at their DC values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.netlist.answers.checks import check_solvable
from circuits.netlist.answers.pencil import Values, amount, assemble, known_values, real_quantities, shorted_parts
from circuits.netlist.elements import KINDS, Element, Netlist
from circuits.netlist.formulation import Entry, Formulation, Law, formulate
from circuits.netlist.laws import COMPLEX


@dataclass(frozen=True)
class OperatingPoint:
    """Voltages by node in volts and currents by element in amperes, each `(*batch)`, with their graph.

    A current enters an element at its first node; `T1.b` is the current into the second end of a line.
    """

    voltages: Mapping[str, Tensor]
    currents: Mapping[str, Tensor]

    def __str__(self) -> str:
        from circuits.notation import format  # where a person reads

        rows = [(f"V({name})", value, "V") for name, value in self.voltages.items()]
        rows += [(f"I({name})", value, "A") for name, value in self.currents.items()]
        width = max((len(name) for name, *_ in rows), default=0)
        return "\n".join(
            f"{name:{width}}  {', '.join(format(v + 0.0, unit) for v in value.detach().reshape(-1).tolist())}"
            for name, value, unit in rows
        )


def operating_point(netlist: Netlist, values: Values | None = None) -> OperatingPoint:
    """All node voltages and branch currents at DC.

    Args:
        netlist: flattened.
        values: free parameters `(*batch)` by name; those of the netlist where None.

    Raises:
        NetlistError: voltages or currents that are not determined at 0 Hz, such as those of a node behind a capacitor.

    >>> from circuits.netlist.expressions import Number
    >>> source = {"dc": Number(5.0), "ac": Number(0.0), "phase": Number(0.0)}
    >>> divider = Netlist("", (
    ...     Element("V", "V1", ("in", "0"), source),
    ...     Element("R", "R1", ("in", "out"), {"value": Number(1e3)}),
    ...     Element("R", "R2", ("out", "0"), {"value": Number(4e3)}),
    ... ))
    >>> print(operating_point(divider))
    V(in)   5 V
    V(out)  4 V
    I(V1)   -1 mA
    I(R1)   1 mA
    I(R2)   1 mA
    """
    known = known_values(netlist, values)
    check_solvable(netlist, known, dc=True)
    asked = [e.name for e in netlist.elements if e.kind in "VIEFGHT"]
    made = formulate(netlist.elements, currents=asked, zero=shorted_parts(netlist, known), inductors="branch")
    x = _solution(netlist, made, known)
    nodes = {name[2:-1]: x[..., i] for i, name in enumerate(made.unknowns) if name.startswith("V(")}
    branches = {name[2:-1]: x[..., i] for i, name in enumerate(made.unknowns) if name.startswith("I(")}
    ground = torch.zeros_like(x.sum(-1))
    currents: dict[str, Tensor] = {}
    for e in netlist.elements:
        if e.name in branches:
            currents[e.name] = branches[e.name]
        elif e.kind != "K":
            plus, minus = (nodes.get(node, ground) for node in e.nodes)
            currents[e.name] = _conductance(e, known) * (plus - minus)
        if e.kind == "T":
            currents[f"{e.name}.b"] = branches[f"{e.name}.b"]
    return OperatingPoint(nodes, currents)


def _solution(netlist: Netlist, made: Formulation, known: Mapping[str, Tensor]) -> Tensor:
    """The unknowns, `(*batch, n)`."""
    q = real_quantities(made, known)
    z = [_at_zero(law, known) for law in made.complex_laws]
    parts: list[tuple[Entry, Tensor]] = [
        (e, z[e.law] if e.is_complex else q[e.law]) for e in made.entries if e.exponent == 0
    ]
    sources = [e for e in netlist.elements if e.kind in "VI"]
    strengths = [amount(e.values["dc"], known) for e in sources]
    matrix = assemble(made, parts, [*q, *strengths], made.terms)
    b = torch.zeros(*matrix.shape[:-1], dtype=matrix.dtype)
    for e, strength in zip(sources, strengths, strict=True):
        for row, factor in made.sources[e.name]:
            place = torch.zeros(len(made.unknowns), dtype=matrix.dtype)
            place[row] = factor
            b = b + strength.unsqueeze(-1) * place
    return torch.linalg.solve(matrix, b.unsqueeze(-1)).squeeze(-1)


def _conductance(e: Element, known: Mapping[str, Tensor]) -> Tensor:
    """Of a two-terminal element, at 0 Hz."""
    roles = [amount(e.values[role], known) for role in KINDS[e.kind].roles]
    if e.kind in ("R", "WARBURG_SHORT"):
        return 1 / roles[0]
    return 0 * roles[0]


_AT_ZERO: Mapping[str, Callable[..., Tensor]] = {
    "constant_phase": lambda q, alpha: 0 * q * alpha,
    "warburg": lambda sigma: 0 * sigma,
    "warburg_open": lambda r, tau: 0 * r * tau,
    "warburg_short": lambda r, tau: 1 / r + 0 * tau,
}
"""The complex laws whose limit at 0 Hz is not what their formula gives there."""


def _at_zero(law: Law, known: Mapping[str, Tensor]) -> Tensor:
    roles = [amount(value, known) for value in law.values]
    if law.name in _AT_ZERO:
        return _AT_ZERO[law.name](*roles)
    return COMPLEX[law.name](torch.zeros((), dtype=torch.float64), *roles).real
