"""An LC T-filter with its gradient, one board and a thousand, against the JAX libraries: `benchmarks/lc_filter.py`.

The loss is the mean of |S21 − target|² over boards and 400 frequencies; everybody gives it with its gradient by L1, C
and L2 of every board, and is compared with the closed form. Each round times every contestant once, one after the
other; ratios are medians of the ratios within a round. One thread each.

circulax, ParamRF and the ABCD matrices written by hand put a circuit together from its parts, as ohmgrad does: the best
of them is what it is held against. The formula of this one filter, multiplied out by hand, shows what is left.

The JAX libraries run in a process of their own, by the interpreter that `--jax-python` or `OHMGRAD_JAX_PYTHON` names,
else by this one where the `bench` extra has brought them: `pip install -c constraints.txt -e ".[bench]"`.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from netlist_peers.filter_case import TEXT, boards, by_scikit_rf, distance, transmission
from netlist_peers.jax_peers import NETWORKS, JaxPeers, jax_interpreter
from netlist_peers.timing import LEAST, RIGHT, Times, clock, repeats_for
from reporting import absent, at_most, holds, shown

from circuits.netlist import read_netlist


def filter_step(case: dict[str, np.ndarray]):
    """Loss and gradient of the LC T-filter as a person writes it with the package."""
    names = ("L1", "C", "L2")
    single = len(case["C"]) == 1
    values = {name: torch.tensor(case[name][0] if single else case[name]) for name in names}
    circuit = read_netlist(TEXT, output="V(b)", learn=names, values=values)
    f, target = torch.tensor(case["f"]), torch.tensor(case["target"])
    moving = [circuit[name] for name in names]

    def step():
        loss = torch.view_as_real(circuit.response(f) - target).square().mean() * 2
        return loss, torch.autograd.grad(loss, moving)

    return step


def copying(case: dict[str, np.ndarray]):
    """The memory limit: the response written and read, its gradient written and read, and nothing computed."""
    table = torch.zeros(len(case["C"]), len(case["f"]), dtype=torch.complex128)
    other = torch.ones_like(table)

    def copy():
        other.copy_(table)
        table.copy_(other)

    return copy


def measure(count: int, points: int, rounds: int, interpreter: str | None) -> None:
    """The LC T-filter with its gradient, against the JAX peers."""
    case = boards(count, points)
    step, copy = filter_step(case), copying(case)
    loss, slopes = step()
    off = distance(case, loss.item(), np.stack([slope.reshape(-1) for slope in slopes]))
    print(f"\nLC T-filter, {count} board(s) × {points} frequencies, loss and gradient; error of ohmgrad {off:.0e}")
    players = {name: clock(task, repeats_for(task)) for name, task in (("ohmgrad", step), ("memory", copy))}
    if interpreter is None:
        report(count, Times(players, rounds), {})
        absent("the JAX libraries", "--help says how to have them")
        return
    with JaxPeers(interpreter, case) as jax:
        for name, why in jax.failed.items():
            absent(name, f"could not be built: {why}")
        for name in jax.compiling:
            answer = jax.ask(name)
            error = distance(case, answer["loss"], np.array(answer["gradient"]))
            if error > RIGHT:
                print(f"  {name} is WRONG by {error:.0e}")
            often = max(1, round(LEAST / answer["seconds"]))
            players[name] = lambda name=name, often=often: jax.ask(name, often)["seconds"]
        report(count, Times(players, rounds), jax.compiling)


def response_alone(rounds: int) -> None:
    """One board and no gradient, against scikit-rf."""
    case = boards(1, 400)
    try:
        theirs = by_scikit_rf(case)
    except ImportError:
        absent("scikit-rf", "pip install scikit-rf")
        return
    values = {name: torch.tensor(case[name][0]) for name in ("L1", "C", "L2")}
    circuit, f = read_netlist(TEXT, output="V(b)", learn=tuple(values), values=values), torch.tensor(case["f"])

    @torch.no_grad()
    def ours():
        return circuit.response(f)

    true = transmission(case["f"], *(case[name][0] for name in values))
    off = max(float(np.abs(found - true).max()) for found in (ours().numpy(), theirs()))
    players = {"ohmgrad": ours, "scikit-rf": theirs}
    times = Times({name: clock(task, repeats_for(task)) for name, task in players.items()}, rounds)
    print(f"\nthe response alone, one board: ohmgrad {1e3 * times.of('ohmgrad'):.3f} ms; the larger error {off:.0e}")
    shown("time of scikit-rf over ours, response alone", times.ratios("scikit-rf", "ohmgrad"))


def report(count: int, times: Times, compiling: dict[str, float]) -> None:
    """The table of the filter and its figures."""
    for name in times:
        note = f"   compiled in {compiling[name]:.1f} s" if name in compiling else ""
        note = "   a copy of what has to pass through memory" if name == "memory" else note
        print(f"  {name:22s}{times.of(name) * 1e3:10.3f} ms   {times.ratio(name, 'ohmgrad'):8.2f} × ohmgrad{note}")
    if count == 1:
        took = [1e3 * seconds for seconds in times.seconds["ohmgrad"]]
        at_most("a small net with nothing to compile", took, 0.5, "ms")
        return
    limit = times.ratio("ohmgrad", "memory")
    general = [name for name in NETWORKS if name in compiling]
    measured, good = f"{limit:.2f} times the memory limit", limit <= 2
    if general:
        best = times.best(general)
        measured += f", {times.ratio(best, 'ohmgrad'):.1f} times faster than {best}"
        good = good or times.ratio(best, "ohmgrad") >= 3
        shown("time of the best JAX library over ours", times.ratios(best, "ohmgrad"), note=best)
    shown("time over the memory limit", times.ratios("ohmgrad", "memory"))
    holds("3 times faster than the best JAX peer, or within twice of the memory limit", good, measured)


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--jax-python", metavar="P", help="an interpreter that has circulax and ParamRF")
    parser.add_argument("--quick", action="store_true", help="a smoke run: one round, few boards")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rounds = 1 if given.quick else given.rounds
    print(f"torch {torch.__version__}, one thread, {rounds} rounds")
    interpreter = jax_interpreter(given.jax_python)
    measure(1, 400, rounds, interpreter)
    measure(10 if given.quick else 1000, 400, rounds, interpreter)
    response_alone(rounds)


if __name__ == "__main__":
    main()
