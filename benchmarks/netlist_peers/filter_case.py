"""Boards of the LC T-filter between 50 Ω: series L1, C to ground, series L2; the loss that all peers are given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Z0 = 50.0
NOMINAL = {"L1": 1e-6, "C": 800e-12, "L2": 1e-6}
TEXT = """LC T-filter between 50 ohms
V1 s 0 dc 0 ac 2
RS s a 50
L1 a m 1u
C m 0 800p
L2 m b 1u
RL b 0 50
.end"""
"""With a source of 2 V, V(b) is the filter's S21."""


def transmission(f: np.ndarray, L1, C, L2) -> np.ndarray:
    """S21 `(boards, n)` in closed form: 2/(A + B/Z0 + C·Z0 + D)."""
    L1, C, L2 = (np.asarray(value, float)[..., None] for value in (L1, C, L2))
    s = 2j * np.pi * f
    return 2 / (2 + s * s * C * (L1 + L2) + (s * (L1 + L2) + s**3 * L1 * C * L2) / Z0 + s * C * Z0)


def boards(count: int, points: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Frequencies, components a fifth off at random, and the S21 of the nominal filter as the target."""
    draw = np.random.default_rng(seed)
    f = np.geomspace(1e5, 1e8, points)
    case = {name: value * np.exp(0.2 * draw.standard_normal(count)) for name, value in NOMINAL.items()}
    return {"f": f, **case, "target": transmission(f, *NOMINAL.values())}


def truth(case: dict[str, np.ndarray]) -> tuple[float, np.ndarray]:
    """Mean of |S21 − target|² and its gradient by L1, C, L2 `(3, boards)`, from the derivatives of the closed form."""
    f, L1, C, L2 = case["f"], case["L1"], case["C"], case["L2"]
    s21, s = transmission(f, L1, C, L2), 2j * np.pi * case["f"]
    L1, C, L2 = (value[:, None] for value in (L1, C, L2))
    slopes = (
        s * s * C + (s + s**3 * C * L2) / Z0,
        s * s * (L1 + L2) + s**3 * L1 * L2 / Z0 + s * Z0,
        s * s * C + (s + s**3 * L1 * C) / Z0,
    )
    left = s21 - case["target"]
    gradient = [2 * np.real(np.conj(left) * (-(s21**2) / 2) * slope).sum(-1) / left.size for slope in slopes]
    return float(np.mean(np.abs(left) ** 2)), np.array(gradient)


def distance(case: dict[str, np.ndarray], loss: float, gradient: np.ndarray) -> float:
    """Largest relative error of a loss and of its gradient `(3, boards)`."""
    true, slopes = truth(case)
    return max(abs(loss / true - 1), float((np.abs(gradient - slopes).max(1) / np.abs(slopes).max(1)).max()))


def by_scikit_rf(case: dict[str, np.ndarray]) -> Callable[[], np.ndarray]:
    """S21 of the first board by a cascade of scikit-rf, which has no gradient.

    Raises:
        ImportError: scikit-rf is not there.
    """
    import skrf
    from skrf.media import DefinedGammaZ0

    media = DefinedGammaZ0(skrf.Frequency.from_f(case["f"], unit="Hz"), z0=Z0)
    L1, C, L2 = (float(case[name][0]) for name in ("L1", "C", "L2"))
    return lambda: (media.inductor(L1) ** media.shunt_capacitor(C) ** media.inductor(L2)).s[:, 1, 0]
