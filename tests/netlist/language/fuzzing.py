"""Inputs for the parser that nobody would think of, all of them from a seed.

`grammar` writes netlists that are mostly right and use everything the language has; `mutate` cuts, swaps, repeats and
splices pieces of texts. `attempt` reads one, and lets through nothing but a typed error with a place.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from circuits.errors import NetlistError
from circuits.netlist.elements import KINDS, Netlist
from circuits.netlist.expressions import evaluate, names, to_text
from circuits.netlist.language import parse_netlist
from circuits.netlist.language.lines import split

INCLUDED = {
    "r.inc": "Rinc a 0 1k ; @tol=5%\n",
    "parts.lib": ".lib slow\nRlib a 0 1\n.endl\n.lib fast\nRlib a 0 2\n.include r.inc\n.endl fast\n",
    "subs.lib": ".subckt filter in out r=1k c=1n\nR1 in out {r}\nC1 out 0 {c}\n.ends\n",
}
PLACE = re.compile(r"(?P<file>[^\n]*?):(?P<line>[0-9]+): ")
_SUFFIXES = ["", "", "k", "meg", "MEG", "m", "u", "µ", "n", "p", "f", "g", "t", "kOhm", "nF", "V"]
_FUNCTIONS = {
    "sqrt": 1,
    "abs": 1,
    "max": 2,
    "min": 2,
    "exp": 1,
    "ln": 1,
    "sin": 1,
    "pow": 2,
    "sgn": 1,
    "f1": 1,
    "f2": 2,
}
_OPERATORS = ["+", "-", "*", "/", "^", "**", "<", ">=", "==", "&&", "||", " - ", " * "]
_RIGHT = [".op", ".print ac v(a)", ".option reltol=1e-3 temp=50", ".temp 30", ".global rail", ".include r.inc"]
_RIGHT += [".lib parts.lib fast", ".control\nrun\n.endc", ".title Another", ".model m3 r r=1k tc1=0.01"]
_WRONG = [
    ".end",
    ".tran 1m 1",
    ".dc V1 0 1 1",
    ".lib parts.lib x",
    ".include ../secret",
    ".include /etc/passwd",
    ".foo",
]
_WRONG += [
    ".include nothing",
    ".ends",
    ".subckt s9 a",
    ".if (a)",
    ".model m1 r",
    "+ 1k",
    "D1 a b model",
    "1 2 3",
    ".ac lin 1",
]
_DICTIONARY = [
    "{",
    "}",
    "'",
    '"',
    "(",
    ")",
    "=",
    "+",
    "\n+",
    "*",
    ";",
    "$ ",
    "//",
    "@",
    "@tol=5%",
    "\\\\\n",
    "\t",
    "\r",
]
_DICTIONARY += [
    "1e999",
    "-1e-999",
    "0",
    "-",
    "{1/0}",
    "{a?b:c}",
    "4k7",
    "0x1",
    "nan",
    "inf",
    "\x00",
    "\ufeff",
    "é",
    "Ω",
]
_DICTIONARY += ["(" * 60, "{" * 60, "r=", "m=3", "tol=5%", "params:", ".subckt s a", ".ends", ".param ", ".func f1(x) "]
_DICTIONARY += [".include r.inc\n", ".lib parts.lib fast\n", "X1 a b s\n", "K1 L1 L2 L3 1\n", "AC 1 90", "gnd", "sqrt("]
_DICTIONARY += [" a=a ", "POLY(1)", "1" * 400]


@dataclass(frozen=True)
class Outcome:
    """What became of one input: the error's message, if it was refused, and the seconds that it took."""

    message: str | None
    seconds: float


def attempt(text: str, folder: Path | None = None) -> Outcome:
    """Read a text.

    Raises:
        AssertionError: an error without a place, or a netlist that is not what `elements` promises. Whatever else the
            parser raises comes through as it is.
    """
    start = time.perf_counter()
    try:
        netlist = parse_netlist(text, folder=folder, name="fuzz")
    except NetlistError as error:
        seconds = time.perf_counter() - start
        place = PLACE.match(str(error))
        assert place, f"no place: {error}"
        assert place["file"] in ("fuzz", *INCLUDED), f"another file: {error}"
        assert 1 <= int(place["line"]) <= len(split(text)) or place["file"] != "fuzz", f"no such line: {error}"
        return Outcome(str(error), seconds)
    seconds = time.perf_counter() - start
    check(netlist)
    return Outcome(None, seconds)


def check(netlist: Netlist) -> None:
    """What every consumer of a netlist relies on."""
    known: dict[str, float] = {}
    for name, parameter in netlist.parameters.items():
        assert parameter.name == name
        assert set(names(parameter.value)) <= set(known), name
        known[name] = float(evaluate(parameter.value, known))
        assert to_text(parameter.value)
    found = {element.name: element for element in netlist.elements}
    assert len(found) == len(netlist.elements)
    used: set[str] = set()
    for element in netlist.elements:
        kind = KINDS[element.kind]
        assert set(element.values) == set(kind.roles)
        assert (len(element.nodes), len(element.controls)) == (kind.nodes, kind.controls)
        assert {found[control].kind for control in element.controls} <= {"L", "V"}
        for value in element.values.values():
            assert isinstance(evaluate(value, known), float)
            used.update(names(value))
    for name, parameter in reversed(netlist.parameters.items()):
        assert name in used
        used.update(names(parameter.value))


# netlists by the grammar


def grammar(random: Random) -> str:
    """A netlist that uses the whole language; in every other one each choice goes wrong now and then."""
    return _Writer(random, random.choice([0.0, 0.02])).netlist()


class _Writer:
    """Writes one netlist; `wrong` is how often a choice is a mistake."""

    def __init__(self, random: Random, wrong: float):
        self.random, self.wrong = random, wrong
        self.subcircuits = {"opamp_ideal": 3, "OPAMP_GBW": 3}
        self.functions = False

    def mistaken(self) -> bool:
        return self.random.random() < self.wrong

    def often(self, p: float = 0.5) -> bool:
        return self.random.random() < p

    def one(self, *choices: str) -> str:
        return self.random.choice(choices)

    def netlist(self) -> str:
        lines = [self.parameters()] if not self.mistaken() else []
        if self.often():
            self.functions = True
            lines += [f".func f1(x) {{{self.expression(2, 'x')}}}", f".param f2(x, y) = '{self.expression(2, 'y')}'"]
        for k in range(self.random.randrange(3)):
            lines += self.subcircuit(f"s{k}", 2)
        lines += self.cards(self.random.randrange(1, 15))
        if self.often(0.3):
            lines.append(".ac dec 10 {pa} 1meg")
        if self.often(0.5):
            lines.insert(self.random.randrange(len(lines) + 1), self.one(*_RIGHT))
        if self.mistaken() or self.mistaken():
            lines.insert(self.random.randrange(len(lines) + 1), self.one(*_WRONG))
        return "\n".join(["a fuzzed netlist", *map(self.dressed, lines), self.one("", ".end"), ""])

    def number(self) -> str:
        if self.mistaken():
            return self.one("4k7", "1e999", "1.5.5", "x", "5%", "1mil")
        return self.one("1", "4.7", "100", ".5", "3.", "2e3", "1E-6", "+7") + self.random.choice(_SUFFIXES)

    def expression(self, depth: int, *known: str) -> str:
        if depth == 0 or self.often(0.3):
            name = "zz" if self.mistaken() else self.one("pa", "pb", "pc", "PB", *known)
            return self.one(name, name, "2", "1k", "0.5", "3meg", f"(-{name})", f"!{name}")
        parts = [self.expression(depth - 1, *known) for _ in range(3)]
        kind = self.random.randrange(6)
        if kind == 0:
            return f"({parts[0]} ? {parts[1]} : {parts[2]})"
        if kind == 1:
            function = self.random.choice(list(_FUNCTIONS)[: None if self.functions and not known else -2])
            return f"{function}({','.join(parts[: _FUNCTIONS[function] + self.mistaken()])})"
        if kind == 2:
            return f"(2+{parts[0]})"
        return f"({parts[0]}){self.random.choice(_OPERATORS)}({parts[1]})"

    def value(self) -> str:
        kind = self.random.randrange(7)
        if kind < 4:
            return self.number()
        return [f"{{{self.expression(2)}}}", f"'{self.expression(1)}'", self.one("pa", "pb", "PC")][kind - 4]

    def parameters(self) -> str:
        found = ["pa=2", f"pb={self.one('{pa+1}', '4.7k', '2*pa+1')}", f"pc='{self.one('pa*pb', '5')}'", "spare=1"]
        self.random.shuffle(found)
        return ".param " + self.one(" ", "\n+ ", "  ", " ").join(found)

    def node(self) -> str:
        return self.one("0", "gnd", "a", "b", "c", "n1", "n2", "out", "rail", "In", "x+y")

    def nodes(self, count: int) -> str:
        found = " ".join([self.node() for _ in range(count - self.mistaken())])
        return f"({found})" if self.often(0.1) else found

    def subcircuit(self, name: str, depth: int) -> list[str]:
        ports = ["p", "q", "n1"][: self.random.randrange(1, 4)]
        inner = []
        outer = dict(self.subcircuits)
        if depth and self.often(0.3):
            inner += self.subcircuit(f"{name}i", depth - 1)
        if self.often(0.3):
            inner.append(f".param t={self.one('{2*pr}', '5')}")
        inner += self.cards(self.random.randrange(4))
        self.subcircuits = {**outer, name: len(ports)}
        head = f".subckt {name} {' '.join(ports)} {self.one('pr=1k', 'params: pr=1k pd={pr*2}', 'pr={pa}')}"
        return [head, *inner, *[self.one(".ends", f".ends {name}")] * (not self.mistaken())]

    def cards(self, count: int) -> list[str]:
        made = [self.card(self.one(*"RRRRCCCLLLVIEGFHKTXXX"), str(k)) for k in range(count)]
        kinds = {line[0] for line in made}
        made += ["Vc n1 0 0"] if kinds & set("FH") else []
        made += ["La n1 0 1", "Lb n2 0 2", "Lc out 0 3"] if "K" in kinds else []
        self.random.shuffle(made)
        return made

    def card(self, letter: str, number: str) -> str:
        name = letter + ("1" if self.mistaken() else number)
        if letter in "RCL":
            value = self.one(self.value(), f"{letter.lower()}={self.value()}")
            more = self.one(
                "", "", "", "", "m=2", "tc1=0.01 temp=50", "scale=2", "tol=1%" if value[:1].isdigit() else ""
            )
            return f"{name} {self.nodes(2)} {value} {'foo=1' if self.mistaken() else more}"
        if letter in "VI":
            wave = self.one("", "", "SIN(0 1 1k)", "pulse(0 1)", "PWL(0 0 1 1)")
            dc = self.one("", self.value(), f"DC {self.value()}")
            return f"{name} {self.nodes(2)} {dc} {self.one('', 'AC', 'AC 1', 'AC 1 90', 'ac=2')} {wave}"
        if letter in "EG":
            return f"{name} {self.nodes(4)} {self.one('', 'gain=')}{self.value()}"
        if letter in "FH":
            return f"{name} {self.nodes(2)} {'V9' if self.mistaken() else 'Vc'} {self.value()}"
        if letter == "K":
            return f"{name} La Lb {self.one('', 'Lc ')}{self.one('0.5', '{pa/9}', 'k=0.1')}"
        if letter == "T":
            delay = self.one("td=1n", "f=1meg", "f=1k nl=1", "TD={pa}")
            return f"{name} {self.nodes(4)} z0={self.value()} {'' if self.mistaken() else delay}"
        return self.instance(name)

    def instance(self, name: str) -> str:
        if self.often(0.3):
            kind = self.one(
                "CPE q=1u alpha=0.9", "WARBURG sigma={pa}", "WARBURG_OPEN r=1 tau=1", "warburg_short r=1 tau=1"
            )
            return f"{name} {self.nodes(2)} {kind}"
        called, count = self.random.choice(list(self.subcircuits.items()))
        own = "pr=1" if called[0] == "s" else "gbw=1meg" if called[0] == "O" else "gain=5"
        passed = (
            "zz=1" if self.mistaken() else self.one("", "", own, own.split("=")[0] + "=" + self.one("{pb*2}", "pc"))
        )
        return f"{name} {self.nodes(count)} {called} {passed}{' m=2' if self.mistaken() else ''}"

    def dressed(self, line: str) -> str:
        """The same line as another person would write it."""
        plain = line[:1] not in ".+" and "'" not in line and "{" not in line
        if plain and self.often(0.1):
            line = line.replace(" ", "\n+ ", self.random.randrange(1, 4))
        elif self.often(0.1) and "\n" not in line:
            line += self.one(" ; remark", " $ remark", " // remark", "\n* remark\n")
        if self.mistaken():
            line += self.one(" ; @tol=5% @learn", " ; @min=1e-9 @max=1t", " ; @lern", " tol=9")
        return line.upper().replace("Μ", "µ") if plain and self.often(0.1) else line


# texts that were netlists once


def mutate(random: Random, texts: Sequence[str]) -> str:
    """One of the texts with a few of its pieces cut, repeated, swapped, or taken from another."""
    text = random.choice(texts)
    for _ in range(random.choice([1, 1, 1, 2, 3, 5])):
        text = random.choice(_MUTATIONS)(random, text, texts)
    return text


def _piece(random: Random, text: str, longest: int = 40) -> tuple[int, int]:
    start = random.randrange(len(text) + 1)
    return start, min(len(text), start + random.randrange(1, longest))


def _cut(random: Random, text: str, texts: Sequence[str]) -> str:
    start, end = _piece(random, text)
    return text[:start] + text[end:]


def _repeat(random: Random, text: str, texts: Sequence[str]) -> str:
    start, end = _piece(random, text)
    return text[:end] + text[start:end] * random.choice([1, 1, 2, 50]) + text[end:]


def _swap(random: Random, text: str, texts: Sequence[str]) -> str:
    (a, b), (c, d) = sorted([_piece(random, text), _piece(random, text)])
    return text if b > c else text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:]


def _splice(random: Random, text: str, texts: Sequence[str]) -> str:
    other = random.choice(texts)
    start, end = _piece(random, other, 200)
    at = random.randrange(len(text) + 1)
    return text[:at] + other[start:end] + text[at:]


def _insert(random: Random, text: str, texts: Sequence[str]) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(_DICTIONARY) + text[at:]


def _replace(random: Random, text: str, texts: Sequence[str]) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + chr(random.choice([random.randrange(128), random.randrange(0x3000)])) + text[at + 1 :]


def _lines(random: Random, text: str, texts: Sequence[str]) -> str:
    lines = text.split("\n")
    at = random.randrange(len(lines))
    kind = random.randrange(3)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(random.randrange(len(lines)), lines[at])
    else:
        other = random.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    return "\n".join(lines)


_MUTATIONS = [_cut, _cut, _repeat, _swap, _splice, _insert, _insert, _replace, _lines]
