"""The formulas behind the 27 NIST problems, as printed in the data files; every parameter is a scalar."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Model(nn.Module):
    """A formula in x whose constants b1, b2, … are scalar float64 parameters."""

    b1: Tensor
    b2: Tensor
    b3: Tensor
    b4: Tensor
    b5: Tensor
    b6: Tensor
    b7: Tensor
    b8: Tensor
    b9: Tensor

    def __init__(self, **values: float):
        """Set each constant, `Power(b1=1.0, b2=5.0)`."""
        super().__init__()
        for name, value in values.items():
            self.register_parameter(name, nn.Parameter(torch.tensor(value, dtype=torch.float64)))


class ShiftedPower(Model):
    """y = b1 (b2 + x)^(-1/b3)."""

    def forward(self, x: Tensor) -> Tensor:
        return self.b1 * (self.b2 + x) ** (-1 / self.b3)


class Saturation(Model):
    """y = b1 (1 - exp(-b2 x))."""

    def forward(self, x: Tensor) -> Tensor:
        return self.b1 * (1 - torch.exp(-self.b2 * x))


class SquareSaturation(Model):
    """y = b1 (1 - (1 + b2 x/2)^-2)."""

    def forward(self, x: Tensor) -> Tensor:
        return self.b1 * (1 - (1 + self.b2 * x / 2) ** -2)


class RootSaturation(Model):
    """y = b1 (1 - (1 + 2 b2 x)^-½)."""

    def forward(self, x: Tensor) -> Tensor:
        return self.b1 * (1 - (1 + 2 * self.b2 * x) ** -0.5)


class Hyperbola(Model):
    """y = b1 b2 x / (1 + b2 x)."""

    def forward(self, x: Tensor) -> Tensor:
        return self.b1 * self.b2 * x / (1 + self.b2 * x)


class DampedReciprocal(Model):
    """y = exp(-b1 x) / (b2 + b3 x)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.exp(-self.b1 * x) / (self.b2 + self.b3 * x)


class Power(Model):
    """y = b1 x^b2."""

    def forward(self, x: Tensor) -> Tensor:
        return self.b1 * x**self.b2


class ThreeCycles(Model):
    """A constant, a yearly cycle (b2, b3), and two more whose periods b4 and b7 are unknown."""

    def forward(self, x: Tensor) -> Tensor:
        turn = 2 * math.pi * x
        yearly = self.b2 * torch.cos(turn / 12) + self.b3 * torch.sin(turn / 12)
        second = self.b5 * torch.cos(turn / self.b4) + self.b6 * torch.sin(turn / self.b4)
        third = self.b8 * torch.cos(turn / self.b7) + self.b9 * torch.sin(turn / self.b7)
        return self.b1 + yearly + second + third


class Peak(Model):
    """y = (b1/b2) exp(-½ ((x - b3)/b2)²)."""

    def forward(self, x: Tensor) -> Tensor:
        return self.b1 / self.b2 * torch.exp(-0.5 * ((x - self.b3) / self.b2) ** 2)


class TwoPeaks(Model):
    """y = b1 exp(-b2 x) + b3 exp(-((x - b4)/b5)²) + b6 exp(-((x - b7)/b8)²)."""

    def forward(self, x: Tensor) -> Tensor:
        first = self.b3 * torch.exp(-(((x - self.b4) / self.b5) ** 2))
        second = self.b6 * torch.exp(-(((x - self.b7) / self.b8) ** 2))
        return self.b1 * torch.exp(-self.b2 * x) + first + second


class CubicOverCubic(Model):
    """y = (b1 + b2 x + b3 x² + b4 x³) / (1 + b5 x + b6 x² + b7 x³)."""

    def forward(self, x: Tensor) -> Tensor:
        above = self.b1 + x * (self.b2 + x * (self.b3 + x * self.b4))
        return above / (1 + x * (self.b5 + x * (self.b6 + x * self.b7)))


class QuadraticOverQuadratic(Model):
    """y = (b1 + b2 x + b3 x²) / (1 + b4 x + b5 x²)."""

    def forward(self, x: Tensor) -> Tensor:
        return (self.b1 + x * (self.b2 + x * self.b3)) / (1 + x * (self.b4 + x * self.b5))


class ThreeDecays(Model):
    """y = b1 exp(-b2 x) + b3 exp(-b4 x) + b5 exp(-b6 x)."""

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.b1 * torch.exp(-self.b2 * x), self.b3 * torch.exp(-self.b4 * x)
        return first + second + self.b5 * torch.exp(-self.b6 * x)


class KowalikOsborne(Model):
    """y = b1 (x² + b2 x) / (x² + b3 x + b4)."""

    def forward(self, x: Tensor) -> Tensor:
        return self.b1 * (x**2 + x * self.b2) / (x**2 + x * self.b3 + self.b4)


class Meyer(Model):
    """y = b1 exp(b2 / (x + b3))."""

    def forward(self, x: Tensor) -> Tensor:
        return self.b1 * torch.exp(self.b2 / (x + self.b3))


class Osborne(Model):
    """y = b1 + b2 exp(-b4 x) + b3 exp(-b5 x)."""

    def forward(self, x: Tensor) -> Tensor:
        return self.b1 + self.b2 * torch.exp(-x * self.b4) + self.b3 * torch.exp(-x * self.b5)


class Degradation(Model):
    """log y = b1 - b2 x1 exp(-b3 x2), x1 in weeks and x2 in degrees Celsius the columns of x."""

    def forward(self, x: Tensor) -> Tensor:
        time, temperature = x.unbind(-1)
        return self.b1 - self.b2 * time * torch.exp(-self.b3 * temperature)


class Logistic(Model):
    """y = b1 / (1 + exp(b2 - b3 x))."""

    def forward(self, x: Tensor) -> Tensor:
        return self.b1 / (1 + torch.exp(self.b2 - self.b3 * x))


class Richards(Model):
    """y = b1 / (1 + exp(b2 - b3 x))^(1/b4)."""

    def forward(self, x: Tensor) -> Tensor:
        return self.b1 / (1 + torch.exp(self.b2 - self.b3 * x)) ** (1 / self.b4)


class QuantumDefect(Model):
    """y = b1 - b2 x - arctan(b3 / (x - b4)) / π."""

    def forward(self, x: Tensor) -> Tensor:
        return self.b1 - self.b2 * x - torch.atan(self.b3 / (x - self.b4)) / math.pi
