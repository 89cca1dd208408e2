"""How the points of a measurement weigh against each other."""

from __future__ import annotations

from dataclasses import replace

import torch

import losses
from circuits.data import Measurements
from circuits.errors import OptionError, UnknownName
from circuits.fitting.setup import DEFAULT_LOSS

WEIGHTINGS = ("sigma", "modulus", "unit")


def weigh(data: Measurements, how: str) -> tuple[Measurements, losses.Loss]:
    """The measurements, and the least-squares loss that weighs them as asked.

    Args:
        data: anything but LEDs.
        how: "sigma", weight 1/σ² by the σ of each point; "modulus", weight 1/|H|² for an instrument that is off by so
            many percent (decibels are of that kind already); "unit", all points alike. The last two estimate the
            noise from the residuals.

    Raises:
        UnknownName: another word. OptionError: no σ to weigh by, LEDs, or the modulus of a phase.

    >>> weigh(Measurements([1e3, 1e4], "magnitude", [0.5, 0.05], sigma=0.01), "modulus")[1].weights.tolist()
    [4.0, 400.0]
    """
    if how not in WEIGHTINGS:
        raise UnknownName("weighting", how, WEIGHTINGS)
    if data.quantity == "led":
        raise OptionError(f"weights {how!r} for LEDs, which are lit or dark; leave it out")
    loss = DEFAULT_LOSS[data.quantity]
    if how == "sigma":
        if data.sigma is None:
            raise OptionError("weights 'sigma', but the measurements have no uncertainty; give one, or take 'unit'")
        return data, loss
    return replace(data, sigma=None), loss if how == "unit" else _by_modulus(data, loss)


def _by_modulus(data: Measurements, loss: losses.Loss) -> losses.Loss:
    if data.quantity == "response":
        return losses.Relative()
    if data.quantity == "magnitude":
        size = torch.where(data.values.isnan(), 1.0, data.values.abs())
        return losses.Magnitude(weights=torch.where(size > 0, size, torch.inf).reciprocal().square())
    if data.quantity == "decibels":
        return loss
    raise OptionError("weights 'modulus' for a phase, which has no modulus; take 'sigma' or 'unit'")
