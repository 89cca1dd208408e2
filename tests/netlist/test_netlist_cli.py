"""The command line with a netlist."""

import json
import re
from pathlib import Path

import pytest

import circuits as cc
from circuits import cli

ROOT = Path(__file__).parent.parent.parent
ORGAN = ROOT / "examples" / "netlists" / "organ.cir"
BENCH = ROOT / "examples" / "data" / "organ_bench.csv"
RC = "an RC\nV1 in 0 AC 1\nR1 in out 2k\nR2 out 0 1meg\nC1 out 0 1u\n"
SWEEP = "f_hz,magnitude\n" + "".join(f"{f},{1 / (1 + (f / 159.155) ** 2) ** 0.5:.5f}\n" for f in range(20, 2000, 60))
TRUE = {"R1": 206.4, "R2": 37.6, "R3": 165.1, "R4": 31.7}


@pytest.fixture
def run(capsys):
    """Run the command and return its status, its output, and its complaints as lines."""

    def run(*arguments):
        status = cli.main([str(part) for part in arguments])
        out, err = capsys.readouterr()
        return status, out, err.splitlines()

    return run


@pytest.fixture
def files(tmp_path):
    """A netlist and a sweep of it."""
    netlist, sweep = tmp_path / "rc.cir", tmp_path / "sweep.csv"
    netlist.write_text(RC, "utf-8")
    sweep.write_text(SWEEP, "utf-8")
    return netlist, sweep


def values(out):
    """Fitted resistances by name."""
    found = re.findall(r"^(\S+) +([\d.]+) ± \S+ (k?)Ω", out, re.M)
    return {name: float(value) * (1e3 if kilo else 1) for name, value, kilo in found}


def test_the_breadboard_color_organ_is_fitted_by_the_line_of_the_readme(run, tmp_path):
    asked = ["--netlist", ORGAN, "--learn", "R*", "--output", "V(low)/V(in)"]
    status, out, complaints = run("fit", BENCH, *asked, "--json", tmp_path / "fit.json", "--plot", tmp_path / "a.png")
    assert (status, complaints) == (0, [])
    assert "start: R1 = 200 Ω, R2 = 39 Ω, R3 = 160 Ω, R4 = 33 Ω" in out
    found = values(out)
    assert found["R1"] == pytest.approx(206.4, rel=0.02) and found["R4"] == pytest.approx(31.7, rel=0.1)
    saved = json.loads((tmp_path / "fit.json").read_text("utf-8"))
    assert saved["circuit"]["recipe"]["outputs"] == {"": "V(low)/V(in)"}
    assert str(cc.load_fit(tmp_path / "fit.json")) in out


def test_several_outputs_find_all_four_resistors(run):
    outputs = [part for name in ("high", "low", "band") for part in ("--output", f"V({name})/V(in)")]
    status, out, _ = run("fit", BENCH, "--netlist", ORGAN, *outputs)
    assert status == 0
    for name, value in values(out).items():
        assert value == pytest.approx(TRUE[name], rel=0.01)


def test_a_column_is_chosen_by_name_where_the_node_is_called_otherwise(run, files, tmp_path):
    netlist, sweep = files
    both = tmp_path / "both.csv"
    lines = sweep.read_text("utf-8").splitlines()
    header = "f_hz,first_magnitude,second_magnitude"
    rows = [f"{line},{0.5 * float(line.split(',')[1])}" for line in lines[1:]]
    both.write_text("\n".join([header, *rows]), "utf-8")
    asked = ["--netlist", netlist, "--learn", "R1"]
    status, out, _ = run("fit", both, *asked, "--output", "first=V(out)/V(in)")
    assert status == 0 and values(out)["R1"] == pytest.approx(1000, rel=1e-2)
    status, _, complaints = run("fit", both, *asked, "--output", "V(out)/V(in)")
    assert status == 2
    assert complaints == [
        "circuits: the file has the outputs first, second; say which one it is that the circuit gives, such as "
        "--output first=V(out)/V(in)"
    ]


def test_parts_are_fixed_started_and_freed_by_the_names_of_the_netlist(run, files):
    netlist, sweep = files
    status, out, _ = run("fit", sweep, "--netlist", netlist, "--learn", "r1", "--start", "R1=5k", "--fix", "c1=500n")
    assert status == 0 and "start: R1 = 5 kΩ" in out
    assert values(out)["R1"] == pytest.approx(2000, rel=1e-2) and "C1 = 500 nF" in out
    status, out, _ = run("fit", sweep, "--netlist", netlist, "--learn", "*1", "--fix", "C1=500n")
    assert set(values(out)) == {"R1"} and "C1 = 500 nF" in out
    status, out, _ = run("fit", sweep, "--netlist", netlist, "--learn", "R1", "--free", "C1", "--starts", 2)
    assert "only R1·C1 is determined" in out


@pytest.mark.parametrize(
    "options, said",
    [
        (["--netlist", "no_such.cir"], "no_such.cir"),
        (["--netlist", "{rc}"], "nothing is learned; say what a fit may move, such as --learn 'R*'"),
        (["--netlist", "{rc}", "--learn", "Q*"], "no component like 'Q*'; known: R1, R2, C1"),
        (["--netlist", "{rc}", "--learn", "R1", "--output", "V(x)"], "no node 'x'; known: in, 0, out"),
        (["--netlist", "{rc}", "--learn", "R1", "--output", "gain"], "cannot read 'gain' in output 'gain'"),
        (["--netlist", "{rc}", "--learn", "R1", "--fix", "R9=1"], "no component 'R9'; known: R1, R2, C1"),
        (["--netlist", "{rc}", "--learn", "R1", "--start", "R1=1nF"], "'1nF' is in F, expected Ω"),
        (["--netlist", "{rc}", "--circuit", "low-pass"], "a circuit, low-pass, and --netlist"),
        (["--circuit", "low-pass", "--learn", "R"], "--learn R names parts of a netlist"),
        (["--netlist", "{diode}", "--learn", "R1"], "diode.cir:3: D1 is a diode"),
        (["--netlist", "{quiet}", "--learn", "R1"], "has no AC source; add AC 1"),
    ],
    ids=str,
)
def test_what_cannot_be_fitted_is_one_line_and_status_2(run, files, tmp_path, options, said):
    netlist, sweep = files
    (tmp_path / "diode.cir").write_text("a diode\nV1 in 0 AC 1\nD1 in out\nR1 out 0 1k\n", "utf-8")
    (tmp_path / "quiet.cir").write_text("quiet\nV1 in 0 5\nR1 in out 1k\nR2 out 0 1k\n", "utf-8")
    paths = {"rc": netlist, "diode": tmp_path / "diode.cir", "quiet": tmp_path / "quiet.cir"}
    status, out, complaints = run("fit", sweep, *(text.format(**paths) for text in options))
    assert (status, out) == (2, "")
    assert len(complaints) == 1 and complaints[0].startswith("circuits: ") and said in complaints[0]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["simulate"], "required: CIRCUIT, or --netlist FILE; see circuits simulate --help"),
        (["graph", "R1=1k"], "required: CIRCUIT, or --netlist FILE"),
        (["simulate", "low-pass", "--netlist", "x.cir"], "a circuit, low-pass, and --netlist x.cir; give one"),
        (["simulate", "low-pass", "--output", "V(a)"], "--output V(a) is for a netlist; low-pass has outputs"),
        (["schematic", "--netlist", "x.cir", "R1"], "R1"),
    ],
    ids=str,
)
def test_a_circuit_or_a_netlist_and_not_both(run, arguments, said):
    status, out, complaints = run(*arguments)
    assert (status, out) == (2, "") and len(complaints) == 1 and said in complaints[0]


def test_simulated_data_of_a_netlist_come_back(run, files, tmp_path):
    netlist, _ = files
    path = tmp_path / "simulated.csv"
    arguments = ["simulate", "--netlist", netlist, "R1=1k", "--grid", 40, "--noise", "0.001", "--from", "10", "c1=2u"]
    status, out, said = run(*arguments, "--to", "10k", "--out", path)
    assert (status, out) == (0, "") and said[0] == f"{netlist}: R1 = 1 kΩ, C1 = 2 µF"
    data = cc.read(path)
    assert len(data) == 40 and data.f[[0, -1]].tolist() == [10.0, 1e4]
    assert data.meta["values"] == {"R1": 1e3, "C1": 2e-6}
    status, out, _ = run("fit", path, "--netlist", netlist, "--learn", "R1", "--fix", "C1=2u")
    assert status == 0 and values(out)["R1"] == pytest.approx(1000, rel=1e-2)


def test_a_netlist_is_simulated_at_the_frequencies_of_its_own(run, files):
    netlist, _ = files
    netlist.write_text(RC + ".ac dec 5 10 1k\n", "utf-8")
    _, out, said = run("simulate", "--netlist", netlist)
    assert said == [f"{netlist}: as the netlist has it"]
    assert len([line for line in out.splitlines() if line[0].isdigit()]) == 11
    _, out, _ = run("simulate", "--netlist", netlist, "--tones", 3)
    assert len([line for line in out.splitlines() if line[0].isdigit()]) == 3


def test_graph_and_schematic_of_a_netlist(run, files, tmp_path):
    netlist, _ = files
    status, out, complaints = run("graph", "--netlist", netlist, "R1=1M5", "--at", "2k2", "--values")
    assert (status, complaints) == (0, []) and "R1 = 1.5 MΩ" in out and "|H(2.2 kHz)|" in out
    status, out, complaints = run("schematic", "--netlist", netlist)
    assert (status, complaints) == (0, []) and out.startswith("<svg ") and "R2 = 1 MΩ" in out
    status, out, _ = run("schematic", "--netlist", ORGAN, "--output", "V(low)", "--out", tmp_path / "organ.svg")
    assert status == 0 and "R4 = 33 Ω" in (tmp_path / "organ.svg").read_text("utf-8")
