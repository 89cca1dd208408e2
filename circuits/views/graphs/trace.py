"""What is computed at each node of an autograd graph, noted while a module runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name

from circuits.views.graphs import operations
from circuits.views.graphs.terms import Term

Node: TypeAlias = Any  # torch gives the nodes of its graph no public type
FACTORIES = frozenset(
    {"tensor", "as_tensor", "asarray", "scalar_tensor", "full", "arange", "linspace", "logspace", "eye"}
)
"""Functions that make a tensor of numbers, as do all whose name says zeros or ones."""
FREQUENCY = "f"

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<!^)(?=[A-Z][a-z])")


@dataclass(eq=False)
class Record:
    """One result: the operation, its arguments with a record in the place of each tensor, and its numbers.

    `part` says which one, of an operation with several results. `node` is the node of the graph that will carry its
    gradient, None where there is none. `text` is set for what has a name of its own: components, the frequency.
    """

    operation: str
    arguments: Sequence[Any] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    part: int | None = None
    node: Node = None
    text: str = ""
    number: float | None = None
    value: Tensor | None = None

    def operands(self) -> Iterator[Record]:
        """The records among the arguments."""
        for argument in (*self.arguments, *self.options.values()):
            for item in argument if isinstance(argument, (list, tuple)) else (argument,):
                if isinstance(item, Record):
                    yield item


class Trace(TorchFunctionMode):
    """Notes every call of a torch function while it is active, and which node of the graph came of it.

    Args:
        names: tensors with a name of their own: components, buffers, inputs.
        frequency: what the circuit will make its tensor of frequencies of, if that is no tensor yet.
        keep_values: whether to keep a copy of every result.
    """

    def __init__(self, names: Mapping[str, Tensor], frequency: Any = None, keep_values: bool = False):
        super().__init__()
        self.records: list[Record] = []
        self._frequency, self._keep_values = frequency, keep_values
        self._by_node: dict[tuple[Node, int], Record] = {}
        self._by_id: dict[int, tuple[Tensor, int, Record]] = {}
        for name, tensor in names.items():
            self._remember(tensor, Record("", text=name))

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the function and note what it returned."""
        options = kwargs or {}
        name = operations.operation(_name(func))
        arguments = [self._noted(argument) for argument in args]  # before the call: it may work in place
        noted = {key: self._noted(value) for key, value in options.items()}
        result = func(*args, **options)
        several = isinstance(result, (tuple, list))
        for part, tensor in enumerate(result if several else (result,)):
            if isinstance(tensor, Tensor) and not self._is_known(tensor):
                is_frequency = bool(args) and args[0] is self._frequency and name in FACTORIES
                record = Record(name, arguments, noted, part if several else None)
                record.text = FREQUENCY if is_frequency else ""
                record.number = None if is_frequency else self._constant(name, tensor, record)
                self._remember(tensor, record)
        return result

    def record_of(self, node: Node, output: int = 0) -> Record:
        """What is computed at a node; where the call was not seen, that follows from the node's inputs."""
        waiting = [(node, output)]
        while waiting:
            key = waiting[-1]
            if key in self._by_node:
                waiting.pop()
                continue
            inputs = [(n, i) for n, i in key[0].next_functions if n is not None]
            unknown = [pair for pair in inputs if pair not in self._by_node and not self._add_leaf(pair)]
            if unknown:
                waiting.extend(unknown)
                continue
            record = Record(node_name(key[0]), [self._by_node[pair] for pair in inputs], node=key[0])
            self._by_node[key] = record
            self.records.append(record)
        return self._by_node[node, output]

    def _add_leaf(self, pair: tuple[Node, int]) -> bool:
        """Note the node that holds a leaf, whose record is known by the tensor."""
        leaf = getattr(pair[0], "variable", None)
        if leaf is None:
            return False
        self._by_node[pair] = self._noted(leaf)
        return True

    def _noted(self, argument: Any) -> Any:
        """An argument with a record in the place of every tensor."""
        if isinstance(argument, (list, tuple)):
            return [self._noted(item) for item in argument]
        if not isinstance(argument, Tensor):
            return argument
        if argument.grad_fn is not None:
            return self.record_of(argument.grad_fn, argument.output_nr)
        known = self._by_id.get(id(argument))
        if known is None or known[1] != argument._version:
            record = Record("tensor", text=_shape(argument), number=_single(argument))
            self._remember(argument, record)
            return record
        return known[2]

    def _is_known(self, tensor: Tensor) -> bool:
        if tensor.grad_fn is not None:
            return (tensor.grad_fn, tensor.output_nr) in self._by_node
        known = self._by_id.get(id(tensor))
        return known is not None and known[1] == tensor._version

    def _remember(self, tensor: Tensor, record: Record) -> None:
        record.node = tensor.grad_fn
        if self._keep_values:
            record.value = tensor.detach().clone()
        if tensor.grad_fn is None:  # kept alive, or another tensor might come to the same address
            self._by_id[id(tensor)] = (tensor, tensor._version, record)
        else:
            self._by_node[tensor.grad_fn, tensor.output_nr] = record
        self.records.append(record)

    @staticmethod
    def _constant(name: str, tensor: Tensor, record: Record) -> float | None:
        """The number that a tensor is, if it was made of numbers alone."""
        if tensor.grad_fn is not None:
            return None
        is_made = name in FACTORIES or "zeros" in name or "ones" in name
        return _single(tensor) if is_made or all(o.number is not None for o in record.operands()) else None


def node_name(node: Node) -> str:
    """The operation of a node: `log10` of Log10Backward0."""
    name = re.sub(r"Backward\d*$", "", type(node).__name__)
    return _CAMEL.sub("_", name).lower()


def evaluated(record: Record, terms: Mapping[Record, Term]) -> Term:
    """The term of a record from the terms of its operands."""
    if record.number is not None:
        return Term(record.number)
    if record.text:
        return Term.of(record.text)
    arguments = [_term(argument, terms) for argument in record.arguments]
    options = {name: _term(value, terms) for name, value in record.options.items()}
    return operations.term_of(record.operation, arguments, options, record.part)


def _term(argument: Any, terms: Mapping[Record, Term]) -> Any:
    if isinstance(argument, Record):
        return terms[argument]
    if isinstance(argument, (int, float)) and not isinstance(argument, bool):
        return Term(float(argument))
    return [_term(item, terms) for item in argument] if isinstance(argument, (list, tuple)) else argument


def _name(function: Callable[..., Any]) -> str:
    """The name of a torch function; that of a property is the property's."""
    full = resolve_name(function) or getattr(function, "__name__", "") or type(function).__name__
    return full.removesuffix(".__get__").rpartition(".")[2]


def _single(tensor: Tensor) -> float | None:
    """The number that all elements of a tensor are, if it is one."""
    with suppress(RuntimeError):  # under a transform of functorch there is no value to look at
        if tensor.numel() and not tensor.is_complex() and bool((tensor == tensor.flatten()[0]).all()):
            return float(tensor.flatten()[0])
    return None


def _shape(tensor: Tensor) -> str:
    """What stands for a tensor of which nothing is known."""
    return f"tensor({', '.join(map(str, tensor.shape))})"
