"""What a board must do to pass: limits on a quantity over frequency, from a mask or from a table of tones."""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from circuits import notation
from circuits.circuit import Circuit
from circuits.data import Measurements
from circuits.errors import DataError, NotationError, OptionError, ShapeError, UnknownName

QUANTITIES = ("magnitude", "decibels", "phase", "group_delay")
_HEADER = re.compile(r"(?:(?P<output>.+)_)?(?P<side>lower|upper|min|max)(?:_(?P<unit>db|deg|s))?", re.IGNORECASE)
_QUANTITY = {"db": "decibels", "deg": "phase", "s": "group_delay", None: "magnitude"}
MAX_BYTES = 2**24


@dataclass(frozen=True, eq=False)
class Specification:
    """lower ≤ quantity ≤ upper at n frequencies, at one output or at k named ones.

    Args:
        f: hertz, `(n,)`. The limits hold at these frequencies and say nothing of those between.
        quantity: "magnitude", "decibels", "phase" or "group_delay".
        lower, upper: `(n,)`, or `(k, n)` with outputs; −∞ and ∞ where there is no limit.
        outputs: names of the k outputs.

    Raises:
        UnknownName: no such quantity. ShapeError: limits of another shape than f.
        OptionError: a lower limit above its upper one, or no limit at all.

    >>> Specification([100.0, 1e4], "decibels", [-1.0, -math.inf], [math.inf, -30.0]).limits
    2
    """

    f: Tensor
    quantity: str
    lower: Tensor
    upper: Tensor
    outputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise UnknownName("quantity", self.quantity, QUANTITIES)
        f, lower, upper = (torch.as_tensor(x, dtype=torch.float64) for x in (self.f, self.lower, self.upper))
        shape = (len(self.outputs), f.numel()) if self.outputs else (f.numel(),)
        if f.ndim != 1 or lower.shape != shape or upper.shape != shape:
            given = f"f {tuple(f.shape)}, lower {tuple(lower.shape)}, upper {tuple(upper.shape)}"
            raise ShapeError(f"{given}; expected f (n,) and limits (n,), or (k, n) for k outputs")
        if self.quantity == "magnitude":  # which is never negative
            lower = torch.where(lower <= 0, -math.inf, lower)
        order = f.argsort()
        for name, value in {"f": f[order], "lower": lower[..., order], "upper": upper[..., order]}.items():
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        wrong = ~(self.lower <= self.upper)  # true of NaN as well
        if bool(wrong.any()):
            where = self.f[wrong.nonzero()[0, -1]].item()
            raise OptionError(f"at {where:g} Hz the lower limit is not below the upper one; no board can pass")
        if not self.limits:
            raise OptionError("no limit at all: every board passes; give a lower or an upper one somewhere")

    @property
    def limits(self) -> int:
        """How many limits there are."""
        return int(self.lower.isfinite().sum() + self.upper.isfinite().sum())

    def matched(self, circuit: Circuit) -> Specification:
        """The same for the outputs of a circuit, in their order; those that are not named have no limit.

        Raises:
            UnknownName: an output that the circuit has not. OptionError: limits that do not say for which output.
        """
        if self.outputs == circuit.outputs:
            return self
        for name in self.outputs:
            if name not in circuit.outputs:
                raise UnknownName("output", name, circuit.outputs)
        if not self.outputs:
            raise OptionError(f"limits for one output of {', '.join(circuit.outputs)}; name it in the mask")
        lower = torch.full((len(circuit.outputs), len(self.f)), -math.inf, dtype=torch.float64)
        upper = -lower
        rows = [circuit.outputs.index(name) for name in self.outputs]
        lower[rows], upper[rows] = self.lower, self.upper
        return Specification(self.f, self.quantity, lower, upper, circuit.outputs)


def leds_as_limits(tones: Measurements, threshold: float = 0.5**0.5) -> Specification:
    """A table of tones and LEDs as limits: lit is a magnitude above the threshold, dark one that is not.

    A missing value is no limit: leave out the tones so near a corner that either will do.

    Args:
        tones: of quantity "led", one board.
        threshold: magnitude above which an LED is lit.

    Raises:
        OptionError: another quantity. ShapeError: a batch of boards.

    >>> leds_as_limits(Measurements([100.0, 1e4], "led", [1.0, 0.0])).lower
    tensor([0.7071,   -inf], dtype=torch.float64)
    """
    if tones.quantity != "led":
        raise OptionError(f"a table of {tones.quantity}; expected LEDs, lit or dark, or give limits as a mask")
    if tones.batch_shape or tones.f.ndim > 1:
        raise ShapeError(f"a batch of boards {tuple(tones.batch_shape)}; expected one table of tones")
    lit, dark = tones.values > 0.5, tones.values <= 0.5
    upper = torch.full(tones.values.shape, math.inf, dtype=torch.float64)
    lower = -upper
    lower[lit], upper[dark] = math.nextafter(threshold, math.inf), threshold
    return Specification(tones.f.double(), "magnitude", lower, upper, tones.outputs)


def read_mask(path: str | os.PathLike[str]) -> Specification:
    r"""A mask from a CSV file: `frequency_hz,lower_db,upper_db`, an empty cell where there is no limit.

    Columns end in `_db`, `_deg` (phase), `_s` (group delay) or in nothing (a ratio), and begin with the output where
    there are several: `low_lower_db,low_upper_db,band_upper_db`. Lines that begin with # are left out.

    Raises:
        DataError: a file that cannot be read or holds no mask; the message has the line.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "mask.csv").write_text("frequency_hz,lower_db,upper_db\n100,-1,\n10k,,-30\n")
    ...     read_mask(Path(folder, "mask.csv")).upper
    tensor([ inf, -30.], dtype=torch.float64)
    """
    rows = _rows(Path(path))
    columns = _columns(path, [cell.strip() for cell in rows[0][1]])
    outputs = list(dict.fromkeys(output for output, _, _ in columns))
    f, limits = _limits(path, rows[1:], [(outputs.index(output), side) for output, side, _ in columns], len(outputs))
    if outputs == [""]:
        return Specification(f, columns[0][2], limits["lower"][0], limits["upper"][0])
    return Specification(f, columns[0][2], limits["lower"], limits["upper"], tuple(outputs))


def _columns(path: str | os.PathLike[str], header: Sequence[str]) -> list[tuple[str, str, str]]:
    """Output, side and quantity of each column behind the frequency."""
    if not header[0].lower().startswith("f") or len(header) < 2:
        raise DataError(
            f"{path}: the header is {','.join(header)}; expected frequency_hz,lower_db,upper_db or the like"
        )
    columns = [_column(path, name) for name in header[1:]]
    quantities = sorted({quantity for _, _, quantity in columns})
    if len(quantities) > 1:
        raise DataError(f"{path}: limits on {' and '.join(quantities)}; give each a mask of its own")
    if "" in {output for output, _, _ in columns} and len({output for output, _, _ in columns}) > 1:
        raise DataError(f"{path}: some columns name an output and some do not; name it in all of them")
    if len(set(columns)) < len(columns):
        raise DataError(f"{path}: the header is {','.join(header)}; a limit is there twice")
    return columns


def _limits(
    path: str | os.PathLike[str], rows: Sequence[tuple[int, list[str]]], places: Sequence[tuple[int, str]], outputs: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """Frequencies `(n,)`, and limits `(outputs, n)` by side."""
    f = torch.empty(len(rows), dtype=torch.float64)
    upper = torch.full((outputs, len(rows)), math.inf, dtype=torch.float64)
    limits = {"lower": -upper, "upper": upper}
    for i, (number, cells) in enumerate(rows):
        if len(cells) != len(places) + 1:
            raise DataError(f"{path}, line {number}: {len(cells)} cells under {len(places) + 1} names")
        f[i] = _number(path, number, cells[0], "Hz")
        if not f[i] > 0:
            raise DataError(f"{path}, line {number}: {cells[0].strip()} Hz; expected a positive frequency")
        for (row, side), cell in zip(places, cells[1:], strict=True):
            if cell.strip():
                limits[side][row, i] = _number(path, number, cell, None)
    return f, limits


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The cells of each line that says something, with its number."""
    try:
        with open(path, "rb") as stream:
            text = stream.read(MAX_BYTES + 1).decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; expected the path of a mask") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is no text; expected a CSV file") from None
    if len(text) > MAX_BYTES:
        raise DataError(f"{path}: more than {MAX_BYTES:,} bytes; a mask needs few lines")
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    if len(lines) < 2:
        raise DataError(f"{path}: no rows; expected a header, frequency_hz,lower_db,upper_db, and a line a frequency")
    separator = ";" if ";" in lines[0][1] else "\t" if "\t" in lines[0][1] else ","
    return [(i, next(csv.reader([line], delimiter=separator))) for i, line in lines]


def _column(path: str | os.PathLike[str], name: str) -> tuple[str, str, str]:
    """Output, side and quantity of a column."""
    found = _HEADER.fullmatch(name.strip())
    if found is None:
        raise DataError(f"{path}: cannot read the column {name!r}; expected lower_db, upper_db, low_lower_db, upper, …")
    side = "lower" if found["side"].lower() in ("lower", "min") else "upper"
    return found["output"] or "", side, _QUANTITY[found["unit"].lower() if found["unit"] else None]


def _number(path: str | os.PathLike[str], line: int, cell: str, unit: str | None) -> float:
    try:
        return notation.parse(cell, unit)
    except NotationError as error:
        raise DataError(f"{path}, line {line}: {error}") from None
