"""Every lesson is stripped, runs from top to bottom without a warning, and hides no error in a widget."""

from __future__ import annotations

import copy

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lessons.execution import run
from lessons.layout import EXAMPLES, faults, files, opened

LESSONS = (
    "01_color_organ.ipynb",
    "02_learning_rates_and_momentum.ipynb",
    "03_norms_and_implicit_bias.ipynb",
    "04_noise_priors_ridge.ipynb",
    "05_relu_elbows.ipynb",
    "06_initialisation.ipynb",
    "07_linearisation.ipynb",
    "08_bad_objectives.ipynb",
    "09_many_workers.ipynb",
)
SECONDS = 60
"""Of processor time, which another process on the machine does not lengthen."""

FOUND = sorted({*LESSONS, *(path.name for path in EXAMPLES.glob("[0-9][0-9]_*.ipynb"))})
lessons = pytest.mark.parametrize("lesson", FOUND)


@lessons
def test_a_lesson_is_written_as_one(lesson: str):
    assert faults(opened(EXAMPLES / lesson)) == []


@lessons
def test_a_lesson_runs_without_a_warning_or_a_hidden_error(lesson: str, verdicts):
    assert lesson in verdicts, f"examples/{lesson} is missing"
    verdict = verdicts[lesson].result()
    assert verdict.problems == [], "\n\n".join(verdict.problems)
    assert verdict.processor < SECONDS


def test_running_the_lessons_leaves_nothing_beside_them(verdicts, files_before):
    for future in verdicts.values():
        future.result()
    assert files() == files_before


# the runner itself: it must see what a plain run of a notebook does not show

SWALLOWED = """
import ipywidgets
from IPython.display import display

def fail(x):
    return 1 / 0

display(ipywidgets.interact(fail, x=(0, 3)).widget)
"""
INSIDE = """
shown = ipywidgets.Output()
with shown:
    raise LookupError("inside an Output")
"""
LATER = """
slider = ipywidgets.IntSlider()
slider.observe(lambda change: shown.append_stderr("Traceback: written into a widget"), "value")
slider.value = 2
"""
LOUD = """
import sys, threading
print("20 % of the work is done", file=sys.stderr)
thread = threading.Thread(target=lambda: [].pop())
thread.start()
thread.join()
"""


def notebook(path, *sources: str):
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), path)
    return path


def test_errors_that_a_plain_run_does_not_show_are_found(tmp_path):
    place = f"import os, circuits; assert os.path.realpath('.') == {str(tmp_path.resolve())!r}"
    calm = "print('Traceback, Warning: these are plain words')"
    sources = (place, SWALLOWED, INSIDE, LATER, LOUD, calm)
    verdict = run(notebook(tmp_path / "hidden.ipynb", *sources), tmp_path)
    assert verdict.processor > 0  # it came to the end, as a plain run of it would
    found = {problem.split()[0]: problem for problem in verdict.problems}
    assert len(verdict.problems) == 4 and list(found) == ["cell", "widget"]
    everything = "\n".join(verdict.problems)
    assert "ZeroDivisionError: division by zero" in everything
    assert "LookupError: inside an Output" in everything
    assert "written into a widget" in everything
    assert "IndexError: pop from empty list" in found["cell"]


def test_a_warning_is_an_error_and_ends_the_run(tmp_path):
    sources = ("import warnings", "warnings.warn('careful')", "this_is_not_reached")
    (problem,) = run(notebook(tmp_path / "warns.ipynb", *sources), tmp_path).problems
    assert "UserWarning: careful" in problem and "not_reached" not in problem


# the rules of a lesson, each broken once


def lesson():
    hidden = {"jupyter": {"source_hidden": True}, "tags": ["solution"]}
    exercise, solution = ("### Exercise\nSay why.", {}), ("# Solution\nprint(1)", hidden)
    texts = [("# Title\nWhy?", {}), exercise, solution, exercise, solution, ("## What was learned", {})]
    cells = [
        (new_code_cell if metadata else new_markdown_cell)(source, id=f"cell-{i}", metadata=metadata)
        for i, (source, metadata) in enumerate(texts)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return copy.deepcopy(new_notebook(cells=cells, metadata={"kernelspec": kernel}))


def broken(change) -> list[str]:
    book = lesson()
    change(book)
    return faults(book)


def test_a_lesson_by_the_rules_has_no_faults():
    assert faults(lesson()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda b: b.cells[2].outputs.append({"output_type": "stream", "name": "stdout", "text": "1"}), "outputs"),
        (lambda b: b.cells[2].update(execution_count=1), "execution count"),
        (lambda b: b.cells[1].update(id="cell-0"), "two with the same"),
        (lambda b: b.update(nbformat_minor=4), "4.5"),
        (lambda b: b.metadata.update(widgets={}), "widgets"),
        (lambda b: b.metadata.kernelspec.update(name="other"), "python3"),
        (lambda b: b.cells[0].update(source="# Title"), "question"),
        (lambda b: b.cells[-1].update(source="The end"), "What was learned"),
        (lambda b: b.cells[2].metadata.jupyter.update(source_hidden=False), "hidden code cell"),
        (lambda b: b.cells[2].update(source="print(1)"), "hidden code cell"),
        (lambda b: b.cells.pop(2), "do not follow"),
        (lambda b: b.cells[1].update(source="Say why."), "expected two to four"),
        (lambda b: b.cells[2].update(source="# Solution\nopen('/home/me/data.csv')"), "absolute path"),
        (lambda b: b.cells[2].update(source="# Solution\nopen('C:\\\\data.csv')"), "absolute path"),
    ],
)
def test_each_broken_rule_is_told(change, said: str):
    assert any(said in fault for fault in broken(change))
