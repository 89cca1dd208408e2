"""Where the other starts of a fit ended: whether the best minimum is the only one."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from circuits.fitting.problem import Problem, led_term
from circuits.fitting.stopping import CONVERGED
from circuits.notation import format as engineering
from losses import LeastSquares

SAME, FLAT = 1e-5, 1e-8
"""Rise of the loss, relative to the best and to the data's spread, below which two ends are equally good."""

HARDLY = 9.0
"""Rise of χ², three standard errors squared, below which the data hardly tell two minima apart."""

STEPS = 9
"""Points on the way between two equally good ends at which a hill would show."""


@torch.no_grad()
def other_minima(problem: Problem, x: Tensor, loss: Tensor, reasons: np.ndarray) -> list[str]:
    """What to say of the ends of several starts of one board, beside that the best was kept; nothing if all agree.

    Two ends of equal loss are one minimum where the straight way between them climbs nowhere, as along a valley of
    R·C; otherwise they are two that fit alike.

    Args:
        problem: of one board, by least squares; nothing is said of others.
        x: coordinates of the ends, `(starts, p)`. loss: at each, `(starts,)`. reasons: why each stopped.
    """
    if led_term(problem.loss) is not None or not isinstance(problem.loss, LeastSquares) or problem.boards != 1:
        return []
    arrived = torch.as_tensor(np.isin(reasons, CONVERGED)) & loss.isfinite().cpu()
    if int(arrived.sum()) < 2:
        return []
    x, loss = x[arrived.to(x.device)], loss[arrived.to(loss.device)]
    best = int(loss.argmin())
    margin = SAME * loss[best] + FLAT * problem.spread().max()
    good = loss <= loss[best] + margin
    twins = [i for i in good.nonzero().flatten().tolist() if _hill(problem, x[best], x[i]) > loss[best] + 10 * margin]
    said = []
    if twins:
        said.append(f"another minimum fits as well: {_values(problem, x[twins[0]])}; start there, or fix a component")
    higher = (~good).nonzero().flatten().tolist()
    if higher:
        next_best = min(higher, key=lambda i: float(loss[i]))
        said.append(_about(problem, x[next_best], float(loss[next_best]), float(loss[best]), len(higher), len(x)))
    return said


def _hill(problem: Problem, one: Tensor, other: Tensor) -> float:
    """The highest loss on the straight way between two ends."""
    shares = torch.linspace(0, 1, STEPS + 2, dtype=one.dtype, device=one.device)[1:-1].unsqueeze(-1)
    return max(float(problem.losses((one + share * (other - one)).unsqueeze(0))) for share in shares)


def _about(problem: Problem, x: Tensor, loss: float, best: float, higher: int, starts: int) -> str:
    """How many starts ended higher, and where the lowest of those is."""
    count = float(torch.as_tensor(problem.count).reshape(-1)[0])
    numbers = float(torch.as_tensor(problem.numbers).reshape(-1)[0])
    noise = 1.0 if problem.active_loss.sigma is not None else best * count / max(numbers - len(x), 1.0)
    rise = (loss - best) * count / max(noise, 1e-300)
    close = "which these data hardly tell from this one" if rise < HARDLY else f"χ² higher by {rise:.3g}"
    return f"{higher} of {starts} starts ended in another minimum, the best at {_values(problem, x)}, {close}"


def _values(problem: Problem, x: Tensor) -> str:
    """`R = 500 Ω, C = 1 µF` at coordinates `(p,)`."""
    values = problem.coordinates.values(x.unsqueeze(0))[0].tolist()
    units = [kind.unit if kind is not None else "" for kind in problem.model.kinds]
    return ", ".join(f"{n} = {engineering(v, u)}" for n, v, u in zip(problem.model.names, values, units, strict=True))
