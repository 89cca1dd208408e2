"""`circuits graph`: what autograd makes of a circuit."""

from __future__ import annotations

import argparse

from circuits.commands.arguments import add_circuit, value_in
from circuits.commands.choosing import circuit_to_draw, shown

SUMMARY = "draw the autograd graph of a circuit"
CIRCUIT = "words"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What may be typed after the command."""
    add_circuit(parser)
    parser.add_argument("--at", metavar="HZ", type=value_in("Hz"), default=1e3, help="the frequency; 1k")
    parser.add_argument("--values", dest="show_values", action="store_true", help="show what each node computes")
    parser.add_argument("--gradients", action="store_true", help="show the derivative of |H| by each node")
    parser.add_argument("--out", metavar="FILE", help="a .svg, .png, .pdf or .dot file; DOT text on standard output")


def run(options: argparse.Namespace) -> int:
    """Draw the graph, to a file or as DOT text."""
    from circuits.views.graphs import draw_graph

    circuit = circuit_to_draw(options)
    graph = draw_graph(circuit, options.at, options.out, values=options.show_values, gradients=options.gradients)
    return shown("graph", options.out, graph.dot)
