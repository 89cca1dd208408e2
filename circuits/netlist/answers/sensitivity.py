"""How an answer follows its components, as designers read it: per cent of the answer per cent of the part."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.errors import OptionError, UnknownName

POINTS = 4
"""Frequencies up to which a table has a column for each."""


@dataclass(frozen=True)
class Sensitivities:
    """S = d ln|H|/d ln p, and dφ/d ln p in degrees, of p components at f in hertz: both `(*batch, p, [k,] n)`.

    A part that is 1 % larger changes |H| by S per cent and the phase by a hundredth of the other number.
    """

    names: tuple[str, ...]
    f: Tensor
    magnitude: Tensor
    phase: Tensor
    tolerances: Mapping[str, float]
    outputs: tuple[str, ...] = ()

    @property
    def decibels(self) -> Tensor:
        """Change of the level in decibels for a part that is 1 % larger, to first order: `(*batch, p, [k,] n)`."""
        return self.magnitude * (0.01 * 20 / math.log(10))

    def worst_case(self, tolerances: Mapping[str, float] | None = None) -> Tensor:
        """Largest relative change of |H| to first order, Σ |S|·tolerance: every part at the end that hurts.

        Args:
            tolerances: relative, 0.05 for 5 %, by name; left out, those that the circuit knows.

        Returns:
            `(*batch, [k,] n)`.

        Raises:
            OptionError: no tolerances. UnknownName: one of no component.
        """
        return (self.magnitude.abs() * self._weights(tolerances)).sum(self._dimension)

    def rss(self, tolerances: Mapping[str, float] | None = None) -> Tensor:
        """Root of the sum of squares, √Σ (S·tolerance)²: one standard deviation where the tolerances are such.

        As for `worst_case`.
        """
        return ((self.magnitude * self._weights(tolerances)) ** 2).sum(self._dimension).sqrt()

    def largest(self) -> list[str]:
        """The names by their largest |S| anywhere, falling."""
        size = self.magnitude.abs().nan_to_num(0.0, 0.0).movedim(self._dimension, 0).reshape(len(self.names), -1)
        order = size.amax(-1).argsort(descending=True, stable=True)
        return [self.names[i] for i in order.tolist()]

    def __str__(self) -> str:
        rows = self._rows()
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return "\n".join(
            "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
            for row in rows
        )

    @property
    def _dimension(self) -> int:
        """Where the components are."""
        return -3 if self.outputs else -2

    def _rows(self) -> list[list[str]]:
        """A table of the first board: of few frequencies a column each, else the largest and where it is."""
        names = self.largest()
        order = [self.names.index(name) for name in names]
        n = self.f.shape[-1]
        f = self.f.reshape(-1, n)[0].tolist()
        shape = (-1, len(self.names), max(len(self.outputs), 1), n)
        S, turn = (part.detach().reshape(shape)[0][order] for part in (self.magnitude, self.phase))
        rows = [["component", "output"] if self.outputs else ["component"]]
        rows[0] += _head(f)
        for i, name in enumerate(names):
            for k, output in enumerate(self.outputs or ("",)):
                start = [name if k == 0 else "", output] if self.outputs else [name]
                rows.append(start + _cells(f, S[i, k].tolist(), turn[i, k].tolist()))
        return rows

    def _weights(self, tolerances: Mapping[str, float] | None) -> Tensor:
        tolerances = self.tolerances if tolerances is None else tolerances
        if not tolerances:
            raise OptionError("no tolerances; give them by component, such as {'R1': 0.05}, or in the netlist: tol=5%")
        for name in tolerances:
            if name not in self.names:
                raise UnknownName("component", name, self.names)
        weights = [tolerances.get(name, 0.0) for name in self.names]
        return torch.tensor(weights).to(self.magnitude).reshape(-1, *[1] * (-self._dimension - 1))


def sensitivities(circuit: Circuit, f: Tensor, names: Sequence[str] | None = None) -> Sensitivities:
    """Normalised sensitivities of a circuit's response to its components, exact and without a graph.

        S = d ln|H|/d ln p = Re(p/H · dH/dp),    dφ/d ln p = Im(p/H · dH/dp)

    Args:
        circuit: any circuit, of a netlist or not.
        f: hertz, `(n,)` or `(*batch, n)`.
        names: components by dotted name; all of them where None.

    Raises:
        UnknownName: no such component.

    >>> from circuits.filters import LowPass
    >>> corner = torch.tensor([1 / (2 * math.pi * 1e3 * 1e-6)], dtype=torch.float64)
    >>> print(sensitivities(LowPass(1e3), corner))
    component  S at 159.2 Hz  °/% at 159.2 Hz
    R                 -0.500           -0.286
    C                 -0.500           -0.286
    """
    f = f.unsqueeze(0) if f.ndim == 0 else f
    names = tuple(circuit.units() if names is None else names)
    H, slopes = circuit.linearize(f, "response", names)
    parts = dict(circuit.named_parameters(remove_duplicate=False))
    batch, behind = circuit.batch_shape, 2 if circuit.outputs else 1
    values = [parts[name].detach().expand(batch) for name in names]
    p = torch.stack(values, -1) if values else H.real.new_zeros(*batch, 0)
    relative = p.reshape(*p.shape, *[1] * behind) * slopes / H.unsqueeze(-behind - 1)
    tolerances = {name: kind.tolerance for name, kind in circuit.kinds().items() if kind.tolerance is not None}
    kept = {name: tolerances[name] for name in names if name in tolerances}
    return Sensitivities(names, f, relative.real, torch.rad2deg(relative.imag), kept, circuit.outputs)


def sensitivities_of(
    answer: Callable[[Mapping[str, Tensor]], Tensor],
    values: Mapping[str, Tensor],
    names: Sequence[str] | None = None,
    *,
    relative: bool = True,
) -> dict[str, Tensor]:
    """Sensitivity d ln y/d ln p of anything that follows from the values: a pole, its quality, a noise, an impedance.

    Args:
        answer: from values by name to a tensor of any shape, real or complex, by operations that autograd knows.
        values: single numbers.
        names: which of them; all where None.
        relative: False for dy/d ln p, where y may be zero.

    Returns:
        By name, in the shape of the answer, complex where that is.

    Raises:
        UnknownName: no such value.

    >>> values = {"R1": torch.tensor(1.0), "R2": torch.tensor(3.0)}
    >>> found = sensitivities_of(lambda v: v["R1"] / (v["R1"] + v["R2"]), values)
    >>> {name: s.item() for name, s in found.items()}
    {'R1': 0.75, 'R2': -0.75}
    """
    names = list(values) if names is None else list(names)
    for name in names:
        if name not in values:
            raise UnknownName("value", name, values)
    leaves = {name: values[name].detach().clone().requires_grad_() for name in names}
    with torch.enable_grad():
        y = answer({**values, **leaves})
    parts = [y.real, y.imag] if y.is_complex() else [y]
    slopes = [torch.stack([_gradient(one, list(leaves.values())) for one in part.reshape(-1)]) for part in parts]
    slope = torch.complex(*slopes) if len(slopes) == 2 else slopes[0]
    slope = slope.reshape(*y.shape, len(names))
    scale = y.detach() if relative else torch.ones_like(y.detach())
    return {name: leaves[name].detach() * slope[..., i] / scale for i, name in enumerate(names)}


def _gradient(one: Tensor, leaves: Sequence[Tensor]) -> Tensor:
    """Derivatives of a single number, `(p,)`."""
    if not one.requires_grad or not leaves:
        return one.new_zeros(len(leaves)).detach()
    found = torch.autograd.grad(one, leaves, retain_graph=True, allow_unused=True, materialize_grads=True)
    return torch.stack(found)


def _head(f: Sequence[float]) -> list[str]:
    from circuits.notation import format  # where a person reads

    if len(f) <= POINTS:
        return [text for at in f for text in (f"S at {format(at, 'Hz')}", f"°/% at {format(at, 'Hz')}")]
    return ["largest S", "at", "largest °/%", "at"]


def _cells(f: Sequence[float], S: Sequence[float], turn: Sequence[float]) -> list[str]:
    from circuits.notation import format  # where a person reads

    turn = [angle / 100 for angle in turn]
    if len(f) <= POINTS:
        return [f"{number:.3f}" for pair in zip(S, turn, strict=True) for number in pair]
    cells = []
    for numbers in (S, turn):
        finite = [i for i, number in enumerate(numbers) if math.isfinite(number)]
        at = max(finite, key=lambda i: abs(numbers[i]), default=None)
        cells += ["–", ""] if at is None else [f"{numbers[at]:.3f}", format(f[at], "Hz")]
    return cells
