"""Tables in Parquet, for which pyarrow is loaded, and only when a name ends so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from circuits.errors import DataError, OptionError

GROUP = 10_000
"""Rows of a row group, so that the bytes do not depend on how the work was divided."""


def is_parquet(path: Path) -> bool:
    """By the ending of the name alone.

    >>> is_parquet(Path("boards.parquet")), is_parquet(Path("boards.csv"))
    (True, False)
    """
    return path.suffix.lower() == ".parquet"


def check_installed() -> None:
    """Find out before long work that there is nothing to write Parquet with.

    Raises:
        OptionError: pyarrow is missing.
    """
    _pyarrow()


def columns_of(path: Path) -> list[str]:
    """The names of the columns.

    Raises:
        DataError: no Parquet file. OptionError: pyarrow is missing.
    """
    with _opened(path) as file:
        return list(file.schema_arrow.names)


def rows_of(path: Path) -> Iterator[list[str]]:
    """The rows as cells of text, which give every number back exactly; what is missing is empty."""
    with _opened(path) as file:
        for batch in file.iter_batches(GROUP):
            columns = [map(_cell, column.to_pylist()) for column in batch.columns]
            yield from map(list, zip(*columns, strict=True))


def write(file: Any, names: Sequence[str], table: Iterable[Sequence[str]]) -> None:
    """Rows as they come: text for the board, the verdict and the reason, numbers for the rest, missing ones as null."""
    arrow, parquet = _pyarrow()
    texts = {"board", "verdict", "reason"}
    kinds = [arrow.string() if n in texts else arrow.int64() if n == "steps" else arrow.float64() for n in names]
    schema, rows = arrow.schema(list(zip(names, kinds, strict=True))), iter(table)
    with parquet.ParquetWriter(file, schema) as writer:
        while some := list(islice(rows, GROUP)):
            columns = zip(names, kinds, zip(*some, strict=True), strict=True)
            arrays = [arrow.array([_value(name, cell) for cell in cells], kind) for name, kind, cells in columns]
            writer.write_table(arrow.table(arrays, schema=schema))


def _value(name: str, cell: str) -> Any:
    if name in ("board", "verdict", "reason"):
        return cell.encode("utf-8", "replace").decode("utf-8")  # a name of a file may hold what is no letter
    return None if cell == "" else int(cell) if name == "steps" else float(cell)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)


def _opened(path: Path) -> Any:
    arrow, parquet = _pyarrow()
    try:
        return parquet.ParquetFile(path)
    except (arrow.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: no Parquet file ({str(error).splitlines()[0]}); expected a table of boards") from None


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise OptionError("Parquet needs pyarrow: pip install 'ohmgrad[parquet]', or use a CSV table") from error
    return pyarrow, pyarrow.parquet
