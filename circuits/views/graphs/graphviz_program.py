"""Graphviz: from DOT text to a picture, by its program `dot` or else by pygraphviz, which brings its own."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

from circuits.errors import GraphvizMissing, OptionError

FORMATS = ("svg", "png", "pdf")
PATIENCE = 120.0
"""Seconds that `dot` may take; a graph that needs more is no picture any more."""

HOW_TO_GET_IT = (
    "Graphviz's program `dot` is not installed; install Graphviz (Debian: apt-get install graphviz; macOS: brew "
    "install graphviz; Windows: winget install graphviz; anywhere: pip install pygraphviz) or use .dot, the graph as "
    "text"
)
_SHARP = "-Gdpi=150"


def is_installed() -> bool:
    """Whether there is something to draw with: `dot` on the search path, or pygraphviz."""
    return shutil.which("dot") is not None or _library() is not None


def render(dot: str, format: str) -> bytes:
    """Draw DOT text as "svg", "png" or "pdf".

    Raises:
        GraphvizMissing: neither `dot` is on the search path nor pygraphviz installed.
        OptionError: Graphviz refused, or did not come to an end.
    """
    program, library = shutil.which("dot"), None
    if program is None:
        library = _library()
        if library is None:
            raise GraphvizMissing(HOW_TO_GET_IT)
        return _by_library(library, dot, format)
    command = [program, f"-T{format}", *([_SHARP] if format == "png" else [])]
    try:
        done = subprocess.run(command, input=dot.encode(), capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise OptionError(f"`dot` took more than {PATIENCE:g} s; draw a smaller part, or use .dot") from None
    if done.returncode != 0:
        raise _refused(done.stderr.decode(errors="replace") or f"exit status {done.returncode}")
    return done.stdout


def _library() -> Any:
    """The module pygraphviz, or None; it is never required."""
    try:
        import pygraphviz  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    return pygraphviz


def _by_library(library: Any, dot: str, format: str) -> bytes:
    try:
        with library.AGraph(string=dot) as graph:
            return graph.draw(None, format=format, prog="dot", args=_SHARP if format == "png" else "")
    except (OSError, ValueError) as error:  # DotError is a ValueError
        raise _refused(str(error)) from error


def _refused(said: str) -> OptionError:
    return OptionError(f"`dot` could not draw the graph: {said.strip().partition(chr(10))[0]}; use .dot")
