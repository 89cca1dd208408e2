"""Color organs by JAX, in a process and an interpreter of their own; nothing of ohmgrad is imported here.

    python jax_worker.py FILE.npz

The file holds tones `f (n,)`, magnitudes `y (boards, 3, n)` and the `start` in ohms. A request is a line of JSON on
standard input, `{"peer": …, "repeats": …}`; its answer a line with the seconds that a call took by the clock on the
wall, how many boards it fitted, and their resistors. A first line, unasked, lists the peers.

By hand: a batched Levenberg–Marquardt in logarithms, jitted, the Jacobian in closed form and summed as it comes by
one variadic reduction, the normal equations solved by an unrolled Cholesky of their blocks, in chunks of 250 boards
(measured best of 250, 500, 1000 and 2000), boards that are done leaving the batch after 6, 9, 12 … steps. jaxopt and
optimistix are what a person would write: their Levenberg–Marquardt under `vmap`.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable

# One processor from before the start: XLA sizes its pool of threads by what the process may use.
if hasattr(os, "sched_setaffinity") and os.environ.get("JAX_PEERS_ONE_THREAD", "1") == "1":
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax import lax  # noqa: E402

jax.config.update("jax_enable_x64", True)
C = 1e-6
CHUNK = 250
STAGES = (6, 3, 3, 6, 12, 12, 12)
FEW = {"jaxopt": 2000, "optimistix": 1000}
"""Boards that the slow ones are given: their rate is the same on more."""


def terms(x, y, R):
    """A tone's part of cost, gradient and curvature: low (3), band (6), high (3)."""
    a, b, c, d = (x * one for one in R)
    s, t, u, v = (lax.rsqrt(1 + one * one) for one in (a, b, c, d))
    e, j = s - y[0], -a * a * s * s * s
    low = (e * e, j * e, j * j)
    h = t * c * u
    e, j, k = h - y[1], -h * b * b * t * t, h * u * u
    band = (e * e, j * e, k * e, j * j, j * k, k * k)
    h = d * v
    e, j = h - y[2], h * v * v
    return (*low, *band, e * e, j * e, j * j)


def sums(x, y, p):
    """Of all tones at once: y `(3, n, boards)`, p four logarithms `(boards,)`."""
    parts = terms(x[:, None], y, [jnp.exp(one)[None] for one in p])
    zero = jnp.zeros((), x.dtype)
    return lax.reduce(parts, (zero,) * 12, lambda a, b: tuple(p + q for p, q in zip(a, b, strict=True)), (0,))


def newton(S, damping):
    """The damped step, and the decrease that it promises."""
    more = 1 + damping
    low, high = -S[1] / (S[2] * more), -S[10] / (S[11] * more)
    first = lax.rsqrt(S[6] * more)
    across = S[7] * first
    second = lax.rsqrt(S[8] * more - across * across)
    z = S[4] * first
    right = -(S[5] - across * z) * second * second
    left = -(z + across * right) * first
    return (low, left, right, high), -(low * S[1] + left * S[4] + right * S[5] + high * S[10])


def stage(x, steps: int, tolerance: float) -> Callable:
    """So many steps of every chunk, jitted."""
    small = 1e3 * float(jnp.finfo(x.dtype).eps)

    def step(_, state):
        y, p, S, damping, done = state
        move, promised = newton(S, damping)
        tried = tuple(a + jnp.clip(b, -2.5, 2.5) for a, b in zip(p, move, strict=True))
        T = sums(x, y, tried)
        old, new = S[0] + S[3] + S[9], T[0] + T[3] + T[9]
        better = (new <= old) & ~done
        done = done | ~(promised > tolerance * old) | (~better & (promised < small * old))
        p = tuple(jnp.where(better, b, a) for a, b in zip(p, tried, strict=True))
        S = tuple(jnp.where(better, b, a) for a, b in zip(S, T, strict=True))
        return y, p, S, jnp.where(better, jnp.maximum(damping * 0.1, 1e-9), damping * 10), done

    def chunk(state):
        y, p, damping, done = state
        _, p, _, damping, done = lax.fori_loop(0, steps, step, (y, p, sums(x, y, p), damping, done))
        return p, damping, done

    return jax.jit(lambda state: lax.map(chunk, state))


class ByHand:
    """The hand-tuned fit of all boards in one precision."""

    def __init__(self, f, y, start: float, dtype: str, tolerance: float):
        self.n, self.count, self.dtype, self.start = len(f), len(y), dtype, start
        x = jnp.asarray(2 * math.pi * C * f, dtype)
        self.stages = {steps: stage(x, steps, tolerance) for steps in set(STAGES)}
        self.take = jax.jit(self._blocks)
        self.flat = jnp.asarray(y, dtype)
        self.whole = self.take(self.flat, self._filled(np.arange(self.count)))

    def _blocks(self, flat, rows):
        return flat[rows].reshape(-1, CHUNK, 3, self.n).transpose(0, 2, 3, 1)

    def _filled(self, rows):
        """Rows up to a whole number of chunks, the last one repeated; few sizes, for each is compiled anew."""
        chunks = -(-len(rows) // CHUNK)
        chunks = chunks if len(rows) == self.count else 1 << (chunks - 1).bit_length()
        return np.concatenate([rows, np.repeat(rows[-1:], chunks * CHUNK - len(rows))])

    def __call__(self) -> np.ndarray:
        p = np.full((4, self.count), math.log(self.start), self.dtype)
        damping, done = np.full(self.count, 1e-3, self.dtype), np.zeros(self.count, bool)
        left = np.arange(self.count)
        for round_, steps in enumerate(STAGES):
            rows = self._filled(left)
            block = self.take(self.flat, rows) if round_ else self.whole
            cut = tuple(one[rows].reshape(-1, CHUNK) for one in p), damping[rows].reshape(-1, CHUNK)
            moved, damped, ended = self.stages[steps]((block, *cut, done[rows].reshape(-1, CHUNK)))
            for i in range(4):
                p[i, rows] = np.asarray(moved[i]).ravel()
            damping[rows], done[rows] = np.asarray(damped).ravel(), np.asarray(ended).ravel()
            left = np.flatnonzero(~done)
            if not len(left):
                break
        return np.exp(p.T)


def residual_of(f) -> Callable:
    """What a person writes: residuals of one board in logarithms."""
    x = jnp.asarray(2 * math.pi * C * f)

    def residual(p, y):
        a, b, c, d = (x * one for one in jnp.exp(p))
        s, t, u, v = (lax.rsqrt(1 + one * one) for one in (a, b, c, d))
        return (jnp.stack([s, t * c * u, d * v]) - y).ravel()

    return residual


def by_jaxopt(f, y, start: float) -> Callable:
    import jaxopt

    solver = jaxopt.LevenbergMarquardt(residual_of(f), tol=1e-8, maxiter=50)
    first = jnp.full(4, math.log(start))
    run = jax.jit(jax.vmap(lambda one: solver.run(first, one).params))
    boards = jnp.asarray(y[: FEW["jaxopt"]])
    return lambda: np.exp(np.asarray(run(boards)))


def by_optimistix(f, y, start: float) -> Callable:
    import optimistix

    solver = optimistix.LevenbergMarquardt(rtol=1e-8, atol=1e-8)
    residual, first = residual_of(f), jnp.full(4, math.log(start))

    def one_board(one):
        return optimistix.least_squares(residual, solver, first, one, max_steps=50, throw=False).value

    run = jax.jit(jax.vmap(one_board))
    boards = jnp.asarray(y[: FEW["optimistix"]])
    return lambda: np.exp(np.asarray(run(boards)))


PEERS: dict[str, Callable] = {
    "JAX by hand, float32": lambda f, y, start: ByHand(f, y, start, "float32", 1e-5),
    "JAX by hand, float64": lambda f, y, start: ByHand(f, y, start, "float64", 1e-12),
    "jaxopt": by_jaxopt,
    "optimistix": by_optimistix,
}


def main() -> None:
    """Answer requests until the input ends."""
    data = np.load(sys.argv[1])
    f, y, start = data["f"], data["y"], float(data["start"])
    peers, compiling, failed = {}, {}, {}
    for name, build in PEERS.items():
        began = time.perf_counter()
        try:
            peers[name] = build(f, y, start)
            peers[name]()
        except Exception as error:  # whatever a foreign library raises is what is reported
            peers.pop(name, None)
            failed[name] = f"{type(error).__name__}: {error}".splitlines()[0]
        else:
            compiling[name] = time.perf_counter() - began
    print(json.dumps({"jax": jax.__version__, "peers": compiling, "failed": failed}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        began = time.perf_counter()
        for _ in range(request["repeats"]):
            values = peers[request["peer"]]()
        took = (time.perf_counter() - began) / request["repeats"]
        answer = {"seconds": took, "boards": len(values), "values": values[: request.get("shown", 0)].tolist()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
