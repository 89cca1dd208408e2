"""Which components the data determine, and which combinations of them when not each alone."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from torch import Tensor

from circuits.fitting.uncertainty import Information

TOLERANCE = 1e-4
"""Change of a component along what the data do not see, relative to the largest there, below which it is known."""
UNSEEN_SHARE = 1e-8
"""The same as a share of the component's effect on the data: a delay of next to nothing has no relative change."""
LARGEST_EXPONENT = 6
STRONG = 0.99
MOST_PAIRED = 12


@dataclass(frozen=True)
class Combination:
    """A product of powers of components that the data determine, such as R·C, though not its factors.

    `exponents` by name; `value` of the product in SI units and its relative standard error `relative_error`; `unit` as
    engineers write it (Ω·F is s).
    """

    exponents: dict[str, Fraction]
    value: float
    relative_error: float
    unit: str = ""

    @property
    def name(self) -> str:
        """The product as a person writes it.

        >>> Combination({"R": Fraction(1), "C": Fraction(1)}, 2e-4, 0.01).name
        'R·C'
        """
        return product_name(self.exponents)


@dataclass(frozen=True)
class Identifiability:
    """Verdict on one board.

    `determined` are the components known one by one, `together` the combinations that are known although their
    factors are not, `invisible` the components that change nothing in these data, and `mingled` the parameters of a
    plain module that the data do not tell apart.
    """

    determined: tuple[str, ...]
    together: tuple[Combination, ...]
    invisible: tuple[str, ...]
    mingled: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every component is known."""
        return not self.together and not self.invisible and not self.mingled

    def __str__(self) -> str:
        if self.complete:
            return "every fitted component is determined by these data"
        parts = []
        if self.together:
            factors = list(dict.fromkeys(name for c in self.together for name in c.exponents))
            known = listed([c.name for c in self.together], "and")
            verb = "is" if len(self.together) == 1 else "are"
            parts.append(
                f"only {known} {verb} determined by these data, not {listed(factors, 'or')} alone: "
                f"hold {listed(factors, 'or')} fixed at a known value"
            )
        if self.mingled:
            parts.append(f"these data do not tell {listed(self.mingled, 'and')} apart")
        if self.invisible:
            parts.append(f"nothing in these data depends on {listed(self.invisible, 'or')}")
        return "; ".join(parts)


def listed(names: tuple[str, ...] | list[str], word: str) -> str:
    """Names in a row: `R, L and C`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


def product_name(exponents: dict[str, Fraction]) -> str:
    """R·C, R_low/C_low, R²·C: numerators first."""
    powers = {name: _power(name, abs(e)) for name, e in exponents.items()}
    over = [powers[n] for n, e in exponents.items() if e > 0]
    under = [powers[n] for n, e in exponents.items() if e < 0]
    if not under:
        return "·".join(over)
    return f"{'·'.join(over) or '1'}/{under[0] if len(under) == 1 else '(' + '·'.join(under) + ')'}"


def product_unit(exponents: dict[str, Fraction], units: dict[str, str]) -> str:
    """Unit of a product of powers.

    >>> product_unit({"R": Fraction(1), "C": Fraction(1)}, {"R": "Ω", "C": "F"})
    's'
    >>> product_unit({"C_low": Fraction(1), "C_high": Fraction(-1)}, {"C_low": "F", "C_high": "F"})
    ''
    """
    powers: dict[str, Fraction] = {}
    for name, exponent in exponents.items():
        unit = units.get(name, "")
        powers[unit] = powers.get(unit, Fraction(0)) + exponent
    powers = {unit: power for unit, power in powers.items() if unit and power}
    if set(powers) == {"Ω", "F"} and powers["Ω"] == powers["F"]:
        powers = {"s": powers["Ω"]}
    return product_name(powers) if powers else ""


def _power(name: str, exponent: Fraction) -> str:
    if exponent == 1:
        return name
    plain = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
    return name + (str(exponent.numerator).translate(plain) if exponent.denominator == 1 else f"^({exponent})")


def judge(
    names: tuple[str, ...],
    units: dict[str, str],
    values: np.ndarray,
    is_log: np.ndarray,
    information: Information,
    covariance: np.ndarray,
    board: int,
) -> Identifiability:
    """The verdict on one board, from what the data say about its coordinates (logarithms where `is_log`).

    The directions that the data see span the combinations Σ aᵢ ln vᵢ that are known; brought to reduced row-echelon
    form they share as few components as possible.
    """
    seen = information.seen[board].cpu().numpy()
    scale, axes = information.scale[board].cpu().numpy(), information.axes[board].cpu().numpy()
    strength = information.strength[board].cpu().numpy()
    relative = np.where(is_log, 1.0, 1.0 / np.where(values == 0, 1.0, values))
    unseen = axes[:, ~seen] / scale[:, None] * relative[:, None]
    covariance = covariance * relative * relative[:, None]
    size = np.abs(unseen).max(axis=1, initial=0.0)
    flat = scale * np.sqrt(np.maximum(strength.max(initial=0.0), 0)) == 0
    shares = (axes[:, ~seen] ** 2).sum(axis=1)
    alone = ((size <= TOLERANCE * max(size.max(initial=0.0), 1e-300)) | (shares <= UNSEEN_SHARE)) & ~flat
    determined = tuple(n for n, ok in zip(names, alone, strict=True) if ok)
    mixed = np.flatnonzero(~alone & ~flat)
    null = unseen[mixed]
    lonely = [i for i in range(len(mixed)) if _alone_in_null(null, i)]
    invisible = tuple(names[mixed[i]] for i in lonely) + tuple(n for n, f in zip(names, flat, strict=True) if f)
    keep = [i for i in range(len(mixed)) if i not in lonely]
    # products are for values that are not zero or negative; elsewhere the names have to do
    if not units or bool((values[mixed[keep]] <= 0).any()):
        return Identifiability(determined, (), invisible, tuple(names[mixed[i]] for i in keep))
    together = []
    for row in _row_space(null[keep]):
        vector = np.zeros(len(names))
        vector[mixed[keep]] = row
        exponents = {
            names[i]: Fraction(float(vector[i])).limit_denominator(LARGEST_EXPONENT) for i in np.flatnonzero(vector)
        }
        exponents = {name: e for name, e in exponents.items() if e}
        value = float(np.prod([values[names.index(n)] ** float(e) for n, e in exponents.items()]))
        error = float(np.sqrt(max(vector @ covariance @ vector, 0.0)))
        together.append(Combination(exponents, value, error, product_unit(exponents, units)))
    return Identifiability(determined, tuple(together), invisible)


def _alone_in_null(null: np.ndarray, i: int) -> bool:
    """Whether component i can move with no other moving: it is invisible, not merely tied up with others."""
    if null.shape[1] == 0:
        return False
    others = np.delete(null, i, axis=0)
    unit = np.zeros(len(null))
    unit[i] = 1.0
    solution, *_ = np.linalg.lstsq(null, unit, rcond=1e-9)
    return bool(np.allclose(null @ solution, unit, atol=1e-6)) or len(others) == 0


def _row_space(null: np.ndarray) -> list[np.ndarray]:
    """Basis of what is orthogonal to the null directions, in reduced row-echelon form."""
    if len(null) == 0:
        return []
    left, values, _ = np.linalg.svd(null, full_matrices=True)
    rank = int((values > 1e-9 * values.max(initial=1e-300)).sum())
    rows = left[:, rank:].T.copy()
    pivot = 0
    for column in range(rows.shape[1]):
        if pivot == len(rows):
            break
        best = pivot + int(np.abs(rows[pivot:, column]).argmax())
        if abs(rows[best, column]) < 1e-6:
            continue
        rows[[pivot, best]] = rows[[best, pivot]]
        rows[pivot] /= rows[pivot, column]
        for other in range(len(rows)):
            if other != pivot:
                rows[other] -= rows[other, column] * rows[pivot]
        pivot += 1
    return [np.where(np.abs(row) < 1e-6, 0.0, row) for row in rows]


def strong_pairs(names: tuple[str, ...], correlation: Tensor) -> list[str]:
    """Pairs whose correlation exceeds 0.99 in size.

    >>> import torch
    >>> strong_pairs(("L", "C"), torch.tensor([[1.0, -0.998], [-0.998, 1.0]]))
    ['L and C (-0.998)']
    """
    if len(names) > MOST_PAIRED:
        return []
    pairs = [(i, j, float(correlation[i, j])) for i in range(len(names)) for j in range(i + 1, len(names))]
    return [f"{names[i]} and {names[j]} ({value:.3f})" for i, j, value in pairs if abs(value) > STRONG]
