"""Cards: what each kind of element may say, against ngspice where it says the same, and refused where it does not."""

from __future__ import annotations

import cmath
import math

import pytest

from circuits.errors import NetlistError
from circuits.netlist.elements import KINDS, Element, Netlist
from circuits.netlist.expressions import Name, Number, evaluate
from circuits.netlist.language import parse_netlist
from circuits.netlist.language.cards import CARDS, REFUSED
from netlist.language.spice import answers, by_name, impedances, parameter_values, value

IMPEDANCES = {  # ohms at ω = 1; `@` is the number of the case
    "R1@ n@ 0 7": 7,
    "R1@ n@ 0 r=7": 7,
    "R1@ n@ 0 R = 7": 7,
    "R1@ n@ 0 resistance=7": 7,
    "R1@ n@ 0 r 7": 7,
    "R1@ n@ 0 {3.5*2}": 7,
    "R1@ n@ 0 '3.5*2'": 7,
    "R1@ n@ 0 r='3.5*2'": 7,
    ".param x@=7\nR1@ n@ 0 x@": 7,
    ".param x@=7\nR1@ n@ 0 r=x@": 7,
    ".param x@=7\nR1@ n@ 0 r=x@*2": 14,
    ".param x@=7\nR1@ n@ 0 r=-x@+(x@ * 3)": 14,
    ".param x@=7\nR1@ n@ 0 r=(x@+7)*2": 28,
    "R1@ n@ 0 r=(7)": 7,
    ".param R1@=7\nR1@ n@ 0 {R1@}": 7,
    "R1@ n@ 0 -7": -7,
    "R1@ n@ 0 7 m=2": 3.5,
    "R1@ n@ 0 7 scale=2": 14,
    "R1@ n@ 0 7 noisy=0 bv_max=5": 7,
    "R1@ n@ 0 7 tc1=0.01 temp=127": 14,
    "R1@ n@ 0 7 tc=0.01 0.001 temp=127": 84,
    "R1@ n@ 0 7 tc1=0.01 tc2=0.001 dtemp=100": 84,
    "R1@ n@ 0 7 tc1=0.01 temp=127 dtemp=5": 14,
    "R1@ n@ 0 7 tce=1 temp=127": 7 * 1.01**100,
    "R1@ n@ 0 7 tc1=0.01": 7,
    "R1@ n@ 0 m@\n.model m@ r r=7": 7,
    "R1@ n@ 0 m@\n.model m@ R(R=7)": 7,
    "R1@ n@ 0 m@\n.model m@ res (res=7, tc1=0)": 7,
    "R1@ n@ 0 m@\n.model m@ r r=7 rsh=100": 100,
    "R1@ n@ 0 m@\n.model m@ r rsh=100": 100,
    "R1@ n@ 0 m@ l=10u w=2u\n.model m@ r rsh=100": 500,
    "R1@ n@ 0 m@\n.model m@ r rsh=100 defw=5u l=20u": 400,
    "R1@ n@ 0 m@ l=10u w=2u\n.model m@ r rsh=100 narrow=0.5u short=1u": 800,
    "R1@ n@ 0 m@ l=10u w=2u\n.model m@ r rsh=100 dw=0.5u dlr=1u": 800,
    "R1@ n@ 0 m@ l=0 w=2u\n.model m@ r rsh=100 r=7": 7,
    "R1@ n@ 0 3 m@\n.model m@ r r=7": 3,
    "R1@ n@ 0 m@ 3\n.model m@ r r=7": 3,
    "R1@ n@ 0 m@ r=3\n.model m@ r r=7": 3,
    "R1@ n@ 0 m@ temp=127\n.model m@ r r=7 tc1r=0.01": 14,
    "R1@ n@ 0 m@\n.model m@ r r=7 tc1=0.01 tnom=0": 7 * 1.27,
    "R1@ n@ 0 m@ tc1=0.02 temp=127\n.model m@ r r=7 tc1=0.01": 21,
    "R1@ n@ 0 m@ m=2 scale=4\n.model m@ r r=7 kf=1 af=2": 14,
    ".param x@=5\nR1@ n@ 0 m@\n.model m@ r r={3*x@}": 15,
    ".param x@=5\nR1@ n@ 0 m@\n.model m@ r r=x@": 5,
    "C1@ n@ 0 5": -0.2j,
    "C1@ n@ 0 c=5": -0.2j,
    "C1@ n@ 0 cap=5": -0.2j,
    "C1@ n@ 0 capacitance=5": -0.2j,
    "C1@ n@ 0 5 ic=1": -0.2j,
    "C1@ n@ 0 {5} m=2": -0.1j,
    "C1@ n@ 0 5 scale=2": -0.1j,
    "C1@ n@ 0 5 tc1=0.01 dtemp=100": -0.1j,
    "C1@ n@ 0 -5": 0.2j,
    "C1@ n@ 0 m@\n.model m@ c cap=5": -0.2j,
    "C1@ n@ 0 m@ 5\n.model m@ c cj=1": -0.2j,
    "C1@ n@ 0 m@ l=2 w=3\n.model m@ c cj=1": -1j / 6,
    "C1@ n@ 0 m@ l=2 w=3\n.model m@ c cj=1 cjsw=2 narrow=0.5 short=0.25": -1j / (2.5 * 1.75 + 4 * 4.25),
    "C1@ n@ 0 m@ l=2 w=3\n.model m@ c cox=1 capsw=2 del=0.25": -1j / (2.5 * 1.5 + 4 * 4),
    "C1@ n@ 0 m@ l=2\n.model m@ c cj=1 cjsw=2 defw=3": -1j / 26,
    "C1@ n@ 0 m@ l=2 w=3\n.model m@ c thick=1e-11": -1j / (6 * 3.9 * 8.854187817620389e-12 / 1e-11),
    "C1@ n@ 0 m@ l=2 w=3\n.model m@ c thick=1e-11 di=3": -1j / (6 * 3 * 8.854187817620389e-12 / 1e-11),
    "C1@ n@ 0 m@ l=2 w=3\n.model m@ c cap=5 cj=1": -0.2j,
    "L1@ n@ 0 5": 5j,
    "L1@ n@ 0 l=5": 5j,
    "L1@ n@ 0 inductance=5": 5j,
    "L1@ n@ 0 5 ic=1": 5j,
    "L1@ n@ 0 5 m=2 scale=3": 7.5j,
    "L1@ n@ 0 5 tc1=0.01 temp=127": 10j,
    "L1@ n@ 0 -5": -5j,
    "L1@ n@ 0 m@\n.model m@ l ind=5": 5j,
}


def impedance(element: Element, netlist: Netlist) -> complex:
    found = float(evaluate(element.values["value"], parameter_values(netlist)))
    return {"R": found, "L": 1j * found, "C": -1j / found if found else math.inf}[element.kind]


@pytest.mark.parametrize("case", IMPEDANCES, ids=repr)
def test_a_part_is_what_its_card_says(case: str):
    netlist = parse_netlist("t\n" + case.replace("@", "0"))
    (element,) = netlist.elements
    assert impedance(element, netlist) == pytest.approx(IMPEDANCES[case], rel=1e-13)


def test_ngspice_finds_the_same_parts():
    found = impedances(list(IMPEDANCES))
    wrong = {}
    for (case, ours), theirs in zip(IMPEDANCES.items(), found, strict=True):
        ours = 1 / (1 / ours + 1e-12)
        if theirs is None or abs(theirs - ours) > 1e-12 * abs(ours) + 1e-15:
            wrong[case] = theirs
    assert wrong == {}


SOURCES: dict[str, tuple[float, complex]] = {  # at DC and at AC
    "": (0, 0),
    "5": (5, 0),
    "(5)": (5, 0),
    "dc 5": (5, 0),
    "DC=5": (5, 0),
    "dc {2+3}": (5, 0),
    "5V": (5, 0),
    "dc": (0, 0),
    "ac": (0, 1),
    "AC 2": (0, 2),
    "ac 2 90": (0, 2j),
    "ac 2,-90": (0, -2j),
    "ac(2 90)": (0, 2j),
    "ac=2": (0, 2),
    "5 ac 2": (5, 2),
    "5 AC": (5, 1),
    "dc ac 2": (0, 2),
    "ac 1 0 dc 3": (3, 1),
    "dc 1 ac 2 60": (1, cmath.rect(2, math.pi / 3)),
    "acmag 3": (0, 3),
    "acphase 90 acmag 2": (0, 2j),
    "acphase 90": (0, 1j),
    "ac 1k": (0, 1000),
    "dc 1 distof1 1 0 distof2 1": (1, 0),
    "sin(1 2 1k)": (1, 0),
    "sin (1 2 1k)": (1, 0),
    "SINE 1 2 1k": (1, 0),
    "sin(1 2 1k 0 0 90) ac 3": (3, 3),
    "sin(0 2 {1k}) ac 1": (0, 1),
    "dc 3 sin(1 2 1k)": (3, 0),
    "sin(1 2 1k) dc 7": (7, 0),
    "1 sin(4 2 1k)": (1, 0),
    "ac 1 sin(1 2 1k)": (1, 1),
    "pulse(4 5 0 1n 1n 1u 2u)": (4, 0),
    "pulse 4 5": (4, 0),
    "exp(4 5 1 1)": (4, 0),
    "pwl(0 3 1 4)": (3, 0),
    "pwl 0 3 2 4 r=0": (3, 0),
    "pwl(0 3 1 4) td=1": (3, 0),
    "sffm(1 2 3 4 5)": (1, 0),
    "sffm(1 2 3 4 5 30 60)": (1 + 2 * math.sin(math.pi / 6 + 4 * math.sin(math.pi / 3)), 0),
    "am(1 2 3 4 5)": (0, 0),
    "five": (5, 0),
    "dc five ac {five}": (5, 5),
}


@pytest.mark.parametrize("text", SOURCES, ids=repr)
def test_a_source_is_what_its_card_says(text: str):
    netlist = parse_netlist(f"t\n.param five=5\nV1 n 0 {text}")
    dc, ac = SOURCES[text]
    assert value(netlist, "V1", "dc") == pytest.approx(dc)
    found = cmath.rect(value(netlist, "V1", "ac"), math.radians(value(netlist, "V1", "phase")))
    assert found == pytest.approx(ac)


def test_ngspice_finds_the_same_sources():
    cards = "".join(f"V{k} n{k} 0 {text}\nR{k} n{k} 0 1\n" for k, text in enumerate(SOURCES))
    nodes = [f"v(n{k})" for k in range(len(SOURCES))]
    for which, analysis in enumerate(("op", "ac lin 1 1 1")):
        found = answers(f"t\n.param five=5\n{cards}", analysis, nodes)
        pairs = zip(SOURCES.items(), found.values(), strict=True)
        wrong = {text: v for (text, ours), v in pairs if v is None or abs(v - ours[which]) > 1e-12 * abs(ours[which])}
        assert {text: v for text, v in wrong.items() if abs(v or 1) > 1e-15} == {}


def test_the_values_of_sources_are_no_components():
    netlist = parse_netlist("t\nV1 a 0 DC 1 AC 2 45\nI1 a 0 3 AC 1 m=2\n")
    assert dict(netlist.parameters) == {}
    assert netlist.elements[0].values == {"dc": Number(1.0), "ac": Number(2.0), "phase": Number(45.0)}
    assert netlist.elements[1].values == {"dc": Number(6.0), "ac": Number(2.0), "phase": Number(0.0)}


CONTROLLED = {  # volts at o, with 2 V at k and 1 A through V2, which k drives into 2 Ω
    "E1 o 0 k 0 5": 10,
    "E1 o 0 (k,0) 5": 10,
    "E1 o 0 VCVS k 0 5": 10,
    "E1 o 0 k 0 gain=5": 10,
    "E1 o 0 k 0 {5}": 10,
    "E1 o 0 k 0 five": 10,
    "E1 o 0 POLY(1) k 0 0 5": 10,
    "E1 o 0 poly(1) (k 0) 0 5 0": 10,
    "G1 0 o k 0 5": 10,
    "G1 0 o k 0 five m=2": 20,
    "G1 0 o VCCS k gnd 5": 10,
    "F1 0 o V2 5": 5,
    "F1 0 o v2 {five} m=2": 10,
    "F1 0 o CCCS V2 gain=5": 5,
    "F1 0 o POLY(1) V2 0 5": 5,
    "H1 o 0 V2 5": 5,
    "H1 o 0 CCVS V2 five": 5,
    "H1 o 0 POLY(1) V2 0 5": 5,
}
AROUND = "t\n.param five=5\nVk k 0 2\nV2 k j 0\nRj j 0 2\nRo o 0 1\n"


@pytest.mark.parametrize("card", CONTROLLED, ids=repr)
def test_a_controlled_source_has_its_gain(card: str):
    netlist = parse_netlist(AROUND + card)
    found = netlist.elements[-1]
    drive = 2 if found.kind in "EG" else 1
    assert value(netlist, found.name) * drive == pytest.approx(CONTROLLED[card])
    nodes = ("0", "o") if found.kind in "GF" else ("o", "0")
    assert found.nodes == nodes + (("k", "0") if found.kind in "EG" else ())
    assert found.controls == (("V2",) if found.kind in "FH" else ())


def test_ngspice_has_the_same_controlled_sources():
    wrong = {}
    for card, ours in CONTROLLED.items():
        found = answers(AROUND + card, "op", ["v(o)"])["v(o)"]
        if found is None or abs(found - ours) > 1e-9:
            wrong[card] = found
    assert wrong == {}


LINES = {
    "T1 a 0 b 0 z0=50 td=1": (50, 1),
    "T1 a 0 b 0 ZO = 50 TD = 1": (50, 1),
    "T1 a 0 b 0 z0=50 f=2 nl=1": (50, 0.5),
    "T1 a 0 b 0 z0=50 f=2": (50, 0.125),
    "T1 a 0 b 0 z0={25*2} td={0.5*2} ic=1,0,0,0": (50, 1),
    "T1 (a 0) (b 0) z0=50 td=1 ic=1 0 0 0 rel=1": (50, 1),
    "T1 a 0 b 0 z0=50 td=1 f=1 nl=5": (50, 1),
}


@pytest.mark.parametrize("card", LINES, ids=repr)
def test_a_line_has_its_impedance_and_its_delay(card: str):
    netlist = parse_netlist(f"t\n{card}")
    assert (value(netlist, "T1", "z0"), value(netlist, "T1", "td")) == LINES[card]
    assert netlist.elements[0].nodes == ("a", "0", "b", "0")
    assert [(p.name, p.unit) for p in netlist.parameters.values()] == [("T1.z0", "Ω"), ("T1.td", "s")]


def test_ngspice_has_the_same_lines():
    wrong = {}
    for card, (z0, td) in LINES.items():
        deck = f"t\nV1 a 0 AC 1\nR1 b 0 75\n{card}"
        found = answers(deck, "ac lin 1 0.1 0.1", ["v(b)"])["v(b)"]
        wave = cmath.exp(-0.2j * math.pi * td)
        gamma = (75 - z0) / (75 + z0)
        if found is None or abs(found - (1 + gamma) * wave / (1 + gamma * wave**2)) > 1e-9:
            wrong[card] = found
    assert wrong == {}


@pytest.mark.parametrize("card", ["K1 L1 L2 0.5", "K1 l1 L2 k=0.5", "K1 L1 L2 {0.5}", "K1 L1 L2 coefficient=0.5"])
def test_two_inductors_are_coupled(card: str):
    netlist = parse_netlist(f"t\nL1 a 0 1\nL2 b 0 1\n{card}")
    k1 = by_name(netlist)["K1"]
    assert (k1.nodes, k1.values) == ((), {"value": Name("K1")})
    assert k1.controls == ("L1", "L2")
    assert netlist.parameters["K1"].value == Number(0.5)


def test_more_inductors_are_coupled_pair_by_pair_with_one_coefficient():
    netlist = parse_netlist("t\nL1 a 0 1\nL2 b 0 1\nL3 c 0 1\nK1 L1 L2 L3 0.5 tol=1%")
    coupled = [e for e in netlist.elements if e.kind == "K"]
    assert [(e.name, e.controls) for e in coupled] == [
        ("K1_L1_L2", ("L1", "L2")),
        ("K1_L1_L3", ("L1", "L3")),
        ("K1_L2_L3", ("L2", "L3")),
    ]
    assert {e.values["value"] for e in coupled} == {Name("K1")}
    assert netlist.parameters["K1"].tolerance == 0.01
    netlist = parse_netlist("t\n.param k=0.5\nL1 a 0 1\nL2 b 0 1\nK1 L1 L2 k\nK2 L1 L2 {k} \n")
    assert [e.values["value"] for e in netlist.elements[2:]] == [Name("k"), Name("k")]
    with pytest.raises(NetlistError, match="K1 has no value of its own"):
        parse_netlist("t\n.param kk=0.5\nL1 a 0 1\nL2 b 0 1\nK1 L1 L2 kk tol=1%\n")


EXTENSIONS = {
    "X1 a b CPE q=1u alpha=0.9": ("CPE", {"q": 1e-6, "alpha": 0.9}),
    "X1 a b cpe ALPHA={0.45*2} Q = 1u": ("CPE", {"q": 1e-6, "alpha": 0.9}),
    "X1 a b WARBURG sigma=50": ("WARBURG", {"sigma": 50}),
    "X1 a b warburg_open r=10 tau=1m": ("WARBURG_OPEN", {"r": 10, "tau": 1e-3}),
    "X1 (a b) WARBURG_SHORT r=10 tau=1m": ("WARBURG_SHORT", {"r": 10, "tau": 1e-3}),
}


@pytest.mark.parametrize("card", EXTENSIONS, ids=repr)
def test_extensions_are_written_as_subcircuits(card: str):
    netlist = parse_netlist(f"t\n{card}")
    kind, values = EXTENSIONS[card]
    (found,) = netlist.elements
    assert (found.kind, found.name, found.nodes) == (kind, "X1", ("a", "b"))
    assert {role: value(netlist, "X1", role) for role in values} == pytest.approx(values)
    own = ["X1"] if len(values) == 1 else [f"X1.{role}" for role in KINDS[kind].roles]
    assert list(netlist.parameters) == own


def test_every_kind_of_element_has_a_card():
    assert set(CARDS) - {"X"} | {kind for kind in KINDS if len(kind) > 1} == set(KINDS)


WRONG = {
    "R1": "expected node 1 of 2",
    "R1 a": "expected node 2 of 2",
    "R1 a b": "no value",
    "R1 a b 1 2": "means nothing here",
    "R1 a b 1 foo": "means nothing here",
    "R1 a b 1 foo=2": "'foo' means nothing here",
    "R1 a b 1 r=2": "a second value for value",
    "R1 a b foo": "'foo' is neither a number nor a parameter",
    "R1 a b 4k7": "write the decimal point",
    "R1 a b 2*x": "put an expression in braces",
    "R1 a b r=2*x": "put an expression in braces",
    "R1 a b =": "expected a value, found the end",
    "R1 a b r=": "found the end of the line",
    "R1 a b {}": "found the end of the expression",
    "R1 a b 1 ac=2": "two circuits of one",
    "R1 a b 1 m=0": "not finite",
    "R1 {a} b 1": "expected node 1 of 2, found 'a'",
    'R1 "a" b 1': "expected node 1 of 2, found 'a'",
    "R1 a b {1/0}": "not finite",
    "R1 a b m\n.model m c": "is of kind C; a R needs one of kind R",
    "R1 a b m\n.model m r": "no value",
    "R1 a b m\n.model m r foo=3": "'foo' means nothing here",
    "R1 a b m\n.param m=1\n.model m r r=1": "a model and a parameter",
    "R1 a b r=v(a)": "depend on a voltage",
    "C1 a b": "no value",
    "C1 a b 5 1": "means nothing here",
    "C1 a b poly 0 1": "means nothing here",
    "C1 a b q={1}": "no linear capacitor",
    "C1 a b tc=1": "means nothing here",
    "C1 a b m\n.model m c": "no value",
    "C1 a b m l=1\n.model m c cj={1/0}": "not finite",
    "R1 a b m l={0/0}\n.model m r rsh=1": "not finite",
    "L1 a b nt=3": "turns are not followed",
    "L1 a b m\n.model m l dia=1": "geometry is not followed",
    "K1 L1 0.5": "expected an inductor|no inductor|no coefficient",
    "K1 L1 L2": "no coefficient",
    "K1 L1 L1 0.5": "coupled to itself",
    "K1 L1 L2 0.5\nL1 a 0 1": "no inductor 'L2' beside it",
    "K1 L1 R2 0.5\nL1 a 0 1\nR2 a 0 1": "no inductor 'R2' beside it",
    "K1 L1 L2 0.5\nL1 a 0 1 m=2\nL2 a 0 1": "L1 has m=, which ngspice forgets",
    "V1 a": "expected node 2 of 2",
    "V1 a 0 3 4": "means nothing here",
    "V1 a 0 dc 1 dc 2": "a second value for dc",
    "V1 a 0 1 dc 2": "a second value for dc",
    "V1 a 0 foo 5": "means nothing here",
    "V1 a 0 foo": "neither a number nor a parameter",
    "V1 a 0 ac 1 90 5": "leave the other values out",
    "V1 a 0 sin()": "needs at least two values",
    "V1 a 0 sin(1)": "needs at least two values",
    "V1 a 0 acmag": "takes one value",
    "V1 a 0 1 m=2": "'m' means nothing here",
    "V1 a 0 1 portnum 1": "ports are not followed",
    "V1 a 0 trnoise(1 1 0 0)": "random",
    "V1 a 0 external": "set from outside",
    "V1 a 0 pwl(-1 2 1 4)": "begins before t = 0",
    "V1 a 0 sin(0 1 1k -1)": "begins before t = 0",
    "V1 a 0 1 tol=5%": "means nothing here",
    "V1 a 0 1 ; @tol=5%": "V1 is a source",
    "E1 a 0 b 0": "no gain",
    "E1 a 0 b 0 1 5": "means nothing here",
    "E1 a 0 b 0 1 m=2": "'m' means nothing here",
    "E1 a 0 value={v(b)*5}": "behavioural",
    "E1 a 0 vol='v(b)'": "behavioural",
    "E1 a 0 table {v(b)} = (0,0) (1,5)": "behavioural",
    "E1 a 0 laplace {v(b)} {1/(1+s)}": "behavioural",
    "E1 a 0 {v(b)}": "behavioural",
    "E1 a 0 POLY(2) b 0 c 0 0 1 1": "several quantities",
    "E1 a 0 POLY(1) b 0 1 5": "other coefficients",
    "E1 a 0 POLY(1) b 0 0 5 1": "other coefficients",
    "E1 a 0 POLY(1) b 0 5": "other coefficients",
    "F1 a 0 V9 5": "no voltage source 'V9' beside it",
    "F1 a 0 R2 5\nR2 a 0 1": "no voltage source 'R2' beside it",
    "H1 a 0 V1": "no gain",
    "T1 a 0 b 0 z0=50": "no delay",
    "T1 a 0 b 0 td=1": "no impedance",
    "T1 a 0 b 0 50 td=1": "means nothing here",
    "T1 a 0 b 0 z0=50 td=1 m=2": "'m' means nothing here",
    "T1 a 0 b 0 z0=50 f=0": "not finite",
    "X1 a b CPE q=1u": "CPE needs alpha",
    "X1 a b CPE": "CPE needs q, alpha",
    "X1 a CPE q=1 alpha=1": "CPE joins 2 nodes, found 1",
    "X1 a b CPE q=1 alpha=1 m=2": "'m' means nothing here",
    "X1 a b CPE q=1 q=2 alpha=1": "a second value for q",
    "X1": "no subcircuit",
    "X1 a b nothing": "no subcircuit 'nothing'",
    "X1 a=1": "no subcircuit",
    "X1 = 1": "'=' without a name|no subcircuit|expected",
    "R1 a b 1\nR1 a b 2": "a second R1, the first is at netlist:2",
    "R1 a b 1\nr1 a b 2": "a second r1, the first is at netlist:2",
}


@pytest.mark.parametrize("card", WRONG, ids=repr)
def test_a_wrong_card_is_an_error_with_a_place(card: str):
    with pytest.raises(NetlistError, match=r"^netlist:[0-9]+: ") as caught:
        parse_netlist(f"t\n{card}\n")
    assert any(part in str(caught.value) for part in WRONG[card].split("|")), str(caught.value)


@pytest.mark.parametrize("letter", REFUSED)
def test_what_is_not_linear_is_named_and_what_is_supported_said(letter: str):
    with pytest.raises(NetlistError) as caught:
        parse_netlist(f"t\nR1 a 0 1\n{letter.lower()}12 a b c model\n", name="organ.cir")
    assert str(caught.value) == (
        f"organ.cir:3: {letter.lower()}12 is {REFUSED[letter]}; this package reads linear circuits, made of R, C, L, "
        "K, V, I, E, F, G, H, T, X, CPE, WARBURG, WARBURG_OPEN, WARBURG_SHORT"
    )


def test_a_temperature_for_all():
    for line in (".temp 127", ".option temp=127", ".OPTIONS TNOM=-73 reltol=1", ".param hot=127\n.option temp={hot}"):
        netlist = parse_netlist(f"t\n{line}\nR1 a 0 5 tc1=0.01\nR2 a 0 5 tc1=0.01 temp=27 ; @tol=1%\n")
        assert value(netlist, "R1") == pytest.approx(10)
        assert netlist.parameters["R1"].value == Number(5.0)  # what is learned is the value at the nominal temperature
    with pytest.raises(NetlistError, match="netlist:2: .temp takes one temperature"):
        parse_netlist("t\n.temp 27 127\n")


def test_sweeps():
    sweep = parse_netlist("t\n.param top=1meg\n.AC dec 10 {1+1} top\n").sweep
    assert sweep is not None
    assert (sweep.kind, sweep.points, sweep.low, sweep.high) == ("dec", 10, 2.0, 1e6)
    for wrong in ("", "dec", "dec 10 1", "dec 0 1 10", "foo 1 1 10", "dec 1 0 10", "dec 1 10 1", "dec 1 1 10 5"):
        with pytest.raises(NetlistError, match=r"^netlist:2: "):
            parse_netlist(f"t\n.ac {wrong}\n")
    with pytest.raises(NetlistError, match=r"netlist:4: a second \.ac, the first is at netlist:2"):
        parse_netlist("t\n.ac dec 1 1 10\n\n.ac dec 1 1 10")
