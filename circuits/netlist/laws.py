"""How the numbers of the equations follow from the values of elements, in torch: autograd knows the way back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

REAL: Mapping[str, Callable[..., Tensor]] = {
    "direct": lambda value: value,
    "reciprocal": lambda value: 1 / value,
    "mutual": lambda k, first, second: k * (first * second) ** 0.5,
}
"""Laws of a real q, one number a board, of the values of an element: the mutual inductance is k·√(L1·L2)."""


def constant_phase(f: Tensor, q: Tensor, alpha: Tensor) -> Tensor:
    """Y = q·(jω)^alpha, with q in S·s^alpha.

    >>> constant_phase(torch.tensor([1 / (2 * math.pi)]), torch.tensor(2.0), torch.tensor(1.0))
    tensor([-8.7423e-08+2.j])
    """
    return torch.polar(q * (2 * math.pi * f) ** alpha, 0.5 * math.pi * alpha + 0 * f)


def warburg(f: Tensor, sigma: Tensor) -> Tensor:
    """Y = √(jω)/(√2·sigma), the reciprocal of Z = sigma·(1 − j)/√ω, with sigma in Ω/√s."""
    half = torch.sqrt(2 * math.pi * f) / (2 * sigma)
    return torch.complex(half, half)


def warburg_open(f: Tensor, r: Tensor, tau: Tensor) -> Tensor:
    """Y = √(jω·tau)·tanh(√(jω·tau))/r: diffusion through a layer with a closed end; r in ohms, tau in seconds."""
    root = _root(f, tau)
    return root * torch.tanh(root) / r


def warburg_short(f: Tensor, r: Tensor, tau: Tensor) -> Tensor:
    """Y = √(jω·tau)/(r·tanh(√(jω·tau))): diffusion through a layer with an open end; 1/r at 0 Hz."""
    root = _root(f, tau)
    return root / torch.tanh(root) / r


def line_sine(f: Tensor, td: Tensor) -> Tensor:
    """j·sin(θ/2), θ = 2πf·td, of a lossless line that takes td seconds."""
    sine = torch.sin(math.pi * f * td)
    return torch.complex(torch.zeros_like(sine), sine)


def line_cosine(f: Tensor, td: Tensor) -> Tensor:
    """cos(θ/2) of a lossless line."""
    cosine = torch.cos(math.pi * f * td)
    return torch.complex(cosine, torch.zeros_like(cosine))


def line_sine_ohms(f: Tensor, z0: Tensor, td: Tensor) -> Tensor:
    """j·z0·sin(θ/2) of a lossless line of z0 ohms."""
    return z0 * line_sine(f, td)


def line_cosine_ohms(f: Tensor, z0: Tensor, td: Tensor) -> Tensor:
    """z0·cos(θ/2) of a lossless line of z0 ohms."""
    return z0 * line_cosine(f, td)


def _root(f: Tensor, tau: Tensor) -> Tensor:
    """√(jω·tau)."""
    half = torch.sqrt(math.pi * f * tau)
    return torch.complex(half, half)


COMPLEX: Mapping[str, Callable[..., Tensor]] = {
    "constant_phase": constant_phase,
    "warburg": warburg,
    "warburg_open": warburg_open,
    "warburg_short": warburg_short,
    "line_sine": line_sine,
    "line_cosine": line_cosine,
    "line_sine_ohms": line_sine_ohms,
    "line_cosine_ohms": line_cosine_ohms,
}
"""Laws of a complex z, one number a lane, of the frequency in hertz and the values of an element."""
