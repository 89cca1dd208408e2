"""What the README prints has to run."""

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_python_blocks_run_one_after_the_other(tmp_path, monkeypatch):
    if shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed: the README saves a graph as SVG")
    for folder in ("data", "netlists"):
        shutil.copytree(ROOT / "examples" / folder, tmp_path / "examples" / folder)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(blocks) >= 3
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    low, high = names["result"].intervals["low.R"].tolist()
    assert low < 1 / (2e-6 * 3.141592653589793 * 800) < high
    assert abs(names["step"].index) == 1000
    assert (tmp_path / "organ.png").stat().st_size > 10_000
    assert "R = 500 Ω" in (tmp_path / "graph.svg").read_text("utf-8")


def test_the_table_in_the_readme_is_what_the_command_prints(capsys, monkeypatch):
    from circuits.cli import main

    monkeypatch.chdir(ROOT)
    assert main(["fit", "examples/data/organ_leds.csv"]) == 0
    printed = capsys.readouterr().out
    table = re.search(r"```text\n(ColorOrgan by.*?)```", README, re.S)[1]
    assert table.strip() in printed


def test_every_picture_and_file_named_in_the_readme_exists():
    named = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert named and all((ROOT / name).exists() for name in named)


def test_the_test_line_is_marked_for_ci():
    assert re.search(r"<!-- test-command -->\n```sh\n[^\n]*-m pytest[^\n]*\n```", README)


def test_the_lessons_that_the_readme_lists_are_there():
    table = README.split("## Nine lessons")[1].split("\n## ")[0]
    numbers = re.findall(r"^\| (\d) \|", table, re.M)
    assert numbers == [path.name[1] for path in sorted((ROOT / "examples").glob("[0-9][0-9]_*.ipynb"))]
    assert (ROOT / re.search(r"jupyter lab (\S+)", table)[1]).exists()
