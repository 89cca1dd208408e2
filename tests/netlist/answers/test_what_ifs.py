import random

import pytest
import torch

from circuits.errors import NetlistError, OptionError, UnknownName
from circuits.netlist.answers import single_changes as module
from circuits.netlist.answers.changes import Change, all_changes, altered
from circuits.netlist.answers.checks import check_solvable
from circuits.netlist.answers.pencil import free_values, known_values
from circuits.netlist.answers.single_changes import what_ifs
from circuits.netlist.outputs import parse_output
from circuits.netlist.solver.system import System
from netlist.answers.benches import leaves, net
from netlist.oracles import precise
from netlist.oracles.random_nets import ladder, mixed, rlc

F = torch.logspace(0, 6, 7, dtype=torch.float64)
V = "V1 in 0 AC 1"


def asked(netlist, *texts):
    return [parse_output(text).resolved(netlist) for text in texts]


def honest(netlist, outputs, change, f=F, values=None):
    """The changed circuit solved on its own, `(k, n)`; None where it has no solution."""
    changed, free = altered(netlist, change), free_values(netlist, values)
    if change.how == "factor":
        free[change.name] = free[change.name] * change.factor
    rows = []
    for output in outputs:
        measured = output.measured_on(changed)
        try:
            check_solvable(measured, known_values(measured, free))
        except NetlistError:
            return None
        system = System(measured, currents=output.currents)
        rows.append(output.combined(system.response(free, f, output.functionals(system.formulation))))
    return torch.stack(torch.broadcast_tensors(*rows), -2)


def agree(found, wanted):
    """To 1e-9 of each number; what is left of an exact zero, or of a ratio to one, does not count."""
    seen, huge = wanted.abs() > 1e-15, ~(wanted.abs() < 1e12)
    is_near = (found - wanted).abs() <= 1e-9 * wanted.abs()
    return bool(is_near[seen & ~huge].all()) and not bool((found.abs() < 1e12)[huge].any())


BENCHES = {
    "RC": ((V, "R1 in out 1k", "C1 out 0 1u"), ("V(out)/V(in)", "V(in,out)", "Z(out)")),
    "asked currents": (
        (V, "R1 in a 1k", "L1 a out 1m", "C1 out 0 1u", "R2 out 0 1k"),
        ("I(R1)", "V(out)/I(L1)", "I(C1)"),
    ),
    "coupled coils": (
        (V, "R1 in a 10", "L1 a 0 1m", "L2 b 0 4m", "K1 L1 L2 0.8", "R2 b 0 50", "C1 b 0 1n", "R3 b 0 1k"),
        ("V(b)", "Z(a)"),
    ),
    "a line": ((V, "R1 in a 50", "T1 a 0 b 0 Z0=75 TD=10n", "R2 b 0 75", "C1 b 0 1n"), ("V(b)", "V(a)/V(b)")),
    "an amplifier": (
        (
            V,
            "R1 in m 1k",
            "R2 m out 10k",
            "C1 m out 1n",
            "E1 out 0 0 m 1e4",
            "Rl out 0 1k",
            "G1 x 0 out 0 1m",
            "R5 x 0 2k",
        ),
        ("V(out)", "V(x)", "I(R2)"),
    ),
    "currents that control": (
        (V, "R1 in a 1k", "F1 0 b V1 5", "R2 b 0 1k", "R3 a 0 1k", "H1 c 0 V1 100", "R4 c b 1k"),
        ("V(b)", "V(c)"),
    ),
    "one value for many parts": (
        (
            V,
            ".param R=1k",
            ".param C={1u*R/1k}",
            "R1 in a {R}",
            "R2 a out {2*R}",
            "C1 a 0 {C}",
            "C2 out 0 {C}",
            "R3 out 0 5k",
            "R4 a out {R}",
            "R5 out a {R}",
        ),
        ("V(out)",),
    ),
    "diffusion": (
        (V, "R1 in a 1k", "X1 a b cpe q=1u alpha=0.8", "X2 b 0 warburg sigma=100", "X3 b 0 warburg_short r=1k tau=1m"),
        ("V(a)", "V(b)", "I(X1)"),
    ),
}


@pytest.mark.parametrize("name", BENCHES)
def test_every_change_is_as_if_solved_anew(name):
    lines, texts = BENCHES[name]
    bench = net(*lines)
    outputs = asked(bench, *texts)
    found = what_ifs(bench, F, outputs)
    assert found.changes == all_changes(bench)
    assert found.response.shape == (len(found.changes), len(texts), 7)
    for change, H in zip(found.changes, found.response, strict=True):
        wanted = honest(bench, outputs, change)
        if wanted is None:
            assert change in found.impossible and H.isnan().any()
        else:
            assert agree(H, wanted), change


def test_random_nets():
    """Each change of ten nets; where digits are lost, sixty tell how many, relative to the largest voltage there is."""
    compared = 0
    for seed in range(10):
        bench = mixed(seed, 8) if seed % 2 else rlc(8, seed)
        check_solvable(bench)
        nodes = sorted({node for e in bench.elements for node in e.nodes} - {"0"})
        outputs = asked(bench, f"V({random.Random(seed).choice(nodes)})")
        found = what_ifs(bench, F, outputs)
        for change, H in zip(found.changes, found.response, strict=True):
            wanted = honest(bench, outputs, change)
            if wanted is None:
                assert change in found.impossible
                continue
            compared += 1
            if not agree(H, wanted):
                wanted, largest = exact(bench, outputs[0], change)
                assert float(((H[0] - wanted).abs() / largest).max()) < 1e-9, (seed, str(change))
    assert compared > 400


def exact(bench, output, change):
    free = {n: float(v) for n, v in free_values(bench).items()}
    if change.how == "factor":
        free[change.name] *= change.factor
    solutions = [precise.solve(altered(bench, change), float(f), values=free).voltages for f in F]
    asked_for = torch.tensor([one[output.numerator.names[0]] for one in solutions], dtype=torch.complex128)
    return asked_for, torch.tensor([max(abs(v) for v in one.values()) for one in solutions], dtype=torch.float64)


def test_the_changed_circuit_is_solved_only_where_digits_would_be_lost(monkeypatch):
    bench = net(V, "R1 in out 1k", "C1 out 0 1u", "R2 out 0 1meg")
    outputs, made = asked(bench, "V(out)"), []

    def counted(*arguments, **options):
        made.append(arguments)
        return System(*arguments, **options)

    changes = [Change("R1", "factor", 2.0), Change("R2", "open"), Change("C1", "factor", 0.5)]
    what_ifs(bench, F, outputs, changes, make=counted)
    assert len(made) == 1
    opened = [Change("C1", "open")]  # at 1 MHz all but 3e-8 of the current goes through it
    assert agree(what_ifs(bench, F, outputs, opened, make=counted).response[0], honest(bench, outputs, opened[0]))
    monkeypatch.setattr(module, "ROUGH", float("inf"))
    rough = what_ifs(bench, F * 1e6, outputs, opened).response[0]
    assert not agree(rough, honest(bench, outputs, opened[0], F * 1e6))


def test_what_is_impossible_says_why():
    bench = net(V, "R1 in out 1k", "C1 out x 1u", "R2 x 0 1k", "R3 in 0 1")
    found = what_ifs(bench, F, asked(bench, "V(out)"))
    reasons = {str(change): reason for change, reason in found.impossible.items()}
    assert set(reasons) == {"R3 shorted"}
    assert "V1 and wire across R3 form a loop" in reasons["R3 shorted"]
    chain = net("I1 0 a AC 1", "R1 a b 1k", "R2 b 0 1k")
    reasons = {str(c): reason for c, reason in what_ifs(chain, F, asked(chain, "V(a)")).impossible.items()}
    assert set(reasons) == {"R1 open", "R2 open"}
    assert "no path to ground" in reasons["R2 open"]


def test_changes_of_a_source():
    bench = net("V1 in 0 AC {A}", ".param A=2", "R1 in out 1k", "R2 out 0 1k")
    assert "A" not in {change.name for change in all_changes(bench)}
    found = what_ifs(bench, F, asked(bench, "V(out)"), [Change("A", "factor", 3.0)])
    assert found.response.real.flatten().tolist() == pytest.approx([3.0] * 7)


def test_choosing_changes():
    bench = net(V, "R1 in out 1k", "C1 out 0 1u", "E1 x 0 out 0 2", "R2 x 0 1")
    names = [str(change) for change in all_changes(bench, (1.1,), parts=["r1", "E1"])]
    assert names == ["R1 × 1.1", "R1 open", "R1 shorted", "E1 × 1.1"]
    names = [str(change) for change in all_changes(bench, (), opened=False, parts=["C1"])]
    assert names == ["C1 shorted"]
    assert what_ifs(bench, F, asked(bench, "V(out)"), []).response.shape == (0, 1, 7)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda: Change("R1", "burnt"), OptionError, "how='burnt' for R1; expected one of factor, open, short"),
        (lambda: Change("R9", "open"), UnknownName, "no element 'R9'; known: V1, R1"),
        (lambda: Change("V1", "short"), OptionError, "V1 is no two-terminal passive part"),
        (lambda: Change("R9", "factor"), UnknownName, "no free parameter 'R9'"),
        (lambda: Change("D", "factor"), OptionError, "D follows from other values; change one of those"),
    ],
)
def test_changes_that_cannot_be(change, error, words):
    bench = net(V, ".param A=1k", ".param D={2*A}", "R1 in out {A}", "R2 out 0 {D}")
    with pytest.raises(error, match=words):
        what_ifs(bench, F, asked(bench, "V(out)"), [change()])
    with pytest.raises(OptionError, match="what-ifs of no output"):
        what_ifs(bench, F, [])


def test_boards():
    bench = net(V, "R1 in out 1k", "C1 out 0 1u", "R2 out 0 2k")
    R = torch.tensor([[1e3], [5e3]], dtype=torch.float64)
    outputs, changes = asked(bench, "V(out)", "Z(out)"), all_changes(bench)
    found = what_ifs(bench, F, outputs, changes, {"R1": R})
    assert found.response.shape == (2, 1, len(changes), 2, 7)
    alone = what_ifs(bench, F, outputs, changes, {"R1": R[1, 0]})
    torch.testing.assert_close(found.response[1, 0], alone.response, rtol=1e-12, atol=1e-15)


def test_gradients():
    bench = net(V, "R1 in out 1k", "C1 out 0 1u", "R2 out 0 2k", "L1 out x 1m", "R3 x 0 1k")
    values, outputs = leaves(bench), asked(bench, "V(out)")
    changes = [change for change in all_changes(bench) if str(change) not in ("R1 open", "C1 shorted", "R2 shorted")]

    def answer(*scale):
        moved = {name: values[name] * k for name, k in zip(("R1", "C1", "L1"), scale, strict=True)}
        return torch.view_as_real(what_ifs(bench, F[1:4], outputs, changes, {**values, **moved}).response)

    ones = [torch.ones((), dtype=torch.float64, requires_grad=True) for _ in range(3)]
    assert torch.autograd.gradcheck(answer, ones)


def test_a_long_ladder_is_factored_once_for_all_values_and_again_only_where_nothing_arrives():
    bench, made = ladder(30), []
    outputs, f = asked(bench, "V(n31)/V(n1)"), torch.logspace(3, 5, 20, dtype=torch.float64)

    def counted(*arguments, **options):
        made.append(arguments)
        return System(*arguments, **options)

    changes = all_changes(bench, (0.9, 1.1))
    found = what_ifs(bench, f, outputs, changes, make=counted)
    cut = [
        c for c in changes if str(c).startswith("R") and c.how == "open" or str(c).startswith("C") and c.how == "short"
    ]
    assert len(made) <= 1 + len(cut) == 61
    for change in changes[::7]:
        assert agree(found.response[changes.index(change)], honest(bench, outputs, change, f))
    for change in cut:
        assert float(found.response[changes.index(change)].abs().max()) < 1e-15
