"""How much a reading at each tone says about the components: Fisher information, by the exact Jacobian."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.errors import OptionError, ShapeError, UnknownName
from circuits.fitting.identifiability import Identifiability, judge
from circuits.fitting.uncertainty import NULL_CURVATURE, Information

READABLE = ("response", "magnitude", "decibels", "phase")


def learned_names(circuit: Circuit) -> tuple[str, ...]:
    """Dotted names of the components that are asked for: those that a fit would move.

    Raises:
        OptionError: there are none. ShapeError: a batch of boards.

    >>> from circuits.filters import LowPass
    >>> learned_names(LowPass(R=500.0))
    ('R',)
    """
    if circuit.batch_shape:
        raise ShapeError(f"a batch of boards {tuple(circuit.batch_shape)}; expected one board")
    names = tuple(name for name, p in circuit.named_parameters() if p.requires_grad)
    if not names:
        raise OptionError("no component is learned; free one with requires_grad_(True)")
    return names


def sensitivity(
    circuit: Circuit, f: Tensor, quantity: str, names: Sequence[str], sigma: float | Tensor = 1.0
) -> tuple[Tensor, Tensor]:
    r"""Predictions, and how many σ each moves where a component changes by its own size.

        rows[i, :, j] = (∂h(fᵢ)/∂ ln vⱼ)/σ,    and I(fᵢ) = rowsᵢᵀ·rowsᵢ is the Fisher information of ln v

    What may be negative counts as it is, not in its logarithm; a complex response counts as two readings.

    Args:
        circuit: one board.
        f: hertz, `(n,)`.
        quantity: one of `READABLE`.
        names: p dotted component names.
        sigma: one standard deviation of a reading, in its unit.

    Returns:
        Predictions `(k, n)` and rows `(n, k or 2k, p)`.

    Raises:
        UnknownName: another quantity, or a component that is not there.

    Reference: V. V. Fedorov, Theory of Optimal Experiments (1972), chapter 1.

    >>> from circuits.filters import LowPass
    >>> f = torch.tensor([1591.5494309], dtype=torch.float64)
    >>> sensitivity(LowPass(R=100.0), f, "magnitude", ["R"])[1]  # −x²/(1+x²)^(3/2) at x = 1
    tensor([[[-0.3536]]], dtype=torch.float64)
    """
    if quantity not in READABLE:
        raise UnknownName("quantity to read", quantity, READABLE)
    prediction, jacobian = circuit.linearize(f, quantity, names)
    if not circuit.outputs:
        prediction, jacobian = prediction.unsqueeze(-2), jacobian.unsqueeze(-2)
    values, is_log = _values(circuit, names)
    rows = jacobian * torch.where(is_log, values, torch.ones_like(values)).view(-1, 1, 1)
    rows = torch.cat([rows.real, rows.imag], 1) if rows.is_complex() else rows
    return prediction, rows.permute(2, 1, 0).to(torch.float64) / sigma


def verdict(circuit: Circuit, names: Sequence[str], matrix: Tensor) -> Identifiability:
    """Which components a Fisher information `(p, p)` determines, and which combinations otherwise.

    >>> from circuits.filters import LowPass
    >>> board, f = LowPass(R=100.0), torch.tensor([100.0, 1e3, 1e4], dtype=torch.float64)
    >>> rows = sensitivity(board, f, "response", ["R", "C"])[1].flatten(0, 1)
    >>> verdict(board, ["R", "C"], rows.T @ rows).together[0].name
    'R·C'
    """
    size = matrix.diagonal().clamp_min(0).sqrt()
    scale = torch.where(size > 0, size, torch.ones_like(size))
    strength, axes = torch.linalg.eigh(matrix / (scale.unsqueeze(-1) * scale))
    seen = strength > NULL_CURVATURE * strength.amax().clamp_min(0)
    known = Information(scale.unsqueeze(0), strength.unsqueeze(0), axes.unsqueeze(0), seen.unsqueeze(0))
    covariance = known.inverse()[0].numpy(force=True)
    values, is_log = (one.numpy(force=True) for one in _values(circuit, names))
    units = circuit.units()
    return judge(tuple(names), units, values.astype(np.float64), is_log, known, covariance, 0)


def _values(circuit: Circuit, names: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Present values and which of them move as logarithms, `(p,)` each."""
    kinds = circuit.kinds()
    for name in names:
        if name not in kinds:
            raise UnknownName("component", name, kinds)
    values = torch.stack([circuit.get_parameter(name).detach() for name in names])
    return values, torch.tensor([kinds[name].positive for name in names], device=values.device)
