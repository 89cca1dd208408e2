"""A folder of files, some of them bad, as a bench leaves it."""

from __future__ import annotations

from pathlib import Path

import pytest

import circuits as cc
from fitting.streams.bench import BAD, OHMS, noisy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """23 boards in files, one of them on a grid of its own, and three bad files among them."""
    path = tmp_path / "bench"
    path.mkdir()
    for k, ohms in enumerate(OHMS):
        noisy(ohms, k, 31 if k == 7 else 40).to_csv(path / f"b{k:02d}.csv")
    for name, text in BAD.items():
        (path / name).write_text(text)
    return path


@pytest.fixture
def board() -> cc.LowPass:
    return cc.LowPass(R=1000.0)
