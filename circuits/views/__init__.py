"""Pictures of a fit, a circuit or measurements, each by one call; loaded when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circuits.views.contributions import plot_contributions
    from circuits.views.explorer import Explorer, explore
    from circuits.views.graphs import Graph, draw_graph
    from circuits.views.history import plot_history
    from circuits.views.loss_surface import plot_loss_surface
    from circuits.views.playback import Replay, replay
    from circuits.views.response import plot_response
    from circuits.views.schematics import Schematic, draw_schematic
    from circuits.views.sensitivity import plot_sensitivities
    from circuits.views.style import shade_band

_HOME = {
    "circuits.views.explorer": ("Explorer", "explore"),
    "circuits.views.graphs": ("Graph", "draw_graph"),
    "circuits.views.playback": ("Replay", "replay"),
    "circuits.views.contributions": ("plot_contributions",),
    "circuits.views.response": ("plot_response",),
    "circuits.views.schematics": ("Schematic", "draw_schematic"),
    "circuits.views.sensitivity": ("plot_sensitivities",),
    "circuits.views.style": ("shade_band",),
    "circuits.views.loss_surface": ("plot_loss_surface",),
    "circuits.views.history": ("plot_history",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Explorer",
    "Graph",
    "Replay",
    "Schematic",
    "draw_graph",
    "draw_schematic",
    "explore",
    "plot_contributions",
    "plot_history",
    "plot_loss_surface",
    "plot_response",
    "plot_sensitivities",
    "replay",
    "shade_band",
]


def __getattr__(name: str) -> Any:
    """Load a name from its module when it is first used (PEP 562): a plot needs no widgets, a widget no Graphviz."""
    if name not in _MODULE:
        raise AttributeError(f"module 'circuits.views' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(_MODULE[name]), name)
    globals()[name] = value
    return value
