"""The stock filters: `LowPass`, `HighPass`, `BandPass` and `LoadedBandPass`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import ClassVar

import torch
from torch import Tensor, nn

from circuits import functional
from circuits.circuit import Circuit, Slopes
from circuits.component import FARAD, OHM, Value

_DECIBELS = 20 / math.log(10)


# quantities with a closed-form slope; the fit calls these in its innermost loop, where eager torch costs 1–3
# µs an operation, so they are written in as few as keep all digits
_LINEARIZED = ("magnitude", "led", "decibels")


def _relative(f: Tensor, R: Tensor, C: Tensor) -> Tensor:
    """Relative frequency x = 2πfRC, held within the range in which x² is a normal number."""
    x = f * (R * C * (2 * math.pi))
    return x.clamp_(*_bounds(x.dtype))


@cache
def _bounds(dtype: torch.dtype) -> tuple[float, float]:
    return 2 * torch.finfo(dtype).tiny ** 0.5, 0.5 * torch.finfo(dtype).max ** 0.5


def _low(f: Tensor, R: Tensor, C: Tensor, quantity: str) -> tuple[Tensor, Tensor]:
    """A low-pass and its derivative by ln R: dm/d ln x = −x²m³, in decibels −(20/ln 10) x²m²."""
    x = _relative(f, R, C)
    square = x.mul_(x)
    power = square + 1
    if quantity == "decibels":
        return torch.log1p(square).mul_(-0.5 * _DECIBELS), square.div_(power).mul_(-_DECIBELS)
    magnitude = power.rsqrt()
    return magnitude, square.mul_(magnitude).div_(power).neg_()


def _high(f: Tensor, R: Tensor, C: Tensor, quantity: str) -> tuple[Tensor, Tensor]:
    """A high-pass and its derivative by ln R: dh/d ln x = hm², in decibels (20/ln 10) m²."""
    x = _relative(f, R, C)
    square = x * x
    power = square + 1
    if quantity == "decibels":
        return torch.log1p(square.reciprocal_()).mul_(-0.5 * _DECIBELS), power.reciprocal_().mul_(_DECIBELS)
    magnitude = x.mul_(power.rsqrt())
    return magnitude, magnitude / power


def _corner(time_constant: Tensor) -> Tensor:
    return 1 / (2 * math.pi * time_constant)


def _formulas(name: str) -> dict:
    """The functions of `functional` for one filter, by quantity."""
    views = {q: getattr(functional, f"{name}_{q}") for q in ("magnitude", "decibels", "phase", "group_delay")}
    return {"response": getattr(functional, name), **views}


class _FirstOrder(Circuit):
    """One resistor and one capacitor, which count only by their product."""

    R: nn.Parameter
    C: nn.Parameter
    components = {"R": OHM, "C": FARAD}
    _closed: ClassVar[Callable[..., tuple[Tensor, Tensor]]]

    def __init__(
        self,
        R: Value = None,
        C: Value = 1e-6,
        *,
        batch: int | Sequence[int] = (),
        seed: int | torch.Generator = 0,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__({"R": R, "C": C}, batch=batch, seed=seed, dtype=dtype, device=device)

    def cutoffs(self) -> dict[str, Tensor]:
        """The −3 dB corner 1/(2πRC) in hertz, under the name `cutoff`."""
        return {"cutoff": _corner(self.R * self.C)}

    def has_slopes(self, quantity: str) -> bool:
        """Whether `linearize` has a closed form for this quantity."""
        return quantity in _LINEARIZED

    def _slopes(self, f: Tensor, quantity: str) -> tuple[Tensor, Slopes]:
        prediction, slope = self._closed(f, *self._boards(f), quantity)
        return prediction, {"R": slope, "C": slope}


class LowPass(_FirstOrder):
    """First-order RC low-pass: `functional.low_pass`.

    Args:
        R: ohms, `(*batch)`; drawn from 1 Ω–100 kΩ if left out.
        C: farads, `(*batch)`; held fixed in a fit unless `circuit.C.requires_grad_()`.
        batch: shape of the boards, if not that of the values.
        seed: a number or a `torch.Generator`, for what is drawn.
        dtype, device: as in torch; float64 by default.

    Raises:
        ComponentError, ShapeError: values that no part can have, shapes that do not broadcast.

    >>> circuit = LowPass(R="1k", C="1u")
    >>> circuit(159.155).item()
    0.707106...
    >>> round(circuit.cutoffs()["cutoff"].item(), 3)
    159.155
    """

    formulas = _formulas("low_pass")
    _closed = staticmethod(_low)


class HighPass(_FirstOrder):
    """First-order RC high-pass: `functional.high_pass`. Arguments as for `LowPass`.

    >>> HighPass(R=1000.0, C=1e-6)(159.155).item()
    0.707106...
    """

    formulas = _formulas("high_pass")
    _closed = staticmethod(_high)


class BandPass(Circuit):
    """Low-pass and high-pass section with an ideal buffer between them: `functional.band_pass`.

    Args:
        R_low, C_low: ohms and farads of the low-pass section, which sets the upper corner.
        R_high, C_high: ohms and farads of the high-pass section, which sets the lower corner.
        batch, seed, dtype, device: as for `LowPass`.

    >>> circuit = BandPass(R_low=39.789, R_high=159.155)
    >>> {name: round(f.item()) for name, f in circuit.cutoffs().items()}
    {'low_pass': 4000, 'high_pass': 1000}
    """

    R_low: nn.Parameter
    R_high: nn.Parameter
    C_low: nn.Parameter
    C_high: nn.Parameter
    components = {"R_low": OHM, "R_high": OHM, "C_low": FARAD, "C_high": FARAD}
    formulas = _formulas("band_pass")

    def __init__(
        self,
        R_low: Value = None,
        R_high: Value = None,
        C_low: Value = 1e-6,
        C_high: Value = 1e-6,
        *,
        batch: int | Sequence[int] = (),
        seed: int | torch.Generator = 0,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        values = {"R_low": R_low, "R_high": R_high, "C_low": C_low, "C_high": C_high}
        super().__init__(values, batch=batch, seed=seed, dtype=dtype, device=device)

    def cutoffs(self) -> dict[str, Tensor]:
        """Corners of the sections in hertz: `low_pass` is the upper edge of the band."""
        return {"low_pass": _corner(self.R_low * self.C_low), "high_pass": _corner(self.R_high * self.C_high)}

    def has_slopes(self, quantity: str) -> bool:
        """Whether `linearize` has a closed form for this quantity."""
        return quantity in _LINEARIZED

    def _slopes(self, f: Tensor, quantity: str) -> tuple[Tensor, Slopes]:
        R_low, R_high, C_low, C_high = self._boards(f)
        low, slope_low = _low(f, R_low, C_low, quantity)
        high, slope_high = _high(f, R_high, C_high, quantity)
        if quantity == "decibels":
            prediction = low + high
            slope_low, slope_high = slope_low.expand_as(prediction), slope_high.expand_as(prediction)
        else:
            prediction, slope_low, slope_high = low * high, slope_low * high, low * slope_high
        return prediction, {
            "R_low": slope_low,
            "C_low": slope_low,
            "R_high": slope_high,
            "C_high": slope_high,
        }


class LoadedBandPass(BandPass):
    """Low-pass section loaded by the high-pass section after it, no buffer: `functional.band_pass_loaded`.

    Arguments as for `BandPass`.

    >>> circuit = LoadedBandPass(R_low=39.789, R_high=159.155)
    >>> {name: round(f.item()) for name, f in circuit.cutoffs().items()}
    {'low_pass': 5236, 'high_pass': 764}
    """

    formulas = _formulas("band_pass_loaded")

    def cutoffs(self) -> dict[str, Tensor]:
        """Corners of the two poles in hertz: loading pushes them apart."""
        stretch = 1 + functional.loading(self.R_low, self.R_high, self.C_low, self.C_high)
        corners = super().cutoffs()
        return {"low_pass": corners["low_pass"] * stretch, "high_pass": corners["high_pass"] / stretch}

    def has_slopes(self, quantity: str) -> bool:
        """Never: every component moves both poles, which is left to autograd."""
        return False
