"""The JAX peers, in a process and an interpreter of their own; nothing of ohmgrad is imported here.

    python jax_worker.py FILE.npz    loss and gradient of the LC T-filter of the file, by every peer

The file holds frequencies `f (n,)`, components `L1, C, L2 (boards,)` and the target `S21 (n,)`. The loss is the mean of
|S21 − target|² over boards and frequencies. A request is a line of JSON on standard input, `{"peer": …, "repeats": …}`;
its answer a line with the seconds of a call, the loss and the gradient. A first line, unasked, lists the peers with the
seconds that compiling took, and those that could not be built, with the reason.

circulax and ParamRF take any circuit. The others are the formula of this one filter, written by hand: what a
general solver is up against at the very best.
"""

from __future__ import annotations

import json
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

jax.config.update("jax_enable_x64", True)
Z0 = 50.0


def distance(w, real, imaginary, L1, C, L2):
    """|S21 − target|² in real arithmetic: S21 = 2/(A + B/Z0 + C·Z0 + D), the ABCD matrices multiplied out."""
    lc = w * w * C
    re = 1 - lc * (L1 + L2) / 2
    im = w * (L1 + L2 - lc * L1 * L2) / (2 * Z0) + w * C * Z0 / 2
    size = 1 / (re * re + im * im)
    return (re * size - real) ** 2 + (-im * size - imaginary) ** 2


def formula(f, target) -> Callable:
    """The formula over the whole table of boards and frequencies."""
    w, real, imaginary = 2 * jnp.pi * f, target.real, target.imag

    def loss(values):
        return jnp.mean(distance(w, real, imaginary, *(value[:, None] for value in values)))

    return jax.value_and_grad(loss)


def tuned(f, target) -> Callable:
    """The formula, frequency after frequency for a vector of boards, sums and all: nothing but sums is ever stored."""
    rows = (2 * jnp.pi * f, target.real, target.imag)

    def step(values):
        def add(total, row):
            value, pull = jax.vjp(lambda *v: distance(*row, *v), *values)
            parts = (value, *pull(jnp.ones_like(value)))
            return tuple(map(jnp.add, total, parts)), None

        total, _ = jax.lax.scan(add, (jnp.zeros_like(values[0]),) * 4, rows, unroll=4)
        count = total[0].size * len(f)
        return total[0].sum() / count, tuple(part / count for part in total[1:])

    return step


def matrices(f, target) -> Callable:
    """Complex 2×2 ABCD matrices, as one would write it first."""
    s = 2j * jnp.pi * f

    def one(values):
        L1, C, L2 = values
        one, zero = jnp.ones_like(s), jnp.zeros_like(s)

        def matrix(rows):
            return jnp.stack([jnp.stack(row, -1) for row in rows], -2)

        a = matrix([[one, s * L1], [zero, one]]) @ matrix([[one, zero], [s * C, one]])
        a = a @ matrix([[one, s * L2], [zero, one]])
        s21 = 2 / (a[:, 0, 0] + a[:, 0, 1] / Z0 + a[:, 1, 0] * Z0 + a[:, 1, 1])
        return jnp.mean(jnp.abs(s21 - target) ** 2)

    return whole(one)


def whole(one: Callable) -> Callable:
    """Mean over boards of the loss of one, with its gradient."""
    return jax.value_and_grad(lambda values: jnp.mean(jax.vmap(one)(values)))


def circulax(f, target) -> Callable:
    """`setup_ac_sweep` of circulax: MNA, dense `linalg.solve` at every frequency."""
    from circulax import compile_netlist
    from circulax.components.electronic import Capacitor, Inductor
    from circulax.solvers.ac_sweep import setup_ac_sweep
    from circulax.utils import update_params_dict

    net = {
        "instances": {
            "GND": {"component": "ground"},
            "L1": {"component": "l", "settings": {"L": 1e-6}},
            "L2": {"component": "l", "settings": {"L": 1e-6}},
            "C1": {"component": "c", "settings": {"C": 1e-9}},
        },
        # an end of the filter has to be connected to something, if only to a name
        "connections": {"L1,p2": ("C1,p1", "L2,p1"), "C1,p2": "GND,p1", "L1,p1": "in", "L2,p2": "out"},
    }
    groups, size, places = compile_netlist(net, {"l": Inductor, "c": Capacitor, "ground": lambda: 0})
    key = {name: next(k for k, g in groups.items() if name in (g.index_map or {})) for name in ("L1", "L2", "C1")}
    ports = [places["L1,p1"], places["L2,p2"]]

    def one(values):
        changed = groups
        for name, letter, value in zip(("L1", "C1", "L2"), "LCL", values, strict=True):
            changed = update_params_dict(changed, key[name], name, letter, value)
        s = setup_ac_sweep(changed, size, ports, z0=Z0)(jnp.zeros(size), f)
        return jnp.mean(jnp.abs(s[:, 1, 0] - target) ** 2)

    return whole(one)


def paramrf(f, target, method: str) -> Callable:
    """A `Cascade` of ParamRF, reduced as scattering (`s`) or as chain matrices (`a`)."""
    import pmrf
    from pmrf.models import Inductor, ShuntCapacitor
    from pmrf.models.composite.interconnected.cascade import Cascade

    axis = pmrf.Frequency.from_f(f)

    def one(values):
        L1, C, L2 = values
        chain = Cascade((Inductor(L=L1), ShuntCapacitor(C=C), Inductor(L=L2)), method=method)
        return jnp.mean(jnp.abs(chain.s(axis)[:, 1, 0] - target) ** 2)

    return whole(one)


PEERS: dict[str, Callable] = {
    "circulax": circulax,
    "ParamRF (scattering)": lambda f, target: paramrf(f, target, "s"),
    "ParamRF (chain)": lambda f, target: paramrf(f, target, "a"),
    "JAX, ABCD by hand": matrices,
    "JAX, formula": formula,
    "JAX, formula, tuned": tuned,
}
WARM = 2
"""Calls before those that are timed: memory that other peers gave back has to be fetched again."""


class Peer:
    """A compiled loss with its gradient."""

    def __init__(self, build: Callable, data: dict[str, np.ndarray]):
        self.values = tuple(jnp.asarray(data[name]) for name in ("L1", "C", "L2"))
        began = time.perf_counter()
        step = build(jnp.asarray(data["f"]), jnp.asarray(data["target"]))
        self.step = jax.jit(step).lower(self.values).compile()
        self.compiling = time.perf_counter() - began

    def call(self):
        return jax.block_until_ready(self.step(self.values))

    def answer(self, repeats: int) -> dict:
        for _ in range(WARM):
            self.call()
        began = time.process_time()
        for _ in range(repeats):
            value, gradient = self.call()
        took = (time.process_time() - began) / repeats
        return {"seconds": took, "loss": float(value), "gradient": [np.asarray(g).tolist() for g in gradient]}


def main() -> None:
    """Answer requests until the input ends."""
    data = dict(np.load(sys.argv[1]))
    peers, failed = {}, {}
    for name, build in PEERS.items():
        try:
            peers[name] = Peer(build, data)
        except Exception as error:  # whatever a foreign library raises is what is reported
            failed[name] = f"{type(error).__name__}: {error}".splitlines()[0]
    compiling = {name: peer.compiling for name, peer in peers.items()}
    print(json.dumps({"jax": jax.__version__, "peers": compiling, "failed": failed}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(peers[request["peer"]].answer(request["repeats"])), flush=True)


if __name__ == "__main__":
    main()
