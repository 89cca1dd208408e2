"""What stands in the nodes of a graph: the operation, its term, its value and its gradient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from circuits.errors import OptionError
from circuits.views.graphs.naming import Named, name_terms, reachable
from circuits.views.graphs.terms import decimal
from circuits.views.graphs.trace import Node, Record, Trace, node_name

_FEW = 3
"""Numbers that are listed one by one; of more the range is shown."""


def nodes_of(output: Tensor) -> list[Node]:
    """Every operation from the output back; as long as the list lives, each keeps its address."""
    found: dict[Node, None] = {}
    waiting: list[Node] = [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found and not hasattr(node, "variable"):
            found[node] = None
            waiting.extend(below for below, _ in node.next_functions)
    return list(found)


@dataclass(frozen=True)
class Sketch:
    """A graph before it is drawn.

    `nodes` are all of `nodes_of(output)`, `leaves` and their `labels` are by name, `symbol` is what the output is
    called in full and in short, and `outputs` are the names of what the circuit stacks.
    """

    trace: Trace
    output: Tensor
    nodes: Sequence[Node]
    leaves: Mapping[str, Tensor]
    labels: Mapping[str, str]
    symbol: tuple[str, str]
    outputs: Sequence[str] = ()

    @cached_property
    def named(self) -> dict[Node, tuple[Named, Record]]:
        """The term at every node; where a circuit stacks its named outputs, each is called by its name."""
        if not self.nodes:
            return {}
        last = self.trace.record_of(self.output.grad_fn, self.output.output_nr)
        seen = {record.node: record for record in reversed(self.trace.records) if record.node is not None}
        found = {node: seen.get(node) or self.trace.record_of(node) for node in self.nodes}
        parts, given = list(last.operands()), {}
        if len(parts) == len(self.outputs) == len(set(parts)):
            given = {part: f"|H_{name}|" for part, name in zip(parts, self.outputs, strict=True)}
        # what an operation of somebody's own computes inside itself is no term of the graph
        shown = reachable([last, *found.values()])
        terms = name_terms([record for record in self.trace.records if record in shown], last, given, self.leaves)
        return {node: (terms[record], record) for node, record in found.items()}

    def texts(self, units: Mapping[str, str], values: bool, gradients: bool) -> dict[str, str]:
        """The text of every node and tensor by its address, with values and gradients where they are asked for."""
        at_node, at_leaf = self.gradients() if gradients else ({}, {})
        results = Counter(record.node for record in self.trace.records)
        texts = {}
        for node, (named, record) in self.named.items():
            lines = [f"{node_name(node)} — {named}"]
            if record.part is not None and results[node] > 1:  # one node for all the results of an operation
                lines = [f"{node_name(node)} — {named.term.removesuffix(f'[{record.part}]')}"]
            else:
                lines += [f"= {numbers(record.value)}"] if values and numbers(record.value) else []
                lines += self._slope(named.name or "this", at_node.get(node), "")
            texts[str(id(node))] = "\n".join(lines)
        for name, leaf in self.leaves.items():
            lines = [self.labels[name], *_shape(leaf)]
            lines += [f"= {numbers(leaf)}"] if values and leaf.numel() > 1 else []
            texts[str(id(leaf))] = "\n".join(lines + self._slope(name, at_leaf.get(name), units.get(name, "")))
        if self.output.grad_fn is not None:
            lines = [self.symbol[0], *_shape(self.output), *([f"= {numbers(self.output)}"] if values else [])]
            texts[str(id(self.output))] = "\n".join(lines)
        return texts

    def _slope(self, by: str, gradient: Tensor | None, unit: str) -> list[str]:
        """`∂|H|/∂R = −0.0003312 /Ω`."""
        if gradient is None or not numbers(gradient):
            return []
        of = self.symbol[1] if self.output.numel() == 1 else f"Σ{self.symbol[1]}"
        return [f"∂{of}/∂{by} = {numbers(gradient)}{f' /{unit}' if unit else ''}"]

    def gradients(self) -> tuple[dict[Node, Tensor], dict[str, Tensor]]:
        """The derivative of the output, or of the sum of its numbers, by every node and by every leaf.

        Raises:
            OptionError: the output is complex, and has no single derivative.
        """
        if self.output.is_complex():
            raise OptionError("a complex output has no single gradient; draw its magnitude, or leave out gradients")
        found: dict[Node, Tensor] = {}
        handles = [node.register_prehook(_keeper(found, node)) for node in self.nodes]
        leaves = [leaf for leaf in self.leaves.values() if leaf.requires_grad]
        try:
            slopes = torch.autograd.grad(self.output.sum(), leaves, allow_unused=True)
        finally:
            for handle in handles:
                handle.remove()
        by_id = {id(leaf): slope for leaf, slope in zip(leaves, slopes, strict=True) if slope is not None}
        return found, {name: by_id[id(leaf)] for name, leaf in self.leaves.items() if id(leaf) in by_id}


def _keeper(found: dict[Node, Tensor], node: Node) -> Callable[[Sequence[Tensor | None]], None]:
    """A hook that keeps the gradient which arrives at a node."""

    def keep(gradients: Sequence[Tensor | None]) -> None:
        given = [gradient for gradient in gradients if gradient is not None]
        if given:
            found[node] = given[0].detach().clone()

    return keep


def _shape(tensor: Tensor) -> list[str]:
    return [f"({', '.join(map(str, tensor.shape))})"] if tensor.ndim else []


def numbers(tensor: Tensor | None) -> str:
    """A number, a few of them, or their range.

    >>> numbers(torch.tensor(0.25)), numbers(torch.tensor([1.0, 2.0])), numbers(torch.linspace(0, 1, 50))
    ('0.25', '1, 2', '0 … 1')
    """
    if tensor is None or not tensor.numel() or tensor.dtype == torch.bool:
        return ""
    flat = tensor.detach().flatten()
    if flat.is_complex():
        return _complex(complex(flat[0])) if len(flat) == 1 else f"{len(flat)} complex numbers"
    if len(flat) <= _FEW:
        return ", ".join(decimal(number) for number in flat.tolist())
    low, high = decimal(flat.min().item()), decimal(flat.max().item())
    return low if low == high else f"{low} … {high}"


def _complex(number: complex) -> str:
    return f"{decimal(number.real)} {'−' if number.imag < 0 else '+'} {decimal(abs(number.imag))}j"
