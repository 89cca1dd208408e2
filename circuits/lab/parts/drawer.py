"""What is in the drawer: real parts with their tolerance, how many there are and what they cost, from a CSV file."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from circuits import notation
from circuits.data import text
from circuits.errors import DataError, NotationError, UnknownName
from circuits.lab.parts.preferred_values import TOLERANCES, series_values

UNITS = {"Ω": "resistor", "F": "capacitor", "H": "inductor"}
"""What a drawer can hold, by unit."""
SOLD = {"Ω": (1.0, 10e6), "F": (1e-12, 1e-3), "H": (1e-6, 1.0)}
"""The range in which a whole series can be bought, by unit."""

_KINDS = {
    "r": "Ω",
    "resistor": "Ω",
    "ohm": "Ω",
    "ohms": "Ω",
    "ω": "Ω",
    "c": "F",
    "capacitor": "F",
    "farad": "F",
    "f": "F",
}
_KINDS |= {"l": "H", "inductor": "H", "coil": "H", "henry": "H", "h": "H"}
_COLUMNS = {"value": "value", "tolerance": "tolerance", "tol": "tolerance", "count": "count", "quantity": "count"}
_COLUMNS |= {"qty": "count", "price": "price", "cost": "price", "kind": "kind", "unit": "kind", "type": "kind"}
_MOST = 10_000_000  # bytes of a drawer


@dataclass(frozen=True)
class Part:
    """A kind of part in the drawer.

    `value` is in the SI unit `unit`; `tolerance` is relative; `count` is None where there are as many as wanted;
    `price` is that of one, in whatever currency the file is; None where it is not known.

    >>> print(Part("Ω", 4700.0, 0.05, 10))
    4.7 kΩ
    """

    unit: str
    value: float
    tolerance: float | None = None
    count: int | None = None
    price: float | None = None

    def __str__(self) -> str:
        return notation.format(self.value, self.unit)


@dataclass(frozen=True)
class Drawer:
    """Parts to choose from, and what they are called together.

    >>> drawer = drawer_of_series("E12")
    >>> drawer.name, len(drawer.of("Ω")), drawer.limited
    ('E12', 85, False)
    """

    name: str
    parts: tuple[Part, ...]

    def of(self, unit: str) -> tuple[int, ...]:
        """Where in `parts` those of a unit are that there is at least one of."""
        return tuple(i for i, part in enumerate(self.parts) if part.unit == unit and part.count != 0)

    @property
    def limited(self) -> bool:
        """Whether any part can run out."""
        return any(part.count is not None for part in self.parts)


def drawer_of_series(series: str) -> Drawer:
    """A shop that sells a whole series of resistors, capacitors and inductors, as many as wanted.

    Raises:
        UnknownName: no such series.

    >>> drawer_of_series("E6").parts[1]
    Part(unit='Ω', value=1.5, tolerance=0.2, count=None, price=None)
    """
    parts = [
        Part(unit, value, TOLERANCES.get(series))
        for unit, (low, high) in SOLD.items()
        for value in series_values(series, low, high)
    ]
    return Drawer(series, tuple(parts))


def drawer_of(stock: str | os.PathLike[str] | Drawer) -> Drawer:
    """A drawer by the name of a series, by its file, or itself.

    Raises:
        UnknownName: the name of a series that does not exist. DataError: a file that cannot be read.

    >>> drawer_of("E24").name
    'E24'
    """
    if isinstance(stock, Drawer):
        return stock
    name = os.fspath(stock)
    if name.upper() in TOLERANCES:
        return drawer_of_series(name.upper())
    if name[:1] in "Ee" and name[1:].isdecimal() and not Path(name).exists():
        raise UnknownName("series", name, TOLERANCES)
    return read_drawer(name)


def read_drawer(path: str | os.PathLike[str]) -> Drawer:
    r"""Read a drawer from a table with a column `value` and, where known, `tolerance`, `count`, `price` and `kind`.

    A value is written as engineers do, `4k7`, `100 nF`; what it is follows from its unit, or from the column `kind` (R,
    C, L, or `unit`). A tolerance is `5%` or 0.05. Without a column `count` there are as many as wanted; a count of 0 is
    an empty box. Cells are separated by commas, semicolons or tabs; lines that begin with # are comments.

    Raises:
        DataError: a file that is no drawer; the message names the line.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "box.csv").write_text("value,count,tolerance\n4k7 Ω,3,5%\n100nF,2,10%\n")
    ...     drawer = read_drawer(f"{folder}/box.csv")
    >>> [str(part) for part in drawer.parts], drawer.parts[0].count
    (['4.7 kΩ', '100 nF'], 3)
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MOST:
            raise DataError(f"{path}: over {_MOST:,} bytes; expected a table with a line for each kind of part")
        content = text.decode(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; expected a CSV file of parts, or E3 … E192") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return Drawer(path.name, tuple(_parts(path, content)))


def _parts(path: Path, content: str) -> list[Part]:
    rows = [line for line in text.lines(content) if not line.mark]
    if not rows:
        raise DataError(f"{path}: nothing in this file; expected a header such as value,tolerance,count,price")
    delimiter = next((mark for mark in (";", "\t", ",") if mark in rows[0].text), ",")
    columns = _header(text.split(rows[0].text, delimiter), f"{path}, line {rows[0].number}")
    parts = []
    for line in rows[1:]:
        where = f"{path}, line {line.number}"
        cells = text.split(line.text, delimiter)
        if len(cells) != len(columns):
            raise DataError(f"{where}: {len(cells)} cells under a header of {len(columns)}; write one for each column")
        known = zip(columns, cells, strict=True)
        row = {name: cell.replace(",", ".") if delimiter != "," else cell for name, cell in known if name}
        parts.append(_part(row, where))
    if not parts:
        raise DataError(f"{path}: a header and no parts; write a line for each kind of part")
    return parts


def _header(names: Sequence[str], where: str) -> list[str]:
    """What each column holds; those of other names are for other programs."""
    columns = [_COLUMNS.get(name.strip().casefold(), "") for name in names]
    if "value" not in columns:
        raise DataError(f"{where}: no column value among {', '.join(names)}; expected value,tolerance,count,price")
    for name in set(columns) - {""}:
        if columns.count(name) > 1:
            raise DataError(f"{where}: two columns for {name}; keep one of them")
    return columns


def _part(row: Mapping[str, str], where: str) -> Part:
    unit, value = _value(row["value"], row.get("kind", ""), where)
    return Part(
        unit,
        value,
        _tolerance(row["tolerance"], where) if row.get("tolerance") else None,
        _count(row["count"], where) if "count" in row else None,
        _price(row["price"], where) if row.get("price") else None,
    )


def _value(cell: str, kind: str, where: str) -> tuple[str, float]:
    """Unit and value of a part, from the cell itself or with the help of its kind."""
    stated = _KINDS.get(kind.strip().replace("\u2126", "Ω").casefold())
    if kind and stated is None:
        raise DataError(f"{where}: no kind of part is called {kind!r}; expected R, C or L")
    readings: dict[str, float] = {}
    problem = None
    cell = re.sub(r"\s+(?=\D)", "", cell)  # "4k7 Ω" is no notation, and yet what people write on a box
    for unit in [stated] if stated else UNITS:
        try:
            readings[unit] = notation.parse(cell, unit)
        except NotationError as error:
            problem = error
    if not readings:
        raise DataError(f"{where}: {problem}")
    if len(readings) > 1:
        raise DataError(f"{where}: {cell!r} of what? write its unit, such as {cell}Ω, or add a column kind: R, C, L")
    unit, value = next(iter(readings.items()))
    if not value > 0:
        raise DataError(f"{where}: a part of {cell}; expected a positive value")
    return unit, value


def _tolerance(cell: str, where: str) -> float:
    number = text.number(cell.removesuffix("%").strip())
    share = None if number is None else number / 100 if cell.endswith("%") else number
    if share is None or not 0 <= share < 1:
        raise DataError(f"{where}: tolerance {cell!r}; write it as 5% or 0.05")
    return share


def _count(cell: str, where: str) -> int:
    if not cell.isdecimal():
        raise DataError(f"{where}: count {cell!r}; write how many there are, 0 for none")
    return int(cell)


def _price(cell: str, where: str) -> float:
    number = text.number(cell.strip(" €$£"))
    if number is None or not 0 <= number < math.inf:
        raise DataError(f"{where}: price {cell!r}; write what one costs, such as 0.02")
    return number
