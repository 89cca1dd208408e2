"""Files with something broken in them: a right reading or a clear error, and never anything else."""

from __future__ import annotations

import math
import random
import re

import pytest
import torch

from circuits.data import Measurements, log_grid, read
from circuits.errors import OhmgradError

ROWS = 12
F = log_grid(ROWS, 10.0, 1e5).tolist()


def rows(*columns, delimiter=","):
    return "".join(delimiter.join(cells) + "\n" for cells in zip(*columns, strict=True))


LEVEL = [f"{0.97**i:.4f}" for i in range(ROWS)]
FREQUENCY = [f"{f:.2f}" for f in F]
LIGHT = ["1" if i < 6 else "0" for i in range(ROWS)]
BASES = {
    "plain": "frequency_hz,magnitude\n" + rows(FREQUENCY, LEVEL),
    "bench": "# bench 3, Ana\n# f (kHz), Vin (V), Vout (mV), sigma (mV), phase (°)\n"
    + rows(FREQUENCY, ["2.0"] * ROWS, LEVEL, ["0.01"] * ROWS, ["-45"] * ROWS),
    "lights": "frequency,low,band,high\n" + rows(FREQUENCY, LIGHT, ["off"] * ROWS, [""] * ROWS),
    "comma": "f / Hz;Gain (dB);notes\n"
    + rows(
        [f.replace(".", ",") for f in FREQUENCY],
        [f"-{x.replace('.', ',')}" for x in LEVEL],
        ["x"] * ROWS,
        delimiter=";",
    ),
    "blanks": "f gain re im\n" + rows(FREQUENCY, LEVEL, LEVEL, LEVEL, delimiter=" "),
}
ALPHABET = "0123456789.,;:-+eE \t\n\r\"#%/*!°µ−∞\x0b\x85\ufeff\u2028abinfNaN_()[]|'\\{}~$"


def mutated(text, draw):
    """One to three edits: a character more, fewer or other, a line moved, doubled or dropped, a cut."""
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(text) + 1) if text else 0
        lines = text.split("\n")
        one, other = draw.randrange(len(lines)), draw.randrange(len(lines))
        kind = draw.randrange(8)
        if kind == 0:
            text = text[:at] + draw.choice(ALPHABET) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + 1 :]
        elif kind == 2:
            text = text[:at] + draw.choice(ALPHABET) + text[at + 1 :]
        elif kind == 3:
            lines[one], lines[other] = lines[other], lines[one]
            text = "\n".join(lines)
        elif kind == 4:
            text = "\n".join(lines[:one] + [lines[other]] + lines[one:])
        elif kind == 5:
            text = "\n".join(lines[:one] + lines[one + 1 :])
        elif kind == 6:
            text = text[:at]
        else:
            old, new = draw.choice(ALPHABET), draw.choice(ALPHABET)
            text = text.replace(old, new)
    return text


def broken_bytes(data, draw):
    """Now and then a byte that no encoding expects."""
    if draw.random() < 0.3 and data:
        at = draw.randrange(len(data))
        data = data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
    return data


def outcome(path):
    """What `read` gives or how it refuses; any other exception is for the test to fail on."""
    try:
        return read(path)
    except OhmgradError as problem:
        message = str(problem)
        assert message.startswith(f"{path}: ") and "\n" not in message
        return None


def assert_sound(data, path):
    """It holds what a measurement may hold, in order, and says so; saved and read again it is the same."""
    assert isinstance(data, Measurements)
    assert bool((data.f > 0).all() and data.f.isfinite().all() and (data.f.diff() >= 0).all())
    assert not bool(data.values.isinf().any())
    assert data.understood.count(";") >= 1 and "\n" not in data.understood
    data.to_csv(path)
    again = read(path)
    assert (again.quantity, again.outputs) == (data.quantity, data.outputs)
    assert torch.equal(again.f, data.f)
    torch.testing.assert_close(again.values, data.values, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("base", [*BASES, "saved"])
def test_a_broken_file_is_read_rightly_or_refused(base, encoding, tmp_path):
    path, again = tmp_path / "broken.csv", tmp_path / "again.csv"
    draw = random.Random(f"{base} {encoding}")
    if base == "saved":
        Measurements(F, "magnitude", [[0.5] * ROWS] * 2, 0.01, ("low", "high"), {"who": "Ana"}).to_csv(path)
    text = BASES[base] if base != "saved" else path.read_text(encoding="utf-8")
    accepted = 0
    for _ in range(50):
        path.write_bytes(broken_bytes(mutated(text, draw).encode(encoding, "replace"), draw))
        data = outcome(path)
        if data is not None:
            assert_sound(data, again)
            accepted += 1
    assert 5 <= accepted <= 45  # the edits break many files and not all


NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def naive(text):
    """What the rows of the plain file say, read the simplest way; None when a row says nothing."""
    points = []
    for line in text.split("\n")[1:]:
        if not line.strip() or line.lstrip()[0] in "#%;*!" or line.lstrip().startswith("//"):
            continue
        f, value, *more = [cell.strip().replace("−", "-") for cell in line.split(",")] + [""]
        if f == value == "" and not any(more):
            continue
        if any(more) or line.count(",") == 0 or not NUMBER.fullmatch(f) or not 0 < float(f) < math.inf:
            return None
        if not NUMBER.fullmatch(value) and value.lower() not in ("", "nan", "-"):
            return None
        points.append((float(f), float(value) if NUMBER.fullmatch(value) else math.nan))
        if math.isinf(points[-1][1]):
            return None
    return sorted(points, key=lambda point: point[0])


def test_a_reading_is_right_whenever_there_is_one(tmp_path):
    """Against another reader of ten lines, after edits in the rows; quotes and other line ends left out."""
    path = tmp_path / "broken.csv"
    header, body = BASES["plain"].split("\n", 1)
    draw = random.Random(7)
    alphabet = [character for character in ALPHABET if character not in '"\r\t;']
    read_well = refused = 0
    for _ in range(400):
        text = body
        for _ in range(draw.randint(1, 2)):
            at = draw.randrange(len(text))
            text = text[:at] + draw.choice([*alphabet, ""]) + text[at + draw.randint(0, 1) :]
        text = f"{header}\n{text}"
        path.write_text(text, encoding="utf-8", newline="")
        data, expected = outcome(path), naive(text)
        if expected is None:
            assert data is None, text
            refused += 1
        else:
            assert data is not None, text
            got = torch.stack([data.f, data.values], dim=1)
            torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=0, equal_nan=True)
            read_well += 1
    assert min(read_well, refused) > 50
