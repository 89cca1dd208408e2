"""Estimators: the slope of an objective that tells none, or tells a useless one, from its values at nearby places."""

from circuits.fitting.estimators.differences import FiniteDifference, best_step, difference_error
from circuits.fitting.estimators.estimator import Estimator
from circuits.fitting.estimators.objective import objective_of
from circuits.fitting.estimators.pathwise import Reparameterised
from circuits.fitting.estimators.preferred import E12, E24, Levels
from circuits.fitting.estimators.quantised import StochasticRounding, StraightThrough
from circuits.fitting.estimators.score import ScoreFunction
from circuits.fitting.estimators.smoothing import smoothed

__all__ = [
    "E12",
    "E24",
    "Estimator",
    "FiniteDifference",
    "Levels",
    "Reparameterised",
    "ScoreFunction",
    "StochasticRounding",
    "StraightThrough",
    "best_step",
    "difference_error",
    "objective_of",
    "smoothed",
]
