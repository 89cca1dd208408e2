"""A kill, Ctrl-C, another run beside or before it, several parts: the table has the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import circuits as cc
import losses
from circuits.errors import DataError, OptionError


def arguments(folder: Path, into: Path) -> str:
    return f"{str(folder)!r}, circuits.LowPass(R=1000.0), {str(into)!r}, chunk=2, progress=False"


def test_kills_at_any_moment_leave_the_same_bytes(folder: Path, tmp_path: Path, board: cc.LowPass):
    cc.fit_many(folder, board, tmp_path / "whole.csv", chunk=2)
    draw, into = random.Random(4), tmp_path / "all.csv"
    # the moment is drawn in work done, so that a slow machine is killed as often as a quick one
    script = f"""
        import os, signal, circuits, circuits.fitting.streams.streaming as s
        left, fit, write = [int(os.environ["LEFT"])], s.fit_chunk, s.Journal.write
        def count():
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        s.fit_chunk = lambda *given: (count(), fit(*given), count())[1]
        s.Journal.write = lambda journal, record: (write(journal, record), count())[0]
        circuits.fit_many({arguments(folder, into)})
    """
    codes = []
    for _ in range(3):
        environment = {**os.environ, "LEFT": str(draw.randrange(3, 10))}
        codes.append(
            subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=environment, check=False).returncode
        )
    assert codes == [-signal.SIGKILL] * 3
    journal = tmp_path / "all.csv.journal"
    with open(journal, "ab") as file:
        file.write(b'{"chunk": 9, "rows": [["b0')
    tally = cc.fit_many(folder, board, into, chunk=2)
    assert 0 < tally.resumed < 26 and tally.boards == 26
    assert into.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not journal.exists()


def stopped_after(monkeypatch: pytest.MonkeyPatch, chunks: int, error: type[BaseException]) -> None:
    """Let the next run end after so many chunks."""
    from circuits.fitting.streams import streaming

    fit, left = streaming.fit_chunk, [chunks]

    def counted(*given):
        left[0] -= 1
        if left[0] < 0:
            raise error
        return fit(*given)

    monkeypatch.setattr(streaming, "fit_chunk", counted)


def test_nothing_is_done_twice(folder: Path, tmp_path: Path, board: cc.LowPass, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        stopped_after(patch, 4, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            cc.fit_many(folder, board, tmp_path / "all.csv", chunk=3)
    with monkeypatch.context() as patch:
        stopped_after(patch, 5, KeyboardInterrupt)  # 9 chunks in all
        tally = cc.fit_many(folder, board, tmp_path / "all.csv", chunk=3)
    assert (tally.resumed, tally.boards) == (12, 26)


@pytest.mark.parametrize("length", [0, 1, 9, 30, 200], ids=str)
def test_a_journal_torn_in_its_first_line_begins_anew(
    folder: Path, tmp_path: Path, board: cc.LowPass, monkeypatch: pytest.MonkeyPatch, length: int
):
    with monkeypatch.context() as patch:
        stopped_after(patch, 0, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            cc.fit_many(folder, board, tmp_path / "all.csv")
    journal = tmp_path / "all.csv.journal"
    journal.write_bytes(journal.read_bytes()[:length])
    assert cc.fit_many(folder, board, tmp_path / "all.csv").fitted == 23


def test_another_run_is_refused(folder: Path, tmp_path: Path, board: cc.LowPass, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        stopped_after(patch, 1, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            cc.fit_many(folder, board, tmp_path / "all.csv", chunk=3)
    before = (tmp_path / "all.csv.journal").read_bytes()
    others: list[tuple[str, cc.Circuit, dict[str, Any]]] = [
        ("boards a chunk", board, {"chunk": 4}),
        ("values of the circuit", cc.LowPass(R=999.0), {"chunk": 3}),
        ("circuit", cc.HighPass(R=1000.0), {"chunk": 3}),
        ("loss", board, {"chunk": 3, "loss": losses.Decibel()}),
        ("number of parts", board, {"chunk": 3, "part": (0, 2)}),
    ]
    for said, circuit, options in others:
        with pytest.raises(OptionError, match=f"{said}.*delete"):
            cc.fit_many(folder, circuit, tmp_path / "all.csv", **options)
    (folder / "b99.csv").write_text("frequency_hz,magnitude\n1,1\n")
    with pytest.raises(OptionError, match="files"):
        cc.fit_many(folder, board, tmp_path / "all.csv", chunk=3)
    assert (tmp_path / "all.csv.journal").read_bytes() == before


def test_a_file_that_is_no_journal_is_left_alone(folder: Path, tmp_path: Path, board: cc.LowPass):
    journal = tmp_path / "all.csv.journal"
    for text in ("my diary\n", '{"format": "mine"}\n', "no line end"):
        journal.write_text(text)
        with pytest.raises(DataError, match="no journal"):
            cc.fit_many(folder, board, tmp_path / "all.csv")
        assert journal.read_text() == text


def test_two_runs_at_once_are_refused(folder: Path, tmp_path: Path, board: cc.LowPass):
    pytest.importorskip("fcntl")
    script = f"""
        import sys, circuits, circuits.fitting.streams.streaming as s
        s.fit_chunk = lambda *given: (print("at work", flush=True), sys.stdin.read())
        circuits.fit_many({arguments(folder, tmp_path / "all.csv")})
    """
    busy = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert busy.stdout is not None and busy.stdout.readline() == "at work\n"
        with pytest.raises(OptionError, match="at work on"):
            cc.fit_many(folder, board, tmp_path / "all.csv", chunk=2)
    finally:
        busy.kill()
        busy.communicate()
    assert cc.fit_many(folder, board, tmp_path / "all.csv", chunk=2).complete  # a kill takes the lock away


@pytest.mark.parametrize("parts", [2, 3], ids=str)
def test_parts_in_any_order_give_the_same_bytes(folder: Path, tmp_path: Path, board: cc.LowPass, parts: int):
    cc.fit_many(folder, board, tmp_path / "whole.csv", chunk=5)
    for own in reversed(range(parts)):
        tally = cc.fit_many(folder, board, tmp_path / "all.csv", chunk=5, part=(own, parts))
        assert tally.complete == (own == 0)
    assert (tmp_path / "all.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.csv", "bench", "whole.csv"]


def test_parts_that_were_begun_otherwise_make_no_table(folder: Path, tmp_path: Path, board: cc.LowPass):
    cc.fit_many(folder, board, tmp_path / "all.csv", part=(0, 2))
    with pytest.raises(OptionError, match="values of the circuit.*do that part again"):
        cc.fit_many(folder, cc.LowPass(R=900.0), tmp_path / "all.csv", part=(1, 2))
    assert not (tmp_path / "all.csv").exists()


def test_more_parts_than_chunks_and_what_torchrun_says(
    folder: Path, tmp_path: Path, board: cc.LowPass, monkeypatch: pytest.MonkeyPatch
):
    cc.fit_many(folder, board, tmp_path / "whole.csv")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, boards in (("0", 26), ("1", 0)):
        monkeypatch.setenv("RANK", rank)
        assert cc.fit_many(folder, board, tmp_path / "all.csv").boards == boards
    assert (tmp_path / "all.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_an_interrupted_fit_is_no_result(
    folder: Path, tmp_path: Path, board: cc.LowPass, monkeypatch: pytest.MonkeyPatch
):
    """A fit keeps what it had at Ctrl-C; a row of it must not reach the table."""
    from circuits.fitting.streams import batches

    result = type("Result", (), {"reason": np.array(["gradient", "interrupted"])})()
    monkeypatch.setattr(batches, "fit", lambda *given, **options: result)
    with pytest.raises(KeyboardInterrupt):
        cc.fit_many(folder, board, tmp_path / "all.csv")
    assert (tmp_path / "all.csv.journal").read_text().count("\n") == 1
