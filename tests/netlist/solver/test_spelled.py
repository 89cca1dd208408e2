"""The steps of a plan in plain operations give what the solver gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import circuits as cc
from circuits.circuit import spelled_out
from circuits.netlist import NetlistCircuit
from netlist.oracles.random_nets import mixed, rlc

EXAMPLES = sorted(Path(__file__).parents[3].glob("examples/netlists/*.cir"))
F = torch.logspace(0, 6, 13, dtype=torch.float64)


def compare(circuit: cc.Circuit, f: torch.Tensor, share: float) -> None:
    with torch.no_grad():
        wanted = circuit.response(f)
        with spelled_out():
            found = circuit.response(f)
    assert found.shape == wanted.shape
    assert float((found - wanted).abs().max()) <= share * float(wanted.abs().max())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example(path: Path):
    asked = {"dummy_cell": "Z(in)", "organ": "V(low)", "state_variable": ["V(hp)", "V(bp)", "V(lp)"]}
    compare(cc.read_netlist(path, output=asked.get(path.stem)), F, 1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_random_nets(seed: int):
    compare(NetlistCircuit(rlc(8, seed), "V(n8)"), F, 1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_nets_of_every_element(seed: int):
    net = mixed(seed)
    node = next(e.nodes[0] for e in net.elements if e.nodes[0] != "0")
    compare(NetlistCircuit(net, f"V({node})"), F, 1e-6)


def test_boards_and_frequencies_of_their_own():
    circuit = cc.read_netlist("rc\nV1 in 0 AC 1\nR1 in out 1k\nC1 out 0 1u\n.end", learn="R1", batch=3)
    with torch.no_grad():
        circuit.get_parameter("R1").copy_(torch.tensor([100.0, 1e3, 1e4]))
    compare(circuit, F.expand(3, -1) * torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64), 1e-12)
