"""From a file to measurements: size, bytes, text, the right reader."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from circuits.data import readers, text
from circuits.data.conversion import QUANTITIES
from circuits.data.measurements import Measurements
from circuits.data.naming import Naming
from circuits.data.readers import binary
from circuits.errors import DataError, FrequencyError, ShapeError, UnknownName

MAX_BYTES = 2**27  # four million rows and more; in memory a table takes some twenty times its size


def read(
    path: str | os.PathLike[str],
    quantity: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    max_bytes: int = MAX_BYTES,
) -> Measurements:
    r"""Read a file of measurements, sorted by frequency, with a sentence on how it was understood.

    Tables with a header are understood by the names of their columns: `frequency_hz`, `f / kHz`;
    `magnitude`, `gain`, `|H|`, `vout/vin`, dB, phase in degrees or radians, `re` and `im`, `vin` and
    `vout`, an uncertainty beside any of them (`magnitude_sigma`, `±`), LED columns of 1/0, on/off, yes/no;
    several outputs as `low_db,band_db,high_db`. What an instrument or a simulator wrote is recognised by what
    it holds, not by its name. `meta` has the `source`, whether the `ratio` was taken already, the `units` and
    what was `skipped`.

    Args:
        path: the file.
        quantity: which of the quantities that the file can give; None for the one that says most.
        columns: names of columns by role, where the header says too little: frequency, magnitude, decibels,
            phase, real, imag, vin, vout, led or sigma.
        units: units by the name of the column, such as {"phase": "rad"}.
        max_bytes: the largest file that is read.

    Raises:
        DataError: a file that is not there, is too large, empty, no text or no table, or holds what is no
            measurement; the message has the line.
        FrequencyError: a frequency that is missing, not positive or not finite.
        UnknownName: a quantity, a role or a column that is not in the list.
        OptionError: a unit that is none, or columns of a format that leaves no choice.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "bench.csv")
    ...     _ = file.write_text("frequency_hz,low,band,high\n100,on,off,off\n9000,off,off,on\n")
    ...     read(file)
    Measurements(led at 2 frequencies, 100 Hz to 9 kHz, outputs low, band, high)
    """
    if quantity is not None and quantity not in QUANTITIES:
        raise UnknownName("quantity", quantity, QUANTITIES)
    naming = Naming(columns or {}, units or {})
    path = Path(path)
    data = _bytes(path, max_bytes)
    try:
        found = _parsed(data, quantity, naming)
        found = found if quantity is None else found.as_quantity(quantity)
    except (DataError, FrequencyError, ShapeError) as problem:
        raise type(problem)(f"{path}: {problem}") from None
    return replace(found, meta={"file": path.name, **found.meta})


def _parsed(data: bytes, quantity: str | None, naming: Naming) -> Measurements:
    """What the right reader makes of the bytes."""
    reader = binary.reader_for(data)
    if reader is not None:
        return reader.parse(data, quantity, naming)
    content = text.decode(data)
    return readers.reader_for(content).parse(content, quantity, naming)


def _bytes(path: Path, limit: int) -> bytes:
    """The whole file, unless it is larger than the limit: never more than that is read."""
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            data = stream.read(limit + 1) if size <= limit else b""
    except OSError as problem:
        raise DataError(f"cannot read {str(path)!r} ({problem.strerror}); expected the path of a table") from None
    if max(size, len(data)) > limit:
        raise DataError(
            f"{path}: {max(size, len(data)):,} bytes, more than the {limit:,} that are read into memory; "
            "keep fewer points, or pass a larger max_bytes"
        )
    return data
