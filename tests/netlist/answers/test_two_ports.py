import math

import pytest
import torch

from circuits.errors import NetlistError, OptionError, ShapeError, UnknownName
from circuits.netlist.answers.conversions import convert_parameters
from circuits.netlist.answers.two_ports import port_parameters
from netlist.answers.benches import leaves, net, relative

F = torch.logspace(1, 7, 7, dtype=torch.float64)
S = 2j * math.pi * F
ONE, NONE = 1 + 0 * S, 0 * S
PORTS = ["a", "b"]
THETA = 2 * math.pi * F * 1e-8
SIN, COS = torch.sin(THETA), torch.cos(THETA)
T, PI, SERIES, SHUNT = (
    ("R1 a m 10", "R2 m b 20", "R3 m 0 30"),
    ("C1 a 0 1n", "R1 a b 1k", "L1 b 0 1m"),
    ("C1 a b 1n", "R1 a b 1k"),
    ("C1 a 0 1n", "V1 a b 0", "R1 b 0 1k"),
)
LINE, GYRATOR, TRANSFORMER = (
    ("T1 a 0 b 0 Z0=75 TD=10n",),
    ("G1 a 0 b 0 1m", "G2 b 0 a 0 -1m"),
    ("L1 a 0 1m", "L2 b 0 4m", "K1 L1 L2 0.5"),
)


def matrix(a, b, c, d):
    parts = [(part + NONE) if torch.is_tensor(part) else part * ONE for part in (a, b, c, d)]
    return torch.stack(parts, -1).unflatten(-1, (2, 2))


Y1, Y2, Y3 = S * 1e-9, 1e-3 + NONE, 1 / (S * 1e-3)
CLOSED = {
    "T, Z": (T, "Z", matrix(40, 30, 30, 50)),
    "T, ABCD": (T, "ABCD", matrix(4 / 3, 110 / 3, 1 / 30, 5 / 3)),
    "Π, Y": (PI, "Y", matrix(Y1 + Y2, -Y2, -Y2, Y2 + Y3)),
    "Π, ABCD": (PI, "ABCD", matrix(1 + Y3 / Y2, 1 / Y2, Y1 + Y3 + Y1 * Y3 / Y2, 1 + Y1 / Y2)),
    "series, Y": (SERIES, "Y", (1e-3 + S * 1e-9)[:, None, None] * torch.tensor([[1.0, -1], [-1, 1]])),
    "series, ABCD": (SERIES, "ABCD", matrix(1, 1 / (1e-3 + S * 1e-9), 0, 1)),
    "shunt, Z": (SHUNT, "Z", (1 / (1e-3 + S * 1e-9))[:, None, None] * torch.ones(2, 2)),
    "shunt, ABCD": (SHUNT, "ABCD", matrix(1, 0, 1e-3 + S * 1e-9, 1)),
    "line, ABCD": (LINE, "ABCD", matrix(COS, 75j * SIN, 1j * SIN / 75, COS)),
    "gyrator, Z": (GYRATOR, "Z", matrix(0, -1e3, 1e3, 0)),
    "gyrator, ABCD": (GYRATOR, "ABCD", matrix(0, 1e3, 1e-3, 0)),
    "transformer, Z": (
        TRANSFORMER,
        "Z",
        S[:, None, None] * torch.tensor([[1e-3, 1e-3], [1e-3, 4e-3]], dtype=torch.float64),
    ),
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms(name):
    lines, kind, wanted = CLOSED[name]
    found = port_parameters(net(*lines), F, kind, PORTS)
    for i in range(2):
        for j in range(2):
            scale = wanted[:, i, j].abs().max() or wanted.abs().max() * 1e-3
            assert (found[:, i, j] - wanted[:, i, j]).abs().max() < 1e-13 * scale


def test_scattering_of_a_matched_line_is_a_delay():
    found = port_parameters(net(*LINE), F, "S", PORTS, z0=75)
    wanted = matrix(0, torch.polar(torch.ones_like(F), -THETA), torch.polar(torch.ones_like(F), -THETA), 0)
    assert (found - wanted).abs().max() < 1e-14


def test_scattering_of_a_series_resistor_between_two_references():
    found = port_parameters(net("R1 a b 25"), F[:1], "S", PORTS, z0=(50.0, 75.0))[0].real
    thru = 2 * math.sqrt(50 * 75) / 150
    wanted = torch.tensor([[50 / 150, thru], [thru, 0.0]], dtype=torch.float64)
    assert (found - wanted).abs().max() < 1e-15


def test_lossless_reciprocal_circuits_have_a_unitary_symmetric_scattering_matrix():
    bench = net("L1 a m 1m", "C1 m 0 1n", "L2 m b 3m", "K1 L1 L2 0.2", "T1 b 0 c 0 Z0=60 TD=3n", "C2 a c 2n")
    found = port_parameters(bench, F, "S", ["a", "b", ("c", "m")], z0=(50, 75, 100))
    assert relative(found @ found.mH, torch.eye(3).expand(7, 3, 3)) < 1e-12
    assert relative(found, found.mT) < 1e-12


MISSING = {
    "series, Z": (SERIES, "Z", "no Z parameters, since with its ports open .* ask for S, Y or ABCD"),
    "shunt, Y": (SHUNT, "Y", "no Y parameters, since with its ports shorted .* ask for S, Z or ABCD"),
}


@pytest.mark.parametrize("name", MISSING)
def test_parameters_that_do_not_exist_say_why_and_what_to_ask_for(name):
    lines, kind, words = MISSING[name]
    with pytest.raises(NetlistError, match=words):
        port_parameters(net(*lines), F, kind, PORTS)


def test_without_transmission_the_chain_is_infinite():
    assert not torch.isfinite(port_parameters(net("R1 a 0 1", "R2 b 0 1"), F, "ABCD", PORTS)).any()


def test_sources_are_off_and_those_across_a_port_taken_out():
    lines = ("V1 a 0 AC 1", "I1 0 b AC 1", "V2 x 0 DC 3 AC 2", "R4 m x 30", *T)
    alone = (*T, "R4 m 0 30")
    for kind in ("Z", "Y", "S", "ABCD"):
        assert (
            relative(port_parameters(net(*lines), F, kind, PORTS), port_parameters(net(*alone), F, kind, PORTS)) < 1e-14
        )


@pytest.mark.parametrize("source", ["S", "Z", "Y", "ABCD"])
@pytest.mark.parametrize("target", ["S", "Z", "Y", "ABCD"])
def test_conversions_agree_with_solving(source, target):
    bench, z0 = net(*T, "C1 a 0 10n", "L1 b 0 10u"), (50.0, 75.0)
    given, wanted = (port_parameters(bench, F, kind, PORTS, z0=z0) for kind in (source, target))
    assert relative(convert_parameters(given, source, target, z0), wanted) < 1e-11


@pytest.mark.parametrize(
    ("lines", "source", "target", "words"),
    [
        (SERIES, "ABCD", "Z", "no Z: C is zero at point 0"),
        (SHUNT, "ABCD", "Y", "no Y: B is zero"),
        (SERIES, "S", "Z", "no Z: 1 − S is singular"),
        (SHUNT, "S", "Y", "no Y: 1 . S is singular"),
        (SERIES, "Y", "Z", "no Z: Y is singular"),
        (SHUNT, "Z", "Y", "no Y: Z is singular"),
        (("R1 a 0 1", "R2 b 0 1"), "Z", "ABCD", "no ABCD: Z21 is zero"),
    ],
)
def test_conversions_refuse_what_does_not_exist(lines, source, target, words):
    with pytest.raises(OptionError, match=words):
        convert_parameters(port_parameters(net(*lines), F, source, PORTS), source, target)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"kind": "H"}, OptionError, "no parameters 'H'; expected one of S, Z, Y, ABCD"),
        ({"kind": "ABCD", "ports": ["a"]}, OptionError, "ABCD parameters of 1 ports; give two"),
        ({"ports": []}, OptionError, "S parameters of 0 ports"),
        ({"ports": ["a", ("b", "B")]}, OptionError, "between b and itself"),
        ({"ports": ["a", "q"]}, UnknownName, "no node 'q'"),
        ({"z0": 0.0}, OptionError, "z0=0.0 for 2 ports"),
        ({"z0": (50.0,)}, OptionError, "one for each port"),
    ],
)
def test_bad_options(options, error, words):
    given = {"kind": "S", "ports": PORTS} | options
    with pytest.raises(error, match=words):
        port_parameters(net(*T), F, **given)


def test_a_source_that_controls_from_across_a_port():
    with pytest.raises(NetlistError, match="F1 is controlled by the current of V1.*zero volts in series"):
        port_parameters(net("V1 a 0 0", "R1 a b 1", "F1 b 0 V1 2"), F, "Z", PORTS)


def test_shapes_that_are_no_port_parameters():
    with pytest.raises(ShapeError, match=r"expected \(…, 2, 2\)"):
        convert_parameters(torch.eye(3), "S", "ABCD")


@pytest.mark.parametrize("kind", ["Z", "Y", "S", "ABCD"])
def test_batches_and_gradients(kind):
    bench = net(*PI)
    values = leaves(bench)
    boards = {**values, "R1": torch.tensor([500.0, 1e3], dtype=torch.float64)}
    found = port_parameters(bench, F, kind, PORTS, boards)
    assert found.shape == (2, 7, 2, 2)
    assert relative(found[1], port_parameters(bench, F, kind, PORTS)) < 1e-15

    def scaled(r, c):
        moved = {**values, "R1": r * 1e3, "C1": c * 1e-9}
        return torch.view_as_real(port_parameters(bench, F[2:4], kind, PORTS, moved))

    ones = [torch.ones((), dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(scaled, ones)
