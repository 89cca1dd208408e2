"""Random nets against ngspice, high precision and conservation of power: voltages and gradients."""

from __future__ import annotations

import math
import os
import random

import numpy as np
import pytest
import torch

from circuits.netlist.elements import Netlist
from circuits.netlist.solver.system import System
from netlist.oracles import ngspice, precise, random_nets
from netlist.oracles.building import numbers, to_text
from netlist.oracles.judging import judge

COUNT = 2000 if "OHMGRAD_FULL" in os.environ else 250
"""Random nets of every kind of element; `OHMGRAD_FULL=1` takes all 2,000 that the figures speak of."""


def nodes_of(system: System) -> list[str]:
    """Every node but ground."""
    names = (*system.formulation.unknowns, *system.formulation.rails)
    return [name[2:-1] for name in names if name.startswith("V(")]


def tensors(netlist: Netlist) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in numbers(netlist).items()}


def all_voltages(netlist: Netlist, f) -> dict[str, np.ndarray]:
    """Every node voltage at every frequency."""
    system = System(netlist)
    nodes = nodes_of(system)
    asked = [{system.formulation.node(node): 1.0} for node in nodes]
    f = torch.as_tensor(np.ascontiguousarray(f), dtype=torch.float64)
    return dict(zip(nodes, system.response(tensors(netlist), f, asked).numpy(), strict=True))


def worst_error(netlist: Netlist, f) -> float:
    """Largest error of a voltage, over the largest voltage at its frequency."""
    found = all_voltages(netlist, f)
    worst = 0.0
    for k, hertz in enumerate(f):
        exact = precise.solve(netlist, hertz).voltages
        largest = max(abs(exact[node]) for node in found)
        worst = max(worst, max(abs(v[k] - exact[node]) for node, v in found.items()) / largest)
    return worst


@ngspice.needs_ngspice
def test_random_nets_of_every_kind_agree_with_ngspice_or_ngspice_is_shown_wrong():
    nets = [net for _, net in random_nets.well_posed(COUNT)]
    sweeps = ngspice.run_many([to_text(net) for net in nets])
    ran = agreed = rougher = 0
    for net, sweep in zip(nets, sweeps, strict=True):
        assert not isinstance(sweep, Exception), f"{net.title}: {sweep}"
        verdict = judge(net, sweep, all_voltages(net, sweep.f))
        assert not verdict.ours, f"{net.title}: {verdict}"
        ran, agreed, rougher = ran + 1, agreed + verdict.agreed, rougher + len(verdict.theirs)
    assert ran == COUNT
    assert agreed > 10 * rougher
    print(f"{ran} nets: {agreed} frequencies agree within 1e-9, at {rougher} ngspice is the one that is off")


@pytest.mark.parametrize("drive", ["resistance", "voltage", "current"])
@pytest.mark.parametrize("n", [3, 10, 30, 100, 300])
def test_two_terminal_nets_keep_thirteen_digits(n, drive):
    for seed in range(3 if n < 300 else 1):
        assert worst_error(random_nets.rlc(n, seed, drive=drive), [1e-2, 33.0, 1e3, 1e5, 1e9]) <= 1e-13


@pytest.mark.parametrize("sections", [1, 30, 300])
def test_ladders_keep_thirteen_digits(sections):
    assert worst_error(random_nets.ladder(sections, seed=1), [1.0, 1e4, 1e6]) <= 1e-13


@pytest.mark.parametrize("seed", range(10))
def test_power_is_conserved_in_passive_nets(seed):
    """What a current of one ampere delivers is what resistors take, and the reactive power what L and C hold."""
    netlist = random_nets.rlc(40, seed, drive="current")
    f = np.logspace(0, 8, 17)
    voltages = all_voltages(netlist, f) | {"0": np.zeros(17)}
    s, known = 2j * math.pi * f, numbers(netlist)
    taken = np.zeros(17, complex)
    size = np.zeros(17)
    for e in netlist.elements:
        if e.kind in "RLC":
            value = known[e.name]
            y = {"R": 1 / value + 0 * s, "L": 1 / (s * value), "C": s * value}[e.kind]
            power = np.abs(voltages[e.nodes[0]] - voltages[e.nodes[1]]) ** 2 * y.conj()
            taken, size = taken + power, size + abs(power)
    given = voltages["n1"]  # times the conjugate of the one ampere that enters there
    assert (abs(given - taken) <= 1e-11 * size).all()


def test_gradients_of_500_random_nets_are_those_of_the_definition():
    checked = 0
    for seed, netlist in random_nets.well_posed(500, seed=10_000, limit=1e3):
        chance = random.Random(seed)
        system, values = System(netlist), tensors(netlist)
        node, f = chance.choice(nodes_of(system)), random_nets.log_uniform(chance, 1e-3, 1e9)
        names = chance.sample(list(values), min(2, len(values)))
        leaves = {name: value.clone().requires_grad_() for name, value in values.items()}
        turn = complex(math.cos(seed), math.sin(seed))
        asked = [{system.formulation.node(node): 1.0}]
        H = system.response(leaves, torch.tensor([f], dtype=torch.float64), asked)[0, 0]
        found = torch.autograd.grad((H * turn).real, list(leaves.values()), allow_unused=True, materialize_grads=True)
        slopes = dict(zip(leaves, found, strict=True))
        exact = precise.derivatives(netlist, f, names)
        # as with voltages, the largest sets the scale: what moves next to nothing need not have all its digits
        whole = max(map(abs, precise.solve(netlist, f).voltages.values()))
        whole = max(whole, *(abs(g.item() * values[name].item()) for name, g in slopes.items()))
        for name in names:
            expected = (exact[name].voltages[node] * turn).real * values[name].item()
            assert abs(slopes[name].item() * values[name].item() - expected) <= 1e-9 * max(whole, abs(expected)), seed
            checked += 1
    assert checked >= 900
