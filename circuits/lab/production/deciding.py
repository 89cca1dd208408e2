"""Which limits decide: of a filter that is known to fall, to rise or to have one peak, a few stand for all the others.

A low-pass that is lit at a tone is lit at every lower one, whatever its parts are. Of two hundred tones in a table all
but a handful follow from their neighbours, and nothing has to be computed at those. It is exact: not a board is judged
otherwise (but for a magnitude that is on its limit to the last bit). A circuit of which nothing is known, such as a
netlist, is computed at all its tones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.color_organ import ColorOrgan
from circuits.filters import BandPass, HighPass, LoadedBandPass, LowPass
from circuits.lab.production.specifications import Specification
from circuits.notation import format

SHAPES: dict[type[Circuit], str] = {
    LowPass: "falls",
    HighPass: "rises",
    BandPass: "one peak",
    LoadedBandPass: "one peak",
}
"""How |H| runs over frequency, for every value of the components."""


@dataclass(frozen=True, eq=False)
class Check:
    """Limits on what one circuit gives: `part` is the circuit itself, or a filter within it that stands alone."""

    part: Circuit
    name: str
    f: Tensor
    quantity: str
    lower: Tensor
    upper: Tensor

    @property
    def numbers(self) -> int:
        """How many numbers a board has to be asked for."""
        return self.lower.numel()

    def labels(self) -> list[str]:
        """What each limit is on, for a table; `lower` flattened."""
        outputs = [f"{output} " for output in self.part.outputs] or [f"{self.name} " if self.name else ""]
        return [f"{output}{format(hertz, 'Hz')}" for output in outputs for hertz in self.f.tolist()]


def checks_of(circuit: Circuit, specification: Specification, every: bool = False) -> list[Check]:
    """What has to be computed to see whether boards of a circuit pass: all limits, or those that decide.

    Raises:
        UnknownName, OptionError: a specification that does not fit the circuit.

    >>> from circuits.lab.production.specifications import Specification
    >>> lit = Specification(torch.arange(1.0, 101.0), "magnitude", torch.full((100,), 0.7), torch.full((100,), 2.0))
    >>> [check.f.tolist() for check in checks_of(LowPass(R=1000.0), lit)]
    [[1.0, 100.0]]
    """
    specification = specification.matched(circuit)
    like = next(circuit.parameters())
    f = circuit._checked(specification.f)
    if type(circuit) is ColorOrgan:
        parts = [(circuit.get_submodule(name), name) for name in circuit.outputs]
        rows = list(zip(specification.lower, specification.upper, strict=True))
    else:
        parts, rows = [(circuit, "")], [(specification.lower, specification.upper)]
    checks = []
    for (part, name), (lower, upper) in zip(parts, rows, strict=True):
        if not isinstance(part, Circuit):
            continue
        shape = None if every or specification.quantity not in ("magnitude", "decibels") else SHAPES.get(type(part))
        lower, upper = _PRUNED[shape](lower, upper) if shape else (lower, upper)
        kept = (lower.isfinite() | upper.isfinite()).reshape(-1, len(f)).any(0)
        if bool(kept.any()):
            limits = [limit[..., kept].to(like.device) for limit in (lower, upper)]
            checks.append(Check(part, name, f[kept.to(f.device)], specification.quantity, *limits))
    return checks


def falling(lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """Of a quantity that falls over n rising frequencies: a limit that a stricter one implies becomes infinite.

    A lower limit follows from one that is as high at a higher frequency, an upper one from one as low at a lower one.
    """
    return _records(lower.flip(0)).flip(0), -_records(-upper)


def rising(lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """The same of a quantity that rises."""
    lower, upper = falling(lower.flip(0), upper.flip(0))
    return lower.flip(0), upper.flip(0)


def one_peak(lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """The same of a quantity that rises to one peak and then falls.

    A lower limit follows from two as high on either side. With i < j < k, an upper limit at i follows from one as low
    at j if the lower limit at k is above that: then the peak lies beyond j, and up to j the quantity rises. Those
    that follow so are struck out first, and the mirror image is looked for among the others, since two limits must
    not stand for each other.
    """
    kept = torch.where(_records(lower).isfinite() | _records(lower.flip(0)).flip(0).isfinite(), lower, -math.inf)
    upper = _below_the_peak(lower, upper)
    return kept, _below_the_peak(lower.flip(0), upper.flip(0)).flip(0)


def _records(values: Tensor) -> Tensor:
    """Values that are above all before them; −∞ in the place of the others."""
    before = torch.cat([values.new_full((1,), -math.inf), values.cummax(0).values[:-1]])
    return torch.where(values > before, values, -math.inf)


def _below_the_peak(lower: Tensor, upper: Tensor) -> Tensor:
    """Upper limits without those that follow from another at a higher frequency, on the side that rises."""
    beyond = torch.cat([lower.flip(0).cummax(0).values.flip(0)[1:], lower.new_full((1,), -math.inf)])
    on_the_rise = torch.where(beyond > upper, upper, math.inf)
    best = torch.cat([on_the_rise.flip(0).cummin(0).values.flip(0)[1:], upper.new_full((1,), math.inf)])
    return torch.where(best <= upper, math.inf, upper)


_PRUNED = {"falls": falling, "rises": rising, "one peak": one_peak}


def numbers_of(checks: Sequence[Check]) -> int:
    """How many numbers all checks together ask of a board."""
    return sum(check.numbers for check in checks)
