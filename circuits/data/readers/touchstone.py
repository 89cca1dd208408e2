"""Touchstone, version 1 and 2: an option line `# Hz S RI R 50`, then rows; the number of ports by what the rows hold.

The file's name says nothing here: nine columns are a two-port even in a `.s1p`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from circuits.data import text as lines_of
from circuits.data.measurements import Measurements
from circuits.data.naming import AS_NAMED, Naming, refuse
from circuits.data.traces import measured
from circuits.errors import DataError

_NAME = "Touchstone"
_OPTIONS = re.compile(r"#\s*((?:GHz|MHz|kHz|Hz|S|Y|Z|G|H|MA|DB|RI|R\s+[0-9.eE+-]+)(?:\s+|\s*$))+(!.*)?$", re.IGNORECASE)
_SCALES = {"hz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9}
_DIGITS = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_UNITS = {"S": "ratio", "Z": "ohms", "Y": "siemens", "G": "hybrid", "H": "hybrid"}


@dataclass(frozen=True)
class _Options:
    """What the option line says: hertz for one unit, parameter, format, reference in ohms."""

    scale: float = 1e9
    parameter: str = "S"
    form: str = "MA"
    reference: float = 50.0


def recognise(text: str) -> bool:
    r"""Whether there is an option line above the first row.

    >>> recognise("! board 3\n# MHz S DB R 50\n1 -3 -45"), recognise("# f, gain"), recognise("# Hz\n")
    (True, False, True)
    """
    return _option_line(lines_of.raw_lines(text, 1000)) is not None


def parse(text: str, quantity: str | None = None, naming: Naming = AS_NAMED) -> Measurements:
    """Read every parameter as a complex output named S11, S21 and so on; impedances in ohms, admittances in siemens.

    Raises:
        DataError: rows that fit no number of ports, text among numbers, a last row that was cut.
        OptionError: roles or units given by hand.
    """
    refuse(naming, "Touchstone file")
    lines = lines_of.raw_lines(text)
    at = _option_line(lines) or 0
    options = _options(lines[at])
    keywords = _keywords(lines)
    records, skipped = _records(lines, at, text.endswith(("\n", "\r")))
    ports, order = _ports(records, keywords)
    records, noise = _without_noise(records, ports)
    skipped += noise
    table = np.array([row for _, row in records])
    values = _complex(table[:, 1::2], table[:, 2::2], options.form)
    names = _names(ports, options.parameter, order)
    values = _denormalised(values, names, options, bool(keywords))
    traces = {name: values[:, i].copy() for i, name in enumerate(names)}
    unit = _UNITS[options.parameter]
    notes = [f"{ports}-port, {options.parameter} as {options.form}, reference {options.reference:g} Ω"]
    ratio = "already taken: scattering parameters" if unit == "ratio" else f"no ratio: {options.parameter} in {unit}"
    read = measured(table[:, 0] * options.scale, traces, _NAME, ratio, notes, skipped, unit)
    return replace(read, meta={**read.meta, "reference": options.reference})


def _option_line(lines: Sequence[str]) -> int | None:
    """Where the option line is: above it are comments and keywords only."""
    for at, line in enumerate(lines[:1000]):
        bare = line.strip()
        if bare.startswith("#"):
            return at if _OPTIONS.fullmatch(bare[:200]) else None
        if bare and bare[0] not in "![":
            return None
    return None


def _options(line: str) -> _Options:
    words = line.partition("!")[0].strip().lstrip("#").split()
    found: dict[str, str] = {}
    for before, word in zip(["", *words], words, strict=False):
        kind = _kind(before.lower(), word.lower())
        if kind:
            found[kind] = word
    reference = found.get("reference", "50")
    if not _DIGITS.fullmatch(reference) or float(reference) <= 0:
        raise DataError(f"reference resistance {reference!r} in the option line; expected positive ohms")
    return _Options(
        _SCALES[found.get("scale", "GHz").lower()],
        found.get("parameter", "S").upper(),
        found.get("form", "MA").upper(),
        float(reference),
    )


def _kind(before: str, word: str) -> str:
    """What a word of the option line sets; the R of the reference sets nothing itself."""
    if before == "r":
        return "reference"
    if word in _SCALES:
        return "scale"
    return "form" if word in ("ma", "db", "ri") else "parameter" if word in tuple("syzgh") else ""


def _keywords(lines: Sequence[str]) -> dict[str, str]:
    """The keywords of version 2, by lower-case name."""
    found = (re.match(r"\[([^\]]+)\]\s*(.*)", line.strip()) for line in lines if line.lstrip().startswith("["))
    return {match[1].lower(): match[2].partition("!")[0].strip() for match in found if match}


def _records(lines: Sequence[str], option: int, ended: bool) -> tuple[list[tuple[int, list[float]]], list[str]]:
    """Rows with their line numbers; a line with an even number of numbers goes on with the row above."""
    records: list[tuple[int, list[float]]] = []
    last, more = 0, 0
    for number, line in enumerate(lines[option + 1 :], option + 2):
        bare = line.partition("!")[0].strip()
        if bare.lower() in ("[noise data]", "[end]"):
            break
        if bare.startswith("#"):
            more += 1
        if not bare or bare[0] in "[#" or _is_setting(bare, lines, number):
            continue
        row, last = [_float(cell, number) for cell in bare.split()], number
        if len(row) % 2 == 0 and records:
            records[-1][1].extend(row)
        else:
            records.append((number, row))
    skipped = [f"{more} option line{'s' * (more > 1)} behind the first"] if more else []
    if records and not ended and last == len(lines):
        records.pop()
        skipped.append(f"the last row, at line {last}, which may be cut")
    if not records:
        raise DataError("an option line and no rows below it; expected at least one row of numbers")
    return records, skipped


def _is_setting(bare: str, lines: Sequence[str], number: int) -> bool:
    """Whether a line belongs to the keyword [Reference], whose numbers may stand on lines of their own."""
    above = next((line.strip() for line in reversed(lines[: number - 1]) if line.strip()), "")
    return above.lower() == "[reference]"


def _float(cell: str, number: int) -> float:
    if not _DIGITS.fullmatch(cell) or not math.isfinite(float(cell)):
        raise DataError(f"line {number}: text {cell!r} among numbers; expected numbers with decimal points")
    return float(cell)


def _ports(records: list[tuple[int, list[float]]], keywords: dict[str, str]) -> tuple[int, str]:
    """The number of ports, by the length of the first row, and the order of a two-port."""
    if keywords.get("matrix format", "full").lower() != "full":
        raise DataError(f"[Matrix Format] {keywords['matrix format']} is not read; write the full matrix")
    count = len(records[0][1]) - 1
    ports = math.isqrt(count // 2)
    if count < 2 or 2 * ports * ports != count:
        raise DataError(
            f"line {records[0][0]}: a row of {count + 1} numbers; expected 1 + 2 n² of them for n ports: 3, 9, 19, …"
        )
    promised = keywords.get("number of ports", str(ports))
    if promised != str(ports):
        raise DataError(f"[Number of Ports] {promised}, and rows of {count + 1} numbers, which is {ports}")
    return ports, keywords.get("two-port data order", "21_12")


def _without_noise(
    records: list[tuple[int, list[float]]], ports: int
) -> tuple[list[tuple[int, list[float]]], list[str]]:
    """Rows up to the noise parameters, five in a row, that may follow those of a two-port."""
    width = 1 + 2 * ports * ports
    end = next((i for i, (_, row) in enumerate(records) if len(row) != width), len(records))
    rest = records[end:]
    if rest and (ports != 2 or any(len(row) != 5 for _, row in rest)):
        raise DataError(f"line {rest[0][0]}: {len(rest[0][1])} numbers; expected {width} as in the rows above")
    return records[:end], [f"{len(rest)} rows of noise parameters"] if rest else []


def _names(ports: int, parameter: str, order: str) -> list[str]:
    """The names in the order of a row; a two-port has S21 before S12 unless it says otherwise."""
    pairs = [(i, j) for i in range(1, ports + 1) for j in range(1, ports + 1)]
    if ports == 2 and order.replace(" ", "") != "12_21":
        pairs = [(1, 1), (2, 1), (1, 2), (2, 2)]
    between = "," if ports > 9 else ""
    return [f"{parameter}{i}{between}{j}" for i, j in pairs]


def _complex(first: np.ndarray, second: np.ndarray, form: str) -> np.ndarray:
    if form == "RI":
        return first + 1j * second
    return (10.0 ** (first / 20.0) if form == "DB" else first) * np.exp(1j * np.deg2rad(second))


def _denormalised(values: np.ndarray, names: list[str], options: _Options, is_version_2: bool) -> np.ndarray:
    """Ohms and siemens: in version 1 they stand in units of the reference."""
    if is_version_2 or options.parameter == "S":
        return values
    r = options.reference
    if options.parameter in "ZY":
        return values * (r if options.parameter == "Z" else 1.0 / r)
    ohms, siemens = ("11", "22") if options.parameter == "H" else ("22", "11")
    factors = [r if name[1:] == ohms else 1.0 / r if name[1:] == siemens else 1.0 for name in names]
    return values * np.array(factors)
