"""What a `Measurements` may hold: each check returns the thing it checked, as a tensor of the right kind."""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from circuits.errors import DataError, FrequencyError, OptionError, ShapeError


def precision(dtype: torch.dtype | None) -> torch.dtype | None:
    """The real dtype asked for; a complex one stands for its real part's."""
    dtype = dtype.to_real() if dtype is not None and dtype.is_complex else dtype
    if dtype not in (None, torch.float32, torch.float64):
        raise OptionError(f"measurements cannot be held as {dtype}; use torch.float64 or torch.float32")
    return dtype


def frequencies(f: Any, device: torch.device) -> Tensor:
    """Positive finite frequencies, at least one."""
    f = _tensor(f, "frequencies", complex_too=False).to(device)
    if f.dim() == 0:
        raise ShapeError("one frequency without a list; expected shape (n,): write [1000.0]")
    if f.numel() == 0:
        raise DataError("no frequency at all; expected at least one point")
    if not _all_positive(f):
        good = torch.isfinite(f) & (f > 0)
        where = int((~good.reshape(-1, f.shape[-1]).all(0)).nonzero()[0])
        bad = float(f[~good].reshape(-1)[0])
        raise FrequencyError(f"frequency {bad:g} Hz at point {where}; expected positive finite hertz: drop that point")
    return f


def values(values: Any, quantity: str) -> Tensor:
    """Numbers of the quantity's kind; NaN is a missing value, infinity is none."""
    values = _tensor(values, "values", complex_too=quantity == "response")
    if quantity == "response" and not values.is_complex():
        values = torch.complex(values, torch.zeros_like(values))
    if not _all_finite(values):
        _check_missing(values, quantity)
    if quantity == "led":
        odd = ~(values.isnan() | (values == 0) | (values == 1))
        if bool(odd.any()):
            raise DataError(f"LED label {float(values[odd][0]):g}; expected 1 (lit), 0 (dark) or NaN (missing)")
    return values


def uncertainty(sigma: Any, values: Tensor, quantity: str) -> Tensor:
    """Positive finite standard deviations, wherever there is a value."""
    if quantity == "led":
        raise DataError("sigma was given for LED labels; a label has none: leave it out")
    sigma = _tensor(sigma, "sigma", complex_too=False).to(values.device)
    try:
        spread = torch.broadcast_to(sigma, values.shape)
    except RuntimeError:
        raise ShapeError(
            f"sigma has shape {tuple(sigma.shape)}, values {tuple(values.shape)}; give one, or one for each value"
        ) from None
    if not _all_positive(sigma):
        bad = ~values.isnan() & ~(torch.isfinite(spread) & (spread > 0))
        if bool(bad.any()):
            raise DataError(f"sigma {float(spread[bad][0]):g}; expected a positive finite one for every value, or None")
    return sigma


def names(outputs: Any) -> tuple[str, ...]:
    """Distinct printable names."""
    if isinstance(outputs, str) or not isinstance(outputs, Iterable):
        raise DataError(f"outputs {outputs!r}; expected a tuple of names such as ('low', 'band', 'high')")
    outputs = tuple(outputs)
    for name in outputs:
        if not (isinstance(name, str) and name.strip() and name.isprintable()):
            raise DataError(f"output name {name!r}; expected printable text that is not blank")
    if len(set(outputs)) < len(outputs):
        raise DataError(f"outputs {', '.join(outputs)}; expected each name once")
    return outputs


def shapes(f: Tensor, values: Tensor, outputs: tuple[str, ...]) -> None:
    """`f` is `(n,)` or `(*batch, n)`, `values` `(*batch, n)` or `(*batch, k, n)`."""
    if values.dim() < 1 + bool(outputs) or values.shape[-1] != f.shape[-1]:
        inner = f"{len(outputs)}, {f.shape[-1]}" if outputs else f"{f.shape[-1]}"
        wanted = f"({inner})" if outputs else f"({inner},)"
        raise ShapeError(
            f"{f.shape[-1]} frequencies, values of shape {tuple(values.shape)}; expected {wanted}, or "
            f"(*batch, {inner}) for many boards"
        )
    if outputs and values.shape[-2] != len(outputs):
        raise ShapeError(
            f"{len(outputs)} outputs ({', '.join(outputs)}), values of shape {tuple(values.shape)}; "
            f"expected one row for each output: (*batch, {len(outputs)}, {f.shape[-1]})"
        )
    batch = values.shape[: -2 if outputs else -1]
    if f.dim() > 1 and f.shape[:-1] != batch:
        raise ShapeError(
            f"frequencies of batch {tuple(f.shape[:-1])}, values of batch {tuple(batch)}; "
            "expected the same, or frequencies (n,) for all"
        )


def _all_positive(numbers: Tensor) -> bool:
    """Whether there are numbers and all of them are positive and finite; in one pass, NaN being neither."""
    if not numbers.numel():
        return False
    low, high = torch.aminmax(numbers)
    return low.item() > 0 and high.item() < math.inf


def _all_finite(values: Tensor) -> bool:
    """True if there are values and all of them are finite, told by their sum; one that overflows tells nothing."""
    return values.numel() > 0 and cmath.isfinite(values.sum().item())


def _check_missing(values: Tensor, quantity: str) -> None:
    """No infinity, and one value at least that is not missing."""
    if bool(values.isinf().any()):
        raise DataError(f"an infinite {quantity}; expected finite values, or NaN where one is missing")
    if bool(values.isnan().all()):
        raise DataError(f"no {quantity} is present: every value is missing; expected at least one")


def _tensor(data: Any, what: str, complex_too: bool) -> Tensor:
    """A detached real or complex tensor in double precision, or in single where it came so."""
    try:
        tensor = data.detach() if isinstance(data, Tensor) else torch.from_numpy(_array(data))
    except (TypeError, ValueError, RuntimeError) as problem:
        raise DataError(
            f"{what} cannot be read as numbers ({problem}); expected a tensor, an array or a list"
        ) from None
    if tensor.is_complex() and not complex_too:
        raise DataError(f"complex {what}; expected real numbers")
    if tensor.dtype in (torch.float32, torch.float64, torch.complex64, torch.complex128):
        return tensor
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)


def _array(data: Any) -> np.ndarray:
    """A copy of its own, so that a list or an array changed later does not change what was measured."""
    array = np.array(data)
    wide = np.complex128 if np.iscomplexobj(array) else np.float64
    return np.array(array, dtype=wide)
