"""What no netlist may do: take time or memory that its circuit is not worth."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import pytest

from circuits.errors import NetlistError
from circuits.netlist.language import parse_netlist
from circuits.netlist.language.limits import MAX_ELEMENTS

DEEP = "\n".join(f".subckt s{k} a\nX1 a s{k + 1}\n.ends" for k in range(60))
DOUBLING = "\n".join(f".subckt s{k} a\nX1 a s{k + 1}\nX2 a s{k + 1}\n.ends" for k in range(40))
FUNCTIONS = "\n".join(f".func f{k}(x) {{f{k + 1}(x)+f{k + 1}(x)}}" for k in range(40))
LONG_NAME = "x" * 190
HOSTILE: dict[str, tuple[Callable[[], str], str]] = {
    "doubling subcircuits": (
        lambda: f"X1 n s0\n{DOUBLING}\n.subckt s40 a\nR1 a 0 1\n.ends",
        "more than 200000 elements",
    ),
    "doubling subcircuits of nothing": (
        lambda: f"X1 n s0\n{DOUBLING}\n.subckt s40 a\n.ends",
        "more than 200000 elements",
    ),
    "deep subcircuits": (lambda: f"X1 n s0\n{DEEP}\n.subckt s60 a\nR1 a 0 1\n.ends", "more than 50 deep"),
    "deep definitions": (lambda: "\n".join(f".subckt s{k} a" for k in range(60)), "more than 50 deep"),
    "a hundred thousand definitions deep": (lambda: ".subckt s a\n" * 100_000, "more than 50 deep"),
    "doubling functions": (lambda: f"R1 a 0 {{f0(2)}}\n{FUNCTIONS}\n.func f40(x) {{x}}", "more than 10000 parts"),
    "doubling arguments": (
        lambda: "R1 a 0 {" + "f(" * 40 + "2" + ")" * 40 + "}\n.func f(x) {x+x}",
        "more than 10000 parts",
    ),
    "deep functions": (
        lambda: "R1 a 0 {f0(2)}\n" + "\n".join(f".func f{k}(x) {{1+f{k + 1}(x)}}" for k in range(900)),
        "within each other|deep",
    ),
    "deep functions of nothing": (
        lambda: "R1 a 0 {f0()}\n" + "\n".join(f".func f{k}() {{1+f{k + 1}()}}" for k in range(900)),
        "deep",
    ),
    "a long parameter": (lambda: f".param {'p' * 201}=1", "a name of more than 200"),
    "a long node of an instance": (lambda: f"X1 {'a' * 201} b c OPAMP_IDEAL", "a name of more than 200"),
    "a long line": (lambda: "R1 a 0 1 " + "x" * 100_001, "more than 100000 characters"),
    "many continuations": (lambda: "R1 a 0 1" + "\n+ x" * 60_000, "more than 100000 characters"),
    "a long name": (lambda: f"R{'1' * 201} a 0 1", "a name of more than 200"),
    "a long node": (lambda: f"R1 {'a' * 201} 0 1", "a name of more than 200"),
    "a long instance": (lambda: f"X{'1' * 201} a OPAMP_IDEAL", "a name of more than 200"),
    "all pairs": (
        lambda: "K1 " + " ".join(f"L{k}" for k in range(5000)) + " 1",
        "too many to couple all pairs of",
    ),
    "long names many times": (
        lambda: (
            "".join(f".subckt s{k} a\n" + f"X{LONG_NAME} a s{k + 1}\n" + ".ends\n" for k in range(40))
            + ".subckt s40 a\n"
            + "".join(f"R{LONG_NAME}{k} a 0 1\n" for k in range(9_000))
            + f".ends\nX{LONG_NAME} n s0"
        ),
        "beyond 50000000 characters",
    ),
    "long expressions many times": (
        lambda: (
            ".param p=1\n.subckt s a\nR1 a 0 {"
            + "+".join(["p"] * 150)
            + "}\n.ends\n"
            + "".join(f"X{k} n s\n" for k in range(30_000))
        ),
        "beyond 50000000 characters",
    ),
    "many elements": (lambda: "\n".join(f"R{k} a 0 1" for k in range(MAX_ELEMENTS + 1)), "more than 200000 elements"),
    "many of the same": (lambda: "R1 a 0 1\n" * 100_000, "a second R1"),
    "open braces": (lambda: "R1 a 0 " + "{" * 90_000, "is not closed"),
    "braces": (lambda: "R1 a 0 " + "{" * 40_000 + "}" * 40_000, "no meaning"),
    "quotes": (lambda: "R1 a 0 " + "'" * 90_001, "is not closed|found the end"),
    "parentheses": (lambda: "R1 a 0 r=" + "(" * 90_000, "more than 50 parentheses|more than 10000 parts"),
    "equals": (lambda: "R1 a 0 " + "=" * 90_000, "expected|means nothing"),
    "annotations": (lambda: "R1 a 0 1 ; " + "@ " * 500_000, ""),
    "annotations that count": (lambda: "R1 a 0 1 ; " + "@learn " * 100_000, ""),
    "parameters on lines of their own": (lambda: ".param" + "\n+p=1;@learn" * 9_000, ""),
    "a long chain of parameters": (lambda: "\n".join(f".param p{k}={{p{k + 1}}}" for k in range(50_000)), "is neither"),
    "a wide parameter": (lambda: ".param p={" + "+".join(f"q{k}" for k in range(4_000)) + "}", "operations within"),
    "blank lines": (lambda: "\n" * 2_000_000, ""),
    "remarks": (lambda: "* x\n" * 500_000, ""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_netlist_ends_soon_and_small(name: str):
    make, message = HOSTILE[name]
    text = f"t\n{make()}\n"
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        parse_netlist(text)
        said = ""
    except NetlistError as error:
        said = str(error)
        assert said.startswith("netlist:"), said
        assert len(said) < 1000
    seconds = time.process_time() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert any(part in said for part in message.split("|")) if message else not said, said
    assert seconds < 20  # the slowest takes three
    assert grown < 1e6  # in kB, beyond what the process had at its largest


def test_many_elements_are_no_problem():
    netlist = parse_netlist("t\n" + "\n".join(f"R{k} n{k} n{k + 1} 1k" for k in range(20_000)))
    assert len(netlist.elements) == len(netlist.parameters) == 20_000


def test_a_thousand_elements_are_read_at_once():
    cards = "\n".join(f"R{k} n{k} n{k + 1} {k + 1}k ; @tol=5%\nC{k} n{k} 0 {{c*{k + 1}}}" for k in range(500))
    text = f"t\n.param c=1n\n{cards}\n"
    best = min(_seconds(text) for _ in range(5))
    assert best < 0.4  # 0.04 on a machine that has nothing else to do


def _seconds(text: str) -> float:
    began = time.process_time()
    parse_netlist(text)
    return time.process_time() - began
