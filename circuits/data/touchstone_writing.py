"""Measurements as a Touchstone file, version 1, numbers exactly as they are."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from circuits.errors import DataError
from circuits.files import replace_file

if TYPE_CHECKING:
    from circuits.data.measurements import Measurements

REFERENCE = 50.0
_ONE, _TWO = ("S11",), ("S11", "S21", "S12", "S22")
_AMPLIFIER = "the voltage ratio H as an ideal amplifier: S21 = 2 H, S11 = 1, S22 = -1, S12 = 0"


def write_touchstone(measurements: Measurements, path: str | os.PathLike[str]) -> None:
    """Write a response to a `.s1p` or `.s2p` file, which is replaced in one step.

    A `.s1p` takes the output S11, or an impedance in ohms as Z11. A `.s2p` takes S11, S21, S12 and S22, or one voltage
    ratio H: an ideal amplifier of that gain has, in any reference, S11 = 1, S21 = 2 H, S12 = 0, S22 = −1.

    Raises:
        DataError: a batch, another quantity, missing values, outputs that such a file has no place for, a place that
            cannot be written.

    Reference: Touchstone File Format Specification 1.1; D. M. Pozar, Microwave Engineering, chapter 4.

    >>> import tempfile
    >>> from circuits.data import Measurements, read
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_touchstone(Measurements([1e3], "response", [[0.5j]], outputs=("S11",)), f"{folder}/port.s1p")
    ...     read(f"{folder}/port.s1p")
    Measurements(response at 1 frequency, 1 kHz)
    """
    ports = re.fullmatch(r"\.s([12])p", os.path.splitext(os.fspath(path))[1].lower())
    if ports is None:
        raise DataError(f"cannot write Touchstone to {os.fspath(path)!r}; its name must end in .s1p or .s2p")
    _check(measurements)
    replace_file(path, _text(measurements.sorted(), int(ports[1])))


def _check(measurements: Measurements) -> None:
    """A Touchstone file holds one board's complex numbers, every one of them."""
    if measurements.quantity != "response":
        raise DataError(f"{measurements.quantity} was measured; a Touchstone file needs a response, with its phase")
    if measurements.batch_shape:
        raise DataError(f"a batch {tuple(measurements.batch_shape)} of boards; a file holds one: write each its own")
    if bool(measurements.values.isnan().any()):
        raise DataError("values are missing; a Touchstone file has no way to say so: drop those points")
    if bool((measurements.sorted().f.diff() == 0).any()):
        raise DataError("a frequency stands twice; a Touchstone file needs rising ones: keep one of each")


def _text(measurements: Measurements, ports: int) -> str:
    """Comments, the option line, rows."""
    rows, parameter, reference, remark = _parameters(measurements, ports)
    lines = [f"! {line}" for line in ("written by ohmgrad", remark) if line]
    lines.append(f"# Hz {parameter} RI R {reference:g}")
    parts = torch.view_as_real(rows.to(torch.complex128).cpu()).flatten(1).tolist()
    for f, row in zip(measurements.f.double().tolist(), parts, strict=True):
        lines.append(" ".join(map(repr, [f, *row])))
    return "\n".join(lines) + "\n"


def _parameters(measurements: Measurements, ports: int) -> tuple[Tensor, str, float, str]:
    """The numbers of each row `(n, ports²)`, what they are, their reference in ohms, and a remark."""
    meta, outputs, values = measurements.meta, measurements.outputs, measurements.values
    units = set(meta.get("units", {}).values()) - {"Hz"}
    reference = float(meta.get("reference", REFERENCE))
    if outputs == _ONE and ports == 1:
        return values.T, "S", reference, ""
    if set(outputs) == set(_TWO) and ports == 2:
        return measurements.select(_TWO).values.T, "S", reference, ""
    if not outputs and "ohms" in units and ports == 1:
        return values.unsqueeze(1), "Z", 1.0, "an impedance in ohms"
    if not outputs and meta.get("source") == "Touchstone" and ports == 1:
        return values.unsqueeze(1), "S", reference, ""
    if not outputs and ports == 2 and "ohms" not in units and meta.get("source") != "Touchstone":
        one = torch.ones_like(values)
        return torch.stack([one, 2 * values, 0 * one, -one], dim=1), "S", reference, _AMPLIFIER
    held = f"outputs {', '.join(outputs)}" if outputs else "impedance" if "ohms" in units else "one ratio"
    raise DataError(
        f"{held} cannot be written as a .s{ports}p file; a .s1p takes S11 or an impedance, a .s2p takes S11, S21, S12 "
        "and S22 or one voltage ratio: select one output, or write CSV"
    )
