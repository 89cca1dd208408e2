"""The bench: what to make of a measurement once there is a circuit, for any `Circuit`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circuits.lab.dialogue.intervals import Interval
    from circuits.lab.dialogue.next_measurement import Advice, next_frequencies
    from circuits.lab.dialogue.session import Session
    from circuits.lab.dialogue.tones_wav import write_sweep, write_tone
    from circuits.lab.modelling.bench import Bench
    from circuits.lab.modelling.comparison import Comparison, compare_quantities
    from circuits.lab.modelling.joint import Joint, fit_jointly, join
    from circuits.lab.modelling.loading import loaded
    from circuits.lab.modelling.residuals import Pattern, residual_pattern
    from circuits.lab.modelling.weighting import weigh
    from circuits.lab.parts.drawer import Drawer, Part, read_drawer
    from circuits.lab.parts.preferred_values import nearest_preferred, series_values
    from circuits.lab.parts.snapped import Snapped, Swap
    from circuits.lab.parts.snapping import snap
    from circuits.lab.production.allocation import Allocation, cheapest_tolerances
    from circuits.lab.production.centring import Centred, centre
    from circuits.lab.production.extremes import Extremes, FirstOrder, first_order, worst_case
    from circuits.lab.production.sampling import Spread, monte_carlo
    from circuits.lab.production.specifications import Specification, leds_as_limits, read_mask
    from circuits.lab.production.tolerances import Tolerances, tolerances_of
    from circuits.lab.production.yields import Cost, Yield, estimate_yield, yield_costs
    from circuits.lab.repair.diagnosis import diagnose
    from circuits.lab.repair.faults import Fault
    from circuits.lab.repair.verdict import Diagnosis

_HOME = {
    "Advice": "circuits.lab.dialogue.next_measurement",
    "Allocation": "circuits.lab.production.allocation",
    "Bench": "circuits.lab.modelling.bench",
    "Centred": "circuits.lab.production.centring",
    "Comparison": "circuits.lab.modelling.comparison",
    "Cost": "circuits.lab.production.yields",
    "Diagnosis": "circuits.lab.repair.verdict",
    "Drawer": "circuits.lab.parts.drawer",
    "Extremes": "circuits.lab.production.extremes",
    "Fault": "circuits.lab.repair.faults",
    "FirstOrder": "circuits.lab.production.extremes",
    "Interval": "circuits.lab.dialogue.intervals",
    "Joint": "circuits.lab.modelling.joint",
    "Part": "circuits.lab.parts.drawer",
    "Pattern": "circuits.lab.modelling.residuals",
    "Session": "circuits.lab.dialogue.session",
    "Snapped": "circuits.lab.parts.snapped",
    "Specification": "circuits.lab.production.specifications",
    "Spread": "circuits.lab.production.sampling",
    "Swap": "circuits.lab.parts.snapped",
    "Tolerances": "circuits.lab.production.tolerances",
    "Yield": "circuits.lab.production.yields",
    "centre": "circuits.lab.production.centring",
    "cheapest_tolerances": "circuits.lab.production.allocation",
    "compare_quantities": "circuits.lab.modelling.comparison",
    "diagnose": "circuits.lab.repair.diagnosis",
    "estimate_yield": "circuits.lab.production.yields",
    "first_order": "circuits.lab.production.extremes",
    "fit_jointly": "circuits.lab.modelling.joint",
    "join": "circuits.lab.modelling.joint",
    "leds_as_limits": "circuits.lab.production.specifications",
    "loaded": "circuits.lab.modelling.loading",
    "monte_carlo": "circuits.lab.production.sampling",
    "nearest_preferred": "circuits.lab.parts.preferred_values",
    "next_frequencies": "circuits.lab.dialogue.next_measurement",
    "read_drawer": "circuits.lab.parts.drawer",
    "read_mask": "circuits.lab.production.specifications",
    "residual_pattern": "circuits.lab.modelling.residuals",
    "series_values": "circuits.lab.parts.preferred_values",
    "snap": "circuits.lab.parts.snapping",
    "tolerances_of": "circuits.lab.production.tolerances",
    "weigh": "circuits.lab.modelling.weighting",
    "worst_case": "circuits.lab.production.extremes",
    "write_sweep": "circuits.lab.dialogue.tones_wav",
    "write_tone": "circuits.lab.dialogue.tones_wav",
    "yield_costs": "circuits.lab.production.yields",
}

__all__ = [
    "Advice",
    "Allocation",
    "Bench",
    "Centred",
    "Comparison",
    "Cost",
    "Diagnosis",
    "Drawer",
    "Extremes",
    "Fault",
    "FirstOrder",
    "Interval",
    "Joint",
    "Part",
    "Pattern",
    "Session",
    "Snapped",
    "Specification",
    "Spread",
    "Swap",
    "Tolerances",
    "Yield",
    "centre",
    "cheapest_tolerances",
    "compare_quantities",
    "diagnose",
    "estimate_yield",
    "first_order",
    "fit_jointly",
    "join",
    "leds_as_limits",
    "loaded",
    "monte_carlo",
    "nearest_preferred",
    "next_frequencies",
    "read_drawer",
    "read_mask",
    "residual_pattern",
    "series_values",
    "snap",
    "tolerances_of",
    "weigh",
    "worst_case",
    "write_sweep",
    "write_tone",
    "yield_costs",
]


def __getattr__(name: str) -> Any:
    """Load a name when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'circuits.lab' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value
