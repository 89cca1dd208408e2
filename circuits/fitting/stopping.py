"""When a fit stops, and how it says so."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, fields

import numpy as np

from circuits.errors import OptionError

CONVERGED = ("gradient", "step", "loss", "decrease")
"""Reasons that mean the fit has arrived; the others mean that it was ended."""

SENTENCES = {
    "gradient": "the gradient vanished",
    "step": "the steps became too small to matter",
    "loss": "the loss fell below the wanted value",
    "decrease": "no further decrease of the loss can be expected",
    "patience": "the loss stopped falling",
    "steps": "the number of steps was used up",
    "time": "the time was used up",
    "not finite": "the loss left the range of finite numbers; the best state was restored",
    "diverged": "the walk ended at a worse place than one it had passed; the best state was restored",
    "interrupted": "interrupted from the keyboard; the best state was restored",
    "running": "still running",
}


@dataclass(frozen=True)
class Stop:
    """Conditions of which any one ends a fit; None switches a condition off.

    Args:
        gradient: largest component of |dL/dx| at most this.
        step: largest relative change of a value at most this.
        loss: loss at most this.
        decrease: relative decrease that the method still expects at most this (Gauss–Newton methods).
        patience: this many steps without a smaller loss.
        steps: this many steps.
        time: this many seconds.

    Raises:
        OptionError: a condition that is not a positive number (0 is allowed for gradient and loss).

    >>> Stop(gradient=1e-6, steps=100)
    Stop(gradient=1e-06, steps=100)
    """

    gradient: float | None = None
    step: float | None = None
    loss: float | None = None
    decrease: float | None = None
    patience: int | None = None
    steps: int | None = None
    time: float | None = None

    def __post_init__(self):
        for name, value in self.given().items():
            least = 0 if name in ("gradient", "loss", "steps") else math.ulp(0.0)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= least:
                raise OptionError(
                    f"Stop({name}={value!r}): expected a {'non-negative' if least == 0 else 'positive'} number"
                )

    def given(self) -> dict[str, float]:
        """The conditions that are switched on."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}

    def check(self) -> None:
        """Refuse to start a fit that nothing would end.

        Raises:
            OptionError: no condition is switched on.
        """
        if not self.given():
            raise OptionError("no way to stop: every condition of Stop is off; give at least one, say Stop(steps=1000)")

    def __repr__(self) -> str:
        return f"Stop({', '.join(f'{k}={v!r}' for k, v in self.given().items())})"


def check_stop(stop: Stop | None) -> None:
    """Refuse what is no `Stop`, or one that would never end a fit.

    Raises:
        OptionError: not a Stop, or no condition in it is switched on.
    """
    if stop is not None and not isinstance(stop, Stop):
        raise OptionError(f"stop={stop!r}; expected a Stop, such as Stop(steps=1000)")
    if stop is not None:
        stop.check()


class Watch:
    """Follows the running boards and names the reason for which each one stops."""

    def __init__(self, stop: Stop, boards: int):
        self.stop = stop
        self.best = np.full(boards, np.inf)
        self.waited = np.zeros(boards, dtype=np.int64)
        self.started = time.perf_counter()

    def keep(self, rows: np.ndarray) -> None:
        """Go on with some of the boards."""
        self.best, self.waited = self.best[rows], self.waited[rows]

    def reason(self, step: int, loss: float, gradient: float, move: float | None, decrease: float | None) -> str:
        """Why a single board stops here, or ''; what holds first in this order is the reason that counts."""
        stop = self.stop
        if not (math.isfinite(loss) and math.isfinite(gradient)):
            return "not finite"
        if stop.gradient is not None and gradient <= stop.gradient:
            return "gradient"
        if stop.loss is not None and loss <= stop.loss:
            return "loss"
        if stop.decrease is not None and decrease is not None and decrease <= stop.decrease:
            return "decrease"
        if stop.step is not None and move is not None and move <= stop.step:
            return "step"
        if stop.patience is not None and self._is_patience_over(step, loss):
            return "patience"
        if stop.steps is not None and step >= stop.steps:
            return "steps"
        return "time" if stop.time is not None and time.perf_counter() - self.started >= stop.time else ""

    def _is_patience_over(self, step: int, loss: float) -> bool:
        if loss < self.best[0]:
            self.best[0], self.waited[0] = loss, 0
        else:
            self.waited[0] += step > 0
        return bool(self.waited[0] >= self.stop.patience)

    def reasons(
        self, step: int, loss: np.ndarray, gradient: np.ndarray, move: np.ndarray | None, decrease: np.ndarray | None
    ) -> np.ndarray:
        """The same for every board of a batch, an array of reasons."""
        stop, found = self.stop, {"not finite": ~(np.isfinite(loss) & np.isfinite(gradient))}
        for name, numbers in (("gradient", gradient), ("loss", loss), ("decrease", decrease), ("step", move)):
            if getattr(stop, name) is not None and numbers is not None:
                found[name] = numbers <= getattr(stop, name)
        if stop.patience is not None:
            better = loss < self.best
            self.waited = np.where(better, 0, self.waited + (step > 0))
            self.best = np.where(better, loss, self.best)
            found["patience"] = self.waited >= stop.patience
        if stop.steps is not None and step >= stop.steps:
            found["steps"] = np.ones(len(loss), dtype=bool)
        if stop.time is not None and time.perf_counter() - self.started >= stop.time:
            found["time"] = np.ones(len(loss), dtype=bool)
        reasons = np.full(len(loss), "", dtype=object)
        for name, boards in found.items():
            reasons[boards & (reasons == "")] = name
        return reasons
