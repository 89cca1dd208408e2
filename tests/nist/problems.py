"""Read the NIST StRD nonlinear regression problems and state each model as a small `nn.Module`.

>>> problem = load("DanWood")
>>> problem.starts[0], problem.dof, problem.difficulty
({'b1': 1.0, 'b2': 5.0}, 4, 'lower')
>>> problem.module(0)(problem.x).shape
torch.Size([6])
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nist import models

DATA = Path(__file__).parent / "data"
NAMES = tuple(sorted(path.stem for path in DATA.glob("*.dat")))

MODELS: dict[str, type[models.Model]] = {
    "Bennett5": models.ShiftedPower,
    "BoxBOD": models.Saturation,
    "Chwirut1": models.DampedReciprocal,
    "Chwirut2": models.DampedReciprocal,
    "DanWood": models.Power,
    "ENSO": models.ThreeCycles,
    "Eckerle4": models.Peak,
    "Gauss1": models.TwoPeaks,
    "Gauss2": models.TwoPeaks,
    "Gauss3": models.TwoPeaks,
    "Hahn1": models.CubicOverCubic,
    "Kirby2": models.QuadraticOverQuadratic,
    "Lanczos1": models.ThreeDecays,
    "Lanczos2": models.ThreeDecays,
    "Lanczos3": models.ThreeDecays,
    "MGH09": models.KowalikOsborne,
    "MGH10": models.Meyer,
    "MGH17": models.Osborne,
    "Misra1a": models.Saturation,
    "Misra1b": models.SquareSaturation,
    "Misra1c": models.RootSaturation,
    "Misra1d": models.Hyperbola,
    "Nelson": models.Degradation,
    "Rat42": models.Logistic,
    "Rat43": models.Richards,
    "Roszman1": models.QuantumDefect,
    "Thurber": models.CubicOverCubic,
}


@dataclass(frozen=True)
class Problem:
    """One certified problem: data, two starts, and what the fit must come out to."""

    name: str
    x: Tensor
    y: Tensor
    starts: tuple[dict[str, float], dict[str, float]]
    values: dict[str, float]
    errors: dict[str, float]
    rss: float
    dof: int
    difficulty: str

    def module(self, start: int) -> models.Model:
        """Return the model at one of the two published starts, 0 or 1."""
        return self.at(self.starts[start])

    def at(self, values: dict[str, float]) -> models.Model:
        """Return the model at any values, `problem.at(problem.values)` being the certified optimum."""
        return MODELS[self.name](**values)


def load(name: str) -> Problem:
    """Read one problem by name; `NAMES` lists all 27."""
    lines = (DATA / f"{name}.dat").read_text("ascii").splitlines()
    parameters = [_parameter(line) for line in _section(lines, "Starting Values")]
    labels = [f"b{i}" for i in range(1, len(parameters) + 1)]
    if [label for label, *_ in parameters] != labels:
        raise ValueError(f"{name}: parameters must be {labels} in order, found {parameters}")
    start1, start2, values, errors = ({row[0]: row[k] for row in parameters} for k in (1, 2, 3, 4))
    table = torch.tensor(
        [[float(field) for field in line.split()] for line in _section(lines, "Data")], dtype=torch.float64
    )
    y, x = table[:, 0], table[:, 1:].squeeze(-1)
    if len(table) != _number(lines, "Number of Observations:"):
        raise ValueError(f"{name}: {len(table)} rows of data do not agree with the header")
    return Problem(
        name=name,
        x=x,
        y=y.log() if _predicts_log(lines) else y,
        starts=(start1, start2),
        values=values,
        errors=errors,
        rss=_number(lines, "Residual Sum of Squares:"),
        # counted, not read: Rat43.dat states 9 where its certified deviations use 15 - 4 = 11
        dof=len(table) - len(parameters),
        difficulty=_match(lines, r"\s+(Lower|Average|Higher) Level of Difficulty")[1].lower(),
    )


def _section(lines: list[str], title: str) -> list[str]:
    """Return the lines that the header promises under `title`, e.g. `Data  (lines 61 to 74)`."""
    found = _match(lines, rf"\s+{title}\s+\(lines\s+(\d+)\s+to\s+(\d+)\s*\)")
    return lines[int(found[1]) - 1 : int(found[2])]


def _parameter(line: str) -> tuple[str, float, float, float, float]:
    """Split `b1 = start1 start2 value error`."""
    label, equals, *numbers = line.split()
    if equals != "=" or len(numbers) != 4:
        raise ValueError(f"expected 'b1 = start1 start2 value error', found {line!r}")
    start1, start2, value, error = map(float, numbers)
    return label, start1, start2, value, error


def _number(lines: list[str], label: str) -> float:
    return float(_match(lines, rf"{label}\s+(\S+)\s*")[1])


def _predicts_log(lines: list[str]) -> bool:
    return any(re.match(r"\s+log\[y\]\s*=", line) for line in lines)


def _match(lines: list[str], pattern: str) -> re.Match[str]:
    """Return the one line that `pattern` describes in full; none or several is an error in the file."""
    found = [match for line in lines if (match := re.fullmatch(pattern, line))]
    if len(found) != 1:
        raise ValueError(f"expected one line like {pattern!r}, found {len(found)}")
    return found[0]
