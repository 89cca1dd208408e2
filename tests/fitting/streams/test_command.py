"""`circuits fit-many` as a person types it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import circuits as cc
from circuits.cli import main
from fitting.streams.bench import table_of


def test_a_folder_with_bad_files(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    into = tmp_path / "all.csv"
    status = main(["fit-many", str(folder), "--into", str(into), "--circuit", "low-pass", "--start", "R=1k"])
    said = capsys.readouterr().out
    assert status == 1  # three files could not be read
    assert "26 boards: 23 fitted, 23 of them without reserve; 3 refused" in said and f"table: {into}" in said
    cc.fit_many(folder, cc.LowPass(R=1000.0), tmp_path / "by hand.csv")
    assert into.read_bytes() == (tmp_path / "by hand.csv").read_bytes()


def test_files_one_by_one_in_parts(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    files = [str(folder / f"b0{k}.csv") for k in range(3)]
    common = ["--into", str(tmp_path / "all.csv"), "--circuit", "low-pass", "--loss", "decibel", "--fix", "C=2u"]
    assert main(["fit-many", *files, *common, "--part", "2/2"]) == 0
    assert "the part that is last done writes" in capsys.readouterr().out
    assert main(["fit-many", *files, *common, "--part", "1/2"]) == 0
    assert [row["board"] for row in table_of(tmp_path / "all.csv")] == files


def test_one_output_of_files_that_have_three(tmp_path: Path):
    organ = cc.ColorOrgan(low=200.0, band=(40.0, 160.0), high=32.0)
    for name in ("a", "b"):
        cc.simulate(organ, cc.log_grid(30, 50.0, 2e4)).to_csv(tmp_path / f"{name}.csv")
    source, into = str(tmp_path / "?.csv"), str(tmp_path / "all.csv")
    assert main(["fit-many", source, "--into", into, "--circuit", "high-pass", "--output", "high"]) == 0
    assert [round(float(row["R"]), 6) for row in table_of(tmp_path / "all.csv")] == [32.0, 32.0]
    assert main(["fit-many", source, "--into", into]) == 0  # three outputs are a color organ
    assert round(float(table_of(tmp_path / "all.csv")[1]["low.R"]), 6) == 200.0


WRONG = {
    "an empty folder": (["empty", "--into", "all.csv"], "no files in the folder"),
    "a folder without data": (["words", "--into", "all.csv"], "cannot read any of 2 boards; the first: .*a.txt"),
    "nothing there": (["nowhere", "--into", "all.csv"], "there is no 'nowhere'"),
    "a folder for the table": (["bench", "--into", "empty"], "it is a folder"),
    "no folder for the table": (["bench", "--into", "no/all.csv"], "there is no folder no"),
    "no table": (["bench"], "required: --into"),
    "no board column": (["bench/b00.csv", "--into", "all.csv"], "no column 'board'"),
    "which circuit": (["bench", "--into", "all.csv"], "name it with --circuit"),
    "a part that is none": (["bench", "--into", "all.csv", "--part", "3/2"], "'3/2' is no part"),
    "an unknown method": (["bench", "--into", "all.csv", "--circuit", "low-pass", "--method", "x"], "no method 'x'"),
    "an unknown loss": (["bench", "--into", "all.csv", "--circuit", "low-pass", "--loss", "x"], "'x'"),
    "an unknown component": (["bench", "--into", "all.csv", "--circuit", "low-pass", "--fix", "Q=1"], "no component"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_line(
    case: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "words").mkdir()
    for name in ("a", "b"):
        (tmp_path / "words" / f"{name}.txt").write_text("a letter\n")
    arguments, said = WRONG[case]
    assert main(["fit-many", *arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and re.search(said, lines[0]), lines
    assert not (tmp_path / "all.csv").exists() and not list(tmp_path.glob("*.journal*"))


def test_ctrl_c_says_how_to_go_on(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    def pressed(*given: object):
        raise KeyboardInterrupt

    arguments = ["fit-many", str(folder), "--into", str(tmp_path / "all.csv"), "--circuit", "low-pass"]
    with monkeypatch.context() as patch:
        patch.setattr("circuits.fitting.streams.streaming.fit_chunk", pressed)
        assert main(arguments) == 130
    assert "run the same command again to go on" in capsys.readouterr().out
    assert main(arguments) == 1


def test_two_processes_of_torchrun(folder: Path, tmp_path: Path):
    """They do not speak to each other: the last one that is done writes the table."""
    cc.fit_many(folder, cc.LowPass(R=500.0), tmp_path / "whole.csv")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "circuits", "fit-many"]
    typed = [str(folder), "--into", str(tmp_path / "all.csv"), "--circuit", "low-pass", "--free", "R"]
    done = subprocess.run([*command, *typed], capture_output=True, text=True, timeout=120, check=False)
    assert "26 boards: 23 fitted" in done.stdout, done.stderr
    assert (tmp_path / "all.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
