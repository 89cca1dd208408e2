"""The response as one operation that `torch.compile` does not look into: a graph holds it as a call, like any kernel.

A compiled graph holds tensors and numbers, so that an engine goes into it by a number of its own. The first derivative
is another such operation; derivatives beyond the first are for uncompiled code, see `solution`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from circuits.circuit import is_spelled_out
from circuits.netlist.solver.engine import ENGINES, Engine
from circuits.netlist.solver.solution import Response
from circuits.netlist.solver.spelled import spelled_response


def respond(engine: Engine, q: Tensor, f: Tensor, z: Tensor) -> Tensor:
    """`Response`, or while a graph is compiled the operation below, or the steps themselves for who listens to them."""
    if torch.compiler.is_compiling():
        return response(engine.number, q, f, z)
    if is_spelled_out():
        return spelled_response(engine.plan, q, f, z)
    return Response.apply(engine, q, f, z)


@torch.library.custom_op("ohmgrad::response", mutates_args=())
def response(engine: int, q: Tensor, f: Tensor, z: Tensor) -> Tensor:
    """Outputs `(B, K, n)` of the engine of this number, as `Engine.forward`."""
    return ENGINES[engine].forward(q, f, z)


@torch.library.custom_op("ohmgrad::response_gradient", mutates_args=())
def response_gradient(engine: int, q: Tensor, f: Tensor, z: Tensor, G: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients by q, f and z, as `Engine.gradient`."""
    grad_q, grad_z, grad_f = ENGINES[engine].gradient(q, f, z, G, True)
    return grad_q, (grad_f.sum(0) if f.ndim == 1 else grad_f), grad_z  # pyright: ignore  # it was wanted


@response.register_fake
def _(engine: int, q: Tensor, f: Tensor, z: Tensor) -> Tensor:
    return q.new_empty(q.shape[1], ENGINES[engine].plan.n_out, f.shape[-1], dtype=torch.complex128)


@response_gradient.register_fake
def _(engine: int, q: Tensor, f: Tensor, z: Tensor, G: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(q), torch.empty_like(f), torch.empty_like(z)


def _keep(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.engine, *tensors = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, G: Tensor) -> tuple[None, Tensor, Tensor, Tensor]:
    return None, *response_gradient(ctx.engine, *ctx.saved_tensors, G)


response.register_autograd(_backward, setup_context=_keep)
