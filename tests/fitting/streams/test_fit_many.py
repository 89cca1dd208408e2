"""`fit_many`: the same rows as each file alone, whatever stands beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import circuits as cc
import losses
from circuits.errors import DataError, OptionError, UnknownName
from fitting.streams.bench import BAD, OHMS, noisy, table_of


def test_rows_are_those_of_each_file_alone(folder: Path, tmp_path: Path, board: cc.LowPass):
    tally = cc.fit_many(folder, board, tmp_path / "all.csv")
    table = table_of(tmp_path / "all.csv")
    assert [row["board"] for row in table] == sorted(path.name for path in folder.iterdir())
    assert (tally.boards, tally.fitted, tally.refused, tally.resumed) == (26, 23, 3, 0)
    for row in table:
        if row["board"] in BAD:
            continue
        alone = cc.fit(cc.LowPass(R=1000.0), cc.read(folder / row["board"]))
        assert float(row["R"]) == pytest.approx(float(alone.values["R"]), rel=1e-9)
        assert float(row["R_sigma"]) == pytest.approx(float(alone.errors["R"]), rel=1e-6)
        assert float(row["loss"]) == pytest.approx(alone.loss, rel=1e-9)
        assert row["verdict"] == "explains the data"
    assert board.R.item() == 1000.0


def test_values_are_those_that_were_measured(folder: Path, tmp_path: Path, board: cc.LowPass):
    cc.fit_many(folder, board, tmp_path / "all.csv")
    found = [(float(row["R"]), float(row["R_sigma"])) for row in table_of(tmp_path / "all.csv") if row["R"]]
    pulls = [(value - ohms) / sigma for (value, sigma), ohms in zip(found, OHMS, strict=True)]
    assert max(map(abs, pulls)) < 4
    assert 0.4 < (sum(pull**2 for pull in pulls) / len(pulls)) ** 0.5 < 1.8


def test_bad_files_are_told_with_what_read_says(folder: Path, tmp_path: Path, board: cc.LowPass):
    cc.fit_many(folder, board, tmp_path / "all.csv")
    for row in table_of(tmp_path / "all.csv"):
        if row["board"] not in BAD:
            assert row["reason"] == ""
            continue
        with pytest.raises((DataError, ValueError)) as said:
            cc.read(folder / row["board"])
        assert row["reason"] == " ".join(str(said.value).split())
        assert (row["R"], row["loss"], row["verdict"]) == ("", "", "not fitted")


def test_a_board_that_spoils_its_batch_is_found(tmp_path: Path):
    """LEDs that are never lit are refused by `fit`, and so would be the batch that they are in."""
    folder = tmp_path / "leds"
    folder.mkdir()
    organ = cc.ColorOrgan(low=200.0, band=(40.0, 160.0), high=32.0)
    good = cc.simulate(organ, cc.log_grid(30, 50.0, 2e4), quantity="led")
    for k in range(12):
        good.to_csv(folder / f"{k:02d}.csv")
    dark = cc.Measurements(good.f, "led", torch.zeros_like(good.values), outputs=good.outputs)
    dark.to_csv(folder / "05.csv")
    start = cc.ColorOrgan(low=300.0, band=(60.0, 200.0), high=50.0)
    tally = cc.fit_many(folder, start, tmp_path / "all.csv")
    refused = [row for row in table_of(tmp_path / "all.csv") if row["verdict"] == "not fitted"]
    assert [row["board"] for row in refused] == ["05.csv"] and tally.fitted == 11
    with pytest.raises(DataError) as said:
        cc.fit(cc.ColorOrgan(low=300.0, band=(60.0, 200.0), high=50.0), dark)
    assert refused[0]["reason"] == " ".join(str(said.value).split())


@pytest.mark.parametrize("sigma", [None, 0.02], ids=["no sigma", "sigma"])
def test_every_board_may_have_a_grid_of_its_own(tmp_path: Path, sigma: float | None):
    """Short ones are filled up to the longest of their batch, and must not feel it."""
    folder, alone = tmp_path / "bench", []
    folder.mkdir()
    for k, points in enumerate((33, 40, 47, 60, 17)):
        data = noisy(OHMS[k], k, points)
        spread = None if sigma is None else torch.linspace(sigma, 2 * sigma, points, dtype=torch.float64)
        data = cc.Measurements(data.f * (1 + k / 10), "magnitude", data.values, spread)
        data.to_csv(folder / f"{k}.csv")
        alone.append(cc.fit(cc.LowPass(R=1000.0), data))
    cc.fit_many(folder, cc.LowPass(R=1000.0), tmp_path / "all.csv")
    for row, result in zip(table_of(tmp_path / "all.csv"), alone, strict=True):
        assert float(row["R"]) == pytest.approx(result.values["R"].item(), rel=1e-9)
        assert float(row["R_sigma"]) == pytest.approx(result.errors["R"].item(), rel=1e-6)
        assert float(row["loss"]) == pytest.approx(result.loss, rel=1e-9)


def test_verdicts(tmp_path: Path):
    """Data of another circuit, and values of which the data know only the product."""
    folder = tmp_path / "bench"
    folder.mkdir()
    cc.simulate(cc.LowPass(R=200.0), cc.log_grid(40, 20.0, 2e4)).to_csv(folder / "a.csv")
    cc.simulate(cc.HighPass(R=200.0), cc.log_grid(40, 20.0, 2e4)).to_csv(folder / "b.csv")
    both = cc.LowPass(R=500.0)
    both.C.requires_grad_(True)
    cc.fit_many(folder, both, tmp_path / "all.csv")
    rows = table_of(tmp_path / "all.csv")
    assert rows[0]["verdict"] == "explains the data, which do not determine R, C"
    assert rows[0]["R_sigma"] == rows[0]["C_sigma"] == "inf"
    assert rows[1]["verdict"] == "does not explain the data" or rows[1]["verdict"].startswith("did not converge")
    cc.fit_many(folder, cc.LowPass(R=500.0), tmp_path / "short.csv", stop=cc.Stop(steps=1))
    assert table_of(tmp_path / "short.csv")[0]["verdict"] == "did not converge: the number of steps was used up"


def test_sources_are_the_same_boards(folder: Path, tmp_path: Path, board: cc.LowPass):
    cc.fit_many(folder, board, tmp_path / "folder.csv")
    paths = sorted(folder.iterdir())
    cc.fit_many(paths, board, tmp_path / "list.csv")
    cc.fit_many(f"{folder}/*.csv", board, tmp_path / "pattern.csv")
    wanted = [(row["R"], row["R_sigma"], row["verdict"]) for row in table_of(tmp_path / "folder.csv")]
    for name in ("list.csv", "pattern.csv"):
        rows = table_of(tmp_path / name)
        assert [(row["R"], row["R_sigma"], row["verdict"]) for row in rows] == wanted
        assert [row["board"] for row in rows] == [str(path) for path in paths]


@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_one_table_of_all_boards(tmp_path: Path, board: cc.LowPass, separator: str):
    lines = ["# a remark", separator.join(["f / Hz", "dut", "magnitude"])]
    for k, ohms in enumerate(OHMS[:9]):
        data = noisy(ohms, k)
        points = zip(data.f.tolist(), data.values.tolist(), strict=True)
        lines += [separator.join([str(f), f"B {k}", str(m)]) for f, m in points]
    lines[30] = separator.join(["-1", "B 0", "0.5"])
    lines.append(separator.join(["100", "B 3", "0.9"]))
    (tmp_path / "boards.csv").write_text("\n".join(lines) + "\n")
    tally = cc.fit_many(tmp_path / "boards.csv", board, tmp_path / "all.csv", board="dut", chunk=4)
    rows = table_of(tmp_path / "all.csv")
    assert [row["board"] for row in rows] == [*(f"B {k}" for k in range(9)), "B 3"]
    assert (tally.fitted, tally.refused) == (8, 2)
    assert "positive" in rows[0]["reason"] and "apart" in rows[-1]["reason"]
    for k in range(1, 9):
        alone = cc.fit(cc.LowPass(R=1000.0), noisy(OHMS[k], k))
        assert float(rows[k]["R"]) == pytest.approx(float(alone.values["R"]), rel=1e-9)


def test_a_table_without_the_column_lists_those_it_has(tmp_path: Path, board: cc.LowPass):
    (tmp_path / "t.csv").write_text("frequency_hz,magnitude\n1,2\n")
    with pytest.raises(DataError, match="no column 'board'.*frequency_hz, magnitude"):
        cc.fit_many(tmp_path / "t.csv", board, tmp_path / "all.csv")


def test_options_reach_the_fit(folder: Path, tmp_path: Path, board: cc.LowPass):
    board.C.requires_grad_(True)
    cc.fit_many(folder, board, tmp_path / "all.csv", losses.Decibel(), fixed={"C": "2u"}, bounds={"R": (10.0, 5e3)})
    rows = table_of(tmp_path / "all.csv")
    assert "C" not in rows[0] and board.C.item() == 1e-6
    for k in (0, 7, 20):
        alone = cc.fit(
            cc.LowPass(R=1000.0),
            noisy(OHMS[k], k, 31 if k == 7 else 40),
            losses.Decibel(),
            fixed={"C": "2u"},
            bounds={"R": (10.0, 5e3)},
        )
        row = next(row for row in rows if row["board"] == f"b{k:02d}.csv")
        assert float(row["R"]) == pytest.approx(float(alone.values["R"]), rel=1e-9)


def test_any_circuit(tmp_path: Path):
    """A netlist whose two resistors are tied, at one of the outputs of the files."""
    text = "divider\nV1 in 0 AC 1\nR1 in out 500 ; @learn\nR2 out 0 10k ; @learn\nC1 out 0 1u\n.end\n"
    (tmp_path / "a.cir").write_text(text)
    folder = tmp_path / "bench"
    folder.mkdir()
    for k, ohms in enumerate((300.0, 400.0)):
        data = cc.simulate(cc.read_netlist(text, "V(out)/V(in)", values={"R1": ohms}), cc.log_grid(30, 10.0, 1e4))
        both = torch.stack([data.values, data.values * 2])
        cc.Measurements(data.f, data.quantity, both, outputs=("x", "y")).to_csv(folder / f"{k}.csv")
    start = cc.read_netlist(text, "V(out)/V(in)")
    cc.fit_many(folder, start, tmp_path / "all.csv", outputs="x")
    rows = table_of(tmp_path / "all.csv")
    assert [round(float(row["R1"]), 4) for row in rows] == [300.0, 400.0]
    assert [round(float(row["R2"]), 2) for row in rows] == [10e3, 10e3]


def test_refusals(folder: Path, tmp_path: Path, board: cc.LowPass):
    (tmp_path / "empty").mkdir()
    cases: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
        ((tmp_path / "empty", board, tmp_path / "all.csv"), {}, DataError, "no files"),
        ((tmp_path / "nowhere", board, tmp_path / "all.csv"), {}, DataError, "there is no"),
        ((f"{folder}/*.txt", board, tmp_path / "all.csv"), {}, DataError, "pattern"),
        (([], board, tmp_path / "all.csv"), {}, DataError, "empty list"),
        ((3, board, tmp_path / "all.csv"), {}, OptionError, "a folder, a pattern"),
        ((folder, board, tmp_path), {}, DataError, "it is a folder"),
        ((folder, board, tmp_path / "no" / "all.csv"), {}, DataError, "there is no folder"),
        ((folder, cc.LowPass(R=[1.0, 2.0]), tmp_path / "all.csv"), {}, OptionError, "batch of boards"),
        ((folder, torch.nn.Linear(1, 1), tmp_path / "all.csv"), {}, OptionError, "expected a circuit"),
        ((folder, board, tmp_path / "all.csv"), {"fixed": ["R9"]}, UnknownName, "R9"),
        ((folder, board, tmp_path / "all.csv"), {"bounds": {"Q": (1, 2)}}, UnknownName, "Q"),
        ((folder, board, tmp_path / "all.csv"), {"method": "magic"}, UnknownName, "magic"),
        ((folder, board, tmp_path / "all.csv"), {"starts": 0}, OptionError, "starts=0"),
        ((folder, board, tmp_path / "all.csv"), {"quantity": "colour"}, UnknownName, "colour"),
        ((folder, board, tmp_path / "all.csv"), {"part": (2, 2)}, OptionError, "which of how many"),
        ((folder, board, tmp_path / "all.csv"), {"chunk": 0}, OptionError, "chunk=0"),
    ]
    for given, options, error, said in cases:
        with pytest.raises(error, match=said):
            cc.fit_many(*given, **options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench", "empty"]
