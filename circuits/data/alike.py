"""Thousands of files that look like one another: the first is understood, the others only have their numbers read."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from circuits.data.measurements import Measurements
from circuits.data.naming import Naming
from circuits.data.reading import MAX_BYTES, read
from circuits.data.templates import Template, template_of


@dataclass(frozen=True)
class Alike:
    r"""Reads files that have the header of a first one, each exactly as `circuits.read` would, or not at all.

    A file is read when its bytes above the first row are those of the first file, and below are rows of plain decimal
    numbers by rising frequency: a value for every column, labels of LEDs as 0 and 1. Frequencies in hertz, ratios,
    decibels, degrees, real and imaginary parts and LEDs are read this way, with uncertainties; what has to be
    converted first is not. For everything else there is None: ask `circuits.read`, which reads it or says what is
    wrong.

    Args:
        template: how to read; None when the first file is one for the full reader, as are all others then.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     one, two, other = (Path(folder, f"board {i}.csv") for i in range(3))
    ...     _ = one.write_text("frequency_hz,magnitude\n100,0.99\n1000,0.62\n")
    ...     _ = two.write_text("frequency_hz,magnitude\n100,0.98\n2000,0.37\n")
    ...     _ = other.write_text("f / kHz,magnitude\n0.1,0.98\n2,0.37\n")
    ...     alike = Alike.of(one)
    ...     alike.read(two), alike.read(other)
    (Measurements(magnitude at 2 frequencies, 100 Hz to 2 kHz), None)
    """

    template: Template | None

    @classmethod
    def of(
        cls,
        path: str | os.PathLike[str],
        quantity: str | None = None,
        *,
        columns: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Alike:
        """Understand a file, and with it all that look like it; the arguments are those of `circuits.read`.

        Raises:
            OhmgradError: whatever `circuits.read` raises for this file.
        """
        whole = read(path, quantity, columns=columns, units=units, max_bytes=max_bytes)
        if not Path(path).is_file():  # what is read once only, such as a pipe
            return cls(None)
        data = Path(path).read_bytes()
        found = cls(template_of(data, whole, quantity, Naming(columns or {}, units or {}), max_bytes))
        again = found.read(path)
        return found if again is None or _is_same(again, whole) else cls(None)

    def read(self, path: str | os.PathLike[str]) -> Measurements | None:
        """The measurements of a file that is like the first, or None."""
        template, found = self.template, self.read_columns(path)
        if template is None or found is None:
            return None
        f, values, sigma = (None if array is None else torch.from_numpy(array) for array in found)
        meta = {"file": Path(path).name, **pickle.loads(template.meta)}  # our own bytes, never a file's
        said = f"{found[0].size} {template.said}"
        read = Measurements(f, template.quantity, values, sigma, template.outputs, meta, said)  # type: ignore[arg-type]
        if template.as_saved:  # nobody else has it yet, and another one would be checked anew
            object.__setattr__(read, "understood", _as_saved(read))
        return read

    def read_columns(self, path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None] | None:
        """Frequencies `(n,)` in hertz, values and uncertainties `(n,)` or `(k, n)` for k outputs, or None.

        They are what `read` puts into a `Measurements`, as arrays of float64, or complex128 for responses; no
        uncertainties where there are none.
        """
        template = self.template
        table = None if template is None else template.rows.read(path)
        if template is None or table is None:
            return None
        k = max(len(template.outputs), 1)
        values, rest = table[1 : 1 + k], table[1 + k :]
        if template.quantity == "response":
            values, rest = _complex(values, rest[:k]), rest[k:]
        sigma = rest[:k] if template.has_sigma else None
        if template.outputs:
            return table[0], values, sigma
        return table[0], values[0], None if sigma is None else sigma[0]

    def read_arrays(self, path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray] | None:
        r"""Frequencies `(n,)` in hertz and values `(n,)` or `(k, n)`, or None: `read_columns` without uncertainties.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "board.csv")
        ...     _ = file.write_text("frequency_hz,low_db,high_db\n100,-0.1,-40\n1000,-3,-20\n")
        ...     f, values = Alike.of(file).read_arrays(file)
        >>> values.tolist()
        [[-0.1, -3.0], [-40.0, -20.0]]
        """
        found = self.read_columns(path)
        return None if found is None else found[:2]


def _complex(real: np.ndarray, imag: np.ndarray) -> np.ndarray:
    values = np.empty(real.shape, complex)
    values.real, values.imag = real, imag
    return values


def _as_saved(read: Measurements) -> str:
    """The sentence that the reader of files by `Measurements.to_csv` says."""
    return f"{read.describe()}; as written by Measurements.to_csv"


def _is_same(one: Measurements, other: Measurements) -> bool:
    """Whether two measurements are the same to the last bit and the last word."""
    pairs = [(one.f, other.f), (one.values, other.values), (one.sigma, other.sigma)]
    words = [(read.quantity, read.outputs, read.meta, read.understood) for read in (one, other)]
    return words[0] == words[1] and all(_bits(a) == _bits(b) for a, b in pairs)


def _bits(numbers: Tensor | None) -> tuple[torch.dtype, torch.Size, bytes] | None:
    return None if numbers is None else (numbers.dtype, numbers.shape, numbers.cpu().numpy().tobytes())
