"""What a fit answers about the profile of its likelihood."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from circuits.errors import OptionError, UnknownName
from circuits.fitting.profiling.profiles import ends_of, points_of
from circuits.fitting.shown import Shown

FAR = 0.9973
"""Level between whose ends a profile is drawn: three standard errors."""


@dataclass(frozen=True)
class ProfileLine:
    """The loss along one component, all others having followed.

    `values (*batch, n)` are of the component, in SI units; `rise (*batch, n)` is by how much −2 ln L has risen, in
    units of the noise, so that 1 is one standard error and 4 two; `others` are the values of all components there,
    `(*batch, n)` by name, the component itself included.
    """

    name: str
    unit: str
    values: Tensor
    rise: Tensor
    others: dict[str, Tensor]


class Profiled(Shown):
    """The part of `Fit` that walks away from the minimum to see how steeply the loss rises."""

    def profile_intervals(self: Any, level: float = 0.95, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Lowest and highest value of each component that the data allow at this level, `(*batch, 2)` by name.

        Each end is where the smallest loss with this component held there, and all others free, has risen by the
        amount of the likelihood ratio:

            −2 ln L(end) + 2 ln L(minimum) = χ²₁(level),   or s²·t²(level, n − p)

        where the noise σ is known or the loss a likelihood, or where s² = Σr²/(n − p) estimates it. Unlike ± σ they
        need not be symmetric, and stay right where the loss is no parabola. An end is infinite, or zero for what is
        positive, where the loss never rises that far, as for R and C of a low-pass by themselves; and it is a bound
        where that comes first. All boards, components and sides are walked at once.

        Args:
            level: the probability, between 0 and 1; 0.6827 is one standard error.
            names: which of `names`; None for all.

        Raises:
            OptionError: a level that is none, or a loss that is no likelihood.
            UnknownName: a name that was not fitted.

        Reference: D. J. Venzon and S. H. Moolgavkar, Applied Statistics 37 (1988) 87-94; S. A. Murphy and
        A. W. van der Vaart, J. Am. Stat. Assoc. 95 (2000) 449-465.

        >>> import circuits as cc
        >>> data = cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5), noise=0.02)
        >>> low, high = cc.fit(cc.LowPass(R=500.0), data).profile_intervals(0.95)["R"].tolist()
        >>> low < 200.0 < high
        True
        """
        columns = [_column(self, name) for name in (self.names if names is None else names)]
        table = ends_of(self, columns, _checked(level))
        return {self.names[c]: table[:, i].reshape(*self.batch_shape, 2) for i, c in enumerate(columns)}

    def profile(self: Any, name: str, points: int | Sequence[float] | Tensor = 41) -> ProfileLine:
        """The loss along one component with all others following it, to be drawn.

        Args:
            name: one of `names`.
            points: how many, spread over three standard errors each way, or the values themselves in SI units.

        Raises:
            OptionError: fewer than two points, values that the component cannot have, or a loss that is no likelihood.
            UnknownName: a name that was not fitted.

        >>> import circuits as cc
        >>> data = cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5), noise=0.02)
        >>> line = cc.fit(cc.LowPass(R=500.0), data).profile("R", points=5)
        >>> [round(rise) for rise in line.rise.tolist()]
        [9, 2, 0, 2, 9]
        """
        column = _column(self, name)
        table, rise = points_of(self, column, points, FAR)
        shape = (*self.batch_shape, table.shape[1])
        others = {n: table[..., i].reshape(shape) for i, n in enumerate(self.names)}
        return ProfileLine(name, self.units.get(name, ""), others[name], rise.reshape(shape), others)


def _column(fit: Any, name: str) -> int:
    if name not in fit.names:
        raise UnknownName("fitted component", name, fit.names)
    return fit.names.index(name)


def _checked(level: float) -> float:
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
        raise OptionError(f"level={level!r}; expected a probability between 0 and 1, such as 0.95")
    return float(level)
