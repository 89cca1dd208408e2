"""Back to SPICE: every circuit of the package as a netlist that ngspice runs as it is."""

from circuits.netlist.writing.spice import to_netlist, to_spice

__all__ = ["to_netlist", "to_spice"]
