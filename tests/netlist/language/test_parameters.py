"""`.param` and `.func`: which parameters a netlist has, what they are worth, in what order, and with which units."""

from __future__ import annotations

import pytest

from circuits.errors import NetlistError
from circuits.netlist.expressions import Call, Name, Number, names
from circuits.netlist.language import parse_netlist
from netlist.language.spice import numbers, parameter_values, value

VALUES = {  # what {x} is after these lines
    ".param x=7": 7,
    ".param x = 7": 7,
    ".PARAM X=7": 7,
    ".param x={3+4}": 7,
    ".param x='3+4'": 7,
    ".param x = 3 + 4": 7,
    ".param x=3+a a=4": 7,
    ".param a=3 x={a * 2} c = 5": 6,
    ".param a=3\n+ x={a*2}": 6,
    ".param x={a*2}\n.param a={b+1}\n.param b=2": 6,
    ".param x=3\n.param x=4": 4,
    ".param x=3 x=4": 4,
    ".param x=1k": 1000,
    ".param x=-3": -3,
    ".param x={a>2?5:6} a=3": 5,
    ".param x={a==3} a=3": 1,
    ".param x={max(a, 2)} a=3": 3,
    ".param x=max(a, 2) a=3": 3,
    ".func f(x,y) {x*y+1}\n.param x={f(2,3)}": 7,
    ".func f(x) {x*2}\n.param x={1+f(1+2)}": 7,
    ".func f(x) 'x*2'\n.param x={f(3)}": 6,
    ".func f(x) = {x*2}\n.param x={f(3)}": 6,
    ".func f(x) x*2\n.param x={f(3)}": 6,
    ".param f(x)={x*2}\n.param x={f(3)}": 6,
    ".func f() {6}\n.param x={f()}": 6,
    ".func g(x) {x+1}\n.func f(x) {g(x)*2}\n.param x={f(g(2))}": 8,
    ".param k=10\n.func f(x) {k*x}\n.param x={f(2)}": 20,
    ".func sqrt(x) {x}\n.param x={sqrt(4)}": 4,
    ".param x={f(2)}\n.func f(x) {x}": 2,
}


@pytest.mark.parametrize("text", VALUES, ids=repr)
def test_a_parameter_has_its_value(text: str):
    assert value(parse_netlist(f"t\nR1 a 0 {{x}}\n{text}\n"), "R1") == pytest.approx(VALUES[text])


def test_ngspice_finds_the_same_values():
    wrong = {}
    for text, ours in VALUES.items():
        if text == ".param x=3+a a=4":  # ngspice sees two parameters and no blank between them
            continue
        (found,) = numbers(["{x}"], text)
        if found != pytest.approx(ours, rel=1e-14):
            wrong[text] = found
    assert wrong == {}


def test_commas_may_separate_parameters():
    netlist = parse_netlist("t\n.param a=1, b={2} , c='3'\nR1 a 0 {a+b+c}\n")  # ngspice 39 hangs
    assert value(netlist, "R1") == 6


def test_numbers_are_free_and_expressions_derived():
    netlist = parse_netlist(
        "t\n.param fc=1k w={2*3.14*fc} two={1+1} spare=3\nR1 a 0 1k\nR2 a 0 {2*3}\nC1 a 0 {1/(w*1k)}\nR3 a 0 {two}\n"
    )
    assert {name: p.value for name, p in netlist.parameters.items()} == {
        "fc": Number(1000.0),
        "w": Call("*", (Call("*", (Number(2.0), Number(3.14))), Name("fc"))),
        "two": Number(2.0),
        "R1": Number(1000.0),
        "R2": Number(6.0),
    }
    assert [e.values["value"] for e in netlist.elements][:2] == [Name("R1"), Name("R2")]
    assert netlist.elements[3].values["value"] == Name("two")


def test_each_parameter_follows_those_that_it_depends_on():
    netlist = parse_netlist("t\n.param e={d+c} d={c*b} c={b+a} b={a} a=2\nR1 x 0 {e}\nR2 x 0 {a}\n")
    known: set[str] = set()
    for name, parameter in netlist.parameters.items():
        assert set(names(parameter.value)) <= known
        known.add(name)
    assert parameter_values(netlist)["e"] == 12


def test_a_long_chain_is_no_recursion():
    n = 5000
    chain = "\n".join(f".param p{k}={{p{k + 1}+1}}" for k in range(n))
    netlist = parse_netlist(f"t\nR1 a 0 {{p0}}\n{chain}\n.param p{n}=1\n")
    assert value(netlist, "R1") == n + 1


UNITS = {
    "R1 a 0 {p}": ("Ω", True),
    "R1 a 0 p m=2": ("Ω", True),
    "C1 a 0 {p}": ("F", True),
    "L1 a 0 {p}": ("H", True),
    "G1 a 0 a 0 {p}": ("S", True),
    "V1 a 0 {p}": ("V", True),
    "T1 a 0 b 0 z0=50 td={p}": ("s", True),
    "X1 a b CPE q={p} alpha=1": ("S·s^α", True),
    "R1 a 0 {2*p}": ("", True),
    "R1 a 0 {p}\nC1 a 0 {p}": ("", True),
    "R1 a 0 {p}\nR2 a 0 {p}\nR3 a 0 {2*p}": ("Ω", True),
    "R1 a 0 {q}\n.param q={p}": ("Ω", True),
    "X1 a 0 s r={p}\n.subckt s a b r=1\nR1 a b {r}\n.ends": ("Ω", True),
}


@pytest.mark.parametrize("text", UNITS, ids=repr)
def test_a_parameter_has_the_unit_of_what_it_is_the_value_of(text: str):
    parameter = parse_netlist(f"t\n{text}\n.param p=3\n").parameters["p"]
    assert (parameter.unit, parameter.positive) == UNITS[text]


@pytest.mark.parametrize(
    ("text", "name", "positive"),
    [
        ("R1 a 0 0", "R1", True),
        ("L1 a 0 0", "L1", True),
        ("C1 a 0 0", "C1", True),
        ("R1 a 0 -1", "R1", False),
        ("C1 a 0 -1", "C1", False),
        ("E1 a 0 b 0 0", "E1", False),
        ("E1 a 0 b 0 -2", "E1", False),
        ("E1 a 0 b 0 2", "E1", True),
        (".param p=0\nR1 a 0 {p}", "p", True),
        (".param p=0\nR1 a 0 {p+1}", "p", False),
        (".param p=-2\nR1 a 0 {1-p}", "p", False),
        ("V1 a b 0\nF1 a 0 V1 -1", "F1", False),
    ],
)
def test_a_parameter_is_positive_unless_its_value_or_its_kind_says_otherwise(text: str, name: str, positive: bool):
    assert parse_netlist(f"t\n{text}\n").parameters[name].positive is positive


def test_models_with_expressions_are_parameters_of_their_own():
    netlist = parse_netlist("t\n.param r0=5\nR1 a 0 m\nR2 a 0 m m=2\n.model m r r={2*r0}\n")
    assert parameter_values(netlist) == {"r0": 5, "m.r": 10}
    assert [value(netlist, name) for name in ("R1", "R2")] == [10, 5]


def test_factors_leave_the_own_parameter_as_written():
    netlist = parse_netlist("t\n.param n=3\nR1 a 0 6 m={n} tc1=0.01 temp=127\n")
    assert netlist.parameters["R1"].value == Number(6.0)
    assert value(netlist, "R1") == pytest.approx(4)


WRONG = {
    ".param a={b} b={a}": (2, "parameters depend on themselves: a → b → a"),
    ".param a={b}\n.param b={c+a}\n\n.param c={a}": (3, "parameters depend on themselves: a → b → a"),
    ".param a={a}": (2, "'a' is neither"),
    ".param a={zz}": (2, "'zz' is neither"),
    ".param": None,
    ".param a": (2, "expected name=value, found 'a'"),
    ".param a=1 b": (2, "expected an operator or the end here, found 'b'"),
    ".param a=1 2": (2, "found '2'"),
    ".param a=": (2, "found the end"),
    ".param 1a=2": (2, "expected name=value, found '1a=2'"),
    ".param =2": (2, "expected name=value"),
    ".param a.b=2": (2, "expected name=value"),
    '.param a="text"': (2, "a text is no value"),
    ".param a=1\n+ b=(\n+ c=2": (3, "found the end|found"),
    ".param a={1/0}": (2, "a: 1.0/0.0 is not finite"),
    ".param a=4k7": (2, "found '7'"),
    ".param a={1": (2, "{ is not closed"),
    ".param a={b*2}\n.param b={1/c}\n.param c=0": (3, "b: 1.0/c is not finite"),
    "R1 a 0 {b*2}\n.param b=1e300\nC1 a 0 {b*b}": (4, "C1: b*b is not finite"),
    ".func f(x) {g(x)}\n.func g(x) {f(x)}\nR1 a 0 {f(1)}": (4, "function f needs itself: f → g → f"),
    ".func f(x) {f(x)}\nR1 a 0 {f(1)}": (3, "function f needs itself: f → f"),
    ".func f(x,y) {x}\nR1 a 0 {f(1)}": (3, "function f takes 2 arguments, found 1; it is f(x, y)"),
    ".func f(x) {x}\n\n.func f(x) {2*x}": (4, "a second function f, the first is at netlist:2"),
    ".func f(x,x) {x}": (2, "no function"),
    ".func f(1) {x}": (2, "no function"),
    ".func f {x}": (2, "no function"),
    ".func f(x) {x} y": (2, "something follows"),
    ".func f(x) {x": (2, "{ is not closed"),
    ".func f(x)": (2, "found the end"),
    ".param R1=5\nR1 a 0 7\nR2 a 0 {R1}": (3, "R1 is also a parameter of netlist:2"),
    ".param r1=5\nR2 a 0 {R1}\nR1 a 0 7": (4, "R1 is also a parameter of netlist:2"),
    ".model m r r=1\n.model M r r=2": (3, "a second model M, the first is at netlist:2"),
    ".model m\n": (2, "no model"),
}


@pytest.mark.parametrize("text", [text for text in WRONG if WRONG[text]], ids=repr)
def test_a_wrong_parameter_is_an_error_with_its_line(text: str):
    number, message = WRONG[text] or (0, "")
    with pytest.raises(NetlistError) as caught:
        parse_netlist(f"t\n{text}\n")
    assert str(caught.value).startswith(f"netlist:{number}: ")
    assert any(part in str(caught.value) for part in message.split("|")), str(caught.value)


def test_a_parameter_may_have_the_name_of_the_element_that_it_is_the_value_of():
    netlist = parse_netlist("t\n.param R1=5\nR1 a 0 {R1}\n")
    assert {name: p.unit for name, p in netlist.parameters.items()} == {"R1": "Ω"}
