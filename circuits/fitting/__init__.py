"""Fitting: any module to what was measured, by any method, with an honest account of what happened."""

from circuits.fitting.convergence import Convergence
from circuits.fitting.fitter import fit, iterate
from circuits.fitting.history import History
from circuits.fitting.loop import Step
from circuits.fitting.methods import (
    LBFGS,
    EstimatedDescent,
    GradientDescent,
    LevenbergMarquardt,
    Method,
    SignDescent,
    TorchOptimiser,
)
from circuits.fitting.result import Fit
from circuits.fitting.stopping import Stop
from circuits.fitting.storage import load_fit

__all__ = [
    "LBFGS",
    "Convergence",
    "EstimatedDescent",
    "Fit",
    "GradientDescent",
    "History",
    "LevenbergMarquardt",
    "Method",
    "SignDescent",
    "Step",
    "Stop",
    "TorchOptimiser",
    "fit",
    "iterate",
    "load_fit",
]
