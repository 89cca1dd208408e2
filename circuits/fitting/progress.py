"""A progress bar that appears only when a fit takes long enough to be waited for."""

from __future__ import annotations

import sys
import time

from torch import Tensor

PATIENCE = 1.5
"""Seconds before anything is shown."""


class Bar:
    """Shows steps and loss on a terminal or in a notebook, once a fit has lasted longer than `PATIENCE`.

    Args:
        wanted: True always, False never, None where somebody can see it.
        total: steps after which the fit ends at the latest, if that is known.
        unit: what is counted.
    """

    def __init__(self, wanted: bool | None, total: int | None, unit: str = "steps"):
        self.wanted = _somebody_looks() if wanted is None else wanted
        self.total, self.unit = total, unit
        self.started = time.perf_counter()
        self.bar = None

    def show(self, step: int, loss: Tensor | None = None) -> None:
        """Note that a step was made."""
        if not self.wanted or time.perf_counter() - self.started < PATIENCE:
            return
        if self.bar is None:
            from tqdm.auto import tqdm

            self.bar = tqdm(total=self.total, unit=f" {self.unit}", leave=False, mininterval=0.2)
        self.bar.n = step
        if loss is not None and step % 50 == 0:
            self.bar.set_postfix_str(f"loss {float(loss.mean()):.4g}", refresh=False)
        self.bar.update(0)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()


def _somebody_looks() -> bool:
    """Whether the standard error stream is a terminal, or a notebook is running."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules
