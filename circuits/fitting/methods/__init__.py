"""Methods: each moves the coordinates of a problem in its own way."""

from circuits.fitting.methods.estimated_descent import EstimatedDescent
from circuits.fitting.methods.gradient_descent import GradientDescent
from circuits.fitting.methods.lbfgs import LBFGS
from circuits.fitting.methods.levenberg_marquardt import LevenbergMarquardt
from circuits.fitting.methods.method import Method, State
from circuits.fitting.methods.sign_descent import SignDescent
from circuits.fitting.methods.torch_optimiser import TorchOptimiser

__all__ = [
    "LBFGS",
    "EstimatedDescent",
    "GradientDescent",
    "LevenbergMarquardt",
    "Method",
    "SignDescent",
    "State",
    "TorchOptimiser",
]
