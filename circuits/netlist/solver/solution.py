"""Solutions of a circuit's equations as functions that autograd knows: reverse and forward mode, to any order.

All derivatives follow from one rule. With A x = b, dx = A⁻¹(db − dA·x), and every entry of dA is of rank one, so that a
loss with gradient g by x has, with Aᵀλ = conj(g), the derivative −λ·a_e·b_eᵀx by y_e: one more solve with the same
factors, and a few numbers an entry (the adjoint network: S. W. Director and R. A. Rohrer, IEEE Trans. Circuit Theory 16
(1969) 318). The first derivative of an output takes that path inside the executor. Everything beyond is written below
in terms of `Solve`, whose own derivative is another `Solve`.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch
from torch import Tensor

from circuits.netlist.solver.engine import Engine
from circuits.netlist.solver.places import places_of


class Response(torch.autograd.Function):
    """Outputs `(B, K, n)` of an engine at q `(Q, B)`, f `(n,)` or `(B, n)`, z `(Z, B, n)`."""

    @staticmethod
    def forward(engine: Engine, q: Tensor, f: Tensor, z: Tensor) -> Tensor:
        return engine.forward(q, f, z)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        ctx.engine, *tensors = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx: Any, G: Tensor):
        q, f, z = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody wants the derivative of this derivative
            return None, *_gradient(ctx.engine, q, f, z, G, ctx.needs_input_grad[2])
        grad_q, grad_z, grad_f = ctx.engine.gradient(q, f, z, G, ctx.needs_input_grad[2])
        return None, grad_q, _like(grad_f, f), grad_z

    @staticmethod
    def jvp(ctx: Any, _: Any, dq: Tensor | None, df: Tensor | None, dz: Tensor | None) -> Tensor:
        q, f, z = ctx.saved_tensors
        X = excited(ctx.engine, q, f, z)
        pushed = -_pushed(ctx.engine, X, q, f, z, dq, df, dz)
        dx = Solve.apply(ctx.engine, q, f, z, pushed, False)
        return _outputs(ctx.engine, _extended(ctx.engine, dx)).squeeze(1)

    @staticmethod
    def vmap(info: Any, in_dims: tuple, engine: Engine, q: Tensor, f: Tensor, z: Tensor):
        q, f, z = _folded(info.batch_size, in_dims[1:], q, f, z)
        return Response.apply(engine, q, f, z).unflatten(0, (info.batch_size, -1)), 0


class Solve(torch.autograd.Function):
    """x `(B, R, n_unknowns, n)` with A x = rhs, or Aᵀ x = rhs, the sources off; rhs has the shape of x."""

    @staticmethod
    def forward(engine: Engine, q: Tensor, f: Tensor, z: Tensor, rhs: Tensor, transposed: bool) -> Tensor:
        return engine.solve(q, f, z, rhs, transposed)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        ctx.engine, q, f, z, _, ctx.transposed = inputs
        ctx.save_for_backward(q, f, z, output)
        ctx.save_for_forward(q, f, z, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor):
        q, f, z, x = ctx.saved_tensors
        adjoint = Solve.apply(ctx.engine, q, f, z, g.conj().resolve_conj(), not ctx.transposed)
        X, L = (_extended(ctx.engine, table) for table in (x, adjoint))
        pull = _pull(ctx.engine, *((L, X) if ctx.transposed else (X, L)))
        grads = _by_values(ctx.engine, pull, q, f, z, ctx.needs_input_grad[2])
        return None, *grads, adjoint.conj(), None

    @staticmethod
    def jvp(ctx: Any, _: Any, dq: Tensor | None, df: Tensor | None, dz: Tensor | None, drhs: Tensor | None, __: Any):
        q, f, z, x = ctx.saved_tensors
        X = _extended(ctx.engine, x)
        pushed = -_pushed(ctx.engine, X, q, f, z, dq, df, dz, ctx.transposed)
        pushed = pushed if drhs is None else pushed + drhs
        return Solve.apply(ctx.engine, q, f, z, pushed, ctx.transposed)

    @staticmethod
    def vmap(info: Any, in_dims: tuple, engine: Engine, q: Tensor, f: Tensor, z: Tensor, rhs: Tensor, transposed: bool):
        q, f, z = _folded(info.batch_size, in_dims[1:4], q, f, z)
        rhs = rhs.movedim(in_dims[4], 0) if in_dims[4] is not None else rhs.expand(info.batch_size, *rhs.shape)
        x = Solve.apply(engine, q, f, z, rhs.flatten(0, 1), transposed)
        return x.unflatten(0, (info.batch_size, -1)), 0


for _function in (Response, Solve):
    # torch looks the signature up at every call, which takes longer than a small net
    _function.forward.__signature__ = inspect.signature(_function.forward)  # type: ignore[attr-defined]


def excited(engine: Engine, q: Tensor, f: Tensor, z: Tensor) -> Tensor:
    """The extended unknowns `(B, 1, n + rails + 1, n)` with the sources on, with their graph."""
    plan, places = engine.plan, places_of(engine.plan, q.device)
    boards, points = q.shape[1], f.shape[-1]
    zero = torch.zeros(boards, plan.n, points, dtype=torch.complex128, device=q.device)
    b = zero.index_add(1, places.rhs_const_row, places.rhs_const[:, None].expand(boards, -1, points))
    if len(places.rhs_row):
        y = _admittances(engine, q, f, z)[:, places.rhs_entry]
        b = b.index_add(1, places.rhs_row, places.rhs_coef[:, None] * y)
    x = Solve.apply(engine, q, f, z, b.unsqueeze(1), False)
    rails = places.rail_value[:, None].expand(boards, 1, -1, points)
    return torch.cat([x, rails, torch.zeros_like(x[..., :1, :])], -2)


def _extended(engine: Engine, x: Tensor) -> Tensor:
    """Unknowns with rails and ground at zero volts behind them."""
    shape = (*x.shape[:-2], engine.plan.rails + 1, x.shape[-1])
    return torch.cat([x, x.new_zeros(shape)], -2)


def _gradient(engine: Engine, q: Tensor, f: Tensor, z: Tensor, G: Tensor, want_f: bool):
    """What `Engine.gradient` gives, with a graph."""
    places = places_of(engine.plan, q.device)
    weighted = places.out_coef[:, None] * G.conj()[:, places.out_k]
    zero = torch.zeros(*G.shape[:1], engine.plan.ground + 1, G.shape[-1], dtype=G.dtype, device=G.device)
    aim = zero.index_add(1, places.out_col, weighted)[:, : engine.plan.n].unsqueeze(1)
    adjoint = Solve.apply(engine, q, f, z, aim, True)
    pull = _pull(engine, excited(engine, q, f, z), _extended(engine, adjoint))
    return _by_values(engine, pull, q, f, z, want_f)


def _pull(engine: Engine, X: Tensor, L: Tensor) -> Tensor:
    """d(loss)/dy of every entry from solution and adjoint, summed over right-hand sides, `(B, entries, n)`."""
    places = places_of(engine.plan, X.device)
    across = _difference(L, places.rows) * _difference(X, places.columns)
    return across.sum(1) * -places.scale[:, None]


def _difference(table: Tensor, pair: tuple[Tensor, Tensor]) -> Tensor:
    return table[..., pair[0], :] - table[..., pair[1], :]


def _by_values(engine: Engine, pull: Tensor, q: Tensor, f: Tensor, z: Tensor, want_f: bool):
    """The gradients by q, f and z that belong to those by y."""
    plan, places = engine.plan, places_of(engine.plan, q.device)
    real = places.real
    slopes = (pull * _powers(places.exponent, f)).real
    grad_q = torch.zeros_like(q).index_add(0, places.source[real], slopes[:, real].sum(-1).movedim(0, 1))
    turned = pull[:, ~real].conj().movedim(0, 1)
    grad_z = torch.zeros_like(z).index_add(0, places.source[~real] - plan.n_q, turned)
    if not want_f:
        return grad_q, None, grad_z
    own = q[places.source[real]].movedim(0, 1).unsqueeze(-1) * places.exponent[real][:, None]
    grad_f = (slopes[:, real] * own).sum(1) / f
    return grad_q, _like(grad_f, f), grad_z


def _pushed(engine: Engine, X: Tensor, q, f, z, dq, df, dz, transposed: bool = False) -> Tensor:
    """dA·X (or dAᵀ·X) for changes of q, f and z, `(B, R, n_unknowns, n)`."""
    plan, places = engine.plan, places_of(engine.plan, X.device)
    dy = _changes(engine, q, f, z, dq, df, dz)
    rows, columns = (places.rows, places.columns) if not transposed else (places.columns, places.rows)
    flow = (places.scale[:, None] * dy).unsqueeze(1) * _difference(X, columns)
    zero = torch.zeros_like(X)
    return zero.index_add(2, rows[0], flow).index_add(2, rows[1], -flow)[:, :, : plan.n]


def _changes(engine: Engine, q: Tensor, f: Tensor, z: Tensor, dq, df, dz) -> Tensor:
    """dy of every entry, `(B, entries, n)`."""
    plan, places = engine.plan, places_of(engine.plan, q.device)
    real, power = places.real, _powers(places.exponent, f)
    boards, points = q.shape[1], f.shape[-1]
    dy = torch.zeros(boards, len(real), points, dtype=torch.complex128, device=q.device)
    where = real.nonzero().squeeze(-1), (~real).nonzero().squeeze(-1)
    if dq is not None:
        own = dq[places.source[real]].movedim(0, 1).unsqueeze(-1) * power[:, real]
        dy = dy.index_add(1, where[0], own.expand(boards, -1, points))
    if df is not None:
        slope = (places.exponent[real][:, None] / f.unsqueeze(-2)) * power[:, real] * df.unsqueeze(-2)
        own = q[places.source[real]].movedim(0, 1).unsqueeze(-1) * slope
        dy = dy.index_add(1, where[0], own.expand(boards, -1, points))
    if dz is not None and plan.n_z:
        dy = dy.index_add(1, where[1], dz[places.source[~real] - plan.n_q].movedim(0, 1))
    return dy


def _admittances(engine: Engine, q: Tensor, f: Tensor, z: Tensor) -> Tensor:
    """y of every entry, `(B, entries, n)`."""
    return _changes(engine, q, f, z, q, None, z)


def _powers(exponent: Tensor, f: Tensor) -> Tensor:
    """s^exponent of every entry, `(1 or B, entries, n)`."""
    f = f if f.ndim == 2 else f.unsqueeze(0)
    omega, exponent = (2 * math.pi * f).unsqueeze(1), exponent[:, None]
    size = torch.where(exponent == 0, torch.ones_like(omega), torch.where(exponent > 0, omega, -1 / omega))
    none = torch.zeros_like(size)
    return torch.where(exponent == 0, torch.complex(size, none), torch.complex(none, size))


def _outputs(engine: Engine, X: Tensor) -> Tensor:
    """The outputs of extended unknowns, `(B, R, K, n)`."""
    places = places_of(engine.plan, X.device)
    weighted = places.out_coef[:, None] * X[:, :, places.out_col]
    zero = torch.zeros(*X.shape[:2], engine.plan.n_out, X.shape[-1], dtype=X.dtype, device=X.device)
    return zero.index_add(2, places.out_k, weighted)


def _like(grad_f: Tensor | None, f: Tensor) -> Tensor | None:
    """The gradient by f in the shape of f."""
    if grad_f is None or f.ndim == 2:
        return grad_f
    return grad_f.sum(0)


def _folded(size: int, in_dims: tuple, q: Tensor, f: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A dimension of vmap folded into the boards."""
    q = q.unsqueeze(1).expand(-1, size, -1) if in_dims[0] is None else q.movedim(in_dims[0], 1)
    z = z.unsqueeze(1).expand(-1, size, -1, -1) if in_dims[2] is None else z.movedim(in_dims[2], 1)
    boards = q.shape[2]
    if in_dims[1] is not None:
        f = f.movedim(in_dims[1], 0)
        f = f.unsqueeze(1).expand(-1, boards, -1) if f.ndim == 2 else f
        f = f.reshape(size * boards, -1)
    elif f.ndim == 2:
        f = f.expand(size, -1, -1).reshape(size * boards, -1)
    return q.flatten(1, 2), f, z.flatten(1, 2)
