"""What was observed: frequencies, one quantity, its values, and how well each is known."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from circuits import notation
from circuits.data import checks, conversion
from circuits.data.conversion import QUANTITIES
from circuits.errors import ShapeError, UnknownName

__all__ = ["Measurements", "QUANTITIES"]


@dataclass(frozen=True, eq=False, repr=False)
class Measurements:
    """One quantity observed at n frequencies, on one board or a batch of boards, at one output or several.

    Args:
        f: frequencies in hertz, `(n,)` or `(*batch, n)`, positive, in any order.
        quantity: "response" (complex ratio), "magnitude" (ratio), "decibels", "phase" (degrees) or "led" (1
            lit, 0 dark).
        values: `(*batch, n)`, or `(*batch, k, n)` when k outputs are named. NaN marks a missing value.
        sigma: one standard deviation of each value, in its unit, broadcastable to `values`; of the real and
            of the imaginary part alike for "response"; None when unknown, and always for "led".
        outputs: names of the k outputs; empty for a circuit with one unnamed output.
        meta: whatever else is known, by name.
        understood: a sentence on how the numbers were read.

    Everything is held as float64 (complex128) unless it comes as a float32 tensor, detached from any graph.

    Raises:
        UnknownName: a quantity that is not in the list.
        FrequencyError: a frequency that is not positive and finite.
        ShapeError: lengths that differ.
        DataError: values, uncertainties or names that no measurement has.

    >>> Measurements([100.0, 1000.0], "magnitude", [0.99, 0.62], sigma=0.01)
    Measurements(magnitude at 2 frequencies, 100 Hz to 1 kHz, with sigma)
    >>> Measurements([100.0], "led", [[1], [0]], outputs=("low", "high")).select("low").values
    tensor([1.], dtype=torch.float64)
    """

    f: Tensor
    quantity: str
    values: Tensor
    sigma: Tensor | None = None
    outputs: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    understood: str = ""

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise UnknownName("quantity", self.quantity, QUANTITIES)
        outputs = checks.names(self.outputs)
        values = checks.values(self.values, self.quantity)
        f = checks.frequencies(self.f, values.device)
        checks.shapes(f, values, outputs)
        sigma = None if self.sigma is None else checks.uncertainty(self.sigma, values, self.quantity)
        checked = {"f": f, "values": values, "sigma": sigma, "outputs": outputs, "meta": dict(self.meta)}
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        """The number of frequencies, n."""
        return self.f.shape[-1]

    def __repr__(self) -> str:
        return f"Measurements({self.describe()})"

    @property
    def batch_shape(self) -> torch.Size:
        """Shape of the batch of boards, `()` for one."""
        return self.values.shape[: -2 if self.outputs else -1]

    def describe(self) -> str:
        """Say in one phrase what is held: quantity, span, outputs, what is missing.

        >>> Measurements([1e3], "phase", [-45.0]).describe()
        'phase at 1 frequency, 1 kHz'
        """
        low, high = (notation.format(float(end), "Hz") for end in (self.f.min(), self.f.max()))
        many = "frequency" if len(self) == 1 else "frequencies"
        parts = [f"{self.quantity} at {len(self)} {many}", low if low == high else f"{low} to {high}"]
        if self.outputs:
            parts.append(f"output{'s' * (len(self.outputs) > 1)} {', '.join(self.outputs)}")
        if self.batch_shape:
            parts.append(f"batch {tuple(self.batch_shape)}")
        missing = int(self.values.isnan().sum())
        parts += [f"{missing} missing"] if missing else []
        parts += ["with sigma"] if self.sigma is not None else []
        return ", ".join(parts)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Measurements:
        """Return a copy on another device or in another real precision (complex for a response).

        >>> Measurements([1e3], "response", [0.5 - 0.5j]).to(dtype=torch.float32).values.dtype
        torch.complex64
        """
        dtype = checks.precision(dtype)

        def moved(tensor: Tensor) -> Tensor:
            kind = dtype.to_complex() if dtype is not None and tensor.is_complex() else dtype
            return tensor.to(device=device, dtype=kind)

        sigma = None if self.sigma is None else moved(self.sigma)
        return replace(self, f=moved(self.f), values=moved(self.values), sigma=sigma)

    def as_quantity(self, quantity: str) -> Measurements:
        r"""Return the same measurements as another quantity, uncertainties propagated to first order.

        With H = M e^{iφ}: M = |H|, dB = 20 log10 M, φ in degrees; σ_M = σ_H, σ_dB = (20 / ln 10) σ_M / M,
        σ_φ = (180 / π) σ_H / M. A response gives magnitude, decibels and phase; magnitude and decibels give
        each other.

        Raises:
            DataError: the conversion would need something that was not measured.

        >>> Measurements([1e3], "magnitude", [0.1]).as_quantity("decibels").values
        tensor([-20.], dtype=torch.float64)
        """
        if quantity not in QUANTITIES:
            raise UnknownName("quantity", quantity, QUANTITIES)
        if quantity == self.quantity:
            return self
        values, sigma = conversion.convert(self.values, self.sigma, self.quantity, quantity)
        return replace(self, quantity=quantity, values=values, sigma=sigma)

    def select(self, outputs: str | Iterable[str]) -> Measurements:
        """Keep some outputs, in the order asked for; a single name gives one unnamed output.

        Raises:
            UnknownName: an output that is not here.

        >>> organ = Measurements([1e3], "led", [[1], [0], [0]], outputs=("low", "band", "high"))
        >>> organ.select(["high", "low"]).outputs
        ('high', 'low')
        """
        wanted = (outputs,) if isinstance(outputs, str) else tuple(outputs)
        for name in wanted:
            if name not in self.outputs:
                raise UnknownName("output", name, self.outputs)
        if not wanted:
            raise ShapeError(f"no output was asked for; name some of {', '.join(self.outputs)}")
        index = [self.outputs.index(name) for name in wanted]
        sigma = None if self.sigma is None else torch.broadcast_to(self.sigma, self.values.shape)

        def picked(tensor: Tensor) -> Tensor:
            return tensor[..., index[0], :] if isinstance(outputs, str) else tensor[..., index, :]

        names = () if isinstance(outputs, str) else wanted
        sigma = None if sigma is None else picked(sigma)
        return replace(self, values=picked(self.values), sigma=sigma, outputs=names)

    def sorted(self) -> Measurements:
        """Return the same measurements in rising frequency; equal frequencies keep their order.

        >>> Measurements([2.0, 1.0], "phase", [-2.0, -1.0]).sorted().f
        tensor([1., 2.], dtype=torch.float64)
        """
        order = torch.argsort(self.f, dim=-1, stable=True)
        across = (order.unsqueeze(-2) if self.outputs else order).expand(self.values.shape)
        sigma = None if self.sigma is None else self.sigma.expand(self.values.shape).gather(-1, across)
        return replace(self, f=self.f.gather(-1, order), values=self.values.gather(-1, across), sigma=sigma)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one board to a CSV file that `read` gives back exactly, by rising frequency.

        An existing file is replaced in one step: there is never half a file.

        Raises:
            DataError: a batch of boards, or a place that cannot be written.

        >>> import tempfile
        >>> from circuits.data import read
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Measurements([1e3], "phase", [-45.0]).to_csv(f"{folder}/phase.csv")
        ...     read(f"{folder}/phase.csv")
        Measurements(phase at 1 frequency, 1 kHz)
        """
        from circuits.data import writing  # one way only: writing knows nothing of this class

        writing.write(self, path)
