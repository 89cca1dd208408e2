"""Run one notebook from top to bottom with warnings as errors, and say everything that went wrong in it.

`python -m lessons.execution NOTEBOOK FOLDER` prints the verdict as JSON. It is a program of its own, so that neither
its event loop nor the kernel's environment has anything to do with the process that tests.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

TESTS = Path(__file__).parents[1]
CELL_SECONDS = 240
"""After this long a cell hangs; how long a lesson may take is for the tests to judge."""

FIRST_CELL = """
import warnings
warnings.simplefilter("error")
warnings.filterwarnings("ignore", "(The distutils package is deprecated|distutils Version classes are deprecated)",
                        DeprecationWarning)
warnings.filterwarnings("ignore", module=r"(ipykernel|IPython|jupyter_client|tornado|zmq)\\b")
"""
"""Warnings are errors, but for torchviz's about distutils and for what the kernel says of itself."""
LAST_CELL = "import resource; print(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))"
ALARMING = re.compile(r"Traceback|\bWarning\b|Warning:|Exception ignored|^\w*Error\b", re.MULTILINE)
WIDGETS = "application/vnd.jupyter.widget-state+json"


@dataclass
class Verdict:
    """What running a notebook showed.

    Attributes:
        problems: every error, warning and traceback, those inside widgets included; empty is a pass.
        seconds: wall-clock time of all, the kernel's start included.
        processor: seconds of processor time that the kernel spent; NaN where it did not come to the end.
    """

    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0
    processor: float = float("nan")


def run(notebook: Path, folder: Path) -> Verdict:
    """Execute a notebook in a process of its own, with `folder` as its working directory."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONWARNINGS", "COV_CORE"))}
    with tempfile.TemporaryDirectory() as scratch:
        _write_kernelspec(Path(scratch))
        places = {name: scratch for name in ("IPYTHONDIR", "JUPYTER_PATH", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR")}
        places |= {"JUPYTER_RUNTIME_DIR": f"{scratch}/runtime", "JUPYTER_PLATFORM_DIRS": "1"}
        # the package under test comes from this checkout; one thread, since two lessons run side by side
        paths = os.pathsep.join([str(TESTS.parent), str(TESTS)])
        environment = keep | places | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "lessons.execution", str(notebook), str(folder)]
        done = subprocess.run(command, env=environment, cwd=TESTS, capture_output=True, text=True, check=False)
    if done.returncode:
        return Verdict([f"the notebook could not be run: {done.stderr[-2000:]}"])
    return Verdict(**json.loads(done.stdout.splitlines()[-1]))


def _write_kernelspec(folder: Path) -> None:
    """A kernel named `python3` that is this very interpreter, whatever else is installed on the machine."""
    kernel = folder / "kernels" / "python3"
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    specification = {"argv": command, "display_name": "Python 3", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(specification), "utf-8")


def execute(notebook: Path, folder: Path) -> Verdict:
    """The same in this process."""
    began = time.perf_counter()
    book = nbformat.read(notebook, as_version=4)
    book.cells.insert(0, nbformat.v4.new_code_cell(FIRST_CELL))
    book.cells.append(nbformat.v4.new_code_cell(LAST_CELL))
    client = NotebookClient(
        book, timeout=CELL_SECONDS, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    problems, processor = [], float("nan")
    try:
        client.execute()
        processor = float(book.cells[-1].outputs[0].text)
    except (CellTimeoutError, DeadKernelError) as error:
        problems.append(f"{type(error).__name__}: {error}"[:2000])
    except CellExecutionError:
        pass  # the cell has it among its outputs
    problems += visible_problems(book) + hidden_problems(book)
    return Verdict(problems, time.perf_counter() - began, processor)


def visible_problems(book: Any) -> list[str]:
    """Errors and alarming messages among the outputs of the cells."""
    cells = ((f"cell {cell.get('id')}", cell.outputs) for cell in book.cells if cell.cell_type == "code")
    return [problem for place, outputs in cells for problem in _problems(place, outputs)]


def hidden_problems(book: Any) -> list[str]:
    """Errors in the saved state of `Output` widgets, which swallow what is raised inside them."""
    state = book.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})
    outputs = ((f"widget {name}", model["state"].get("outputs", ())) for name, model in state.items())
    return [problem for place, shown in outputs for problem in _problems(place, shown)]


def _problems(place: str, outputs: Any) -> Iterator[str]:
    for output in outputs:
        kind = output.get("output_type")
        if kind == "error":
            yield f"{place}: {output['ename']}: {output['evalue']}\n" + _plain("\n".join(output["traceback"]))
        elif kind == "stream" and output["name"] == "stderr" and ALARMING.search(output["text"]):
            yield f"{place}, standard error: {_plain(output['text'])}"


def _plain(text: str) -> str:
    """Without the colours of a terminal, the last lines."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)[-3000:]


if __name__ == "__main__":
    print(json.dumps(asdict(execute(Path(sys.argv[1]), Path(sys.argv[2])))))
