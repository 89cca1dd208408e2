"""How a fit shows itself: as text, as a file, as pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any


class Shown:
    """What `Fit` and `SavedFit` have in common: the same account, told in the same ways.

    The pictures live in the room of views, which is looked up only when one is asked for.
    """

    @property
    def _account(self) -> Any:
        """This fit, whichever of the two it is."""
        return self

    def __str__(self) -> str:
        from circuits.fitting.table import describe  # the table printer is loaded only to print

        return describe(self._account)

    def _repr_html_(self) -> str | None:
        """Table, schematic and a small plot for a notebook; None where there is nothing to draw with."""
        from circuits.views.page import fit_html

        return fit_html(self._account)

    def plot(self, path: str | os.PathLike[str] | None = None, *, board: int = 0) -> Any:
        """Draw the data and the fit, and save the picture where a path is given; returns the matplotlib figure."""
        from circuits.views import plot_response

        return plot_response(self._account, path, board=board)

    def report(self, path: str | os.PathLike[str], *, board: int = 0, notes: Sequence[tuple[str, str]] = ()) -> None:
        """Write one page that opens in any browser: every table and picture, and the replay under a slider.

        Args:
            path: an .html file, replaced in one step.
            board: which board of a batch, counted in rows.
            notes: headings and texts of what else belongs on the page.

        Raises:
            OptionError: another ending, or no such board. DataError: a place that cannot be written.
        """
        from circuits.views.page import write_report

        write_report(self._account, path, board=board, notes=notes)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to a JSON file, replacing it in one step; `circuits.load_fit` reads it back."""
        from circuits.fitting.storage import save

        save(self._account, path)
