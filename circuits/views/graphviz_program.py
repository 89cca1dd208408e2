"""Graphviz's `dot`: from DOT text to a picture."""

from __future__ import annotations

import shutil
import subprocess

from circuits.errors import GraphvizMissing, OptionError

FORMATS = ("svg", "png", "pdf")
PATIENCE = 120.0
"""Seconds that `dot` may take; a graph that needs more is no picture any more."""

HOW_TO_GET_IT = (
    "Graphviz's program `dot` is not installed; install Graphviz (Debian: apt-get install graphviz; macOS: brew "
    "install graphviz; Windows: winget install graphviz) or use .dot, the graph as text"
)


def is_installed() -> bool:
    """Whether `dot` is on the search path."""
    return shutil.which("dot") is not None


def render(dot: str, format: str) -> bytes:
    """Draw DOT text as "svg", "png" or "pdf".

    Raises:
        GraphvizMissing: `dot` is not on the search path.
        OptionError: `dot` refused, or did not come to an end.
    """
    program = shutil.which("dot")
    if program is None:
        raise GraphvizMissing(HOW_TO_GET_IT)
    command = [program, f"-T{format}", *(["-Gdpi=150"] if format == "png" else [])]
    try:
        done = subprocess.run(command, input=dot.encode(), capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise OptionError(f"`dot` took more than {PATIENCE:g} s; draw a smaller part, or use .dot") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise OptionError(f"`dot` could not draw the graph: {said or f'exit status {done.returncode}'}; use .dot")
    return done.stdout
