"""Files that look like one another: read as the full reader reads them, to the last bit, or not at all."""

from __future__ import annotations

import decimal
import locale
import os
import pickle
import random
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from circuits.compiling import BuildError, load_library
from circuits.data import Measurements, read, rows
from circuits.data.alike import Alike
from circuits.errors import DataError, OhmgradError

EXAMPLES = Path(__file__).parents[2] / "examples" / "data"
PLAIN = "frequency_hz,magnitude,sigma\n10,0.99,0.01\n100.5,0.8,0.01\n1e3,.5,2e-2\n"


def compiler_is_there():
    try:
        return load_library(rows.SOURCE) is not None
    except BuildError:
        return False


@pytest.fixture(params=["compiled", "plain"])
def way(request, monkeypatch):
    """Both ways to read rows: the compiled one and the one without a compiler."""
    if request.param == "compiled" and not compiler_is_there():
        pytest.skip("no compiler")
    monkeypatch.setenv("OHMGRAD_NATIVE", "0" if request.param == "plain" else "1")
    rows._library.cache_clear()
    yield request.param
    rows._library.cache_clear()


def bits(tensor):
    return None if tensor is None else (tensor.dtype, tensor.shape, tensor.numpy().tobytes())


def said(data):
    """All that measurements hold, in a form that compares to the last bit."""
    numbers = [bits(tensor) for tensor in (data.f, data.values, data.sigma)]
    return numbers, data.quantity, data.outputs, list(data.meta.items()), data.understood


def assert_alike_or_none(alike, path, **options):
    """What is read equals what the full reader says; how many were read is for the caller to look at."""
    found, arrays = alike.read(path), alike.read_columns(path)
    assert (found is None) == (arrays is None)
    if found is None:
        return False
    assert said(found) == said(read(path, **options))
    for array, tensor in zip(arrays, (found.f, found.values, found.sigma), strict=True):
        assert (array is None and tensor is None) or bits(torch.from_numpy(array)) == bits(tensor)
    return True


@pytest.mark.parametrize("name", ["low_pass_magnitude.csv", "organ_bench.csv", "organ_leds.csv"])
def test_the_files_that_we_ship_are_read_as_the_full_reader_reads_them(name, way):
    assert assert_alike_or_none(Alike.of(EXAMPLES / name), EXAMPLES / name)


def test_words_for_lights_are_left_to_the_full_reader(way):
    assert Alike.of(EXAMPLES / "organ_wanted.csv").read(EXAMPLES / "organ_wanted.csv") is None
    with pytest.raises(DataError):
        Alike.of(EXAMPLES / "drawer.csv")


@pytest.mark.parametrize("quantity", ["magnitude", "decibels", "phase", "led", "response"])
@pytest.mark.parametrize("outputs", [(), ("low", "high", "Ωout")], ids=["one", "three"])
@pytest.mark.parametrize("has_sigma", [False, True])
def test_files_that_we_wrote_are_read_back(quantity, outputs, has_sigma, tmp_path, way):
    draw = torch.Generator().manual_seed(5)
    shape = (len(outputs), 30) if outputs else (30,)
    paths = [tmp_path / f"board {i}.csv" for i in range(4)]
    for path in paths:
        f = torch.rand(30, generator=draw, dtype=torch.float64).sort().values * 1e5
        kind = torch.complex128 if quantity == "response" else torch.float64
        values = torch.randn(shape, generator=draw, dtype=kind)
        sigma = torch.rand(shape, generator=draw, dtype=torch.float64) if has_sigma and quantity != "led" else None
        meta = {"who": "Ana", "list": [1, {"a": None}], "file": "not this"}
        values = (values > 0).double() if quantity == "led" else values
        Measurements(f, quantity, values, sigma, outputs, meta).to_csv(path)
    alike = Alike.of(paths[0])
    assert all(assert_alike_or_none(alike, path) for path in paths)
    f, values = alike.read_arrays(paths[1])
    assert f.shape == (30,) and values.shape == shape
    assert (f.dtype, values.dtype) == (np.float64, np.complex128 if quantity == "response" else np.float64)


def test_columns_with_equal_numbers_are_not_taken_for_one_another(tmp_path, way, write):
    header = "low_db_sigma,high_db,notes,frequency_hz,low_db,high_db_sigma\n"
    alike = Alike.of(write(header + "1,1,1,1,1,1\n2,2,2,2,2,2\n"))
    found = alike.read(write(header + "1,2,3,4,5,6\n7,8,9,10,11,12\n"))
    assert (found.f.tolist(), found.outputs) == ([4, 10], ("high", "low"))
    assert (found.values.tolist(), found.sigma.tolist()) == ([[2, 8], [5, 11]], [[6, 12], [1, 7]])
    assert found.meta["skipped"] == ["'notes'"]


SETTLED = [
    "frequency_hz,magnitude",
    "# bench 3; Ana\nf (Hz);Gain (dB);notes",
    "\ufeffFrequency [Hz]\tPhase (°)\tnotes",
    "a line before\n\nfreq,low_gain,high_gain,low_gain_sigma,±",
    "freq,led 1,led 2",
    "# f, gain",
    "f,re,im",
    "f,low_im,low_re,high_re,notes,high_im",
]


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("header", SETTLED, ids=range(len(SETTLED)))
def test_a_header_that_says_all_is_enough(header, end, write, way):
    last = header.split("\n")[-1].removeprefix("# ")
    mark = next(mark for mark in "\t;," if mark in last)
    values = ("0", "1", "1") if "led" in header else ("0.5", "1e-3", "7")
    lines = [mark.join([f"{i}.5", *[value] * last.count(mark)]) for i, value in enumerate(values, 1)]
    path = write(end.join([*header.split("\n"), *lines, "", ""]))
    alike = Alike.of(path)
    assert alike.template is not None
    assert assert_alike_or_none(alike, path)


UNSETTLED = {
    "kilohertz": "f / kHz,magnitude",
    "angular": "omega,magnitude",
    "per cent": "f,gain (%)",
    "volts": "f,vin,vout",
    "one voltage": "f,vout (V)",
    "uncertain parts": "f,re,im,sigma",
    "polar": "f,magnitude,phase_deg",
    "phase without a unit": "f,phase",
    "attenuation": "f,attenuation (dB)",
    "unused attenuation": "f,gain,attenuation (dB)",
    "no name that says more": "f,channel",
    "outputs by name": "f,low,high",
    "one name twice": "f,gain,x,x",
    "relative uncertainty": "f,gain,sigma (%)",
    "unused in other units": "f,gain,low vout (mV),low vout sigma (mV)",
}


@pytest.mark.parametrize("case", UNSETTLED)
def test_a_header_that_leaves_something_to_the_numbers_is_for_the_full_reader(case, write, way):
    header = UNSETTLED[case]
    lines = [",".join([f"{i}", *["0.5"] * header.split("\n")[-1].count(",")]) for i in range(1, 5)]
    path = write("\n".join([header, *lines]))
    assert Alike.of(path).template is None
    assert Alike.of(path).read(path) is None and Alike.of(path).read_arrays(path) is None


def test_what_is_not_used_is_checked_all_the_same(write, way):
    header, row = "f,gain,phase_deg,phase_deg_sigma\n", "1,0.5,-30,1\n"
    alike = Alike.of(write(header + row), "magnitude")
    assert assert_alike_or_none(alike, write(header + row), quantity="magnitude")
    assert alike.read(write(header + "1,0.5,-30,0\n")) is None  # the full reader refuses an uncertainty of zero
    path = write("f,gain,phase_deg,phase sigma (%)\n" + row)
    assert Alike.of(path, "magnitude").template is None  # it is zero where the phase is


def test_another_quantity_or_a_role_by_hand(write, way):
    path = write("frequency_hz,g,h (dB)\n1,0.5,-3\n2,0.4,-6\n")
    assert assert_alike_or_none(Alike.of(path, "decibels"), path, quantity="decibels")
    assert Alike.of(path, "magnitude").read(path) is None  # converted from decibels
    by_hand = {"columns": {"magnitude": "g"}, "units": {"g": "ratio"}}
    assert assert_alike_or_none(Alike.of(path, **by_hand), path, **by_hand)


# what the numbers must not be, lest the full reader sees them otherwise, or refuses them
OTHERWISE = {
    "decibels under the name of a gain": ("f,gain\n", "1,0.5\n2,0.4\n", "1,-3\n2,-6\n"),
    "not rising": ("f,gain\n", "1,0.5\n2,0.4\n", "2,0.5\n1,0.4\n"),
    "frequency zero": ("f,gain\n", "1,0.5\n2,0.4\n", "0,0.5\n1,0.4\n"),
    "frequency below zero": ("f,gain\n", "1,0.5\n2,0.4\n", "-1,0.5\n1,0.4\n"),
    "sigma zero": ("f,gain,sigma\n", "1,0.5,1\n", "1,0.5,0\n"),
    "no light": ("f,led\n", "1,0\n2,1\n", "1,0.5\n2,1\n"),
    "lights no more": ("f,low,high\n", "1,0,1\n2,1,1\n", "1,0.5,1\n2,1,0.25\n"),
    "missing": ("f,gain\n", "1,0.5\n2,0.4\n", "1,\n2,0.4\n"),
    "infinite": ("f,gain\n", "1,0.5\n2,0.4\n", "1,1e400\n2,0.4\n"),
    "nothing": ("f,gain\n", "1,0.5\n2,0.4\n", ""),
    "comment": ("f,gain\n", "1,0.5\n2,0.4\n", "1,0.5\n# 2,0.4\n"),
    "blank line": ("f,gain\n", "1,0.5\n2,0.4\n", "1,0.5\n\n2,0.4\n"),
    "longer row": ("f,gain\n", "1,0.5\n2,0.4\n", "1,0.5,\n2,0.4,\n"),
    "shorter row": ("f,gain\n", "1,0.5\n2,0.4\n", "1,0.5\n2\n"),
}
WORDS = ["nan", "inf", "-inf", "0x10", "1_000", "٣", "−1", "1,5", "1e", "e5", ".", "+", "", " 1", "1 ", '"1"', "1d5"]
WORDS += ["\0", "1\0"]


@pytest.mark.parametrize("case", OTHERWISE)
def test_numbers_that_would_be_understood_otherwise_are_left_to_the_full_reader(case, write, way):
    header, first, second = OTHERWISE[case]
    alike = Alike.of(write(header + first))
    assert alike.read(write(header + first)) is not None
    assert alike.read(write(header + second)) is None


@pytest.mark.parametrize("word", WORDS, ids=ascii)
def test_only_plain_decimal_numbers_are_numbers(word, write, way):
    alike = Alike.of(write(PLAIN))
    for row in (f"{word},0.5,1", f"2000,{word},1", f"2000,0.5,{word}"):
        assert alike.read(write(PLAIN + row)) is None
        assert alike.read(write(PLAIN + row + "\n4000,0.5,1\n")) is None


PIECES = [b"0", b"-", b".", b"e", b",", b"\n", b"\r", b"\r\n", b" ", b"e400", b"e-320", b"nan", b"9" * 30]


def mutated(data, draw):
    """One to three edits of the bytes."""
    for _ in range(draw.randint(1, 3)):
        at, kind = draw.randrange(len(data) + 1), draw.randrange(10)
        lines = data.split(b"\n")
        one, other = draw.randrange(len(lines)), draw.randrange(len(lines))
        piece = draw.choice(PIECES)
        if kind < 3:
            data = data[:at] + piece + data[at + draw.randrange(2) :]
        elif kind == 3:
            data = data[:at] + data[at + 1 :]
        elif kind == 4:
            data = data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
        elif kind == 5:
            lines[one], lines[other] = lines[other], lines[one]
            data = b"\n".join(lines)
        elif kind == 6:
            data = b"\n".join(lines[:one] + [lines[other]] + lines[one:])
        elif kind == 7:
            data = b"\n".join(lines[:one] + lines[one + 1 :])
        elif kind == 8:
            data = data[:at]
        else:
            data = draw.choice(
                [data.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + data, data.replace(b",", b";"), data + b"\n\r\n"]
            )
    return data


BASES = {
    "plain": PLAIN,
    "many": "# Ana\nf;low (dB);low_sigma;x\n" + "".join(f"{10 * i};{-i}.5;0.1;7\n" for i in range(1, 9)),
    "lights": "f,low,high\n" + "".join(f"{i},{i % 2},{i // 5}\n" for i in range(1, 9)),
}


@pytest.mark.parametrize("base", [*BASES, "saved"])
def test_a_changed_file_is_read_rightly_or_not_at_all(base, tmp_path, way):
    path, draw = tmp_path / "board.csv", random.Random(base)
    if base == "saved":
        Measurements([1.5, 20.0, 300.25], "decibels", [[-1.0, -2.0, -3.0]] * 2, 0.5, ("a", "b")).to_csv(path)
    else:
        path.write_text(BASES[base], "utf-8")
    data, alike = path.read_bytes(), Alike.of(path)
    accepted = 0
    for _ in range(400):
        path.write_bytes(mutated(data, draw))
        accepted += assert_alike_or_none(alike, path)
    assert 20 < accepted < 360  # the edits break many files and not all


NAMES = "gain,mag,magnitude (dB),h_db,phase,phase_deg,phase (rad),low,low_db,low_gain,high,high_phase_deg,led,led 1,x"
NAMES += ",notes,vin,vout,vout (mV),re,im,sigma,low_sigma,gain_sigma,h_db_sigma,sigma (%),attenuation_db,f (kHz),time"
NAMES += ",channel 1,gain (%)"
KINDS = {
    "ratio": lambda draw: repr(draw.random()),
    "level": lambda draw: repr(-20 * draw.random()),
    "label": lambda draw: draw.choice("01"),
    "mostly labels": lambda draw: draw.choice("00111110010110112"),
    "whole": lambda draw: str(draw.randrange(-3, 9)),
    "any": lambda draw: f"{draw.uniform(-200, 200):.3f}",
    "missing": lambda draw: draw.choice(["", "0.5", "1"]),
}


def drawn(header, mark, draw):
    """Rows below a header, by rising frequency as a rule, each column of some kind."""
    kinds = [KINDS[draw.choice([*KINDS, "ratio", "label", "level"])] for _ in range(header.count(mark))]
    f = [draw.uniform(1, 1e5) for _ in range(draw.randint(1, 6))]
    f = sorted(f) if draw.random() < 0.9 else f
    return header + "".join(mark.join([repr(at), *(kind(draw) for kind in kinds)]) + "\n" for at in f)


def test_no_header_and_no_numbers_lead_to_another_reading(tmp_path, way):
    draw, paths = random.Random(11), [tmp_path / "one.csv", tmp_path / "two.csv"]
    counts = [0, 0, 0]
    for _ in range(1500):
        mark = draw.choice(",,;\t")
        names = draw.sample(NAMES.split(","), draw.choice([1, 1, 2, 2, 3]))
        above = draw.choice(["", "", "", "# Ana\n", "Input Voltage: 2 V\n", "; 1;2\n", "1;2\n", f"{mark}\n"])
        header = above + mark.join([draw.choice(["f", "freq (Hz)", "frequency_hz"]), *names]) + "\n"
        options = {"quantity": draw.choice([None, None, None, "magnitude", "led", "decibels"])}
        for path in paths:
            path.write_text(drawn(header, mark, draw), "utf-8")
        try:
            alike = Alike.of(paths[0], **options)
        except OhmgradError:
            continue
        counts[0] += 1
        counts[1] += alike.template is not None
        counts[2] += assert_alike_or_none(alike, paths[1], **options)
    assert counts[0] > 500 and counts[1] > 150 and counts[2] > 80


def cells(draw, count):
    """Decimals of all kinds: as many digits as a double has, more, half way between two, with large exponents."""
    decimal.getcontext().prec = 60
    found = [
        "0",
        "-0",
        "-0.0",
        "0e5",
        ".5",
        "5.",
        "+5.e1",
        "4.9e-324",
        "2.4e-324",
        "2.5e-324",
        "1.7976931348623157e308",
    ]
    found += ["9007199254740993", "0" * 30 + "1.5", "0." + "0" * 30 + "123", "9" * 400, "1" + "0" * 300, "1e-99999"]
    found += ["0." + "0" * 330 + "7"]
    for _ in range(count // 5):
        double = struct.unpack("d", struct.pack("Q", draw.getrandbits(64)))[0]
        half = decimal.Decimal(2 * (draw.getrandbits(53) | 1 << 52) + 1) * decimal.Decimal(2) ** draw.randrange(-20, 10)
        found += [repr(double) if double - double == 0 else "1", f"{draw.uniform(-10, 10):.17g}", f"{half}"]
        found += [f"{draw.getrandbits(64)}e{draw.randrange(-80, 80)}", f"-{draw.random():.{draw.randrange(1, 25)}f}"]
    return [cell for cell in found if abs(float(cell)) < float("inf")]


def assert_exact(folder):
    found = cells(random.Random(3), 12_000) + ["1"]
    found = found[: len(found) // 2 * 2]
    path = folder / "numbers.csv"
    path.write_text("a,b\n" + "\n".join(map(",".join, zip(found[::2], found[1::2], strict=True))))
    table = rows.Rows(b"a,b\n", b",", [0, 1], [rows.ANY] * 2, 2**27).read(path)
    assert table.T.tobytes() == np.array([float(cell) for cell in found]).tobytes()


def test_numbers_are_those_of_python_to_the_last_bit(tmp_path, way):
    assert_exact(tmp_path)


def test_numbers_do_not_depend_on_the_locale(tmp_path, way):
    before = locale.setlocale(locale.LC_ALL)
    for name in ("de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nb_NO.UTF-8"):
        try:
            locale.setlocale(locale.LC_ALL, name)
        except locale.Error:
            continue
        try:
            assert locale.localeconv()["decimal_point"] == ","
            return assert_exact(tmp_path)
        finally:
            locale.setlocale(locale.LC_ALL, before)
    pytest.skip("no locale with a decimal comma")


def test_a_path_that_is_no_plain_file_is_left_to_the_full_reader(tmp_path, write, way):
    path = write(PLAIN)
    alike = Alike.of(path)
    (tmp_path / "empty.csv").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.csv")
    for other in ("none.csv", ".", "empty.csv", "pipe.csv", "bench.csv\0"):
        assert alike.read(f"{tmp_path}/{other}") is None
    small = Alike.of(path, max_bytes=len(PLAIN))
    assert small.read(path) is not None and small.read(write(PLAIN + "2000,0.1,1\n")) is None
    with pytest.raises(DataError, match="more than"):
        Alike.of(path, max_bytes=9)


def test_a_long_file_and_many_threads(tmp_path, way):
    paths = [tmp_path / f"{i}.csv" for i in range(6)]
    for i, path in enumerate(paths):
        path.write_text("f,gain,x\n" + "".join(f"{k},{k * (i + 1) % 97}.25,0\n" for k in range(1, 7000)))
    alike = pickle.loads(pickle.dumps(Alike.of(paths[0])))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(alike.read, paths * 2))
    assert [said(data) for data in found] == [said(read(path)) for path in paths] * 2


def test_nothing_is_shared_between_two_measurements(write, way):
    path = write(PLAIN)
    alike = Alike.of(path)
    one, other = alike.read(path), alike.read(path)
    one.meta["columns"].append("mine")
    one.values.zero_()
    assert said(other) == said(read(path)) == said(alike.read(path))
