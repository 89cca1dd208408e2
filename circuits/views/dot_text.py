"""DOT text that is the same in every run: nodes renumbered, labels cleaned, components styled."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from circuits.errors import OptionError

_NODE = re.compile(r'\s*(?P<id>\d+) \[label=(?P<label>"(?:[^"\\]|\\.)*"|\w+)(?: fillcolor=(?P<fill>\w+))?\]\s*', re.S)
_EDGE = re.compile(r"\s*(?P<tail>\d+) -> (?P<head>\d+)(?: \[(?P<style>.*)\])?\s*", re.S)
_HEADER = """digraph {
    graph [ranksep=0.3, nodesep=0.2];
    node [shape=box, style=filled, fillcolor=gray92, fontname="DejaVu Sans", fontsize=11, height=0.3];
    edge [arrowsize=0.6];"""
_UNUSED = "\nnot used"
_FIXED = 'style="filled,dashed", fillcolor=white'


def write(statements: Sequence[str], leaves: Sequence[str], fixed: Collection[str]) -> str:
    r"""Rewrite the statements of torchviz, which numbers nodes by addresses in memory.

    A label loses its empty first line (it corrupts the memory of Graphviz when that is used as a library) and the empty
    shape of a single number.

    Args:
        statements: nodes and edges as torchviz writes them.
        leaves: labels of all the components; one that no operation uses is added on its own.
        fixed: labels of those that are held fixed, drawn dashed.

    >>> print(write(['\t123 [label="R\n ()" fillcolor=lightblue]\n', "\t123 -> 456\n"], ["R", "C"], ["C"]))
    digraph {
        graph [ranksep=0.3, nodesep=0.2];
        node [shape=box, style=filled, fillcolor=gray92, fontname="DejaVu Sans", fontsize=11, height=0.3];
        edge [arrowsize=0.6];
        n1 [label="R", fillcolor=lightblue];
        n2 [label="C\nnot used", style="filled,dashed", fillcolor=white];
        n1 -> n3;
    }
    <BLANKLINE>
    """
    nodes, edges = _read(statements)
    numbers: dict[str, str] = {}
    lines = [f"    {_number(numbers, id)} [{_node(label, fill, fixed)}];" for id, (label, fill) in nodes.items()]
    shown = {label.split("\n")[0] for label, _ in nodes.values()}
    for label in leaves:
        if label not in shown:
            lines.append(f"    {_number(numbers, label)} [{_node(f'{label}{_UNUSED}', 'lightblue', fixed)}];")
    for tail, head, style in edges:
        ends = f"{_number(numbers, tail)} -> {_number(numbers, head)}"
        lines.append(f"    {ends} [{style}];" if style else f"    {ends};")
    return "\n".join([_HEADER, *lines, "}", ""])


def _read(statements: Sequence[str]) -> tuple[dict[str, tuple[str, str]], list[tuple[str, str, str]]]:
    """Nodes by the name that torchviz gave, (label, colour) each, and edges (from, to, style), each once."""
    nodes: dict[str, tuple[str, str]] = {}
    edges: dict[tuple[str, str, str], None] = {}
    for statement in statements:
        if node := _NODE.fullmatch(statement):
            nodes.setdefault(node["id"], (_clean(node["label"]), node["fill"] or ""))
        elif edge := _EDGE.fullmatch(statement):
            edges[edge["tail"], edge["head"], edge["style"] or ""] = None
        else:
            raise OptionError(f"torchviz wrote {statement!r}, which is not understood; install torchviz 0.0.3")
    return nodes, list(edges)


def _clean(label: str) -> str:
    """A label without quotes, empty lines, or the empty shape of a single number."""
    lines = (line.strip() for line in label.strip('"').split("\n"))
    return "\n".join(line for line in lines if line not in ("", "()"))


def _number(numbers: dict[str, str], id: str) -> str:
    return numbers.setdefault(id, f"n{len(numbers) + 1}")


def _node(label: str, fill: str, fixed: Collection[str]) -> str:
    """The attributes of a node."""
    text = label.replace("\n", "\\n")
    style = _FIXED if label.split("\n")[0] in fixed else f"fillcolor={fill}" if fill else ""
    return f'label="{text}", {style}' if style else f'label="{text}"'
