"""The 27 certified problems from both published starts, through the same call, with no option set."""

from __future__ import annotations

import pytest

import circuits as cc
from nist.problems import NAMES, load

DIGITS = 1e-4
# The residuals of Lanczos1 (1e-13 of the data) are the rounding of its data to 14 digits: in double precision the
# standard errors, which are proportional to them, cannot come out better than this.
ERROR_DIGITS = {"Lanczos1": 1e-2}


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_certified_values_and_errors(name: str, start: int):
    problem = load(name)
    module = problem.module(start)
    found = cc.fit(module, (problem.x, problem.y))
    assert found.converged and found.identifiability.complete
    assert list(found.values) == list(problem.values) == list(found.names)
    for key, value in problem.values.items():
        assert found.values[key].item() == pytest.approx(value, rel=DIGITS), key
        assert getattr(module, key).item() == found.values[key].item()
        assert found.errors[key].item() == pytest.approx(problem.errors[key], rel=ERROR_DIGITS.get(name, DIGITS)), key
    if name != "Lanczos1":
        assert found.loss * len(problem.y) == pytest.approx(problem.rss, rel=1e-6)


def test_a_start_from_which_the_data_are_flat_gets_a_second_look():
    """From its first start BoxBOD runs away to where nothing depends on b2; the fit sees it, and says so."""
    problem = load("BoxBOD")
    found = cc.fit(problem.module(0), (problem.x, problem.y))
    assert found.notes == ("a better minimum than from the given start was found from another one",)
    assert found.notes[0] in str(found)
    told = cc.fit(problem.module(0), (problem.x, problem.y), method=cc.LevenbergMarquardt())
    assert told.loss > 2 * found.loss and told.notes == ()
