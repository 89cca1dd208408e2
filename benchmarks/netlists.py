"""Netlists against ngspice and KLU, all in one run: `python benchmarks/netlists.py`.

Each round times every contestant once, one after the other; ratios are medians of the ratios within a round. Everybody
solves the same net at the same frequencies, and every answer is compared with SciPy's sparse LU before its time counts.
One thread but where two are named. Every line that begins with `→` is a figure that the project set itself, with what
was measured.

ngspice and KLU are Debian's (`apt-get install libngspice0 libsuitesparse-dev`); without them the rest is measured.
Boards by the thousand, and the JAX libraries, are in `lc_filter.py`.
"""

from __future__ import annotations

import argparse
import platform
import time

import numpy as np
import torch
from netlist_peers import klu
from netlist_peers.networks import Network, ladder, random_net, reference
from netlist_peers.ngspice_shared import Ngspice
from netlist_peers.ours import Ours
from netlist_peers.timing import RIGHT, Times, clock, repeats_for
from reporting import absent, at_least, at_most

from circuits.netlist.solver import native, torch_executor
from circuits.netlist.solver.solution import Response


class Peers:
    """ngspice and KLU, as far as they are there."""

    def __init__(self) -> None:
        self.ngspice, self.loop = None, None
        self.kept: dict[str, list[np.ndarray]] = {}
        try:
            self.ngspice = Ngspice()
        except OSError as error:
            absent("ngspice", f"{error}: apt-get install libngspice0")
        try:
            self.loop = klu.library()
        except OSError as error:
            absent("KLU", f"{error}: apt-get install libsuitesparse-dev, and a C compiler")

    def frequencies(self, net: Network) -> np.ndarray:
        """Those that ngspice makes of the sweep, to the last digit."""
        if self.ngspice is None:
            return net.sweep.low * 10 ** (np.arange(net.sweep.points * net.sweep.decades + 1) / net.sweep.points)
        self.simulate(net)
        return self.ngspice.frequencies()

    def simulate(self, net: Network) -> float:
        """Seconds of ngspice's run, with the netlist read anew before it; every answer is kept."""
        name = f"v({net.name(net.output)})"
        self.ngspice.load(net.text, name)
        took = self.ngspice.run()
        torch.set_num_threads(1)  # it may have changed how many OpenMP has
        self.kept.setdefault(net.title, []).append(self.ngspice.output(name))
        return took

    def answers(self, net: Network, solved: klu.Klu | None) -> dict[str, np.ndarray]:
        """What each found: KLU last, ngspice every time, `(runs, n)`."""
        found = {"KLU": solved.answer} if solved else {}
        return {**found, "ngspice": np.array(self.kept.pop(net.title))} if self.ngspice else found


def by_torch(one: Ours):
    """The sweep without the kernel."""
    return torch_executor.forward(one.engine.plan, one.q, one.f, one.z)


def wrong(net: Network, f: np.ndarray, answers: dict[str, np.ndarray]) -> dict[str, float]:
    """Largest distance of each answer from the reference at some frequencies, relative to the largest value."""
    some = np.linspace(0, len(f) - 1, 12).astype(int)
    true = reference(net, f[some])
    return {name: float(np.abs(a[..., some] - true).max() / np.abs(true).max()) for name, a in answers.items()}


def sweep_players(peers: Peers, net: Network, one: Ours, solved: klu.Klu | None):
    """A function a contestant, which returns the seconds of one sweep."""

    def ours():
        return one.engine.forward(one.q, one.f, one.z)

    def plain():
        return by_torch(one)

    players = {"torch": clock(plain, repeats_for(plain))}
    if native.available():
        players = {"kernel": clock(ours, repeats_for(ours)), **players}
    if peers.ngspice:
        players["ngspice"] = lambda: peers.simulate(net)
    if solved:
        players["KLU"] = solved.run
    return players


def sweeps(peers: Peers, nets: list[Network], rounds: int) -> None:
    """One output at every frequency: milliseconds, and how many times longer the others take."""
    print(f"\nAC sweep of one output, {rounds} rounds; ms, and × the kernel (torch: × torch)")
    print(f"{'net':14s}{'parts':>6s}{'kernel':>9s}{'torch':>9s}{'ngspice':>9s}{'KLU':>9s}", end="")
    print(f"{'ngspice/k':>11s}{'KLU/k':>8s}{'ngspice/t':>11s}   largest error")
    table: dict[str, Times] = {}
    for net in nets:
        f = peers.frequencies(net)
        one = Ours(net, torch.from_numpy(f))
        solved = klu.Klu(peers.loop, net, f) if peers.loop else None
        times = table[net.title] = Times(sweep_players(peers, net, one, solved), rounds)
        found = {"ohmgrad": one.answer.numpy(), "torch": by_torch(one)[0][0, 0].numpy()}
        errors = wrong(net, f, {**found, **peers.answers(net, solved)})
        print(f"{net.title:14s}{len(net.branches):6d}", end="")
        for name in ("kernel", "torch", "ngspice", "KLU"):
            print(f"{times.of(name) * 1e3:9.3f}" if name in times else f"{'–':>9s}", end="")
        pairs = (("ngspice", "kernel", 11), ("KLU", "kernel", 8), ("ngspice", "torch", 11))
        for name, to, width in pairs:
            print(f"{times.ratio(name, to):{width}.1f}" if {name, to} <= {*times} else f"{'–':>{width}s}", end="")
        print("   " + ", ".join(f"{name} {error:.0e}" + " WRONG" * (error > RIGHT) for name, error in errors.items()))
    judge(table)


def judge(table: dict[str, Times]) -> None:
    """The figures of the sweeps."""
    sizes = {title: int(title.split()[-1]) for title in table}
    ladders = {sizes[title]: times for title, times in table.items() if title.startswith("ladder")}

    def worst(name: str, to: str, least: int, what: str, needed: float, only: str = "") -> None:
        found = {
            title: times.ratio(name, to)
            for title, times in table.items()
            if {name, to} <= {*times} and sizes[title] >= least and title.startswith(only)
        }
        if found:
            title = min(found, key=lambda one: found[one])
            at_least(what, table[title].ratios(name, to), needed, note=f"the worst, {title}")

    worst("ngspice", "kernel", 10, "time of ngspice over ours, from N = 10 on", 10)
    worst("KLU", "kernel", 0, "time of KLU over ours", 4)
    worst("ngspice", "torch", 0, "time of ngspice over ours without a compiler, ladders", 1, "ladder")
    large = sorted(n for n in ladders if n >= 30)
    if len(large) > 1 and "kernel" in ladders[large[0]]:
        points = np.log([[n, ladders[n].of("kernel")] for n in large])
        slope = np.polyfit(points[:, 0], points[:, 1], 1)[0]
        span = f"time ~ N^x from N = {large[0]} to {large[-1]}"
        at_most("growth with N on ladders, as a power of N", slope, 1.1, "", span)


def two_threads(peers: Peers, nets: list[Network], rounds: int) -> None:
    """Two threads against one, by the clock on the wall.

    To start one and wait for it takes 40 µs here (an empty `pthread_create` and `pthread_join`), so that no sweep of
    0.3 ms can reach 1.7 times; the figure is for those that take half a millisecond.
    """
    if not native.available():
        return
    found, alone = {}, {}
    for net in nets:
        one = Ours(net, torch.from_numpy(peers.frequencies(net)))
        repeats = repeats_for(lambda one=one: one.engine.forward(one.q, one.f, one.z))

        def timed(threads: int, one=one, repeats=repeats) -> float:
            torch.set_num_threads(threads)
            seconds = clock(lambda: one.engine.forward(one.q, one.f, one.z), repeats, time.perf_counter)()
            torch.set_num_threads(1)
            return seconds

        times = Times({"one": lambda t=timed: t(1), "two": lambda t=timed: t(2)}, rounds)
        found[net.title] = times.ratio("one", "two")
        alone[net.title] = times.of("one")
    print("\ntwo threads: " + ", ".join(f"{title} {ratio:.2f} ×" for title, ratio in found.items()))
    long = [title for title, seconds in alone.items() if seconds > 5e-4]
    if long:
        title = min(long, key=lambda one: found[one])
        what = "time of one thread over that of two, from half a millisecond on"
        at_least(what, found[title], 1.7, note=f"the worst, {title}")


def gradient_players(one: Ours):
    """Ways to derivatives by every component, next to what they are counted in.

    Inside the solver that is its forward sweep. Through autograd it is the value of the same loss by the same call: of
    a function of one tensor of all components, and of one of as many scalar tensors as there are components, whose own
    bookkeeping in autograd (some 3 µs each) is no part of a solver.
    """
    target = one.answer * 0.9
    leaves = {name: value.clone().requires_grad_() for name, value in one.values.items()}
    q = one.q.clone().requires_grad_()

    def distance(H):
        return torch.view_as_real(H.reshape(-1) - target).square().sum()

    @torch.no_grad()
    def value():
        return distance(Response.apply(one.engine, one.q, one.f, one.z))

    @torch.no_grad()
    def components():
        return distance(one.respond(one.values))

    tasks = {
        "forward": lambda: one.engine.forward(one.q, one.f, one.z),
        "adjoint": lambda: one.engine.gradient(one.q, one.f, one.z, one.upstream, False),
        "jacobian": lambda: one.engine.jacobian(one.q, one.f, one.z),
        "autograd": lambda: torch.autograd.grad(distance(Response.apply(one.engine, q, one.f, one.z)), [q]),
        "value": value,
        "value of components": components,
        "components": lambda: torch.autograd.grad(distance(one.respond(leaves)), list(leaves.values())),
    }
    return {name: clock(task, repeats_for(task)) for name, task in tasks.items()}


def gradients(peers: Peers, nets: list[Network], rounds: int) -> None:
    """What all derivatives cost, in forward sweeps."""
    print(f"\nall derivatives of one loss, × the forward sweep or the value of the loss, {rounds} rounds")
    print(f"{'net':14s}{'parts':>6s}{'forward ms':>12s}{'in solver':>11s}{'autograd':>10s}{'Jacobian':>10s}", end="")
    print(f"{'as scalars':>12s}{'ngspice, P + 1 runs':>21s}")
    found: dict[str, list[tuple[str, float]]] = {}
    for net in nets:
        one = Ours(net, torch.from_numpy(peers.frequencies(net)))
        players = gradient_players(one)
        if peers.ngspice:
            players["ngspice"] = lambda net=net: peers.simulate(net)
        times = Times(players, rounds)
        print(f"{net.title:14s}{len(net.branches):6d}{times.of('forward') * 1e3:12.3f}", end="")
        for name, to, width in (("adjoint", "forward", 11), ("autograd", "value", 10), ("jacobian", "forward", 10)):
            found.setdefault(name, []).append((net.title, times.ratio(name, to)))
            print(f"{times.ratio(name, to):{width}.2f}", end="")
        print(f"{times.ratio('components', 'value of components'):12.2f}", end="")
        slow = times.ratio("ngspice", "components") * (len(net.branches) + 1) if peers.ngspice else float("nan")
        print(f"{slow:15.0f} × ours")
    for name, needed, what in (("adjoint", 2.2, "inside the solver"), ("autograd", 3.2, "through autograd")):
        title, most = max(found[name], key=lambda pair: pair[1])
        at_most(f"value and gradient over the sweep, {what}", most, needed, note=f"the worst, {title}")
    title, most = max(found["jacobian"], key=lambda pair: pair[1])
    at_most("the full Jacobian over the sweep", most, 2.8, note=f"the worst, {title}")
    flat = [ratio for _, ratio in found["adjoint"]]
    note = f"{min(flat):.2f} to {max(flat):.2f}"
    at_most("gradient over the sweep, most over least components", max(flat) / min(flat), 1.5, note=note)


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a smoke run: small nets, one round")
    parser.add_argument("--only", choices=("sweeps", "gradients"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    rounds = 1 if given.quick else given.rounds
    kernel = "kernel" if native.available() else "no kernel: torch alone"
    print(f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}, {kernel}, one thread")
    sizes = (3, 10) if given.quick else (3, 10, 30, 100, 300, 1000)
    ladders = [ladder(n) for n in sizes]
    nets = [random_net(n, n) for n in sizes if n > 3]
    nets += [] if given.quick else [random_net(100, 1, far=1.0)]
    peers = Peers()
    if given.only in (None, "sweeps"):
        sweeps(peers, ladders + nets, rounds)
        two_threads(peers, (ladders + nets)[-2:] if given.quick else [*ladders[3:], *nets[2:5]], rounds)
    if given.only in (None, "gradients"):
        few = [ladder(n) for n in ((5,) if given.quick else (5, 15, 50, 150, 500, 1000))]
        gradients(peers, [*few, *(n for n in nets if n.nodes < 1000)], rounds)


if __name__ == "__main__":
    main()
