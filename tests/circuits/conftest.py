"""The circuits that every test of the contract runs through, and frequencies clear of Bode elbows."""

import pytest
import torch

from circuits.bode import Bode, BodeBandPass
from circuits.circuit import Circuit
from circuits.color_organ import ColorOrgan
from circuits.component import FARAD, OHM, RATIO, make_parameters
from circuits.filters import BandPass, HighPass, LoadedBandPass, LowPass
from circuits.netlist.elements import Element, Netlist, Parameter
from circuits.netlist.expressions import Name, Number
from circuits.netlist.netlist_circuit import NetlistCircuit


class BareLowPass(Circuit):
    """A circuit of which only the complex response is written: everything else follows."""

    components = {"R": OHM, "C": FARAD}

    def __init__(self, R=None, C=1e-6, **options):
        super().__init__({"R": R, "C": C}, **options)

    def transfer(self, f):
        R, C = self._boards(f)
        return 1 / torch.complex(torch.ones_like(f * R), 2 * torch.pi * f * R * C)


STAGES = {
    "R1": ("R", "in", "low"),
    "C1": ("C", "low", "0"),
    "E1": ("E", "mid", "0", "low", "0"),
    "X1.R": ("R", "mid", "out"),
    "X1.C": ("C", "out", "0"),
}
KINDS = {"R": OHM, "C": FARAD, "E": RATIO}


def two_stages(output=None, *, batch=(), seed=0, dtype=torch.float64, device=None):
    """A netlist of an amplifier between two sections, its components drawn like those of the others."""
    elements = [Element("V", "V1", ("in", "0"), {"dc": Number(0.0), "ac": Number(1.0), "phase": Number(0.0)})]
    elements += [Element(kind, name, tuple(nodes), {"value": Name(name)}) for name, (kind, *nodes) in STAGES.items()]
    kinds = {name: KINDS[kind] for name, (kind, *_) in STAGES.items()}
    parameters = {name: Parameter(name, Number(1.0), kind.unit, kind.unit != "") for name, kind in kinds.items()}
    drawn = make_parameters(kinds, {"C1": 1e-6, "X1.C": 2e-6}, batch, seed)
    values = {name: parameter.detach() for name, parameter in drawn.items()}
    netlist = Netlist("two stages", tuple(elements), parameters)
    return NetlistCircuit(netlist, output, ["R1", "X1.R", "E1"], values=values, dtype=dtype, device=device)


THREE_OUTPUTS = ["V(out)/V(in)", "V(low)", "V(mid)/V(in)"]
CASES = {
    "low-pass": LowPass,
    "high-pass": HighPass,
    "band-pass": BandPass,
    "loaded-band-pass": LoadedBandPass,
    "bode": lambda **options: Bode(None, poles=[None, None], zeros=[None], high_pass=[None], **options),
    "bode-band-pass": BodeBandPass,
    "color-organ": ColorOrgan,
    "bare-low-pass": BareLowPass,
    "netlist": two_stages,
    "netlist-of-several-outputs": lambda **options: two_stages(THREE_OUTPUTS, **options),
}


@pytest.fixture(params=CASES)
def make(request):
    """Makes one kind of circuit, its components drawn."""
    return CASES[request.param]


@pytest.fixture
def f():
    return torch.logspace(0.013, 5.97, 23, dtype=torch.float64)
