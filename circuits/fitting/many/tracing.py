"""Listening to a circuit while it computes one point of one board, to learn its formula.

Torch tells a dispatch mode of every operation. Those that only move elements are repeated on tensors of node numbers;
what computes is looked up in `operations`, element by element. What depends on a value that Python looked at, or is
not known here, cannot be traced, and whoever asks has to go another way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from circuits.fitting.many.expressions import Graph
from circuits.fitting.many.operations import MOVES, RULES, Pair

MOST_ELEMENTS = 4096
"""Elements of a tensor above which a formula is too large to be written out."""
MOST_NODES = 20_000
CONSTANT_MAKERS = frozenset(
    (
        *("zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty"),
        *("scalar_tensor", "arange", "full", "zeros", "ones"),
    )
)
"""Operations whose outcome does not depend on the numbers in what they are given."""


class Untraceable(Exception):
    """Why a formula cannot be learned, in one sentence; nobody but the fit sees it."""


class Symbols:
    """Node numbers of the elements of a tensor: `real` and `imag`, int64 and shaped like it."""

    def __init__(self, real: Tensor, imag: Tensor | None, zero: int):
        self.real = real
        self.imag = torch.full_like(real, zero) if imag is None else imag


class Tracer(TorchDispatchMode):
    """Records what is computed from the tensors that were `given` a symbol."""

    def __init__(self, graph: Graph):
        super().__init__()
        self.graph = graph
        self._symbols: dict[int, Symbols] = {}
        self._alive: list[Tensor] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:  # without this, torch loads its whole compiler to keep out of here
        return False

    def give(self, tensor: Tensor, numbers: Sequence[int], imag: Sequence[int] | None = None) -> Tensor:
        """Let a tensor stand for these nodes, element by element."""
        parts = [torch.tensor(list(part)).reshape(tensor.shape) for part in (numbers, imag) if part is not None]
        self._keep(tensor, Symbols(parts[0], parts[1] if len(parts) > 1 else None, self.graph.zero))
        return tensor

    def pairs(self, tensor: Any) -> list[Pair]:
        """The nodes of every element of a tensor (or of a number), real and imaginary part."""
        symbols = self._symbols_of(tensor)
        return list(zip(symbols.real.flatten().tolist(), symbols.imag.flatten().tolist(), strict=True))

    def _keep(self, tensor: Tensor, symbols: Symbols) -> None:
        self._alive.append(tensor)  # as long as it lives, no other tensor has its identity
        self._symbols[id(tensor)] = symbols

    def _symbols_of(self, given: Any) -> Symbols:
        if isinstance(given, Tensor) and id(given) in self._symbols:
            return self._symbols[id(given)]
        exact = torch.complex128 if isinstance(given, complex) else torch.float64
        values = given if isinstance(given, Tensor) else torch.tensor(given, dtype=exact)
        if values.numel() > MOST_ELEMENTS:
            raise Untraceable(f"a table of {values.numel()} numbers takes part")
        flat = values.resolve_conj().flatten().tolist()
        constant = self.graph.constant
        real = torch.tensor([constant(complex(v).real) for v in flat], dtype=torch.int64).reshape(values.shape)
        imag = torch.tensor([constant(complex(v).imag) for v in flat], dtype=torch.int64).reshape(values.shape)
        return Symbols(real, imag, self.graph.zero)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        tensors = [one for one in _flat([args, kwargs]) if isinstance(one, Tensor)]
        if any(id(one) in self._symbols for one in tensors):
            self._follow(func, args, kwargs, out)
        return out

    def _follow(self, func: Any, args: tuple, kwargs: dict, out: Any) -> None:
        name = func.overloadpacket.__name__
        if func._schema.is_mutable:
            raise Untraceable(f"{name} changes a tensor in place")
        if name in CONSTANT_MAKERS:
            return
        if name in MOVES:
            self._move(func, args, kwargs, out)
        elif name in ("view_as_real", "view_as_complex", "real", "imag"):
            self._recast(name, args[0], out)
        elif name in ("sum", "mean", "mm", "bmm", "dot", "mv"):
            self._add_up(name, args, kwargs, out)
        elif name in RULES:
            self._compute(name, args, kwargs, out)
        else:
            raise Untraceable(f"the operation {name} is not known here")
        if len(self.graph.nodes) > MOST_NODES:
            raise Untraceable("the formula is too long")

    def _move(self, func: Callable, args: tuple, kwargs: dict, out: Any) -> None:
        """The same operation on the numbers."""
        parts = [
            func(*_mapped(args, part, self), **{k: v for k, v in kwargs.items() if k not in ("dtype", "memory_format")})
            for part in ("real", "imag")
        ]
        pieces = [(out, *parts)] if isinstance(out, Tensor) else list(zip(out, *parts, strict=True))
        for tensor, real, imag in pieces:
            self._keep(tensor, Symbols(real.clone(), imag.clone(), self.graph.zero))

    def _recast(self, name: str, given: Tensor, out: Tensor) -> None:
        symbols = self._symbols_of(given)
        if name == "view_as_real":
            real, imag = torch.stack([symbols.real, symbols.imag], -1), None
        elif name == "view_as_complex":
            real, imag = symbols.real[..., 0].clone(), symbols.real[..., 1].clone()
        else:
            real, imag = (symbols.real if name == "real" else symbols.imag).clone(), None
        self._keep(out, Symbols(real, imag, self.graph.zero))

    def _compute(self, name: str, args: tuple, kwargs: dict, out: Any) -> None:
        """Element by element, by the operation's rule."""
        out = out[0] if name == "log_sigmoid_forward" else out
        given = [one for one in args] + [kwargs[key] for key in ("alpha", "value", "min", "max") if key in kwargs]
        if name == "clamp" and "max" in kwargs and "min" not in kwargs and len(args) == 1:
            given = [args[0], None, kwargs["max"]]
        if name == "div" and kwargs.get("rounding_mode"):
            raise Untraceable("a division that rounds")
        columns = [None if one is None else self._broadcast(one, out.shape) for one in given]
        rule, elements = RULES[name], []
        try:
            for row in range(out.numel()):
                elements.append(rule(self.graph, *(None if column is None else column[row] for column in columns)))
        except NotImplementedError as error:
            raise Untraceable(str(error)) from error
        real, imag = (torch.tensor([e[part] for e in elements], dtype=torch.int64) for part in (0, 1))
        self._keep(out, Symbols(real.reshape(out.shape), imag.reshape(out.shape), self.graph.zero))

    def _broadcast(self, one: Any, shape: torch.Size) -> list[Pair]:
        symbols = self._symbols_of(one)
        real, imag = symbols.real.expand(shape).flatten().tolist(), symbols.imag.expand(shape).flatten().tolist()
        return list(zip(real, imag, strict=True))

    def _add_up(self, name: str, args: tuple, kwargs: dict, out: Tensor) -> None:
        """Sums, and products of small matrices."""
        add, mul = RULES["add"], RULES["mul"]
        if name in ("sum", "mean"):
            symbols = self._symbols_of(args[0])
            dims = args[1] if len(args) > 1 and args[1] is not None else list(range(symbols.real.ndim))
            dims = [dims] if isinstance(dims, int) else [d % symbols.real.ndim for d in dims]
            kept = [d for d in range(symbols.real.ndim) if d not in dims]
            rows = [
                part.permute(*kept, *dims).reshape(max(out.numel(), 1), -1) for part in (symbols.real, symbols.imag)
            ]
            scale = (self.graph.constant(1 / rows[0].shape[1] if name == "mean" else 1.0), self.graph.zero)
            sums = [[*zip(*pair, strict=True)] for pair in zip(*(r.tolist() for r in rows), strict=True)]
            elements = [mul(self.graph, scale, self._total(terms, add)) for terms in sums]
        else:
            elements = self._products(args[0], args[1], add, mul)
        real, imag = (torch.tensor([e[part] for e in elements], dtype=torch.int64) for part in (0, 1))
        self._keep(out, Symbols(real.reshape(out.shape), imag.reshape(out.shape), self.graph.zero))

    def _total(self, terms: Sequence[Pair], add: Callable) -> Pair:
        total = (self.graph.zero, self.graph.zero)
        for term in terms:
            total = add(self.graph, total, term)
        return total

    def _products(self, left: Tensor, right: Tensor, add: Callable, mul: Callable) -> list[Pair]:
        a, b = self._symbols_of(left), self._symbols_of(right)
        columns = right.ndim > 1 and right.ndim == left.ndim
        rows = [part.reshape(-1, part.shape[-2] if part.ndim > 1 else 1, part.shape[-1]) for part in (a.real, a.imag)]
        cols = [(p.mT if columns else p.unsqueeze(-2)).reshape(-1, p.shape[-1] if columns else 1, left.shape[-1])
                for p in (b.real, b.imag)]  # fmt: skip
        found = []
        for page in range(len(rows[0])):
            for i in range(rows[0].shape[1]):
                one = list(zip(*(part[page, i].tolist() for part in rows), strict=True))
                for j in range(cols[0].shape[1]):
                    other = list(zip(*(part[page, j].tolist() for part in cols), strict=True))
                    found.append(self._total([mul(self.graph, u, v) for u, v in zip(one, other, strict=True)], add))
        return found


def _flat(given: Any) -> list[Any]:
    if isinstance(given, (list, tuple)):
        return [leaf for one in given for leaf in _flat(one)]
    if isinstance(given, dict):
        return _flat(list(given.values()))
    return [given]


def _mapped(given: Any, part: str, tracer: Tracer) -> Any:
    """Arguments of a moving operation: floating-point tensors as their numbers, indices as they are."""
    if isinstance(given, (list, tuple)):
        return type(given)(_mapped(one, part, tracer) for one in given)
    if isinstance(given, Tensor) and (given.is_floating_point() or given.is_complex()):
        return getattr(tracer._symbols_of(given), part)
    if isinstance(given, Tensor) and id(given) in tracer._symbols:
        raise Untraceable("an index or a condition that depends on the components is moved")
    return given
