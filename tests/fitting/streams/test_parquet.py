"""The same from and into Parquet."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import circuits as cc
from circuits.errors import DataError, OptionError
from fitting.streams.bench import OHMS, noisy, table_of

TEXTS = ("board", "verdict", "reason")


def test_into_parquet_is_the_table_of_numbers(folder: Path, tmp_path: Path, board: cc.LowPass):
    parquet = pytest.importorskip("pyarrow.parquet", reason="NOT RUN: pyarrow is missing")
    cc.fit_many(folder, board, tmp_path / "all.csv")
    cc.fit_many(folder, board, tmp_path / "all.parquet")
    rows = parquet.read_table(tmp_path / "all.parquet").to_pylist()
    for row, said in zip(rows, table_of(tmp_path / "all.csv"), strict=True):
        assert list(row) == list(said)
        numbers = {name: None if text == "" else float(text) for name, text in said.items() if name not in TEXTS}
        assert row == {**said, **numbers}


def test_parts_of_parquet_have_the_same_bytes(folder: Path, tmp_path: Path, board: cc.LowPass):
    pytest.importorskip("pyarrow", reason="NOT RUN: pyarrow is missing")
    cc.fit_many(folder, board, tmp_path / "whole.parquet", chunk=5)
    for own in (1, 0):
        cc.fit_many(folder, board, tmp_path / "all.parquet", chunk=5, part=(own, 2))
    assert (tmp_path / "all.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_from_parquet(tmp_path: Path, board: cc.LowPass):
    arrow = pytest.importorskip("pyarrow", reason="NOT RUN: pyarrow is missing")
    import pyarrow.parquet

    boards = [(7 * k, noisy(ohms, k, 30 + k)) for k, ohms in enumerate(OHMS[:5])]
    columns = {
        "dut": [number for number, data in boards for _ in range(len(data))],
        "f / Hz": [f for _, data in boards for f in data.f.tolist()],
        "magnitude": [m for _, data in boards for m in data.values.tolist()],
    }
    columns["magnitude"][3] = None  # type: ignore[call-overload]
    pyarrow.parquet.write_table(arrow.table(columns), tmp_path / "boards.parquet", row_group_size=50)
    cc.fit_many(tmp_path / "boards.parquet", board, tmp_path / "all.csv", board="dut", chunk=2)
    rows = table_of(tmp_path / "all.csv")
    assert [row["board"] for row in rows] == ["0", "7", "14", "21", "28"]
    for row, (_, data) in zip(rows, boards, strict=True):
        if row["board"] == "0":
            data.values[3] = float("nan")
        alone = cc.fit(cc.LowPass(R=1000.0), data)
        assert float(row["R"]) == pytest.approx(alone.values["R"].item(), rel=1e-9)


def test_what_is_no_parquet(tmp_path: Path, board: cc.LowPass):
    pytest.importorskip("pyarrow", reason="NOT RUN: pyarrow is missing")
    (tmp_path / "boards.parquet").write_text("board,f,magnitude\n")
    with pytest.raises(DataError, match="no Parquet file"):
        cc.fit_many(tmp_path / "boards.parquet", board, tmp_path / "all.csv")


def test_without_pyarrow_it_is_said_how_to_get_it(
    folder: Path, tmp_path: Path, board: cc.LowPass, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OptionError, match=r"ohmgrad\[parquet\]"):
        cc.fit_many(folder, board, tmp_path / "all.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["bench"]
