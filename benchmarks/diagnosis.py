"""A thousand boards with one faulty part each, and a hundred without: `python benchmarks/diagnosis.py`.

Every other part is drawn evenly within its tolerance (5 % resistors, 10 % capacitors), magnitudes carry 1 % of noise,
and the fault is drawn evenly from the part's value off (by a factor of 1.6 to 5, up or down), open, shorted, a decade
wrong, and two parts of a kind swapped. Parts are opened and shorted exactly, by `what_ifs` of the netlist, not by the
limits that the diagnosis uses.

Half the boards are the textbook's color organ, where only products R·C act: which parts look alike there is known on
paper, and the group that is named has to be exactly that. Half are the organ as built, from its netlist, where the
filters load each other and one part can be told from another.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections import Counter
from pathlib import Path

import torch
from reporting import at_least, shown

import circuits as cc
from circuits.lab import Fault, diagnose
from circuits.netlist import NetlistCircuit, to_netlist
from circuits.netlist.answers.changes import Change

NETLIST = Path(__file__).parent.parent / "examples" / "netlists" / "organ.cir"
OUTPUTS = {name: f"V({name})/V(in)" for name in ("low", "band", "high")}
PARTS = {"Ω": 0.05, "F": 0.10}
KINDS = ("value off", "open", "shorted", "wrong decade", "swapped")


def boards() -> dict[str, tuple[cc.Circuit, NetlistCircuit]]:
    """The circuit on paper, and the same as a netlist to make boards of."""
    organ = cc.ColorOrgan(low=200.0, band=(40.0, 160.0), high=33.0)
    paper = NetlistCircuit(to_netlist(organ), {name: f"V({name})" for name in OUTPUTS})
    built = cc.read_netlist(str(NETLIST), OUTPUTS)
    return {"color organ": (organ, paper), "organ.cir": (built, built)}


def parts_of(circuit: cc.Circuit) -> list[str]:
    """Resistors and capacitors outside subcircuits; those of the stock organ have a point in their names."""
    inside = ("Xamp.", "Xsource.", "Xlow.", "Xband.", "Xhigh.")
    return [n for n, unit in circuit.units().items() if unit in PARTS and not n.startswith(inside)]


def draw(circuit: cc.Circuit, kind: str, generator: torch.Generator) -> tuple[Fault, dict[str, float]]:
    """A fault of a kind, and the values of a board that has it; open and shorted parts keep theirs."""
    names, units, values = parts_of(circuit), circuit.units(), {}
    for name in names:
        share = 2 * torch.rand((), generator=generator).item() - 1
        values[name] = circuit.get_parameter(name).item() * (1 + PARTS[units[name]] * share)
    part = names[int(torch.randint(len(names), (), generator=generator))]
    up, size = torch.rand(2, generator=generator).tolist()
    if kind == "value off":
        values[part] *= (1.6 * (5 / 1.6) ** size) ** (1 if up < 0.5 else -1)
    if kind == "wrong decade":
        factor = (0.1, 10.0, 0.01, 100.0)[int(4 * size)]
        values[part] *= factor
        return Fault(kind, (part,), factor), values
    if kind != "swapped":
        return Fault(kind, (part,)), values
    nominal = {name: circuit.get_parameter(name).item() for name in names}
    pairs = [
        (a, b) for i, a in enumerate(names) for b in names[i + 1 :] if units[a] == units[b] and nominal[a] != nominal[b]
    ]
    a, b = pairs[int(torch.randint(len(pairs), (), generator=generator))]
    values[a], values[b] = values[b], values[a]
    return Fault(kind, (a, b)), values


def measure(source: NetlistCircuit, fault: Fault, values: dict[str, float], f, generator) -> cc.Measurements:
    """Magnitudes of that board, each with 1 % of noise and 0.1 % of full scale."""
    board = copy.deepcopy(source)
    with torch.no_grad():
        for name, value in values.items():
            board.get_parameter(name).fill_(value)
        if fault.kind in ("open", "shorted"):
            change = Change(fault.parts[0], "open" if fault.kind == "open" else "short")
            level = board.what_ifs(f, [change]).response[0].abs()
        else:
            level = board.magnitude(f)
        sigma = torch.hypot(0.01 * level, 0.001 * source.magnitude(f).max())
    noisy = level + sigma * torch.randn(level.shape, generator=generator, dtype=level.dtype)
    return cc.Measurements(f, "magnitude", noisy, sigma, tuple(OUTPUTS))


def alike_on_paper(fault: Fault) -> set[str]:
    """Parts of the textbook's organ in which a fault looks the same as this one: an R·C, or a filter that is dead."""
    if fault.kind == "swapped":
        return set(fault.parts)
    name, _, part = fault.parts[0].partition(".")
    if name != "band":
        return {f"{name}.R", f"{name}.C"}
    dead = {("R_low", "open"), ("C_low", "shorted"), ("R_high", "shorted"), ("C_high", "open")}
    if (part, fault.kind) in dead:
        return {f"band.{one}" for one, _ in dead}
    return {f"band.R_{part[2:]}", f"band.C_{part[2:]}"}


def run(name: str, circuit: cc.Circuit, source: NetlistCircuit, count: int, healthy: int, seed: int) -> bool:
    """Diagnose boards, and print how often it is right."""
    generator, f = torch.Generator().manual_seed(seed), cc.log_grid(40, 20.0, 50e3)
    tally, misses, took = Counter(), [], 0.0
    for index in range(count):
        fault, values = draw(circuit, KINDS[index % len(KINDS)], generator)
        data = measure(source, fault, values, f, generator)
        began = time.perf_counter()
        found = diagnose(circuit, data, tolerances={"R": 0.05, "C": 0.10})
        took += time.perf_counter() - began
        named = [set(one.parts) for one in (*found.group, *found.unseen)]  # a healthy verdict says what may hide
        told = len(named) == 1
        tally["told"] += told
        tally["told, right"] += told and named[0] == set(fault.parts)
        tally["not told, named"] += not told and set(fault.parts) in named
        tally["as on paper"] += set().union(*named) == alike_on_paper(fault) if name == "color organ" else 0
        if set(fault.parts) not in named:
            misses.append(f"{fault}: {found.verdict}")
    whole = 0
    for _ in range(healthy):
        values = draw(circuit, "open", generator)[1]
        data = measure(source, Fault(), values, f, generator)
        whole += diagnose(circuit, data, tolerances={"R": 0.05, "C": 0.10}).healthy
    return report(name, count, tally, misses, took, whole / max(healthy, 1))


def report(name: str, count: int, tally: Counter, misses: list[str], took: float, whole: float) -> bool:
    """The rates, and whether they are what they have to be."""
    told, rest = tally["told"], count - tally["told"]
    right, named = tally["told, right"] / max(told, 1), tally["not told, named"] / max(rest, 1)
    print(f"\n{name}: {count} faulty boards, {1e3 * took / max(count, 1):.0f} ms each")
    print(f"  told alone        {told:5d}, right {100 * right:.1f} %")
    print(f"  cannot tell       {rest:5d}" + f", the right one among those named {100 * named:.1f} %" * bool(rest))
    if name == "color organ":
        print(f"  group exactly as on paper {100 * tally['as on paper'] / count:.1f} %")
    print(f"  healthy boards called healthy {100 * whole:.1f} %")
    for miss in misses[:8]:
        print(f"  missed  {miss}")
    shares = {"healthy boards called healthy": whole}
    shares |= {"right where the data can tell": right} if told else {}
    shares |= {"named where the data cannot tell": named} if rest else {}
    shown(f"{name}, a diagnosis", 1e3 * took / max(count, 1), "ms")
    return all([at_least(f"{name}, {what}", 100 * share, 95, "%").met for what, share in shares.items()])


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boards", type=int, default=1000, help="faulty boards, half of each circuit")
    parser.add_argument("--healthy", type=int, default=50, help="healthy boards of each circuit")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name, (circuit, source) in boards().items():
        run(name, circuit, source, given.boards // 2, given.healthy, given.seed)


if __name__ == "__main__":
    main()
