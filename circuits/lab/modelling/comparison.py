"""The same data fitted as ratios, in decibels, by phase and as complex numbers: do they say the same?"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from circuits.circuit import Circuit
from circuits.data import Measurements
from circuits.errors import DataError, OptionError
from circuits.fitting import Fit, fit
from circuits.fitting.table import reason_unknown, written

OFFERED = {
    "response": ("response", "magnitude", "decibels", "phase"),
    "magnitude": ("magnitude", "decibels"),
    "decibels": ("decibels", "magnitude"),
    "phase": ("phase",),
}
"""The quantities that measurements of each can be compared in."""

BEYOND = 3.0
"""Combined standard errors by which two fits must differ to disagree: by chance one comparison in a hundred."""

ALIKE, ALIKE_BEYOND = ({"response", "magnitude"}, {"magnitude", "decibels"}, {"response", "phase"}), 2.0
"""Pairs that see the same readings much alike: the noise that they share cancels in their difference, and chance alone
takes them this far apart in fewer than one comparison in fifty (120 simulated low-passes: 0 to 1.7 %)."""


@dataclass(frozen=True)
class Disagreement:
    """Two fits that put a component at different values: by how many of their combined standard errors."""

    component: str
    one: str
    other: str
    deviations: float

    def __str__(self) -> str:
        return f"{self.component}: {self.one} and {self.other} differ by {self.deviations:.1f} of their errors"


@dataclass(frozen=True)
class Comparison:
    """Fits of the same data, by quantity, and where they disagree beyond their errors."""

    fits: dict[str, Fit]
    disagreements: tuple[Disagreement, ...]

    @property
    def agree(self) -> bool:
        """Whether all say the same within their errors."""
        return not self.disagreements

    def __str__(self) -> str:
        names = next(iter(self.fits.values())).names
        rows = [[name, *(_cell(one, name) for one in self.fits.values())] for name in names]
        table = tabulate(rows, headers=["component", *self.fits], tablefmt="simple", disable_numparse=True)
        if self.agree:
            return f"{table}\n\nthe fits agree within their errors"
        said = "\n".join(f"  {one}" for one in self.disagreements)
        return (
            f"{table}\n\nthe fits disagree beyond their errors, so that no error here covers the choice between them:\n"
            f"{said}"
        )


def compare_quantities(circuit: Circuit, data: Measurements, quantities: Sequence[str] | None = None) -> Comparison:
    """Fit copies of one board's circuit to the same data in every quantity that they give; the circuit is left alone.

    Args:
        circuit: where the fits start; one board.
        data: a response, a magnitude, decibels or a phase.
        quantities: which to compare; None for all.

    Raises:
        OptionError: LEDs, or a batch of boards. DataError: a quantity that the data do not give.

    >>> import circuits as cc
    >>> data = cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5), "response", noise=0.01, seed=1)
    >>> found = compare_quantities(cc.LowPass(R=500.0), data)
    >>> list(found.fits), found.agree
    (['response', 'magnitude', 'decibels', 'phase'], True)
    """
    if data.quantity not in OFFERED:
        raise OptionError(f"cannot compare fits of {data.quantity}; expected one of {', '.join(OFFERED)}")
    if circuit.batch_shape:
        raise OptionError(f"cannot compare fits of boards of shape {tuple(circuit.batch_shape)}; give one board")
    if quantities is None:
        quantities = [quantity for quantity in OFFERED[data.quantity] if _can_be(data, quantity)]
    fits = {q: fit(copy.deepcopy(circuit), data.as_quantity(q), history=False) for q in quantities}
    return Comparison(fits, tuple(_disagreements(fits)))


def _can_be(data: Measurements, quantity: str) -> bool:
    """Whether the data give a quantity: a level of zero has no decibels."""
    try:
        data.as_quantity(quantity)
    except DataError:
        return False
    return True


def _disagreements(fits: dict[str, Fit]) -> list[Disagreement]:
    known = {quantity: _known(one) for quantity, one in fits.items()}
    quantities, found = list(fits), []
    for i, one in enumerate(quantities):
        for other in quantities[i + 1 :]:
            for name in known[one]:
                if name in known[other]:
                    (a, s), (b, t) = known[one][name], known[other][name]
                    apart = abs(a - b) / max(math.hypot(s, t), 1e-300)
                    limit = ALIKE_BEYOND if {one, other} in ALIKE else BEYOND
                    if apart > limit and abs(a - b) > 1e-6 * abs(a):
                        found.append(Disagreement(name, one, other, apart))
    return found


def _known(one: Fit) -> dict[str, tuple[float, float]]:
    """Values with errors of what a fit determines, products of components among them."""
    pairs = {n: (float(v), float(one.errors[n])) for n, v in one.values.items()}
    pairs |= {c.name: (c.value, c.value * c.relative_error) for c in one.identifiability.together}
    return {name: pair for name, pair in pairs.items() if math.isfinite(pair[1]) and pair[1] > 0}


def _cell(one: Fit, name: str) -> str:
    value, error = float(one.values[name]), float(one.errors[name])
    return written(value, error, one.units.get(name, ""), reason_unknown(one.identifiability, name))
