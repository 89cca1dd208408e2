import math
import random

import numpy as np
import pytest
import torch

from circuits.errors import NetlistError, ShapeError
from circuits.netlist.answers.checks import check_solvable
from circuits.netlist.answers.pencil import free_values, known_values, make_pencil
from circuits.netlist.answers.poles_zeros import hertz, natural_frequencies, poles_and_zeros, quality
from circuits.netlist.outputs import parse_output
from circuits.netlist.solver.system import System
from netlist.answers.benches import leaves, net, relative
from netlist.answers.polynomials import exact_roots
from netlist.oracles.random_nets import ladder, mixed, rlc

F = torch.logspace(-2, 9, 12, dtype=torch.float64)
V = "V1 in 0 AC 1"


def asked(netlist, text, values=None):
    return poles_and_zeros(netlist, parse_output(text).resolved(netlist), values)


def of_polynomials(numerator, denominator):
    return np.roots(denominator), np.roots(numerator)


R, C, L = 1e3, 1e-6, 1e-1
CASES = {
    "low-pass": ((V, "R1 in out 1k", "C1 out 0 1u"), "V(out)", ([1], [R * C, 1])),
    "high-pass": ((V, "C1 in out 1u", "R1 out 0 1k"), "V(out)/V(in)", ([R * C, 0], [R * C, 1])),
    "series RLC": ((V, "R1 in a 1k", "L1 a out 0.1", "C1 out 0 1u"), "V(out)", ([1], [L * C, R * C, 1])),
    "its current": ((V, "R1 in a 1k", "L1 a out 0.1", "C1 out 0 1u"), "I(L1)", ([C, 0], [L * C, R * C, 1])),
    "its impedance": ((V, "R1 in a 1k", "L1 a out 0.1", "C1 out 0 1u"), "Z(in)", ([L * C, R * C, 1], [C, 0])),
    "lossless tank": (("I1 0 a AC 1", "L1 a 0 0.1", "C1 a 0 1u"), "V(a)", ([L, 0], [L * C, 0, 1])),
    "Sallen–Key, Butterworth": (
        (V, "R1 in a 1k", "R2 a b 1k", "C1 a out 2u", "C2 b 0 1u", "E1 out 0 b 0 1"),
        "V(out)",
        ([1], [2e-6 * 1e-6 * R * R, 2 * R * 1e-6, 1]),
    ),
    "lead–lag": ((V, "R1 in out 1k", "C1 in out 1u", "R2 out 0 1k"), "V(out)", ([C, 1 / R], [C, 2 / R])),
    "divider": ((V, "R1 in out 1k", "R2 out 0 1k"), "V(out)", ([1], [2])),
    "coupled coils": (
        (V, "R1 in a 10", "L1 a 0 1m", "L2 out 0 4m", "K1 L1 L2 0.5", "R2 out 0 100"),
        "V(out)",
        ([0.1, 0], [(1 - 0.25) * 4e-6, 1e-3 * 100 + 4e-3 * 10, 1e3]),
    ),
    "gyrated inductor": (
        (V, "R1 in a 1k", "G1 a 0 b 0 1m", "G2 0 b a 0 1m", "C1 b 0 1u"),
        "V(a)",
        ([1, 0], [1, 1e3]),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_closed_forms(name):
    lines, text, (numerator, denominator) = CASES[name]
    found = asked(net(*lines), text)
    for roots, wanted in zip((found.poles, found.zeros), of_polynomials(numerator, denominator), strict=True):
        assert roots.shape == (len(wanted),)
        wanted = sorted(wanted, key=lambda s: (abs(s), -s.imag))
        for root, own in zip(roots.tolist(), wanted, strict=True):
            assert abs(root - own) <= 1e-13 * abs(own)
    s = 2j * math.pi * F
    H = torch.from_numpy(np.polyval(numerator, s.numpy()) / np.polyval(denominator, s.numpy()))
    if name not in ("gyrated inductor", "coupled coils"):
        assert ((found.response(F) - H).abs() <= 1e-12 * H.abs()).all()


def test_a_twin_t_has_its_zeros_on_the_imaginary_axis():
    bench = net(V, "R1 in a 1k", "R2 a out 1k", "C3 a 0 2u", "C1 in b 1u", "C2 b out 1u", "R3 b 0 500")
    found = asked(bench, "V(out)/V(in)")
    # a third mode, −1/RC, is there and cannot be seen
    wanted = torch.tensor([-(2 - math.sqrt(3)) * 1e3, -(2 + math.sqrt(3)) * 1e3], dtype=torch.float64)
    torch.testing.assert_close(found.poles, wanted.to(torch.complex128), rtol=1e-12, atol=0)
    torch.testing.assert_close(found.zeros, torch.tensor([1e3j, -1e3j], dtype=torch.complex128), rtol=1e-12, atol=1e-9)
    modes = natural_frequencies(bench)
    assert len(modes) == 3 and float((modes + 1e3).abs().min()) < 1e-9
    assert relative(found.gain, torch.tensor(1.0)) < 1e-12


@pytest.mark.parametrize("sections", [10, 50])
def test_a_uniform_ladder(sections):
    found = asked(ladder(sections, 1.0, 1.0), f"V(n{sections + 1})/V(n1)")
    k = torch.arange(1, sections + 1, dtype=torch.float64)
    wanted = -4 * torch.sin((2 * k - 1) * math.pi / (4 * sections + 2)) ** 2
    assert found.zeros.shape == (0,)
    assert ((found.poles - wanted).abs() < 1e-12 * wanted.abs()).all()


def test_a_butterworth_filter_between_fifty_ohms():
    g = [2 * math.sin((2 * k - 1) * math.pi / 10) for k in range(1, 6)]
    w = 2 * math.pi * 1e6
    lines = [V, "Rs in n1 50", "Rl n3 0 50"]
    lines += [f"C{k} n{k} 0 {g[2 * k - 2] / (50 * w)!r}" for k in (1, 2, 3)]
    lines += [f"L{k} n{k} n{k + 1} {g[2 * k - 1] * 50 / w!r}" for k in (1, 2)]
    found = asked(net(*lines), "V(n3)/V(in)")
    assert found.zeros.numel() == 0
    assert ((hertz(found.poles) - 1e6).abs() < 1e-4).all()
    assert quality(found.poles).unique().tolist() == pytest.approx([0.5, 0.6180339887, 1.6180339887], rel=1e-9)


def test_equal_stages_that_do_not_act_back_have_equal_poles():
    stages = [line for i in range(8) for line in (f"R{i} n{i} m{i} 1k", f"C{i} m{i} 0 1u", f"E{i} n{i + 1} 0 m{i} 0 2")]
    found = asked(net("V1 n0 0 AC 1", *stages), "V(n8)/V(n0)")
    assert found.poles.tolist() == pytest.approx([-1e3] * 8, rel=1e-15)
    values = leaves(net("V1 n0 0 AC 1", *stages), "R3")
    poles = asked(net("V1 n0 0 AC 1", *stages), "V(n8)", values).poles
    (slope,) = torch.autograd.grad(poles.real.sum(), values["R3"])
    assert slope.item() == pytest.approx(1.0)  # −d/dR 1/(RC)


def nets(count):
    """Random lumped nets that have a solution."""
    for seed in range(count):
        n = random.Random(seed).choice((2, 4, 6))
        made = rlc(n, seed) if seed % 2 else mixed(seed, max(n, 3), kinds="RLCKVIEFGH")
        check_solvable(made)
        yield seed, made


def assert_exact(netlist):
    found = natural_frequencies(netlist).tolist()
    wanted = exact_roots(netlist, make_pencil(netlist, known_values(netlist)).formulation)
    assert len(found) == len(wanted)
    left = list(wanted)
    for root in found:
        nearest = min(left, key=lambda other: abs(other - root))
        left.remove(nearest)
        assert abs(root - nearest) <= 1e-10 * abs(nearest)
    return wanted


def test_random_nets_have_the_roots_of_their_determinant():
    for _, netlist in nets(30):
        assert_exact(netlist)


HARD = [(4, 107), (8, 142), (9, 153), (9, 179), (9, 195), (4, 220), (9, 227), (9, 425), (14, 29)]


@pytest.mark.parametrize(("n", "seed"), HARD)
def test_from_a_root_a_month_to_a_million_a_microsecond(n, seed):
    """Nets whose roots lie up to fourteen decades apart; each keeps its own digits."""
    netlist = mixed(seed, n, kinds="RLCKVIEFGH") if seed == 142 else rlc(n, seed)
    wanted = assert_exact(netlist)
    for root in asked(netlist, "V(n1)").poles.tolist():
        assert any(abs(root - other) <= 1e-10 * abs(other) for other in wanted)


def test_random_responses_are_those_of_their_poles_and_zeros():
    for seed, netlist in nets(40):
        nodes = sorted({node for e in netlist.elements for node in e.nodes} - {"0"})
        chance = random.Random(seed)
        text = chance.choice(["V({})", "V({})/V({})", "Z({})"]).format(*chance.choices(nodes, k=2))
        output = parse_output(text).resolved(netlist)
        measured = output.measured_on(netlist)
        try:
            check_solvable(measured)
        except NetlistError:
            continue
        system = System(measured)
        H = output.combined(system.response(free_values(netlist), F, output.functionals(system.formulation)))
        try:
            found = poles_and_zeros(netlist, output)
        except NetlistError as error:
            assert "is zero at every frequency" in str(error)
            assert H.abs().max() < 1e-6 or not torch.isfinite(H).all()
            continue
        assert ((found.response(F) - H).abs() <= 1e-8 * H.abs()).all(), (seed, text)


@pytest.mark.parametrize("text", ["V(out)", "V(out)/V(a)", "Z(in)"])
def test_first_derivatives(text):
    bench = net(V, "R1 in a 1k", "L1 a out 10m", "C1 out 0 1u", "R2 out 0 5k", "C2 in out 10n")
    names = ["R1", "L1", "C1", "R2", "C2"]
    values, gain = free_values(bench), asked(bench, text).gain

    def answer(*factors):
        moved = {n: values[n] * factor for n, factor in zip(names, factors, strict=True)}
        found = asked(bench, text, {**values, **moved})
        return found.poles / 1e4, found.zeros / 1e4, found.gain / gain

    ones = [torch.ones((), dtype=torch.float64, requires_grad=True) for _ in names]
    assert torch.autograd.gradcheck(answer, ones, atol=1e-6)


def test_boards():
    bench = net(V, "R1 in out 1k", "C1 out 0 1u")
    boards = torch.tensor([[1e3, 2e3], [4e3, 5e3]], dtype=torch.float64)
    found = asked(bench, "V(out)", {"R1": boards})
    torch.testing.assert_close(found.poles, (-1e6 / boards).unsqueeze(-1).to(torch.complex128))
    assert found.response(F).shape == (2, 2, 12)


def test_boards_that_differ_in_kind():
    """On one board the bridge of the two is in balance, and its pole cannot be seen."""
    bench = net(V, "R1 in out 1k", "C1 in out 1u", "R2 out 0 1k", "C2 out 0 1u")
    with pytest.raises(ShapeError, match=r"boards differ in the number of their poles, \[0, 1\]"):
        asked(bench, "V(out)", {"R2": torch.tensor([1e3, 2e3])})


@pytest.mark.parametrize(
    ("lines", "text", "words"),
    [
        ((V, "T1 in 0 out 0 Z0=50 TD=1n", "R1 out 0 50"), "V(out)", "netlist:3: T1 is a distributed element"),
        (("V1 in 0 DC 1", "R1 in 0 1"), "V(in)", "has no source to respond to"),
        ((V, "R1 in 0 1", "R2 x 0 1"), "V(x)", "V.x. is zero at every frequency"),
        ((V, "R1 in 0 1", "R2 x y 1"), "V(in)", "no path to ground"),
    ],
)
def test_what_has_no_poles(lines, text, words):
    with pytest.raises(NetlistError, match=words):
        asked(net(*lines), text)


def test_shown():
    bench = net(V, "R1 in a 100", "L1 a out 0.1", "C1 out 0 1u")
    assert str(asked(bench, "V(out)")) == "poles\n  503.292 Hz, Q = 3.1623\nzeros: none"
    lossless = net("I1 0 a AC 1", "L1 a 0 0.1", "C1 a 0 1u")
    assert str(asked(lossless, "V(a)")) == "poles\n  503.292 Hz, Q = ∞\nzeros\n  0 Hz, real"
    active = net("V1 in 0 AC 1", "R1 in a -1k", "C1 a 0 1u", "E1 out 0 a in -2", "R2 out 0 1k")
    assert str(asked(active, "V(out)")) == "poles\n  159.155 Hz, real, growing\nzeros\n  0 Hz, real"
    all_pass = net(V, "R1 in p 1k", "C1 p 0 1u", "E1 m 0 p 0 2", "E2 out m in 0 -1", "R2 out 0 1")
    assert str(asked(all_pass, "V(out)")).endswith("zeros\n  159.155 Hz, real, right half-plane")


def test_frequencies_and_qualities():
    roots = torch.tensor([-3 + 4j, 1 + 0j, 2j])
    assert quality(roots)[:2].tolist() == pytest.approx([5 / 6, -0.5])
    assert quality(roots)[2].isinf()
    assert (hertz(roots) * 2 * math.pi).tolist() == pytest.approx([5, 1, 2])
