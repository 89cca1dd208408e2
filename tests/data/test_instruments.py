"""Every instrument's file, with its trap, is read right; recognised by what it holds and by nothing else."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import torch

from circuits.data import Measurements, read
from circuits.data.touchstone_writing import write_touchstone
from circuits.errors import DataError, OhmgradError, OptionError, UnknownName
from tests.data.instrument_samples import (
    FREQUENCIES,
    LOW,
    SAMPLES,
    ascii_raw,
    digilent,
    ltspice_raw,
    touchstone,
    wrdata,
)


def expected(sample):
    kind = torch.complex128 if sample.quantity == "response" else torch.float64
    values = torch.tensor(sample.values, dtype=kind)
    return values if sample.outputs else values[0]


@pytest.mark.parametrize("name", SAMPLES)
def test_read_right(name, write):
    sample = SAMPLES[name]
    data = read(write(sample.content), sample.asked)
    assert (data.quantity, data.outputs) == (sample.quantity, sample.outputs)
    torch.testing.assert_close(data.f, torch.tensor(sample.f, dtype=torch.float64), rtol=1e-14, atol=0)
    torch.testing.assert_close(data.values, expected(sample), rtol=1e-12, atol=1e-14)
    assert data.meta["source"] == sample.source
    assert data.meta["ratio"]
    assert data.understood


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
@pytest.mark.parametrize("name", [name for name, one in SAMPLES.items() if one.is_text])
def test_read_right_in_any_encoding(name, encoding, write):
    sample = SAMPLES[name]
    data = read(write(sample.text.encode(encoding)), sample.asked)
    torch.testing.assert_close(data.values, expected(sample), rtol=1e-12, atol=1e-14)


SAID = {
    "digilent": "already taken: channel 2 is relative to channel 1 (Relative: yes)",
    "digilent without preamble": "no line Relative tells whether 'Channel 2 Magnitude (dB)' is relative to channel 1",
    "digilent not relative": "taken here: 'Channel 2 Magnitude (dB)' less 'Channel 1 Magnitude (dB)'",
    "moku": "levels labelled dBm are read as the ratio in dB",
    "picoscope": "the frequency is 10 to the power of 'Frequency Log(Hz)'",
    "ltspice text": "R=1K: step 3 of 3, the only one in the file",
    "ltspice text, two steps": "2 steps, an output each: R=1K, R=2K",
    "ltspice raw, two steps": "2 steps, an output each: step 1, step 2",
    "wrdata": "taken as one complex vector f re im and not as two real ones",
    "wrdata, a phase": "phases are taken in radians",
    "touchstone, Z": "no ratio: Z in ohms",
    "rew": "its gain is known up to a constant factor",
    "zplot": "an impedance in ohms: no ratio",
    "rigol": "'Phase' has no unit and is taken as degrees",
    "keysight": "not used: '#', 'Amplitude (Vpp)'",
}


@pytest.mark.parametrize("name", SAID)
def test_what_was_understood_is_said(name, write):
    sample = SAMPLES[name]
    data = read(write(sample.content), sample.asked)
    assert SAID[name] in f"{data.understood}; {data.meta['ratio']}"


def test_steps_at_other_frequencies_are_refused(write):
    text = SAMPLES["ltspice text, two steps"].text.split("\r\n")
    with pytest.raises(DataError, match="step 'R=2K' has other frequencies than 'R=1K'"):
        read(write("\r\n".join(text[:-2]) + "\r\n", "latin-1"))
    raw = ltspice_raw(2).content.replace("No. Points: 42".encode("utf-16-le"), "No. Points: 41".encode("utf-16-le"))
    with pytest.raises(DataError, match="step 2 has other frequencies than step 1"):
        read(write(raw[:-48]))


def test_a_voltage_over_another_of_a_raw_file(write):
    data = read(write(ltspice_raw().content), columns={"vout": "v(out)", "vin": "V(IN)"})
    torch.testing.assert_close(data.values, torch.tensor(LOW, dtype=torch.complex128))
    assert data.meta["ratio"] == "taken here: 'V(out)' over 'V(in)'"
    with pytest.raises(UnknownName, match=r"no variable 'v\(x\)'; known: V\(in\), V\(out\)"):
        read(write(ltspice_raw().content), columns={"vout": "v(x)", "vin": "V(in)"})
    with pytest.raises(OptionError, match="both of them"):
        read(write(ltspice_raw().content), columns={"phase": "v(out)"})


def test_a_raw_file_that_was_cut_says_how_much_is_left(write):
    data = read(write(ltspice_raw().content[:-50]))
    assert len(data) == len(FREQUENCIES) - 2
    assert data.meta["skipped"] == ["the file promises 21 points and has 19"]
    with pytest.raises(DataError, match="no point is whole"):
        read(write(ltspice_raw(fast=True).content[:-50]))
    with pytest.raises(DataError, match="more numbers than the header"):
        read(write(ltspice_raw().content + b"12345678"))


def test_line_ends_of_an_ascii_raw_file_do_not_matter(write):
    for end in ("\r\n", "\r", "\n"):
        assert len(read(write(ascii_raw(end).content))) == len(FREQUENCIES)


def test_real_numbers_of_wrdata_have_to_be_named(write):
    path = write(SAMPLES["wrdata, a phase"].content)
    with pytest.raises(DataError, match="may be a magnitude, decibels or a phase in radians"):
        read(path)
    radians = read(path, columns={"phase": "vector 1"}).values
    same = read(path, columns={"phase": "vector 1"}, units={"vector 1": "deg"}).values
    torch.testing.assert_close(torch.deg2rad(radians), same)


def test_wrdata_on_one_scale_is_refused(write):
    rows = [line.split() for line in wrdata(2).text.splitlines()]
    text = "".join(" " + "  ".join([*row[:3], *row[4:]]) + " \n" for row in rows)
    with pytest.raises(DataError, match="5 columns in which no scale is repeated"):
        read(write(text))


@pytest.mark.parametrize("version", ["[Version] 2.0\n", ""])
def test_touchstone_two_is_not_normalised(version, write):
    text = touchstone("Hz", "RI", 1, "Z").text.replace("# Hz", f"{version}# Hz")
    data = read(write(text))
    assert abs(data.values[0].item()) == pytest.approx(1.0 if version else 50.0, rel=1e-3)


def test_touchstone_two_port_order_and_noise(write):
    text = touchstone("Hz", "RI", 2).text
    turned = text.replace("# Hz", "[Version] 2.0\n[Number of Ports] 2\n[Two-Port Data Order] 12_21\n# Hz")
    straight, other = read(write(text)), read(write(turned))
    torch.testing.assert_close(straight.select("S21").values, other.select("S12").values)
    noisy = read(write(text + "10 1 0.5 20 0.3\n20 1 0.5 20 0.3\n"))
    assert "2 rows of noise parameters" in noisy.understood
    torch.testing.assert_close(noisy.values, straight.values)


def test_touchstone_of_three_ports_goes_on_over_lines(write):
    numbers = [f"{0.01 * i:.2f}" for i in range(1, 19)]
    text = (
        "# kHz S RI R 75\n1 " + " ".join(numbers[:6]) + "\n" + " ".join(numbers[6:12]) + "\n" + " ".join(numbers[12:])
    )
    data = read(write(text + "\n"))
    assert (data.outputs[3], data.select("S21").values.item()) == ("S21", 0.07 + 0.08j)


def test_what_a_person_says_goes_before_the_header(write):
    path = write("f,x,y,theta\n10,1.0,0.9,-0.1\n20,2.0,1.5,-0.2\n")
    with pytest.raises(DataError, match="cannot tell what"):
        read(path, columns={"frequency": "f"})
    data = read(path, columns={"vin": "x", "vout": "y", "phase": "theta"}, units={"theta": "rad"})
    assert data.values.abs().tolist() == pytest.approx([0.9, 0.75])
    assert data.values.angle().tolist() == pytest.approx([-0.1, -0.2])
    assert data.meta["ratio"] == "taken here: 'y', 'x'"
    other = read(write("t,level\n1,0.5\n"), columns={"frequency": "t"}, units={"t": "kHz", "level": "dB"})
    assert (other.f.item(), other.quantity, other.values.item()) == (1000.0, "decibels", 0.5)
    spread = read(write("f,gain,width\n1,0.5,0.1\n"), columns={"sigma": "width"})
    assert spread.sigma is not None
    assert spread.sigma.tolist() == [0.1]


@pytest.mark.parametrize(
    ("columns", "units", "error", "said"),
    [
        ({"loudness": "a"}, {}, UnknownName, "no role 'loudness'; known: frequency, magnitude"),
        ({"phase": "z"}, {}, UnknownName, "no column 'z'; known: f, a"),
        ({}, {"a": "furlong"}, OptionError, "unit 'furlong' of 'a' is not known"),
    ],
)
def test_what_cannot_be_followed_is_refused(columns, units, error, said, write):
    with pytest.raises(error, match=said):
        read(write("f,a\n1,2\n"), columns=columns, units=units)


def test_formats_without_a_choice_refuse_one(write, tmp_path):
    Measurements([1.0], "phase", [1.0]).to_csv(tmp_path / "saved.csv")
    for path in (tmp_path / "saved.csv", write(touchstone().content)):
        with pytest.raises(OptionError, match="leave out --column and --unit"):
            read(path, units={"a": "Hz"})


def test_a_digilent_channel_that_stands_alone_says_so(write):
    text = "\n".join(line for line in digilent(first=False).text.splitlines() if "Relative" not in line) + "\n"
    assert "not known: channel 2 stands alone" in read(write(text)).meta["ratio"]


@pytest.mark.parametrize("name", ["touchstone", "touchstone, Z", "touchstone, nine columns", "zplot"])
def test_touchstone_written_is_read_again(name, write, tmp_path):
    data = read(write(SAMPLES[name].content))
    path = tmp_path / ("again.s2p" if data.outputs else "again.s1p")
    write_touchstone(data, path)
    again = read(path)
    assert again.outputs == data.outputs
    assert torch.equal(again.f, data.f)
    assert torch.equal(again.values, data.values)


def test_a_voltage_ratio_is_an_ideal_amplifier(tmp_path):
    """V2/V1 with an open output, a2 = b2: (1 + S11 + ...) from V = a + b and b = S a, solved by hand."""
    h = torch.tensor(LOW, dtype=torch.complex128)
    write_touchstone(Measurements(FREQUENCIES, "response", h), tmp_path / "h.s2p")
    s11, s21, s12, s22 = read(tmp_path / "h.s2p").values
    a2 = s21 / (1 - s22)  # b2 = S21 a1 + S22 a2 = a2, for a1 = 1
    torch.testing.assert_close(2 * a2 / (1 + s11 + s12 * a2), h)


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (Measurements([1.0], "phase", [1.0]), "x.s1p", "phase was measured"),
        (Measurements([1.0], "response", [1.0]), "x.s3p", "must end in .s1p or .s2p"),
        (Measurements([1.0], "response", [1.0]), "x.s1p", "one ratio cannot be written"),
        (Measurements([1.0], "response", [[1.0], [2.0]], outputs=("a", "b")), "x.s2p", "outputs a, b cannot be"),
        (Measurements([1.0, 1.0], "response", [1.0, 1.0]), "x.s2p", "a frequency stands twice"),
        (Measurements([1.0, 2.0], "response", [1.0, float("nan")]), "x.s2p", "values are missing"),
        (Measurements([1.0], "response", [[1.0], [2.0]]), "x.s2p", "a batch"),
    ],
)
def test_what_touchstone_cannot_hold_is_refused(data, name, said, tmp_path):
    with pytest.raises(DataError, match=said):
        write_touchstone(data, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


NETLIST = """* low-pass
v1 in 0 ac 1
r1 in out 1k
c1 out 0 100n
.control
ac dec 5 10 100k
write binary.raw v(out)
set filetype=ascii
write ascii.raw v(out)
wrdata data.txt v(out)
quit
.endc
.end
"""


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="no ngspice here")
def test_what_ngspice_itself_writes(tmp_path):
    (tmp_path / "net.cir").write_text(NETLIST)
    subprocess.run(["ngspice", "-b", "net.cir"], cwd=tmp_path, capture_output=True, timeout=60, check=False)
    for name in ("binary.raw", "ascii.raw", "data.txt"):
        data = read(tmp_path / name)
        assert len(data) == 21
        exact = 1 / (1 + 2j * torch.pi * data.f * 1e3 * 100e-9)
        torch.testing.assert_close(data.values, exact, rtol=1e-7, atol=1e-9)


def test_every_error_is_a_typed_one(write):
    for start in ("Title: x\nNo. Variables: 2\n", "# Hz S RI R 50\n", "Freq.\tV(out)\n", "ZPLOT2 ASCII\n"):
        with pytest.raises(OhmgradError):
            read(write(start))
