"""Measurements as a CSV file: a line of description, a header, rows; written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from circuits.errors import DataError
from circuits.files import replace_file

if TYPE_CHECKING:
    from circuits.data.measurements import Measurements

MARK = "# measurements by ohmgrad "
_SUFFIX = {"magnitude": ("magnitude",), "decibels": ("db",), "phase": ("phase_deg",), "led": ("led",)}
_SUFFIX |= {"response": ("real", "imag")}


def write(measurements: Measurements, path: str | os.PathLike[str]) -> None:
    """Write one board's measurements; a file of that name is replaced in one step.

    Numbers are written with as many digits as give the same number back, missing values as empty cells.

    Raises:
        DataError: a batch of boards, or a place that cannot be written.
    """
    if measurements.batch_shape:
        raise DataError(
            f"a batch {tuple(measurements.batch_shape)} of boards; a file holds one: write each board's own"
        )
    replace_file(path, _text(measurements))


def _text(measurements: Measurements) -> str:
    """Description, header and rows."""
    columns, names = _columns(measurements)
    has_sigma = measurements.sigma is not None
    said = {
        "quantity": measurements.quantity,
        "outputs": list(measurements.outputs),
        "sigma": has_sigma,
        "meta": {str(key): value for key, value in measurements.meta.items()},
    }
    out = io.StringIO()
    out.write(MARK + json.dumps(said, default=str, skipkeys=True) + "\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    rows = torch.stack([column.double().cpu() for column in columns], dim=1).tolist()
    is_led = measurements.quantity == "led"
    writer.writerows([repr(row[0]), *(_cell(value, is_led) for value in row[1:])] for row in rows)
    return out.getvalue()


def _columns(measurements: Measurements) -> tuple[list[Tensor], list[str]]:
    """The frequency, then for each output its value (two for a response) and its uncertainty."""
    columns, names = [measurements.f], ["frequency_hz"]
    sigma = measurements.sigma
    sigma = None if sigma is None else torch.broadcast_to(sigma, measurements.values.shape)
    suffixes = _SUFFIX[measurements.quantity]
    for i, output in enumerate(measurements.outputs or ("",)):
        pick = i if measurements.outputs else ...
        stem = f"{output}_" if output else ""
        values = measurements.values[pick]
        columns += [values.real, values.imag] if values.is_complex() else [values]
        names += [stem + suffix for suffix in suffixes]
        if sigma is not None:
            columns.append(sigma[pick])
            names.append(f"{stem}{suffixes[0] if len(suffixes) == 1 else 'response'}_sigma")
    return columns, names


def _cell(value: float, is_led: bool) -> str:
    if value != value:
        return ""
    return str(int(value)) if is_led else repr(value)
