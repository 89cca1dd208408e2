from dataclasses import replace

import pytest
import torch

from circuits.errors import NetlistError
from circuits.netlist.answers.bias import operating_point
from circuits.netlist.expressions import Number
from netlist.answers.benches import leaves, net
from netlist.answers.spice_runs import run_real
from netlist.oracles import precise
from netlist.oracles.building import to_text
from netlist.oracles.ngspice import needs_ngspice
from netlist.oracles.random_nets import mixed

AMPLIFIER = net(
    "V1 in 0 DC 0.5 AC 1",
    "V2 rail 0 9",
    "R1 rail b 100k",
    "R2 b 0 27k",
    "C1 in b 1u",
    "E1 out 0 b 0 -3",
    "R3 out load 470",
    "L1 load x 1m",
    "R4 x 0 1k",
    "C2 load 0 1n",
    "I1 0 x 1m",
    "H1 sense 0 V2 1k",
    "R5 sense 0 1k",
)


def test_by_hand():
    found = operating_point(AMPLIFIER)
    volts = {name: value.item() for name, value in found.voltages.items()}
    amperes = {name: value.item() for name, value in found.currents.items()}
    b = 9 * 27 / 127
    x = (-3 * b / 470 + 1e-3) / (1 / 470 + 1e-3)
    wanted = {"in": 0.5, "rail": 9.0, "b": b, "out": -3 * b, "load": x, "x": x, "sense": -9 / 127}
    assert volts == pytest.approx(wanted, rel=1e-13)
    assert amperes == pytest.approx(
        {
            "V1": 0.0,
            "V2": -9 / 127e3,
            "R1": 9 / 127e3,
            "R2": 9 / 127e3,
            "C1": 0.0,
            "E1": -(-3 * b - x) / 470,
            "R3": (-3 * b - x) / 470,
            "L1": (-3 * b - x) / 470,
            "R4": x / 1e3,
            "C2": 0.0,
            "I1": 1e-3,
            "H1": 9 / 127 / 1e3,
            "R5": -9 / 127 / 1e3,
        },
        rel=1e-12,
    )


def biased(seed):
    """A random net with a bias on every source."""
    made = mixed(seed)
    parameters = {
        name: replace(p, value=Number(0.1 * (i % 7) - 0.3)) if name.endswith(".dc") else p
        for i, (name, p) in enumerate(made.parameters.items())
    }
    return replace(made, parameters=parameters)


def test_random_nets_against_sixty_digits():
    compared = 0
    for seed in range(150):
        netlist = biased(seed)
        try:
            found = operating_point(netlist)
        except NetlistError:
            continue
        wanted = precise.solve(netlist, 0.0, dc=True)
        compared += 1
        for own, other in ((found.voltages, wanted.voltages), (found.currents, wanted.currents)):
            assert set(own) == set(other) - {"0"}
            scale = max(map(abs, other.values()))
            assert all(abs(own[name].item() - other[name]) <= 1e-10 * scale for name in own), seed
    assert compared > 10


@needs_ngspice
def test_against_ngspice():
    """An amplifier, a random net, and what ngspice can only do with its own help is left out."""
    compared = 0
    for seed in [None, *range(60)]:
        netlist = AMPLIFIER if seed is None else biased(seed)
        try:
            found = operating_point(netlist)
        except NetlistError:
            continue
        columns = run_real(to_text(netlist).replace(".options noopac", ".options gmin=1e-30\n.op"), "Operating Point")
        compared += 1
        for mark, own in (("v", found.voltages), ("i", found.currents)):
            scale = max((float(value.abs()) for value in own.values()), default=0.0)
            for name, value in own.items():
                column = columns.get(f"{mark}({name.lower()})")
                if column is not None:
                    assert abs(value.item() - column[0]) <= 1e-9 * scale + 1e-15, (seed, mark, name)
    assert compared > 5


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("V1 in 0 1", "C1 in out 1u"), "node out has no path to ground at 0 Hz beyond C1"),
        (("V1 in 0 1", "L1 in 0 1m"), "V1 and L1 form a loop without resistance at 0 Hz"),
        (
            ("V1 in 0 1", "R1 in a 1", "C1 a b 1", "L1 b c 1", "R2 c b 1"),
            "nodes b and c have no path to ground at 0 Hz",
        ),
    ],
)
def test_what_is_not_determined_is_named(lines, words):
    with pytest.raises(NetlistError, match=words):
        operating_point(net(*lines))


def test_special_elements():
    found = operating_point(
        net(
            "V1 in 0 2",
            "R0 in a 0",
            "T1 a 0 b 0 Z0=50 TD=1n",
            "X1 b c warburg_short r=100 tau=1",
            "R2 c 0 300",
            "X2 c 0 cpe q=1u alpha=0.8",
            "X3 c 0 warburg sigma=1",
            "X4 c 0 warburg_open r=1 tau=1",
        )
    )
    assert found.voltages["c"].item() == pytest.approx(1.5, rel=1e-14)
    assert {name: v.item() for name, v in found.currents.items()} == pytest.approx(
        {"V1": -5e-3, "R0": 5e-3, "T1": 5e-3, "T1.b": -5e-3, "X1": 5e-3, "R2": 5e-3, "X2": 0, "X3": 0, "X4": 0},
        abs=1e-15,
    )


def test_boards_and_gradients():
    values = leaves(AMPLIFIER, "R1", "E1", "R3")
    boards = operating_point(AMPLIFIER, {**values, "R1": torch.tensor([100e3, 1e6], dtype=torch.float64)})
    assert boards.voltages["b"].tolist() == pytest.approx([9 * 27 / 127, 9 * 27 / 1027])

    def answer(*scale):
        moved = {name: values[name].detach() * k for name, k in zip(("R1", "E1", "R3"), scale, strict=True)}
        found = operating_point(AMPLIFIER, {**values, **moved})
        return found.voltages["x"], found.currents["V2"] * 1e3

    ones = [torch.ones((), dtype=torch.float64, requires_grad=True) for _ in range(3)]
    assert torch.autograd.gradcheck(answer, ones)
    assert torch.autograd.gradgradcheck(answer, ones)
