"""The bench: what to make of a measurement once there is a circuit, for any `Circuit`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circuits.lab.allocation import Allocation, cheapest_tolerances
    from circuits.lab.bench import Bench
    from circuits.lab.centring import Centred, centre
    from circuits.lab.comparison import Comparison, compare_quantities
    from circuits.lab.diagnosis import diagnose
    from circuits.lab.drawer import Drawer, Part, read_drawer
    from circuits.lab.extremes import Extremes, FirstOrder, first_order, worst_case
    from circuits.lab.faults import Fault
    from circuits.lab.intervals import Interval
    from circuits.lab.joint import Joint, fit_jointly, join
    from circuits.lab.loading import loaded
    from circuits.lab.next_measurement import Advice, next_frequencies
    from circuits.lab.preferred_values import nearest_preferred, series_values
    from circuits.lab.residuals import Pattern, residual_pattern
    from circuits.lab.sampling import Spread, monte_carlo
    from circuits.lab.session import Session
    from circuits.lab.snapped import Snapped, Swap
    from circuits.lab.snapping import snap
    from circuits.lab.specifications import Specification, leds_as_limits, read_mask
    from circuits.lab.tolerances import Tolerances, tolerances_of
    from circuits.lab.tones_wav import write_sweep, write_tone
    from circuits.lab.verdict import Diagnosis
    from circuits.lab.weighting import weigh
    from circuits.lab.yields import Cost, Yield, estimate_yield, yield_costs

_HOME = {
    "Advice": "circuits.lab.next_measurement",
    "Allocation": "circuits.lab.allocation",
    "Bench": "circuits.lab.bench",
    "Centred": "circuits.lab.centring",
    "Comparison": "circuits.lab.comparison",
    "Cost": "circuits.lab.yields",
    "Diagnosis": "circuits.lab.verdict",
    "Drawer": "circuits.lab.drawer",
    "Extremes": "circuits.lab.extremes",
    "Fault": "circuits.lab.faults",
    "FirstOrder": "circuits.lab.extremes",
    "Interval": "circuits.lab.intervals",
    "Joint": "circuits.lab.joint",
    "Part": "circuits.lab.drawer",
    "Pattern": "circuits.lab.residuals",
    "Session": "circuits.lab.session",
    "Snapped": "circuits.lab.snapped",
    "Specification": "circuits.lab.specifications",
    "Spread": "circuits.lab.sampling",
    "Swap": "circuits.lab.snapped",
    "Tolerances": "circuits.lab.tolerances",
    "Yield": "circuits.lab.yields",
    "centre": "circuits.lab.centring",
    "cheapest_tolerances": "circuits.lab.allocation",
    "compare_quantities": "circuits.lab.comparison",
    "diagnose": "circuits.lab.diagnosis",
    "estimate_yield": "circuits.lab.yields",
    "first_order": "circuits.lab.extremes",
    "fit_jointly": "circuits.lab.joint",
    "join": "circuits.lab.joint",
    "leds_as_limits": "circuits.lab.specifications",
    "loaded": "circuits.lab.loading",
    "monte_carlo": "circuits.lab.sampling",
    "nearest_preferred": "circuits.lab.preferred_values",
    "next_frequencies": "circuits.lab.next_measurement",
    "read_drawer": "circuits.lab.drawer",
    "read_mask": "circuits.lab.specifications",
    "residual_pattern": "circuits.lab.residuals",
    "series_values": "circuits.lab.preferred_values",
    "snap": "circuits.lab.snapping",
    "tolerances_of": "circuits.lab.tolerances",
    "weigh": "circuits.lab.weighting",
    "worst_case": "circuits.lab.extremes",
    "write_sweep": "circuits.lab.tones_wav",
    "write_tone": "circuits.lab.tones_wav",
    "yield_costs": "circuits.lab.yields",
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
