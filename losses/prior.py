"""What is known about a component before anything is measured: its nominal value and its tolerance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real

import torch
from torch import Tensor, nn

from losses.checks import LossError, like, positive, positive_tensor, transformed
from losses.loss import Addable


class Prior(Addable, nn.Module):
    r"""Log-normal knowledge of components: each lies about its nominal value, within its tolerance.

        residual = ln(value/nominal)/tolerance,   prior = Σ residual² = −2 ln(density of ln value) + constant

    A prior is extra rows of a least-squares problem, with zero targets. It knows no prediction: added to a
    loss it travels along in `loss.priors`, and a fit that moves the components adds it.

    Args:
        nominal: value of each component by its dotted name, in its SI unit; numbers, or tensors of the
            component's shape.
        tolerance: one standard deviation of ln(value/nominal), 0.05 for 5 %; one for all, or by name.

    Raises:
        LossError: a value or tolerance is not above 0 and finite, or a name has no tolerance.

    Reference: A. Gelman et al., Bayesian Data Analysis, 3rd ed. (2013), section 14.8, prior information as
    extra data.

    >>> prior = Prior({"C": 1e-6, "band.R_low": 40.0}, {"C": 0.05, "band.R_low": 0.01})
    >>> prior
    Prior(C=1e-06 ± 5%, band.R_low=40 ± 1%)
    >>> prior({"C": torch.tensor(1e-6), "band.R_low": torch.tensor(40.4)})
    tensor(0.9901)
    """

    def __init__(self, nominal: Mapping[str, float | Tensor], tolerance: float | Mapping[str, float]) -> None:
        """Take the nominal values and how far to trust them."""
        super().__init__()
        if not isinstance(nominal, Mapping) or not nominal:
            raise LossError(f'nominal is {nominal!r}; expected values by component name, as {{"C": 1e-6}}')
        given = tolerance if isinstance(tolerance, Mapping) else dict.fromkeys(nominal, tolerance)
        if set(given) != set(nominal):
            odd = ", ".join(sorted(map(str, set(given) ^ set(nominal))))
            raise LossError(f"{odd} is given a nominal value or a tolerance; each component expects both")
        self.nominal = {name: _nominal(name, value) for name, value in nominal.items()}
        self.tolerance = {name: positive(f"the tolerance of {name}", given[name]) for name in nominal}

    def residuals(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return ln(value/nominal)/tolerance of each component that the prior names.

        Args:
            values: the components by dotted name, in SI units; others may be among them.

        Raises:
            LossError: a component is missing from `values`, or not above 0.

        >>> Prior({"R": 100.0}, 0.1).residuals({"R": torch.tensor([100.0, 110.0])})
        {'R': tensor([0.0000, 0.9531])}
        """
        return {name: self._ratio(name, values) / self.tolerance[name] for name in self.nominal}

    def forward(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return Σ residual² over all components and all their elements, a scalar."""
        return torch.stack([residual.square().sum() for residual in self.residuals(values).values()]).sum()

    def weighed(self, weight: float) -> Prior:
        """Return this prior `weight` times as heavy, which is one with a tolerance √weight times smaller.

        >>> 4 * Prior({"C": 1e-6}, 0.1)
        Prior(C=1e-06 ± 5%)
        """
        root = math.sqrt(positive("the weight of a prior", weight))
        return Prior(self.nominal, {name: tolerance / root for name, tolerance in self.tolerance.items()})

    def __mul__(self, weight: float) -> Prior:
        """Return this prior, `weight` times as heavy."""
        return self.weighed(weight) if isinstance(weight, Real) else NotImplemented

    __rmul__ = __mul__

    def __repr__(self) -> str:
        """Return the nominal values with their tolerances."""
        names = self.nominal
        parts = (f"{name}={_shown(names[name])} ± {100 * self.tolerance[name]:g}%" for name in names)
        return f"Prior({', '.join(parts)})"

    def _ratio(self, name: str, values: Mapping[str, Tensor]) -> Tensor:
        """Return ln(value/nominal) of one component."""
        if name not in values:
            raise LossError(f"the prior names {name!r}, no component here; known: {', '.join(values)}")
        value, nominal = values[name], self.nominal[name]
        if not isinstance(value, Tensor):
            raise LossError(f"{name} is {value!r}; expected a tensor")
        if not transformed() and not (value > 0).all():
            raise LossError(f"{name} is {value.tolist()}; a log-normal prior expects values above 0")
        return torch.log(value / (like(nominal, value) if isinstance(nominal, Tensor) else nominal))


def _nominal(name: str, value: float | Tensor) -> float | Tensor:
    """Return one number as a float, which takes the precision of the component, and many as a tensor."""
    label = f"the nominal value of {name}"
    if isinstance(value, Tensor) and value.dim():
        return positive_tensor(label, value)
    return positive(label, value)


def _shown(value: float | Tensor) -> str:
    """Return a number as itself and many as their shape."""
    return f"<{'×'.join(map(str, value.shape))} values>" if isinstance(value, Tensor) else f"{value:g}"
