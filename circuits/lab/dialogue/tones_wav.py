"""Tones and sweeps to play from a laptop, as WAV files."""

from __future__ import annotations

import io
import math
import os
import wave

import numpy as np

from circuits import notation
from circuits.errors import FrequencyError, OptionError
from circuits.files import replace_file

RATES = (44100, 48000)
"""Samples a second that every sound card plays."""

FADE = 0.02
"""Seconds over which a sound comes and goes, so that it does not click."""

LONGEST = 600.0
FULL = 32767


def write_tone(
    path: str | os.PathLike[str], f: float, seconds: float = 3.0, rate: int = 48000, level: float = 0.5
) -> None:
    """Write a sine to a 16-bit mono WAV file, faded in and out.

    Args:
        path: the file; one that is there is replaced in one step.
        f: hertz, below half of `rate`.
        seconds: how long it lasts, up to 600.
        rate: samples a second, 44100 or 48000.
        level: amplitude, a share of full scale from above 0 to 1.

    Raises:
        FrequencyError: a tone that is not positive, or at or above half of the rate, where it would sound as another.
        OptionError: another rate, level or length. DataError: a place that cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_tone(f"{folder}/a.wav", 440.0, seconds=0.5)
    ...     os.path.getsize(f"{folder}/a.wav")
    48044
    """
    t = _times(seconds, rate)
    _check_tone(f, rate)
    _write(path, np.sin(2 * np.pi * f * t), rate, level)


def write_sweep(
    path: str | os.PathLike[str],
    low: float = 20.0,
    high: float = 20e3,
    seconds: float = 10.0,
    rate: int = 48000,
    level: float = 0.5,
) -> None:
    r"""Write a sine whose frequency rises from low to high by equal ratios in equal times.

        φ(t) = 2π·low·T/ln(high/low)·((high/low)^{t/T} − 1)

    Args:
        path, seconds, rate, level: as for `write_tone`.
        low, high: hertz, low below high, both below half of `rate`.

    Raises:
        FrequencyError, OptionError, DataError: as for `write_tone`.

    Reference: A. Farina, Simultaneous measurement of impulse response and distortion with a swept-sine technique,
    108th AES Convention (2000), preprint 5093.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_sweep(f"{folder}/sweep.wav", 20.0, 30e3)
    Traceback (most recent call last):
    circuits.errors.FrequencyError: 30 kHz at 48000 samples a second; expected a tone above 0 and below 24 kHz
    """
    t = _times(seconds, rate)
    for f in (low, high):
        _check_tone(f, rate)
    if not low < high:
        raise FrequencyError(f"a sweep from {low:g} to {high:g} Hz; expected low below high")
    growth = math.log(high / low) / seconds
    _write(path, np.sin(2 * np.pi * low / growth * np.expm1(growth * t)), rate, level)


def _times(seconds: float, rate: int) -> np.ndarray:
    if rate not in RATES:
        raise OptionError(f"{rate} samples a second; expected {' or '.join(str(one) for one in RATES)}")
    if not 3 * FADE <= seconds <= LONGEST:
        raise OptionError(f"{seconds} seconds of sound; expected {3 * FADE:g} to {LONGEST:g}")
    return np.arange(round(seconds * rate)) / rate


def _check_tone(f: float, rate: int) -> None:
    if not 0 < f < rate / 2:
        limit = notation.format(rate / 2, "Hz")
        raise FrequencyError(
            f"{notation.format(f, 'Hz')} at {rate} samples a second; expected a tone above 0 and below {limit}"
        )


def _write(path: str | os.PathLike[str], samples: np.ndarray, rate: int, level: float) -> None:
    if not 0 < level <= 1:
        raise OptionError(f"level={level}; expected a share of full scale, above 0 and up to 1")
    held = io.BytesIO()
    with wave.open(held, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(np.round(FULL * level * samples * _fade(len(samples), rate)).astype("<i2").tobytes())
    replace_file(path, held.getvalue())


def _fade(n: int, rate: int) -> np.ndarray:
    """Raised cosine at both ends, one between."""
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(round(FADE * rate)) / round(FADE * rate))
    shape = np.ones(n)
    shape[: len(ramp)], shape[n - len(ramp) :] = ramp, ramp[::-1]
    return shape
