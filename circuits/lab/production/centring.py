"""Design centring: nominal values from which most boards pass, found by the gradient of a smoothed yield."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.errors import OptionError, UnknownName
from circuits.lab.production.answers import made_of
from circuits.lab.production.deciding import Check, checks_of, numbers_of
from circuits.lab.production.sampling import block_size
from circuits.lab.production.specifications import Specification
from circuits.lab.production.tolerances import Tolerances, checked
from circuits.lab.production.yields import Yield, estimate_yield, judged

STAGES = (1.0, 0.5, 0.25, 0.12, 0.06)
"""Widths of the smoothing, of the scatter of the margins at the start: each stage begins where the last one ended."""
STEPS, RATE, LONGEST = 12, 0.3, 0.5
"""Steps a stage; a step, of the largest tolerance, in the first stage; and how far a value may move, in ln."""


@dataclass(frozen=True, eq=False)
class Centred:
    """Nominal values moved for the sake of the yield.

    `values` are in SI units by name. `before` and `after` are yields of boards that had no part in the search, the
    same deviations for both; where the search found nothing better the values are those at the start. `trace` has the
    yield of the searched boards after each step.
    """

    values: Mapping[str, float]
    before: Yield
    after: Yield
    trace: tuple[float, ...]


def centre(
    circuit: Circuit,
    specification: Specification,
    tolerances: Tolerances,
    names: Sequence[str] | None = None,
    *,
    boards: int = 2000,
    verified: int = 20_000,
    seed: int = 0,
) -> Centred:
    """Move nominal values so that more boards pass; the circuit itself is left as it is.

    The yield of drawn boards has no slope: it counts. With the margin of a board, the least distance to any of its
    limits (of the logarithm for a magnitude), the count becomes

        mean over boards of σ(margin / width),

    which autograd differentiates by the logarithm of each nominal value, the deviations being held (common random
    numbers). The width shrinks stage by stage, so that the end is the yield itself. Best of all steps is the one with
    the highest true count; before and after are then counted anew on other boards.

    Args:
        circuit, specification, tolerances: as for `estimate_yield`.
        names: positive components to move; where None those that learn, or if none does the resistors with a tolerance,
            or if there is none whatever has a tolerance.
        boards: for the search.
        verified: boards for the yields before and after.
        seed: of the search; the verification takes the next one.

    Raises:
        UnknownName: a name of no component. OptionError: a component that is not positive.

    >>> from circuits.filters import LowPass
    >>> dark = Specification([1000.0, 3000.0], "magnitude", [0.70, 0.0], [1.0, 0.40])
    >>> found = centre(LowPass(R=120.0), dark, Tolerances({"R": 0.05, "C": 0.10}))
    >>> found.before.share < 0.6 and found.after.share > 0.75
    True

    References: S. W. Director and G. D. Hachtel, The simplicial approximation approach to design centering, IEEE
    Trans. Circuits Syst. CAS-24 (1977) 363-372, for the problem; L. J. Hong and G. Liu, Monte Carlo estimation of
    the sensitivity of a probability, Oper. Res. 58 (2010) 1632-1644, for the smoothed indicator.
    """
    checks, nominal = checks_of(circuit, specification), checked(circuit, tolerances)
    moved = _moved(circuit, tolerances, names)
    search = _Search(circuit, checks, tolerances, nominal, moved, tolerances.deviations(boards, seed).add_(1))
    start, best, trace = search.start(), search.start(), []
    best_share = search.share(start)
    for shift in search.steps():
        share = search.share(shift)
        trace.append(share)
        if share > best_share:
            best, best_share = shift, share
    before, after = (
        _counted(circuit, specification, tolerances, search.held(shift), verified, seed + 1) for shift in (start, best)
    )
    if after.share < before.share:
        best, after = start, before
    return Centred(search.held(best), before, after, tuple(trace))


def margins(check: Check, prediction: Tensor) -> Tensor:
    """Least distance of each board to any limit of a check, `(boards,)`: negative where it is broken.

    Of a magnitude in ln, of anything else in its own unit.

    >>> limits = torch.tensor([0.5, 0.5]), torch.tensor([1.0, 2.0])
    >>> from circuits.filters import LowPass
    >>> check = Check(LowPass(R=1.0), "", torch.tensor([1.0, 2.0]), "phase", *limits)
    >>> margins(check, torch.tensor([[0.75, 1.9], [0.75, 2.5]]))
    tensor([ 0.1000, -0.5000])
    """
    is_ratio = check.quantity == "magnitude"
    y = prediction.clamp_min(1e-300).log() if is_ratio else prediction
    sides = []
    for limit, sign in ((check.lower, 1.0), (check.upper, -1.0)):
        counts = limit.isfinite() & (limit > 0) if is_ratio else limit.isfinite()
        bound = limit[counts].log() if is_ratio else limit[counts]
        sides.append(sign * (y[..., counts] - bound))
    return torch.cat(sides, -1).amin(-1)


@dataclass(frozen=True, eq=False)
class _Search:
    """Boards held by their factors `(boards, p)`, and nominal values that move by `shift` `(q,)` in ln."""

    circuit: Circuit
    checks: Sequence[Check]
    tolerances: Tolerances
    nominal: Tensor
    moved: Mapping[str, Tensor]
    factors: Tensor

    def start(self) -> Tensor:
        return torch.zeros(len(self.moved), dtype=torch.float64)

    def held(self, shift: Tensor) -> dict[str, float]:
        values = [value * shift[i].exp() for i, value in enumerate(self.moved.values())]
        return {name: float(value) for name, value in zip(self.moved, values, strict=True)}

    def boards(self, shift: Tensor, factors: Tensor) -> tuple[tuple[str, ...], Tensor]:
        """Names and values of the boards, with the graph of the shift: parts that scatter, and parts that only move."""
        scattered = self.tolerances.names
        names = (*scattered, *(name for name in self.moved if name not in scattered))
        place = {name: i for i, name in enumerate(self.moved)}
        columns = []
        for name in names:
            i = scattered.index(name) if name in scattered else None
            base = self.moved[name] if i is None else self.nominal[i] * factors[:, i]
            columns.append((base * shift[place[name]].exp() if name in place else base).expand(len(factors)))
        return names, torch.stack(columns, -1)

    def blocks(self) -> Iterator[Tensor]:
        return iter(self.factors.split(block_size(numbers_of(self.checks))))

    def share(self, shift: Tensor) -> float:
        passed = sum(
            int(judged(self.circuit, *self.boards(shift, block), self.checks).sum()) for block in self.blocks()
        )
        return passed / len(self.factors)

    def margin(self, shift: Tensor, factors: Tensor) -> Tensor:
        with made_of(self.circuit, *self.boards(shift, factors)):
            least = [margins(c, c.part.predict(c.f, c.quantity)) for c in self.checks]
        return torch.stack(least, -1).amin(-1)

    def slope(self, shift: Tensor, width: float) -> Tensor:
        """Gradient of the smoothed yield."""
        leaf = shift.clone().requires_grad_()
        total = torch.zeros_like(shift)
        for block in self.blocks():
            with torch.enable_grad():
                soft = torch.sigmoid(self.margin(leaf, block) / width).sum()
            total += torch.autograd.grad(soft, leaf)[0]
        return total / len(self.factors)

    def steps(self) -> Iterator[Tensor]:
        """Where Adam goes, stage by stage; a step is a share of the tolerance, and shorter in every stage."""
        with torch.no_grad():
            first = torch.cat([self.margin(self.start(), block) for block in self.blocks()])
        scatter = float(first.std(correction=0) + first.median().abs()) or 1.0
        shift, rate = self.start(), RATE * float(self.tolerances.scales.max())
        for stage in STAGES:
            first_moment, second_moment = torch.zeros_like(shift), torch.zeros_like(shift)
            for step in range(1, STEPS + 1):
                slope = self.slope(shift, stage * scatter)
                first_moment = 0.9 * first_moment + 0.1 * slope
                second_moment = 0.99 * second_moment + 0.01 * slope.square()
                mean = first_moment / (1 - 0.9**step)
                size = (second_moment / (1 - 0.99**step)).sqrt()
                largest = size.max().clamp_min(1e-300)  # one length for all parts: those that matter little move little
                shift = (shift + rate * mean / largest).clamp(-LONGEST, LONGEST)
                yield shift
            rate *= 0.5


def _moved(circuit: Circuit, tolerances: Tolerances, names: Sequence[str] | None) -> dict[str, Tensor]:
    """The nominal values that may move, by name."""
    parts, kinds = dict(circuit.named_parameters(remove_duplicate=False)), circuit.kinds()
    learned = [name for name, part in parts.items() if part.requires_grad]
    resistors = [name for name in tolerances.names if name in kinds and kinds[name].unit == "Ω"]
    chosen = list(names) if names is not None else learned or resistors or list(tolerances.names)
    for name in chosen:
        if name not in parts:
            raise UnknownName("component", name, parts)
        if not float(parts[name].detach()) > 0 or not kinds[name].positive:
            raise OptionError(f"{name} may be negative; centring moves positive values, such as resistors")
    return {name: parts[name].detach().double() for name in chosen}


def _counted(
    circuit: Circuit,
    specification: Specification,
    tolerances: Tolerances,
    values: Mapping[str, float],
    boards: int,
    seed: int,
) -> Yield:
    nominal = torch.tensor(list(values.values()), dtype=torch.float64)
    with made_of(circuit, list(values), nominal):
        return estimate_yield(circuit, specification, tolerances, boards=boards, seed=seed)
