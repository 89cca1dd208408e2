"""Every example netlist runs in ngspice as it is, and does what its comments say."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from circuits.netlist.elements import GROUND
from circuits.netlist.language import read_file
from circuits.netlist.language.instances import LIBRARY
from circuits.netlist.netlist_circuit import NetlistCircuit
from netlist.oracles.judging import judge
from netlist.oracles.ngspice import Sweep, needs_ngspice, run_ac
from netlist.oracles.precise import solve

FOLDER = Path(__file__).parents[2] / "examples" / "netlists"
EXAMPLES = sorted(FOLDER.glob("*.cir"))


def run(name: str, ac: str | None = None, change: tuple[str, str] | None = None) -> Sweep:
    text = (FOLDER / f"{name}.cir").read_text("utf-8")
    if change is not None:
        assert change[0] in text
        text = text.replace(*change)
    return run_ac(text, ac, FOLDER)


def decibels(sweep: Sweep, output: str, over: str = "in") -> np.ndarray:
    return 20 * np.log10(np.abs(sweep.voltages[output] / sweep.voltages[over]))


def band(f: np.ndarray, level: np.ndarray) -> tuple[float, float]:
    """Where a level is within 3 dB of its peak."""
    inside = f[level > level.max() - 3.0103]
    return inside[0], inside[-1]


@needs_ngspice
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs_as_it_is_and_ngspice_has_nothing_to_say(path: Path):
    sweep = run_ac(path.read_text("utf-8"), folder=FOLDER)
    assert len(sweep.f) > 50
    assert all(np.isfinite(v).all() for v in sweep.voltages.values())
    assert re.findall(r"(?i).*(?:warning|error|unknown|unsupported).*", sweep.said) == []


@pytest.mark.parametrize("path", [*EXAMPLES, FOLDER / "opamps.lib"], ids=lambda path: path.name)
def test_it_says_what_it_is_and_what_to_look_at(path: Path):
    text = path.read_text("utf-8")
    assert max(map(len, text.splitlines())) <= 120
    assert path.suffix == ".lib" or "* Look at: " in text


def test_the_op_amps_beside_the_examples_are_those_of_the_package():
    """ngspice finds them beside the netlist; the package has them anyway."""
    assert (FOLDER / "opamps.lib").read_text("utf-8") == LIBRARY.read_text("utf-8")


@needs_ngspice
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_node_is_where_ngspice_has_it(path: Path):
    netlist = read_file(path)
    sweep = run_ac(path.read_text("utf-8"), folder=FOLDER)
    nodes = sorted({node for e in netlist.elements for node in e.nodes} - {GROUND})
    circuit = NetlistCircuit(netlist, {node: f"V({node})" for node in nodes})
    ours = circuit.response(torch.from_numpy(sweep.f)).numpy(force=True)
    verdict = judge(netlist, sweep, dict(zip(nodes, ours, strict=True)))
    assert verdict.ours == {}
    assert verdict.agreed + len(verdict.theirs) == len(sweep.f)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_agrees_with_the_high_precision_solve_as_closely_as_its_numbers_allow(path: Path):
    netlist = read_file(path)
    nodes = sorted({node for e in netlist.elements for node in e.nodes} - {GROUND})
    circuit = NetlistCircuit(netlist, {node: f"V({node})" for node in nodes})
    low, high = netlist.sweep.low, netlist.sweep.high  # type: ignore[union-attr]
    f = np.geomspace(low, high, 5)
    ours = circuit.response(torch.from_numpy(f)).numpy(force=True)
    for k in range(len(f)):
        truth = solve(netlist, float(f[k])).voltages
        scale = max(map(abs, truth.values()))
        assert max(abs(ours[i, k] - truth[node]) for i, node in enumerate(nodes)) < 1e-12 * scale


@needs_ngspice
def test_the_organ_as_built_is_not_the_organ_on_paper():
    sweep = run("organ", "dec 100 1 1meg")
    ends = {name: band(sweep.f, decibels(sweep, name)) for name in ("low", "band", "high")}
    assert decibels(sweep, "low").max() == pytest.approx(20.8, abs=0.05)
    assert ends["low"][1] == pytest.approx(447, rel=0.01)
    assert ends["band"] == pytest.approx((339, 3020), rel=0.01)
    assert ends["high"] == pytest.approx((1820, 43_700), rel=0.01)
    alone = decibels(sweep, "low", over="bus")
    assert band(sweep.f, alone)[1] == pytest.approx(796, rel=0.02)
    assert decibels(sweep, "red", over="low") == pytest.approx(np.zeros(len(sweep.f)), abs=4.5)


@needs_ngspice
@pytest.mark.parametrize(("outputs", "own", "others"), [(["low"], 1.0, 9.0), (["low", "band", "high"], 0.3, 0.3)])
def test_what_the_outputs_of_the_organ_know_of_its_resistors(outputs: list[str], own: float, others: float):
    """Errors in percent from 81 readings of 1 % each, by the Cramér–Rao bound."""
    slopes = []
    for name in ("R1 bus low 200", "R2 bus mid 39", "R3 band 0 160", "R4 high 0 33"):
        stem, _, value = name.rpartition(" ")
        up, down = (run("organ", "dec 20 10 100k", (name, f"{stem} {float(value) * k!r}")) for k in (1.001, 0.999))
        change = [np.log(np.abs(s.voltages[o] / s.voltages["in"])) for o in outputs for s in (up, down)]
        slopes.append(np.concatenate([a - b for a, b in zip(change[::2], change[1::2], strict=True)]) / 0.002)
    errors = np.sqrt(np.diag(np.linalg.inv(np.array(slopes) @ np.array(slopes).T)))
    assert errors[0] <= own
    assert errors.max() <= others


@needs_ngspice
def test_sallen_key_falls_and_rises_again():
    sweep = run("sallen_key")
    level = decibels(sweep, "out")
    assert level[np.isclose(sweep.f, 1000)] == pytest.approx(-2.8, abs=0.1)
    assert level[np.isclose(sweep.f, 10e3)] == pytest.approx(-39.6, abs=0.1)
    assert sweep.f[level.argmin()] == pytest.approx(56e3, rel=0.02)
    assert (level.min(), level[-1]) == pytest.approx((-65.5, -42.7), abs=0.1)
    ideal = decibels(run("sallen_key", change=("OPAMP_GBW gbw=1meg a0=200k rout=75", "OPAMP_IDEAL")), "out")
    assert ideal[-1] == pytest.approx(-160, abs=1)


@needs_ngspice
def test_multiple_feedback_moves_with_r2_and_with_a_poor_op_amp():
    sweep = run("multiple_feedback", "lin 2001 500 1500")
    level = decibels(sweep, "out")
    low, high = band(sweep.f, level)
    assert (sweep.f[level.argmax()], level.max(), high - low) == pytest.approx((1000, -0.2, 197), rel=0.1)
    sweep = run("multiple_feedback", "lin 2001 500 1500", ("R2 a 0 1.6k", "R2 a 0 2k"))
    assert sweep.f[decibels(sweep, "out").argmax()] == pytest.approx(897, abs=1)
    assert np.subtract(*band(sweep.f, decibels(sweep, "out"))) == pytest.approx(-197, abs=1)
    sweep = run("multiple_feedback", "lin 2001 500 1500", ("gbw=1meg", "gbw=50k"))
    assert sweep.f[decibels(sweep, "out").argmax()] == pytest.approx(915, abs=1)


@needs_ngspice
def test_twin_t_is_deep_as_long_as_its_parts_match():
    sweep = run("twin_t", "lin 8001 20 100")
    level = decibels(sweep, "out")
    inside = sweep.f[level < -3.0103]
    assert (sweep.f[level.argmin()], level.min()) == pytest.approx((49.8, -75), rel=0.01)
    assert 49.8 / (inside[-1] - inside[0]) == pytest.approx(2.5, rel=0.01)
    off = run("twin_t", "lin 8001 20 100", ("R1 in a 68k", "R1 in a 68.68k"))
    assert decibels(off, "out").min() == pytest.approx(-44, abs=0.5)


@needs_ngspice
def test_state_variable_has_a_q_of_four_and_more_with_a_slow_op_amp():
    sweep = run("state_variable")
    assert decibels(sweep, "bp").max() == pytest.approx(20 * np.log10(4), abs=0.2)
    assert sweep.f[decibels(sweep, "bp").argmax()] == pytest.approx(995, rel=0.02)
    slow = run("state_variable", change=("gbw=1meg", "gbw=100k"))
    assert decibels(slow, "bp").max() - 20 * np.log10(4) == pytest.approx(20 * np.log10(1.25), abs=0.2)
    assert decibels(sweep, "hp")[-1] == pytest.approx(0, abs=0.5)
    assert decibels(sweep, "lp")[0] == pytest.approx(0, abs=0.5)


@needs_ngspice
def test_rlc_peaks_where_it_says():
    sweep = run("rlc", "lin 4001 3k 7k")
    level = decibels(sweep, "out")
    low, high = band(sweep.f, level)
    assert (sweep.f[level.argmax()], level.max()) == pytest.approx((4935, -3.69), rel=0.001)
    assert 4935 / (high - low) == pytest.approx(2.15, rel=0.01)


@needs_ngspice
def test_ladder_is_a_diffusion_line_for_a_while():
    sweep = run("ladder_50")
    inside = (sweep.f > 3e3) & (sweep.f < 101e3)
    phase = np.angle(-1 / sweep.currents["v1"], deg=True)
    assert phase[inside] == pytest.approx(np.full(inside.sum(), -45), abs=6)
    assert (np.abs(sweep.voltages["n10"]) > np.abs(sweep.voltages["out"])).all()


@needs_ngspice
def test_dummy_cell_runs_along_its_half_circle():
    sweep = run("dummy_cell", "dec 100 0.1 1meg")
    z = sweep.voltages["in"]
    assert (z[0].real, z[-1].real) == pytest.approx((75.8, 29.1), abs=0.01)
    assert sweep.f[np.imag(z).argmin()] == pytest.approx(328, rel=0.02)
    assert np.abs(z - (29.1 + 46.7 / 2)) == pytest.approx(np.full(len(z), 46.7 / 2), rel=1e-6)


@needs_ngspice
def test_butterworth_gives_back_what_it_does_not_pass():
    sweep = run("butterworth_50")
    level = decibels(sweep, "out", over="source")
    at = [np.abs(sweep.f - f).argmin() for f in (1e6, 10e6, 20e6)]
    assert level[at] - level[0] == pytest.approx([0, -3.01, -30], abs=0.1)
    passed, back = (2 * sweep.voltages[node] / sweep.voltages["source"] for node in ("out", "in"))
    assert np.abs(passed) ** 2 + np.abs(back - 1) ** 2 == pytest.approx(np.ones(len(sweep.f)), rel=1e-9)


@needs_ngspice
def test_coupled_pair_has_two_humps_above_critical_coupling():
    sweep = run("coupled_pair")
    level = np.abs(sweep.voltages["out"])
    peaks = sweep.f[1:-1][(level[1:-1] > level[:-2]) & (level[1:-1] > level[2:])]
    assert peaks / 455e3 - 1 == pytest.approx([-0.0087, 0.0087], abs=0.0003)
    level = np.abs(run("coupled_pair", change=("0.02 ", "0.01 ")).voltages["out"])
    assert ((level[1:-1] > level[:-2]) & (level[1:-1] > level[2:])).sum() == 1
