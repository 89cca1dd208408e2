import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import circuits as cc
import losses
from circuits import cli
from circuits.catalogue import CATALOGUE
from circuits.commands import COMMANDS, arguments, options
from circuits.data import QUANTITIES
from circuits.fitting import fitter

ROOT = Path(__file__).parent.parent
LEDS = ROOT / "examples" / "data" / "organ_leds.csv"
MAGNITUDES = ROOT / "examples" / "data" / "low_pass_magnitude.csv"
SWEEP = "f_hz,magnitude\n" + "".join(f"{f},{1 / (1 + (f / 300) ** 2) ** 0.5:.4f}\n" for f in range(20, 2000, 60))
TRUTH = {"low.R": 198.944, "band.R_low": 39.789, "band.R_high": 159.155, "high.R": 31.831}


@pytest.fixture
def run(capsys):
    """Run the command and return its status, its output, and its complaints as lines."""

    def run(*arguments):
        status = cli.main([str(part) for part in arguments])
        out, err = capsys.readouterr()
        return status, out, err.splitlines()

    return run


@pytest.fixture
def file(tmp_path):
    """Write a file and return its path."""

    def write(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def process(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "circuits", *map(str, arguments)], cwd=ROOT, capture_output=True, timeout=120, **options
    )


# the main job


def test_the_shipped_leds_are_fitted_from_one_line(run, tmp_path):
    status, out, complaints = run("fit", LEDS, "--plot", tmp_path / "organ.png", "--json", tmp_path / "fit.json")
    assert (status, complaints) == (0, [])
    assert "1000 points: frequency from 'frequency_hz' (Hz)" in out
    assert "start: low.R = 500 Ω, band.R_low = 500 Ω" in out
    assert "3000 of 3000 LEDs explained" in out
    assert (tmp_path / "organ.png").read_bytes().startswith(b"\x89PNG")
    saved = json.loads((tmp_path / "fit.json").read_text("utf-8"))
    for name, (low, high) in saved["intervals"].items():
        assert low < TRUTH[name] < high
    again = cc.load_fit(tmp_path / "fit.json")
    assert str(again) in out


def test_magnitudes_with_their_uncertainty(run):
    status, out, _ = run("fit", MAGNITUDES, "--circuit", "low-pass", "--start", "R=1Meg")
    value, error = map(float, re.search(r"^R +([\d.]+) ± ([\d.]+) Ω", out, re.M).groups())
    assert status == 0 and abs(value - 198.944) < 3 * error < 10


def test_a_fixed_value_sets_the_scale_and_a_freed_one_takes_it_away(run, file):
    path = file(SWEEP)
    out = run("fit", path, "--circuit", "low-pass", "--fix", "C=100n")[1]
    assert float(re.search(r"^R +([\d.]+) .*kΩ", out, re.M)[1]) == pytest.approx(5.305, rel=1e-3)
    assert "C = 100 nF" in out
    status, out, _ = run("fit", path, "--circuit", "low-pass", "--free", "C", "--start", "C=2u2")
    assert status == 0 and "R = 500 Ω, C = 2.2 µF" in out and "only R·C is determined" in out


def test_a_quantity_an_output_and_a_loss_are_chosen(run, file):
    assert "by Decibel()" in run("fit", file(SWEEP), "--circuit", "low-pass", "--loss", "decibel")[1]
    status, out, _ = run("fit", LEDS, "--circuit", "low-pass", "--output", "low", "--loss", "shifted-mse")
    assert status == 0 and "LowPass by ShiftedMSE" in out
    both = "f_hz,magnitude_db,phase_deg\n100,-0.1,-6\n1000,-3,-45\n10000,-20,-84\n"
    assert "start: R = 500 Ω" in run("fit", file(both), "--circuit", "low-pass", "--quantity", "phase")[1]
    assert "by Phase()" in run("fit", file(both), "--circuit", "low-pass", "--quantity", "phase")[1]


def test_several_starts_and_a_named_method(run, file):
    status, out, _ = run("fit", file(SWEEP), "--circuit", "low-pass", "--starts", 3, "--method", "lbfgs", "--seed", 5)
    assert status == 0 and "R " in out


def test_corners_that_are_not_given_start_inside_the_measured_range(run, tmp_path):
    path = tmp_path / "bode.csv"
    values = "R_low=39.789", "R_high=159.155"
    run("simulate", "band-pass", *values, "--grid", 80, "--quantity", "decibels", "--out", path)
    status, out, _ = run("fit", path, "--circuit", "bode-band-pass")
    assert "start: f_low = 10 kHz, f_high = 100 Hz" in out
    assert status == 0


# exit status 1


def test_what_the_circuit_does_not_explain_is_status_1(run, file):
    status, out, complaints = run("fit", file(SWEEP), "--circuit", "high-pass")
    assert (status, complaints) == (1, [])
    assert "does not explain these data" in out


def test_what_does_not_converge_is_status_1(run, file, monkeypatch):
    monkeypatch.setattr("circuits.fitting.stopping.CONVERGED", ())
    monkeypatch.setattr("circuits.fitting.result.CONVERGED", ())
    assert run("fit", file(SWEEP), "--circuit", "low-pass")[0] == 1


# exit status 2: one line, which names the value, what was expected and what to do

LOW = ["--circuit", "low-pass"]
BAD_FILES = {
    "an empty file": ("", LOW, "empty"),
    "a header alone": ("frequency,magnitude\n", LOW, "data.csv"),
    "no frequency column": ("voltage,magnitude\n1,2\n", LOW, "frequency"),
    "text in a number column": ("frequency,magnitude\n10,0.9\n20,banana\n", LOW, "line 3.*banana"),
    "labels of three states": ("frequency,low\n10,on\n20,off\n30,perhaps\n", LOW, "perhaps"),
    "a row too short": ("frequency,magnitude,sigma\n10,0.9,0.1\n20\n", LOW, "line 3"),
    "a frequency of zero": ("frequency,magnitude\n0,0.9\n20,0.8\n", LOW, "0"),
    "a negative frequency": ("frequency,magnitude\n-10,0.9\n20,0.8\n", LOW, "-10"),
    "a frequency of NaN": ("frequency,magnitude\nnan,0.9\n20,0.8\n", LOW, "frequency"),
    "an infinite frequency": ("frequency,magnitude\ninf,0.9\n20,0.8\n", LOW, "inf"),
    "all LEDs lit": ("frequency,low\n10,1\n20,1\n", LOW, "every LED is lit: this only says that R ≤ 7.958 kΩ"),
    "all LEDs dark": ("frequency,low\n10,0\n20,0\n", LOW, "every LED is dark: this only says that R ≥ 15.92 kΩ"),
    "no picture of numbers": (b"\x89PNG\r\n\x1a\n\0\0", LOW, "data.csv"),
    "no circuit for a single output": (SWEEP, [], "name it with --circuit: low-pass, high-pass"),
    "an unknown circuit": (SWEEP, ["--circuit", "lowpass"], "no circuit 'lowpass'; known: low-pass, high-pass"),
    "an unknown loss": (SWEEP, [*LOW, "--loss", "mse"], "no loss 'mse'; known: squared, magnitude"),
    "an unknown method": (SWEEP, [*LOW, "--method", "newton"], "no method 'newton'; known: auto, levenberg"),
    "an unknown quantity": (SWEEP, [*LOW, "--quantity", "gain"], "no quantity 'gain'; known: response"),
    "an unknown output": (SWEEP, [*LOW, "--output", "low"], "no output 'low'; known: none"),
    "an unknown component": (SWEEP, [*LOW, "--fix", "R9=1k"], "no component 'R9'; known: R, C"),
    "an unknown component to start": (SWEEP, [*LOW, "--start", "r=1k"], "no component 'r'; known: R, C"),
    "an unknown component to free": (SWEEP, [*LOW, "--free", "L"], "no component 'L'; known: R, C"),
    "a quantity that cannot be had": (SWEEP, [*LOW, "--quantity", "phase"], "phase"),
    "a loss of another quantity": (SWEEP, [*LOW, "--loss", "logistic-led"], "led"),
    "a circuit of other outputs": (SWEEP, ["--circuit", "color-organ"], "the outputs low, band, high"),
    "a negative component": (SWEEP, [*LOW, "--start", "R=-500"], "R = -500 Ω; expected a positive, finite value"),
    "a component of zero": (SWEEP, [*LOW, "--fix", "C=0"], "C = 0 F; expected a positive"),
    "a component of NaN": (SWEEP, [*LOW, "--start", "R=nan"], "cannot read 'nan' as a value"),
    "an infinite component": (SWEEP, [*LOW, "--start", "R=inf"], "cannot read 'inf' as a value"),
    "a component too large": (SWEEP, [*LOW, "--start", "R=1e999"], "too large"),
    "a value in another unit": (SWEEP, [*LOW, "--start", "R=100nF"], "'100nF' is in F, expected Ω"),
    "no value": (SWEEP, [*LOW, "--fix", "C"], "--fix 'C'; expected NAME=VALUE"),
    "a value twice": (SWEEP, [*LOW, "--start", "R=1", "--start", "R=2"], "gives R twice, 1 and 2"),
    "fixed and started": (SWEEP, [*LOW, "--fix", "C=1u", "--start", "C=2u"], "C is given to --fix and to --start"),
    "fixed and freed": (SWEEP, [*LOW, "--fix", "C=1u", "--free", "C"], "C is given to --fix and to --free"),
    "everything fixed": (SWEEP, [*LOW, "--fix", "R=1k"], "nothing to fit"),
    "no starts": (SWEEP, [*LOW, "--starts", "0"], "'0' is no count"),
    "half a start": (SWEEP, [*LOW, "--starts", "1.5"], "'1.5' is no count"),
    "a seed of words": (SWEEP, [*LOW, "--seed", "x"], "'x' is no seed"),
    "a picture of an unknown kind": (SWEEP, [*LOW, "--plot", "a.gif"], r"must end in \.png, \.svg"),
    "a picture with no place to go": (SWEEP, [*LOW, "--plot", "no/such/a.png"], "there is no folder no/such; make it"),
    "a report of an unknown kind": (SWEEP, [*LOW, "--report", "a.pdf"], r"its name must end in \.html"),
    "a report with no place to go": (
        SWEEP,
        [*LOW, "--report", "no/such/a.html"],
        "there is no folder no/such; make it",
    ),
    "results with no place to go": (SWEEP, [*LOW, "--json", "no/such/a.json"], "there is no folder no/such"),
    "an unknown option": (SWEEP, [*LOW, "--plott", "a.png"], "cannot follow --plott a.png; see circuits fit --help"),
    "an abbreviated option": (SWEEP, ["--circ", "low-pass"], "cannot follow --circ"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_fit_is_one_line_and_status_2(case, run, file):
    content, options, said = BAD_FILES[case]
    status, out, complaints = run("fit", file(content), *options)
    assert status == 2, out
    assert len(complaints) == 1 and complaints[0].startswith("circuits: ")
    assert re.search(said, complaints[0]), complaints[0]


BAD_COMMANDS = {
    "nothing": ([], "no command; expected one of read, fit, fit-many, simulate, graph, schematic"),
    "an unknown command": (["fitt"], "fitt"),
    "no file": (["fit"], "required: FILE"),
    "a missing file": (["fit", "no_such.csv"], "cannot read 'no_such.csv'"),
    "a folder": (["fit", "."], "cannot read '.'"),
    "no circuit": (["simulate"], "required: CIRCUIT"),
    "an unknown circuit": (["simulate", "lowpass"], "no circuit 'lowpass'; known: low-pass"),
    "an unknown component": (["simulate", "low-pass", "L=1"], "no component 'L'; known: R, C"),
    "a component named as an argument": (["simulate", "low-pass", "seed=1"], "no component 'seed'; known: R, C"),
    "a component named as the circuit": (["graph", "low-pass", "name=1"], "no component 'name'; known: R, C"),
    "words for a value": (["simulate", "low-pass", "R=banana"], "cannot read 'banana'"),
    "a word alone": (["simulate", "low-pass", "R"], "value 'R'; expected NAME=VALUE"),
    "a negative noise": (["simulate", "low-pass", "--noise", "-1"], "noise -1"),
    "no tones": (["simulate", "low-pass", "--tones", "0"], "'0' is no count"),
    "too many tones": (["simulate", "low-pass", "--tones", "1G"], "expected a whole number from 1 to 10,000,000"),
    "tones and a grid": (["simulate", "low-pass", "--tones", "5", "--grid", "5"], "not allowed with"),
    "a frequency of zero": (["simulate", "low-pass", "--from", "0"], "expected 0 < low"),
    "frequencies upside down": (["simulate", "low-pass", "--from", "1k", "--to", "10"], "1 kHz to 10 Hz"),
    "ohms for hertz": (["simulate", "low-pass", "--from", "10ohm"], "'10ohm' is in Ω, expected Hz"),
    "an unknown quantity": (["simulate", "low-pass", "--quantity", "gain"], "no quantity 'gain'; known: response"),
    "a negative seed": (["simulate", "low-pass", "--seed", "-1"], "'-1' is no seed"),
    "no place for the data": (["simulate", "low-pass", "--out", "no/such/data.csv"], "cannot write"),
    "an unknown circuit to draw": (["graph", "organ"], "no circuit 'organ'; known: low-pass"),
    "a graph at no frequency": (["graph", "low-pass", "--at", "0"], "frequency 0 Hz"),
    "an unknown component to draw": (["schematic", "low-pass", "L=1"], "no component 'L'; known: R, C"),
    "an unknown schematic": (["schematic", "organ"], "no circuit 'organ'; known: low-pass"),
    "a schematic of an unknown kind": (["schematic", "low-pass", "--out", "a.dot"], "must end in .png, .svg, .pdf"),
    "a schematic with no place to go": (["schematic", "low-pass", "--out", "no/such/a.svg"], "cannot write"),
    "a schematic at a frequency": (["schematic", "low-pass", "--at", "1k"], "cannot follow --at 1k"),
    "a graph of an unknown kind": (["graph", "low-pass", "--out", "graph.bmp"], "must end in .dot, .svg"),
}


@pytest.mark.parametrize("case", BAD_COMMANDS)
def test_a_bad_command_is_one_line_and_status_2(case, run):
    arguments, said = BAD_COMMANDS[case]
    status, out, complaints = run(*arguments)
    assert (status, out) == (2, "")
    assert len(complaints) == 1 and complaints[0].startswith("circuits: ") and said in complaints[0]


def test_a_file_too_large_is_refused_unread(run, tmp_path):
    path = tmp_path / "large.csv"
    with open(path, "wb") as stream:
        stream.truncate(2**34)  # 16 GiB of nothing, which take no room on the disk
    status, _, complaints = run("fit", path, *LOW)
    assert status == 2 and len(complaints) == 1 and "17,179,869,184 bytes" in complaints[0]


def test_running_out_of_memory_is_said_in_a_line(run, monkeypatch):
    def gone(*_):
        raise MemoryError

    monkeypatch.setattr("circuits.data.simulate", gone)
    status, _, complaints = run("simulate", "low-pass")
    assert status == 2 and complaints == ["circuits: not enough memory for this many points; use fewer"]


def test_a_picture_that_cannot_be_written_does_not_cost_the_table(run, file, tmp_path):
    (tmp_path / "a.json").mkdir()
    status, out, complaints = run("fit", file(SWEEP), *LOW, "--json", tmp_path / "a.json")
    assert status == 2 and len(complaints) == 1 and "cannot write" in complaints[0]
    assert "stopped after" in out


# simulate


def test_simulated_data_come_back_as_they_were(run, tmp_path):
    span = ["--from", "10", "C=100n", "--to", "100k"]
    arguments = ["simulate", "low-pass", "R=4k7", "--grid", "5", *span, "--noise", "0.01"]
    status, out, said = run(*arguments)
    assert status == 0 and said == ["low-pass: R = 4.7 kΩ, C = 100 nF"]
    path = tmp_path / "data.csv"
    path.write_text(out, encoding="utf-8")
    data = cc.read(path)
    assert (data.quantity, len(data), float(data.sigma.max())) == ("magnitude", 5, 0.01)
    assert data.f[[0, -1]].tolist() == [10.0, 100e3]
    run(*arguments, "--out", tmp_path / "other.csv")
    assert (tmp_path / "other.csv").read_text("utf-8") == out
    assert run(*arguments, "--seed", "1")[1] != out


def test_a_color_organ_lights_leds_and_is_recovered(run, tmp_path):
    path = tmp_path / "organ.csv"
    status, out, _ = run("simulate", "color-organ", *(f"{n}={v}" for n, v in TRUTH.items()), "--out", path)
    assert (status, out) == (0, "")
    assert cc.read(path).quantity == "led" and len(cc.read(path)) == 1000
    status, out, _ = run("fit", path)
    assert status == 0 and "3000 of 3000 LEDs explained" in out


def test_values_left_out_are_drawn_and_told(run):
    said = [run("simulate", "high-pass", "--tones", 3, "--seed", seed)[2][0] for seed in (1, 1, 2)]
    assert said[0] == said[1] != said[2]
    assert re.fullmatch(r"high-pass: R = .*Ω, C = 1 µF", said[0])


# graph


@pytest.mark.parametrize("name", CATALOGUE)
def test_graph_prints_dot_with_every_component(name, run):
    status, out, complaints = run("graph", name)
    assert (status, complaints) == (0, [])
    assert out.startswith("digraph {") and out.endswith("}\n")
    assert all(out.count(f'"{component} = ') == 1 for component in cc.catalogue.component_names(name))


def test_graph_is_written_where_asked(run, tmp_path):
    status, out, _ = run("graph", "low-pass", "R=1M5", "--at", "2k2", "--out", tmp_path / "graph.dot")
    dot = (tmp_path / "graph.dot").read_text("utf-8")
    assert status == 0 and str(tmp_path / "graph.dot") in out
    assert "R = 1.5 MΩ" in dot and "|H(2.2 kHz)|" in dot


def test_graph_shows_values_and_gradients_when_asked(run):
    plain, more = (run("graph", "low-pass", "R=500", *options)[1] for options in ([], ["--values", "--gradients"]))
    assert "∂" not in plain and "3.142" not in plain
    assert "= 3.142" in more and "∂|H|/∂R = −0.0005508 /Ω" in more
    assert "= 3.142" in run("graph", "low-pass", "--values", "R=500")[1]


def test_graph_without_graphviz_says_how_to_get_it(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    status, out, complaints = run("graph", "low-pass", "--out", tmp_path / "graph.svg")
    assert (status, out) == (2, "") and len(complaints) == 1
    assert "apt-get install graphviz" in complaints[0]


# schematic


@pytest.mark.parametrize("name", CATALOGUE)
def test_schematic_prints_svg_with_every_component(name, run):
    status, out, complaints = run("schematic", name)
    assert (status, complaints) == (0, [])
    assert out.startswith("<svg ") and out.endswith("</svg>\n")
    assert all(out.count(f">{component} = ") == 1 for component in cc.catalogue.component_names(name))


def test_schematic_is_written_where_asked(run, tmp_path):
    path = tmp_path / "filter.svg"
    status, out, _ = run("schematic", "low-pass", "--out", path, "R=4k7", "C=100n")
    assert (status, out) == (0, f"schematic: {path}\n")
    assert "R = 4.7 kΩ" in path.read_text("utf-8") and "C = 100 nF" in path.read_text("utf-8")


def test_a_report_is_written_where_asked(run, file, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    monkeypatch.setattr(cc.Fit, "report", lambda fit, path, notes: Path(path).write_text(repr(fit)), raising=False)
    status, out, _ = run("fit", file(SWEEP), "--circuit", "low-pass", "--report", path)
    assert status == 0 and f"report: {path}" in out
    assert path.read_text("utf-8").startswith("Fit(Bench")


# help


def test_the_names_in_the_help_are_those_that_there_are():
    assert tuple(CATALOGUE) == arguments.CIRCUITS
    assert losses.NAMES == arguments.LOSSES
    assert ("auto", *fitter.NAMED_METHODS) == arguments.METHODS
    assert tuple(QUANTITIES) == arguments.QUANTITIES


@pytest.mark.parametrize("arguments", ["--help", "fit --help", "simulate -h", "graph -h", "schematic -h", "--version"])
def test_help_and_version_are_status_0(arguments, run):
    status, out, complaints = run(*arguments.split())
    assert (status, complaints) == (0, []) and out.startswith(("usage: circuits", "circuits (ohmgrad)"))


def test_the_examples_in_the_help_are_understood():
    lines = re.findall(r"^  circuits (.*)$", options._EXAMPLES, re.M)
    commands = [options.read_options(line.split()).command for line in lines]
    assert {*commands} == {*COMMANDS}


# the process


def test_help_and_a_mistyped_option_load_no_torch():
    code = (
        "import sys; from circuits.cli import main; status = main(sys.argv[1:]); "
        "sys.exit(status if not {'torch', 'numpy', 'matplotlib'} & set(sys.modules) else 99)"
    )
    for words, status in ((["--help"], 0), (["fit", "x.csv", "--starts", "none"], 2), ([], 2)):
        done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, check=False)
        assert done.returncode == status


def test_exit_status_of_the_process(tmp_path):
    done = process("fit", "no_such.csv")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().count("\n") == 1 and b"Traceback" not in done.stderr


def test_a_closed_pipe_is_no_reason_to_complain():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "circuits", "simulate", "low-pass", "R=1k", "--tones", "1"]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False, env=buffered)
    os.close(writer)
    assert (done.returncode, done.stderr.decode().splitlines()) == (141, ["low-pass: R = 1 kΩ, C = 1 µF"])


def test_a_terminal_without_omega_still_gets_its_line():
    done = process("simulate", "low-pass", "R=1k", "--grid", "1", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"low-pass: R = 1 k?, C = 1 ?F\n")


def test_control_c_is_130(run, file, monkeypatch):
    def interrupted(*_, **__):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("circuits.data.read", interrupted)
    assert run("fit", file(SWEEP), *LOW) == (130, "", ["circuits: interrupted"])


def test_control_c_during_a_fit_shows_the_best_so_far(run, file, monkeypatch):
    prediction, calls = cc.LowPass.linearize, []

    def interrupted(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return prediction(self, *arguments)

    monkeypatch.setattr(cc.LowPass, "linearize", interrupted)
    status, out, _ = run("fit", file(SWEEP), *LOW, "--method", "levenberg-marquardt")
    assert status == 130 and "interrupted from the keyboard" in out


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_examples_run(script):
    done = subprocess.run(
        [sys.executable, "-X", "utf8", str(script)],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.count(b"\n") > 5 and done.stderr == b""


def test_columns_without_telling_names_are_named(tmp_path, run):
    file = tmp_path / "odd.csv"
    file.write_text("x;y;theta\n100;0,985;-9\n300;0,883;-27\n1000;0,5;-58\n3000;0,18;-79\n", "utf-8")
    named = ("--column", "frequency=x", "--column", "magnitude=y")
    status, out, complaints = run("fit", str(file), "--circuit", "low-pass", *named, "--gain", "off")
    assert (status, complaints) == (0, [])
    assert "magnitude from 'y'" in out
    assert run("fit", str(file), "--circuit", "low-pass", "--column", "frequency=z")[0] == 2
