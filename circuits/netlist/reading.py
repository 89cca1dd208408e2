"""`read_netlist`: a circuit from a file, from a text, or from what a saved fit holds of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from circuits.component import Value
from circuits.netlist.choosing import Asked
from circuits.netlist.elements import Netlist
from circuits.netlist.language import parse_netlist, read_file
from circuits.netlist.netlist_circuit import Names, NetlistCircuit
from circuits.netlist.plain import from_plain


def read_netlist(
    source: str | os.PathLike[str] | Netlist,
    output: Asked = None,
    learn: Names = (),
    *,
    values: Mapping[str, Value] | None = None,
    batch: int | Sequence[int] = (),
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    allow_outside: bool = False,
) -> NetlistCircuit:
    r"""Make a circuit of a SPICE netlist: of a file, or of its text.

    Args:
        source: the path of a file, or a text of several lines, whose first is the title as in a file.
        output, learn, values, batch, dtype, device: as for `NetlistCircuit`.
        allow_outside: include files from anywhere, not from the netlist's own folder alone.

    Raises:
        NetlistError: a netlist that cannot be read, or whose circuit has no single solution; with file and line.
        OptionError, UnknownName, ComponentError, ShapeError: as for `NetlistCircuit`.

    >>> circuit = read_netlist("RC\nV1 in 0 AC 1\nR1 in out {R}\nC1 out 0 1u\n.param R=1k", learn="R")
    >>> round(circuit(159.155).item(), 6)
    0.707107
    """
    if isinstance(source, str) and "\n" in source:
        source = parse_netlist(source)
    elif not isinstance(source, Netlist):
        source = read_file(source, allow_outside=allow_outside)
    return NetlistCircuit(source, output, learn, values=values, batch=batch, dtype=dtype, device=device)


def made_again(recipe: Mapping[str, Any], values: Mapping[str, Value]) -> NetlistCircuit:
    """A circuit by its `NetlistCircuit.recipe`, with component values by dotted name."""
    outputs, names = recipe["outputs"], recipe["names"]
    given = {names[path]: value for path, value in values.items()}
    return NetlistCircuit(from_plain(recipe["netlist"]), outputs.get("", outputs), values=given)
