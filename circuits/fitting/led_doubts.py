"""Whether LEDs that a fit leaves unexplained say that it went astray, or only that the comparator jitters."""

from __future__ import annotations

import torch
from torch import Tensor

from circuits.fitting.problem import Problem
from circuits.fitting.version_space import explains_every_led
from losses import LogisticLed

ASTRAY = 0.5
"""Share of what there was to explain in an output, above which what is left of it is more than jitter: an output whose
corner is in a wrong place leaves nearly all."""


@torch.no_grad()
def is_astray(problem: Problem, x: Tensor) -> Tensor:
    """Which boards leave LEDs unexplained that another start may explain, `(boards,)`.

    For a likelihood those of which some output has a loss at x, in nats an LED, above `ASTRAY` of its entropy; for any
    other loss all that leave some unexplained.
    """
    wrong = ~explains_every_led(problem, x)
    if not isinstance(problem.loss, LogisticLed) or type(problem) is not Problem:
        return wrong
    seen = torch.ones_like(problem.target) if problem.present is None else problem.present
    nats = problem.loss.pointwise(problem.board_first(problem.predict(x)), problem.target) * seen
    left = nats.sum(-1) / seen.expand(nats.shape).sum(-1).clamp_min(1.0)
    return wrong & ~(left <= ASTRAY * entropy(problem)).reshape(len(x), -1).all(-1)


@torch.no_grad()
def entropy(problem: Problem) -> Tensor:
    """−p ln p − (1 − p) ln(1 − p) in nats, p being the share of an output's LEDs that are lit, `(boards or 1, …)`.

    It is the loss of the best prediction that does not know the frequency: how much there is to explain.

    >>> import circuits as cc, losses
    >>> from circuits.fitting.setup import make_problem
    >>> seen = cc.Measurements([100.0, 200.0, 400.0, 800.0], "led", [1.0, 1.0, 1.0, 0.0])
    >>> round(entropy(make_problem(cc.LowPass(R=200.0), seen, losses.LogisticLed())).item(), 4)
    0.5623
    """
    target = problem.target
    seen = torch.ones_like(target) if problem.present is None else problem.present
    lit = (target * seen).sum(-1) / seen.expand(target.shape).sum(-1).clamp_min(1.0)
    return torch.special.entr(lit) + torch.special.entr(1 - lit)
