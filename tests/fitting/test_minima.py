"""Minima of a grid: separate ones, flat ones, and those that are none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from circuits.fitting.minima import floor_of, grid_minima, is_open

X = np.linspace(-2, 2, 81)
WELLS = (X**2 - 1) ** 2 + 0.1 * X  # at about -1 and +1, the left one deeper
BOWL = X[:, None] ** 2 + X[None, :] ** 2


def test_two_wells_the_deeper_first():
    (first,), (second,) = grid_minima(WELLS)
    assert X[first] == pytest.approx(-1.0, abs=0.06) and X[second] == pytest.approx(1.0, abs=0.06)


def test_a_bowl_has_one():
    assert grid_minima(BOWL) == [(40, 40)]
    assert not is_open(BOWL, (40, 40))


def test_four_wells_in_two_dimensions():
    table = WELLS[:, None] + WELLS[None, :]
    found = grid_minima(table)
    assert len(found) == 4
    assert [table[at] for at in found] == sorted(table[at] for at in found)
    assert len(grid_minima(table, most=2)) == 2


def test_a_flat_floor_counts_once():
    steps = np.array([3.0, 2.0, 1.0, 1.0, 1.0, 2.0, 0.5, 0.5, 4.0])
    assert grid_minima(steps) == [(6,), (2,)]


def test_a_ripple_below_the_tolerance_is_none():
    ripple = np.maximum(X**2, 0.5) + 1e-5 * np.cos(60 * X)
    assert len(grid_minima(ripple)) == 1
    assert len(grid_minima(X**2 + 0.2 * np.cos(20 * X))) > 1


def test_the_rim_counts_only_when_nothing_is_deeper():
    assert grid_minima([0.5, 1.0, 0.0, 2.0, 1.5]) == [(2,)]
    assert grid_minima([0.0, 1.0, 0.5, 2.0]) == [(0,), (2,)]
    assert is_open([0.0, 1.0, 0.5, 2.0], (0,))


def test_a_valley_is_open_and_its_floor_is_all_of_it():
    valley = (X[:, None] + X[None, :]) ** 2
    at = grid_minima(valley)[0]
    assert is_open(valley, at)
    floor = floor_of(valley, at)
    assert floor[::-1].diagonal().all() and floor.sum() < 81 * 3


def test_what_is_not_finite_is_infinitely_high():
    table = BOWL.copy()
    table[40, 40], table[0, 0] = math.nan, math.inf
    (found,) = grid_minima(table)
    assert max(abs(found[0] - 40), abs(found[1] - 40)) == 1  # beside the hole
    assert grid_minima(np.full((4, 4), math.nan)) == []
