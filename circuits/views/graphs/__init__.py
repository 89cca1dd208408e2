"""The computation graph of a circuit: what autograd remembers, each operation with the term that it computes."""

from circuits.views.graphs.graph import Graph, draw_graph

__all__ = ["Graph", "draw_graph"]
