"""200 broken copies of every instrument's file: the same numbers, fewer of them, or a typed error; never others."""

from __future__ import annotations

import random
import re

import pytest
import torch

from circuits.data import read
from circuits.errors import OhmgradError
from tests.data.instrument_samples import SAMPLES

KEEP = ("reordered", "line ends", "re-encoded", "blank lines")
JUNK = ["junk", "1,2", "!!!", "# remark", "0 0 0", "\t", "12.5", "Frequency", "% x, y", "(1dB,2°)", "a,b,c,d", "-"]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"]


def is_row(line):
    return bool(re.match(r"\s*[+-]?[0-9.]+(e[+-]?[0-9]+)?[\s,;]", line, re.IGNORECASE))


def ends_of(text):
    return "\r\n" if "\r\n" in text else "\n"


def mutated_text(sample, kind, draw):
    """The file with one kind of damage."""
    text, end = sample.text, ends_of(sample.text)
    lines = text.split(end)
    rows = [i for i, line in enumerate(lines) if is_row(line)]
    if kind == "reordered":
        order = draw.sample(rows, len(rows))
        lines = [lines[order[rows.index(i)]] if i in rows else line for i, line in enumerate(lines)]
    elif kind == "blank lines":
        lines.insert(draw.randrange(rows[0], len(lines)), "")
    elif kind == "junk lines":
        for _ in range(draw.randint(1, 3)):
            lines.insert(draw.randrange(len(lines)), draw.choice(JUNK))
    elif kind == "lines gone":
        del lines[draw.randrange(len(lines) - 1)]
    elif kind == "decimal comma":
        return re.sub(r"(?<=[0-9])\.(?=[0-9])", ",", text).encode(sample.encoding)
    elif kind == "one decimal comma":
        points = [match.start() for match in re.finditer(r"(?<=[0-9])\.(?=[0-9])", text)]
        at = draw.choice(points or [len(text)])
        return (text[:at] + "," + text[at + 1 :]).encode(sample.encoding)
    elif kind == "cut":
        return text[: draw.randrange(len(text))].encode(sample.encoding)
    encoding = draw.choice(ENCODINGS) if kind == "re-encoded" else sample.encoding
    new_end = draw.choice(["\n", "\r\n", "\r"]) if kind == "line ends" else end
    return new_end.join(lines).encode(encoding)


def mutated_bytes(sample, kind, draw):
    """A binary file cut, with bytes more, or with its header in another encoding."""
    content = sample.content
    if kind == "cut":
        return content[: draw.randrange(len(content))]
    if kind == "junk lines":
        at = draw.randrange(len(content))
        return content[:at] + bytes(draw.randrange(256) for _ in range(draw.randint(1, 9))) + content[at:]
    return content.replace(b"\n", b"\r\n") if kind == "line ends" else content + bytes(draw.randint(1, 99))


def matches(data, sample, tolerance=1e-9):
    """How many points were read, when each of them is one of the file's; None when one is not."""
    if data.quantity != sample.quantity:
        return None
    values = torch.tensor(sample.values, dtype=data.values.dtype).reshape(len(sample.values), -1)
    f = torch.tensor(sample.f, dtype=torch.float64)
    got = data.values.reshape(-1, len(data))
    if got.shape[0] < len(values) and "step" in f"{data.understood}{sample.outputs}":
        values = values[: len(got)]  # of the steps only the first is left
    if got.shape != (len(values), len(data)):
        return None
    for i, x in enumerate(data.f):
        same = (values - got[:, i : i + 1]).abs() <= tolerance * (1 + values.abs())
        if not bool((((f - x).abs() <= tolerance * f) & same.all(0)).any()):
            return None
    return len(data)


def is_between_rows(sample, content):
    """Whether a cut fell between two rows, so that every row that is left is whole."""
    if not sample.is_text:
        return False
    last = re.split(r"[\r\n]+", content.decode(sample.encoding, "ignore"))[-1].strip()
    return not last or last in [line.strip() for line in sample.text.splitlines()]


KINDS = (*KEEP, "junk lines", "lines gone", "decimal comma", "one decimal comma", "cut", "cut")
ORDERED = ("ascii raw", "ltspice text, two steps")  # where the order of the rows means something


def copies(name):
    """200 of a file of each kind, fewer of the variants of one."""
    first = {one.source: name for name, one in reversed(SAMPLES.items())}
    return 200 if name in first.values() or name.startswith("ltspice") else 50


@pytest.mark.parametrize("name", SAMPLES)
def test_broken_copies(name, tmp_path):
    sample, path, draw = SAMPLES[name], tmp_path / "broken.txt", random.Random(name)
    kept = 0
    for turn in range(copies(name)):
        kind = KINDS[turn % len(KINDS)] if sample.is_text else draw.choice(["cut", "junk lines", "line ends", "tail"])
        content = (mutated_text if sample.is_text else mutated_bytes)(sample, kind, draw)
        path.write_bytes(content)
        try:
            data = read(path, sample.asked)
        except OhmgradError as problem:
            assert "\n" not in str(problem)
            assert not (sample.is_text and kind in KEEP and name not in ORDERED), (kind, str(problem))
            continue
        points = matches(data, sample)
        if sample.is_text or kind != "junk lines":  # bytes put among binary numbers make others, if as many are lost
            assert points is not None, (kind, data, content[-200:])
        if sample.is_text and kind in KEEP:
            assert points == len(sample.f), kind
            kept += 1
        if kind == "cut" and not is_between_rows(sample, content):
            assert data.meta["skipped"], content[-80:]
    assert kept > 0 or not sample.is_text
