"""Elbows: where the ReLUs of a network bend, where a gradient step takes them, and Bode plots as such networks.

φ(x) = ReLU(wx + b) is flat on one side of its elbow −b/w and straight on the other. A network with one hidden layer of
ReLUs, or a straight-line Bode plot over log-frequency, is a sum of those.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from circuits.circuit import Circuit
from circuits.errors import OptionError
from circuits.fitting.result import Fit

SLOPE = 20.0
"""Decibels a decade that one corner adds or takes away."""

_CORNERS = {"pole_": (1, -1), "zero_": (1, 1), "high_pass_": (-1, -1), "f_low": (1, -1), "f_high": (-1, -1)}
"""Kinds of corners by the beginning of their name: the side on which the ReLU is active, and the sign of its push."""


@dataclass(frozen=True)
class Elbows:
    """The straight lines that a one-hidden-layer ReLU network of one input is made of.

    Args:
        position: where each hidden unit bends, −b/w, `(hidden,)`; NaN for a unit with w = 0, which has no elbow.
        change: how much steeper the network becomes there, seen from left to right, a·|w|, `(hidden,)`.
        first_slope: slope to the left of every elbow.
    """

    position: Tensor
    change: Tensor
    first_slope: float

    def sorted(self) -> tuple[Tensor, Tensor]:
        """Elbows from left to right `(k,)`, and the slopes of the k + 1 straight lines between and around them.

        >>> Elbows(torch.tensor([3.0, 1.0]), torch.tensor([-20.0, -20.0]), 20.0).sorted()
        (tensor([1., 3.]), tensor([ 20.,   0., -20.]))
        """
        there = self.position.isfinite()
        position, order = self.position[there].sort()
        steps = self.change[there][order].cumsum(0)
        return position, torch.cat([steps.new_zeros(1), steps]) + self.first_slope


def unit_gradient(w: Tensor, b: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives by w and b of ℓ = ½(φ(x) − y)² with φ(x) = ReLU(wx + b), all of which broadcast.

    (φ − y)·x and φ − y where the unit is active, wx + b > 0, and zero elsewhere: points on the flat side pull nothing.

    >>> w, b, x, y = (torch.tensor(number) for number in (1.0, -1.0, 3.0, 1.0))
    >>> unit_gradient(w, b, x, y)
    (tensor(3.), tensor(1.))
    """
    level = w * x + b
    residual = torch.where(level > 0, level - y, torch.zeros_like(level))
    return residual * x, residual


def next_elbow(w: Tensor, b: Tensor, gradient_w: Tensor, gradient_b: Tensor, lr: float) -> Tensor:
    """Elbow after one step of gradient descent, e′ = −b′/w′ with w′ = w − lr·∂ℓ/∂w and b′ = b − lr·∂ℓ/∂b.

    For a single point with residual r = φ − y the elbow moves by exactly e′ − e = lr·r·(1 + e·x)/w′: which way is
    decided by the signs of r, of w, and of 1 + e·x, as long as w keeps its sign.

    >>> w, b = torch.tensor(1.0), torch.tensor(-1.0)
    >>> next_elbow(w, b, torch.tensor(3.0), torch.tensor(1.0), lr=0.1)
    tensor(1.5714)
    """
    return -(b - lr * gradient_b) / (w - lr * gradient_w)


def elbows_of(module: nn.Module) -> Elbows:
    """Elbows and slopes of a network with one input, one hidden layer of ReLUs and one output.

    Raises:
        OptionError: any other module.

    >>> network = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> _ = network.load_state_dict({
    ...     "0.weight": torch.tensor([[1.0], [-2.0]]), "0.bias": torch.tensor([-3.0, 1.0]),
    ...     "2.weight": torch.tensor([[4.0, 5.0]]), "2.bias": torch.tensor([0.0])})
    >>> elbows_of(network).sorted()
    (tensor([0.5000, 3.0000]), tensor([-10.,   0.,   4.]))
    """
    _, hidden, output = _layers(module)
    w, b, a = hidden.weight.detach()[:, 0], _bias(hidden), output.weight.detach()[0]
    first = (a * w)[w < 0].sum().item()
    return Elbows(torch.where(w == 0, torch.nan, -b / w), a * w.abs(), first)


def elbow_walk(fit: Fit) -> Tensor:
    """Elbow of every hidden unit at every step of a fit of such a network, `(steps + 1, hidden)`.

    Raises:
        OptionError: the fit kept no history, or fitted another kind of module.

    >>> import circuits as cc
    >>> x = torch.linspace(-1, 1, 50).unsqueeze(-1)
    >>> network = nn.Sequential(nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> found = cc.fit(network, (x, x.abs()), method=cc.GradientDescent(lr=0.1), stop=cc.Stop(steps=20))
    >>> elbow_walk(found).shape
    torch.Size([21, 3])
    """
    name, hidden, _ = _layers(fit.circuit)
    if fit.history is None:
        raise OptionError("this fit kept no history, so the elbows cannot be followed; fit again with history=True")
    names = fit.history.names
    values = fit.history.values[:, 0]
    here = {"weight": hidden.weight.detach()[:, 0], "bias": _bias(hidden)}
    columns = {"weight": f"{name}weight[{{}},0]", "bias": f"{name}bias[{{}}]"}
    walks = []
    for key, label in columns.items():
        units = [label.format(i) for i in range(hidden.out_features)]
        held = here[key].expand(len(values), -1)
        walk = [values[:, names.index(unit)] if unit in names else held[:, i] for i, unit in enumerate(units)]
        walks.append(torch.stack(walk, -1))
    w, b = walks
    return torch.where(w == 0, torch.nan, -b / w)


def bode_network(circuit: Circuit) -> nn.Sequential:
    """A straight-line Bode plot as the ReLU network that it is: log₁₀ of hertz in, decibels out, `(n, 1)` each.

    A corner at f₀ is one hidden unit with w = ±1 and b = ∓log₁₀ f₀, so that its elbow is log₁₀ f₀, and it is taken
    with −20 (or +20 for a zero); the bias of the output is 20 log₁₀ of the gain. The parameters are copies, free to
    be trained to slopes that no filter has.

    Args:
        circuit: a `Bode` or `BodeBandPass` of a single board.

    Raises:
        OptionError: any other circuit, a batch of boards, or a plot without a corner.

    >>> import circuits as cc
    >>> network = bode_network(cc.BodeBandPass(f_low=4000.0, f_high=1000.0))
    >>> network(torch.tensor([[2.0], [3.5]], dtype=torch.float64)).flatten().tolist()
    [-20.0, 0.0]
    """
    corners = {name: p.detach() for name, p in circuit.named_parameters() if name != "gain"}
    kinds = [next((kind for kind in _CORNERS if name.startswith(kind)), "") for name in corners]
    if not corners or "" in kinds or circuit.batch_shape:
        raise OptionError(
            f"{type(circuit).__name__} of {len(corners)} components on {circuit.batch_shape.numel()} boards is not one "
            "straight-line Bode plot with corners; give a Bode or BodeBandPass of one board"
        )
    at = torch.stack([corner.log10() for corner in corners.values()])
    side, push = (torch.tensor(signs, dtype=at.dtype) for signs in zip(*(_CORNERS[k] for k in kinds), strict=True))
    network = nn.Sequential(nn.Linear(1, len(at)), nn.ReLU(), nn.Linear(len(at), 1)).to(at)
    gain = dict(circuit.named_parameters()).get("gain", torch.ones_like(at[0]))
    pieces = (side.unsqueeze(-1), -side * at, SLOPE * push.unsqueeze(0), 20 * gain.detach().log10().reshape(1))
    with torch.no_grad():
        for parameter, piece in zip(network.parameters(), pieces, strict=True):
            parameter.copy_(piece)
    _check_same(circuit, network, at)
    return network


def _check_same(circuit: Circuit, network: nn.Module, at: Tensor) -> None:
    """A circuit may use the names of corners for something else."""
    decades = torch.cat([at - 1, at, at + 1])
    with torch.no_grad():
        expected, got = circuit.decibels(10**decades), network(decades.unsqueeze(-1)).squeeze(-1)
    if not torch.allclose(expected, got, rtol=1e-4, atol=1e-3):
        raise OptionError(f"the level of this {type(circuit).__name__} is not made of straight lines; give a Bode")


def _layers(module: nn.Module) -> tuple[str, nn.Linear, nn.Linear]:
    """The hidden and the output layer of a one-hidden-layer ReLU network, and the dotted prefix of the first."""
    found = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, nn.Linear)]
    fits = len(found) == 2 and found[0][1].in_features == 1 and found[1][1].out_features == 1
    if not fits or found[0][1].out_features != found[1][1].in_features or not _is_relu_network(module, found):
        raise OptionError(
            f"{type(module).__name__} is not a network of one input, one hidden layer of ReLUs and one output; "
            "expected something like Sequential(Linear(1, 8), ReLU(), Linear(8, 1))"
        )
    (name, hidden), (_, output) = found
    return f"{name}.", hidden, output


@torch.no_grad()
def _is_relu_network(module: nn.Module, found: list[tuple[str, nn.Linear]]) -> bool:
    """Whether the module computes output(relu(hidden(x))), tried on both sides of every elbow."""
    (_, hidden), (_, output) = found
    elbows = torch.nan_to_num(-_bias(hidden) / hidden.weight[:, 0])
    x = torch.cat([elbows - 1, elbows + 1, torch.linspace(-2, 2, 9).to(elbows)]).unsqueeze(-1)
    return torch.allclose(module(x), output(torch.relu(hidden(x))))


def _bias(layer: nn.Linear) -> Tensor:
    return torch.zeros_like(layer.weight[:, 0]) if layer.bias is None else layer.bias.detach()
