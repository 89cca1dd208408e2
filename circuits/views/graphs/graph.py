"""The autograd graph of a circuit, by torchviz: every component a leaf with its value and unit."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from circuits.circuit import Circuit
from circuits.errors import OptionError
from circuits.files import replace_file
from circuits.notation import format as engineering
from circuits.views.graphs import dot_text, graphviz_program
from circuits.views.graphs.sketch import Sketch, nodes_of
from circuits.views.graphs.trace import FREQUENCY, Trace

FORMATS = ("dot", *graphviz_program.FORMATS)
_DISTUTILS = "(The distutils package is deprecated|distutils Version classes are deprecated)"


@dataclass(frozen=True, repr=False)
class Graph:
    """A computation graph as DOT text, which shows itself in a notebook where Graphviz is installed.

    >>> graph = Graph("digraph { a -> b }")
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     graph.save(f"{folder}/graph.dot")
    ...     Path(f"{folder}/graph.dot").read_text()
    'digraph { a -> b }'
    """

    dot: str

    def render(self, format: str) -> bytes:
        """The picture in one of the formats "svg", "png", "pdf"; "dot" gives the text itself.

        Raises:
            GraphvizMissing: the program `dot` is not installed; the message says how to get it.
            OptionError: another format.
        """
        if format not in FORMATS:
            raise OptionError(f"cannot draw a graph as {format!r}; expected one of {', '.join(FORMATS)}")
        return self.dot.encode() if format == "dot" else graphviz_program.render(self.dot, format)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a .svg, .png or .pdf picture by Graphviz's `dot`, or the text as .dot, in one step.

        Raises:
            GraphvizMissing: the program `dot` is not installed; .dot needs none.
            OptionError: another ending. DataError: a place that cannot be written.
        """
        replace_file(path, self.render(_format_of(path)))

    @property
    def labels(self) -> list[str]:
        """What stands in the nodes, in the order in which the text lists them."""
        found = re.findall(r'^    n\d+ \[label="((?:[^"\\]|\\.)*)"', self.dot, re.M)
        return [re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text) for text in found]

    def __str__(self) -> str:
        return self.dot

    def __repr__(self) -> str:
        return f"Graph({self.dot.count(' -> ')} edges; .dot is its text, .save(path) draws it)"

    def _repr_svg_(self) -> str | None:
        """The picture for a notebook, or None without Graphviz."""
        return self.render("svg").decode() if graphviz_program.is_installed() else None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The picture and the text for a notebook; without Graphviz the text alone."""
        svg = self._repr_svg_()
        return {"text/plain": self.dot} | ({"image/svg+xml": svg} if svg else {})


def draw_graph(
    circuit: nn.Module,
    f: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    values: bool = False,
    gradients: bool = False,
) -> Graph:
    r"""Draw how autograd sees a circuit: from its components, through every operation, to |H(f)|.

    Every component is a leaf named with its value and unit, the fixed ones dashed; a component that serves under
    several names is one leaf with all of them. Every operation is named, and beside it stands the term that it
    computes: `mul — 2πf·R·C`. A term that is long or used again gets a name of its own, `x = 2πf·R·C`, which the others
    use. The circuit is left as it is: the graph is that of a copy.

    Args:
        circuit: a circuit, or any module with named parameters (large ones are shown by their shape).
        f: frequency in hertz, `(n,)` or a number; for another module its input.
        path: where to write the picture, as `Graph.save` does; None writes nothing.
        values: whether each node shows what it computes: the numbers, or from the smallest to the largest.
        gradients: whether each shows the derivative of the output by it, ∂|H|/∂R in 1/Ω; of the sum of all outputs
            where there are several.

    Returns:
        The graph; `graph.dot` is its text whether Graphviz is installed or not.

    Raises:
        GraphvizMissing: a picture is asked for and nothing that could draw it is installed.
        FrequencyError: a frequency that is not positive and finite.
        OptionError: no module, no tensor from it, gradients of a complex output, or an unknown ending of the path.

    Reference: S. Zagoruyko, PyTorchViz, https://github.com/szagoruyko/pytorchviz.

    >>> from circuits.filters import LowPass
    >>> graph = draw_graph(LowPass(R=500.0, C=1e-6), f=1000.0, values=True)
    >>> for label in graph.labels:
    ...     print(label.replace("\n", " "))
    |H(1 kHz)| = 0.3033
    reciprocal — 1/√(1+x²) = 0.3033
    hypot — √(1+x²) = 3.297
    clamp — x = 2πf·R·C = 3.142
    mul — 2πf·R·C = 3.142
    mul — 2π·R·C = 0.003142
    mul — R·C = 0.0005
    R = 500 Ω
    C = 1 µF
    """
    if not isinstance(circuit, nn.Module):
        raise OptionError(f"cannot draw a {type(circuit).__name__}; expected a circuit or any torch.nn.Module")
    if path is not None:
        _format_of(path)
    trace, output, leaves = _traced(circuit, f, values)
    labels = _labels(circuit)
    outputs = circuit.outputs if isinstance(circuit, Circuit) else ()
    nodes = nodes_of(output)  # kept, so that torchviz meets each under the same address
    sketch = Sketch(trace, output, nodes, leaves, labels, _symbol(circuit, f), outputs)
    statements = _torchviz(output, leaves)  # before any backward pass, as it wants it
    texts = sketch.texts(_units(circuit), values, gradients)
    fixed = [labels[name] for name, p in circuit.named_parameters() if not p.requires_grad]
    graph = Graph(dot_text.write(statements, texts, list(labels.values()), fixed))
    if path is not None:
        graph.save(path)
    return graph


def _format_of(path: str | os.PathLike[str]) -> str:
    """The format that the ending of a path asks for."""
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        raise OptionError(f"cannot draw a graph to {str(path)!r}; its name must end in .{', .'.join(FORMATS)}")
    return suffix


def _leaves(module: nn.Module) -> dict[str, Tensor]:
    """A copy of every parameter that takes part in autograd whether it is fixed or not; a shared one once."""
    return {
        name: p.detach().clone().requires_grad_(p.is_floating_point() or p.is_complex())
        for name, p in module.named_parameters()
    }


def _traced(module: nn.Module, f: Any, values: bool) -> tuple[Trace, Tensor, dict[str, Tensor]]:
    """What the module returns for a copy of its parameters, and how; nothing of the module's own is touched."""
    leaves = _leaves(module)
    if not isinstance(module, Circuit) and not isinstance(f, (Tensor, tuple)):
        own = next(iter(leaves.values()), torch.empty(()))
        f = torch.as_tensor(f, dtype=own.dtype if own.is_floating_point() else None, device=own.device)
    inputs = f if isinstance(f, tuple) and not isinstance(module, Circuit) else (f,)
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    trace = Trace(_input_names(module, inputs) | buffers | leaves, frequency=f, keep_values=values)
    with torch.enable_grad(), trace:
        output = torch.func.functional_call(module, leaves | buffers, inputs)
    if not isinstance(output, Tensor) or not output.requires_grad:
        what = "which depends on no parameter" if isinstance(output, Tensor) else "and a graph leads to one tensor"
        raise OptionError(
            f"{type(module).__name__} returned a {type(output).__name__}, {what}; draw a module whose output is a "
            "tensor computed from its parameters"
        )
    return trace, output, leaves


def _input_names(module: nn.Module, inputs: tuple[Any, ...]) -> dict[str, Tensor]:
    """What a term calls the tensors that go in."""
    name = FREQUENCY if isinstance(module, Circuit) else "input"
    tensors = [value for value in inputs if isinstance(value, Tensor)]
    names = [name] if len(tensors) == 1 else [f"{name}_{i}" for i in range(1, len(tensors) + 1)]
    return dict(zip(names, tensors, strict=True))


def _units(module: nn.Module) -> dict[str, str]:
    """Unit of every component of every circuit in a module, by dotted name."""
    return {
        f"{path}.{name}" if path else name: unit
        for path, part in module.named_modules()
        if isinstance(part, Circuit)
        for name, unit in part.units().items()
    }


def _labels(module: nn.Module) -> dict[str, str]:
    """`R = 500 Ω` by name; the names of a shared parameter stand side by side: `low.C = high.C = 1 µF`."""
    units = _units(module)
    names: dict[int, list[str]] = {}
    for name, p in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(p), []).append(name)
    return {name: _label(names[id(p)], p, units.get(name, "")) for name, p in module.named_parameters()}


def _label(names: list[str], parameter: Tensor, unit: str) -> str:
    """Names with the value of a single number; of more numbers torchviz tells the shape."""
    shown = [*names]
    if parameter.numel() == 1 and not parameter.is_complex():
        shown.append(engineering(parameter.item(), unit) if unit else f"{parameter.item():.4g}")
    return " = ".join(shown)


def _symbol(module: nn.Module, f: Any) -> tuple[str, str]:
    """What the graph leads to, in full and in short: `|H(1 kHz)|`, `|H|`."""
    if not isinstance(module, Circuit):
        return "output", "output"
    try:
        return f"|H({engineering(float(f), 'Hz')})|", "|H|"
    except (TypeError, ValueError, RuntimeError):  # several frequencies
        return "|H(f)|", "|H|"


def _torchviz(output: Tensor, named: Mapping[str, Tensor]) -> list[str]:
    """The statements that torchviz writes, without the warnings about the package that it compares versions with."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _DISTUTILS, DeprecationWarning)
        from torchviz import make_dot  # loaded only to draw

        try:
            return make_dot(output, params=dict(named)).body
        except RecursionError:
            raise OptionError(
                "the graph is deeper than can be walked, some thousand operations in a row; draw a smaller part"
            ) from None
