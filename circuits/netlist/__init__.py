"""Any linear circuit, from a SPICE netlist."""
