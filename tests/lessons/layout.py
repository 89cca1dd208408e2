"""How a lesson is written, so that it can be read, compared line by line, and opened on any machine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat

EXAMPLES = Path(__file__).parents[2] / "examples"
ABSOLUTE = re.compile(r"""["'(=]\s*(?:file://|/[A-Za-z_][\w.-]*/|[A-Za-z]:\\)""")
"""The beginning of a path from the root of some machine, after a quote, a bracket or an equals sign."""


def files() -> set[tuple[str, int, int]]:
    """Name, size and time of everything beside the lessons, and the names at the top of the checkout."""
    beside = [path for path in EXAMPLES.rglob("*") if path.is_file() and path.suffix != ".ipynb"]
    top = {(path.name, 0, 0) for path in EXAMPLES.parent.iterdir() if not path.name.startswith(".")}
    return top | {(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in beside}


def opened(path: Path) -> Any:
    """A notebook as the file has it; nbformat's own reader repairs on the way what is to be found here."""
    book = nbformat.from_dict(json.loads(path.read_text("utf-8")))
    for cell in book.cells:
        cell.source = "".join(cell.source)
    return book


def faults(book: Any) -> list[str]:
    """Everything in which a notebook differs from what a lesson is."""
    found = [fault for rule in (_is_valid, _is_stripped, _opens_and_closes, _hides_solutions) for fault in rule(book)]
    return found + [f"cell {cell.get('id')}: an absolute path" for cell in book.cells if ABSOLUTE.search(cell.source)]


def _is_valid(book: Any) -> Iterator[str]:
    identities = [cell.get("id") for cell in book.cells]
    if (book.nbformat, book.nbformat_minor) < (4, 5):
        yield f"format {book.nbformat}.{book.nbformat_minor}; expected 4.5, which has cell ids"
    elif None in identities or len(set(identities)) < len(identities):
        yield "a cell without an id, or two with the same"
    else:
        try:
            nbformat.validate(book)
        except nbformat.ValidationError as error:
            yield f"no valid notebook: {error.message}"


def _is_stripped(book: Any) -> Iterator[str]:
    if book.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "the kernel is not `python3`"
    if extra := set(book.metadata) - {"kernelspec", "language_info"}:
        yield f"metadata that is no lesson's: {', '.join(sorted(extra))}"
    for cell in book.cells:
        if cell.cell_type == "code" and (cell.outputs or cell.execution_count is not None):
            yield f"cell {cell.get('id')}: outputs or an execution count"


def _opens_and_closes(book: Any) -> Iterator[str]:
    first, last = book.cells[0], book.cells[-1]
    if first.cell_type != "markdown" or not first.source.startswith("# ") or "?" not in first.source:
        yield "the first cell is no title with a question"
    if last.cell_type != "markdown" or not last.source.startswith("## What was learned"):
        yield "the last cell is not `## What was learned`"


def _hides_solutions(book: Any) -> Iterator[str]:
    exercises = [i for i, cell in enumerate(book.cells) if cell.source.startswith("### Exercise")]
    solutions = [i for i, cell in enumerate(book.cells) if "solution" in cell.metadata.get("tags", ())]
    if not 2 <= len(exercises) <= 4:
        yield f"{len(exercises)} exercises; expected two to four"
    if solutions != [i + 1 for i in exercises]:
        yield "exercises and solutions do not follow one another"
    for i in solutions:
        cell = book.cells[i]
        is_hidden = cell.metadata.get("jupyter", {}).get("source_hidden") is True
        if cell.cell_type != "code" or not is_hidden or not cell.source.startswith("# Solution"):
            yield f"cell {cell.get('id')}: a solution is a hidden code cell that begins with `# Solution`"
