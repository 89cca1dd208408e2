"""ohmgrad's solver on the nets of the benchmark: by its kernel, and by torch as where no compiler is at hand."""

from __future__ import annotations

import torch
from netlist_peers.networks import Network

from circuits.netlist.elements import KINDS, Element, Netlist, Parameter
from circuits.netlist.expressions import Name, Number
from circuits.netlist.solver.engine import Engine
from circuits.netlist.solver.system import System


def as_netlist(net: Network) -> Netlist:
    """The net as the language would read it from its text."""
    names = [f"{letter}{k}" for k, (letter, *_) in enumerate(net.branches, 1)]
    parameters = {
        name: Parameter(name, Number(value), KINDS[letter].roles["value"])
        for name, (letter, _, _, value) in zip(names, net.branches, strict=True)
    }
    elements = [
        Element(letter, name, (net.name(a), net.name(b)), {"value": Name(name)})
        for name, (letter, a, b, _) in zip(names, net.branches, strict=True)
    ]
    source = {"dc": Number(0.0), "ac": Number(1.0), "phase": Number(0.0)}
    return Netlist(net.title, (Element("V", "V1", ("in", "0"), source), *elements), parameters)


class Ours:
    """One net at frequencies `f (n,)`: what autograd is given, and below it the engine with its tensors."""

    def __init__(self, net: Network, f: torch.Tensor):
        netlist = as_netlist(net)
        self.f = f
        self.system = System(netlist)
        self.values = {
            name: torch.tensor(p.value.value, dtype=torch.float64)
            for name, p in netlist.parameters.items()
            if isinstance(p.value, Number)
        }
        self.output = [{self.system.formulation.node(net.name(net.output)): 1.0}]
        self.answer = self.respond(self.values)[0]
        self.engine: Engine = next(iter(self.system._engines.values()))
        q, z = self.system.quantities(self.values, f)
        self.q, self.z = q.reshape(-1, 1), z.reshape(-1, 1, len(f))
        self.upstream = torch.ones(1, 1, len(f), dtype=torch.complex128)

    def respond(self, values: dict[str, torch.Tensor]) -> torch.Tensor:
        """Outputs `(1, n)` as a person gets them."""
        return self.system.response(values, self.f, self.output)
