"""Files that hold no measurement: one clear sentence each, with the line, the text and what was expected."""

from __future__ import annotations

import os
import re

import pytest

from circuits.data import Measurements, read
from circuits.errors import DataError, FrequencyError, UnknownName

BAD = {
    "empty": ("", DataError, ["the file is empty", "frequency_hz,magnitude"]),
    "blank": ("\n \n\t\n", DataError, ["the file is empty"]),
    "only a byte-order mark": ("\ufeff", DataError, ["the file is empty"]),
    "prose": ("diary\n", DataError, ["no table in this file"]),
    "no frequency": (
        "time,magnitude\n1,0.5\n",
        DataError,
        ["line 1", "no frequency column among 'time', 'magnitude'", "frequency_hz"],
    ),
    "no frequency, comment header": ("# t, gain\n1,0.5\n", DataError, ["line 1", "'t', 'gain'"]),
    "no header": (
        "100,0.5\n200,0.3\n",
        DataError,
        ["line 1", "no header stands above", "frequency_hz,magnitude"],
    ),
    "logarithms": ("Frequency Log(Hz), Level (dB)\n2,-1\n", DataError, ["'Frequency Log(Hz)'"]),
    "two frequencies": ("f,freq_khz,gain\n1,1,1\n", DataError, ["'f' and 'freq_khz' are both frequencies"]),
    "header only": ("f,gain\n", DataError, ["line 1", "no rows below it"]),
    "nothing measured": ("f,\n1,\n", DataError, ["nothing measured beside it"]),
    "text in the first row": (
        "f,gain\n100,abc\n",
        DataError,
        ["line 2", "text 'abc' in column 'gain'", "a number"],
    ),
    "text further down": ("# x\n\nf,gain\n1,0.5\n# y\n200,o.5\n", DataError, ["line 6", "'o.5'", "'gain'"]),
    "text in the frequency": ("f,gain\n1k,0.5\n", DataError, ["line 2", "'1k' in column 'f'", "a number"]),
    "text in a phase": ("f,gain,phase_deg\n1,0.5,x\n2,0.4,1\n", DataError, ["line 2", "'x'", "'phase_deg'"]),
    "text in an unknown column": (
        "f,reading\n1,0.5\n2,0.4\n3,five\n",
        DataError,
        ["line 4", "'five'", "'reading'"],
    ),
    "text only": ("f,reading\n1,five\n2,six\n", DataError, ["line 2", "'five'", "'reading'", "number"]),
    "comma where points are used": (
        "f;gain\n1.5;0.5\n2.5;0,4\n",
        DataError,
        ["line 3", "'0,4'", "decimal point"],
    ),
    "thousands": ("f;gain\n1,5;0,5\n1.000,5;0,4\n", DataError, ["line 3", "'1.000,5'", "decimal comma"]),
    "too large a number": ("f,gain\n1,1e999\n", DataError, ["line 2", "'1e999'"]),
    "underscore": ("f,gain\n1,1_000\n", DataError, ["line 2", "'1_000'"]),
    "infinity": ("f,gain\n1,inf\n", DataError, ["line 2", "'inf'"]),
    "three states": (
        "f,low,band\n1,1,0\n2,0,2\n3,1,0\n",
        DataError,
        ["line 3", "label '2' in column 'band'", "1/0"],
    ),
    "a word of no state": ("f,low\n1,on\n2,off\n3,maybe\n", DataError, ["line 4", "label 'maybe'", "on/off"]),
    "a half-lit LED": (
        "f,low\n" + "1,0\n2,1\n" * 5 + "3,0.5\n",
        DataError,
        ["line 12", "label '0.5'", "two states"],
    ),
    "colours": (
        "f,lamp\n1,red\n2,green\n",
        DataError,
        ["line 2", "label 'red' in column 'lamp'", "lit/dark"],
    ),
    "unclear columns": ("f,x,y\n1,0.5,0.6\n", DataError, ["cannot tell what 'x', 'y' hold", "magnitude_db"]),
    "two of one kind": ("f,gain,ratio\n1,0.5,0.6\n", DataError, ["'gain' and 'ratio' both say magnitude"]),
    "short row": ("f,gain,phase_deg\n1,0.5\n", DataError, ["line 2: 2 cells, the header has 3"]),
    "long row": ("f,gain\n1,0.5\n2,0.5,1\n", DataError, ["line 3: 3 cells, the header has 2"]),
    "decimal comma among commas": ("f,gain\n100,5,0,9\n", DataError, ["line 2", "a decimal comma needs ';'"]),
    "negative frequency": ("f,gain\n-1,0.5\n", FrequencyError, ["line 2", "frequency '-1'", "positive"]),
    "frequency zero": ("f,gain\n1,1\n0,0.5\n", FrequencyError, ["line 3", "'0'", "positive"]),
    "no frequency in a row": ("f,gain\n1,1\n,0.5\n", FrequencyError, ["line 3", "frequency ''", "positive"]),
    "no frequency, semicolons": ("f;gain\n1;1\n;0.5\n", FrequencyError, ["line 3", "frequency ''"]),
    "frequency NaN": ("f,gain\nnan,1\n", FrequencyError, ["line 2", "'nan'"]),
    "sigma zero": (
        "f,gain,sigma\n1,1,0.1\n2,1,0\n",
        DataError,
        ["line 3", "uncertainty '0' in column 'sigma'"],
    ),
    "sigma negative": ("f,gain,sigma\n1,1,-1\n", DataError, ["line 2", "'-1'", "positive"]),
    "sigma missing": (
        "f,gain,sigma\n1,1,0.1\n2,1,\n",
        DataError,
        ["line 3", "uncertainty ''", "every value"],
    ),
    "sigma in another unit": (
        "f,gain,sigma (V)\n1,1,1\n",
        DataError,
        ["'sigma (V)' is in V and 'gain' is not"],
    ),
    "vin zero": ("f,vin,vout\n1,1,1\n2,0,1\n", DataError, ["line 3", "input voltage zero in column 'vin'"]),
    "unlike voltages": (
        "f,vin (V),vout (Vpp)\n1,1,1\n",
        DataError,
        ["'vout (Vpp)' and 'vin (V)'", "same unit"],
    ),
    "one voltage without its unit": (
        "f,vin,vout (mV)\n1,1,1\n",
        DataError,
        ["'vout (mV)' and 'vin'", "same unit"],
    ),
    "no value at all": ("f,gain\n1,\n2,nan\n", DataError, ["every value is missing"]),
}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "bench.csv"


@pytest.mark.parametrize("name", BAD)
def test_bad_file(name, file):
    text, error, said = BAD[name]
    file.write_bytes(text.encode("utf-8"))
    with pytest.raises(error) as caught:
        read(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert "\n" not in message
    for part in said:
        assert part in message
    assert caught.value.__suppress_context__ or caught.value.__cause__ is None


@pytest.mark.parametrize(
    "content", [b"\x7fELF\0\0\1\2\0", b"PK\x03\x04\x00\x00f,gain", b"\xff\xfe\x00", b"f,g\n1,\0\n"]
)
def test_what_is_no_text_is_said(content, file):
    file.write_bytes(content)
    with pytest.raises(DataError, match="this is no text file"):
        read(file)


def test_no_such_file(file):
    with pytest.raises(DataError, match=r"cannot read '.*bench.csv' \(No such file or directory\)"):
        read(file)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .* \(Is a directory\)"):
        read(tmp_path)


def test_a_file_too_large_for_memory_is_not_read(file):
    with open(file, "wb") as stream:
        stream.truncate(2**40)  # a terabyte that takes no room: reading it would not end
    with pytest.raises(DataError, match=r"1,099,511,627,776 bytes, more than the 134,217,728 .* max_bytes"):
        read(file)


def test_the_limit_is_an_argument(file):
    file.write_text("f,gain\n1,1\n")
    assert len(read(file, max_bytes=11)) == 1
    with pytest.raises(DataError, match="11 bytes, more than the 10"):
        read(file, max_bytes=10)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no endless file here")
def test_a_file_without_an_end_is_not_read():
    with pytest.raises(DataError, match="more than the 1,000"):
        read("/dev/zero", max_bytes=1000)


def test_a_quantity_that_is_none(file):
    with pytest.raises(UnknownName, match="no quantity 'volume'; known: response, magnitude, decibels, phase, led"):
        read(file, "volume")


@pytest.mark.parametrize(
    ("text", "quantity", "said"),
    [
        ("f,gain\n1,1\n", "phase", "no phase can be had from these columns; they give decibels, magnitude"),
        ("f,gain\n1,1\n", "led", "no led can be had"),
        ("f,phase_deg\n1,1\n", "response", "no response can be had from these columns; they give phase"),
        ("f,low\n1,on\n", "magnitude", "text 'on' in column 'low'"),
        ("f,gain\n1,0\n", "decibels", "1 of 1 values have no decibels, such as magnitude 0"),
        ("f,gain,phase_deg\n1,0,1\n2,1,1\n", "decibels", "1 of 2 values have no decibels"),
    ],
)
def test_a_quantity_that_the_file_does_not_give(text, quantity, said, file):
    file.write_text(text)
    with pytest.raises(DataError, match=re.escape(said)):
        read(file, quantity)


def test_a_saved_file_with_a_broken_row_says_the_line(file):
    Measurements([1.0, 2.0], "magnitude", [0.5, 0.25]).to_csv(file)
    text = file.read_text()
    file.write_text(text.replace("0.25", "a quarter"))
    with pytest.raises(DataError, match="line 4: text 'a quarter'; expected a number"):
        read(file)
    file.write_text(text.replace("0.25", "0.25,1"))
    with pytest.raises(DataError, match="line 4: 3 cells; the first line of the file describes 2"):
        read(file)
