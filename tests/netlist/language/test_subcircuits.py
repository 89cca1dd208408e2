"""Subcircuits: nodes, parameters and names through every level, against ngspice where it can tell."""

from __future__ import annotations

import pytest

from circuits.errors import NetlistError
from circuits.netlist.expressions import Call, Name, Number
from circuits.netlist.language import parse_netlist
from netlist.language.spice import answers, by_name, parameter_values, value

S = ".subckt s a b r=3\nR1 a b {r}\n.ends\n"
RESISTANCES = {  # ohms between n and ground
    S + "X1 n 0 s": 3,
    S + "X1 n 0 s r=5": 5,
    S + "X1 n 0 s params: r=5": 5,
    S + "x1 N 0 S R = 5": 5,
    S + "X1 (n 0) s r='2+3'": 5,
    S + ".param z=4\nX1 n 0 s r={z*2}": 8,
    S + ".param z=4\nX1 n 0 s r=z": 4,
    S + ".param z=4\nX1 n 0 s r=z*2": 8,
    S + ".param r=7\nX1 n 0 s": 3,
    S + ".param r=7\nX1 n 0 s r={r*2}": 14,
    "X1 n 0 s\n" + S: 3,
    ".SUBCKT S (A B) PARAMS: R=3 Q={R*2}\nR1 A B {q}\n.ENDS S\nX1 n 0 s r=5": 10,
    ".macro s a b\nR1 a b 3\n.eom\nX1 n 0 s": 3,
    ".subckt s a\nR1 a gnd 3\n.ends\nX1 n s": 3,
    ".subckt s a b\n.param r=3\nR1 a b {r}\n.ends\nX1 n 0 s r=5": 5,
    ".subckt s a b\nR1 a b {q}\n.param q={2*r} r=2\n.ends\nX1 n 0 s r=5": 10,
    ".subckt s a b r=3\n.param r=4\nR1 a b {r}\n.ends\nX1 n 0 s": 4,
    ".param r=7\n.subckt s a b\nR1 a b {r}\n.ends\nX1 n 0 s": 7,
    ".param r=7\n.subckt s a b\nR1 a b {r}\n.ends\n.subckt o a b r=9\nX1 a b s\n.ends\nX1 n 0 o": 9,
    ".subckt s a b\nR1 a b {r}\n.ends\n.subckt o a b r=9\nX1 a b s\n.ends\nX1 n 0 o": 9,
    ".subckt o a b r=2\n.subckt s a b\nR1 a b {r}\n.ends\nX1 a b s\n.ends\nX1 n 0 o r=5": 5,
    ".subckt s a b\nR1 a b 9\n.ends\n.subckt o a b\n.subckt s a b\nR1 a b 3\n.ends\nX1 a b s\n.ends\nX1 n 0 o": 3,
    ".subckt s a b p=1 q=2\nR1 a b {p*10+q}\n.ends\n.subckt o a b p=3 q=4\nX1 a b s p={p} q={q}\n.ends\nX1 n 0 o": 34,
    ".param r=7\n.subckt s a b r={r*2}\nR1 a b {r}\n.ends\nX1 n 0 s": 14,
    ".param r=7\n.subckt s a b\n.param r={r*2}\nR1 a b {r}\n.ends\nX1 n 0 s": 14,
    ".subckt s a b p={q*2} q={t+1} t=2\nR1 a b {p}\n.ends\nX1 n 0 s t=4": 10,
    ".param q=9\n.subckt s a b p={q*2} q=3\nR1 a b {p}\n.ends\nX1 n 0 s": 6,
    ".subckt i a b r=1\nR1 a b {r}\n.ends\n.subckt o a b r=2\nX1 a b i r={r}\nX2 a b i r={r*2}\n.ends\nX1 n 0 o r=3": 2,
    ".model m r r=9\n.subckt s a\n.model m r r=8\nR1 a 0 m\n.ends\nX1 n s": 8,
    ".model m r r=9\n.subckt s a\nR1 a 0 m\n.ends\nX1 n s": 9,
    ".param k=4\n.model m r r={k*2}\n.subckt s a k=1\nR1 a 0 m\nR2 a 0 {k*1e9}\n.ends\nX1 n s": 8,
    ".subckt s a r=3\n.func f(x) {x*r}\nR1 a 0 {f(2)}\n.ends\nX1 n s r=5": 10,
    ".func f(x) {x*r}\n.param r=9\n.subckt s a r=3\nR1 a 0 {f(2)}\n.ends\nX1 n s r=5": 10,
    ".global g\nR9 g 0 1\n.subckt s a\nR1 a g 3\n.ends\nX1 n s": 4,
    ".subckt s a\nR1 a 0 6\n.ends\nX1 n s m=3": 2,
    ".subckt s a\nR1 a 0 6\n.ends\nX1 n s m=3\nX2 n s": 1.5,
    ".subckt s a r=3\nR1 a 0 {r}\n.ends\nX1 n s r=6 m={1+1}": 3,
    ".subckt s a m=3\nR1 a 0 {m}\n.ends\nX1 n s m=6": 6,
}


@pytest.mark.parametrize("text", RESISTANCES, ids=repr)
def test_a_subcircuit_has_its_resistance(text: str):
    """All cases are resistors beside each other, but for the one with a resistor of 1 Ω in series."""
    netlist = parse_netlist(f"t\n{text}\n")
    between = [e for e in netlist.elements if "n" in [node.lower() for node in e.nodes]]
    found = 1 / sum(1 / value(netlist, e.name) for e in between) + (1 if "R9" in text else 0)
    assert found == pytest.approx(RESISTANCES[text], rel=1e-8)


def test_ngspice_finds_the_same_resistances():
    wrong = {}
    for text, ours in RESISTANCES.items():
        found = answers(f"t\nI1 0 n DC 1\n{text}", "op", ["v(n)"])["v(n)"]
        if found is None or abs(found - ours) > 2e-8 * ours:
            wrong[text] = found
    assert wrong == {}


def test_names_have_the_path_of_their_instances():
    netlist = parse_netlist(
        "t\n.global rail\nXa in out gnd Outer\n"
        ".subckt Outer p q r\nR1 p Mid 1k\nX2 Mid q inner C=2u\nK1 La Lb 0.5\nLa p 0 1\nLb r rail 1\n.ends\n"
        ".subckt inner x y c=1u\nC1 x y {c}\nV1 x t 0\nR1 t 0 1\nF1 y 0 v1 2\n.ends\n"
    )
    found = by_name(netlist)
    assert list(found) == ["Xa.R1", "Xa.X2.C1", "Xa.X2.V1", "Xa.X2.R1", "Xa.X2.F1", "Xa.K1", "Xa.La", "Xa.Lb"]
    assert found["Xa.R1"].nodes == ("in", "Xa.Mid")
    assert found["Xa.X2.C1"].nodes == ("Xa.Mid", "out")
    assert found["Xa.X2.V1"].nodes == ("Xa.Mid", "Xa.X2.t")
    assert found["Xa.X2.F1"].controls == ("Xa.X2.V1",)
    assert found["Xa.K1"].controls == ("Xa.La", "Xa.Lb")
    assert found["Xa.Lb"].nodes == ("0", "rail")
    assert list(netlist.parameters) == ["Xa.R1", "Xa.X2.c", "Xa.X2.R1", "Xa.X2.F1", "Xa.K1", "Xa.La", "Xa.Lb"]


def test_what_is_passed_is_free_derived_or_the_same_parameter():
    netlist = parse_netlist(
        "t\n.param z=4\n.subckt s a b r=3 c=1\nR1 a b {r}\nC1 a b {2*c}\n.ends\n"
        "X1 n 0 s r=5\nX2 n 0 s r={z*2}\nX3 n 0 s r={z}\nX4 n 0 s\n"
    )
    values = {name: p.value for name, p in netlist.parameters.items()}
    assert values == {
        "X1.r": Number(5.0),
        "X1.c": Number(1.0),
        "z": Number(4.0),
        "X2.r": Call("*", (Name("z"), Number(2.0))),
        "X2.c": Number(1.0),
        "X3.c": Number(1.0),
        "X4.r": Number(3.0),
        "X4.c": Number(1.0),
    }
    assert by_name(netlist)["X3.R1"].values["value"] == Name("z")  # passed on as it is


def test_m_is_as_many_side_by_side():
    inside = "R1 a b 6\nL1 a b 6\nC1 a b 6\nG1 a b a b 6\nI1 a b DC 6 AC 6 30\nV1 b c 6\nE1 c 0 a b 6\n"
    inside += "X1 a b CPE q=6 alpha=1\n"
    netlist = parse_netlist(f"t\nX1 n 0 s m=3\n.subckt s a b\n{inside}.ends\n")
    found = {e.name: value(netlist, e.name) for e in netlist.elements if "value" in e.values}
    assert found == {"X1.R1": 2, "X1.L1": 2, "X1.C1": 18, "X1.G1": 18, "X1.E1": 6}
    assert [value(netlist, "X1.I1", role) for role in ("dc", "ac", "phase")] == [18, 18, 30]
    assert [value(netlist, "X1.X1", role) for role in ("q", "alpha")] == [18, 1]
    assert netlist.parameters["X1.R1"].value == Number(6.0)


def test_the_same_file_twice_is_no_second_definition(tmp_path):
    (tmp_path / "parts.lib").write_text(S + ".model m r r=1\n.func f(x) {x}\n")
    text = "t\n.include parts.lib\n.include parts.lib\nX1 n 0 s\n"
    assert len(parse_netlist(text, folder=tmp_path).elements) == 1


WRONG = {
    S + "X1 n s": (5, "s has 2 nodes (a b), found 1"),
    S + "X1 n 0 0 s": (5, "s has 2 nodes (a b), found 3"),
    S + "X1 n 0 s q=5": (5, "s has no parameter q; it has r"),
    S + "X1 n 0 s\n+ r=1\n+ r=2": (7, "a second value for r"),
    S + "X1 n 0 s 5": (5, "no subcircuit '5'"),
    S + "X1 n 0 s {5}": (5, "expected a name, found '5'"),
    S + "X1 n 0 s r=": (5, "found the end of the expression"),
    S + "X1 n 0 s r=zz": (5, "'zz' is neither"),
    S + "X1 n 0 s\n.subckt s a b\nR1 a b 3\n.ends": (6, "a second subcircuit s, the first is at netlist:2"),
    ".subckt o a b\n.subckt s a b\nR1 a b 3\n.ends\nX1 a b s\n.ends\nX1 n 0 s": (8, "no subcircuit 's'"),
    ".subckt s a a\n.ends": (2, "node a stands twice"),
    ".subckt s a 0\n.ends": (2, "0 cannot be a node"),
    ".subckt\n.ends": (2, ".subckt needs a name"),
    ".subckt s a optional: b=0\n.ends": (2, "optional: cannot be a node"),
    ".subckt s a r=\n.ends": (2, "found the end"),
    ".subckt s a\nX1 a s\n.ends\nX1 n s": (3, "subcircuit s contains itself: s → s"),
    ".subckt s a\nX1 a q\n.ends\n.subckt q a\n\nX7 a s\n.ends\nX1 n s": (7, "contains itself: s → q → s"),
    ".subckt s a\nD1 a 0 m\n.ends\nX1 n s": (3, "D1 is a diode"),
    ".subckt s a\nR1 a 0 {zz}\n.ends\nX1 n s": (3, "'zz' is neither"),
    ".subckt s a\nR1 a 0 1\nR1 a 0 1\n.ends\nX1 n s": (4, "a second R1"),
    ".subckt s a\nF1 a 0 V1 1\n.ends\nX1 n s\nV1 n 0 1": (3, "no voltage source 'V1' beside it"),
    ".param p=7\n.subckt s a b r=2 p=1\nR1 a b {r}\n.ends\nX1 n 0 s r={p}": (6, "which ngspice would take"),
    ".param p=7\n.subckt s a b p=1 r=2\nR1 a b {r}\n.ends\nX1 n 0 s p=5 r={p}": (6, "which ngspice would take"),
    ".subckt s a\nR1 a 0 1 m=2\n.ends\nX1 n s m=3": (3, "an element with m of its own within m="),
    ".subckt s a\nV1 a b 0\nF1 b 0 V1 1\n.ends\nX1 n s m=3": (4, "a current-controlled current source within m="),
    ".subckt q a\nR1 a 0 1\n.ends\n.subckt s a\nX1 a q m=2\n.ends\nX1 n s m=3": (6, "m within m"),
    "Xa n s\nXa.xb n q\n.subckt s a\nXb a q\n.ends\n.subckt q a\nR1 a 0 1\n.ends": (
        3,
        "Xa.xb is also the name of what netlist:5 becomes",
    ),
    "R9 X1.m 0 1\nX1 n s\n.subckt s a\nR1 a m 1\n.ends": (5, "node X1.m is also the name of another at netlist:2"),
}


@pytest.mark.parametrize("text", WRONG, ids=repr)
def test_a_wrong_subcircuit_is_an_error_with_its_line(text: str):
    number, message = WRONG[text]
    with pytest.raises(NetlistError) as caught:
        parse_netlist(f"t\n{text}\n")
    assert str(caught.value).startswith(f"netlist:{number}: ")
    assert message in str(caught.value)


def test_what_is_not_used_may_be_anything():
    text = ".subckt s a\nD1 a 0 m\nR1 a 0 {zz}\n.ends\n.model m d (is=1e-14)\n.model q npn\nR1 a 0 1"
    assert len(parse_netlist(f"t\n{text}\n").elements) == 1


def test_values_reach_through_ten_levels():
    text = "".join(f".subckt s{k} a r=1\nX1 a s{k + 1} r={{r+1}}\n.ends\n" for k in range(10))
    netlist = parse_netlist(f"t\nX1 n s0 r=0\n{text}.subckt s10 a r=1\nR1 a 0 {{r}}\n.ends\n")
    assert parameter_values(netlist)[f"{'X1.' * 11}r"] == 10
