"""Every benchmark starts and says its figures as the suite reads them; the comparison finds what has fallen."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
NAMES = [one.name for one in runpy.run_path(str(FOLDER / "suite" / "table.py"))["BENCHMARKS"]]
SAID = {
    "netlists": ("ladder 10", "value and gradient over the sweep"),
    "lc_filter": ("10 board(s) × 400",),
    "impedance_fits": ("1 GΩ with 1 pF",),
    "one_board": ("SciPy, default", "SciPy, lm, analytic"),
    "classroom": ("the two walks agree",),
    "pictures": ("bare arithmetic", "the loop"),
    "snapping": ("same parts",),
    "diagnosis": ("organ.cir",),
    "many_organs": ("generic: a netlist", "no compiler: ColorOrgan", "peak memory"),
}


def suite(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("OHMGRAD_FIGURES", None)
    command = [sys.executable, str(FOLDER / "run.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("name", NAMES)
def test_the_benchmark_starts(name: str, tmp_path: Path):
    if not (FOLDER / f"{name}.py").exists():
        pytest.skip("not written yet")
    done = suite("--quick", "--only", name, "--into", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WRONG" not in done.stdout
    assert [words for words in SAID.get(name, ()) if words not in done.stdout] == []
    (record,) = json.loads((tmp_path / "results.json").read_text("utf-8"))["benchmarks"]
    assert (record["name"], record["ended"], record["quick"]) == (name, "well", True)
    assert record["figures"] or record["absent"]
    for figure in record["figures"]:
        assert f"→ {figure['name']}" in done.stdout
        assert figure["wanted"] is None or figure["kind"] in ("at least", "at most", "holds")
    page = (tmp_path / "RESULTS.md").read_text("utf-8")
    assert f"### `{name}`" in page and all(figure["name"] in page for figure in record["figures"])


def figure(name: str, measured: float, kind: str = "at least", wanted: float | None = 10.0, unit: str = "times"):
    ends = {"low": measured * 0.9, "high": measured * 1.1, "note": ""}
    return {"name": name, "measured": measured, "wanted": wanted, "unit": unit, "kind": kind, **ends}


def results(folder: Path, *figures: dict, name: str = "one_board", ended: str = "well") -> None:
    record = {"name": name, "date": "today", "commit": "abc", "seconds": 1.0, "figures": [*figures], "ended": ended}
    stored = {"machine": {"processor": "made up"}, "benchmarks": [record]}
    (folder / "results.json").write_text(json.dumps(stored), "utf-8")


def compared(folder: Path, *arguments: str) -> tuple[int, str]:
    done = suite("--compare", "--stored", "--into", str(folder), *arguments)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A baseline: a ratio that should be large, one that should be small, an error, a yes, and a time."""
    results(
        tmp_path,
        figure("faster", 20.0),
        figure("sweeps", 2.0, "at most", 3.0),
        figure("error", 1e-12, "at most", 1e-9, ""),
        figure("same", 1.0, "holds", 1.0, ""),
        figure("took", 5.0, "shown", None, "ms"),
    )
    assert suite("--save-baseline", "--stored", "--into", str(tmp_path)).returncode == 0
    return tmp_path


def test_the_same_figures_are_no_worse(kept: Path):
    assert compared(kept)[0] == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (figure("faster", 14.0), "faster: fell from 20 to 14 times, by 30%"),
        (figure("sweeps", 2.8, "at most", 3.0), "sweeps: rose from 2 to 2.8 times, by 40%"),
        (figure("error", 1e-6, "at most", 1e-9, ""), "error: was met, and is not"),
        (figure("same", 0.0, "holds", 1.0, ""), "same: was met, and is not"),
        (figure("faster", 9.9, wanted=10.0), "faster: fell from 20"),
    ],
    ids=["ratio fallen", "ratio risen", "error", "no longer so", "below what is wanted"],
)
def test_what_is_worse_is_found_and_named(kept: Path, changed: dict, said: str):
    results(kept, changed)
    code, printed = compared(kept)
    assert code == 1 and f"WORSE one_board: {said}" in printed


@pytest.mark.parametrize(
    "changed",
    [
        figure("faster", 16.0),
        figure("faster", 400.0),
        figure("sweeps", 2.5, "at most", 3.0),
        figure("error", 9e-10, "at most", 1e-9, ""),
        figure("took", 50.0, "shown", None, "ms"),
    ],
    ids=["within the share", "better", "risen within the share", "an error within its limit", "a slower machine"],
)
def test_what_is_no_worse_passes(kept: Path, changed: dict):
    results(kept, changed)
    code, printed = compared(kept)
    assert code == 0 and "WORSE" not in printed


def test_the_share_is_for_the_caller_to_say(kept: Path):
    results(kept, figure("faster", 16.0))
    assert compared(kept, "--share", "0.1")[0] == 1
    assert compared(kept, "--share", "0.3")[0] == 0


def test_a_figure_that_is_not_there_is_named_and_no_failure(kept: Path):
    results(kept, figure("faster", 20.0))
    code, printed = compared(kept)
    assert code == 0 and "not measured this time: one_board: sweeps" in printed


def test_a_benchmark_that_ended_badly_is_worse(kept: Path):
    results(kept, figure("faster", 20.0), ended="exit status 1")
    code, printed = compared(kept)
    assert code == 1 and "WORSE one_board: exit status 1" in printed


def test_without_a_baseline_the_way_to_one_is_said(tmp_path: Path):
    results(tmp_path, figure("faster", 20.0))
    done = suite("--compare", "--stored", "--into", str(tmp_path))
    assert done.returncode == 1 and "--save-baseline" in done.stderr


def test_smoke_sizes_are_no_baseline(tmp_path: Path):
    for flag in ("--compare", "--save-baseline"):
        done = suite("--quick", flag, "--into", str(tmp_path))
        assert done.returncode == 2 and "measures nothing" in done.stderr


def test_an_unknown_benchmark_lists_those_that_are_there():
    done = suite("--only", "nothing_such")
    assert done.returncode == 1 and "one_board" in done.stderr


def test_the_list_names_all():
    printed = suite("--list").stdout
    assert [name for name in NAMES if name not in printed] == []
