"""What belongs to a measurement and not to the circuit: gain, delay, loading, weights; several files, other views."""
