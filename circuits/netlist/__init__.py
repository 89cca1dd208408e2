"""Any linear circuit, from a SPICE netlist."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circuits.netlist.netlist_circuit import NetlistCircuit
    from circuits.netlist.reading import read_netlist
    from circuits.netlist.writing import to_netlist, to_spice

_HOME = {
    "NetlistCircuit": "circuits.netlist.netlist_circuit",
    "read_netlist": "circuits.netlist.reading",
    "to_netlist": "circuits.netlist.writing",
    "to_spice": "circuits.netlist.writing",
}

__all__ = ["NetlistCircuit", "read_netlist", "to_netlist", "to_spice"]


def __getattr__(name: str) -> Any:
    """Load a name when it is first used: who wants the language alone needs no solver."""
    if name not in _HOME:
        raise AttributeError(f"module 'circuits.netlist' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value
