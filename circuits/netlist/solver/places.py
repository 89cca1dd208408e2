"""The arrays of a `Plan` that say what its entries join, as tensors on a device: for derivatives beyond the first."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from circuits.netlist.solver.plan import Plan


@dataclass(frozen=True)
class Places:
    """Entries (source, exponent, scale, the pairs of extended indices), right-hand sides and outputs of a plan."""

    source: Tensor
    real: Tensor
    exponent: Tensor
    scale: Tensor
    rows: tuple[Tensor, Tensor]
    columns: tuple[Tensor, Tensor]
    rhs_row: Tensor
    rhs_entry: Tensor
    rhs_coef: Tensor
    rhs_const_row: Tensor
    rhs_const: Tensor
    rail_value: Tensor
    out_k: Tensor
    out_col: Tensor
    out_coef: Tensor


_KEPT: WeakKeyDictionary[Plan, dict[torch.device, Places]] = WeakKeyDictionary()


def places_of(plan: Plan, device: torch.device) -> Places:
    """The tensors of a plan on a device, made once."""
    kept = _KEPT.setdefault(plan, {})
    if device not in kept:
        kept[device] = _made(plan, device)
    return kept[device]


def _made(plan: Plan, device: torch.device) -> Places:
    def on(array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        return (tensor.long() if tensor.dtype == torch.int32 else tensor).to(device)

    names = [
        "rhs_row",
        "rhs_entry",
        "rhs_coef",
        "rhs_const_row",
        "rhs_const",
        "rail_value",
        "out_k",
        "out_col",
        "out_coef",
    ]
    return Places(
        source=on(plan.entry_source),
        real=on(plan.entry_source < plan.n_q),
        exponent=on(plan.entry_exponent),
        scale=on(plan.entry_scale),
        rows=(on(plan.entry_rp), on(plan.entry_rm)),
        columns=(on(plan.entry_cp), on(plan.entry_cm)),
        **{name: on(getattr(plan, name)) for name in names},
    )
