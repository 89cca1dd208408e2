"""Schematics: a plan for each kind of circuit, drawn on a sheet."""

from circuits.views.schematics.plans import PLANS
from circuits.views.schematics.schematic import Schematic, draw_schematic

__all__ = ["PLANS", "Schematic", "draw_schematic"]
