"""The two constant matrices of a lumped netlist, (G + s·C) x = b: for what has no frequency, or all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.component import broadcast_shapes
from circuits.errors import NetlistError
from circuits.netlist.elements import Element, Netlist
from circuits.netlist.expressions import Expression, Number, evaluate
from circuits.netlist.formulation import Entry, Formulation, formulate
from circuits.netlist.laws import REAL

Values = Mapping[str, Tensor]


@dataclass(frozen=True)
class Pencil:
    """G and C, `(*batch, n, n)`, by the unknowns of the formulation, none of which is a rail; with their graph."""

    formulation: Formulation
    G: Tensor
    C: Tensor


def known_values(netlist: Netlist, values: Values | None = None) -> dict[str, Tensor]:
    """Every parameter of a netlist, free or derived, as a tensor in double precision, with its graph.

    Args:
        netlist: whose own numbers serve where no values are given.
        values: free parameters by name, `(*batch)`.
    """
    known: dict[str, Tensor] = {}
    for name, parameter in netlist.parameters.items():
        given = values.get(name) if values is not None and isinstance(parameter.value, Number) else None
        known[name] = _double(evaluate(parameter.value, known) if given is None else given)
    return known


def free_values(netlist: Netlist, values: Values | None = None) -> dict[str, Tensor]:
    """The free parameters of a netlist as tensors: those given, the netlist's own for the others."""
    given = values or {}
    return {
        name: given[name] if name in given else torch.tensor(parameter.value.value, dtype=torch.float64)
        for name, parameter in netlist.parameters.items()
        if isinstance(parameter.value, Number)
    }


def amount(expression: Expression, known: Mapping[str, Tensor]) -> Tensor:
    """The value of an expression as a tensor in double precision."""
    return _double(evaluate(expression, known))


def shorted_parts(netlist: Netlist, known: Mapping[str, Tensor]) -> list[str]:
    """Names of the resistors and inductors whose value is zero, which have no admittance."""
    return [e.name for e in netlist.elements if e.kind in "RL" and bool((amount(e.values["value"], known) == 0).any())]


def make_pencil(netlist: Netlist, known: Mapping[str, Tensor], currents: Collection[str] = ()) -> Pencil:
    """The matrices of a netlist of lumped elements; currents of sources and inductors are unknowns, and those named.

    Raises:
        NetlistError: a line, a constant-phase or a Warburg element, which no finite power of s describes.
    """
    for e in netlist.elements:
        if e.kind not in _LUMPED:
            raise NetlistError(
                f"{e.place}: {e.name} is a distributed element, with no finite number of poles; "
                "replace it by lumped parts, or ask for the response over frequency"
            )
    asked = {*currents, *(e.name for e in netlist.elements if e.kind == "V")}
    made = formulate(netlist.elements, currents=asked, zero=shorted_parts(netlist, known), inductors="branch")
    q = real_quantities(made, known)
    parts = [[(e, q[e.law]) for e in made.entries if e.exponent == power] for power in (0, 1)]
    return Pencil(made, assemble(made, parts[0], q, made.terms), assemble(made, parts[1], q))


def real_quantities(made: Formulation, known: Mapping[str, Tensor]) -> list[Tensor]:
    """The q's of a formulation, each `(*batch)`."""
    return [REAL[law.name](*(amount(value, known) for value in law.values)) for law in made.real_laws]


def assemble(
    made: Formulation,
    parts: Sequence[tuple[Entry, Tensor]],
    like: Sequence[Tensor] = (),
    terms: Sequence[tuple[int, int, float]] = (),
) -> Tensor:
    """The real matrix `(*batch, n, n)` of entries with their values, and of constant terms.

    `like` are further tensors that the batch takes its shape from.
    """
    n = len(made.unknowns)
    batch = broadcast_shapes(*(value.shape for _, value in parts), *(value.shape for value in like))
    constant = torch.zeros(n, n, dtype=torch.float64)
    for row, column, value in terms:
        if column < n:
            constant[row, column] += value
    places = [
        (row * n + column, a * b * e.scale, i)
        for i, (e, _) in enumerate(parts)
        for row, a in ((e.rp, 1.0), (e.rm, -1.0))
        for column, b in ((e.cp, 1.0), (e.cm, -1.0))
        if row < n and column < n
    ]
    matrix = constant.reshape(-1).expand(*batch, n * n)
    if places:
        where, factors, sources = zip(*places, strict=True)
        stacked = torch.stack([value.expand(batch) for _, value in parts], -1)
        added = stacked[..., list(sources)] * torch.tensor(factors, dtype=torch.float64)
        matrix = matrix.index_add(-1, torch.tensor(where), added)
    return matrix.reshape(*batch, n, n)


def source_vector(pencil: Pencil, strengths: Mapping[str, Tensor]) -> Tensor:
    """The right-hand side b, `(*batch, n)`, for strengths of independent sources by name; others are off."""
    n = len(pencil.formulation.unknowns)
    shapes = broadcast_shapes(*(s.shape for s in strengths.values())) if strengths else torch.Size()
    kind = torch.complex128 if any(s.is_complex() for s in strengths.values()) else torch.float64
    b = torch.zeros(*shapes, n, dtype=kind)
    for name, strength in strengths.items():
        for row, factor in pencil.formulation.sources[name]:
            b = b.index_add(-1, torch.tensor([row]), (factor * strength).to(kind).expand(shapes).unsqueeze(-1))
    return b


def phasor(element: Element, known: Mapping[str, Tensor]) -> Tensor:
    """AC strength of an independent source with its graph, complex unless its phase is zero."""
    size, phase = (amount(element.values[role], known) for role in ("ac", "phase"))
    if not phase.requires_grad and bool((phase == 0).all()):
        return size
    phase = torch.deg2rad(phase)
    return torch.complex(size * torch.cos(phase), size * torch.sin(phase))


def drives(netlist: Netlist, known: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """AC strengths of the independent sources that are on."""
    found = {e.name: phasor(e, known) for e in netlist.elements if e.kind in "VI"}
    return {name: strength for name, strength in found.items() if bool((strength != 0).any())}


def _double(value: Tensor | float) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64)


_LUMPED = ("R", "L", "C", "K", "V", "I", "E", "F", "G", "H")
