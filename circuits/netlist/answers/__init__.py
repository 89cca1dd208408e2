"""What can be asked of a netlist beside its response: small functions, one subject a file."""
