"""Losses that a fit minimises: objects (prediction, target) → tensor that know no circuit.

>>> Magnitude(sigma=0.01) + Prior({"C": 1e-6}, 0.05)
Magnitude(sigma=0.01) + Prior(C=1e-06 ± 5%)
"""

from losses.checks import LossError
from losses.combine import Scaled, Sum
from losses.hard_led import HardLed
from losses.led import HALF_POWER, SHARPENING, HingeLed, LedLoss, LogisticLed, ShiftedMSE
from losses.loss import Loss
from losses.names import NAMES, Scalar, as_loss, by_name
from losses.prior import Prior
from losses.regression import Complex, Decibel, LeastSquares, Magnitude, Phase, Relative, Squared
from losses.robust import Cauchy, Huber

__all__ = [
    "HALF_POWER",
    "NAMES",
    "SHARPENING",
    "Cauchy",
    "Complex",
    "Decibel",
    "HardLed",
    "HingeLed",
    "Huber",
    "LeastSquares",
    "LedLoss",
    "LogisticLed",
    "Loss",
    "LossError",
    "Magnitude",
    "Phase",
    "Prior",
    "Relative",
    "Scalar",
    "Scaled",
    "ShiftedMSE",
    "Squared",
    "Sum",
    "as_loss",
    "by_name",
]
