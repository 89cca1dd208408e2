"""Straight-line Bode plots as circuits: `Bode`, with any number of corners, and `BodeBandPass`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from circuits import functional
from circuits.circuit import QUANTITIES, Circuit, Slopes
from circuits.component import HERTZ, RATIO, Value
from circuits.errors import ComponentError, UnknownName

_DECIBELS = 20 / math.log(10)
_PLOTS = {
    "response": functional.bode,
    "magnitude": functional.bode_magnitude,
    "decibels": functional.bode_decibels,
    "phase": functional.bode_phase,
    "group_delay": functional.bode_group_delay,
}


def _plot(quantity: str):
    if quantity not in _PLOTS:
        raise UnknownName("quantity", quantity, QUANTITIES)
    return _PLOTS[quantity]


class Bode(Circuit):
    """A straight-line Bode plot, a one-layer ReLU network in log-frequency: `functional.bode_decibels`.

    Every corner is a parameter of its own, in hertz: `pole_1`, `pole_2`, …, `zero_1`, …, `high_pass_1`, ….

    Args:
        gain: gain of the flat part, a ratio.
        poles, zeros: corners above which the level falls, or rises, by 20 dB a decade; None among them is
            drawn from
            1 Hz–1 MHz.
        high_pass: corners below which the level falls by 20 dB a decade.
        batch, seed, dtype, device: as for `LowPass`.

    >>> circuit = Bode(gain=10.0, poles=["1k", 50e3])
    >>> circuit.decibels([10.0, 10e3, 500e3]).tolist()
    [20.0, 0.0, -53.97...]
    >>> list(circuit.cutoffs())
    ['pole_1', 'pole_2']
    """

    def __init__(
        self,
        gain: Value = 1.0,
        poles: Sequence[Value] = (),
        zeros: Sequence[Value] = (),
        high_pass: Sequence[Value] = (),
        *,
        batch: int | Sequence[int] = (),
        seed: int | torch.Generator = 0,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        corners = _numbered({"pole": poles, "zero": zeros, "high_pass": high_pass})
        components = {"gain": RATIO, **dict.fromkeys(corners, HERTZ)}
        super().__init__(
            {"gain": gain, **corners},
            components=components,
            batch=batch,
            seed=seed,
            dtype=dtype,
            device=device,
        )

    def cutoffs(self) -> dict[str, Tensor]:
        """Every corner in hertz, under its own name."""
        return {name: getattr(self, name) for name in self.components if name != "gain"}

    def _evaluate(self, f: Tensor, quantity: str) -> Tensor:
        values = dict(zip(self.components, self._boards(f), strict=True))
        kinds = ([value for name, value in values.items() if name.startswith(kind)] for kind in _KINDS)
        return _plot(quantity)(f, values["gain"], *kinds)


_KINDS = ("pole_", "zero_", "high_pass_")


def _numbered(kinds: Mapping[str, Sequence[Value]]) -> dict[str, Value]:
    """Corners by name: the first pole is `pole_1`."""
    for kind, corners in kinds.items():
        if (
            isinstance(corners, (str, int, float))
            or corners is None
            or (isinstance(corners, Tensor) and not corners.ndim)
        ):
            raise ComponentError(f"{kind} corners given as {corners!r}; expected a list of them, such as [1000.0]")
    return {f"{kind}_{i}": corner for kind, corners in kinds.items() for i, corner in enumerate(corners, 1)}


class BodeBandPass(Circuit):
    """The Bode plot of a band-pass: −20 relu(log₁₀(f/f_low)) − 20 relu(log₁₀(f_high/f)) decibels.

    Args:
        f_low: corner in hertz of the low-pass part, the upper edge of the band; drawn from 1 Hz–1 MHz if left
            out. f_high: corner in hertz of the high-pass part, the lower edge. batch, seed, dtype, device: as
            for `LowPass`.

    >>> BodeBandPass(f_low=4000.0, f_high=1000.0).decibels([100.0, 2000.0, 40e3]).tolist()
    [-20.0, 0.0, -20.0]
    """

    f_low: nn.Parameter
    f_high: nn.Parameter
    components = {"f_low": HERTZ, "f_high": HERTZ}

    def __init__(
        self,
        f_low: Value = None,
        f_high: Value = None,
        *,
        batch: int | Sequence[int] = (),
        seed: int | torch.Generator = 0,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__({"f_low": f_low, "f_high": f_high}, batch=batch, seed=seed, dtype=dtype, device=device)

    def cutoffs(self) -> dict[str, Tensor]:
        """Corners of the two parts in hertz, named as those of `BandPass`."""
        return {"low_pass": self.f_low, "high_pass": self.f_high}

    def _evaluate(self, f: Tensor, quantity: str) -> Tensor:
        f_low, f_high = self._boards(f)
        return _plot(quantity)(f, 1.0, (f_low,), (), (f_high,))

    def has_slopes(self, quantity: str) -> bool:
        """Whether `linearize` has a closed form for this quantity."""
        return quantity == "decibels"

    def _slopes(self, f: Tensor, quantity: str) -> tuple[Tensor, Slopes]:
        level = self._evaluate(f, quantity)
        f_low, f_high = self._boards(f)
        above, below = (f > f_low).to(level), (f < f_high).to(level)
        slopes = {"f_low": above * _DECIBELS, "f_high": below * -_DECIBELS}
        return level, {name: slope.expand_as(level) for name, slope in slopes.items()}
