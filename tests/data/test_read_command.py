"""`circuits read`: what a file holds, said on a page; overrides; what was read, written to another file."""

from __future__ import annotations

import pytest

from circuits.cli import main
from circuits.data import read
from tests.data.instrument_samples import SAMPLES


@pytest.fixture
def said(capsys):
    """Run the command and return its exit status and what it printed."""

    def asked(*words):
        status = main(["read", *map(str, words)])
        done = capsys.readouterr()
        return status, done.out + done.err

    return asked


def test_everything_that_was_understood_is_printed(said, write):
    status, text = said(write(SAMPLES["keysight"].content))
    lines = dict(line.split(":", 1) for line in text.splitlines())
    assert status == 0
    assert {name: value.strip() for name, value in lines.items() if name not in ("file", "understood")} == {
        "source": "Keysight frequency response analysis",
        "quantity": "response",
        "channels": "one",
        "points": "21",
        "range": "10 Hz to 100 kHz",
        "units": "'Frequency (Hz)' in Hz, 'Gain (dB)' in dB, 'Phase (°)' in degrees",
        "ratio": "already taken",
        "skipped": "'#', 'Amplitude (Vpp)'",
    }


def test_every_output_is_named(said, write):
    assert "channels:   CH1, CH2, CH3\n" in said(write(SAMPLES["siglent, three outputs"].content))[1]


def test_columns_units_and_quantity_can_be_given(said, write):
    path = write("f,x,y,theta\n1,1.0,0.9,-0.1\n2,2.0,1.5,\n")
    words = ["--column", "vin=x", "--column", "vout=y", "--column", "phase=theta", "--unit", "theta=rad"]
    status, text = said(path, *words, "--unit", "f=kHz")
    assert status == 0
    assert "range:      1 kHz to 2 kHz" in text
    assert "points:     2, 1 missing" in text
    assert "taken here: 'y', 'x'" in text
    assert "quantity:   decibels" in said(path, *words, "--quantity", "decibels")[1]


@pytest.mark.parametrize("suffix", ["csv", "s2p"])
def test_what_was_read_is_written(suffix, said, write, tmp_path):
    out = tmp_path / f"again.{suffix}"
    status, text = said(write(SAMPLES["rigol"].content), "--out", out)
    assert (status, text.splitlines()[-1]) == (0, f"written: {out}")
    again, data = read(out), read(write(SAMPLES["rigol"].content))
    values = again.values if suffix == "csv" else again.select("S21").values / 2
    assert values.tolist() == data.values.tolist()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--out", "x.txt"], "its name must end in .csv, .s1p, .s2p"),
        (["--out", "x.s1p"], "one ratio cannot be written as a .s1p file"),
        (["--column", "phase"], "--column 'phase'; expected NAME=VALUE"),
        (["--column", "volume=Phase"], "no role 'volume'"),
        (["--unit", "Phase=furlong"], "unit 'furlong' of 'Phase' is not known"),
        (["--unit", "rad"], "--unit 'rad'; expected NAME=UNIT"),
        (["--unit", "Phase=rad", "--unit", "Phase=deg"], "--unit gives Phase twice"),
        (["--quantity", "loudness"], "no quantity 'loudness'"),
    ],
)
def test_what_cannot_be_followed_is_said(words, problem, said, write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, text = said(write(SAMPLES["rigol"].content), *words)
    assert status == 2
    assert problem in text
    assert {one.name for one in tmp_path.iterdir()} == {"bench.csv"}


def test_a_file_that_is_none_is_said(said, tmp_path):
    assert said(tmp_path / "nothing.csv")[0] == 2
