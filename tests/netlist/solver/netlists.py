"""Nets that the tests of the solver share, and what they ask of them."""

from __future__ import annotations

import torch
from torch import Tensor

from circuits.netlist.elements import Netlist
from circuits.netlist.solver.system import System
from netlist.oracles.building import Bench, numbers


def passive() -> Netlist:
    """Two-terminal parts alone: everything goes by star–mesh."""
    bench = Bench("passive")
    bench.add("V", "1", "in 0", ac=1.0)
    bench.add("R", "1", "in a", 1e3)
    bench.add("C", "1", "a 0", 1e-6)
    bench.add("L", "1", "a b", 1e-2)
    bench.add("R", "2", "b 0", 50.0)
    bench.add("C", "2", "b in", 1e-7)
    return bench.netlist()


def diffusive() -> Netlist:
    """Every admittance that has no power of s, between nodes that go by star–mesh."""
    bench = Bench("diffusive")
    bench.add("I", "1", "0 in", ac=1.0, phase=20.0)
    bench.add("R", "1", "in a", 20.0)
    bench.add("CPE", "1", "a b", roles={"q": 1e-5, "alpha": 0.8})
    bench.add("WARBURG", "2", "b 0", roles={"sigma": 100.0})
    bench.add("WARBURG_OPEN", "3", "a c", roles={"r": 50.0, "tau": 1e-3})
    bench.add("WARBURG_SHORT", "4", "c 0", roles={"r": 70.0, "tau": 2e-3})
    return bench.netlist()


def everything() -> Netlist:
    """Every kind of element, some nodes of which go by star–mesh and the rest by LU."""
    bench = Bench("everything")
    for kind, name, nodes, value in (
        ("R", "1", "in a", 1e3),
        ("C", "1", "a 0", 1e-6),
        ("L", "1", "a b", 1e-2),
        ("R", "2", "b 0", 50.0),
        ("C", "2", "b in", 1e-7),
        ("R", "3", "c d", 1e3),
        ("R", "8", "b m", 1e3),
        ("C", "8", "m 0", 1e-7),
        ("R", "9", "m d", 1e3),
        ("C", "3", "d 0", 1e-8),
        ("R", "4", "e 0", 330.0),
        ("R", "5", "g a", 100.0),
        ("L", "2", "g h", 1e-3),
        ("L", "3", "h 0", 2e-3),
        ("R", "6", "t 0", 75.0),
        ("E", "1", "c 0 a b", 3.0),
        ("G", "1", "d 0 b 0", 1e-3),
    ):
        bench.add(kind, name, nodes, value)
    bench.add("V", "1", "in 0", ac=1.0)
    bench.add("V", "2", "d e")
    bench.add("F", "1", "b 0", 0.5, of=["V2"])
    bench.add("H", "1", "q 0", 20.0, of=["V2"])
    bench.add("R", "7", "q g", 40.0)
    bench.add("K", "1", "", 0.7, of=["L2", "L3"])
    bench.add("T", "1", "h 0 t 0", roles={"z0": 50.0, "td": 1e-5})
    bench.add("CPE", "1", "t a", roles={"q": 1e-5, "alpha": 0.8})
    bench.add("WARBURG", "2", "d a", roles={"sigma": 100.0})
    bench.add("I", "1", "a t", ac=1e-3, phase=30.0)
    return bench.netlist()


NETS = {"passive": passive, "diffusive": diffusive, "everything": everything}


def values_of(netlist: Netlist, batch: tuple[int, ...] = (), seed: int = 0) -> dict[str, Tensor]:
    """The values of a netlist as tensors; in a batch each board has its own, within 20 %."""
    chance = torch.Generator().manual_seed(seed)
    spread = 0.2 if batch else 0.0
    return {
        name: value * (1 + spread * (torch.rand(batch, generator=chance, dtype=torch.float64) - 0.5))
        for name, value in numbers(netlist).items()
    }


def voltages(system: System, *nodes: str) -> list[dict[int, float]]:
    """What asks for these node voltages."""
    return [{system.formulation.node(node): 1.0} for node in nodes]
