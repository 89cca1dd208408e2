"""Circuits whose component values are learnable PyTorch tensors.

The names below are loaded when they are first used, so that `import circuits` costs next to nothing.

>>> import circuits as cc, losses
>>> bench = cc.simulate(cc.LowPass(R=200.0), cc.tones(300), "led")
>>> board = cc.LowPass(R=500.0)
>>> cc.fit(board, bench, losses.LogisticLed()).converged
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circuits.bode import Bode, BodeBandPass
    from circuits.circuit import Circuit
    from circuits.color_organ import ColorOrgan
    from circuits.component import FARAD, HERTZ, OHM, RATIO, Component
    from circuits.data import Measurements, log_grid, read, simulate, tones
    from circuits.errors import OhmgradError
    from circuits.filters import BandPass, HighPass, LoadedBandPass, LowPass
    from circuits.fitting import (
        LBFGS,
        EstimatedDescent,
        Fit,
        GradientDescent,
        LevenbergMarquardt,
        SignDescent,
        Stop,
        TorchOptimiser,
        fit,
        iterate,
        load_fit,
    )
    from circuits.fitting.distributed import fit_distributed
    from circuits.fitting.many import compile_fit
    from circuits.fitting.streams import fit_many
    from circuits.fitting.workers import fit_with_workers
    from circuits.netlist import NetlistCircuit, read_netlist, to_spice
    from circuits.views import (
        draw_graph,
        draw_schematic,
        explore,
        plot_contributions,
        plot_history,
        plot_loss_surface,
        plot_response,
        plot_sensitivities,
        replay,
    )

_HOME = {
    "circuits.bode": ("Bode", "BodeBandPass"),
    "circuits.circuit": ("Circuit",),
    "circuits.color_organ": ("ColorOrgan",),
    "circuits.component": ("Component", "FARAD", "HERTZ", "OHM", "RATIO"),
    "circuits.data": ("Measurements", "log_grid", "read", "simulate", "tones"),
    "circuits.errors": ("OhmgradError",),
    "circuits.filters": ("BandPass", "HighPass", "LoadedBandPass", "LowPass"),
    "circuits.fitting": (
        "LBFGS",
        "EstimatedDescent",
        "Fit",
        "GradientDescent",
        "LevenbergMarquardt",
        "SignDescent",
        "Stop",
        "TorchOptimiser",
        "fit",
        "iterate",
        "load_fit",
    ),
    "circuits.fitting.distributed": ("fit_distributed",),
    "circuits.fitting.many": ("compile_fit",),
    "circuits.fitting.streams": ("fit_many",),
    "circuits.fitting.workers": ("fit_with_workers",),
    "circuits.netlist": ("NetlistCircuit", "read_netlist", "to_spice"),
    "circuits.views": (
        "draw_graph",
        "draw_schematic",
        "explore",
        "plot_contributions",
        "plot_history",
        "plot_loss_surface",
        "plot_response",
        "plot_sensitivities",
        "replay",
    ),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__version__ = "0.1.0"
__all__ = [
    "FARAD",
    "HERTZ",
    "LBFGS",
    "OHM",
    "RATIO",
    "BandPass",
    "Bode",
    "BodeBandPass",
    "Circuit",
    "ColorOrgan",
    "Component",
    "EstimatedDescent",
    "Fit",
    "GradientDescent",
    "HighPass",
    "LevenbergMarquardt",
    "LoadedBandPass",
    "LowPass",
    "Measurements",
    "NetlistCircuit",
    "OhmgradError",
    "SignDescent",
    "Stop",
    "TorchOptimiser",
    "compile_fit",
    "draw_graph",
    "draw_schematic",
    "explore",
    "fit",
    "fit_distributed",
    "fit_many",
    "fit_with_workers",
    "iterate",
    "load_fit",
    "log_grid",
    "plot_contributions",
    "plot_history",
    "plot_loss_surface",
    "plot_response",
    "plot_sensitivities",
    "read",
    "read_netlist",
    "replay",
    "simulate",
    "to_spice",
    "tones",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its room when it is first used (PEP 562)."""
    if name not in _MODULE:
        raise AttributeError(f"module 'circuits' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(_MODULE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
