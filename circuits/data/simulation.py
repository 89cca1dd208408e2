"""Measurements that a circuit would give, and the frequencies to ask it at."""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor

from circuits import notation
from circuits.data import checks
from circuits.data.conversion import QUANTITIES
from circuits.data.measurements import Measurements
from circuits.errors import FrequencyError, OptionError, UnknownName

LED_THRESHOLD = 1.0 / math.sqrt(2.0)
_MEANING = {
    "led": "jitter of ln|H| before the comparator",
    "response": "noise of the real and of the imaginary part",
}


class Predicts(Protocol):
    """What `simulate` needs of a circuit."""

    outputs: tuple[str, ...]

    def predict(self, f: Tensor, quantity: str) -> Tensor:
        """Return the quantity at `f`: `(*batch, n)`, or `(*batch, k, n)` for k outputs."""
        ...


def simulate(
    circuit: Predicts,
    f: Any,
    quantity: str = "magnitude",
    noise: float = 0.0,
    seed: int | torch.Generator = 0,
) -> Measurements:
    r"""Measure a circuit on paper: its prediction with Gaussian noise, y = h(f) + noise · N(0, 1).

    An LED is lit where |H| e^{noise · N(0, 1)} > 1/√2.

    Args:
        circuit: anything with `predict(f, quantity)` and `outputs`.
        f: frequencies in hertz, `(n,)` or `(*batch, n)`.
        quantity: "response", "magnitude", "decibels", "phase" or "led".
        noise: one standard deviation, in the unit of the quantity; of the real and of the imaginary part
            each for a response; of the jitter of ln|H| for LEDs. Where it is above zero it becomes `sigma`,
            except for LEDs.
        seed: a number, or a generator to draw on from.

    Raises:
        UnknownName: a quantity that is not in the list.
        OptionError: a noise that is negative or not finite.
        FrequencyError: a frequency that is not positive and finite.

    >>> class Divider:
    ...     outputs = ()
    ...     def predict(self, f, quantity):
    ...         return 0.5 + 0.0 * f
    >>> simulate(Divider(), [10.0, 100.0]).values
    tensor([0.5000, 0.5000], dtype=torch.float64)
    """
    if quantity not in QUANTITIES:
        raise UnknownName("quantity", quantity, QUANTITIES)
    if not (math.isfinite(noise) and noise >= 0):
        raise OptionError(f"noise {noise}; expected a standard deviation of zero or more")
    f = checks.frequencies(f, f.device if isinstance(f, Tensor) else torch.device("cpu"))
    with torch.no_grad():
        exact = circuit.predict(f, quantity)
        exact = exact.to(torch.complex128 if quantity == "response" else torch.float64)
        values = _observed(exact, quantity, float(noise), _generator(seed))
    sigma = torch.tensor(float(noise), dtype=torch.float64) if noise > 0 and quantity != "led" else None
    spread = f", {_MEANING.get(quantity, 'noise')} {noise:g}" if noise > 0 else ", without noise"
    meta = {"simulated": True, "noise": float(noise)} | ({"seed": seed} if isinstance(seed, int) else {})
    return Measurements(f, quantity, values, sigma, tuple(circuit.outputs), meta, f"simulated {quantity}{spread}")


def tones(n: int = 1000, low: float = 1.0, high: float = 1e6, seed: int | torch.Generator = 0) -> Tensor:
    """Draw n frequencies log-uniformly from low to high hertz, in rising order, `(n,)` float64.

    >>> drawn = tones(3, 10.0, 1000.0)
    >>> bool((drawn.diff() >= 0).all() and drawn[0] >= 10.0 and drawn[-1] <= 1000.0)
    True
    """
    _check_span(n, low, high)
    return _between(torch.rand(n, generator=_generator(seed), dtype=torch.float64), low, high).sort().values


def log_grid(n: int, low: float, high: float) -> Tensor:
    """Space n frequencies evenly on a logarithmic axis, both ends included, `(n,)` float64.

    >>> log_grid(3, 10.0, 1000.0)
    tensor([  10.,  100., 1000.], dtype=torch.float64)
    """
    _check_span(n, low, high)
    grid = _between(torch.linspace(0.0, 1.0, n, dtype=torch.float64), low, high)
    grid[0], grid[-1] = low, (high if n > 1 else low)
    return grid


def _between(share: Tensor, low: float, high: float) -> Tensor:
    """From low to high by equal ratios; never beyond either by rounding."""
    return torch.exp(math.log(low) + share * math.log(high / low)).clamp(low, high)


def _observed(exact: Tensor, quantity: str, noise: float, generator: torch.Generator) -> Tensor:
    """The exact values with noise; the draws are made on the CPU, so that every device sees the same."""
    draws = torch.randn(exact.shape, generator=generator, dtype=exact.dtype).to(exact.device) if noise else 0.0
    if quantity == "led":
        return (exact * torch.exp(torch.as_tensor(noise * draws)) > LED_THRESHOLD).to(torch.float64)
    scale = math.sqrt(2.0) if exact.is_complex() else 1.0  # a complex draw has variance one in all, half in each part
    return exact + noise * scale * draws


def _generator(seed: int | torch.Generator) -> torch.Generator:
    return seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)


def _check_span(n: int, low: float, high: float) -> None:
    if n < 1:
        raise OptionError(f"{n} frequencies; expected at least one")
    if not (0 < low <= high < math.inf):
        ends = f"{notation.format(low, 'Hz')} to {notation.format(high, 'Hz')}"
        raise FrequencyError(f"frequencies from {ends}; expected 0 < low <= high, both finite")
