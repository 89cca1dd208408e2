"""Boards as a bench leaves them in files, and the table that is read back."""

from __future__ import annotations

import csv
from pathlib import Path

import torch

import circuits as cc

OHMS = [100.0 + 37.0 * k for k in range(23)]
BAD = {"b05_empty.csv": "", "b11_words.csv": "this is\nno table\n", "b17_zero.csv": "frequency_hz,magnitude\n0,1\n"}


def noisy(ohms: float, seed: int, points: int = 40) -> cc.Measurements:
    """A low-pass with 1 % noise."""
    data = cc.simulate(cc.LowPass(R=ohms), cc.log_grid(points, 20.0, 2e4))
    noise = torch.randn(data.values.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return cc.Measurements(data.f, "magnitude", data.values * (1 + 0.01 * noise))


def table_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
