"""`fit_many`: boards in, one table out, a chunk at a time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuits.circuit import Circuit
from circuits.errors import OptionError
from circuits.fitting.fitter import HowToMove
from circuits.fitting.learnable import Fixed
from circuits.fitting.movement import Bounds, How
from circuits.fitting.progress import Bar
from circuits.fitting.starts import Starts
from circuits.fitting.stopping import Stop
from circuits.fitting.streams import rows
from circuits.fitting.streams.batches import Task, fit_chunk
from circuits.fitting.streams.checks import check_task, checked_place
from circuits.fitting.streams.journal import Journal, records
from circuits.fitting.streams.parts import Part, part_of, write_table
from circuits.fitting.streams.sources import Given, Reading, Source, chunked, source_of
from circuits.fitting.streams.tally import Tally
from circuits.fitting.streams.terms import terms_of

CHUNK = 1000
"""Boards that are read, fitted and written down together; the most that a kill costs."""
WORTH_COMPILING = 2000
"""Boards from which a program is made for the circuit unasked."""


def fit_many(
    source: Given,
    circuit: Circuit,
    into: str | os.PathLike[str],
    loss: Any = None,
    *,
    board: str = "board",
    quantity: str | None = None,
    outputs: str | Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    method: HowToMove = "auto",
    coordinates: How = None,
    stop: Stop | None = None,
    starts: Starts = None,
    bounds: Bounds = None,
    fixed: Fixed = None,
    tied: Mapping[str, str] | None = None,
    seed: int = 0,
    compile: bool | None = None,
    part: tuple[int, int] | None = None,
    chunk: int = CHUNK,
    progress: bool | None = None,
) -> Tally:
    """Fit a circuit to every board of a folder or a table, and write one table, a row a board in their order.

    The columns are `board`, each fitted value in SI units and beside it one standard error, the loss, the steps, a
    verdict in plain words, and for a board that could not be read or fitted the reason. A bad file costs nothing but
    its own row. Boards are read and fitted `chunk` at a time, so memory does not grow with their number.

    What is done is written to a journal beside the table (`<into>.journal`). Killed at any moment, the same call goes
    on where the journal ends, and the table has the same bytes as if nothing had happened; it is written in one step
    once all is done, and the journal is taken away then.

    Args:
        source: a folder with a file for each board, a pattern such as "bench/*.csv", a list of paths, or one table of
            all boards (CSV or Parquet): the columns of a board's file, and one that names the board, whose rows stand
            together.
        circuit: one board, where every fit starts; it is left as it is.
        into: the table: CSV, or Parquet where the name ends in .parquet.
        loss, method, coordinates, stop, starts, bounds, fixed, tied, seed: as for `fit`, the same for every board.
        board: the column of a table that names the board.
        quantity, columns, units: as for `read`.
        outputs: which outputs of every board to keep; a single name gives one unnamed output.
        compile: fit by a program in C made for this circuit; None does so from 2000 boards on.
        part: which of how many parts of the work to do here, counted from 0, such as (0, 4): every fourth chunk. Each
            part has a journal of its own, and the one that is last done writes the table. None takes what torchrun
            says, or everything.
        chunk: boards of a chunk.
        progress: show a bar; None shows one when somebody is there to see it and the work takes a while.

    Raises:
        DataError: no source, no boards in it, or a place that cannot be written.
        OptionError: options that cannot be followed; a journal of another run; a run that is at work on it now.
        UnknownName: a component, quantity, role or method that does not exist.
        KeyboardInterrupt: Ctrl-C; the same call goes on.

    >>> import circuits as cc, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for ohms in (100.0, 200.0):
    ...         cc.simulate(cc.LowPass(R=ohms), cc.log_grid(20, 10.0, 1e5)).to_csv(f"{folder}/{ohms:g}.csv")
    ...     tally = fit_many(folder, cc.LowPass(R=500.0), f"{folder}/all.csv")
    ...     lines = pathlib.Path(folder, "all.csv").read_text().splitlines()
    >>> tally.fitted, lines[0], [round(float(line.split(",")[1]), 6) for line in lines[1:]]
    (2, 'board,R,R_sigma,loss,steps,verdict,reason', [100.0, 200.0])
    """
    into, share = checked_place(into), part_of(part)
    if not isinstance(chunk, int) or chunk < 1:
        raise OptionError(f"chunk={chunk!r}; expected how many boards to read at once, such as {CHUNK}")
    boards = source_of(source, board, into)
    reading = Reading(quantity, columns, units, outputs if outputs is None or isinstance(outputs, str) else (*outputs,))
    compiles = boards.size >= WORTH_COMPILING if compile is None else compile
    task = Task(circuit, loss, fixed, tied, bounds, starts, seed, method, coordinates, stop, compiles)
    check_task(task, reading)
    share.check(into)
    return _Run(boards, reading, task, into, share, chunk).go(progress)


@dataclass(frozen=True)
class _Run:
    """One part of the work, from the journal to the table."""

    source: Source
    reading: Reading
    task: Task
    into: Path
    part: Part
    chunk: int

    def go(self, progress: bool | None) -> Tally:
        """Do what is not done yet."""
        path = self.part.journals(self.into)[self.part.own]
        with (
            closing(self.source),
            closing(Journal(path, terms_of(self.source, self.reading, self.task, self.chunk))) as journal,
        ):
            counts, is_ended = _Counts(), False
            for record in records(journal.file):
                is_ended = "end" in record
                counts.add(record.get("rows", []))
            resumed = counts.boards
            if not is_ended:
                self._fit_the_rest(journal, counts, progress)
            complete = write_table(self.part, self.into, self.task.names)
        refused = counts.boards - counts.fitted
        return Tally(self.into, counts.boards, counts.fitted, refused, counts.good, resumed, complete)

    def _fit_the_rest(self, journal: Journal, counts: _Counts, progress: bool | None) -> None:
        """Every chunk of this part that the journal has not, and a line that says that there are no more."""
        bar = Bar(progress, self.source.many, "boards")
        number, seen = -1, 0
        try:
            for number, pieces in enumerate(chunked(self.source.pieces(), self.chunk)):
                if self.part.has(number) and number // self.part.all >= journal.kept:
                    bar.show(seen)
                    made = fit_chunk(self.task, self.source, self.reading, pieces)
                    journal.write({"chunk": number, "rows": made})
                    counts.add(made)
                seen += len(pieces)
                bar.show(seen)
            journal.write({"end": number + 1})
        finally:
            bar.close()


@dataclass
class _Counts:
    """How many rows there were of each kind."""

    boards: int = 0
    fitted: int = 0
    good: int = 0

    def add(self, table: Sequence[rows.Row]) -> None:
        """Count the rows of a chunk."""
        self.boards += len(table)
        self.fitted += sum(row[-2] != rows.REFUSED for row in table)
        self.good += sum(row[-2] == rows.GOOD for row in table)
