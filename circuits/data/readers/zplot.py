"""ZPlot (Scribner): an impedance in ohms, below a long description that ends with `End Comments`."""

from __future__ import annotations

import re
from dataclasses import replace

from circuits.data import text as lines_of
from circuits.data.exports import tabulate_below
from circuits.data.headers import Meaning
from circuits.data.interpretation import Source, interpret
from circuits.data.measurements import Measurements
from circuits.data.naming import AS_NAMED, Naming
from circuits.data.tabular import Table
from circuits.data.units import Unit
from circuits.errors import DataError

_NAME = "ZPlot impedance"
_HEADER = re.compile(r"Freq(uency)?\(Hz\)\s.*Z'\(a\)\s.*Z''\(b\)", re.IGNORECASE)
_END = re.compile(r"End Comments\s*$", re.IGNORECASE)
_OHMS = "an impedance in ohms: no ratio"


def recognise(text: str) -> bool:
    r"""Whether the first line is that of ZPlot, or its header stands somewhere.

    >>> recognise("ZPLOT2 ASCII\n"), recognise("f,gain")
    (True, False)
    """
    head = lines_of.raw_lines(text, 1000)
    return head[0].strip().upper().startswith("ZPLOT") or any(_HEADER.match(line.strip()[:1000]) for line in head)


def parse(text: str, quantity: str | None = None, naming: Naming = AS_NAMED) -> Measurements:
    """Read Z = Z' + i Z'' in ohms as a response.

    Raises:
        DataError: no header, or rows that do not fit it.
    """
    marker = next((line for line in lines_of.raw_lines(text, 1000) if _END.match(line.strip())), None)
    names = next((line for line in lines_of.raw_lines(text, 1000) if _HEADER.match(line.strip())), None)
    if marker is None or names is None:
        raise DataError("a ZPlot file without its header Freq(Hz) … Z'(a) Z''(b) above End Comments; export it again")
    below = _moved(text, names, marker)
    table = tabulate_below(below, _HEADER)
    return interpret(table, _meanings(table, naming), quantity, Source(_NAME, [_OHMS], ratio=_OHMS))


def _moved(text: str, names: str, marker: str) -> str:
    """The header in the place of the line that ends the description, so that the rows follow it."""
    lines = lines_of.raw_lines(text)
    end, at = lines.index(marker), lines.index(names)
    if end < at:
        raise DataError(f"line {at + 1}: the header stands below End Comments; export the file again")
    tail = "\n" if text.endswith(("\n", "\r")) else ""
    lines[at], lines[end] = "", names
    return "\n".join(lines).rstrip("\n") + tail


def _meanings(table: Table, naming: Naming) -> list[Meaning]:
    """Z' is the real part and Z'' the imaginary one, in ohms."""
    known = naming.meanings(table)
    roles = {"z'(a)": "real", "z''(b)": "imag"}
    for at, name in enumerate(table.names):
        role = roles.get(name.lower())
        if role is not None and not naming.columns:
            known[at] = Meaning(name, role, Unit("magnitude", 1.0, "ohms"), "")
        elif role is None and known[at].role != "frequency" and not naming:
            known[at] = replace(known[at], role="unknown", output=name, is_sigma=False)
    return known
