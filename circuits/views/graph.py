"""The autograd graph of a circuit, by torchviz: every component a leaf with its value and unit."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from circuits.circuit import Circuit
from circuits.errors import OptionError
from circuits.files import replace_file
from circuits.notation import format as engineering
from circuits.views import dot_text, graphviz_program

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


def draw_graph(circuit: nn.Module, f: Any, path: str | os.PathLike[str] | None = None) -> Graph:
    """Draw how autograd sees a circuit: from its components, through every operation, to |H(f)|.

    Every component is a leaf named with its value and unit, the fixed ones dashed; a component that serves under
    several names is one leaf with all of them. The circuit is left as it is: the graph is that of a copy.

    Args:
        circuit: a circuit, or any module with named parameters (large ones are shown by their shape).
        f: frequency in hertz, `(n,)` or a number; for another module its input.
        path: where to write the picture, as `Graph.save` does; None writes nothing.

    Returns:
        The graph; `graph.dot` is its text whether Graphviz is installed or not.

    Raises:
        GraphvizMissing: a picture is asked for and the program `dot` is not installed.
        FrequencyError: a frequency that is not positive and finite.
        OptionError: no module, no tensor from it, or an unknown ending of the path.

    Reference: S. Zagoruyko, PyTorchViz, https://github.com/szagoruyko/pytorchviz.

    >>> from circuits.filters import LowPass
    >>> graph = draw_graph(LowPass(R=500.0, C=1e-6), f=1000.0)
    >>> [name for name in ("R = 500 Ω", "C = 1 µF", "|H(1 kHz)|") if f'label="{name}"' in graph.dot]
    ['R = 500 Ω', 'C = 1 µF', '|H(1 kHz)|']
    """
    if not isinstance(circuit, nn.Module):
        raise OptionError(f"cannot draw a {type(circuit).__name__}; expected a circuit or any torch.nn.Module")
    if path is not None:
        _format_of(path)
    leaves = _leaves(circuit)
    output = _traced(circuit, f, leaves)
    labels = _labels(circuit)
    named = {_output_label(circuit, f): output} | {labels[name]: leaf for name, leaf in leaves.items()}
    fixed = {labels[name] for name, p in circuit.named_parameters() if not p.requires_grad}
    graph = Graph(dot_text.write(_torchviz(output, named), list(labels.values()), fixed))
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


def _traced(module: nn.Module, f: Any, leaves: dict[str, Tensor]) -> Tensor:
    """What the module returns for the copies, with its graph; nothing of the module's own is touched."""
    if not isinstance(module, Circuit) and not isinstance(f, (Tensor, tuple)):
        own = next(iter(leaves.values()), torch.empty(()))
        f = torch.as_tensor(f, dtype=own.dtype if own.is_floating_point() else None, device=own.device)
    inputs = f if isinstance(f, tuple) and not isinstance(module, Circuit) else (f,)
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    with torch.enable_grad():
        output = torch.func.functional_call(module, leaves | buffers, inputs)
    if not isinstance(output, Tensor) or not output.requires_grad:
        what = "which depends on no parameter" if isinstance(output, Tensor) else "and a graph leads to one tensor"
        raise OptionError(
            f"{type(module).__name__} returned a {type(output).__name__}, {what}; draw a module whose output is a "
            "tensor computed from its parameters"
        )
    return output


def _labels(module: nn.Module) -> dict[str, str]:
    """`R = 500 Ω` by name; the names of a shared parameter stand side by side: `low.C = high.C = 1 µF`."""
    units = {
        f"{path}.{name}" if path else name: unit
        for path, part in module.named_modules()
        if isinstance(part, Circuit)
        for name, unit in part.units().items()
    }
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


def _output_label(module: nn.Module, f: Any) -> str:
    """What the graph leads to: `|H(1 kHz)|`."""
    if not isinstance(module, Circuit):
        return "output"
    try:
        return f"|H({engineering(float(f), 'Hz')})|"
    except (TypeError, ValueError, RuntimeError):  # several frequencies
        return "|H(f)|"


def _torchviz(output: Tensor, named: dict[str, Tensor]) -> list[str]:
    """The statements that torchviz writes, without the warnings about the package that it compares versions with."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _DISTUTILS, DeprecationWarning)
        from torchviz import make_dot  # loaded only to draw

        try:
            return make_dot(output, params=named).body
        except RecursionError:
            raise OptionError(
                "the graph is deeper than can be walked, some thousand operations in a row; draw a smaller part"
            ) from None
