"""The order in which star–mesh elimination takes nodes: minimum degree, many independent nodes a round."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def elimination_order(
    neighbours: Mapping[int, Collection[int]], eligible: Collection[int], last: Collection[int] = ()
) -> list[tuple[int, list[int]]]:
    """Nodes to eliminate, each with its neighbours at that time.

    Every round takes nodes of the least degree that are no neighbours of each other (J. W. H. Liu, "Modification of the
    minimum-degree algorithm by multiple elimination", ACM TOMS 11 (1985) 141): the fill is that of minimum degree, and
    the nodes of a round can be eliminated side by side. `last` are left to the end.

    >>> elimination_order({1: [2], 2: [1, 3], 3: [2]}, [1, 2, 3])
    [(1, [2]), (3, [2]), (2, [])]
    """
    graph = {node: set(others) for node, others in neighbours.items()}
    steps: list[tuple[int, list[int]]] = []
    for stage in (set(eligible) - set(last), set(eligible) & set(last)):
        waiting = sorted(stage)
        while waiting:
            waiting = _round(graph, waiting, steps)
    return steps


def _round(graph: dict[int, set[int]], waiting: list[int], steps: list[tuple[int, list[int]]]) -> list[int]:
    """Eliminate an independent set of nodes of (nearly) least degree; returns those that still wait."""
    degrees = {node: len(graph[node]) for node in waiting}
    least = min(degrees.values())
    limit = max(least, 2)  # joining two neighbours adds no fill to speak of, and keeps the rounds few
    blocked: set[int] = set()
    rest = []
    for node in waiting:
        if degrees[node] > limit or node in blocked:
            rest.append(node)
            continue
        around = graph.pop(node)
        blocked |= around
        steps.append((node, sorted(around)))
        for other in around:
            mesh = graph[other]
            mesh |= around
            mesh -= {node, other}
    return rest
