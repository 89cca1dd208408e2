"""How much a netlist may ask for, so that none takes more time or memory than a circuit is worth."""

from __future__ import annotations

MAX_TEXT = 16 * 2**20
"""Bytes of all files of a netlist together."""
MAX_FILES = 500
"""Files read, one that is included twice counted twice."""
MAX_INCLUDES = 20
"""Files within files."""
MAX_LINE = 100_000
"""Characters of a line with all its continuations."""
MAX_NAME = 200
"""Characters of a name."""
MAX_PARENTHESES = 50
"""Parentheses within parentheses of an expression."""
MAX_DEPTH = 200
"""Operations within operations of an expression, those of its functions included."""
MAX_NODES = 10_000
"""Numbers, names and operations of one expression, those of its functions included."""
MAX_NESTING = 50
"""Subcircuits within subcircuits."""
MAX_ELEMENTS = 200_000
"""Elements and instances of the flattened netlist."""
MAX_SIZE = 50_000_000
"""Characters of all flattened names and, fifty each, nodes of all expressions."""
