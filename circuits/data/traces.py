"""Complex traces over one or several sweeps, as simulators and network analysers give them, as measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from circuits.data.measurements import Measurements
from circuits.errors import DataError, FrequencyError


def measured(
    f: np.ndarray,
    traces: dict[str, np.ndarray],
    source: str,
    ratio: str,
    notes: Sequence[str] = (),
    skipped: Sequence[str] = (),
    unit: str = "ratio",
) -> Measurements:
    """Complex traces `(n,)` at frequencies `(n,)` in hertz as a response by rising frequency, an output each.

    Raises:
        DataError: numbers that are not finite, or none.
        FrequencyError: a frequency that is not positive and finite.

    >>> measured(np.array([2.0, 1.0]), {"S11": np.array([0.5j, 0.1])}, "Touchstone", "a ratio").f
    tensor([1., 2.], dtype=torch.float64)
    """
    if not len(f):
        raise DataError(f"a {source} file without a point; expected at least one")
    bad = ~(np.isfinite(f) & (f > 0))
    if bad.any():
        raise FrequencyError(f"frequency {f[bad][0]:g} Hz at point {int(np.argmax(bad)) + 1}; expected a positive one")
    stacked = np.stack(list(traces.values()))
    if not np.isfinite(stacked).all():
        name = list(traces)[int(np.argmax(~np.isfinite(stacked).all(axis=1)))]
        raise DataError(f"{name!r} holds a number that is not finite; expected finite ones")
    several = len(traces) > 1
    values = torch.from_numpy(stacked if several else stacked[0])
    meta = {"source": source, "ratio": ratio, "skipped": list(skipped), "units": {"frequency": "Hz"}}
    meta["units"] |= dict.fromkeys(traces, unit)
    read = Measurements(torch.from_numpy(f), "response", values, None, tuple(traces) if several else (), meta)
    names = ", ".join(map(repr, traces))
    sentence = [f"{len(f)} points: response from {names} ({unit})", source, ratio, *notes, *skipped]
    return replace(read.sorted(), understood="; ".join(filter(None, sentence)))


def sweeps(f: np.ndarray) -> list[slice]:
    """Where one sweep ends and the next begins: where the frequency turns back.

    >>> sweeps(np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0]))
    [slice(0, 3, None), slice(3, 6, None)]
    """
    if len(f) < 2:
        return [slice(0, len(f))]
    step = np.diff(f)
    rising = np.median(np.sign(step)) >= 0
    starts = [0, *(np.flatnonzero(step <= 0 if rising else step >= 0) + 1).tolist()]
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(f)], strict=True)]


def apart(f: np.ndarray, traces: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray], list[str]]:
    """The sweeps of a stepped simulation as outputs of their own, at the frequencies that all of them share.

    Raises:
        DataError: sweeps at different frequencies.

    >>> f, found, notes = apart(np.array([1.0, 2.0, 1.0, 2.0]), {"v(out)": np.array([1, 2, 3, 4])})
    >>> found["v(out) step 2"].tolist(), notes
    ([3, 4], ['2 steps, an output each: step 1, step 2'])
    """
    places = sweeps(f)
    if len(places) == 1:
        return f, traces, []
    first = f[places[0]]
    for number, place in enumerate(places[1:], 2):
        if len(f[place]) != len(first) or not np.allclose(f[place], first, rtol=1e-9, atol=0.0):
            raise DataError(
                f"step {number} has other frequencies than step 1 ({len(f[place])} and {len(first)} of them); "
                "simulate each step into a file of its own"
            )
    named = {f"{name} step {i}": trace[place] for i, place in enumerate(places, 1) for name, trace in traces.items()}
    names = ", ".join(f"step {i}" for i in range(1, len(places) + 1))
    return first, named, [f"{len(places)} steps, an output each: {names}"]
