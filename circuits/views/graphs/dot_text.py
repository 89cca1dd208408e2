"""DOT text that is the same in every run: nodes renumbered and relabelled, components styled."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from circuits.errors import OptionError

_NODE = re.compile(r'\s*(?P<id>\d+) \[label=(?P<label>"(?:[^"\\]|\\.)*"|\w+)(?: fillcolor=(?P<fill>\w+))?\]\s*', re.S)
_EDGE = re.compile(r"\s*(?P<tail>\d+) -> (?P<head>\d+)(?: \[(?P<style>.*)\])?\s*", re.S)
_HEADER = """digraph {
    graph [ranksep=0.3, nodesep=0.2];
    node [shape=box, style=filled, fillcolor=gray92, fontname="DejaVu Sans,Verdana,sans-serif",
        fontsize=11, height=0.3];
    edge [arrowsize=0.6];"""
_COLLECTOR = "AccumulateGrad"
_LEAF = "lightblue"
_FIXED = 'style="filled,dashed", fillcolor=white'
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def write(
    statements: Sequence[str], labels: Mapping[str, str], leaves: Sequence[str] = (), fixed: Collection[str] = ()
) -> str:
    r"""Rewrite the statements of torchviz, which numbers nodes by addresses in memory.

    The nodes that add a gradient to a leaf's `.grad` are left out, so that a component leads straight to the
    operations that use it. A label that nobody gave loses its empty first line (it corrupts the memory of Graphviz when
    that is used as a library) and the empty shape of a single number.

    Args:
        statements: nodes and edges as torchviz writes them.
        labels: text of nodes by the number that torchviz gave them.
        leaves: labels of all the components; one that no operation uses is added on its own.
        fixed: the first lines of those that are held fixed, drawn dashed.

    >>> statements = ['\t7 [label="R\n ()" fillcolor=lightblue]\n', "\t7 -> 8\n", "\t8 [label=AccumulateGrad]\n",
    ...               "\t8 -> 9\n", "\t9 [label=MulBackward0]\n"]
    >>> print(write(statements, {"9": "mul — R·C"}, ["R", "C"], ["C"]))
    digraph {
        graph [ranksep=0.3, nodesep=0.2];
        node [shape=box, style=filled, fillcolor=gray92, fontname="DejaVu Sans,Verdana,sans-serif",
            fontsize=11, height=0.3];
        edge [arrowsize=0.6];
        n1 [label="R", fillcolor=lightblue];
        n2 [label="mul — R·C"];
        n3 [label="C\nnot used", style="filled,dashed", fillcolor=white];
        n1 -> n2;
    }
    <BLANKLINE>
    """
    nodes, edges = _without_collectors(*_read(statements))
    numbers = {id: f"n{i}" for i, id in enumerate(nodes, 1)}
    texts = {id: labels.get(id, label) for id, (label, _) in nodes.items()}
    lines = [f"    {numbers[id]} [{_node(texts[id], fill, fixed)}];" for id, (_, fill) in nodes.items()]
    shown = {text.split("\n")[0] for text in texts.values()}
    unused = [leaf for leaf in leaves if leaf not in shown]
    lines += [f"    n{i} [{_node(leaf, _LEAF, fixed, 'not used')}];" for i, leaf in enumerate(unused, len(nodes) + 1)]
    for tail, head, style in edges:
        lines.append(f"    {numbers[tail]} -> {numbers[head]}{f' [{style}]' if style else ''};")
    return "\n".join([_HEADER, *lines, "}", ""])


Nodes = dict[str, tuple[str, str]]
Edges = list[tuple[str, str, str]]


def _read(statements: Sequence[str]) -> tuple[Nodes, Edges]:
    """Nodes by the name that torchviz gave, (label, colour) each, and edges (from, to, style), each once."""
    nodes: Nodes = {}
    edges: dict[tuple[str, str, str], None] = {}
    for statement in statements:
        if node := _NODE.fullmatch(statement):
            nodes.setdefault(node["id"], (_clean(node["label"]), node["fill"] or ""))
        elif edge := _EDGE.fullmatch(statement):
            edges[edge["tail"], edge["head"], edge["style"] or ""] = None
        else:
            raise OptionError(f"torchviz wrote {statement!r}, which is not understood; install torchviz 0.0.3")
    return nodes, list(edges)


def _without_collectors(nodes: Nodes, edges: Edges) -> tuple[Nodes, Edges]:
    """The graph with an edge from each leaf to what uses it, in the place of the node between them."""
    collectors = {id for id, (label, _) in nodes.items() if label == _COLLECTOR}
    leaf_of = {head: tail for tail, head, _ in edges if head in collectors}
    direct = [(leaf_of.get(tail, tail), head, style) for tail, head, style in edges if head not in collectors]
    return {id: node for id, node in nodes.items() if id not in collectors}, direct


def _clean(label: str) -> str:
    """A label without quotes, empty lines, or the empty shape of a single number."""
    lines = (line.strip() for line in label.strip('"').split("\n"))
    return "\n".join(line for line in lines if line not in ("", "()"))


def _node(label: str, fill: str, fixed: Collection[str], *more: str) -> str:
    """The attributes of a node."""
    style = _FIXED if label.split("\n")[0] in fixed else f"fillcolor={fill}" if fill else ""
    text = "\n".join([label, *more]).translate(_ESCAPES)
    return f'label="{text}", {style}' if style else f'label="{text}"'
