"""SPICE raw files of an AC analysis: LTspice (UTF-16 header), ngspice and Xyce (UTF-8), binary or ASCII.

The frequency is a complex number there, and its imaginary part may be anything: it is left alone. A stepped run is one
long list in which the frequency turns back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from circuits.data.measurements import Measurements
from circuits.data.naming import AS_NAMED, Naming
from circuits.data.traces import apart, measured
from circuits.errors import DataError, OptionError, UnknownName

_NAME = "SPICE raw"
_RATIO = "as simulated: volts and amperes for what the sources of .ac give, which is the ratio for an input of 1 V"
_START = "Title:"
_MARKS = ("Binary:", "Values:")
_MOST_HEADER = 2**22


@dataclass(frozen=True)
class _Plot:
    """One analysis in the file: its header by key, its variables, its points `(points, variables)`, what was lost."""

    header: dict[str, str]
    variables: list[str]
    points: np.ndarray
    lost: str


def recognise(data: bytes) -> bool:
    r"""Whether the bytes begin as a raw file does, in UTF-8 or UTF-16.

    >>> header = "Title: * organ\nNo. Variables: 2\n"
    >>> recognise(header.encode()), recognise(header.encode("utf-16-le")), recognise(b"f,gain")
    (True, True, False)
    """
    encoding = _encoding(data)
    return encoding is not None and "No. Variables:".encode(encoding) in data[:_MOST_HEADER]


def parse(data: bytes, quantity: str | None = None, naming: Naming = AS_NAMED) -> Measurements:
    """Read the AC analysis; every variable beside the frequency is an output, or vout over vin where these are named.

    Raises:
        DataError: no AC analysis, several of them, a header that does not fit the numbers.
        FrequencyError: a frequency that is not positive and finite.
        UnknownName, OptionError: variables that are not there, roles that a raw file has no use for.
    """
    if b"\n" not in data:  # ASCII with the line ends of an old Mac
        data = data.replace(b"\r", b"\n")
    plots = [plot for plot in _plots(data) if "complex" in plot.header.get("flags", "").lower()]
    if len(plots) != 1:
        raise DataError(f"{len(plots)} AC analyses in this raw file; expected one: write each into a file of its own")
    plot = plots[0]
    names = [name.lower() for name in plot.variables]
    if "frequency" not in names:
        raise DataError(f"no frequency among {', '.join(plot.variables)}; expected the raw file of an AC analysis")
    axis = names.index("frequency")
    traces = {name: plot.points[:, i] for i, name in enumerate(plot.variables) if i != axis}
    if len(traces) < len(plot.variables) - 1 or not traces:
        raise DataError("two variables of one name, or none; expected the raw file of an AC analysis")
    traces, ratio = _asked(traces, naming)
    f, traces, notes = apart(np.real(plot.points[:, axis]).copy(), traces)
    skipped = [plot.lost] if plot.lost else []
    return measured(f, traces, _NAME, ratio, [_title(plot), *notes], skipped, "ratio" if naming else "as simulated")


def _title(plot: _Plot) -> str:
    return " ".join(f"{plot.header.get('plotname', '')} of {plot.header.get('title', '')}".split())[:100]


def _asked(traces: dict[str, np.ndarray], naming: Naming) -> tuple[dict[str, np.ndarray], str]:
    """All traces, or the quotient of the two that were named."""
    if not naming:
        return traces, _RATIO
    if set(naming.columns) != {"vin", "vout"} or naming.units:
        raise OptionError("of a raw file only --column vout=NAME and --column vin=NAME can be given, both of them")
    lowered = {name.lower(): name for name in traces}
    for name in naming.columns.values():
        if name.lower() not in lowered:
            raise UnknownName("variable", name, traces)
    out, into = (lowered[naming.columns[role].lower()] for role in ("vout", "vin"))
    if (traces[into] == 0).any():
        raise DataError(f"{into!r} is zero at some frequency; expected an input to divide by")
    return {f"{out}/{into}": traces[out] / traces[into]}, f"taken here: {out!r} over {into!r}"


def _encoding(data: bytes) -> str | None:
    """How the header is written, or None where the bytes do not begin with a title."""
    bare = data[:40].lstrip(b"\xff\xfe").lstrip(b"\xef\xbb\xbf")
    if bare.startswith(_START.encode("utf-16-le")):
        return "utf-16-le"
    return "utf-8" if bare.startswith(_START.encode()) else None


def _plots(data: bytes) -> list[_Plot]:
    """Every analysis in the file, one behind the other."""
    encoding = _encoding(data) or "utf-8"
    start, plots = data.index(_START.encode(encoding)), []
    while start < len(data):
        if data[start : start + 40].strip(b"\r\n\0 \t") and not data.startswith(_START.encode(encoding), start):
            raise DataError(
                "more numbers than the header of this raw file promises; the file is damaged: write it again"
            )
        if not data[start:].strip(b"\r\n\0 \t"):
            break
        header, variables, body, is_binary = _header(data, start, encoding)
        plot, start = (_binary if is_binary else _ascii)(data, body, header, variables, encoding)
        plots.append(plot)
    return plots


def _header(data: bytes, start: int, encoding: str) -> tuple[dict[str, str], list[str], int, bool]:
    """The keys, the names of the variables, where the numbers begin, and whether they are binary."""
    newline = "\n".encode(encoding)
    head = data[start : start + _MOST_HEADER]
    ends = {mark: at for mark in _MARKS if (at := head.find(f"\n{mark}".encode(encoding))) >= 0}
    if not ends:
        raise DataError("a raw file that ends before its numbers; expected a line Binary: or Values:")
    mark = min(ends, key=lambda one: ends[one])
    end = head.find(newline, ends[mark] + len(newline))
    lines = head[: ends[mark]].decode(encoding, "replace").splitlines()
    at = next((i for i, line in enumerate(lines) if line.lower().startswith("variables:")), len(lines))
    header = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines[:at])}
    listed = [line.partition(":")[2].split() if i == 0 else line.split() for i, line in enumerate(lines[at:])]
    variables = [words[1] for words in listed if len(words) >= 3 and words[0].isdigit()]
    if str(len(variables)) != header.get("no. variables") or not header.get("no. points", "").isdigit():
        raise DataError(
            f"{len(variables)} variables are listed and {header.get('no. variables', 'none')} promised; "
            "the header of this raw file is damaged: write it again"
        )
    if end < 0:
        raise DataError("a raw file that ends before its numbers; expected some below Binary: or Values:")
    return header, variables, start + end + len(newline), mark == "Binary:"


def _binary(data: bytes, start: int, header: dict[str, str], variables: list[str], encoding: str) -> tuple[_Plot, int]:
    """Points of 16 bytes for each variable, or of 8 in a real analysis, which is skipped over."""
    flags = header.get("flags", "").lower()
    size = (16 if "complex" in flags else 8) * len(variables)
    promised = int(header["no. points"])
    if "complex" not in flags and encoding != "utf-8":
        raise DataError(f"{header.get('plotname', 'this')} is no AC analysis; expected the raw file of one")
    points = min(promised, (len(data) - start) // size)
    lost = f"the file promises {promised} points and has {points}" if points < promised else ""
    if lost and "fastaccess" in flags:
        raise DataError(f"{lost}; it was cut, and in a file for fast access no point is whole: write it again")
    raw = np.frombuffer(data, "<c16" if "complex" in flags else "<f8", points * len(variables), start)
    shaped = raw.reshape(len(variables), points).T if "fastaccess" in flags else raw.reshape(points, len(variables))
    return _Plot(header, variables, shaped, lost), len(data) if lost else start + points * size


def _ascii(data: bytes, start: int, header: dict[str, str], variables: list[str], encoding: str) -> tuple[_Plot, int]:
    """An index and a pair `re,im` for each variable, for each point."""
    following = data.find(f"\n{_START}".encode(encoding), start)
    end = len(data) if following < 0 else following + len("\n".encode(encoding))
    content = data[start:end].decode(encoding, "replace")
    tokens = content.split()
    width = len(variables) + 1
    promised, points = int(header["no. points"]), len(tokens) // width
    is_cut = not content.endswith(("\n", "\r")) and len(tokens) == points * width
    points = min(points - is_cut, promised)
    if len(tokens) > promised * width:
        raise DataError("more numbers than the header of this raw file promises; the file is damaged: write it again")
    rows = [tokens[i * width : (i + 1) * width] for i in range(points)]
    if any(row[0] != str(i) for i, row in enumerate(rows)):
        at = next(i for i, row in enumerate(rows) if row[0] != str(i))
        raise DataError(f"point {at} is numbered {rows[at][0]!r}; the numbers of this raw file are out of order")
    lost = f"the file promises {promised} points and has {points}" if points < promised else ""
    is_complex = "complex" in header.get("flags", "").lower()
    values = np.array([[_number(cell, is_complex) for cell in row[1:]] for row in rows], dtype=complex).reshape(
        points, width - 1
    )
    return _Plot(header, variables, values, lost), end


_REAL = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_PAIR = re.compile(rf"({_REAL})(?:,({_REAL}|[+-]?(?:nan|inf)))?", re.IGNORECASE)


def _number(cell: str, is_complex: bool) -> complex:
    found = _PAIR.fullmatch(cell)
    if found is None or (is_complex and found[2] is None):
        raise DataError(f"text {cell!r} among the numbers of a raw file; expected re,im with decimal points")
    return complex(float(found[1]), float(found[2] or 0.0))
