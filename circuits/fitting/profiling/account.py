"""Profile intervals as a person reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

from circuits.fitting.table import interval_text

if TYPE_CHECKING:
    from circuits.fitting.result import Fit


def profile_table(fit: Fit, level: float) -> str:
    """The profile interval of every component of one board, a line each.

    >>> import circuits as cc
    >>> data = cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5), noise=0.02)
    >>> print(profile_table(cc.fit(cc.LowPass(R=500.0), data), 0.95).splitlines()[0])
    component    95 % by profile likelihood
    """
    rows = [[name, interval_text(ends, fit.units.get(name, ""))] for name, ends in fit.profile_intervals(level).items()]
    return tabulate(rows, headers=["component", f"{100 * level:.4g} % by profile likelihood"], disable_numparse=True)
