"""How many boards went where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tally:
    """What a run of `fit_many` did.

    Attributes:
        into: the table. boards: how many this part has seen to, runs before it included. fitted: those that have
            values. refused: those that could not be read or fitted, each with its reason in the table.
        good: those that arrived, explain their data and are determined by them.
        resumed: boards that the journal of an earlier run had already.
        complete: whether the table is written; False where other parts are still at work.

    >>> print(Tally(Path("all.csv"), 5000, 4998, 2, 4990, 1000, True))
    5,000 boards, 1,000 of them from an earlier run: 4,998 fitted, 4,990 of them without reserve; 2 refused
    table: all.csv
    """

    into: Path
    boards: int
    fitted: int
    refused: int
    good: int
    resumed: int
    complete: bool

    def __str__(self) -> str:
        many = "1 board" if self.boards == 1 else f"{self.boards:,} boards"
        earlier = f", {self.resumed:,} of them from an earlier run" if self.resumed else ""
        fitted = f"{self.fitted:,} fitted, {self.good:,} of them without reserve"
        last = f"table: {self.into}" if self.complete else f"the part that is last done writes {self.into}"
        return f"{many}{earlier}: {fitted}; {self.refused:,} refused\n{last}"
