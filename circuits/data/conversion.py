"""From one quantity to another, with uncertainty to first order."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from circuits.errors import DataError

QUANTITIES = ("response", "magnitude", "decibels", "phase", "led")
DECIBELS_PER_NEPER = 20.0 / math.log(10.0)
DEGREES_PER_RADIAN = 180.0 / math.pi
REACHABLE = {
    "response": ("magnitude", "decibels", "phase"),
    "magnitude": ("decibels",),
    "decibels": ("magnitude",),
    "phase": (),
    "led": (),
}


def convert(values: Tensor, sigma: Tensor | None, source: str, target: str) -> tuple[Tensor, Tensor | None]:
    """Values and sigma of `source` as `target`.

    Raises:
        DataError: `target` cannot be had from `source`, or a zero has no decibels or phase.
    """
    if target not in REACHABLE[source]:
        known = " or ".join(REACHABLE[source]) or "nothing else"
        raise DataError(f"{source} was measured and {target} asked for; from {source} alone {known} can be had")
    if source == "decibels":
        ratio = 10.0 ** (values / 20.0)
        return ratio, _scaled(sigma, ratio / DECIBELS_PER_NEPER)
    magnitude = values.abs() if source == "response" else values
    if target == "magnitude":
        return magnitude, sigma
    _check_positive(magnitude, source, target)
    if target == "decibels":
        return 20.0 * torch.log10(magnitude), _scaled(sigma, DECIBELS_PER_NEPER / magnitude)
    return torch.rad2deg(values.angle()), _scaled(sigma, DEGREES_PER_RADIAN / magnitude)


def _scaled(sigma: Tensor | None, slope: Tensor) -> Tensor | None:
    return None if sigma is None else sigma * slope


def _check_positive(magnitude: Tensor, source: str, target: str) -> None:
    bad = magnitude <= 0
    if bool(bad.any()):
        worst = float(magnitude[bad][0])
        raise DataError(
            f"{int(bad.sum())} of {magnitude.numel()} values have no {target}, such as magnitude {worst:g}; "
            f"drop those points, or fit the {source}"
        )
