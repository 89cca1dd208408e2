"""Transfer functions as pure functions of tensors.

Every function takes the frequency `f` in hertz first, then the components in ohms and farads. All of them
broadcast against each other, element by element, as in torch: boards of shape `(B,)` at frequencies `(n,)`
are `R[:, None]` here (`Circuit` does that for you). Numbers serve as well as tensors, and the dtype is that
of the tensors.

The closed forms of magnitude, level, phase and group delay are not views of the complex response. Each is
written so that it keeps its digits where it is near zero, and so that it and its first two derivatives stay
finite from `f = 0` to the largest number of the dtype: beyond 1e138 times the corner frequency (1e17 in
float32) nothing changes any more. Nothing is checked here; a `Circuit` checks what it is given.

References: P. Horowitz and W. Hill, The Art of Electronics, 3rd ed., 2015, section 1.7 (RC filters, Bode
plots).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

Real: TypeAlias = "Tensor | float"
Corners: TypeAlias = "Sequence[Tensor] | Sequence[float]"
_DECIBELS = 20 / math.log(10)  # one neper in decibels
_DEGREES = 180 / math.pi


def relative_frequency(f: Tensor, time_constant: Real) -> Tensor:
    """Frequency over corner frequency: x = 2πf·τ, with f in hertz and τ = RC in seconds.

    >>> relative_frequency(torch.tensor(1000.0), 1 / (2 * math.pi * 1000))
    tensor(1.)
    """
    # τ first, then f: with f = 1e300 no partial product, of which autograd keeps hold, is infinite
    x = f * (2 * math.pi * time_constant)
    x = x if isinstance(x, Tensor) else torch.tensor(x, dtype=torch.float64)
    return x.clamp(max=1 / _floor(x))


def _low(x: Tensor) -> Tensor:
    """1/√(1+x²); by hypot, of which autograd takes no cube that might vanish, as it does of rsqrt."""
    return torch.hypot(x, x.new_ones(())).reciprocal()


def _low_and_high(x: Tensor) -> tuple[Tensor, Tensor]:
    """1/√(1+x²) and x/√(1+x²)."""
    low = _low(x)
    return low, x * low


def _ln_low(x: Tensor) -> Tensor:
    """Natural logarithm of 1/√(1+x²), with all its digits on either side of the corner."""
    small, large = x.clamp(max=1), x.clamp(min=1)
    above = -torch.log(large) - 0.5 * torch.log1p(large.reciprocal().square())
    return torch.where(x < 1, -0.5 * torch.log1p(small.square()), above)


def _ln_high(x: Tensor) -> Tensor:
    """Natural logarithm of x/√(1+x²); flat below `_floor`, so that its derivatives are finite."""
    small, large = x.clamp(_floor(x), 1), x.clamp(min=1)
    below = torch.log(small) - 0.5 * torch.log1p(small.square())
    return torch.where(x < 1, below, -0.5 * torch.log1p(large.reciprocal().square()))


def _floor(x: Tensor) -> float:
    """A small number of which the square has a reciprocal, with some room: 3e-139, or 8e-18 in float32."""
    return torch.finfo(x.dtype).tiny ** 0.45


def low_pass(f: Tensor, R: Real, C: Real) -> Tensor:
    """Complex response of a resistor into a capacitor to ground.

    H = 1 / (1 + jx), x = 2πfRC::

        in --- R ---+--- out
                    C
                   gnd

    Args:
        f: frequency in hertz.
        R: resistance in ohms.
        C: capacitance in farads.

    >>> low_pass(torch.tensor(1000.0), R=1 / (2 * math.pi * 1000), C=1.0)
    tensor(0.5000-0.5000j)
    """
    low, high = _low_and_high(relative_frequency(f, R * C))
    return torch.complex(low * low, -low * high)


def low_pass_magnitude(f: Tensor, R: Real, C: Real) -> Tensor:
    """|H| = 1/√(1+x²) of `low_pass`.

    >>> low_pass_magnitude(torch.tensor(3.0), R=1 / (2 * math.pi), C=1.0)
    tensor(0.3162)
    """
    return _low(relative_frequency(f, R * C))


def low_pass_decibels(f: Tensor, R: Real, C: Real) -> Tensor:
    """Level 20 log₁₀|H| = −10 log₁₀(1+x²) of `low_pass`, in decibels.

    >>> low_pass_decibels(torch.tensor(3.0), R=1 / (2 * math.pi), C=1.0)
    tensor(-10.)
    """
    return _DECIBELS * _ln_low(relative_frequency(f, R * C))


def low_pass_phase(f: Tensor, R: Real, C: Real) -> Tensor:
    """Phase −arctan x of `low_pass`, in degrees.

    >>> low_pass_phase(torch.tensor(1.0), R=1 / (2 * math.pi), C=1.0)
    tensor(-45.)
    """
    return -_DEGREES * torch.atan(relative_frequency(f, R * C))


def low_pass_group_delay(f: Tensor, R: Real, C: Real) -> Tensor:
    """Group delay −dφ/dω = RC/(1+x²) of `low_pass` and of `high_pass`, in seconds.

    >>> low_pass_group_delay(torch.tensor(0.0), R=1000.0, C=1e-6)
    tensor(0.0010)
    """
    return R * C * _low(relative_frequency(f, R * C)).square()


def high_pass(f: Tensor, R: Real, C: Real) -> Tensor:
    """Complex response of a capacitor into a resistor to ground.

    H = jx / (1 + jx), x = 2πfRC::

        in --- C ---+--- out
                    R
                   gnd

    Args: see `low_pass`.

    >>> high_pass(torch.tensor(1000.0), R=1 / (2 * math.pi * 1000), C=1.0)
    tensor(0.5000+0.5000j)
    """
    low, high = _low_and_high(relative_frequency(f, R * C))
    return torch.complex(high * high, low * high)


def high_pass_magnitude(f: Tensor, R: Real, C: Real) -> Tensor:
    """|H| = x/√(1+x²) of `high_pass`.

    >>> high_pass_magnitude(torch.tensor(0.0), R=1000.0, C=1e-6)
    tensor(0.)
    """
    return _low_and_high(relative_frequency(f, R * C))[1]


def high_pass_decibels(f: Tensor, R: Real, C: Real) -> Tensor:
    """Level 20 log₁₀|H| = −10 log₁₀(1+1/x²) of `high_pass`, in decibels; finite at f = 0 (see `_ln_high`).

    >>> high_pass_decibels(torch.tensor(1 / 3), R=1 / (2 * math.pi), C=1.0)
    tensor(-10.)
    """
    return _DECIBELS * _ln_high(relative_frequency(f, R * C))


def high_pass_phase(f: Tensor, R: Real, C: Real) -> Tensor:
    """Phase arctan(1/x) of `high_pass`, in degrees.

    >>> high_pass_phase(torch.tensor([0.0, 1.0]), R=1 / (2 * math.pi), C=1.0)
    tensor([90., 45.])
    """
    x = relative_frequency(f, R * C)
    return _DEGREES * torch.atan2(x.new_ones(()), x)


high_pass_group_delay = low_pass_group_delay  # the two phases differ by a constant 90°


def band_pass(f: Tensor, R_low: Real, R_high: Real, C_low: Real, C_high: Real) -> Tensor:
    """Complex response of a low-pass and a high-pass section with an ideal buffer between them.

    H = low_pass(f, R_low, C_low) · high_pass(f, R_high, C_high). Without the buffer the second section loads
    the first, and the response is `band_pass_loaded`.

    Args:
        f: frequency in hertz.
        R_low, C_low: ohms and farads of the low-pass section, which sets the upper corner.
        R_high, C_high: ohms and farads of the high-pass section, which sets the lower corner.

    >>> band_pass(torch.tensor(1.0), 1 / (2 * math.pi), 1 / (2 * math.pi), 1.0, 1.0)
    tensor(0.5000+0.j)
    """
    low, high = _low_and_high(relative_frequency(f, R_low * C_low))
    low2, high2 = _low_and_high(relative_frequency(f, R_high * C_high))
    size = low * high2
    return torch.complex(size * (low * high2 + high * low2), size * (low * low2 - high * high2))


def band_pass_magnitude(f: Tensor, R_low: Real, R_high: Real, C_low: Real, C_high: Real) -> Tensor:
    """|H| of `band_pass`: the product of the magnitudes of its sections.

    >>> band_pass_magnitude(torch.tensor(1.0), 1 / (2 * math.pi), 1 / (2 * math.pi), 1.0, 1.0)
    tensor(0.5000)
    """
    return low_pass_magnitude(f, R_low, C_low) * high_pass_magnitude(f, R_high, C_high)


def band_pass_decibels(f: Tensor, R_low: Real, R_high: Real, C_low: Real, C_high: Real) -> Tensor:
    """Level of `band_pass` in decibels: the sum of the levels of its sections."""
    return low_pass_decibels(f, R_low, C_low) + high_pass_decibels(f, R_high, C_high)


def band_pass_phase(f: Tensor, R_low: Real, R_high: Real, C_low: Real, C_high: Real) -> Tensor:
    """Phase of `band_pass` in degrees: the sum of the phases of its sections."""
    return low_pass_phase(f, R_low, C_low) + high_pass_phase(f, R_high, C_high)


def band_pass_group_delay(f: Tensor, R_low: Real, R_high: Real, C_low: Real, C_high: Real) -> Tensor:
    """Group delay of `band_pass` in seconds: the sum of those of its sections."""
    return low_pass_group_delay(f, R_low, C_low) + high_pass_group_delay(f, R_high, C_high)


def loading(R_low: Real, R_high: Real, C_low: Real, C_high: Real) -> Tensor:
    """By how much (minus one) the high-pass section of `band_pass_loaded` stretches the two corners apart.

    With p = R_low·C_low/(R_high·C_high) and q = R_low/R_high, the poles of the passive cascade are those of a
    buffered one with its high-pass time constant multiplied by 1 + r and its low-pass time constant divided
    by it, where r is the positive root of r² + (1 − p − q)·r − q = 0: without loading (q = 0, p < 1), r = 0.

    >>> loading(1000.0, 1000.0, 1e-6, 1e-6)
    tensor(1.6180)
    """
    q = torch.as_tensor(R_low / R_high)
    d = 1 - torch.as_tensor(R_low * C_low / (R_high * C_high)) - q
    is_positive = d > 0
    # of the two textbook forms of the root, the one that adds numbers of like sign; `where`, not abs, whose
    # derivative at d = 0 is neither
    total = torch.hypot(d, 2 * torch.sqrt(q)) + torch.where(is_positive, d, -d)
    return torch.where(is_positive, 2 * q / total, total / 2)


def _loaded_sections(R_low: Real, R_high: Real, C_low: Real, C_high: Real) -> tuple[Tensor, Tensor, Tensor]:
    """Time constants of the low-pass and high-pass pole of the loaded cascade, and r of `loading`."""
    r = loading(R_low, R_high, C_low, C_high)
    return R_low * C_low / (1 + r), R_high * C_high * (1 + r), r


def band_pass_loaded(f: Tensor, R_low: Real, R_high: Real, C_low: Real, C_high: Real) -> Tensor:
    """Complex response of a passive low-pass section loaded by the high-pass section that follows it.

    H = jωR_high·C_high / ((1 + jωR_low·C_low)(1 + jωR_high·C_high) + jωR_low·C_high)::

        in --- R_low ---+--- C_high ---+--- out
                      C_low          R_high
                       gnd            gnd

    It is computed from its two real poles (see `loading`): a buffered cascade of other corners, times 1/(1 +
    r).

    Args: see `band_pass`.

    >>> band_pass_loaded(torch.tensor(1.0), 1 / (2 * math.pi), 1 / (2 * math.pi), 1.0, 1.0)
    tensor(0.3333+0.j)
    """
    low, high, r = _loaded_sections(R_low, R_high, C_low, C_high)
    return band_pass(f, low, high, 1.0, 1.0) / (1 + r)


def band_pass_loaded_magnitude(f: Tensor, R_low: Real, R_high: Real, C_low: Real, C_high: Real) -> Tensor:
    """|H| of `band_pass_loaded`.

    >>> band_pass_loaded_magnitude(torch.tensor(1.0), 1 / (2 * math.pi), 1 / (2 * math.pi), 1.0, 1.0)
    tensor(0.3333)
    """
    low, high, r = _loaded_sections(R_low, R_high, C_low, C_high)
    return band_pass_magnitude(f, low, high, 1.0, 1.0) / (1 + r)


def band_pass_loaded_decibels(f: Tensor, R_low: Real, R_high: Real, C_low: Real, C_high: Real) -> Tensor:
    """Level of `band_pass_loaded` in decibels: a sum of three losses, with all its digits near 0 dB."""
    low, high, r = _loaded_sections(R_low, R_high, C_low, C_high)
    return band_pass_decibels(f, low, high, 1.0, 1.0) - _DECIBELS * torch.log1p(r)


def band_pass_loaded_phase(f: Tensor, R_low: Real, R_high: Real, C_low: Real, C_high: Real) -> Tensor:
    """Phase of `band_pass_loaded` in degrees."""
    low, high, _ = _loaded_sections(R_low, R_high, C_low, C_high)
    return band_pass_phase(f, low, high, 1.0, 1.0)


def band_pass_loaded_group_delay(f: Tensor, R_low: Real, R_high: Real, C_low: Real, C_high: Real) -> Tensor:
    """Group delay of `band_pass_loaded` in seconds."""
    low, high, _ = _loaded_sections(R_low, R_high, C_low, C_high)
    return band_pass_group_delay(f, low, high, 1.0, 1.0)


def _decades(f: Tensor, corner: Real) -> Tensor:
    """log₁₀(f/corner), held within the range in which its derivatives are finite."""
    ratio = f / corner
    return torch.log10(ratio.clamp(_floor(ratio), 1 / _floor(ratio)))


def _over_corners(
    f: Tensor, poles: Corners, zeros: Corners, high_pass: Corners, part: Callable[[Tensor], Tensor]
) -> Tensor:
    """Sum of `part(decades above the corner)` over zeros minus that over poles and over high-pass corners."""
    total = torch.zeros_like(f)
    for sign, corners in ((-1, poles), (1, zeros), (-1, high_pass)):
        for corner in corners:
            total = total + sign * part(_decades(f, corner))
    return total


def bode_decibels(f: Tensor, gain: Real, poles: Corners, zeros: Corners = (), high_pass: Corners = ()) -> Tensor:
    """Straight-line Bode level in decibels: a one-layer ReLU network in log-frequency.

    20 log₁₀ gain − Σ 20 relu(log₁₀(f/pole)) + Σ 20 relu(log₁₀(f/zero)) − Σ 20 relu(log₁₀(corner/f)). At a
    corner itself the slope is that of the flat side.

    Args:
        f: frequency in hertz.
        gain: gain of the flat part, a ratio.
        poles, zeros: corners in hertz above which the level falls, or rises, by 20 dB a decade.
        high_pass: corners in hertz below which the level falls by 20 dB a decade.

    >>> bode_decibels(torch.tensor([10.0, 2000.0, 1e5]), 1.0, poles=[4000.0], high_pass=[1000.0])
    tensor([-40.0000,   0.0000, -27.9588])
    """
    gain = torch.as_tensor(gain, dtype=f.dtype, device=f.device)
    elbows = _over_corners(f, poles, zeros, (), torch.relu)
    return 20 * (torch.log10(gain) + elbows + _over_corners(f, (), (), high_pass, lambda decades: torch.relu(-decades)))


def bode_magnitude(f: Tensor, gain: Real, poles: Corners, zeros: Corners = (), high_pass: Corners = ()) -> Tensor:
    """Magnitude of the straight-line Bode plot, 10^(`bode_decibels`/20).

    >>> bode_magnitude(torch.tensor([100.0, 8000.0]), 2.0, poles=[4000.0])
    tensor([2.0000, 1.0000])
    """
    return torch.exp(bode_decibels(f, gain, poles, zeros, high_pass) / _DECIBELS)


def bode_phase(f: Tensor, gain: Real, poles: Corners, zeros: Corners = (), high_pass: Corners = ()) -> Tensor:
    """Straight-line Bode phase in degrees: 45° a decade over the two decades around each corner.

    A pole takes the phase from 0° to −90°, a zero from 0° to 90°, a high-pass corner from 90° to 0°. `gain`
    has none.

    >>> bode_phase(torch.tensor([1.0, 100.0, 1e4]), 1.0, poles=[100.0])
    tensor([  0., -45., -90.])
    """
    ramps = _over_corners(f, poles, zeros, high_pass, lambda d: torch.relu(d + 1) - torch.relu(d - 1))
    return 45 * ramps + 90 * len(high_pass)


def bode_group_delay(f: Tensor, gain: Real, poles: Corners, zeros: Corners = (), high_pass: Corners = ()) -> Tensor:
    """Group delay −dφ/dω of `bode_phase` in seconds: 1/(8 ln 10 · f) within a decade of a corner, else 0.

    >>> bode_group_delay(torch.tensor([1.0, 100.0]), 1.0, poles=[100.0])
    tensor([0.0000, 0.0005])
    """
    count = -_over_corners(f, poles, zeros, high_pass, lambda d: (d.abs() < 1).to(d.dtype))
    near = count != 0
    return torch.where(near, count / (8 * math.log(10) * torch.where(near, f, 1)), 0)


def bode(f: Tensor, gain: Real, poles: Corners, zeros: Corners = (), high_pass: Corners = ()) -> Tensor:
    """Complex response with the magnitude of `bode_magnitude` and the phase of `bode_phase`.

    >>> bode(torch.tensor(100.0), 1.0, poles=[100.0])
    tensor(0.7071-0.7071j)
    """
    phase = bode_phase(f, gain, poles, zeros, high_pass) / _DEGREES
    magnitude = bode_magnitude(f, gain, poles, zeros, high_pass)
    return torch.complex(magnitude * torch.cos(phase), magnitude * torch.sin(phase))
