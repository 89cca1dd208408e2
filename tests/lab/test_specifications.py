"""Limits: read from masks and tables of tones, and refused where there cannot be any."""

from __future__ import annotations

import math

import pytest

import circuits as cc
from circuits.errors import DataError, OptionError, ShapeError, UnknownName
from circuits.lab.production import specifications, yields
from circuits.lab.production.specifications import Specification
from circuits.lab.production.tolerances import Tolerances

INF = math.inf


def organ() -> cc.ColorOrgan:
    return cc.ColorOrgan(198.944, (39.789, 159.155), 31.831)


def test_a_mask_of_several_outputs_is_read(tmp_path):
    path = tmp_path / "mask.csv"
    path.write_text("# ours\nf_hz;low_lower_db;low_upper_db;high_max_db\n5k;;-10;\n100;-1;;-20\n", "utf-8")
    mask = specifications.read_mask(path)
    assert (mask.quantity, mask.outputs, mask.f.tolist()) == ("decibels", ("low", "high"), [100.0, 5000.0])
    assert mask.lower.tolist() == [[-1, -INF], [-INF, -INF]]
    assert mask.upper.tolist() == [[INF, -10], [-20, INF]]
    matched = mask.matched(organ())
    assert matched.upper.tolist() == [[INF, -10], [INF, INF], [-20, INF]]
    assert yields.estimate_yield(organ(), mask, Tolerances({"low.R": 0.05}), boards=10).passed == 10


@pytest.mark.parametrize(
    "text",
    [
        "",
        "frequency_hz,lower_db\n",
        "frequency_hz,level\n1,2\n",
        "lower_db,upper_db\n1,2\n",
        "frequency_hz,lower_db,upper\n1,2,3\n",
        "frequency_hz,lower_db,low_upper_db\n1,2,3\n",
        "frequency_hz,lower_db,upper_db\n1,2\n",
        "frequency_hz,lower_db\n1,two\n",
        "frequency_hz,lower_db\n-1,2\n",
        "frequency_hz,lower_db\n1,nan\n",
    ],
)
def test_what_is_no_mask_is_refused(tmp_path, text):
    path = tmp_path / "mask.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError, match="mask.csv"):
        specifications.read_mask(path)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Specification([1.0], "response", [0.0], [1.0]), UnknownName),
        (lambda: Specification([1.0, 2.0], "magnitude", [0.5], [1.0]), ShapeError),
        (lambda: Specification([1.0], "magnitude", [0.9], [0.5]), OptionError),
        (lambda: Specification([1.0], "magnitude", [math.nan], [0.5]), OptionError),
        (lambda: Specification([1.0], "magnitude", [0.0], [INF]), OptionError),
        (lambda: specifications.leds_as_limits(cc.Measurements([1.0], "phase", [1.0])), OptionError),
        (lambda: specifications.leds_as_limits(cc.Measurements([1.0], "led", [[1.0], [0.0]])), ShapeError),
        (lambda: Specification([1.0], "magnitude", [0.5], [1.0]).matched(organ()), OptionError),
        (lambda: Specification([1.0], "magnitude", [[0.5]], [[1.0]], ("mid",)).matched(organ()), UnknownName),
        (
            lambda: yields.estimate_yield(
                cc.LowPass(1e3), Specification([1.0], "magnitude", [0.5], [1.0]), Tolerances({"R": 0.1}), boards=0
            ),
            OptionError,
        ),
    ],
)
def test_limits_that_there_cannot_be_are_refused(make, error):
    with pytest.raises(error):
        make()
