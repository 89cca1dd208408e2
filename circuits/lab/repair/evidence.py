"""How well many boards, each a Gaussian belief in its parts, account for one measurement: all at once, by Laplace."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from circuits.circuit import Circuit

LONGEST_STEP = 1.0
"""Most that ln(value) moves in one step."""

SETTLED = 0.01
"""A board has settled when its next step is shorter than this, in standard deviations: ψ is then known to 1e-4."""

HOPELESS = 60.0
"""A board is left where it is when even its own quadratic model promises a ψ that much above the best."""

PATIENCE = 3
"""Steps before a board may be called hopeless."""


class Compares(Protocol):
    """What was measured, for m numbers."""

    def flat(self, prediction: Tensor, jacobian: Tensor) -> tuple[Tensor, Tensor]:
        """Prediction `(b, m)` and Jacobian `(b, p, m)` as they are compared with what was measured."""
        ...

    def compare(self, prediction: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """−ln likelihood `(b,)`, its slope by the prediction `(b, m)` and its expected curvature `(b, m)`."""
        ...


class Boards:
    """One circuit as b boards, for tables of component values `(b, p)`."""

    def __init__(self, circuit: Circuit, names: tuple[str, ...], f: Tensor, quantity: str):
        self.circuit, self.names, self.f, self.quantity = copy.deepcopy(circuit).double().cpu(), names, f, quantity
        for parameter in self.circuit.parameters():
            parameter.data = parameter.data.reshape(())
        column = {id(self.circuit.get_parameter(name)): i for i, name in enumerate(names)}
        every = self.circuit.named_parameters(remove_duplicate=False)
        slots = [(name, column[id(parameter)]) for name, parameter in every if id(parameter) in column]
        self.slots, self.columns = [name for name, _ in slots], torch.tensor([i for _, i in slots])

    def linearize(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Prediction `(b, [k,] n)` and Jacobian `(b, p, [k,] n)` per SI unit, in one evaluation of all boards.

        >>> from circuits.filters import LowPass
        >>> f = torch.tensor([159.155], dtype=torch.float64)
        >>> boards = Boards(LowPass(R=1000.0), ("R",), f, "magnitude")
        >>> boards.linearize(torch.tensor([[1000.0], [2000.0]], dtype=torch.float64))[0]
        tensor([[0.7071],
                [0.4472]], dtype=torch.float64)
        """
        for name, column in zip(self.names, values.unbind(-1), strict=True):
            parameter = self.circuit.get_parameter(name)
            parameter.data = column.contiguous()
        prediction, jacobian = self.circuit.linearize(self.f, self.quantity, self.slots)
        shape = (len(values), len(self.names), *jacobian.shape[2:])
        return prediction, jacobian.new_zeros(shape).index_add_(1, self.columns, jacobian)  # a shared part has several


@dataclass(frozen=True, eq=False)
class Settled:
    """Where b boards came to rest.

    Args:
        values: `(b, p)`, the most probable component values.
        objective: `(b,)`, −ln(likelihood × prior) there, with constants left out.
        log_evidence: `(b,)`, ln ∫ likelihood × prior, the same constants left out.
        prediction: `(b, m)`.
        offsets: `(b, p)`, in standard deviations of the belief.
    """

    values: Tensor
    objective: Tensor
    log_evidence: Tensor
    prediction: Tensor
    offsets: Tensor


@dataclass
class _State:
    """b boards at offsets z, with the quadratic model of the objective there."""

    z: Tensor
    objective: Tensor
    gradient: Tensor
    matrix: Tensor
    prediction: Tensor

    def put(self, rows: Tensor, other: _State, better: Tensor) -> None:
        """Take over those boards of `other`, which are `rows` of these, that are better."""
        into = rows[better]
        for name in ("z", "objective", "gradient", "matrix", "prediction"):
            getattr(self, name)[into] = getattr(other, name)[better]


@dataclass(frozen=True, eq=False)
class Beliefs:
    """Gaussian beliefs in the p components of b boards, `(b, p)` each: values are centre · exp(width · z).

    A component that may change its sign moves as it is: centre · (1 + width · z).
    """

    centres: Tensor
    widths: Tensor
    positive: Tensor

    def values(self, z: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Component values, and their derivative by z."""
        centres, shift = self.centres[rows], self.widths[rows] * z
        values = torch.where(self.positive, centres * shift.exp(), centres * (1 + shift))
        return values, self.widths[rows] * torch.where(self.positive, values, centres)

    def take(self, rows: Tensor) -> Beliefs:
        """Some of the boards."""
        return Beliefs(self.centres[rows], self.widths[rows], self.positive)


def settle(boards: Boards, readings: Compares, beliefs: Beliefs, z: Tensor, steps: int = 30) -> Settled:
    r"""Move every board to its most probable values, and integrate about them.

    With z the offsets of the p components in standard deviations and L the likelihood, the objective
    ψ(z) = −ln L(z) + ½‖z‖² is minimised by damped Gauss–Newton steps, all boards side by side, and then

        ln ∫ L · N(z; 0, 1) dz ≈ −ψ(ẑ) − ½ ln det(1 + Wᵀ Jᵀ S J W),

    exact where the prediction is linear in z and L is Gaussian: there it is the likelihood with covariance
    σ² + J W² Jᵀ, the tolerances of all other parts marginalised.

    Args:
        boards: the circuit.
        readings: what was measured.
        beliefs: what is believed of each board.
        z: `(b, p)`, where to start.
        steps: at most.

    Reference: D. J. C. MacKay, Information Theory, Inference, and Learning Algorithms, ch. 27.
    """
    with torch.no_grad():
        rows = torch.arange(len(z))
        state = _at(boards, readings, beliefs, z, rows)
        damping, settled = torch.full((len(z),), 1e-3, dtype=z.dtype), torch.zeros(len(z), dtype=torch.bool)
        for count in range(steps):
            rows = (~settled).nonzero().squeeze(-1)
            if not len(rows):
                break
            step, ahead, promised = _step(state, beliefs, damping, rows)
            trial = _at(boards, readings, beliefs, state.z[rows] + step, rows)
            better = trial.objective <= state.objective[rows]
            state.put(rows, trial, better)
            damping[rows] = torch.where(better, damping[rows] / 10, damping[rows] * 5).clamp(1e-9, 1e12)
            hopeless = (promised > state.objective.min() + HOPELESS) & (count >= PATIENCE)
            settled[rows] = (ahead < SETTLED) | (damping[rows] > 1e5) | hopeless
        values, _ = beliefs.values(state.z, torch.arange(len(z)))
        evidence = -state.objective - 0.5 * _log_determinant(state.matrix)
    return Settled(values, state.objective, evidence, state.prediction, state.z)


def promising(boards: Boards, readings: Compares, beliefs: Beliefs, z: Tensor, groups: Sequence[int]) -> Tensor:
    """Rows to go on with, after one evaluation of all: of the starts of one hypothesis the most promising few.

    Those are the two that are best as they are, and the two whose quadratic model promises most.

    Args:
        groups: which hypothesis each of the b rows of z is a start of.
    """
    with torch.no_grad():
        rows = torch.arange(len(z))
        state = _at(boards, readings, beliefs, z, rows)
        promised = _step(state, beliefs, torch.zeros(len(z), dtype=z.dtype), rows)[2].tolist()
    now = state.objective.tolist()
    kept: set[int] = set()
    for group in dict.fromkeys(groups):
        members = [row for row, other in enumerate(groups) if other == group]
        kept.update(sorted(members, key=now.__getitem__)[:2], sorted(members, key=promised.__getitem__)[:2])
    return torch.tensor(sorted(kept))


def _at(boards: Boards, readings: Compares, beliefs: Beliefs, z: Tensor, rows: Tensor) -> _State:
    values, stretch = beliefs.values(z, rows)
    prediction, jacobian = readings.flat(*boards.linearize(values))
    misfit, slope, curvature = readings.compare(prediction)
    jacobian = jacobian * stretch.unsqueeze(-1)
    gradient = (jacobian @ slope.unsqueeze(-1)).squeeze(-1) + z
    matrix = (jacobian * curvature.unsqueeze(-2)) @ jacobian.mT + torch.eye(z.shape[-1], dtype=z.dtype)
    objective = misfit + 0.5 * z.square().sum(-1)
    fine = objective.isfinite() & gradient.isfinite().all(-1) & matrix.flatten(1).isfinite().all(-1)
    objective = torch.where(fine, objective, math.inf)
    gradient = torch.where(fine.unsqueeze(-1), gradient, 0.0)
    matrix = torch.where(fine[:, None, None], matrix, torch.eye(z.shape[-1], dtype=z.dtype))
    return _State(z, objective, gradient, matrix, prediction)


def _step(state: _State, beliefs: Beliefs, damping: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The next step of each board, no part moved too far; its length; and the ψ that the whole step promises."""
    matrix, gradient = state.matrix[rows], state.gradient[rows]
    diagonal = matrix.diagonal(dim1=-2, dim2=-1) * damping[rows].unsqueeze(-1)
    step = -torch.linalg.solve(matrix + torch.diag_embed(diagonal), gradient)
    far = (step * beliefs.widths[rows]).abs().amax(-1).clamp_min(1e-300)
    promised = state.objective[rows] + 0.5 * (gradient * step).sum(-1)
    return step * (LONGEST_STEP / far).clamp_max(1.0).unsqueeze(-1), step.abs().amax(-1), promised


def _log_determinant(matrix: Tensor) -> Tensor:
    factor, info = torch.linalg.cholesky_ex(matrix)
    found = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return torch.where(info == 0, found, torch.linalg.slogdet(matrix).logabsdet)
