"""How a signal grows or dies on its way through a module, forward as activations and back as gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import losses
from circuits.errors import OptionError, ShapeError


@dataclass(frozen=True)
class LayerNorms:
    """Sizes by layer, in the order in which the layers were called, and by parameter.

    Args:
        layers: dotted names of the innermost modules that were called; a circuit is one layer, named by its class.
        activations: root mean square of what each put out, `(layers,)`.
        signals: norm of the loss's derivative by what each put out, `(layers,)`: the gradient that arrives there.
        parameters: dotted names of the learnable parameters.
        sizes: norm of each parameter, `(parameters,)`.
        gradients: norm of the loss's derivative by each parameter, `(parameters,)`.
        loss: the loss.
    """

    layers: tuple[str, ...]
    activations: Tensor
    signals: Tensor
    parameters: tuple[str, ...]
    sizes: Tensor
    gradients: Tensor
    loss: float

    @property
    def relative(self) -> Tensor:
        """Size times gradient, `(parameters,)`: for one component v it is |dL/d ln v|, for all units the same."""
        return self.sizes * self.gradients

    def gradient_of(self, end: str) -> Tensor:
        """Gradients of the parameters whose names end like this, `weight` say, in order."""
        return self.gradients[[i for i, name in enumerate(self.parameters) if name.endswith(end)]]

    def activations_of(self, names: Sequence[str]) -> Tensor:
        """Activations of some of the layers, by name."""
        return self.activations[[self.layers.index(name) for name in names]]

    def signals_of(self, names: Sequence[str]) -> Tensor:
        """Gradients that arrive at some of the layers, by name."""
        return self.signals[[self.layers.index(name) for name in names]]

    def __str__(self) -> str:
        from tabulate import tabulate  # loaded only to print

        layers = zip(self.layers, self.activations.tolist(), self.signals.tolist(), strict=True)
        sizes = zip(self.parameters, self.sizes.tolist(), self.gradients.tolist(), strict=True)
        first = tabulate(list(layers), headers=["layer", "activation (rms)", "gradient arriving"], floatfmt=".3g")
        second = tabulate(list(sizes), headers=["parameter", "size", "gradient"], floatfmt=".3g")
        return f"{first}\n\n{second}"


def layer_norms(
    module: nn.Module, x: Any, y: Any, loss: Callable[[Tensor, Tensor], Tensor] | None = None
) -> LayerNorms:
    """Norms of activations, of the gradients that come back to them, and of the parameters' gradients.

    One forward and one backward pass; nothing is stored in the module.

    Args:
        module: any module, a circuit too, as `fit` takes it.
        x: what it is called with, frequencies in hertz for a circuit; a tuple of inputs is unpacked.
        y: what it should return.
        loss: an object of `losses`, or any callable (prediction, target) → scalar; None is the mean square.

    Raises:
        OptionError: nothing in the module learns, or what it returns does not depend on it.
        ShapeError: a module that returns something else than a tensor.

    >>> import circuits as cc
    >>> norms = layer_norms(cc.LowPass(R=1e6), [100.0, 1000.0], [0.99, 0.62])
    >>> norms.layers, norms.parameters, f"{norms.relative.item():.2e}"
    (('LowPass',), ('R',), '1.67e-03')
    """
    learnable = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    if not learnable:
        raise OptionError(f"nothing in this {type(module).__name__} learns; free a parameter with requires_grad_(True)")
    measure = losses.Squared() if loss is None else losses.as_loss(loss)
    parameters = [p for _, p in learnable]
    with torch.enable_grad(), _listening(module) as heard:
        prediction = module(*(x if isinstance(x, tuple) else (x,)))
        if not isinstance(prediction, Tensor):
            raise ShapeError(f"the module returned a {type(prediction).__name__}; expected one tensor")
        total = measure(prediction, torch.as_tensor(y, dtype=prediction.dtype, device=prediction.device))
        if not heard:
            raise OptionError("what the module returns does not depend on anything that it learns")
        inside = [output for _, output in heard]
        slopes = torch.autograd.grad(total, [*inside, *parameters], allow_unused=True)
    norms = torch.stack([_norm(slope, parameters[0]) for slope in slopes])
    return LayerNorms(
        tuple(name for name, _ in heard),
        torch.stack([_norm(out.detach(), parameters[0]) / out.numel() ** 0.5 for out in inside]),
        norms[: len(inside)],
        tuple(name for name, _ in learnable),
        torch.stack([_norm(p.detach(), parameters[0]) for p in parameters]),
        norms[len(inside) :],
        float(total.detach()),
    )


def _norm(tensor: Tensor | None, like: Tensor) -> Tensor:
    return like.new_zeros(()) if tensor is None else torch.linalg.vector_norm(tensor).to(like)


@contextmanager
def _listening(module: nn.Module) -> Iterator[list[tuple[str, Tensor]]]:
    """Collect, while the module runs, the output of every innermost module that is called and that learning passes.

    A circuit computes with its parts' formulas and calls no part, so that it is heard as a whole.
    """
    heard: list[tuple[str, Tensor]] = []

    def listener(name: str):
        def listen(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.requires_grad:
                heard.append((name, output))

        return listen

    inner = [(name, part) for name, part in module.named_modules() if name and not any(part.children())]
    handles = [part.register_forward_hook(listener(name)) for name, part in inner]
    whole = listener(type(module).__name__)

    def listen_whole(module: nn.Module, inputs: Any, output: Any) -> None:
        if not heard:
            whole(module, inputs, output)

    handles.append(module.register_forward_hook(listen_whole))
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()
