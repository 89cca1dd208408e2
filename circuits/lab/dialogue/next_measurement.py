"""`next_frequencies`: where to measure next, and what to expect there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from circuits import notation
from circuits.circuit import Circuit
from circuits.data import Measurements
from circuits.data.checks import frequencies
from circuits.errors import OptionError, UnknownName
from circuits.fitting.identifiability import Identifiability
from circuits.fitting.result import Fit
from circuits.lab.dialogue.alternatives import other_measurements
from circuits.lab.dialogue.information import learned_names, sensitivity, verdict

CRITERIA = ("D", "c")
NOTHING = 1e3
"""The relative σ of a component of which nothing is known."""

UNKNOWN = 10.0
"""A relative σ above this is no knowledge: it is reported as infinite."""

TYPICAL = {"magnitude": 0.01, "response": 0.01, "decibels": 0.1, "phase": 1.0}
"""σ of a reading where nothing is said, in its unit."""


@dataclass(frozen=True)
class Advice:
    """Where to measure next.

    Attributes:
        f: the k frequencies in hertz, the most telling first.
        quantity: what to read there; `outputs` its k outputs, one of no name for a single one.
        expected: the predicted readings, `(k, outputs)`; `spread` is one standard deviation of each, that of the
            prediction before the first of these measurements and of the reading together.
        before, after: relative σ of each component, by dotted name, now and once all k are measured; infinite where it
            is not determined on its own (for what may be negative, σ itself).
        verdict: what all tones of the grid together could determine.
        others: sentences on which other kind of measurement would tell what these cannot.
    """

    f: tuple[float, ...]
    quantity: str
    outputs: tuple[str, ...]
    expected: Tensor
    spread: Tensor
    before: dict[str, float]
    after: dict[str, float]
    verdict: Identifiability
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        unit = {"decibels": "dB", "phase": "°"}.get(self.quantity, "")
        lines = []
        for f, row, spread in zip(self.f, self.expected.tolist(), self.spread.tolist(), strict=True):
            said = [
                f"{name} {_number(value)}{'' if math.isinf(one) else f' ± {one:.2g}'} {unit}".strip()
                for name, value, one in zip(self.outputs, row, spread, strict=True)
            ]
            lines.append(f"measure the {self.quantity} at {notation.format(f, 'Hz')}; expected: {', '.join(said)}")
        lines += [f"  {name}: {_share(self.before[name])} → {_share(self.after[name])}" for name in self.before]
        if not self.verdict.complete:
            lines += [f"by this kind of measurement {self.verdict}", *(f"  {one}" for one in self.others)]
        return "\n".join(lines)


def next_frequencies(
    subject: Fit | Circuit,
    grid: Any,
    k: int = 1,
    criterion: str = "D",
    component: str | Mapping[str, float] | None = None,
    sigma: float | None = None,
    quantity: str | None = None,
) -> Advice:
    r"""The frequency of a grid that tells most, or the next k of them, one after the other.

    With M the Fisher information of what is known and rows J of a reading at f (`sensitivity`), each next frequency is

        D:  argmax ln det(M + JᵀJ),      c:  argmin cᵀ(M + JᵀJ)⁻¹c

    Args:
        subject: a fit of one board, whose data count as measured, or a circuit of which nothing was measured yet.
        grid: hertz among which to choose, `(n,)`; one may be chosen more than once.
        k: how many, at least 1.
        criterion: "D", all learned components alike, or "c", one of them.
        component: for "c", a dotted name, or exponents by name for a product such as {"R": 1, "C": 1}.
        sigma: one standard deviation of a reading; by default that of the fit's data, or 0.01, 0.1 dB, 1°.
        quantity: "magnitude", "decibels", "phase" or "response"; by default that of the fit's data, or magnitude.

    Raises:
        OptionError: a criterion or a k that cannot be followed. UnknownName: a component or a quantity that is not
            there. FrequencyError: a grid that is none. ShapeError: a batch of boards.

    Reference: V. V. Fedorov, Theory of Optimal Experiments (1972), chapters 2 and 3.

    >>> from circuits.filters import LowPass
    >>> advice = next_frequencies(LowPass(R=100.0), torch.logspace(2, 5, 301, dtype=torch.float64), sigma=0.01)
    >>> round(advice.f[0]), round(advice.after["R"], 4)  # √2 times the corner; σ·√27/2
    (2239, 0.026)
    """
    circuit = subject.circuit if isinstance(subject, Fit) else subject
    if not isinstance(circuit, Circuit):
        raise OptionError(f"{type(circuit).__name__} is no circuit; advice needs one, or the fit of one")
    names = learned_names(circuit)
    c = _wanted(criterion, component, names)
    quantity, sigma = _reading(subject, circuit, quantity, sigma)
    if not isinstance(k, int) or k < 1:
        raise OptionError(f"k={k!r}; expected a whole number of at least 1")
    grid = frequencies(grid, torch.device("cpu")).to(torch.float64)
    prediction, rows = sensitivity(circuit, grid, quantity, names, sigma)
    known = _known(subject, circuit, names)
    prior = known + torch.eye(len(names), dtype=rows.dtype) / NOTHING**2
    chosen, after = _greedy(rows, torch.linalg.inv(prior), k, c)
    everything = known + torch.einsum("nki,nkj->ij", rows, rows)
    at = torch.tensor(chosen)
    return Advice(
        tuple(grid[at].tolist()),
        quantity,
        circuit.outputs or ("",),
        prediction[:, at].T,
        _spread(rows[at, : prediction.shape[0]], torch.linalg.inv(prior), sigma),
        _errors(names, torch.linalg.inv(prior)),
        _errors(names, after),
        verdict(circuit, names, everything),
        other_measurements(circuit, grid, quantity, known),
    )


def _greedy(rows: Tensor, covariance: Tensor, k: int, c: Tensor | None) -> tuple[list[int], Tensor]:
    """The next k tones, and the covariance after them."""
    chosen, eye = [], torch.eye(rows.shape[1], dtype=rows.dtype)
    for _ in range(k):
        moved = rows @ covariance
        own = eye + moved @ rows.mT
        if c is None:
            gain = torch.linalg.slogdet(own)[1]
        else:
            pull = moved @ c
            gain = (pull * torch.linalg.solve(own, pull)).sum(-1)
        best = int(gain.argmax())
        chosen.append(best)
        covariance = covariance - moved[best].T @ torch.linalg.solve(own[best], moved[best])
        covariance = 0.5 * (covariance + covariance.T)
    return chosen, covariance


def _spread(rows: Tensor, covariance: Tensor, sigma: float) -> Tensor:
    """σ of each prediction and its reading together, `(k, outputs)`; infinite where nothing is known."""
    own = ((rows @ covariance) * rows).sum(-1)
    blind = own > (UNKNOWN * rows).square().sum(-1)
    return torch.where(blind, math.inf, sigma * (1 + own).sqrt())


def _known(subject: Fit | Circuit, circuit: Circuit, names: tuple[str, ...]) -> Tensor:
    """Fisher information of what was measured, in relative changes, `(p, p)`."""
    nothing = torch.zeros(len(names), len(names), dtype=torch.float64)
    if not isinstance(subject, Fit) or not isinstance(subject.data, Measurements):
        return nothing
    if subject.data.quantity == "led":
        return _known_from_leds(subject, names)
    spread = _noise(subject, circuit)
    _, rows = sensitivity(circuit, subject.data.f, subject.data.quantity, names)
    present = ~subject.data.values.reshape(-1, len(subject.data)).T.isnan()
    weights = present.to(rows.dtype) / torch.as_tensor(spread, dtype=rows.dtype)
    weights = weights.repeat(1, rows.shape[1] // weights.shape[1]).unsqueeze(-1)
    return torch.einsum("nki,nkj->ij", rows * weights, rows * weights)


def _known_from_leds(subject: Fit, names: tuple[str, ...]) -> Tensor:
    """LEDs that are all explained leave an interval: that of a uniform value, width/√12."""
    weights = []
    for name in names:
        ends = (subject.intervals or {}).get(name)
        value = subject.values[name]
        width = math.inf if ends is None else float((ends[1] - ends[0]) / value)
        weights.append(12 / width**2 if 0 < width < math.inf else 0.0)
    return torch.diag(torch.tensor(weights, dtype=torch.float64))


def _noise(subject: Fit, circuit: Circuit) -> Any:
    """σ of the fit's data `(n, k)` or one for all: as they say, or from the residuals."""
    data = subject.data
    if data.sigma is not None:
        return torch.broadcast_to(data.sigma, data.values.shape).reshape(-1, len(data)).T
    with torch.no_grad():
        off = data.values - circuit.predict(data.f, data.quantity)
    off = off[~off.isnan()]
    numbers = off.numel() * (2 if off.is_complex() else 1)
    spread = math.sqrt(float(off.abs().square().sum()) / max(numbers - len(subject.names), 1))
    return max(spread, 1e-12)


def _reading(subject: Fit | Circuit, circuit: Circuit, quantity: str | None, sigma: float | None) -> tuple[str, float]:
    """What is read next, and how well."""
    fitted = subject if isinstance(subject, Fit) and isinstance(subject.data, Measurements) else None
    data = None if fitted is None else fitted.data
    own = "magnitude" if data is None or data.quantity == "led" else data.quantity
    quantity = own if quantity is None else quantity
    if quantity not in TYPICAL:
        raise UnknownName("quantity to read", quantity, TYPICAL)
    if sigma is None and fitted is not None and fitted.data.quantity == quantity:
        spread = _noise(fitted, circuit)
        sigma = float(spread.median()) if isinstance(spread, Tensor) else spread
    sigma = TYPICAL[quantity] if sigma is None else float(sigma)
    if not 0 < sigma < math.inf:
        raise OptionError(f"sigma={sigma}; expected a finite standard deviation above 0")
    return quantity, sigma


def _wanted(criterion: str, component: Any, names: tuple[str, ...]) -> Tensor | None:
    """The combination c, or None for D."""
    if criterion not in CRITERIA:
        raise UnknownName("criterion", criterion, CRITERIA)
    if criterion == "D":
        if component is not None:
            raise OptionError("component= is for criterion='c'; D treats all components alike")
        return None
    if component is None:
        raise OptionError("criterion='c' wants to know which component; give component='R'")
    exponents = {component: 1.0} if isinstance(component, str) else dict(component)
    for name in exponents:
        if name not in names:
            raise UnknownName("learned component", name, names)
    return torch.tensor([float(exponents.get(name, 0.0)) for name in names], dtype=torch.float64)


def _errors(names: tuple[str, ...], covariance: Tensor) -> dict[str, float]:
    found = covariance.diagonal().clamp_min(0).sqrt().tolist()
    return {name: one if one < UNKNOWN else math.inf for name, one in zip(names, found, strict=True)}


def _number(value: Any) -> str:
    return f"{value:.3g}"


def _share(value: float) -> str:
    return "not known" if math.isinf(value) else f"±{100 * value:.2g} %"
