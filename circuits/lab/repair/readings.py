"""What was measured, as a likelihood: readings with Gaussian noise, or LEDs behind a comparator."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.data import Measurements
from circuits.errors import OptionError, ShapeError, UnknownName

THRESHOLD = 1 / math.sqrt(2)
"""Magnitude above which an LED is lit."""

GLITCH = 1e-3
"""Probability that an LED is not as the comparator has it, whatever the magnitude: a typing mistake."""

_DECIBEL = 20 / math.log(10)
_FIRST_GUESS = {"decibels": 0.1, "phase": 1.0}  # of an unknown noise; of the others 1 % of what the circuit gives
_POINTS_OF_GUESS = 2.0  # how many readings the first guess of the noise is worth


@dataclass(frozen=True, eq=False)
class Noisy:
    """m readings with Gaussian noise, missing ones left out; a complex one is two.

    Args:
        quantity: as in `Measurements`.
        kept: indices of what is there, among the points of all outputs.
        outputs: indices of the circuit's outputs that were measured, or None for the one there is.
        target: `(m,)`.
        sigma: `(m,)`, one standard deviation.
        floor: magnitude below which the instrument reads nothing but its own noise, for decibels.
    """

    quantity: str
    kept: Tensor
    outputs: Tensor | None
    target: Tensor
    sigma: Tensor
    floor: float

    def flat(self, prediction: Tensor, jacobian: Tensor) -> tuple[Tensor, Tensor]:
        """Prediction `(b, m)` and Jacobian `(b, p, m)` of what was measured."""
        prediction, jacobian = _picked(prediction, jacobian, self.outputs, self.kept)
        if self.quantity == "decibels":
            power = torch.pow(10, prediction / 10)
            share = power / (power + self.floor**2)
            jacobian = torch.where(share.unsqueeze(-2) > 0, jacobian * share.unsqueeze(-2), 0.0)
            prediction = 10 * torch.log10(power + self.floor**2)
        return _real(prediction), _real(jacobian)

    def compare(self, prediction: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """½χ², its slope and its curvature."""
        scaled = self.residuals(prediction) / self.sigma
        weight = (1 / self.sigma).square()
        return 0.5 * scaled.square().sum(-1), scaled / self.sigma, weight.expand_as(prediction)

    def residuals(self, prediction: Tensor) -> Tensor:
        """Prediction less reading; of phases by the shorter way round."""
        apart = prediction - self.target
        return torch.remainder(apart + 180, 360) - 180 if self.quantity == "phase" else apart

    def with_noise(self, ratio: float) -> Noisy:
        """The same with a noise that many times as large."""
        return replace(self, sigma=self.sigma * ratio)


@dataclass(frozen=True, eq=False)
class Leds:
    r"""m LEDs: P(lit) = ε + (1 − 2ε) σ(ln(|H|/threshold) / band), with the logistic σ, as `losses.LogisticLed` has it.

    Args:
        kept, outputs: as in `Noisy`.
        target: `(m,)`, 1 lit and 0 dark.
        band: how far from the threshold, in ln|H|, there is doubt.
    """

    kept: Tensor
    outputs: Tensor | None
    target: Tensor
    band: float

    def flat(self, prediction: Tensor, jacobian: Tensor) -> tuple[Tensor, Tensor]:
        """ln(|H|/threshold) `(b, m)` and its Jacobian `(b, p, m)`."""
        prediction, jacobian = _picked(prediction, jacobian, self.outputs, self.kept)
        level = prediction.clamp_min(1e-12)
        return level.log() - math.log(THRESHOLD), jacobian / level.unsqueeze(-2)

    def compare(self, prediction: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """−ln P of what was seen, its slope and the Fisher information."""
        s = torch.sigmoid(prediction / self.band)
        lit = GLITCH + (1 - 2 * GLITCH) * s
        rise = (1 - 2 * GLITCH) * s * (1 - s) / self.band
        variance = lit * (1 - lit)
        misfit = -torch.where(self.target > 0.5, lit, 1 - lit).log().sum(-1)
        return misfit, rise * (lit - self.target) / variance, rise.square() / variance

    def wrong(self, prediction: Tensor) -> Tensor:
        """How many LEDs are not as they were seen, `(b,)`."""
        return ((prediction > 0) != (self.target > 0.5)).sum(-1)

    def blurred(self, times: float) -> Leds:
        """The same with a wider band of doubt."""
        return replace(self, band=self.band * times)


def readings_of(circuit: Circuit, data: Measurements, *, band: float = 0.02, floor: float = 1e-4) -> Noisy | Leds:
    """What was measured, beside what a circuit predicts; an unknown noise starts from a guess.

    Raises:
        ShapeError: a batch of boards, or outputs that the circuit has not. UnknownName: an output by a wrong name.
        OptionError: a band or a floor that is not above zero.
    """
    if data.batch_shape.numel() != 1 or data.f.ndim != 1:
        raise ShapeError(f"measurements of {tuple(data.batch_shape)} boards; expected those of a single one")
    if not (0 < band < math.inf and 0 < floor < math.inf):
        raise OptionError(f"band={band}, floor={floor}; expected both above zero")
    outputs, values = _outputs(circuit, data), data.values.cpu()
    values = values.reshape(-1)
    kept = (~values.isnan()).nonzero().squeeze(-1)
    if data.quantity == "led":
        return Leds(kept, outputs, values[kept].double(), band)
    sigma = _sigma(circuit, data, outputs, kept)
    target = values[kept].to(torch.complex128 if values.is_complex() else torch.float64)
    if data.quantity == "decibels":  # what is near the floor is known the less
        sigma = torch.hypot(sigma, _DECIBEL * (floor / torch.pow(10, target / 20)).clamp_max(1.0))
    if target.is_complex():
        sigma = torch.cat([sigma, sigma])
    return Noisy(data.quantity, kept, outputs, _real(target), sigma, floor)


def noise_from(readings: Noisy, prediction: Tensor, free: int) -> float:
    """How many times its first guess the noise is, from the residuals of the best board.

    The guess counts as two readings, so that a handful of readings do not make a noise of nothing.
    """
    scaled = (readings.residuals(prediction) / readings.sigma).square().sum(-1).min()
    left = max(len(readings.target) - free, 0) + _POINTS_OF_GUESS
    return math.sqrt((float(scaled) + _POINTS_OF_GUESS) / left)


def _outputs(circuit: Circuit, data: Measurements) -> Tensor | None:
    """Which of the circuit's outputs were measured."""
    if not circuit.outputs:
        if len(data.outputs) > 1:
            listed = ", ".join(data.outputs)
            raise ShapeError(
                f"outputs {listed} of a circuit that has one; choose with data.select('{data.outputs[0]}')"
            )
        return None
    if not data.outputs:
        listed = ", ".join(circuit.outputs)
        raise ShapeError(f"measurements of one unnamed output; expected names out of {listed}: Measurements(outputs=…)")
    for name in data.outputs:
        if name not in circuit.outputs:
            raise UnknownName("output", name, circuit.outputs)
    return torch.tensor([circuit.outputs.index(name) for name in data.outputs])


def _sigma(circuit: Circuit, data: Measurements, outputs: Tensor | None, kept: Tensor) -> Tensor:
    """What is stated, or a guess to start from."""
    if data.sigma is not None:
        return data.sigma.cpu().double().expand(data.values.shape).reshape(-1)[kept]
    guess = _FIRST_GUESS.get(data.quantity)
    if guess is None:
        with torch.no_grad():
            typical = circuit.predict(data.f, data.quantity).detach().cpu().abs().double().square().mean().sqrt()
        guess = 0.01 * max(float(typical), 1e-12)
    return torch.full((len(kept),), guess, dtype=torch.float64)


def _picked(prediction: Tensor, jacobian: Tensor, outputs: Tensor | None, kept: Tensor) -> tuple[Tensor, Tensor]:
    if outputs is not None:
        prediction, jacobian = prediction[:, outputs], jacobian[:, :, outputs]
    return prediction.flatten(1)[:, kept], jacobian.flatten(2)[:, :, kept]


def _real(values: Tensor) -> Tensor:
    """Real parts, then imaginary parts."""
    return torch.cat([values.real, values.imag], -1) if values.is_complex() else values.double()
