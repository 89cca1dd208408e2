"""What the header of a file says of every file that has the same header, found out by reading it above other rows.

The full readers understand some columns by what they hold. A template is made only where the header settles everything
as long as the numbers keep to rules, such as a gain that is nowhere below −1 and so is no level in decibels.
"""

from __future__ import annotations

import pickle
import random
import re
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch

from circuits.data import readers, tabular, text
from circuits.data.columns import axis
from circuits.data.headers import Meaning
from circuits.data.measurements import Measurements
from circuits.data.naming import Naming
from circuits.data.readers import binary, saved, table
from circuits.data.rows import ANY, LABEL, OVER_MINUS_ONE, POSITIVE, RISING, Rows
from circuits.errors import OhmgradError

_LEVELS = ("magnitude", "decibels", "phase", "real", "imag")
_SEPARATORS = {f"{name}-separated": mark for mark, name in tabular.LAYOUTS.items() if mark is not None}
_LINE_END = re.compile(rb"\r\n|\r|\n")
_MOST_LINES = 100  # above the first row; the delimiter is told from the first 200 lines
_PROBES = 3  # rows of random numbers that tell one column from another


@dataclass(frozen=True)
class Template:
    """How files with one header are read: their rows, what these are, and what is said of them.

    Args:
        rows: reads the numbers: frequency, a row for each output (for responses first the real parts, then the
            imaginary ones), then as many as outputs of uncertainties if there are any.
        quantity: as in `Measurements`, and so `outputs`.
        has_sigma: whether there are uncertainties.
        meta: pickled, so that no two measurements share a list.
        said: the sentence on how the file was understood, behind the number of points.
        as_saved: whether `Measurements.to_csv` wrote the file.
    """

    rows: Rows
    quantity: str
    outputs: tuple[str, ...]
    has_sigma: bool
    meta: bytes
    said: str
    as_saved: bool


@dataclass(frozen=True)
class _Form:
    """The outside of a table: bytes above its rows, separator, number of columns, position of the frequency."""

    header: bytes
    separator: str
    width: int
    axis: int
    known: list[Meaning]


def template_of(
    data: bytes, first: Measurements, quantity: str | None, naming: Naming, max_bytes: int
) -> Template | None:
    """The template of a file, or None where it has none and every file like it needs the full reader.

    Args:
        data: the file.
        first: what the full reader made of it.
        quantity, naming, max_bytes: as given to `read`.
    """
    if binary.reader_for(data) is not None:
        return None
    content = text.decode(data)
    reader = readers.reader_for(content)
    if reader not in (saved, table):
        return None
    is_led = first.quantity == "led"
    form = _form_of_saved(data, content) if reader is saved else _form_of_table(data, content, naming, is_led)
    if form is None or b"\0" in form.header:
        return None
    probe = _led_probe(form) if is_led else _probe(form)
    try:
        read = _read_probe(form, probe, reader, quantity, naming)
    except OhmgradError:
        return None
    order = None if read is None or read.quantity != first.quantity else _order(read, probe)
    return None if read is None or order is None else _filled(form, read, order, reader is saved, max_bytes)


def _form_of_saved(data: bytes, content: str) -> _Form | None:
    line = [line for line in text.lines(content) if not line.mark][1]
    return _Form(_above(data, line.number), ",", len(text.split(line.text, ",")), 0, [])


def _form_of_table(data: bytes, content: str, naming: Naming, is_led: bool) -> _Form | None:
    """The outside of a table; None where the header leaves something to the numbers."""
    found = tabular.tabulate(content, naming.columns.get("frequency"))
    known = naming.meanings(found)
    index = axis(found, known)[0]
    separator = _SEPARATORS.get(found.layout)
    header = _above(data, found.numbers[0])
    others = [one for at, one in enumerate(known) if at != index]
    settled = _lights_alone(others) if is_led else _is_settled(others)
    if separator is None or not settled or len(set(found.names)) < len(found.names):
        return None
    lines = text.lines(text.decode(header))
    plain = [line.text for line in lines if not line.mark]
    rows_above = any(tabular.is_row(text.split(line, mark)) for line in plain for mark in tabular.DELIMITERS)
    doubtful = rows_above or len(lines) > _MOST_LINES or any(line.mark == ";" == separator for line in lines)
    return None if doubtful else _Form(header, separator, len(found.names), index, known)


def _above(data: bytes, line: int) -> bytes:
    """All bytes above a line, which is counted from 1."""
    ends = [0, *(found.end() for _, found in zip(range(line - 1), _LINE_END.finditer(data), strict=False))]
    return data[: ends[line - 1]]


def _lights_alone(others: list[Meaning]) -> bool:
    """Nothing but LED columns: they are taken for labels as long as all they hold is 0 and 1."""
    return all(one.name and not one.is_sigma and one.role in ("led", "unknown") for one in others)


def _is_settled(others: list[Meaning]) -> bool:
    """Levels, phases and parts whose names say what they are, all in our units.

    Voltages are divided by one another, uncertainties of parts are joined, attenuation is turned round where it is
    positive, a phase without a unit raises a doubt where it is small: all of that is left to the full reader.
    """
    values = [one for one in others if not one.is_sigma]
    levels = [one for one in values if one.role in _LEVELS]
    doubtful = any(
        one.role in ("vin", "vout")
        or (one.role in ("real", "imag") and len(values) < len(others))
        or (one.role == "phase" and one.unit is None)
        or (one.role == "decibels" and re.search("attenuation|loss", one.name.lower()))
        for one in values
    )
    in_our_units = all(one.factor == 1.0 for one in others if one in levels or one.is_sigma)
    return bool(levels) and not doubtful and in_our_units


def _probe(form: _Form) -> np.ndarray:
    """Random rising columns `(rows, columns)`, no two alike, none of them in anything but the units it is read in."""
    draw = random.Random(0)
    return np.array([[row + 0.5 + draw.random() / 2 for _ in range(form.width)] for row in range(_PROBES)])


def _led_probe(form: _Form) -> np.ndarray:
    """Columns of 0 and 1 that spell their positions in binary digits."""
    rows = np.arange(form.width.bit_length())
    probe = (np.arange(1, form.width + 1) >> rows[:, None] & 1).astype(float)
    probe[:, form.axis] = rows + 1
    return probe


def _read_probe(
    form: _Form, probe: np.ndarray, reader: ModuleType, quantity: str | None, naming: Naming
) -> Measurements | None:
    """What the full reader makes of the header with the probe below it."""
    lines = (form.separator.join(map(repr, row)) + "\n" for row in probe.tolist())
    content = text.decode(form.header + "".join(lines).encode())
    if readers.reader_for(content) is not reader:
        return None
    read = reader.parse(content, quantity, naming)
    return read if quantity is None else read.as_quantity(quantity)


def _order(read: Measurements, probe: np.ndarray) -> list[int] | None:
    """Positions of the columns that became frequency, values and uncertainties; None where one was changed."""
    if read.sigma is not None and read.sigma.shape != read.values.shape:
        return None
    values = [read.values.real, read.values.imag] if read.values.is_complex() else [read.values]
    parts = [read.f, *values] + ([] if read.sigma is None else [read.sigma])
    series = torch.cat([part.reshape(-1, len(read)) for part in parts]).numpy()
    if series.shape[1] != len(probe):
        return None
    matches = [np.flatnonzero((one == probe.T).all(1)).tolist() for one in series]
    order = [found[0] for found in matches if len(found) == 1]
    return order if len(set(order)) == len(series) else None


def _filled(form: _Form, read: Measurements, order: list[int], as_saved: bool, max_bytes: int) -> Template:
    """The template, with the rules that keep the full reader to the same understanding."""
    sigma_from = 1 + max(len(read.outputs), 1) * (2 if read.values.is_complex() else 1)
    rule = [ANY] * form.width
    for at, one in enumerate(form.known):
        rule[at] = POSITIVE if one.is_sigma else OVER_MINUS_ONE if one.role == "magnitude" and not one.unit else ANY
    for at in order[sigma_from:]:
        rule[at] = POSITIVE
    if read.quantity == "led":
        rule = [LABEL] * form.width
    rule[order[0]] = RISING
    order = order + [at for at in range(form.width) if at not in order]
    place = [order.index(at) for at in range(form.width)]
    rows = Rows(form.header, form.separator.encode(), place, rule, max_bytes)
    said = "" if as_saved else read.understood.partition(" ")[2]
    meta = pickle.dumps(dict(read.meta))
    return Template(rows, read.quantity, read.outputs, read.sigma is not None, meta, said, as_saved)
