"""`ColorOrgan`: three filters side by side, each of which lights an LED."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.component import Value, broadcast_shape
from circuits.errors import ComponentError, UnknownName
from circuits.filters import BandPass, HighPass, LowPass


class ColorOrgan(Circuit):
    """A low-pass, a band-pass and a high-pass filter fed by one signal: `(*batch, 3, n)`, in that order.

    An LED is lit where the magnitude of its filter is over `threshold`, 1/√2.

    Args:
        low: ohms of the low-pass, a ready `LowPass`, or None (drawn).
        band: a pair of ohms (R_low, R_high) of the buffered band-pass, a ready filter, or None.
        high: ohms of the high-pass, a ready `HighPass`, or None.
        C: farads of every capacitor of the filters that are made here.
        batch, seed, dtype, device: as for `LowPass`, for the filters that are made here.

    Raises:
        ComponentError, ShapeError: values that no part can have, filters that do not fit together.

    >>> organ = ColorOrgan(low=200.0, band=(40.0, 160.0), high=32.0)
    >>> (organ([100.0, 2000.0, 20e3]) > organ.threshold).int().tolist()
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    >>> {name: round(f.item()) for name, f in organ.cutoffs().items()}
    {'low.cutoff': 796, 'band.low_pass': 3979, 'band.high_pass': 995, 'high.cutoff': 4974}
    """

    outputs = ("low", "band", "high")
    threshold: ClassVar[float] = 1 / math.sqrt(2)

    def __init__(
        self,
        low: Value | Circuit = None,
        band: tuple[Value, Value] | Circuit | None = None,
        high: Value | Circuit = None,
        *,
        C: Value = 1e-6,
        batch: int | Sequence[int] = (),
        seed: int | torch.Generator = 0,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__()
        seed = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
        options: dict[str, Any] = {"batch": batch, "seed": seed, "dtype": dtype, "device": device}
        self.low = low if isinstance(low, Circuit) else LowPass(low, C, **options)
        self.band = band if isinstance(band, Circuit) else BandPass(*_pair(band), C, C, **options)
        self.high = high if isinstance(high, Circuit) else HighPass(high, C, **options)
        self._check_filters()

    def _check_filters(self) -> None:
        filters = {name: getattr(self, name) for name in self.outputs}
        broadcast_shape({name: circuit.batch_shape for name, circuit in filters.items()})
        for name, circuit in filters.items():
            if circuit.outputs:
                raise ComponentError(f"{name} has outputs {circuit.outputs}; expected a filter with a single one")
        kinds = {name: next(circuit.parameters()) for name, circuit in filters.items()}
        if len({(p.dtype, p.device) for p in kinds.values()}) > 1:
            listed = ", ".join(f"{name} {p.dtype} on {p.device}" for name, p in kinds.items())
            raise ComponentError(f"the filters differ: {listed}; bring them together with .to(dtype) or .to(device)")

    def _filters(self) -> list[Circuit]:
        # nn.Module looks an attribute up in three places, and a fit asks thousands of times
        modules: dict[str, Any] = self._modules
        return [modules["low"], modules["band"], modules["high"]]

    def transfer(self, f: Tensor) -> Tensor:
        """Complex responses of the three filters."""
        return self._evaluate(f, "response")

    def _evaluate(self, f: Tensor, quantity: str) -> Tensor:
        predictions = [circuit.predict(f, quantity) for circuit in self._filters()]
        return torch.stack(_alike(predictions), -2 if f.ndim else -1)

    def has_slopes(self, quantity: str) -> bool:
        """Whether `linearize` has a closed form for this quantity: where all three filters have."""
        return all(circuit.has_slopes(quantity) for circuit in self._filters())

    def _linearize(self, f: Tensor, quantity: str, names: Sequence[str]) -> tuple[Tensor, Tensor]:
        """From the three filters: an output does not depend on the components of the other two."""
        places = self._places(names)
        try:
            parts = [
                circuit._rows(f, quantity, own) or _unstacked(*circuit._linearize(f, quantity, own))
                for circuit, (own, _) in zip(self._filters(), places, strict=True)
            ]
        except UnknownName as error:  # a filter knows its components by their short names
            raise self._in_full(error, names) from None
        outputs = _alike([prediction for prediction, _ in parts])
        rows = [torch.zeros_like(outputs[0])] * (3 * len(names))
        for k, ((_, indices), (_, found)) in enumerate(zip(places, parts, strict=True)):
            for index, row in zip(indices, found, strict=True):
                rows[3 * index + k] = row.expand_as(outputs[k])
        prediction = torch.stack(outputs, -2)
        if not rows:
            return prediction, prediction.unsqueeze(-3).narrow(-3, 0, 0)
        return prediction, torch.stack(rows, -2).unflatten(-2, (len(names), 3))

    def _in_full(self, error: UnknownName, names: Sequence[str]) -> UnknownName:
        units = self.units()
        unknown = [name for name in names if name not in units]
        return UnknownName("component", unknown[0], units) if unknown else error

    def _places(self, names: Sequence[str]) -> list[tuple[list[str], list[int]]]:
        """For each filter, which of its components are named, and where in the list."""
        places: dict[str, tuple[list[str], list[int]]] = {output: ([], []) for output in self.outputs}
        for index, name in enumerate(names):
            output, _, component = name.partition(".")
            if output not in places:
                raise UnknownName("component", name, self.units())
            places[output][0].append(component)
            places[output][1].append(index)
        return list(places.values())


def _unstacked(prediction: Tensor, jacobian: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
    return prediction, jacobian.unbind(-2)


def _pair(band: Any) -> tuple[Value, Value]:
    """The two resistors of the band-pass."""
    if band is None:
        return None, None
    if isinstance(band, (list, tuple)) and len(band) == 2:
        return band[0], band[1]
    raise ComponentError(
        f"band={band!r}; expected a pair of ohms (R_low, R_high), a ready BandPass, or None to draw both"
    )


def _alike(tensors: list[Tensor]) -> list[Tensor]:
    """Tensors of one shape, as `stack` wants them: a filter that all boards share has no batch of its own."""
    first, second, third = tensors
    return tensors if first.shape == second.shape == third.shape else list(torch.broadcast_tensors(*tensors))
