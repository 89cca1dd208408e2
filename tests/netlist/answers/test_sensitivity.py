import math

import pytest
import torch

import circuits as cc
from circuits.errors import OptionError, UnknownName
from circuits.netlist.answers.noise_density import noise
from circuits.netlist.answers.pencil import free_values
from circuits.netlist.answers.poles_zeros import hertz, poles_and_zeros, quality
from circuits.netlist.answers.sensitivity import sensitivities, sensitivities_of
from circuits.netlist.outputs import parse_output
from netlist.answers.benches import net
from netlist.oracles.random_nets import mixed

SALLEN_KEY = """Sallen-Key
V1 in 0 AC 1
R1 in a 10k tol=1%
R2 a b 10k tol=1%
C1 a out 20n tol=5%
C2 b 0 10n tol=5%
E1 out 0 b 0 1
"""
F = torch.logspace(1, 5, 9, dtype=torch.float64)


def by_hand(f, names):
    """d ln H/d ln p of H = 1/(1 + s·C2·(R1 + R2) + s²·R1·R2·C1·C2)."""
    s, R, C1, C2 = 2j * math.pi * f, 1e4, 20e-9, 10e-9
    H = 1 / (1 + s * C2 * 2 * R + s**2 * R * R * C1 * C2)
    first, second = s * C2 * R, s**2 * R * R * C1 * C2
    slopes = {"R1": first + second, "R2": first + second, "C1": second, "C2": 2 * first + second}
    return torch.stack([-H * slopes[name] for name in names])


def test_closed_form():
    circuit = cc.read_netlist(SALLEN_KEY)
    names = ["C2", "R1", "C1", "R2"]
    found = sensitivities(circuit, F, names)
    wanted = by_hand(F, names)
    assert found.names == tuple(names)
    torch.testing.assert_close(found.magnitude, wanted.real, rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(found.phase, torch.rad2deg(wanted.imag), rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(found.decibels, 0.2 / math.log(10) * wanted.real, rtol=1e-11, atol=1e-13)


def test_impedance_levels_do_not_matter_to_a_voltage_ratio():
    """Scaling all impedances changes no ratio, and scaling R and C no more than frequency does (Euler's theorem)."""
    circuit = cc.read_netlist(SALLEN_KEY)
    found = dict(zip(circuit.units(), sensitivities(circuit, F).magnitude, strict=True))
    assert float((found["R1"] + found["R2"] - found["C1"] - found["C2"]).abs().max()) < 1e-12
    h = 1e-6
    slope = (circuit.decibels(F * (1 + h)) - circuit.decibels(F * (1 - h))).detach() / (40 * h / math.log(10))
    torch.testing.assert_close(found["R1"] + found["R2"], slope, rtol=1e-6, atol=1e-8)


def test_random_nets_agree_with_differences():
    for seed in range(6):
        circuit = cc.NetlistCircuit(mixed(seed, 6, kinds="RLCKVEFGHT"), "V(n3)")
        f = torch.tensor([1e3, 1e6], dtype=torch.float64)
        found = sensitivities(circuit, f)
        for i, (name, parameter) in enumerate(circuit.named_parameters()):
            ends = []
            for step in (1e-6, -1e-6):
                with torch.no_grad():
                    kept = parameter.clone()
                    parameter.mul_(1 + step)
                    ends.append(circuit.response(f))
                    parameter.copy_(kept)
            wanted = (ends[0] / ends[1]).log() / 2e-6
            scale = 1 + found.magnitude.abs().max()
            assert float((found.magnitude[i] - wanted.real).abs().max()) < 1e-4 * scale, (seed, name)
            assert float((torch.deg2rad(found.phase[i]) - wanted.imag).abs().max()) < 1e-4 * scale, (seed, name)


def test_any_circuit_outputs_and_boards():
    organ = cc.ColorOrgan(low=[100.0, 200.0], band=(50.0, 150.0), high=30.0)
    found = sensitivities(organ, F)
    assert found.magnitude.shape == (2, 8, 3, 9)
    assert found.worst_case({"low.R": 0.1, "low.C": 0.1}).shape == (2, 3, 9)
    x = 2 * math.pi * F * 200.0 * 1e-6
    torch.testing.assert_close(found.magnitude[1, 0, 0], -(x**2) / (1 + x**2))
    assert float(found.magnitude[:, 0, 1:].abs().max()) == 0.0


def test_tolerances():
    circuit = cc.read_netlist(SALLEN_KEY)
    found = sensitivities(circuit, F)
    assert found.tolerances == {"R1": 0.01, "R2": 0.01, "C1": 0.05, "C2": 0.05}
    S = dict(zip(found.names, found.magnitude, strict=True))
    worst = 0.01 * (S["R1"].abs() + S["R2"].abs()) + 0.05 * (S["C1"].abs() + S["C2"].abs())
    squares = (0.01**2 * (S["R1"] ** 2 + S["R2"] ** 2) + 0.05**2 * (S["C1"] ** 2 + S["C2"] ** 2)).sqrt()
    torch.testing.assert_close(found.worst_case(), worst)
    torch.testing.assert_close(found.rss(), squares)
    torch.testing.assert_close(found.worst_case({"R1": 0.1}), 0.1 * S["R1"].abs())
    with pytest.raises(UnknownName, match="no component 'R9'; known: R1"):
        found.rss({"R9": 0.1})
    with pytest.raises(OptionError, match="no tolerances; give them by component"):
        sensitivities(cc.LowPass(200.0), F).rss()


def test_worst_case_bounds_what_parts_within_tolerance_do():
    circuit = cc.read_netlist(SALLEN_KEY)
    bound = sensitivities(circuit, F).worst_case()
    chance = torch.Generator().manual_seed(0)
    drawn = {
        name: part.detach()
        * (1 + 1e-3 * circuit.tolerances.get(name, 0.0) * (2 * torch.rand(500, generator=chance) - 1))
        for name, part in circuit.named_parameters()
    }
    boards = cc.read_netlist(SALLEN_KEY, values=drawn)
    change = (boards.magnitude(F).detach() / circuit.magnitude(F).detach() - 1).abs()
    assert (change <= 1e-3 * bound * 1.001 + 1e-7).all()
    assert (change.amax(0) > 0.4e-3 * bound)[bound > 0.01].all()


def test_of_any_answer():
    bench = net("V1 in 0 AC 1", "R1 in a 10", "L1 a out 1m", "C1 out 0 1n")
    values, output = free_values(bench), parse_output("V(out)")

    def resonance(v):
        poles = poles_and_zeros(bench, output, v).poles
        return torch.stack([hertz(poles)[0], quality(poles)[0]])

    found = sensitivities_of(resonance, values, ["R1", "L1", "C1"])
    wanted = {"R1": [0, -1], "L1": [-0.5, 0.5], "C1": [-0.5, -0.5]}
    for name, numbers in wanted.items():
        assert found[name].tolist() == pytest.approx(numbers, abs=1e-9)
    f = torch.logspace(-3, 9, 301, dtype=torch.float64)
    rc = net("V1 in 0 AC 1", "R1 in out 1k", "C1 out 0 1n")
    total = sensitivities_of(lambda v: noise(rc, f, output, v).total(), free_values(rc), ["R1", "C1"])
    assert {name: s.item() for name, s in total.items()} == pytest.approx({"R1": 0.0, "C1": -0.5}, abs=1e-3)


def test_of_complex_and_constant_answers():
    values = {"a": torch.tensor(2.0), "b": torch.tensor(3.0)}
    found = sensitivities_of(lambda v: torch.complex(v["a"], v["a"] ** 2), values)
    assert found["a"].item() == pytest.approx((2 + 8j) / (2 + 4j))
    assert found["b"].item() == 0
    assert sensitivities_of(lambda v: v["a"] ** 3, values, ["a"], relative=False)["a"].item() == pytest.approx(24.0)
    with pytest.raises(UnknownName, match="no value 'c'; known: a, b"):
        sensitivities_of(lambda v: v["a"], values, ["c"])


def test_tables():
    circuit = cc.read_netlist(SALLEN_KEY)
    lines = str(sensitivities(circuit, F)).splitlines()
    assert lines[0].split("  ")[0] == "component" and "largest S" in lines[0]
    assert [line.split()[0] for line in lines[1:]] == sensitivities(circuit, F).largest()
    at = str(sensitivities(cc.ColorOrgan(100.0, (50.0, 150.0), 30.0), torch.tensor([1e3]), ["low.R"]))
    assert at.splitlines()[0].split() == ["component", "output", "S", "at", "1", "kHz", "°/%", "at", "1", "kHz"]
    assert [line.split()[-3:-2] for line in at.splitlines()[1:]] == [["low"], ["band"], ["high"]]
