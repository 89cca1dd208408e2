"""The formula of a problem: what one data point of one board adds to the loss, its gradient and its curvature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from circuits.circuit import spelled_out
from circuits.fitting.many.derivatives import Slopes
from circuits.fitting.many.expressions import BOARD, POINT, Graph
from circuits.fitting.many.products import Products
from circuits.fitting.many.tracing import Tracer, Untraceable
from circuits.fitting.model import CircuitModel
from circuits.fitting.problem import Problem
from losses import LeastSquares, Loss


@dataclass(frozen=True)
class Sum:
    """One sum over the points: Σ w·`rest`, times `factor`, which a board has once; w is the weight in a `plane`."""

    rest: int
    factor: int
    plane: int


@dataclass(frozen=True)
class Formula:
    """Sums over the points of one board, as nodes of a graph.

    Inputs of the graph are `v0 …` (the values of the board, the held ones after the learned), `f`, and `t0 …` (what was
    measured: every output, of a complex response the real parts first; `parts` is 2 for those). `loss` is a list of
    terms; `gradient[j]` and `curvature[j, k]` (j ≥ k) are with respect to the values.
    """

    graph: Graph
    values: int
    held: int
    planes: int
    parts: int
    loss: tuple[Sum, ...]
    gradient: tuple[tuple[Sum, ...], ...]
    curvature: dict[tuple[int, int], tuple[Sum, ...]]

    def sums(self) -> list[Sum]:
        """All of them, each once."""
        rows = [self.loss, *self.gradient, *self.curvature.values()]
        return list(dict.fromkeys(one for row in rows for one in row))


def formula_of(problem: Problem) -> Formula:
    """Learn the formula of a problem by computing one point of its first board.

    Raises:
        Untraceable: an operation that is not known, a value that Python looked at, a loss without a curvature.
    """
    known = cast(CircuitModel, problem.model).known
    if "formula" not in known:  # the stages of a loss share it
        graph = Graph()
        known["formula"] = graph, *_predicted(problem, graph)
    graph, predicted, measured = known["formula"]
    graph, names = graph.copy(), problem.model.names
    slopes = [Slopes(graph, graph.input(f"v{j}", BOARD)) for j in range(len(names))]
    products = Products(graph, [part for parts in predicted for part in parts])
    loss: list[Sum] = []
    gradient: list[list[Sum]] = [[] for _ in names]
    curvature: dict[tuple[int, int], list[Sum]] = {}
    is_complex = problem.target.is_complex()
    for plane, (prediction, target) in enumerate(zip(predicted, measured, strict=True)):
        cost, pulls, bend = _compared(even_loss(problem), graph, prediction, target, is_complex)
        loss.append(_sum(graph, cost, plane))
        for part, pull in zip(prediction, pulls, strict=True):
            by_value = [products.tidied(one.of(part)) for one in slopes]
            for j, one in enumerate(by_value):
                if one == graph.zero:
                    continue
                gradient[j].append(_sum(graph, graph.mul(pull, one), plane))
                for k, other in enumerate(by_value[: j + 1]):
                    if other != graph.zero:
                        product = graph.mul(bend, graph.mul(one, other))
                        curvature.setdefault((j, k), []).append(_sum(graph, product, plane))
    parts = 2 if is_complex else 1
    held = len(cast(CircuitModel, problem.model).held)
    rows = {place: tuple(terms) for place, terms in curvature.items()}
    return Formula(
        graph, len(names), held, parts * len(measured), parts, tuple(loss), tuple(map(tuple, gradient)), rows
    )


def even_loss(problem: Problem) -> Loss:
    """The loss with its σ; one σ of all points is a number, which every loss knows what to do with."""
    if problem.sigma is None:
        return problem.loss
    low, high = (float(end) for end in torch.aminmax(problem.sigma))
    return problem.loss.with_sigma(low) if low == high else problem.active_loss


def _sum(graph: Graph, number: int, plane: int) -> Sum:
    factor, rest = graph.factored(number)
    return Sum(rest, factor, plane)


Parts = tuple[int, ...]


def _predicted(problem: Problem, graph: Graph) -> tuple[list[Parts], list[Parts]]:
    """Prediction and target of every output at one point: (real,) or (real, imag) nodes."""
    model = cast(CircuitModel, problem.model)
    if problem.boards > 1:
        model = model.take(torch.zeros(1, dtype=torch.int64, device=problem.target.device))
    f = model.f[..., model.f.shape[-1] // 2 :][..., :1].clone()
    values = model.values() if not model.batch else model.values()[:1]
    values = values if len(values) == 1 else values[:1]
    tensors = [one.clone() for one in _tensors(model, values)]
    tracer = Tracer(graph)
    with torch.no_grad(), tracer, model.learnable.holding(tensors), spelled_out():
        for j, tensor in enumerate(tensors):
            tracer.give(tensor, [graph.input(f"v{j}", BOARD)])
        tracer.give(f, [graph.input("f", POINT)])
        prediction = model.circuit.predict(f, model.quantity)
    pairs = tracer.pairs(prediction)
    outputs = len(pairs)
    if outputs != max(len(model.circuit.outputs), 1):
        raise Untraceable(f"one point of one board gives {outputs} numbers")
    if not problem.target.is_complex():
        if any(imag != graph.zero for _, imag in pairs):
            raise Untraceable("a complex prediction of a real quantity")
        return [(real,) for real, _ in pairs], [(graph.input(f"t{k}", POINT),) for k in range(outputs)]
    targets = [(graph.input(f"t{k}", POINT), graph.input(f"t{outputs + k}", POINT)) for k in range(outputs)]
    return list(pairs), targets


def _tensors(model: CircuitModel, values: Tensor) -> list[Tensor]:
    """One tensor a parameter, those that are held after the learned, for the first board."""
    held = [tensor[:1] for tensor in model.held]
    return [*(values if model.batch else values[0]).unbind(-1), *held]


def _compared(
    loss: Loss, graph: Graph, prediction: Parts, target: Parts, is_complex: bool
) -> tuple[int, Sequence[int], int]:
    """What a point costs, the slope of that by each part of the prediction, and its curvature."""
    loss = loss.unweighted()[0] if isinstance(loss, LeastSquares) else loss  # that σ becomes a weight of the point
    dtype = torch.complex128 if is_complex else torch.float64
    one, other = (torch.full((1,), 0.5, dtype=dtype) for _ in range(2))
    tracer = Tracer(graph)
    with torch.no_grad(), tracer:
        for tensor, parts in ((one, prediction), (other, target)):
            tracer.give(tensor, [parts[0]], [parts[1]] if is_complex else None)
        cost = loss.pointwise(one, other)
        slope, bend = loss.quadratic(one, other)
    found = [tracer.pairs(part) for part in (cost, slope, bend)]
    if any(len(pairs) != 1 for pairs in found):
        raise Untraceable("a loss with a table of its own")
    (cost_node, _), (pull, turn), (bend_node, _) = (pairs[0] for pairs in found)
    return cost_node, (pull, turn) if is_complex else (pull,), bend_node
