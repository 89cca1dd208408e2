"""Thousands of boards from files or from one table, fitted a chunk at a time into one table; a kill costs a chunk."""

from circuits.fitting.streams.streaming import fit_many
from circuits.fitting.streams.tally import Tally

__all__ = ["Tally", "fit_many"]
