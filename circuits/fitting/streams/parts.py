"""Which chunks are whose, and the table that is made of the journals of all parts."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from circuits.errors import OptionError
from circuits.files import replacing_file
from circuits.fitting.distributed.group import place
from circuits.fitting.streams import parquet, rows
from circuits.fitting.streams.journal import records, terms_in


@dataclass(frozen=True)
class Part:
    """Part `own` of `all`, counted from 0: the chunks own, own + all, own + 2 all and so on."""

    own: int
    all: int

    def has(self, chunk: int) -> bool:
        """Whether a chunk is of this part."""
        return chunk % self.all == self.own

    def journals(self, into: Path) -> list[Path]:
        """Where every part writes down what it has done.

        >>> [path.name for path in Part(0, 2).journals(Path("all.csv"))]
        ['all.csv.journal-1-of-2', 'all.csv.journal-2-of-2']
        """
        if self.all == 1:
            return [into.with_name(f"{into.name}.journal")]
        return [into.with_name(f"{into.name}.journal-{k + 1}-of-{self.all}") for k in range(self.all)]

    def check(self, into: Path) -> None:
        """Refuse to begin beside the journals of another division.

        Raises:
            OptionError: there are such.
        """
        own = {path.name for path in self.journals(into)}
        kind = re.compile(re.escape(into.name) + r"\.journal(-[0-9]+-of-[0-9]+)?")
        for path in sorted(into.parent.iterdir()):
            if kind.fullmatch(path.name) and path.name not in own:
                raise OptionError(
                    f"{path} is of a run in another number of parts; go on with that, or delete it to begin again"
                )


def part_of(given: tuple[int, int] | None) -> Part:
    """The part that a person means, or torchrun.

    Raises:
        OptionError: no such part.

    >>> part_of((1, 4))
    Part(own=1, all=4)
    """
    if given is None:
        return Part(*place())
    try:
        own, count = (int(number) for number in given)
    except (TypeError, ValueError):
        own, count = -1, 0
    if not 0 <= own < count:
        raise OptionError(f"part={given!r}; expected which of how many, counted from 0, such as (0, 4)")
    return Part(own, count)


def write_table(part: Part, into: Path, names: Sequence[str]) -> bool:
    """Write the table and take the journals away, if every part is done; whether the table is there now.

    Raises:
        OptionError: the parts were not begun alike. DataError: a place that cannot be written.
    """
    paths = part.journals(into)
    with ExitStack() as stack:
        try:
            files = [stack.enter_context(open(path, "rb")) for path in paths]
        except FileNotFoundError:  # a part has not begun; or another was last, and has taken them all away
            return not paths[part.own].exists()
        if not all(any("end" in record for record in records(file)) for file in files):
            return False
        _check_alike(paths, files, part.own)
        with replacing_file(into) as file:
            write = parquet.write if parquet.is_parquet(into) else _write_csv
            write(file, rows.header(names), _merged([records(journal) for journal in files]))
    for path in paths:
        path.unlink(missing_ok=True)
    return True


def _check_alike(paths: Sequence[Path], files: Sequence[BinaryIO], own: int) -> None:
    wanted = terms_in(files[own])
    for path, file in zip(paths, files, strict=True):
        given = terms_in(file)
        other = [name for name in {**wanted, **given} if wanted.get(name) != given.get(name)]
        if other:
            raise OptionError(
                f"{path} is of a part that was begun otherwise than {paths[own].name} (not the same: "
                f"{', '.join(other)}); delete the one that is wrong, and do that part again"
            )


def _merged(streams: Sequence[Iterator[dict[str, Any]]]) -> Iterator[rows.Row]:
    """The rows of all chunks in order: the parts take turns."""
    while True:
        for stream in streams:
            record = next(stream, None)
            if record is None or "end" in record:
                return
            yield from record["rows"]


def _write_csv(file: Any, names: Sequence[str], table: Iterator[rows.Row]) -> None:
    """Rows as they come; a line break is a line feed on every machine."""
    text = io.TextIOWrapper(file, "utf-8", errors="surrogateescape", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(table)
    text.flush()
    text.detach()
