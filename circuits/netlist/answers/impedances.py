"""The impedance between two nodes, every independent source being off."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from circuits.errors import NetlistError
from circuits.netlist.answers.checks import check_solvable
from circuits.netlist.answers.pencil import Values, free_values
from circuits.netlist.elements import GROUND, Netlist
from circuits.netlist.outputs import Output, Probe
from circuits.netlist.solver.system import System

MakeSystem = Callable[..., System]
"""`System`, or something that remembers the systems it made."""


def impedance(
    netlist: Netlist,
    f: Tensor,
    plus: str,
    minus: str = GROUND,
    values: Values | None = None,
    *,
    make: MakeSystem = System,
) -> Tensor:
    """Z(f) = V/I in ohms, for one ampere into `plus` and out of `minus`, `(*batch, n)` and complex.

    Voltage sources are shorts and current sources open, save a voltage source across the two nodes: it is taken out, so
    that Z is what it sees. Known to autograd in values and f, to any order.

    Args:
        netlist: flattened.
        f: hertz, `(n,)` or `(*batch, n)`.
        plus, minus: two nodes, in upper or lower case.
        values: free parameters `(*batch)` by name; those of the netlist where None.
        make: how to make the system of the driven netlist.

    Raises:
        UnknownName: no such node.
        OptionError: twice the same node.
        NetlistError: an impedance that is infinite at every frequency, as that of a node that nothing else touches.

    >>> import torch
    >>> from circuits.netlist.elements import Element
    >>> from circuits.netlist.expressions import Number
    >>> half = Netlist("", (
    ...     Element("R", "R1", ("a", "0"), {"value": Number(100.0)}),
    ...     Element("C", "C1", ("a", "0"), {"value": Number(1e-6)}),
    ... ))
    >>> impedance(half, torch.tensor([1591.5494], dtype=torch.float64), "a")
    tensor([50.0000-50.0000j], dtype=torch.complex128)
    """
    output = Output(Probe("Z", (plus, minus))).resolved(netlist)
    driven = output.measured_on(netlist)
    try:
        check_solvable(driven)
    except NetlistError as error:
        raise NetlistError(f"{output} is infinite or not determined: {error}") from error
    system = make(driven)
    parts = system.response(free_values(netlist, values), f, output.functionals(system.formulation))
    return output.combined(parts)
