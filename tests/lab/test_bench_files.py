"""Real files by the command line, as a person would type it: with the circuit and the known parts, and nothing more."""

import math
import re
from pathlib import Path

import pytest

from circuits import cli, notation

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
NETLISTS = ROOT / "examples" / "netlists"
here = pytest.mark.skipif(not SHARED.is_dir(), reason="NOT RUN: the shared measurements are not beside the project")


@pytest.fixture
def run(capsys):
    def run(*arguments):
        status = cli.main([str(part) for part in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def found(text, name, unit):
    """The value of a row of the table and its error, in SI units."""
    row = re.search(rf"^{name} +([\d.]+) ± ([\d.]+) (\S+)$", text, re.MULTILINE)
    assert row, text
    value, error, prefixed = row.groups()
    return notation.parse(value + prefixed, unit), notation.parse(error + prefixed, unit)


@here
@pytest.mark.parametrize(("kind", "corner"), [("low", 288.0), ("high", 293.0)])
def test_the_corners_of_hand_read_filters(kind, corner, run):
    status, out, _ = run("fit", SHARED / f"p241_rc_{kind}pass.csv", "--circuit", f"{kind}-pass")
    value, error = found(out, "cutoff", "Hz")
    assert status == 0 and abs(value - corner) < error < 5.0
    assert re.search(r"^gain +0\.98", out, re.MULTILINE)
    assert "the levels alone are fitted" in out


@here
def test_fits_that_disagree_say_so_before_the_errors(run):
    _, out, _ = run("fit", SHARED / "p241_rc_highpass.csv", "--circuit", "high-pass")
    assert out.index("R: magnitude and decibels differ by 2.2") < out.index("HighPass by")
    _, out, _ = run("fit", SHARED / "p241_rc_lowpass.csv", "--circuit", "low-pass")
    assert "disagree" not in out


@here
def test_what_the_coil_loses(run):
    status, out, _ = run("fit", SHARED / "e7_rlc_low_damp.csv", "--netlist", NETLISTS / "driven_rlc.cir")
    value, error = found(out, "R_coil", "Ω")
    assert status == 0 and abs(value - 171) <= 10 and error < 10
    assert found(out, "C", "F")[0] == pytest.approx(1.86e-9, rel=0.01)
    assert "R = 820 Ω, L = 18 mH" in out and "gain " in out


@here
def test_the_dummy_cell(run):
    start = ["--start", "R0=100", "--start", "R1=10", "--start", "C1=1u"]
    file, net = SHARED / "Circuit1_EIS_1.z", NETLISTS / "dummy_cell.cir"
    status, out, _ = run("fit", file, "--netlist", net, "--output", "Z(in)", *start)
    expected = {"R0": (29.1, "Ω"), "R1": (46.7, "Ω"), "C1": (10.4e-6, "F")}
    for name, (value, unit) in expected.items():
        assert found(out, name, unit)[0] == pytest.approx(value, rel=0.01)
    assert status == 0 and "gain" not in out  # an impedance in ohms is no ratio


@here
def test_a_circuit_that_does_not_explain_the_data_is_said_first(run):
    status, out, _ = run("fit", SHARED / "p241_rc_lowpass.csv", "--circuit", "high-pass")
    assert status == 1
    assert out.index("this circuit does not explain these data: residuals are no noise") < out.index("±")


# options, on files written here

F = [10 * 1.3**n for n in range(30)]


def sweep(path, response, gain=1.0):
    path.write_text("f_hz,magnitude\n" + "".join(f"{f},{gain * abs(response(f)):.5f}\n" for f in F), "utf-8")
    return path


def low(f):
    return 1 / (1 + 1j * f / 800)


def high(f):
    return 1j * f / 5000 / (1 + 1j * f / 5000)


def test_two_files_of_one_board_are_fitted_jointly(run, tmp_path):
    files = sweep(tmp_path / "low.csv", low, 1.1), sweep(tmp_path / "high.csv", high, 0.9)
    status, out, _ = run(
        "fit", *files, "--circuit", "color-organ", "--fix", "band.R_low=40", "--fix", "band.R_high=160"
    )
    assert status == 0
    assert found(out, "low.cutoff", "Hz")[0] == pytest.approx(800, rel=1e-3)
    assert found(out, "high.cutoff", "Hz")[0] == pytest.approx(5000, rel=1e-3)
    gains = [float(re.search(rf"gain_{name} +([\d.]+) ±", out)[1]) for name in ("low", "high")]
    assert gains == pytest.approx([1.1, 0.9], rel=1e-3)


def test_outputs_of_a_netlist_are_named_for_their_files(run, tmp_path):
    net = tmp_path / "two.cir"
    net.write_text("two\nV1 in 0 AC 1\nR1 in low 198.94 ; @learn\nC1 low 0 1u\nC2 in high 1u\nR2 high 0 50 ; @learn\n")
    files = sweep(tmp_path / "a.csv", low), sweep(tmp_path / "b.csv", high, 2.0)
    outputs = ["--output", "V(low)/V(in)", "--output", "V(high)/V(in)"]
    status, out, _ = run("fit", *files, "--netlist", net, *outputs)
    assert status == 0 and found(out, "R2", "Ω")[0] == pytest.approx(31.83, rel=1e-3)


def test_a_gain_that_the_data_do_not_tell_is_held(run, tmp_path):
    net = tmp_path / "divider.cir"
    net.write_text("divider\nV1 in 0 AC 1\nR1 in out 1k ; @learn\nR2 out 0 3k\n")
    file = sweep(tmp_path / "b.csv", lambda f: 0.6 + 0.001 * math.sin(f))
    _, out, _ = run("fit", file, "--netlist", net)
    assert "gain held at 1: these data do not tell it" in out
    assert found(out, "R1", "Ω")[0] == pytest.approx(2000, rel=0.01)
    _, out, _ = run("fit", file, "--netlist", net, "--gain", "on")
    assert "gain held" not in out and "only R1/gain" in out


def test_gain_source_and_weights_as_they_are_given(run, tmp_path):
    file = sweep(tmp_path / "a.csv", low, 1.1)
    assert found(run("fit", file, "--circuit", "low-pass", "--gain", "1.1")[1], "R", "Ω")[0] == pytest.approx(
        198.94, rel=1e-3
    )
    _, out, _ = run(
        "fit", file, "--circuit", "low-pass", "--source", "50", "--probe", "10M,12p", "--weights", "modulus"
    )
    assert found(out, "R", "Ω")[0] == pytest.approx(148.94, rel=1e-2)
    assert "R_source = 50 Ω" in out and "Magnitude(weights=" in out
    _, out, _ = run("fit", file, "--circuit", "low-pass", "--gain", "off")
    assert "gain" not in out.partition("component")[2]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--gain", "loud"], "expected auto, on, off or a positive number"),
        (["--gain", "-1"], "expected auto, on, off or a positive number"),
        (["--gain", "on", "--quantity", "phase"], "phase"),
        (["--weights", "sigma"], "have no uncertainty"),
        (["--weights", "unit", "--loss", "relative"], "give one of them"),
        (["--probe", "10M"], "expected ohms,farads"),
    ],
)
def test_options_that_cannot_be_followed(options, said, run, tmp_path):
    status, out, err = run("fit", sweep(tmp_path / "a.csv", low), "--circuit", "low-pass", *options)
    assert status == 2 and said in err


def test_every_file_needs_an_output_of_its_own(run, tmp_path):
    file = sweep(tmp_path / "a.csv", low)
    status, _, err = run("fit", file, file, "--circuit", "color-organ", "--output", "low")
    assert status == 2 and "2 files and 1 output" in err
    status, _, err = run("fit", file, file, "--circuit", "color-organ")
    assert status == 2 and "expected a different one for each file" in err
