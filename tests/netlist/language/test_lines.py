"""Lines: comments, continuations, the title, and the place of every character."""

from __future__ import annotations

import pytest

from circuits.errors import NetlistError
from circuits.netlist.language import parse_netlist
from circuits.netlist.language.lines import read_lines

R1 = "R1 a b 10k"
SAME_CARD = {
    "as it is": R1,
    "case": "r1 A B 10K",
    "blanks before": " \t R1   a\tb  10k  ",
    "semicolon": "R1 a b 10k;9k",
    "dollar": "R1 a b 10k $9k",
    "slashes": "R1 a b 10k//9k",
    "dollar after comma": "R1 a b 10k,$ 9k",
    "commas": "R1,a,b,10k",
    "parentheses": "R1 (a b) 10k",
    "equals": "R1 a b = 10k",
    "plus": "R1 a\n+ b 10k",
    "plus without a blank": "R1 a b\n+10k",
    "plus after a blank": "R1 a b\n  + 10k",
    "plus over remarks": "R1 a\n* remark\n\n   \n; another\n+ b ; and here\n$ one\n// two\n+ 10k",
    "backslashes": "R1 a b \\\\\n10k",
    "windows": "R1 a\r\n+ b 10k\r",
    "control": ".control\nR1 a b 5\nR2 a 0 {{{\n.endc\nR1 a b 10k\n.CONTROL\nrun\n.ENDC",
    "end": "R1 a b 10k\n.end\n\n* that was all",
    "ignored": ".op\n.save all\n.PRINT ac v(a)\n.option reltol=1e-6 noacct\n.ic v(a)=1\nR1 a b 10k\n.tf v(a) V1",
}


@pytest.mark.parametrize("text", SAME_CARD.values(), ids=SAME_CARD)
def test_the_same_card_is_read(text: str):
    (found,) = parse_netlist(f"title\n{text}\n").elements
    (parameter,) = parse_netlist(f"title\n{text}\n").parameters.values()
    assert (found.kind, found.name.upper(), [n.lower() for n in found.nodes]) == ("R", "R1", ["a", "b"])
    assert parameter.value.value == 10e3


@pytest.mark.parametrize("node", ["n$1", "in+", "out-", "net/5", "n:1", "n#1", "a.b", "~x", "@n", "µ", "1"])
def test_nodes_may_have_odd_names(node: str):
    assert parse_netlist(f"t\nR1 {node} 0 1\n").elements[0].nodes == (node, "0")


def test_ground_has_two_names():
    netlist = parse_netlist("t\nR1 a gnd 1\nR2 a GND 1\nR3 a 0 1\nR4 a 00 1\n")
    assert [e.nodes[1] for e in netlist.elements] == ["0", "0", "0", "00"]


def test_names_keep_the_case_first_written():
    netlist = parse_netlist("t\n.param Rf=1\nRa In oUt {rF}\nC1 IN out 1\n")
    assert [e.nodes for e in netlist.elements] == [("In", "oUt"), ("In", "oUt")]
    assert list(netlist.parameters) == ["Rf", "C1"]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("A filter\nR1 a 0 1\n", "A filter"),
        ("* A filter \nR1 a 0 1\n", "A filter"),
        ("\nR1 a 0 1\n", ""),
        ("R2 a 0 5\r\nR1 a 0 1", "R2 a 0 5"),
        ("R2 a 0 5\rR1 a 0 1", "R2 a 0 5"),
        ("x\nR1 a 0 1\n.title Another\n", "Another"),
        (".title\nR1 a 0 1\n", ""),
        ("\ufefftitle\nR1 a 0 1\n", "title"),
    ],
)
def test_the_first_line_is_the_title(text: str, title: str):
    netlist = parse_netlist(text)
    assert (netlist.title, [e.name for e in netlist.elements]) == (title, ["R1"])


@pytest.mark.parametrize("text", ["", "\n", "only a title", "title\n", "title\n.end"])
def test_a_netlist_may_be_empty(text: str):
    assert parse_netlist(text).elements == ()


ERRORS = {
    "t\n+ R1 a 0 1": (2, "nothing to continue"),
    "t\nR1 a 0 1\n.control\nrun\n": (3, ".control without .endc"),
    "t\n.control\n.control\n.endc": (3, ".control within .control"),
    "t\n.endc\n": (2, ".endc without .control"),
    "t\n\n#R1 a 0 1\n": (3, "cannot begin with '#'"),
    "t\n(R1 a 0 1)\n": (2, "cannot begin with '('"),
    "t\n1 a 0 1\n": (2, "cannot begin with '1'"),
    "t\nR1 a 0 1\n.end\n\nR2 a 0 1": (5, ".end stands before this line"),
    "t\nR1 a\x000 1\n": (2, "cannot be printed"),
    "t\nR1 a\u202eb 1\n": (2, "cannot be printed"),
    "t\nR1 a b {1\n": (2, "{ is not closed"),
    "t\nR1 a b '1\n": (2, "' is not closed"),
    "t\nR1 a b\n+ 1}\n": (3, "'}' without its beginning"),
    'v\nR1 a b "1\n': (2, '" is not closed'),
    ".subckt x a\nR1 a 0 1\n.ends": (1, "the first line is the title"),
    ".param a=1\nR1 a 0 1": (1, "the first line is the title"),
    ".ac dec 1 1 10\nR1 a 0 1": (1, "the first line is the title"),
    ".end\n": (1, "the first line is the title"),
    "t\nR1 a b c\n+ d e f\n+ 1k": (3, "means nothing here"),
    "t\n.tran 1m 1\n": (2, ".tran asks for a transient analysis"),
    "t\n.dc V1 0 1 1\n": (2, ".dc sweeps"),
    "t\n.if (a)\n": (2, ".if reads lines on a condition"),
    "t\n.foo\n": (2, ".foo is unknown"),
    "t\n.\n": (2, ". is unknown"),
    "t\n.option rshunt=1e12\n": (2, "option rshunt adds parts"),
    "t\n.option temp=\n": (2, "option temp needs a temperature"),
    "t\n.option tnom=x\n": (2, "'x' is neither"),
    "t\n.ends\n": (2, ".ends without .subckt"),
    "t\nR1 a 0 1\n.subckt x a\nR1 a 0 1\n": (3, ".subckt x is not closed"),
    "t\n.endl\n": (2, ".endl closes a section"),
    "t\n.include x.lib\n": (2, "no folder"),
    "t\n.lib x.lib\n": (2, ".lib takes a file and a section"),
    ".include x.lib\n": (1, "no folder"),
}


@pytest.mark.parametrize("text", ERRORS, ids=repr)
def test_an_error_names_its_line(text: str):
    number, message = ERRORS[text]
    with pytest.raises(NetlistError) as caught:
        parse_netlist(text)
    assert str(caught.value).startswith(f"netlist:{number}: ")
    assert message in str(caught.value)


def test_every_character_knows_its_line():
    (line,) = read_lines("R1 a\n*\n+ b\n\n+ 10k", "x.cir", first=7)
    assert [line.number_at(line.text.index(part)) for part in ("R1", "a", "b", "10k")] == [7, 7, 9, 11]
    assert line.number_at(10_000) == 11
    assert str(line.place()) == "x.cir:7"


def test_elements_and_parameters_know_where_they_were_written():
    netlist = parse_netlist("t\n\nR1 a 0\n+ 1k\n.param\n+ z=2\nR2 a 0 {z*2}", name="x.cir")
    assert [str(e.place) for e in netlist.elements] == ["x.cir:3", "x.cir:7"]
    assert {name: str(p.place) for name, p in netlist.parameters.items()} == {"R1": "x.cir:4", "z": "x.cir:6"}
    assert netlist.elements[0].place.text == "R1 a 0  1k"
