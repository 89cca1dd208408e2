"""`diagnose`: which single part, if wrong, explains what was measured on a board."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.data import Measurements
from circuits.errors import OptionError
from circuits.lab.repair.evidence import Beliefs, Boards, Settled, promising, settle
from circuits.lab.repair.faults import KINDS, Fault, Hypotheses, hypotheses
from circuits.lab.repair.nominal import Nominal, nominal_of
from circuits.lab.repair.readings import Leds, Noisy, noise_from, readings_of
from circuits.lab.repair.verdict import Diagnosis, Finding, Suspect, words

ALIKE = math.log(20.0)
"""ln of the odds below which two suspects are said not to be told apart: 20 to 1."""

MISFIT = 6.0
"""Standard deviations by which χ² may exceed its expectation before nothing explains the data."""

MISFIT_LEDS = 0.05
"""Share of LEDs that the best board may leave wrong before nothing explains them."""

MISFIT_NOISE = 10.0
"""Times the first guess (1 %, 0.1 dB, 1°) that an unknown noise may turn out to be before nothing explains the data."""

BLUR = 10.0
"""How many times wider the band of doubt is while LED boards come into reach."""


def diagnose(
    circuit: Circuit,
    data: Measurements,
    *,
    tolerances: Mapping[str, float] | None = None,
    suspects: Iterable[str] | None = None,
    kinds: Sequence[str] = KINDS,
    threshold: float = ALIKE,
    band: float = 0.02,
    floor: float = 1e-4,
) -> Diagnosis:
    r"""Rank single faults by how well they explain a measurement of a board.

    Every hypothesis (a part whose value is off, open, shorted or a decade wrong, two parts swapped, nothing wrong) is a
    board of its own, with a Gaussian belief in all its parts: as on paper within their tolerances, but for the fault.
    All boards are evaluated in one batch, and compared by their evidence

        P(data | fault) = ∫ P(data | parts) N(parts; fault, tolerances²) d parts,

    in which the tolerances of the other parts are marginalised: to first order the data have the covariance
    σ² + J (tolerance · value)² Jᵀ about the prediction of the fault; here it is taken about the most probable parts.
    Suspects that come within `threshold` of the best cannot be told from it by these data, and are reported together.

    Args:
        circuit: the board as on paper, any `Circuit`; it is left as it is.
        data: what was measured on the real one, any quantity, at all outputs or some of them. Where σ is not stated it
            is estimated from the residuals of the best hypothesis.
        tolerances: relative, by name, glob or kind, such as `{"R": 0.01, "C2": 0.2}`; see `nominal_of`. Left out: what
            the netlist says, else 5 % for resistors and 10 % for capacitors and inductors.
        suspects: names or globs of the parts that may be at fault; all where None.
        kinds: which of `circuits.lab.repair.faults.KINDS` to look for.
        threshold: ln of the odds.
        band: for LEDs, how far from the threshold in ln|H| there is doubt.
        floor: for decibels, the magnitude that the instrument cannot see below.

    Raises:
        UnknownName: a component or an output that is not there. OptionError: settings that cannot be followed.
        ShapeError: a batch of boards, or outputs that do not match.

    >>> import circuits as cc
    >>> from circuits.lab import diagnose
    >>> f = cc.log_grid(40, 10.0, 1e5)
    >>> board = cc.BandPass(R_low=40.0, R_high=1600.0)  # 160 Ω on paper
    >>> found = diagnose(cc.BandPass(R_low=40.0, R_high=160.0), cc.simulate(board, f, noise=0.01))
    >>> [suspect.best.text for suspect in found.group]
    ['R_high = 1.6 kΩ in place of 160 Ω', 'C_high = 10 µF in place of 1 µF']

    Reference: D. J. C. MacKay, Information Theory, Inference, and Learning Algorithms, ch. 28.
    """
    if not (math.isfinite(threshold) and threshold >= 0):
        raise OptionError(f"threshold={threshold}; expected ln of odds, zero or more")
    board = nominal_of(circuit, tolerances, suspects)
    readings = readings_of(circuit, data, band=band, floor=floor)
    table = hypotheses(board, float(data.f.min()), float(data.f.max()), kinds)
    boards = Boards(circuit, board.names, data.f.cpu().double(), data.quantity)
    beliefs = Beliefs(table.centres, table.widths, board.positive)
    start = torch.where(table.widths > 0, table.starts / table.widths.clamp_min(1e-300), 0.0)
    order = {fault: i for i, fault in enumerate(dict.fromkeys(table.faults))}
    near = readings.blurred(BLUR) if isinstance(readings, Leds) else readings
    rows = promising(boards, near, beliefs, start, [order[fault] for fault in table.faults])
    table, beliefs, start = table.take(rows), beliefs.take(rows), start[rows]
    readings, settled, ratio = _settled(boards, readings, beliefs, start, data.sigma is not None)
    judged = _suspects(board, table, settled, _misfits(readings, settled.prediction))
    explains, fit = _explained(readings, judged[0], ratio)
    return Diagnosis(judged, threshold, explains, fit, data.describe())


def _settled(
    boards: Boards, readings: Noisy | Leds, beliefs: Beliefs, start: Tensor, known: bool
) -> tuple[Noisy | Leds, Settled, float | None]:
    """All hypotheses at rest; where the noise is not known, with what the best of them leaves, as a ratio."""
    if isinstance(readings, Leds):
        near = settle(boards, readings.blurred(BLUR), beliefs, start)
        return readings, settle(boards, readings, beliefs, near.offsets), None
    settled = settle(boards, readings, beliefs, start)
    if known:
        return readings, settled, None
    ratio = noise_from(readings, settled.prediction, len(boards.names))
    readings = readings.with_noise(ratio)
    return readings, settle(boards, readings, beliefs, settled.offsets), ratio


def _misfits(readings: Noisy | Leds, prediction: Tensor) -> Tensor:
    """χ² of each board, or how many of its LEDs are wrong."""
    if isinstance(readings, Leds):
        return readings.wrong(prediction).double()
    return 2 * readings.compare(prediction)[0]


def _suspects(board: Nominal, table: Hypotheses, settled: Settled, misfits: Tensor) -> tuple[Suspect, ...]:
    """The hypotheses by part, each part with the sum of what speaks for it."""
    best: dict[Fault, int] = {}
    for row, fault in enumerate(table.faults):  # of the several starts of one hypothesis the best counts
        if fault not in best or settled.log_evidence[row] > settled.log_evidence[best[fault]]:
            best[fault] = row
    rows = list(best.values())
    weights = settled.log_evidence[rows] + table.log_priors[rows]
    strain = settled.offsets.square().sum(-1).tolist()
    shares = torch.softmax(weights, -1).tolist()
    healthy = float(settled.log_evidence[rows[0]])
    on_paper, units = (
        dict(zip(board.names, board.values.tolist(), strict=True)),
        dict(zip(board.names, board.units, strict=True)),
    )
    found: dict[tuple[str, ...], list[Finding]] = {}
    for row, share in zip(rows, shares, strict=True):
        fault, values = table.faults[row], dict(zip(board.names, settled.values[row].tolist(), strict=True))
        text, evidence = words(fault, values, on_paper, units), float(settled.log_evidence[row]) - healthy
        finding = Finding(fault, text, evidence, share, float(misfits[row]), strain[row], values)
        found.setdefault(fault.parts, []).append(finding)
    made = [_suspect(parts, findings, weights, rows, table) for parts, findings in found.items()]
    return tuple(sorted(made, key=lambda one: -one.probability))


def _suspect(
    parts: tuple[str, ...], findings: list[Finding], weights: Tensor, rows: list[int], table: Hypotheses
) -> Suspect:
    """A part with its findings; its evidence is theirs, by the prior of each within the part."""
    own = torch.tensor([i for i, row in enumerate(rows) if table.faults[row].parts == parts])
    prior = torch.logsumexp(table.log_priors[torch.tensor(rows)[own]], 0)
    healthy = weights[0] - table.log_priors[rows[0]]
    evidence = float(torch.logsumexp(weights[own], 0) - prior - healthy)
    ordered = sorted(findings, key=lambda one: -one.probability)
    return Suspect(parts, tuple(ordered), sum(one.probability for one in findings), evidence)


def _explained(readings: Noisy | Leds, first: Suspect, ratio: float | None) -> tuple[bool, str]:
    """Whether the best board accounts for the data with parts that are near what they should be, and how well."""
    count, misfit, strain, parts = len(readings.target), first.best.misfit, first.best.strain, len(first.best.values)
    strained = strain > parts + MISFIT * math.sqrt(2 * parts)
    asked = ", with parts far beyond their tolerances" if strained else ""
    if isinstance(readings, Leds):
        right = f"{count - int(misfit)} of {count} LEDs explained{asked}"
        return misfit <= MISFIT_LEDS * count and not strained, right
    if ratio is not None:
        unit = {"decibels": " dB", "phase": "°"}.get(readings.quantity, "")
        rest = f"the rest is noise of {float(readings.sigma.median()):.2g}{unit}{asked}"
        return ratio <= MISFIT_NOISE and not strained, rest
    good = misfit + strain <= count + MISFIT * math.sqrt(2 * count) and not strained
    return good, f"χ² = {misfit + strain:.4g} for {count} readings{asked}"
