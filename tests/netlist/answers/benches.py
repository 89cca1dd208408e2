"""What the tests of answers share: netlists from a few lines, and values to differentiate by."""

from __future__ import annotations

import torch

from circuits.netlist.answers.pencil import free_values
from circuits.netlist.elements import Netlist
from circuits.netlist.language import parse_netlist


def net(*lines: str) -> Netlist:
    """A netlist of these lines, a title before them."""
    return parse_netlist("\n".join(["a test", *lines, ""]))


def leaves(netlist: Netlist, *names: str) -> dict[str, torch.Tensor]:
    """The free values of a netlist, the named ones ready for gradients."""
    values = free_values(netlist)
    return {name: value.requires_grad_() if name in names else value for name, value in values.items()}


def relative(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """The largest deviation relative to the largest number."""
    return float((found - wanted).abs().max() / wanted.abs().max())
