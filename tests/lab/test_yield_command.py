"""`circuits yield`: what is typed, what is printed, what is refused."""

from __future__ import annotations

import re

import pytest

import circuits as cc
from circuits.cli import main
from circuits.lab import Specification, Tolerances, estimate_yield

MASK = "f,lower_db,upper_db\n500,-1.8,\n1k,,-4\n"
TONES = "frequency_hz,low,band,high\n100,on,off,off\n1000,off,,off\n2000,off,on,off\n3500,off,on,\n8000,off,off,on\n"
NETLIST = "rc\nV1 in 0 AC 1\nR1 in out 200 tol=5%\nC1 out 0 1u tol=10%\n"
ORGAN = ["color-organ", "low.R=199", "band.R_low=39.8", "band.R_high=159", "high.R=31.8"]


@pytest.fixture
def files(tmp_path):
    for name, text in {"mask.csv": MASK, "tones.csv": TONES, "rc.cir": NETLIST}.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def printed(capsys, *words) -> str:
    assert main(["yield", *map(str, words)]) == 0
    return capsys.readouterr().out


def test_a_netlist_against_a_mask(files, capsys):
    said = printed(capsys, "--netlist", files / "rc.cir", "--mask", files / "mask.csv", "--boards", "2k", "--seed", "3")
    spec = Specification([500.0, 1000.0], "decibels", [-1.8, -float("inf")], [float("inf"), -4.0])
    expected = estimate_yield(cc.LowPass(200.0), spec, Tolerances({"R": 0.05, "C": 0.10}), boards=2000, seed=3)
    assert str(expected) in said
    rows = [line.split()[0] for line in said.splitlines() if line.startswith(("R1 ", "C1 "))]
    assert rows == ["C1", "R1"]


def test_what_is_typed_overrides_the_netlist(files, capsys):
    words = ["--netlist", files / "rc.cir", "--mask", files / "mask.csv", "--boards", "100"]
    assert "100.00 % of 100 boards" in printed(capsys, *words, "--tolerance", "R1=0", "--tolerance", "C=0.1%")


def test_the_color_organ_against_a_table_of_tones(files, capsys):
    options = ["--tolerance", "R=5%", "--tolerance", "C=10%", "--distribution", "uniform", "--tones"]
    said = printed(capsys, *ORGAN, *options, files / "tones.csv", "--centre")
    assert re.search(r"band 3.5 kHz +\d+\.\d\d %", said)
    assert re.search(r"band.low_pass +3.999 kHz +11.2 % +3.462 kHz +4.677 kHz", said)
    before, after = re.search(r"yield +(\S+) % +(\S+) %", said).groups()
    assert float(before) + 1 < float(after)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["low-pass", "--mask", "mask.csv", "--tolerance", "R=5%"], "no value for R"),
        (["low-pass", "R=200", "--mask", "mask.csv"], "no tolerances"),
        (["low-pass", "R=200", "--mask", "mask.csv", "--tolerance", "R=5x"], "5x"),
        (["low-pass", "R=200", "--mask", "mask.csv", "--tolerance", "R=100%"], "100%"),
        (["low-pass", "R=200", "--mask", "mask.csv", "--tolerance", "Q=5%"], "no component 'Q'"),
        (["low-pass", "R=200", "--tolerance", "R=5%"], "--mask"),
        (["low-pass", "R=200", "--tolerance", "R=5%", "--mask", "none.csv"], "none.csv"),
        ([*ORGAN, "--tolerance", "R=5%", "--mask", "mask.csv"], "name it in the mask"),
        (["low-pass", "R=200", "--tolerance", "R=5%", "--tones", "tones.csv"], "no output 'low'"),
    ],
)
def test_what_cannot_be_followed_is_one_line(files, capsys, monkeypatch, words, message):
    monkeypatch.chdir(files)
    assert main(["yield", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
