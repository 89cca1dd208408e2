"""The circuits that every test of the contract runs through, and frequencies clear of Bode elbows."""

import pytest
import torch

from circuits.bode import Bode, BodeBandPass
from circuits.circuit import Circuit
from circuits.color_organ import ColorOrgan
from circuits.component import FARAD, OHM
from circuits.filters import BandPass, HighPass, LoadedBandPass, LowPass


class BareLowPass(Circuit):
    """A circuit of which only the complex response is written: everything else follows."""

    components = {"R": OHM, "C": FARAD}

    def __init__(self, R=None, C=1e-6, **options):
        super().__init__({"R": R, "C": C}, **options)

    def transfer(self, f):
        R, C = self._boards(f)
        return 1 / torch.complex(torch.ones_like(f * R), 2 * torch.pi * f * R * C)


CASES = {
    "low-pass": LowPass,
    "high-pass": HighPass,
    "band-pass": BandPass,
    "loaded-band-pass": LoadedBandPass,
    "bode": lambda **options: Bode(None, poles=[None, None], zeros=[None], high_pass=[None], **options),
    "bode-band-pass": BodeBandPass,
    "color-organ": ColorOrgan,
    "bare-low-pass": BareLowPass,
}


@pytest.fixture(params=CASES)
def make(request):
    """Makes one kind of circuit, its components drawn."""
    return CASES[request.param]


@pytest.fixture
def f():
    return torch.logspace(0.013, 5.97, 23, dtype=torch.float64)
