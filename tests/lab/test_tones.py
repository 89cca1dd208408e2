import math
import wave

import numpy as np
import pytest

from circuits.errors import DataError, FrequencyError, OptionError
from circuits.lab import write_sweep, write_tone


def read(path):
    with wave.open(str(path), "rb") as sound:
        assert (sound.getnchannels(), sound.getsampwidth()) == (1, 2)
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32767
        return samples, sound.getframerate()


def frequency_at(samples, rate, middle, seconds):
    """Hertz from the zero crossings of a piece of sound."""
    piece = samples[int((middle - seconds / 2) * rate) : int((middle + seconds / 2) * rate)]
    rising = np.flatnonzero((piece[:-1] < 0) & (piece[1:] >= 0))
    exact = rising + piece[rising] / (piece[rising] - piece[rising + 1])
    return (len(exact) - 1) / (exact[-1] - exact[0]) * rate


@pytest.mark.parametrize("rate", [44100, 48000])
@pytest.mark.parametrize("f", [20.0, 803.2, 15e3])
def test_a_tone_has_its_frequency_length_and_level(tmp_path, rate, f):
    write_tone(tmp_path / "a.wav", f, seconds=1.5, rate=rate, level=0.25)
    samples, found = read(tmp_path / "a.wav")
    assert (found, len(samples)) == (rate, 1.5 * rate)
    assert frequency_at(samples, rate, 0.75, 1.0) == pytest.approx(f, rel=1e-4)
    assert np.sqrt(2 * (samples[rate // 4 : rate] ** 2).mean()) == pytest.approx(0.25, rel=0.02)


def test_a_tone_comes_and_goes_softly(tmp_path):
    write_tone(tmp_path / "a.wav", 1000.0, seconds=0.5, level=1.0)
    samples, rate = read(tmp_path / "a.wav")
    edges = np.abs(np.concatenate([samples[: rate // 1000], samples[-rate // 1000 :]]))
    assert edges.max() < 0.01
    assert np.abs(samples).max() == pytest.approx(1.0, abs=1e-3)


def test_a_sweep_rises_by_equal_ratios_in_equal_times(tmp_path):
    write_sweep(tmp_path / "s.wav", 100.0, 10e3, seconds=8.0)
    samples, rate = read(tmp_path / "s.wav")
    for share in (0.25, 0.5, 0.75):
        expected = 100.0 * 100.0**share
        assert frequency_at(samples, rate, 8.0 * share, 0.05) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("f", [24e3, 30e3, 0.0, -5.0, math.nan])
def test_what_would_sound_as_another_tone_is_refused(tmp_path, f):
    with pytest.raises(FrequencyError, match="below 24 kHz"):
        write_tone(tmp_path / "a.wav", f)
    with pytest.raises(FrequencyError):
        write_sweep(tmp_path / "a.wav", 20.0, f)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [{"rate": 8000}, {"level": 0.0}, {"level": 1.5}, {"seconds": 0.0}, {"seconds": 1e9}])
def test_what_no_sound_has_is_refused(tmp_path, wrong):
    with pytest.raises(OptionError):
        write_tone(tmp_path / "a.wav", 440.0, **wrong)


def test_a_falling_sweep_and_a_missing_folder_are_refused(tmp_path):
    with pytest.raises(FrequencyError, match="low below high"):
        write_sweep(tmp_path / "a.wav", 2000.0, 200.0)
    with pytest.raises(DataError, match="folder"):
        write_tone(tmp_path / "none" / "a.wav", 440.0)
