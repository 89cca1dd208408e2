"""Pictures: the computation graph of a circuit, and its response over what was measured."""

from circuits.views.graph import Graph, draw_graph
from circuits.views.response import plot_response

__all__ = ["Graph", "draw_graph", "plot_response"]
