"""Poles and zeros of a response: the frequencies where the determinants of its equations vanish."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from circuits.component import broadcast_shapes
from circuits.errors import NetlistError, ShapeError
from circuits.netlist.answers import finite_field
from circuits.netlist.answers.checks import check_solvable
from circuits.netlist.answers.eigenvalues import finite_eigenvalues
from circuits.netlist.answers.exact import ExactPencil, exact_pencil
from circuits.netlist.answers.pencil import Pencil, Values, drives, known_values, make_pencil, source_vector
from circuits.netlist.elements import Netlist
from circuits.netlist.outputs import Output

SAME = 1e-9
"""A pole and a zero closer than this part of themselves are one hidden mode, and left out of the response."""


@dataclass(frozen=True)
class PolesZeros:
    """H(s) = gain · Π(s − zero)/Π(s − pole): poles `(*batch, p)` and zeros `(*batch, z)` in rad/s, gain `(*batch)`.

    Roots are complex, sorted by rising size, and known to autograd to first order; a multiple pole has no derivative.
    """

    poles: Tensor
    zeros: Tensor
    gain: Tensor

    def response(self, f: Tensor) -> Tensor:
        """H at frequencies `(n,)` in hertz: `(*batch, n)`."""
        s = 2j * math.pi * f
        size = self.gain.unsqueeze(-1) * torch.ones_like(s)
        m = max(self.zeros.shape[-1], self.poles.shape[-1])
        for i in range(m):  # by pairs, so that no product of many overflows
            size = size * (s - self.zeros[..., i, None]) if i < self.zeros.shape[-1] else size
            size = size / (s - self.poles[..., i, None]) if i < self.poles.shape[-1] else size
        return size

    def __str__(self) -> str:
        lines = []
        for title, roots, right in (("poles", self.poles, "growing"), ("zeros", self.zeros, "right half-plane")):
            lines.append(title if roots.numel() else f"{title}: none")
            lines += [f"  {_written(root, right)}" for root in roots.detach().reshape(-1).tolist() if root.imag >= 0]
        return "\n".join(lines)


def poles_and_zeros(
    netlist: Netlist, output: Output, values: Values | None = None, *, same: float = SAME
) -> PolesZeros:
    """Poles, zeros and gain of an output, with the AC sources of the netlist on.

    Zeros are the roots of det [[G + sC, −b], [wᵀ, 0]], b being the sources and w what is read; poles those of
    det(G + sC), or for a ratio the zeros of its denominator. Pairs that cancel are left out: such a mode exists in the
    circuit (`natural_frequencies` has it), but this response does not show it.

    Args:
        netlist: of lumped elements.
        output: resolved on the netlist.
        values: free parameters `(*batch)` by name; those of the netlist where None.
        same: pole and zero that agree to this part of themselves cancel.

    Returns:
        All of every board: their number must be the same on all.

    Raises:
        NetlistError: lines, constant-phase or Warburg elements; no AC source; a response that is zero; a circuit
            without a single solution.
        ShapeError: boards that differ in the number of their poles or zeros.

    >>> from circuits.netlist.elements import Element
    >>> from circuits.netlist.expressions import Number
    >>> from circuits.netlist.outputs import parse_output
    >>> source = {"dc": Number(0.0), "ac": Number(1.0), "phase": Number(0.0)}
    >>> high_pass = Netlist("", (
    ...     Element("V", "V1", ("in", "0"), source),
    ...     Element("C", "C1", ("in", "out"), {"value": Number(1e-6)}),
    ...     Element("R", "R1", ("out", "0"), {"value": Number(159.1549)}),
    ... ))
    >>> print(poles_and_zeros(high_pass, parse_output("V(out)/V(in)")))
    poles
      1 kHz, real
    zeros
      0 Hz, real
    """
    netlist = output.measured_on(netlist)
    known = known_values(netlist, values)
    check_solvable(netlist, known)
    pencil = make_pencil(netlist, known, {*output.currents, *_capacitors(netlist)})
    strengths = drives(netlist, known)
    if not strengths:
        raise NetlistError(f"{output} has no source to respond to; give one source an AC value: V1 in 0 AC 1")
    b = source_vector(pencil, strengths)
    exact = _exact_boards(netlist, pencil, known, strengths)
    functionals = output.functionals(pencil.formulation)
    roots = [
        _roots(_bordered(pencil, b, functional), [one.bordered(functional) for one in exact], str(probe))
        for functional, probe in zip(functionals, output.probes, strict=True)
    ]
    if output.denominator is None:
        batch = broadcast_shapes(pencil.G.shape[:-2], b.shape[:-1])
        whole = pencil.G.expand(*batch, *pencil.G.shape[-2:]), pencil.C.expand(*batch, *pencil.G.shape[-2:])
        roots.append(_roots(whole, [one.matrices for one in exact], "the circuit"))
    zeros, poles = roots
    poles, zeros = _without_hidden(poles, zeros, same)
    return PolesZeros(poles, zeros, _gain(pencil, b, output, poles, zeros))


def natural_frequencies(netlist: Netlist, values: Values | None = None) -> Tensor:
    """All roots of det(G + sC) in rad/s, `(*batch, m)`: how the circuit rings with its sources off.

    Args:
        netlist: of lumped elements.
        values: free parameters `(*batch)` by name; those of the netlist where None.

    Raises:
        NetlistError: lines, constant-phase or Warburg elements; a circuit without a single solution.

    >>> from circuits.netlist.elements import Element
    >>> from circuits.netlist.expressions import Number
    >>> tank = Netlist("", (
    ...     Element("L", "L1", ("a", "0"), {"value": Number(1e-3)}),
    ...     Element("C", "C1", ("a", "0"), {"value": Number(1e-9)}),
    ... ))
    >>> natural_frequencies(tank)
    tensor([0.+1000000.j, 0.-1000000.j], dtype=torch.complex128)
    """
    known = known_values(netlist, values)
    check_solvable(netlist, known)
    pencil = make_pencil(netlist, known, _capacitors(netlist))
    exact = [one.matrices for one in _exact_boards(netlist, pencil, known, {})]
    return _roots((pencil.G, pencil.C), exact, "the circuit")


def hertz(roots: Tensor) -> Tensor:
    """Natural frequency |s|/2π of poles or zeros, in hertz.

    >>> hertz(torch.tensor([-3 + 4j])) * 2 * math.pi
    tensor([5.])
    """
    return roots.abs() / (2 * math.pi)


def quality(roots: Tensor) -> Tensor:
    """Quality |s|/(−2 Re s) of poles: 1/2 for a real one, above it where the circuit rings, negative where it grows.

    >>> quality(torch.tensor([-1.0 + 0j, -3 + 4j]))
    tensor([0.5000, 0.8333])
    """
    return roots.abs() / (-2 * roots.real)


Matrices = tuple[Tensor, Tensor]


def _capacitors(netlist: Netlist) -> list[str]:
    """Names of the capacitors, whose currents are unknowns here: then no two capacitances are ever added up."""
    return [e.name for e in netlist.elements if e.kind == "C"]


def _exact_boards(netlist: Netlist, pencil: Pencil, known: Values, strengths: Values) -> list[ExactPencil]:
    """The exact equations of every board of the pencil."""
    batch = broadcast_shapes(pencil.G.shape[:-2], *(s.shape for s in strengths.values()))
    boards = range(batch.numel())
    flat = [{name: v.expand(batch).reshape(-1) for name, v in some.items()} for some in (known, strengths)]
    one_board = [[{name: v[i] for name, v in some.items()} for some in flat] for i in boards]
    return [exact_pencil(netlist, pencil.formulation, *own) for own in one_board]


def _bordered(pencil: Pencil, b: Tensor, functional: Mapping[int, float]) -> Matrices:
    """[[G, −b], [wᵀ, 0]] and [[C, 0], [0, 0]]."""
    n = len(pencil.formulation.unknowns)
    batch = broadcast_shapes(pencil.G.shape[:-2], b.shape[:-1])
    kind = torch.complex128 if b.is_complex() else torch.float64
    w = torch.zeros(n, dtype=kind)
    for index, value in functional.items():
        w[index] += value
    grown = torch.cat([pencil.G.to(kind).expand(*batch, n, n), -b.expand(*batch, n).unsqueeze(-1)], -1)
    foot = torch.cat([w, torch.zeros(1, dtype=kind)]).expand(*batch, 1, n + 1)
    C = torch.nn.functional.pad(pencil.C.to(kind).expand(*batch, n, n), (0, 1, 0, 1))
    return torch.cat([grown, foot], -2), C


def _roots(matrices: Matrices, exact: Sequence[tuple[np.ndarray, np.ndarray]], what: str) -> Tensor:
    """Roots of det(G + sC) of every board, `(*batch, m)`, with first derivatives.

    ds = −yᵀ(dG + s·dC)x / yᵀCx, x and y being the right and left eigenvectors.
    """
    G, C = matrices
    batch, n = G.shape[:-2], G.shape[-1]
    flat = [matrix.detach().reshape(-1, n, n).numpy() for matrix in (G, C)]
    try:
        found = [finite_eigenvalues(A, B, one) for A, B, one in zip(*flat, exact, strict=True)]
    except finite_field.SingularPencil:
        raise NetlistError(
            f"{what} is zero at every frequency, since no source reaches it; ask for an output that one does"
        ) from None
    counts = sorted({len(one.s) for one in found})
    if len(counts) > 1:
        raise ShapeError(f"boards differ in the number of the roots of {what}, {counts}; ask for one board at a time")
    s, x, y = (torch.from_numpy(np.array([getattr(one, part) for one in found])) for part in "sxy")
    m = s.shape[-1]
    s, x, y = s.reshape(*batch, m), x.reshape(*batch, m, n), y.reshape(*batch, m, n)
    if not (G.requires_grad or C.requires_grad):
        return s
    G, C = G.to(torch.complex128), C.to(torch.complex128)
    moved = torch.einsum("...mi,...ij,...mj->...m", y, G, x) + s * torch.einsum("...mi,...ij,...mj->...m", y, C, x)
    slope = torch.einsum("...mi,...ij,...mj->...m", y, C.detach(), x)
    shift = torch.where(s == 0, 0, -moved / slope)
    return s + (shift - shift.detach())


def _without_hidden(poles: Tensor, zeros: Tensor, same: float) -> tuple[Tensor, Tensor]:
    """Poles and zeros without the pairs that cancel."""
    batch = broadcast_shapes(poles.shape[:-1], zeros.shape[:-1])
    poles, zeros = (
        roots.expand(*batch, roots.shape[-1]).reshape(batch.numel(), roots.shape[-1]) for roots in (poles, zeros)
    )
    kept = [_kept(p, z, same) for p, z in zip(poles.detach().numpy(), zeros.detach().numpy(), strict=True)]
    for i, what in enumerate(("poles", "zeros")):
        numbers = {len(pair[i]) for pair in kept}
        if len(numbers) > 1:
            raise ShapeError(
                f"boards differ in the number of their {what}, {sorted(numbers)}; ask for one board at a time"
            )
    chosen = [
        torch.stack([roots[b, torch.tensor(pair[i], dtype=torch.long)] for b, pair in enumerate(kept)])
        for i, roots in enumerate((poles, zeros))
    ]
    return chosen[0].reshape(*batch, chosen[0].shape[-1]), chosen[1].reshape(*batch, chosen[1].shape[-1])


def _kept(poles: np.ndarray, zeros: np.ndarray, same: float) -> tuple[list[int], list[int]]:
    """Indices of what is left when every zero has taken the nearest pole that agrees with it."""
    left_poles, left_zeros = list(range(len(poles))), []
    slack = _slack(poles, same)
    for j, (zero, own) in enumerate(zip(zeros, _slack(zeros, same), strict=True)):
        nearest = min(left_poles, key=lambda i: abs(poles[i] - zero), default=None)
        if nearest is not None and abs(poles[nearest] - zero) <= max(own, slack[nearest]):
            left_poles.remove(nearest)
        else:
            left_zeros.append(j)
    return left_poles, left_zeros


def _slack(roots: np.ndarray, same: float) -> list[float]:
    """How far each root may be off: a multiple one is computed as a small cluster."""
    slack = []
    for i, root in enumerate(roots):
        others = np.delete(roots, i)
        near = float(np.abs(others - root).min(initial=np.inf))
        slack.append(max(same * abs(root), 10 * near if near < 1e-4 * abs(root) else 0.0))
    return slack


def _gain(pencil: Pencil, b: Tensor, output: Output, poles: Tensor, zeros: Tensor) -> Tensor:
    """H·Π(s − pole)/Π(s − zero) at a point s away from all of them."""
    sizes = torch.cat([poles, zeros], -1).detach().abs()
    sizes = sizes[sizes > 0]
    s = complex(math.exp(float(sizes.log().mean()))) * (0.6 + 0.8j) if sizes.numel() else 1.0 + 0j
    matrix = pencil.G + s * pencil.C
    x = torch.linalg.solve(matrix, b.to(matrix.dtype).expand(matrix.shape[:-1]).unsqueeze(-1)).squeeze(-1)
    weighted = [
        sum((value * x[..., i] for i, value in functional.items()), torch.zeros_like(x[..., 0]))
        for functional in output.functionals(pencil.formulation)
    ]
    gain = weighted[0] if len(weighted) == 1 else weighted[0] / weighted[1]
    m = max(zeros.shape[-1], poles.shape[-1])
    for i in range(m):  # by pairs, so that no product of many overflows
        gain = gain / (s - zeros[..., i]) if i < zeros.shape[-1] else gain
        gain = gain * (s - poles[..., i]) if i < poles.shape[-1] else gain
    return gain if b.is_complex() else gain.real


def _written(root: complex, right: str) -> str:
    """Frequency, and quality of a pair; `right` is said of a root in the right half-plane."""
    from circuits.notation import format  # where a person reads

    size, side = format(abs(root) / (2 * math.pi), "Hz", 6), f", {right}" if root.real > 0 else ""
    if root.imag == 0:
        return f"{size}, real{side}"
    return f"{size}, Q = {format(abs(root) / (2 * abs(root.real)), '', 5) if root.real else '∞'}{side}"
