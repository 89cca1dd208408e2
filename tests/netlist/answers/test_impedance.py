import math

import pytest
import torch

from circuits.errors import NetlistError, OptionError, UnknownName
from circuits.netlist.answers.impedances import impedance
from netlist.answers.benches import leaves, net, relative

F = torch.logspace(0, 6, 7, dtype=torch.float64)
S = 2j * math.pi * F
CASES = {
    "R ‖ C": (("R1 a 0 1k", "C1 a 0 1u"), ("a",), 1 / (1e-3 + S * 1e-6)),
    "between two nodes": (("R1 a b 1k", "C1 b 0 1u", "R2 a 0 2k"), ("a", "b"), 1 / (1e-3 + 1 / (2e3 + 1 / (S * 1e-6)))),
    "what the source sees": (("V1 in 0 AC 1", "R1 in out 1k", "C1 out 0 1u"), ("in",), 1e3 + 1 / (S * 1e-6)),
    "the source is a short": (("V1 in 0 AC 1", "R1 in out 1k", "R2 out 0 3k"), ("out",), 750 + 0 * S),
    "current sources are open": (("I1 0 a AC 1", "R1 a 0 1k", "I2 a 0 DC 1"), ("a",), 1e3 + 0 * S),
    "a series inductor": (("L1 a b 1m", "R1 b 0 10"), ("a",), 10 + S * 1e-3),
    "a gyrated capacitor": (("G1 a 0 b 0 1m", "G2 0 b a 0 1m", "C1 b 0 1n"), ("a",), S * 1e-9 * 1e6),
}


@pytest.mark.parametrize("name", CASES)
def test_closed_forms(name):
    lines, nodes, wanted = CASES[name]
    assert relative(impedance(net(*lines), F, *nodes), wanted) < 1e-14


def test_names_in_either_case_and_batches():
    bench = net("R1 A 0 1k", "C1 A 0 1u")
    R = torch.tensor([[1e3], [2e3]], dtype=torch.float64)
    Z = impedance(bench, F, "a", "gnd", {"R1": R})
    assert Z.shape == (2, 1, 7)
    assert relative(Z[1, 0], 1 / (1 / 2e3 + S * 1e-6)) < 1e-14


@pytest.mark.parametrize(
    ("lines", "nodes", "error", "words"),
    [
        (("R1 a 0 1",), ("a", "A"), OptionError, "between a node and itself"),
        (("R1 a 0 1",), ("x",), UnknownName, "no node 'x'; known: a, 0"),
        (("R1 a 0 1", "I1 b 0 AC 1"), ("b",), NetlistError, r"Z.b,0. is infinite or not determined: .* node b"),
    ],
)
def test_what_has_no_impedance(lines, nodes, error, words):
    with pytest.raises(error, match=words):
        impedance(net(*lines), F, *nodes)


def test_gradients():
    bench = net("V1 in 0 AC 1", "R1 in out 1k", "C1 out 0 1u", "L1 out x 1m", "R2 x 0 50")
    values = leaves(bench, "R1", "C1", "L1", "R2")
    names = [name for name, v in values.items() if v.requires_grad]

    def scaled(*factors):
        moved = {name: values[name].detach() * factor for name, factor in zip(names, factors, strict=True)}
        return torch.view_as_real(impedance(bench, F[:3], "out", values={**values, **moved}))

    ones = [torch.ones((), dtype=torch.float64, requires_grad=True) for _ in names]
    assert torch.autograd.gradcheck(scaled, ones)
    assert torch.autograd.gradgradcheck(scaled, ones)
