"""Many machines: the costs of a shared fit, measured and on paper."""
