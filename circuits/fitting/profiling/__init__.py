"""Profile likelihood: how far a value can move while all others follow it, before the data object."""

from circuits.fitting.profiling.profiled import Profiled, ProfileLine

__all__ = ["ProfileLine", "Profiled"]
