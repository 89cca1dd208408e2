"""`Session`: an hour at the bench, tone by tone, until the components are known."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from circuits import notation
from circuits.circuit import Circuit
from circuits.data import log_grid
from circuits.errors import DataError, FrequencyError, OptionError, UnknownName
from circuits.lab.dialogue.alternatives import other_measurements
from circuits.lab.dialogue.intervals import SHARE, Interval
from circuits.lab.dialogue.observing import Look, Observation
from circuits.lab.dialogue.posterior import DECADES, Posterior
from circuits.lab.dialogue.session_log import SessionLog
from circuits.lab.dialogue.tone_choice import Choice, choose_tone
from losses import HALF_POWER

LITTLE = {"led": 0.02, "magnitude": 0.005, "decibels": 0.005}
"""Nats below which the best tone tells so little that the session is at its end."""


class Session:
    """A dialogue with one board: it proposes a tone, is told what was seen, and knows the components better each time.

    Args:
        circuit: one board whose learnable components are asked for; their values are where they are thought to be.
        log: a file that keeps every answer as it is told. Where it is there, the session goes on from it.
        readings: "led", "magnitude" or "decibels": what is looked at.
        until: the relative half-width of every component's interval that is good enough, 0.01 for 1 %.
        low, high: hertz between which tones can be played.
        within: powers of ten each way of its present value in which a component may be, or (low, high) by name.
        sigma: standard deviation of a reading, in its unit; by default 0.01, or 0.1 dB.
        jitter: standard deviation of ln|H| before the comparator of an LED.
        mistakes: the share of answers that are plainly wrong.
        threshold: the magnitude above which an LED is lit, by default that of the circuit.
        seed: of all that is random.

    Raises:
        DataError: the log is damaged or of another session. FrequencyError, OptionError, ShapeError, UnknownName:
            what cannot be followed.

    >>> from circuits.filters import LowPass
    >>> session, board = Session(LowPass(R=500.0)), LowPass(R=321.0)
    >>> while not session.done:
    ...     tone = session.propose()
    ...     session.tell(tone, board(tone).item() > 0.5**0.5)
    >>> abs(session.state()["R"].middle / 321.0 - 1) < 0.01, len(session.observations) < 15
    (True, True)
    """

    def __init__(
        self,
        circuit: Circuit,
        log: str | os.PathLike[str] | None = None,
        *,
        readings: str = "led",
        until: float = 0.01,
        low: float = 1.0,
        high: float = 1e6,
        within: float | Mapping[str, tuple[float, float]] = DECADES,
        sigma: float | None = None,
        jitter: float = 0.002,
        mistakes: float = 0.002,
        threshold: float | None = None,
        seed: int = 0,
    ):
        _check(until, low, high)
        sigma = (0.1 if readings == "decibels" else 0.01) if sigma is None else sigma
        threshold = float(getattr(circuit, "threshold", HALF_POWER)) if threshold is None else threshold
        look = Look(readings, threshold, jitter, mistakes, sigma)
        self.circuit, self.until, self.low, self.high = circuit, until, low, high
        self._posterior = Posterior(circuit, look, within, seed)
        self._choice: Choice | None = None
        self._seen: list[Observation] = []
        self._is_stale = False
        self._log = None if log is None else SessionLog(log, self._heading())
        for entry in self._log.entries if self._log is not None else ():
            self._follow(entry)

    # the dialogue

    def propose(self) -> float:
        """The tone in hertz to play next."""
        return self.choice.tone

    @property
    def choice(self) -> Choice:
        """The tone to play next, what to expect there, and how much it is expected to tell."""
        if self._choice is None:
            goal = torch.full((len(self.names),), self.until / 2, dtype=torch.float64)
            scale = torch.tensor([1.0 if log else max(abs(m), 1e-12) for log, m in self._scales()])
            self._choice = choose_tone(self.posterior, goal * scale, self.low, self.high)
        return self._choice

    def tell(self, tone: float, seen: Any) -> None:
        """Take what was seen at a tone: lit (True, 1) or dark (False, 0), or a reading; None where nobody looked.

        Args:
            tone: in hertz; it need not be the proposed one.
            seen: one answer, or one an output in order, or a mapping from output to answer.

        Raises:
            DataError: an answer that is none, too many or too few, or a log that cannot be written.
            FrequencyError: a tone that is not positive and finite. UnknownName: an output that is not there.
        """
        if not 0 < float(tone) < math.inf:
            raise FrequencyError(f"tone {tone} Hz; expected positive, finite hertz")
        look = self._posterior.look
        one = Observation(float(tone), tuple(look.checked(value) for value in self._in_order(seen)))
        if all(value is None for value in one.values):
            raise DataError(f"nothing was seen at {notation.format(tone, 'Hz')}; tell at least one output")
        if self._log is not None:
            self._log.append({"tone": one.tone, "seen": list(one.values)})
        self._learn(one)

    def undo(self) -> Observation:
        """Take back the last answer, in the log too, and return it.

        Raises:
            OptionError: there is none. DataError: the log cannot be written.
        """
        if not self.observations:
            raise OptionError("nothing to undo; no answer was told yet")
        if self._log is not None:
            self._log.append({"undo": True})
        return self._forget()

    # what is known

    @property
    def names(self) -> tuple[str, ...]:
        """Dotted names of the components that are asked for."""
        return self._posterior.names

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs, one answer each; a single one may have no name."""
        return self.circuit.outputs or ("",)

    @property
    def observations(self) -> tuple[Observation, ...]:
        """Every answer that holds, in order."""
        return tuple(self._seen)

    @property
    def posterior(self) -> Posterior:
        """The swarm of boards that the answers leave likely."""
        if self._is_stale:  # after an undo, or where Ctrl-C came while an answer was being weighed
            self._posterior.replay(self._seen)
            self._is_stale = False
        return self._posterior

    @property
    def note(self) -> str:
        """What there is to say of the log, such as a torn last line; empty where all is well."""
        return "" if self._log is None else self._log.note

    def state(self) -> dict[str, Interval]:
        """The interval of every component by dotted name."""
        units = self.circuit.units()
        rows = self.posterior.quantiles([(1 - SHARE) / 2, 0.5, (1 + SHARE) / 2]).tolist()
        return {
            name: Interval(low, middle, high, units[name])
            for name, (low, middle, high) in zip(self.names, rows, strict=True)
        }

    @property
    def open(self) -> tuple[str, ...]:
        """The components whose intervals are still too wide."""
        return tuple(name for name, one in self.state().items() if one.relative > self.until)

    @property
    def good(self) -> bool:
        """Whether every component is known well enough."""
        return not self.open

    @property
    def stuck(self) -> bool:
        """Whether some component is not known well enough, and no tone is expected to tell more about it."""
        return not self.good and self.choice.gain < LITTLE[self._posterior.look.quantity]

    @property
    def done(self) -> bool:
        """Whether there is nothing left to play: all is known well enough, or no tone tells more."""
        return self.good or self.stuck

    def hints(self) -> tuple[str, ...]:
        """Sentences on which other kind of measurement would tell what these looks cannot; `()` where they can."""
        grid = log_grid(1000, self.low, self.high)
        with torch.no_grad():
            board = copy.deepcopy(self.circuit)
            for name, one in self.state().items():
                board.get_parameter(name).fill_(one.middle)
        look = self._posterior.look
        return other_measurements(board, grid, look.quantity, threshold=look.threshold)

    def fitted(self) -> Circuit:
        """The circuit itself, with the middle of every interval as its component values."""
        with torch.no_grad():
            for name, one in self.state().items():
                self.circuit.get_parameter(name).fill_(one.middle)
        return self.circuit

    # inside

    def _learn(self, one: Observation) -> None:
        self._choice = None
        posterior, fresh = self._posterior, not self._is_stale
        self._is_stale = True
        self._seen.append(one)
        if fresh:
            posterior.tell(one)
            self._is_stale = False

    def _forget(self) -> Observation:
        self._choice, self._is_stale = None, True
        return self._seen.pop()

    def _follow(self, entry: Mapping[str, Any]) -> None:
        """One line of the log."""
        try:
            if entry.get("undo"):
                self._forget()
                return
            values = [self._posterior.look.checked(value) for value in entry["seen"]]
            if len(values) != len(self.outputs) or not 0 < float(entry["tone"]) < math.inf:
                raise ValueError
            self._learn(Observation(float(entry["tone"]), tuple(values)))
        except (LookupError, TypeError, ValueError) as error:
            raise DataError(f"the log holds {dict(entry)}, which is no answer; remove that line") from error

    def _in_order(self, seen: Any) -> Sequence[Any]:
        """One answer an output."""
        if isinstance(seen, Mapping):
            for name in seen:
                if name not in self.outputs:
                    raise UnknownName("output", name, self.outputs)
            return [seen.get(name) for name in self.outputs]
        values = seen.tolist() if isinstance(seen, torch.Tensor) else seen
        values = list(values) if isinstance(values, (list, tuple)) else [values]
        if len(values) != len(self.outputs):
            raise DataError(
                f"{len(values)} answers; expected one for each of the {len(self.outputs)} outputs "
                f"{', '.join(self.outputs)}".rstrip()
            )
        return values

    def _heading(self) -> dict[str, Any]:
        """What a log has to be about to belong to this session."""
        values = {name: p.item() for name, p in self.circuit.named_parameters()}
        return {
            "circuit": self.circuit.title,
            "outputs": list(self.circuit.outputs),
            "readings": self._posterior.look.quantity,
            "learned": list(self.names),
            "components": values,
        }

    def _scales(self) -> list[tuple[bool, float]]:
        middle = self.posterior.quantiles([0.5])[:, 0].tolist()
        return list(zip(self._posterior.is_log.tolist(), middle, strict=True))


def _check(until: float, low: float, high: float) -> None:
    if not 0 < until < 1:
        raise OptionError(f"until={until}; expected a relative width between 0 and 1, such as 0.01 for 1 %")
    if not (0 < low < high < math.inf):
        raise FrequencyError(f"tones from {low} to {high} Hz; expected 0 < low < high, both finite")
