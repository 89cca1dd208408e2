"""Whether a notebook is around to show what moves."""

from __future__ import annotations

import sys

from circuits.errors import NotebookMissing


def check_notebook(name: str, instead: str) -> None:
    """Refuse to make something that nobody could move.

    Args:
        name: of the function that was called.
        instead: what to do.

    Raises:
        NotebookMissing: no IPython kernel runs this.
    """
    interpreter = sys.modules.get("IPython")
    shell = None if interpreter is None else interpreter.get_ipython()
    if getattr(shell, "kernel", None) is None:
        raise NotebookMissing(f"{name} moves in a notebook and none is around; {instead}")
