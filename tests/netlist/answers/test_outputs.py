import pytest
import torch

from circuits.errors import OptionError, UnknownName
from circuits.netlist.answers.pencil import free_values
from circuits.netlist.formulation import formulate
from circuits.netlist.outputs import Output, Probe, driven_port, parse_output, resolve_branch, resolve_node
from circuits.netlist.solver.system import System
from netlist.answers.benches import net

BENCH = net(
    "V1 In 0 AC 1", "R1 In Mid 1k", "L1 Mid out 1m", "L2 out 0 1m", "K1 L1 L2 0.5", "T1 out 0 far 0 Z0=50 TD=1n"
)
FORMS = {
    "V(out)": Output(Probe("V", ("out",))),
    " v ( out ) ": Output(Probe("V", ("out",))),
    "V(a,b)": Output(Probe("V", ("a", "b"))),
    "V( a , b )/V(in)": Output(Probe("V", ("a", "b")), Probe("V", ("in",))),
    "i(R1)": Output(Probe("I", ("R1",))),
    "V(x)/I(V1)": Output(Probe("V", ("x",)), Probe("I", ("V1",))),
    "I(X1.R2) / I(V1)": Output(Probe("I", ("X1.R2",)), Probe("I", ("V1",))),
    "Z(in)": Output(Probe("Z", ("in",))),
    "z(a,b)": Output(Probe("Z", ("a", "b"))),
    "V(n+-1)": Output(Probe("V", ("n+-1",))),
}
BAD = {
    "": "cannot read '' in output ''",
    "out": "cannot read 'out'",
    "V()": "cannot read",
    "V(a": "cannot read",
    "V(a,b,c)": "cannot read",
    "V(a)+V(b)": "cannot read '.V.b.' at the end",
    "V(a)/": "cannot read ''",
    "V(a)/V(b)/V(c)": "at the end",
    "W(a)": "'W' in output 'W.a.' is none of V, I and Z",
    "I(a,b)": "a current is of one element: I.a.",
    "Z(a)/V(b)": "has an impedance in a ratio",
    "V(b)/Z(a)": "has an impedance in a ratio",
}


@pytest.mark.parametrize("text", FORMS)
def test_every_form_is_read(text):
    assert parse_output(text) == FORMS[text]
    assert parse_output(str(FORMS[text])) == FORMS[text]


@pytest.mark.parametrize("text", BAD)
def test_anything_else_says_what_is_wrong_and_what_may_stand_there(text):
    with pytest.raises(OptionError, match=BAD[text]) as caught:
        parse_output(text)
    assert "V(a)" in str(caught.value) or "I(a)" in str(caught.value) or "its own" in str(caught.value)


def test_what_is_no_text_is_refused():
    with pytest.raises(OptionError, match="output=7; expected text"):
        parse_output(7)  # type: ignore[arg-type]


def test_names_are_found_in_either_case_and_written_as_the_netlist_does():
    assert str(parse_output("v(MID,GND)/i(r1)").resolved(BENCH)) == "V(Mid,0)/I(R1)"
    assert resolve_node(BENCH, "0") == "0"
    assert resolve_branch(BENCH, "t1.B") == "T1.b"


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("V(nowhere)", UnknownName, "no node 'nowhere'; known: In, 0, Mid, out, far"),
        ("I(R9)", UnknownName, "no element 'R9'; known: V1, R1, L1, L2, T1"),
        ("I(R1.b)", UnknownName, "no element 'R1.b'"),
        ("I(K1)", OptionError, "K1 couples two inductors .* I.L1. or I.L2."),
        ("Z(out,OUT)", OptionError, "between a node and itself"),
        ("Z(0)", OptionError, "between a node and itself"),
    ],
)
def test_names_that_are_not_there(text, error, words):
    with pytest.raises(error, match=words):
        parse_output(text).resolved(BENCH)


def test_of_very_many_names_an_error_lists_the_close_ones():
    big = net(*(f"R{i} n{i} n{i + 1} 1" for i in range(300)), "V1 n0 0 1")
    with pytest.raises(UnknownName, match=r"no node 'n1234'; known: .*n123.*… \(302 in all\)") as caught:
        parse_output("V(n1234)").resolved(big)
    assert len(str(caught.value)) < 200


def test_currents_that_must_be_unknowns():
    assert parse_output("V(a)/I(V1)").currents == ("V1",)
    assert parse_output("I(T1.b)/I(T1)").currents == ("T1",)
    assert parse_output("V(a)").currents == ()


def test_functionals_are_weights_of_the_extended_unknowns():
    made = formulate(BENCH.elements)
    assert parse_output("V(Mid,0)").functionals(made) == ({made.node("Mid"): 1.0},)
    assert parse_output("V(Mid,out)").functionals(made) == ({made.node("Mid"): 1.0, made.node("out"): -1.0},)
    assert parse_output("V(Mid,Mid)").functionals(made) == ({made.node("Mid"): 0.0},)
    assert parse_output("V(In)").functionals(made)[0] == {made.index["V(In)"]: 1.0}
    assert parse_output("I(T1.b)").functionals(made) == ({made.current("T1.b"): 1.0},)


def test_slopes_of_a_ratio_are_those_of_autograd():
    parts = torch.randn(3, 2, 5, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    slopes = torch.randn(3, 4, 2, 5, dtype=torch.complex128, generator=torch.Generator().manual_seed(1))
    output, t = parse_output("V(a)/V(b)"), torch.zeros(4, dtype=torch.float64)

    def moved(t):
        return output.combined(parts + torch.einsum("bpkn,p->bkn", slopes, t.to(torch.complex128)))

    wanted = torch.autograd.functional.jacobian(lambda t: torch.view_as_real(moved(t)), t)
    found = torch.view_as_real(output.slopes(parts, slopes))
    torch.testing.assert_close(found.movedim(1, -1), wanted)


def test_a_driven_port_has_one_ampere_and_nothing_else():
    bench = net("V1 in 0 DC 5 AC 1", "V2 a 0 DC 1 AC 2 30", "I1 a in DC 1 AC 1", "R1 in a 1")
    driven = {e.name: e for e in driven_port(bench, "in").elements}
    assert list(driven) == ["V1", "V2", "I1", "R1"]
    assert driven["V1"].kind == "I" and driven["V1"].values["ac"].value == -1.0
    assert {value.value for name in ("V2", "I1") for value in driven[name].values.values()} == {0.0}
    assert [e.name for e in driven_port(bench, "in", "a").elements][-1] == "Z(in,a)"


def test_a_source_taken_out_still_controls_others():
    bench = net("V1 in 0 AC 1", "R1 in 0 1k", "F1 in 0 V1 0.5")
    output = parse_output("Z(in)").resolved(bench)
    system = System(output.measured_on(bench))
    V = system.response(free_values(bench), torch.tensor([50.0]), output.functionals(system.formulation))
    assert V.item() == pytest.approx(1500.0)  # V/R1 = I + I/2, since F1 puts half of what V1 delivers on top of it
