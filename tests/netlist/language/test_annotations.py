"""Annotations: `tol=` on cards, and words with `@` in comments that ngspice skips."""

from __future__ import annotations

import pytest

from circuits.errors import NetlistError
from circuits.netlist.elements import Parameter
from circuits.netlist.language import parse_netlist


def said(parameter: Parameter) -> tuple[float | None, bool, float | None, float | None]:
    return parameter.tolerance, parameter.learn, parameter.low, parameter.high


SAID = {
    "R1 a 0 1k": (None, False, None, None),
    "R1 a 0 1k tol=5%": (0.05, False, None, None),
    "R1 a 0 1k tol = 0.05 m=1": (0.05, False, None, None),
    "R1 a 0 tol=5% 1k": (0.05, False, None, None),
    "R1 a 0 1k ; @tol=5% @learn @min=10 @max=1meg": (0.05, True, 10, 1e6),
    "R1 a 0 1k $ @TOL=5%, @Learn": (0.05, True, None, None),
    "R1 a 0 1k // @learn": (None, True, None, None),
    "R1 a 0 1k ; brown black red, @learn @ home": (None, True, None, None),
    "R1 a 0 1k ; ask me@learn.org or @bob": (None, False, None, None),
    "R1 a 0 ; @learn\n+ 1k ; @max=2k": (None, True, None, 2e3),
    "R1 a 0 1k ; @min=1k @max=2k": (None, False, 1e3, 2e3),
    "R1 a 0 1k tol=5% ; @tol=1%": (0.05, False, None, None),
    ".param R1=1k ; @tol=5% @learn\nR1 a 0 {R1}": (0.05, True, None, None),
    ".param x=1\n+ R1=1k ; @learn\n+ y=2 ; @tol=1%\nR1 a 0 {R1}": (None, True, None, None),
    "R1 a 0 m ; @learn\n.model m r r=1k": (None, True, None, None),
}


@pytest.mark.parametrize("text", SAID, ids=repr)
def test_annotations_are_read(text: str):
    assert said(parse_netlist(f"t\n{text}\n").parameters["R1"]) == SAID[text]


def test_annotations_of_subcircuits():
    netlist = parse_netlist(
        "t\n.subckt s a\n+ r=3 ; @tol=1%\n+ c=1\nR1 a 0 {r}\nC1 a 0 {c}\nL1 a 0 1 ; @learn\n.ends\n"
        "X1 n s\nX2 n s r=4 ; @learn\nX3 n s r=4\n+ c=5 ; @tol=20%\n"
    )
    assert {name: said(p)[:2] for name, p in netlist.parameters.items()} == {
        "X1.r": (0.01, False),
        "X1.c": (None, False),
        "X1.L1": (None, True),
        "X2.r": (0.01, True),
        "X2.c": (None, False),
        "X2.L1": (None, True),
        "X3.r": (0.01, False),
        "X3.c": (0.2, False),
        "X3.L1": (None, True),
    }


def test_an_element_of_several_values_is_annotated_for_all_or_for_one():
    netlist = parse_netlist("t\nT1 a 0 b 0 z0=50 td=1n ; @learn @td.tol=1% @z0.min=10\n")
    assert {n: said(p) for n, p in netlist.parameters.items()} == {
        "T1.z0": (None, True, 10, None),
        "T1.td": (0.01, True, None, None),
    }
    netlist = parse_netlist("t\nX1 a b CPE q=1u alpha=0.9 tol=5% ; @alpha.tol=1%\n")
    assert [p.tolerance for p in netlist.parameters.values()] == [0.05, 0.01]


WRONG = {
    "R1 a 0 1k tol=5": "no tolerance",
    "R1 a 0 1k tol=-5%": "no tolerance",
    "R1 a 0 1k tol=x": "no tolerance",
    "R1 a 0 1k tol": "means nothing here",
    "R1 a 0 1k tol=": "no tolerance",
    "R1 a 0 1k ; @tol": "@tol needs a value",
    "R1 a 0 1k ; @tol=x": "@tol: 'x' is no tolerance",
    "R1 a 0 1k ; @min=ten": "@min=ten is no number",
    "R1 a 0 1k ; @min=4k7": "@min: '4k7' is no number here",
    "R1 a 0 1k ; @learn=5": "@learn takes no value",
    "R1 a 0 1k ; @lern": "no annotation @lern; known: @tol, @learn, @min, @max, @unit",
    "R1 a 0 1k ; @min=2k": "R1 = 1000 does not lie between its bounds 2000 and 1000",
    "R1 a 0 1k ; @max=500": "does not lie between",
    "R1 a 0 1k ; @min=1k @max=1k": "does not lie between",
    "R1 a 0 1k ; @td.tol=1%": "R1 has no td to annotate",
    "R1 a 0 {2*x} ; @tol=5%\n.param x=1": "R1 has no value of its own",
    "R1 a 0 {x} tol=5%\n.param x=1": "R1 has no value of its own",
    ".param x={2*y} ; @tol=5%\n.param y=1\nR1 a 0 {x}": "x follows from others",
    "V1 a 0 1 ; @learn": "V1 is a source",
    ".subckt s a r=1\nR1 a 0 {r}\n.ends\n.param y=2\nX1 n s r={2*y} ; @learn": "X1.r follows from others",
    ".subckt s a r=1\nR1 a 0 {r}\n.ends\nX1 n s ; @learn": "X1: there is nothing to annotate",
}


@pytest.mark.parametrize("text", WRONG, ids=repr)
def test_a_wrong_annotation_is_an_error(text: str):
    with pytest.raises(NetlistError, match=r"^netlist:[0-9]+: ") as caught:
        parse_netlist(f"t\n{text}\n")
    assert WRONG[text] in str(caught.value)


def test_the_error_names_the_line_of_the_annotation():
    with pytest.raises(NetlistError, match="^netlist:4: no annotation @lern"):
        parse_netlist("t\nR1 a 0\n*\n+ 1k ; @lern\n")
    with pytest.raises(NetlistError, match="^netlist:3: 'x' is no tolerance|^netlist:3: R1: 'x' is no tolerance"):
        parse_netlist("t\nR1 a 0 1k\n+ tol=x\n")
