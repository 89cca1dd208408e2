"""`circuits schematic`: the parts of a circuit and how they are wired."""

from __future__ import annotations

import argparse

from circuits.commands.arguments import add_circuit
from circuits.commands.choosing import circuit_to_draw, shown

SUMMARY = "draw the schematic of a circuit with the values of its parts"
CIRCUIT = "words"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What may be typed after the command."""
    add_circuit(parser)
    parser.add_argument("--out", metavar="FILE", help="a .svg, .png or .pdf file; SVG text on standard output")


def run(options: argparse.Namespace) -> int:
    """Draw the schematic, to a file or as SVG text."""
    from circuits.views.schematics import draw_schematic

    circuit = circuit_to_draw(options)
    return shown("schematic", options.out, draw_schematic(circuit, options.out).svg + "\n")
