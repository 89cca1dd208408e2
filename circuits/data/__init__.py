"""What was measured: `Measurements`, the readers that make them from files, and simulated ones."""

from circuits.data.measurements import QUANTITIES, Measurements
from circuits.data.reading import read
from circuits.data.simulation import log_grid, simulate, tones

__all__ = ["QUANTITIES", "Measurements", "log_grid", "read", "simulate", "tones"]
