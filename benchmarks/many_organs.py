"""A hundred thousand color organs at once, against what a user would do instead: `python benchmarks/many_organs.py`.

Four resistors and 3 × 200 noisy magnitudes a board (`organ_peers/case.py`), every resistor of every board and for
everybody started at 316 Ω. The contestants, in turns, by the clock on the wall:

- ohmgrad: `circuits.fit` on one thread and on two, in float64, and in float32 as a user may ask for;
- a Python loop of SciPy's `lm` with analytic Jacobian, on enough boards for its rate;
- JAX by hand, jaxopt and optimistix, in an interpreter of their own (`--jax-python`, or `OHMGRAD_JAX_PYTHON`).

`stock` is the `ColorOrgan` of the package, `generic` a user's own `Circuit` in complex numbers and a netlist with
buffers, `eager` all of them without a C compiler, `memory` a fit in a process of its own, whose highest resident set
counts. The roof is what one thread needs for its rsqrt(1 + x²) alone, four a tone, for as many evaluations as the fit
took.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from netlist_peers.jax_peers import JaxPeers, jax_interpreter
from netlist_peers.timing import Times
from organ_peers.case import START, Answers, C, Case, SciPyLoop, draw
from organ_peers.roofline import Roof, least_seconds
from reporting import absent, at_least, at_most, shown

import circuits as cc
from circuits.component import OHM

SECTIONS = ("stock", "generic", "eager", "memory")
NETLIST = """organ
V1 in 0 AC 1
R1 in low 316
C1 low 0 1u
R2 in mid 316
C2 mid 0 1u
E1 buffered 0 mid 0 1
C3 buffered band 1u
R3 band 0 316
C4 in high 1u
R4 high 0 316
.end"""
WORKER = Path(__file__).with_name("organ_peers") / "jax_worker.py"
EAGER_BOARDS = 5000
NO_COMPILER = {"OHMGRAD_NATIVE": "0"}


class OwnOrgan(cc.Circuit):
    """The organ as a user writes it: complex responses, nothing closed-form."""

    components = {"R1": OHM, "R2": OHM, "R3": OHM, "R4": OHM}
    outputs = ("low", "band", "high")

    def transfer(self, f):
        s = 2j * torch.pi * f * C
        R1, R2, R3, R4 = (getattr(self, name).unsqueeze(-1) for name in self.components)
        low, band = 1 / (1 + s * R1), 1 / (1 + s * R2) * (s * R3 / (1 + s * R3))
        return torch.stack([low, band, s * R4 / (1 + s * R4)], -2)


def started(boards: int) -> torch.Tensor:
    """A resistor of every board where everybody starts."""
    return torch.full((boards,), START, dtype=torch.float64)


def stock(boards: int) -> cc.Circuit:
    R = started(boards)
    return cc.ColorOrgan(R, (R, R), R)


def own(boards: int) -> cc.Circuit:
    return OwnOrgan({name: started(boards) for name in OwnOrgan.components})


def netlist(boards: int) -> cc.Circuit:
    names = ("R1", "R2", "R3", "R4")
    values = {name: started(boards) for name in names}
    outputs = {name: f"V({name})" for name in ("low", "band", "high")}
    return cc.read_netlist(NETLIST, outputs, learn=names, values=values)


MAKE: dict[str, Callable[[int], cc.Circuit]] = {
    "ColorOrgan": stock,
    "a Circuit of one's own": own,
    "a netlist": netlist,
}


class Ours:
    """Fits of one kind of circuit to a case; the last result is kept."""

    def __init__(self, make: Callable[[int], cc.Circuit], case: Case, dtype: torch.dtype = torch.float64):
        self.make, self.boards, self.dtype = make, len(case.y), dtype
        f, y = (torch.from_numpy(table).to(dtype) for table in (case.f, case.y))
        self.data = cc.Measurements(f, "magnitude", y, outputs=("low", "band", "high"))
        self.result: cc.Fit

    def seconds(self, threads: int = 1) -> float:
        """Of one fit, from the start."""
        circuit, big = self.make(self.boards).to(self.dtype), self.boards >= 100_000  # where it compiles unasked
        torch.set_num_threads(threads)
        began = time.perf_counter()
        self.result = cc.fit(circuit, self.data, history=False, progress=False, compile=None if big else True)
        took = time.perf_counter() - began
        torch.set_num_threads(1)
        return took

    def values(self) -> np.ndarray:
        """Resistors `(boards, 4)` of the last fit."""
        return torch.stack(list(self.result.values.values()), -1).double().numpy()

    def evaluations(self) -> float:
        """At least one a step and the first, over all boards."""
        return float(torch.as_tensor(self.result.steps, dtype=torch.float64).sum()) + self.boards


def wall(function: Callable[[], object]) -> Callable[[], float]:
    """A function that returns the seconds of a call."""

    def timed() -> float:
        began = time.perf_counter()
        function()
        return time.perf_counter() - began

    return timed


def faster(times: Times, boards: Mapping[str, int], name: str, than: str) -> list[float]:
    """How many times the boards a second of another, round by round."""
    return [boards[name] / boards[than] * ratio for ratio in times.ratios(than, name)]


def race_stock(given: argparse.Namespace, case: Case, answers: Answers, roof: Roof) -> None:
    """The stock circuit on one and two threads, against everybody."""
    ours, narrow, loop = Ours(stock, case), Ours(stock, case, torch.float32), SciPyLoop(case, given.loop)

    def alone() -> float:
        roof.measure()  # right beside the fit, for the machine may change its pace
        return ours.seconds()

    players = {"ohmgrad": alone, "ohmgrad, two threads": lambda: ours.seconds(2), "SciPy": wall(loop)}
    players |= {"ohmgrad, float32": narrow.seconds, "ohmgrad, float32, two threads": lambda: narrow.seconds(2)}
    boards = {name: len(loop.y) if name == "SciPy" else ours.boards for name in players}
    interpreter = jax_interpreter(given.jax_python)
    narrow.seconds()
    ours.seconds()  # whatever is compiled or read at first use is not of a fit
    if interpreter is None:
        absent("JAX, jaxopt, optimistix", "pip install them, or give --jax-python an interpreter that has them")
        judge_stock(Times(players, given.rounds), boards, (ours, narrow), answers, roof)
        return
    few = min(len(case.y), given.jax_boards)
    asked = {"f": case.f, "y": case.y[:few], "start": np.array(START)}
    with JaxPeers(interpreter, asked, worker=WORKER) as jax:
        for name, why in jax.failed.items():
            absent(name, why)
        for name in jax.compiling:
            answer = jax.ask(name, shown=len(answers.logs))
            boards[name] = answer["boards"]
            apart, _ = answers.apart(np.array(answer["values"]))
            shown(f"largest relative difference from SciPy's answers, {name}", apart, "")
            players[name] = lambda name=name: jax.ask(name)["seconds"]
        judge_stock(Times(players, given.rounds), boards, (ours, narrow), answers, roof)


def judge_stock(times: Times, boards: dict[str, int], ours: tuple[Ours, Ours], answers: Answers, roof: Roof) -> None:
    """Rates and figures of the stock circuit."""
    for name in times:
        rate = [boards[name] / seconds for seconds in times.seconds[name]]
        shown(f"boards a second: {name}", rate, "/s")
    what = "boards a second over a Python loop of SciPy's lm with Jacobian, "
    for name in ("ohmgrad", "ohmgrad, float32"):
        precision = "float32" if name.endswith("float32") else "float64"
        at_least(f"{what}{precision}, one thread", faster(times, boards, name, "SciPy"), 300)
        at_least(f"{what}{precision}, two threads", faster(times, boards, f"{name}, two threads", "SciPy"), 500)
    for name in [*times][5:]:
        wanted = 1.5 if name.startswith("JAX by hand") else 10
        own = "ohmgrad, float32" if name.endswith("float32") else "ohmgrad"
        at_least(f"boards a second over {name}", faster(times, boards, own, name), wanted)
    wide, narrow = ours
    same_answers("ColorOrgan", wide, answers)
    same_answers("ColorOrgan in float32", narrow, answers)
    below_the_roof(times, boards, wide, roof)


def below_the_roof(times: Times, boards: dict[str, int], ours: Ours, roof: Roof) -> None:
    """The least time that the evaluations of the fit allow, and the ratio to SciPy that this would be."""
    if not roof.is_there:
        absent("the roofline", "no C compiler")
        return
    steps, points = ours.evaluations(), ours.data.f.shape[-1]
    shown("evaluations a board", steps / ours.boards, "")
    for kind, measured in roof.rounds.items():
        rates = measured[-len(times.seconds["ohmgrad"]) :]
        shown(f"rsqrt(1 + x²) a second, {kind}, one thread", [rate / 1e9 for rate in rates], "G/s")
        least = [least_seconds(steps, points, rate) for rate in rates]
        pairs = zip(least, times.seconds["SciPy"], strict=True)
        limit = [ours.boards / one * seconds / boards["SciPy"] for one, seconds in pairs]
        shown(f"boards a second over SciPy's lm at the roofline of {kind}, one thread", limit)
        ratios = [seconds / one for one, seconds in zip(least, times.seconds["ohmgrad"], strict=True)]
        name = f"time over the roofline of {kind}, one thread"
        at_most(name, ratios, 1.5) if kind == "float64" else shown(name, ratios)


def same_answers(name: str, ours: Ours, answers: Answers) -> None:
    """Against SciPy's, gone on to the last digit."""
    apart, cost = answers.apart(ours.values())
    share = f"of {answers.told.mean():.0%} of the boards, whose data tell all four resistors to 5 %"
    at_most(f"largest relative difference from SciPy's answers, {name}", apart, 1e-6, "", share)
    at_most(f"largest relative excess over SciPy's cost, {name}", cost, 1e-9, "", "all boards")


def race_generic(given: argparse.Namespace, case: Case, answers: Answers, wanted: float, title: str) -> None:
    """Circuits of which nothing is known, against the same loop; one thread."""
    loop = SciPyLoop(case, given.loop)
    for name, make in MAKE.items():
        if name == "ColorOrgan" and title == "generic":
            continue
        ours = Ours(make, case)
        ours.seconds()
        times = Times({"ohmgrad": ours.seconds, "SciPy": wall(loop)}, min(given.rounds, 3))
        boards = {"ohmgrad": ours.boards, "SciPy": len(loop.y)}
        said = f"{title}: {name}"
        shown(f"boards a second: {said}", [ours.boards / seconds for seconds in times.seconds["ohmgrad"]], "/s")
        at_least(
            f"boards a second over the loop of SciPy's lm, {said}", faster(times, boards, "ohmgrad", "SciPy"), wanted
        )
        same_answers(said, ours, answers)


def again(given: argparse.Namespace, section: str, extra: Mapping[str, str]) -> None:
    """A section in a process of its own, with other settings in its environment."""
    numbers = {"boards": given.boards, "points": given.points, "loop": given.loop, "rounds": given.rounds}
    if section == "eager":  # whose rate is the same on fewer boards, and would take an hour on all
        numbers |= {"boards": min(given.boards, EAGER_BOARDS), "rounds": min(given.rounds, 3)}
    options = [part for name, number in numbers.items() for part in (f"--{name}", str(number))]
    command = [sys.executable, __file__, "--inside", section, *options]
    done = subprocess.run(command, env={**os.environ, **extra}, check=False)
    if done.returncode:
        raise SystemExit(f"the process of the section {section} ended with {done.returncode}")


def peak(given: argparse.Namespace, case: Case) -> None:
    """The highest resident set of a process that draws its data and fits; Linux counts kilobytes, macOS bytes."""
    ours = Ours(stock, case)
    ours.seconds(2)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)
    at_most(f"peak memory of the process, {given.boards:,} boards", most, 2.0, "GB", "data included")


def parse() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", type=int, default=100_000)
    parser.add_argument("--points", type=int, default=200, help="tones a board")
    parser.add_argument("--loop", type=int, default=300, help="boards of the Python loop")
    parser.add_argument("--jax-boards", type=int, default=40_000, help="boards of JAX by hand")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=SECTIONS, help="this section; may be repeated")
    parser.add_argument("--jax-python", metavar="P", help="an interpreter that has jax, jaxopt and optimistix")
    parser.add_argument("--quick", action="store_true", help="a smoke run: few boards, one round")
    parser.add_argument("--inside", choices=SECTIONS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.quick:
        given.boards, given.points, given.loop, given.jax_boards, given.rounds = 20, 40, 4, 20, 1
    return given


def main() -> None:
    """Run the sections and print them."""
    given = parse()
    torch.set_num_threads(1)
    case = draw(given.boards, given.points)
    if given.inside == "memory":
        return peak(given, case)
    answers = Answers(case, min(given.loop, given.boards))
    if given.inside == "eager":
        return race_generic(given, case, answers, 30, "no compiler")
    sections = given.only or SECTIONS
    print(f"torch {torch.__version__}; {given.boards:,} color organs × 3 × {given.points}, {given.rounds} rounds")
    if "stock" in sections:
        with Roof() as roof:
            race_stock(given, case, answers, roof)
    if "generic" in sections:
        race_generic(given, case, answers, 150, "generic")
    if "eager" in sections:
        again(given, "eager", NO_COMPILER)
    if "memory" in sections:
        again(given, "memory", {})


if __name__ == "__main__":
    main()
