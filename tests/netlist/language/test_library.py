"""The shipped operational amplifiers: there without any include, in the same file for ngspice."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import circuits
from circuits.errors import NetlistError
from circuits.netlist.expressions import Name, Number
from circuits.netlist.language import parse_netlist
from circuits.netlist.language.instances import LIBRARY, library
from netlist.language.spice import answers, by_name, parameter_values, value

IDEAL = "t\nX1 inp inn out OPAMP_IDEAL\n"
GBW = "t\nX3 inp inn out OPAMP_GBW gbw=2meg\n"


def test_the_ideal_one_is_a_voltage_source_with_a_gain():
    netlist = parse_netlist(IDEAL)
    (e1,) = netlist.elements
    assert (e1.kind, e1.name, e1.nodes) == ("E", "X1.E1", ("out", "0", "inp", "inn"))
    assert {n: (p.value, p.unit, p.positive) for n, p in netlist.parameters.items()} == {
        "X1.gain": (Number(1e9), "", True)
    }


def test_the_one_of_one_pole_has_its_four_parameters_and_no_others():
    netlist = parse_netlist(GBW)
    assert parameter_values(netlist) == {"X3.rin": 1e12, "X3.a0": 1e5, "X3.gbw": 2e6, "X3.rout": 75}
    assert {n: p.unit for n, p in netlist.parameters.items()} == {
        "X3.rin": "Ω",
        "X3.a0": "",
        "X3.gbw": "Hz",
        "X3.rout": "Ω",
    }
    assert by_name(netlist)["X3.G1"].values["value"] == Number(1.0)
    assert value(netlist, "X3.R1") * value(netlist, "X3.C1") == pytest.approx(1e5 / (2 * math.pi * 2e6))


def test_the_netlists_own_subcircuits_win():
    netlist = parse_netlist(f"{GBW}.subckt opamp_gbw a b c gbw=1\nR1 a b {{gbw}}\n.ends\n")
    assert [e.name for e in netlist.elements] == ["X3.R1"]
    assert netlist.elements[0].values["value"] == Name("X3.gbw")
    netlist = parse_netlist("t\nX1 a b cpe q=3\n.subckt CPE a b q=1\nR1 a b {q}\n.ends\n")
    assert [e.kind for e in netlist.elements] == ["R"]


def test_the_library_has_nothing_else_and_ngspice_reads_it():
    assert sorted(library().definitions) == ["opamp_gbw", "opamp_ideal"]
    around = "V1 inp 0 AC 1\nR1 inn 0 1k\nR2 out inn 9k\nR3 out 0 100\n"
    for name, ours in {"OPAMP_IDEAL": 10.0, "OPAMP_GBW gbw=2meg": None}.items():
        deck = f"t\n.include {LIBRARY}\nX1 inp inn out {name}\n{around}"
        found = answers(deck, "ac lin 1 100k 100k", ["v(out)"])["v(out)"]
        if ours is None:
            loop = 1e5 / (1 + 1j * 1e5 / (2e6 / 1e5))  # open-loop gain, then loaded by rout and the feedback
            load = 1 / (1 / 100 + 1 / 10e3)
            loop *= load / (load + 75)
            ours = loop / (1 + 0.1 * loop)
        assert found == pytest.approx(ours, rel=1e-7)


def test_the_library_lies_within_the_package_and_so_in_every_wheel():
    assert LIBRARY.relative_to(Path(circuits.__file__).parent) == Path("netlist", "library", "opamps.lib")


def test_unknown_subcircuits_list_what_there_is():
    with pytest.raises(NetlistError) as caught:
        parse_netlist("t\n.subckt Mine a\n.ends\nX1 a b Nothing\n")
    assert str(caught.value) == (
        "netlist:4: X1: no subcircuit 'Nothing'; known: Mine, OPAMP_IDEAL, OPAMP_GBW, CPE, WARBURG, WARBURG_OPEN, "
        "WARBURG_SHORT"
    )
