"""What a shared fit is asked to do: the options that every process gives alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from circuits.errors import OptionError, UnknownName
from circuits.fitting.distributed.agreement import words_of
from circuits.fitting.fitter import HowToMove, fit
from circuits.fitting.learnable import Fixed
from circuits.fitting.movement import Bounds, How
from circuits.fitting.result import Fit
from circuits.fitting.setup import Data
from circuits.fitting.starts import Starts
from circuits.fitting.stopping import Stop

SHARES, GIVEN = ("boards", "points"), ("whole", "part")


@dataclass(frozen=True)
class Task:
    """The options of `fit_distributed`, by the names that they have there.

    Raises:
        UnknownName: another way of sharing or giving than there is.
        OptionError: a stop by the clock where all have to take the same steps.
    """

    loss: Any
    share: str
    given: str
    method: HowToMove
    coordinates: How
    stop: Stop | None
    starts: Starts
    bounds: Bounds
    fixed: Fixed
    tied: Mapping[str, str] | None
    progress: bool | None
    seed: int

    def __post_init__(self):
        if self.share not in SHARES:
            raise UnknownName("way of sharing", self.share, SHARES)
        if self.given not in GIVEN:
            raise UnknownName("way of giving data", self.given, GIVEN)
        if self.share == "points" and self.stop is not None and self.stop.time is not None:
            raise OptionError("Stop(time=...) would end the processes at different steps; give steps= or another one")

    def terms(self) -> dict[str, str]:
        """Every option in words, by what a person calls it."""
        names = ("share", "given", "loss", "method", "coordinates", "stop", "starts", "bounds", "fixed", "tied", "seed")
        return {f"option {name}": words_of(getattr(self, name)) for name in names}

    def fit(self, circuit: nn.Module, data: Data, fixed: Fixed, *, shows: bool) -> Fit:
        """An ordinary fit with these options, without a history; only one process shows a bar."""
        return fit(
            circuit,
            data,
            self.loss,
            method=self.method,
            coordinates=self.coordinates,
            stop=self.stop,
            starts=self.starts,
            bounds=self.bounds,
            fixed=fixed,
            tied=self.tied,
            history=False,
            progress=self.progress if shows else False,
            seed=self.seed,
        )
