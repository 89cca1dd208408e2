"""Which learning rates are stable, which is best, and how many steps they take, from curvatures alone.

Along an axis of curvature h (an eigenvalue of the Hessian) plain descent multiplies the error by 1 − lr·h a step. With
momentum the factor is that of `circuits.fitting.theory.momentum`, and everything here takes the momentum, 0 being none.
Reference: S. Boyd and L. Vandenberghe, Convex Optimization (2004), section 9.3.
"""

from __future__ import annotations

import math

from torch import Tensor

from circuits.errors import OptionError
from circuits.fitting.theory.momentum import Numbers, as_curvatures, as_numbers, check_momentum, repeated_lrs


def curvature_of(singular_value: Numbers) -> Tensor:
    """Curvature h = 2σ² of the loss (y − σw)², or of ‖y − Xw‖² along a right singular vector of X.

    >>> curvature_of([0.5, 3.0])
    tensor([ 0.5000, 18.0000], dtype=torch.float64)
    """
    return 2 * as_numbers(singular_value).square()


def stable_lr(curvature: Numbers, momentum: float = 0.0) -> float:
    """The learning rate below which every error shrinks: 2(1 + m)/((1 − m)·h_max), 2/h_max without momentum.

    For a loss (y − σw)² and β = 1 − m this is (2 − β)/(βσ²), and 1/σ² without momentum.

    Args:
        curvature: h > 0 along each axis; the largest decides.
        momentum: share of the old average that is kept.

    Raises:
        OptionError: a curvature that is not positive, or a momentum outside [0, 1).

    >>> stable_lr([0.1, 10.0]), stable_lr([0.1, 10.0], momentum=0.9)
    (0.2, 3.8)
    """
    m = check_momentum(momentum)
    return 2 * (1 + m) / ((1 - m) * float(as_curvatures(curvature).max()))


def best_lrs(curvature: Numbers, momentum: float = 0.0) -> tuple[float, float]:
    """The lowest and the highest of the learning rates that shrink the slowest error fastest.

    Without momentum both are 2/(h_min + h_max), where the flattest and the steepest axis shrink alike, by
    (κ − 1)/(κ + 1) with κ = h_max/h_min. With enough momentum, √m ≥ (√κ − 1)/(√κ + 1), every rate from
    (1 − √m)²/(βh_min) to (1 + √m)²/(βh_max) gives the same √m; with less, both are 2(1 + m)/(β(h_min + h_max)).

    Args:
        curvature: h > 0 along each axis; those between the smallest and the largest change nothing.
        momentum: share m = 1 − β of the old average that is kept.

    Raises:
        OptionError: a curvature that is not positive, or a momentum outside [0, 1).

    >>> best_lrs([0.1, 10.0])
    (0.1980, 0.1980)
    >>> best_lrs([0.1, 10.0], momentum=0.9)
    (0.2633, 3.7974)
    """
    m = check_momentum(momentum)
    h = as_curvatures(curvature)
    lowest, highest = repeated_lrs(h.min(), m)[0].item(), repeated_lrs(h.max(), m)[1].item()
    if m > 0 and lowest <= highest:
        return lowest, highest
    middle = 2 * (1 + m) / ((1 - m) * float(h.min() + h.max()))
    return middle, middle


def steps_within(epsilon: float, factor: float | Tensor) -> float:
    """Whole steps after which an error is below epsilon of what it was: ln ε/ln factor, rounded up.

    Infinite where the factor is 1 or more; one where it is 0.

    Args:
        epsilon: share of the error that may remain, 0 < epsilon < 1; 0.001 for "to 99.9 %".
        factor: what one step leaves of the error, as `contraction` gives it.

    Raises:
        OptionError: an epsilon outside (0, 1), or a factor below zero.

    >>> steps_within(0.001, 99 / 101), steps_within(0.001, 0.9**0.5), steps_within(0.001, 1.0)
    (346, 132, inf)
    """
    if not 0 < epsilon < 1:
        raise OptionError(f"epsilon={epsilon!r}; expected a share between 0 and 1, say 0.001")
    factor = float(factor)
    if factor < 0:
        raise OptionError(f"factor={factor!r}; expected what a step leaves of the error, 0 or more")
    if factor == 0:
        return 1
    return math.inf if not factor < 1 else max(1, math.ceil(math.log(epsilon) / math.log(factor)))
