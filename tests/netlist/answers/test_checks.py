import random
import time

import pytest

from circuits.errors import NetlistError
from circuits.netlist.answers import checks
from circuits.netlist.answers.checks import check_solvable
from circuits.netlist.answers.pencil import free_values, known_values
from circuits.netlist.elements import Netlist
from netlist.answers.benches import net
from netlist.oracles import precise
from netlist.oracles.building import Bench
from netlist.oracles.elimination import Singular
from netlist.oracles.random_nets import ladder, mixed, rlc

DRIVE = "V1 in 0 AC 1"
SINGULAR = {
    "two sources in parallel": ((DRIVE, "V2 in 0 AC 1", "R1 in 0 1"), "V1 and V2 form a loop"),
    "a loop of three": ((DRIVE, "V2 a 0 0", "V3 a in 0", "R1 in 0 1"), "V1, V2 and V3 form a loop"),
    "a source shorted upon itself": ((DRIVE, "R1 in a 1", "V2 a a 1"), "V2 is a loop"),
    "a floating loop": ((DRIVE, "R1 in a 1", "V2 a b 1", "V3 a b 1"), "V2 and V3 form a loop"),
    "a wire of zero ohms across": ((DRIVE, "R1 in 0 0"), "V1 and R1 form a loop"),
    "a transformer's secondary": (
        (DRIVE, "R1 in p 1", "L1 p 0 1", "L2 s1 s2 1", "K1 L1 L2 0.5", "R2 s1 s2 50"),
        r"nodes s1 and s2 have no path to ground of L2 and R2 \(a coupling, K1, is no path\).*connect s1 to node 0",
    ),
    "a node of current sources": (
        (DRIVE, "R1 in 0 1", "I1 0 x 1", "I2 x 0 1"),
        "node x has no path .* beyond I1 and I2",
    ),
    "no ground at all": (("V1 a b AC 1", "R1 a b 1"), "V1 has no way to ground: no element is connected to node 0"),
    "the far end of a line": ((DRIVE, "T1 in 0 out back Z0=50 TD=1n", "R1 out back 50"), "nodes out and back"),
    "a controlled source alone": ((DRIVE, "R1 in 0 1", "G1 x 0 in 0 1m"), r"V\(x\) is not determined .* G1"),
    "a feedback of exactly one": (
        (DRIVE, "R1 in x 0.1", "R2 x y 0.3", "E1 y 0 x 0 4"),  # x keeps 3/4 of y, and y is four times x
        r"V\(x\), V\(y\) and I\(E1\) are not determined at any frequency: the equations of node x and E1",
    ),
    "a negative resistance that cancels": ((DRIVE, "R1 in x 1k", "R2 x 0 1k", "G1 x 0 x 0 -2m"), r"V\(x\) .* G1"),
    "a perfect transformer between sources": (
        (DRIVE, "L1 in 0 1", "L2 s 0 4", "K1 L1 L2 1", "V2 s 0 0"),
        r"I\(L1\) and I\(L2\) are not determined .* K1",
    ),
    "a controlled voltage across another": ((DRIVE, "R1 in x 1", "R2 x 0 1", "E1 in 0 x 0 2"), r"I\(E1\)|V\("),
}
FINE = {
    "a dangling part": (DRIVE, "R1 in out 1", "R2 out x 1"),
    "a node of capacitors": (DRIVE, "C1 in out 1u", "C2 out 0 1u"),
    "a winding that is grounded": (DRIVE, "L1 in 0 1", "L2 s 0 1", "K1 L1 L2 0.999999", "R1 s 0 1"),
    "a perfect transformer with a load": (DRIVE, "R1 in p 1", "L1 p 0 1", "L2 s 0 1", "K1 L1 L2 1", "R2 s 0 1"),
    "a feedback of nearly one": (DRIVE, "R1 in x 0.1", "R2 x y 0.3", "E1 y 0 x 0 4.000000000001"),
    "a gyrator": (DRIVE, "R1 in a 1", "G1 a 0 b 0 1m", "G2 b 0 a 0 -1m"),
    "1 TΩ beside 1 mΩ": (DRIVE, "R1 in a 1e12", "R2 a b 1m", "R3 b 0 1e12", "E1 c 0 a b 1", "R4 c 0 1"),
    "a resistor upon itself": (DRIVE, "R1 in 0 1", "R2 in in 1"),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_singular_circuits_are_named_with_their_place(name):
    lines, words = SINGULAR[name]
    with pytest.raises(NetlistError, match=words) as caught:
        check_solvable(net(*lines))
    assert str(caught.value).split(":")[1].isdecimal()


@pytest.mark.parametrize("name", FINE)
def test_circuits_with_a_solution_pass(name):
    check_solvable(net(*FINE[name]))


DC = {
    "a source across an inductor": ((DRIVE, "L1 in 0 1"), "V1 and L1 form a loop without resistance at 0 Hz"),
    "inductors in parallel": ((DRIVE, "R1 in a 1", "L1 a 0 1", "L2 a 0 2"), "L1 and L2 form a loop"),
    "a node behind capacitors": (
        (DRIVE, "C1 in out 1", "C2 out 0 1"),
        "node out has no path to ground at 0 Hz beyond C1 and C2",
    ),
    "a line between sources": ((DRIVE, "T1 in 0 out 0 Z0=50 TD=1n", "V2 out 0 0"), r"I\(T1.*at 0 Hz"),
}


@pytest.mark.parametrize("name", DC)
def test_what_is_singular_at_dc_alone(name):
    lines, words = DC[name]
    check_solvable(net(*lines))
    with pytest.raises(NetlistError, match=words):
        check_solvable(net(*lines), dc=True)


@pytest.mark.parametrize("value", [1, 2, 3, 5, 0.7])
def test_perfectly_coupled_equal_coils_in_parallel(value):
    """Only the sum of their currents is determined; with unequal coils each of them is."""
    coils = [DRIVE, "R1 in a 1", f"L1 a 0 {value}", f"L2 a 0 {value}", "K1 L1 L2 1"]
    with pytest.raises(NetlistError, match=r"I.L1. and I.L2. are not determined at any frequency"):
        check_solvable(net(*coils))
    check_solvable(net(*coils[:3], f"L2 a 0 {4 * value}", "K1 L1 L2 1"))


def test_values_decide_and_those_given_come_first():
    bench = net(DRIVE, "R1 in x 1k", "R2 x y 1k", "E1 y 0 x 0 2")
    with pytest.raises(NetlistError, match="follow from each other"):
        check_solvable(bench)
    check_solvable(bench, known_values(bench, free_values(bench) | {"E1": free_values(bench)["E1"] * 1.01}))


def wild(seed: int) -> Netlist:
    """A few elements of simple values thrown between a few nodes: a third of such nets is singular."""
    chance, bench = random.Random(f"wild {seed}"), Bench(f"wild net {seed}")
    nodes = ["0", "a", "b", "c", "d"][: chance.randint(2, 5)]
    bench.add("V", "1", ("a", "0"), ac=1.0)
    inductors = []
    for i in range(2, chance.randint(4, 10)):
        kind, two = chance.choice("RRRRCLLIVEFGHT"), chance.sample(nodes, 2)
        value = chance.choice((0.1, 0.3, 1.0, 2.0, 3.0)) * chance.choice((1, 1, -1) if kind in "EFGH" else (1,))
        if kind in "IV":
            bench.add(kind, str(i), two, ac=1.0)
        elif kind == "T":
            bench.add(kind, str(i), [*two, *chance.sample(nodes, 2)], roles={"z0": value, "td": 1e-9})
        elif kind in "EG":
            bench.add(kind, str(i), [*two, *chance.sample(nodes, 2)], value)
        else:
            bench.add(kind, str(i), two, value, of=["V1"] if kind in "FH" else [])
            inductors += [f"L{i}"] if kind == "L" else []
    if len(inductors) > 1:
        bench.add("K", "0", "", chance.choice((0.5, 1.0)), of=inductors[:2])
    return bench.netlist()


def is_singular(netlist: Netlist, f: float, dc: bool = False) -> bool:
    try:
        precise.solve(netlist, f, dc=dc)
    except (Singular, KeyError):  # KeyError: an unknown that no equation has
        return True
    return False


def is_refused(netlist: Netlist, dc: bool = False) -> bool:
    try:
        check_solvable(netlist, dc=dc)
    except NetlistError:
        return True
    return False


def test_agrees_with_sixty_digits_on_random_nets():
    nets = [wild(seed) for seed in range(400)]
    singular = [is_singular(netlist, 0.1234) for netlist in nets]
    assert 50 < sum(singular) < 350
    assert [is_refused(netlist) for netlist in nets] == singular
    at_dc = [is_singular(netlist, 0.0, dc=True) for netlist in nets]
    assert [is_refused(netlist, dc=True) for netlist in nets] == at_dc


def test_never_refuses_a_net_that_has_a_solution():
    nets = [mixed(seed) for seed in range(60)]
    assert not any(is_refused(netlist) for netlist in nets)
    assert not any(is_singular(netlist, 123.4) for netlist in nets)


def large_active_net() -> Netlist:
    return mixed(3, 1000)


@pytest.mark.parametrize(
    "make", [lambda: ladder(1000), lambda: rlc(1000, 1), large_active_net], ids=["ladder", "rlc", "active"]
)
def test_nets_of_a_thousand_nodes_take_little_time(make):
    netlist = make()
    check_solvable(netlist)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        check_solvable(netlist)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.25  # 5 to 40 ms on a quiet machine


def test_large_nets_are_checked_as_exactly(monkeypatch):
    lines = [DRIVE, "R0 in n0 1k", *(f"R{i} n{i - 1} n{i} 1k" for i in range(1, 200))]
    lines += ["Rx n199 y 1k", "E1 y 0 n199 0 2", "Rz n199 0 1g"]
    check_solvable(net(*lines))
    singular = [*lines[:2], "R1 n0 y 1k", "E1 y 0 n0 0 2", *(f"Q{i} n0 m{i} 1k".replace("Q", "RR") for i in range(200))]
    with pytest.raises(NetlistError, match="E1"):
        check_solvable(net(*singular))
    monkeypatch.setattr(checks, "SMALL", 10**6)
    check_solvable(net(*lines))
