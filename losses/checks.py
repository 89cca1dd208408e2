"""What every loss asks of its numbers, said in one kind of sentence."""

from __future__ import annotations

import math
from numbers import Real

import torch
from torch import Tensor

# A table, since torch.compile cannot trace dtype.to_real().
_REAL = {torch.complex32: torch.float16, torch.complex64: torch.float32, torch.complex128: torch.float64}


class LossError(ValueError):
    """A loss that cannot be built, combined or evaluated as asked; says what to do instead."""


def positive(name: str, value: object, *, zero: bool = False, below: float = math.inf) -> float:
    """Return `value` as a float: a finite number above zero (or at zero, when `zero`) and under `below`.

    >>> positive("delta", 2)
    2.0
    >>> positive("delta", -1.0)
    Traceback (most recent call last):
    losses.checks.LossError: delta is -1.0; expected a finite number above 0
    """
    number = math.nan
    if isinstance(value, Real) or (isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex()):
        number = float(value)
    if (number >= 0 if zero else number > 0) and number < below:
        return number
    least = "of at least 0" if zero else "above 0"
    most = "" if below == math.inf else f" and below {below:g}"
    raise LossError(f"{name} is {value!r}; expected a finite number {least}{most}")


def positive_tensor(name: str, value: object, *, zero: bool = False) -> Tensor:
    """Return `value` as a detached real tensor, all finite and above zero (or at zero, when `zero`).

    >>> positive_tensor("sigma", [0.1, 0.0])
    Traceback (most recent call last):
    losses.checks.LossError: sigma holds 0.0; expected finite numbers above 0
    """
    try:
        tensor = value.detach() if isinstance(value, Tensor) else torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise LossError(f"{name} is {value!r}; expected a number, or a tensor of numbers") from error
    if tensor.is_complex():
        raise LossError(f"{name} is complex; expected real numbers")
    tensor = tensor if tensor.is_floating_point() else tensor.double()
    good = torch.isfinite(tensor) & (tensor >= 0 if zero else tensor > 0)
    if not good.all():
        least = "of at least 0" if zero else "above 0"
        bad = tensor[~good].flatten()[0].item()
        raise LossError(f"{name} holds {bad!r}; expected finite numbers {least}")
    return tensor


def like(tensor: Tensor, prediction: Tensor) -> Tensor:
    """Return `tensor` on the device, and in the real precision, of `prediction`: float32 in, float32 out.

    >>> like(torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.complex64)).dtype
    torch.float32
    """
    real = _REAL.get(prediction.dtype, prediction.dtype)
    if tensor.dtype is real and tensor.device == prediction.device:
        return tensor
    return tensor.to(prediction.device, real)


def transformed() -> bool:
    """Tell whether values cannot be looked at now, inside `torch.func` transforms or `torch.compile`.

    >>> transformed()
    False
    """
    # torch has no public way to ask for a functorch transform.
    return torch.compiler.is_compiling() or torch._C._functorch.peek_interpreter_stack() is not None  # pyright: ignore
