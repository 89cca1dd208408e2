"""What the residuals of a fit look like: noise, or a pattern that the circuit has no explanation for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from circuits.errors import OptionError
from circuits.fitting import Fit
from circuits.notation import format as engineering

SUSPICIOUS = 3.3
"""Standard deviations of too few changes of sign beyond which residuals are no noise: one fit in two thousand."""

FEWEST = 8
"""Points below which nothing is said of a pattern."""

EXACT = 1e-9
"""Residuals that are smaller than this share of the data are rounding."""


@dataclass(frozen=True)
class Pattern:
    """The residuals (measured less fitted) of one board in the order of frequency.

    `runs` are the stretches of one sign, `expected` how many noise would have, `deviations` by how many standard
    deviations there are too few (negative: too many). `longest` points in a row have one sign, `sign`, from `low` to
    `high` hertz, at the output `output`. `worst` is the frequency of the largest residual, `worst_size` its size in
    units of σ, known or estimated.
    """

    runs: int
    expected: float
    deviations: float
    longest: int
    sign: int
    low: float
    high: float
    worst: float
    worst_size: float
    output: str = ""

    @property
    def is_noise(self) -> bool:
        """Whether they change sign as often as noise does, within what chance allows."""
        return self.deviations < SUSPICIOUS

    def __str__(self) -> str:
        ends = f"{engineering(self.low, 'Hz')} to {engineering(self.high, 'Hz')}"
        where = f" at {self.output}" if self.output else ""
        side = "above" if self.sign > 0 else "below"
        stretch = f"{self.longest} points in a row{where} lie {side} the fit, {ends}"
        largest = f"the largest residual is {self.worst_size:.2g} σ at {engineering(self.worst, 'Hz')}"
        if self.is_noise:
            return f"residuals change sign as noise does; {largest}"
        few = "no change of sign" if math.isinf(self.deviations) else f"{self.deviations:.1f} σ too few changes of sign"
        return f"residuals are no noise ({few}): {stretch}; {largest}"


def residual_pattern(fit: Fit, board: int = 0) -> Pattern | None:
    """Test the signs of the residuals in the order of frequency for runs that noise would not have.

    With n₊ and n₋ signs of n, the number of runs has the mean 2n₊n₋/n + 1 and the variance
    2n₊n₋(2n₊n₋ − n)/(n²(n − 1)) (A. Wald and J. Wolfowitz, On a test whether two samples are from the same population,
    1940); outputs, and the real and imaginary parts of a response, add up.

    Args:
        fit: of a circuit by least squares. board: which one of a batch.

    Returns:
        None where nothing can be said: too few points, LEDs, or data that are reproduced to rounding.

    Raises:
        OptionError: no such board.

    >>> import circuits as cc
    >>> band = cc.simulate(cc.BandPass(200.0, 2e3), cc.log_grid(40, 10.0, 1e5))
    >>> pattern = residual_pattern(cc.fit(cc.LowPass(R=500.0), band))
    >>> pattern.is_noise, pattern.deviations > 3.3
    (False, True)
    """
    table = _residuals(fit, board)
    if table is None:
        return None
    f, rows, names = table
    kept = [np.isfinite(row) for row in rows]
    sequences = [(name, f[k], row[k]) for name, row, k in zip(names, rows, kept, strict=True)]
    sequences = [one for one in sequences if len(one[2]) >= FEWEST]
    if not sequences:
        return None
    runs, mean, variance = (sum(part) for part in zip(*(_runs(row) for _, _, row in sequences), strict=True))
    deviations = (mean - runs) / math.sqrt(variance) if variance > 0 else 0.0
    if any(not ((row > 0).any() and (row < 0).any()) for _, _, row in sequences):  # all on one side: no test needed
        deviations = max(deviations, math.inf)
    longest = max(((*_longest(row), name, hertz) for name, hertz, row in sequences), key=lambda one: one[0])
    length, first, sign, name, hertz = longest
    ends = float(hertz[first]), float(hertz[first + length - 1])
    worst, size = max((_largest(hertz, row) for _, hertz, row in sequences), key=lambda one: one[1])
    return Pattern(int(runs), mean, deviations, length, sign, *ends, worst, size, name)


def _residuals(fit: Fit, board: int) -> tuple[np.ndarray, list[np.ndarray], list[str]] | None:
    """Frequencies, and in their order the residuals in units of σ with the output of each row."""
    problem = fit.final_problem(board)
    loss: Any = problem.active_loss
    model: Any = problem.model
    if not loss.gauss_newton or loss.deviance != 1.0 or len(loss.terms()) > 1 or not fit.units:
        return None
    with torch.no_grad():
        prediction = problem.board_first(problem.predict(fit.end[board : board + 1]))
        left = -loss.residuals(prediction, problem.target)[0]
    size = float((left.abs().square()).mean().sqrt())
    if not math.isfinite(size) or size <= EXACT * float(problem.spread().max().sqrt()):
        return None
    if problem.present is not None:
        left = torch.where(problem.present[0].bool(), left, torch.nan)
    f = (model.f if model.f.ndim == 1 else model.f[0]).numpy(force=True)
    order = np.argsort(f, kind="stable")
    table = left.reshape(-1, left.shape[-1])
    parts = [table.real, table.imag] if table.is_complex() else [table]
    rows = [row.numpy(force=True)[order] for part in parts for row in part]
    known = loss.sigma is not None
    scale = 1.0 if known else math.sqrt(float(np.nanmean(np.square(rows))))
    names = [*(getattr(fit.circuit, "outputs", ()) or ("",))] * len(parts)
    return f[order], [row / scale for row in rows], names


def _largest(f: np.ndarray, row: np.ndarray) -> tuple[float, float]:
    """Where the largest residual is, and its size."""
    at = int(np.abs(row).argmax())
    return float(f[at]), float(abs(row[at]))


def _runs(row: np.ndarray) -> tuple[int, float, float]:
    """Number of runs of one sign, with its mean and variance for noise."""
    up = row > 0
    n, plus = len(up), int(up.sum())
    pairs = 2.0 * plus * (n - plus)
    runs = 1 + int((up[1:] != up[:-1]).sum())
    return runs, pairs / n + 1, pairs * (pairs - n) / (n**2 * (n - 1.0))


def _longest(row: np.ndarray) -> tuple[int, int, int]:
    """Length, beginning and sign of the longest run."""
    up = row > 0
    edges = np.flatnonzero(np.concatenate([[True], up[1:] != up[:-1], [True]]))
    lengths = np.diff(edges)
    best = int(lengths.argmax())
    return int(lengths[best]), int(edges[best]), 1 if up[edges[best]] else -1


def along_and_across(fit: Fit) -> tuple[float, float]:
    """Root mean squares of a complex response's residuals along the measured values and across them.

    Noise of the level lies along, e = Re(r·t*)/|t|, noise of the phase across, Im(r·t*)/|t|.

    Raises:
        OptionError: a fit of anything but a response.

    >>> import circuits as cc
    >>> data = cc.simulate(cc.LowPass(R=200.0), cc.log_grid(400, 10.0, 1e5), "response", noise=0.01)
    >>> along, across = along_and_across(cc.fit(cc.LowPass(R=300.0), data))
    >>> 0.9 < along / across < 1.1
    True
    """
    problem = fit.final_problem(0)
    if not problem.target.is_complex():
        raise OptionError("only a complex response has residuals along and across; fit one with quantity='response'")
    with torch.no_grad():
        left = problem.predict(fit.end[:1]) - problem.target[:1]
    turned = left * problem.target[:1].conj() / problem.target[:1].abs().clamp_min(1e-300)
    if problem.present is not None:
        turned = turned[problem.present[:1].bool()]
    return float(turned.real.square().mean().sqrt()), float(turned.imag.square().mean().sqrt())
