"""Scattering, impedance, admittance and chain parameters of a circuit seen from its ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from circuits.errors import NetlistError, OptionError
from circuits.netlist.answers.checks import check_solvable
from circuits.netlist.answers.impedances import MakeSystem
from circuits.netlist.answers.pencil import Values, free_values
from circuits.netlist.elements import GROUND, Element, Netlist
from circuits.netlist.expressions import Number
from circuits.netlist.outputs import resolve_node
from circuits.netlist.solver.system import System

Port = str | tuple[str, str]
KINDS_OF_PARAMETERS = ("S", "Z", "Y", "ABCD")


def port_parameters(
    netlist: Netlist,
    f: Tensor,
    kind: str,
    ports: Sequence[Port],
    values: Values | None = None,
    *,
    z0: float | Sequence[float] = 50.0,
    make: MakeSystem = System,
) -> Tensor:
    """Parameters of a linear p-port, `(*batch, n, p, p)` and complex, known to autograd.

        V = Z I,    I = Y V,    b = S a with a, b = (V ± z0 I)/(2√z0),    (V1, I1) = ABCD (V2, −I2)

    Currents are counted into the ports. Independent sources are off; one right across a port is taken out. Each kind is
    solved with the ports as it defines them (open for Z, shorted for Y, ended in z0 for S), so that none is spoilt by
    another that does not exist: a series element has no Z, a shunt element no Y, both have S and ABCD.

    Args:
        netlist: flattened.
        f: hertz, `(n,)` or `(*batch, n)`.
        kind: "S", "Z", "Y" or "ABCD", the last of two ports.
        ports: nodes, or pairs of nodes; a single node is against ground.
        values: free parameters `(*batch)` by name; those of the netlist where None.
        z0: reference resistance in ohms of all ports, or one each, for S.
        make: how to make the systems.

    Raises:
        NetlistError: parameters that do not exist, with the reason and the kinds to ask for in their place.
        OptionError: an unknown kind, a wrong number of ports, a port between a node and itself, a z0 that is not
            positive.
        UnknownName: no such node.

    >>> resistor = Netlist("", (Element("R", "R1", ("a", "b"), {"value": Number(50.0)}),))
    >>> port_parameters(resistor, torch.tensor([1.0]), "ABCD", ["a", "b"])[0].abs()
    tensor([[ 1., 50.],
            [ 0.,  1.]], dtype=torch.float64)
    """
    pairs = [_pair(netlist, port) for port in ports]
    references = _references(z0, len(pairs))
    if kind not in KINDS_OF_PARAMETERS:
        raise OptionError(f"no parameters {kind!r}; expected one of {', '.join(KINDS_OF_PARAMETERS)}")
    if not pairs or (kind == "ABCD" and len(pairs) != 2):
        raise OptionError(f"{kind} parameters of {len(pairs)} ports; give {'two' if kind == 'ABCD' else 'one or more'}")
    bench = _Bench(netlist, pairs, free_values(netlist, values), f, make)
    return _chain(bench) if kind == "ABCD" else _MATRICES[kind](bench, references)


class _Bench:
    """A netlist whose ports are driven, ended or left open in one way or another."""

    def __init__(self, netlist: Netlist, pairs, values: Values, f: Tensor, make: MakeSystem):
        self.pairs, self.values, self.f, self.make = pairs, values, f, make
        taken = [set(pair) for pair in pairs]
        kept = [e for e in netlist.elements if not (e.kind == "V" and set(e.nodes) in taken)]
        self._check_controls(kept, netlist)
        self.netlist = replace(netlist, elements=tuple(kept))

    def _check_controls(self, kept: Sequence[Element], netlist: Netlist) -> None:
        gone = {e.name for e in netlist.elements} - {e.name for e in kept}
        for e in kept:
            if gone & set(e.controls):
                raise NetlistError(
                    f"{e.place}: {e.name} is controlled by the current of {e.controls[0]}, which lies across a "
                    "port and is taken out; put a source of zero volts in series with that port to control it"
                )

    def solved(self, states: Sequence[str], resistances: Sequence[float] = ()) -> Tensor:
        """Voltages and currents of all ports, one source at a time, `(*batch, n, 2p, drives)`.

        A state is "I" (a current is driven in, otherwise open), "V" (a voltage is driven, otherwise shorted), "open" or
        "short". With resistances, a port in state "I" has one across it, whose current does not count.
        """
        driven = self._with_ports(states, resistances)
        check_solvable(driven)
        sources = [_name(k) for k in range(len(states))]
        system = self.make(driven, currents=tuple(n for n, s in zip(sources, states, strict=True) if s in "V short"))
        made = system.formulation
        drives = [k for k, state in enumerate(states) if state in ("V", "I")]
        rhs = torch.zeros(len(drives), len(made.unknowns), dtype=torch.float64, device=self.f.device)
        for row, k in enumerate(drives):
            for place, factor in made.sources[sources[k]]:
                rhs[row, place] += factor if states[k] == "V" else -factor
        x = system.solve(self.values, self.f, rhs)
        x = torch.nn.functional.pad(x, (0, 0, 0, made.ground + 1 - x.shape[-2]))
        rows = [x[..., made.node(plus), :] - x[..., made.node(minus), :] for plus, minus in self.pairs]
        for k, state in enumerate(states):
            if state in ("V", "short"):
                rows.append(-x[..., made.current(sources[k]), :])
            else:
                rows.append(torch.zeros_like(rows[0]) + _one(k, drives, state).to(x).unsqueeze(-1))
        return torch.stack(rows, -1).movedim(-3, -1)

    def _with_ports(self, states: Sequence[str], resistances: Sequence[float]) -> Netlist:
        elements = list(self.netlist.elements)
        zero = {role: Number(0.0) for role in ("dc", "ac", "phase")}
        for k, (pair, state) in enumerate(zip(self.pairs, states, strict=True)):
            if state != "open":
                elements.append(Element("V" if state in ("V", "short") else "I", _name(k), pair, zero))
            if resistances:
                elements.append(Element("R", f"{_name(k)} z0", pair, {"value": Number(resistances[k])}))
        return replace(self.netlist, elements=tuple(elements))


def _one(k: int, drives: Sequence[int], state: str) -> Tensor:
    """The current into port k for every drive."""
    return torch.tensor([1.0 if state == "I" and k == drive else 0.0 for drive in drives], dtype=torch.float64)


def _name(k: int) -> str:
    return f"port {k + 1}"


def _impedances(bench: _Bench, _: Sequence[float]) -> Tensor:
    p = len(bench.pairs)
    with _explained("Z", "with its ports open", "S, Y or ABCD"):
        return bench.solved(["I"] * p)[..., :p, :]


def _admittances(bench: _Bench, _: Sequence[float]) -> Tensor:
    p = len(bench.pairs)
    with _explained("Y", "with its ports shorted", "S, Z or ABCD"):
        return bench.solved(["V"] * p)[..., p:, :]


def _scattering(bench: _Bench, references: Sequence[float]) -> Tensor:
    """S_jk = 2·V_j/√(z_j z_k) − δ_jk for one ampere into z_k."""
    p = len(bench.pairs)
    with _explained("S", "with its ports ended in z0", "another z0"):
        V = bench.solved(["I"] * p, references)[..., :p, :]
    z = torch.tensor(references, dtype=torch.float64, device=V.device)
    return 2 * V / torch.sqrt(z[:, None] * z) - torch.eye(p).to(z)


def _chain(bench: _Bench) -> Tensor:
    """A, C with the second port open, B, D with it shorted; the first is driven by what it can bear."""
    columns = []
    for end, below, sign in (("open", 1, 1.0), ("short", 3, -1.0)):
        x = _either(bench, end)
        columns.append(x[..., [0, 2], 0] / (sign * x[..., below, 0, None]))
    return torch.stack(columns, -1)


def _either(bench: _Bench, end: str) -> Tensor:
    """Drive the first port by a voltage, or a current where that contradicts the circuit; for a short the reverse."""
    order = ("V", "I") if end == "open" else ("I", "V")
    with _explained("ABCD", f"with its second port {'open' if end == 'open' else 'shorted'}", "S"):
        try:
            return bench.solved([order[0], end])
        except NetlistError:
            return bench.solved([order[1], end])


@contextmanager
def _explained(kind: str, how: str, others: str) -> Iterator[None]:
    """Say of a circuit without a solution which parameters do not exist."""
    try:
        yield
    except NetlistError as error:
        raise NetlistError(
            f"this circuit has no {kind} parameters, since {how} it has no single solution; ask for {others} ({error})"
        ) from error


_MATRICES: Mapping[str, Callable[[_Bench, Sequence[float]], Tensor]] = {
    "Z": _impedances,
    "Y": _admittances,
    "S": _scattering,
}


def _pair(netlist: Netlist, port: Port) -> tuple[str, str]:
    plus, minus = (port, GROUND) if isinstance(port, str) else port
    plus, minus = resolve_node(netlist, plus), resolve_node(netlist, minus)
    if plus == minus:
        raise OptionError(f"a port between {plus} and itself; give two different nodes, or one to ground")
    return plus, minus


def _references(z0: float | Sequence[float], count: int) -> list[float]:
    references = [float(z0)] * count if isinstance(z0, (int, float)) else [float(z) for z in z0]
    if len(references) != count or not all(0 < z < float("inf") for z in references):
        raise OptionError(
            f"z0={z0!r} for {count} ports; expected one positive resistance in ohms, or one for each port"
        )
    return references
