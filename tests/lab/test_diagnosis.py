"""Diagnosis: evidence against exact integrals, limits against exact circuits, boards whose fault is known."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

import circuits as cc
from circuits import cli
from circuits.commands.arguments import tolerances
from circuits.component import FARAD, OHM
from circuits.errors import OptionError, ShapeError, UnknownName
from circuits.lab import Fault, diagnose
from circuits.lab.repair.evidence import Beliefs, Boards, settle
from circuits.lab.repair.faults import hypotheses, limit
from circuits.lab.repair.nominal import nominal_of
from circuits.lab.repair.readings import readings_of
from circuits.netlist import NetlistCircuit, to_netlist
from circuits.netlist.answers.changes import Change

NETLISTS = Path(__file__).parents[2] / "examples" / "netlists"
NAMES = ("low", "band", "high")
F = cc.log_grid(30, 20.0, 50e3)
ALIKE = {  # which parts of the textbook's organ act only together
    **{f"{name}.{part}": {f"{name}.R", f"{name}.C"} for name in ("low", "high") for part in "RC"},
    **{f"band.{part}_{end}": {f"band.R_{end}", f"band.C_{end}"} for end in ("low", "high") for part in "RC"},
}
DEAD = {("band.R_low", "open"), ("band.C_low", "short"), ("band.R_high", "short"), ("band.C_high", "open")}


def paper():
    return cc.ColorOrgan(low=200.0, band=(40.0, 160.0), high=33.0)


@pytest.fixture(scope="module")
def as_netlist():
    return NetlistCircuit(to_netlist(paper()), {name: f"V({name})" for name in NAMES})


@pytest.fixture(scope="module")
def built():
    return cc.read_netlist(str(NETLISTS / "organ.cir"), {name: f"V({name})/V(in)" for name in NAMES})


@pytest.fixture(scope="module")
def two_sections():
    text = "two sections\nV1 in 0 AC 1\nR1 in a 1k\nC1 a 0 1u\nR2 a b 3.3k\nC2 b 0 220n\nR3 b 0 10k"
    return cc.read_netlist(text, {"a": "V(a)", "b": "V(b)"})


def board_of(circuit, generator, **factors):
    """A board whose parts are anywhere within 5 % and 10 %, some of them multiplied by a factor."""
    board = copy.deepcopy(circuit)
    factors = {name.replace("__", "."): factor for name, factor in factors.items()}
    units = board.units()
    with torch.no_grad():
        for name, parameter in board.named_parameters():
            if units[name] in "ΩF" and not name.startswith("X"):
                spread = 0.05 if units[name] == "Ω" else 0.10
                parameter *= 1 + spread * (2 * torch.rand((), generator=generator).item() - 1)
                parameter *= factors.pop(name, 1.0)
    assert not factors
    return board


def reading(level, generator, outputs, share=0.01):
    sigma = torch.hypot(share * level, share / 10 * level.new_tensor(1.0))
    noisy = level + sigma * torch.randn(level.shape, generator=generator, dtype=level.dtype)
    return cc.Measurements(F, "magnitude", noisy.detach(), sigma.detach(), outputs)


def named(found):
    return [one.name for one in found.group]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


# the evidence, against what it stands for


def settled(circuit, data, kinds, **options):
    board, readings = nominal_of(circuit, **options), readings_of(circuit, data)
    table = hypotheses(board, float(data.f.min()), float(data.f.max()), kinds)
    beliefs = Beliefs(table.centres, table.widths, board.positive)
    found = settle(Boards(circuit, board.names, data.f, data.quantity), readings, beliefs, 0 * table.starts)
    return board, table, found


def test_evidence_is_the_gaussian_with_the_tolerances_in_its_covariance():
    circuit, f = cc.BandPass(R_low=40.0, R_high=160.0), cc.log_grid(12, 100.0, 1e5)
    names, noise = ("R_low", "R_high", "C_low", "C_high"), 0.002
    for row in (0, 1, 2):  # nothing wrong, R_low × 0.1 and × 10: each on a board that is so, 1 % off
        centre = hypotheses(nominal_of(circuit), 100.0, 1e5, ["wrong decade"]).centres[row]
        near = cc.BandPass(**dict(zip(names, (1.001 * centre).tolist(), strict=True)))
        data = cc.simulate(near, f, "magnitude", noise, seed=row)
        board, table, found = settled(circuit, data, ["wrong decade"], tolerances={"R": 4e-3, "C": 2e-3})
        other = cc.BandPass(**dict(zip(board.names, centre.tolist(), strict=True)))
        h, jacobian = other.linearize(f, "magnitude", board.names)
        spread = jacobian.mT * (table.widths[row] * centre)
        sigma = noise**2 * torch.eye(12, dtype=torch.float64) + spread @ spread.mT
        constant = -6 * math.log(2 * math.pi * noise**2)
        exact = float(multivariate_normal.logpdf(data.values, h, sigma))
        assert float(found.log_evidence[row]) + constant == pytest.approx(exact, abs=0.02)


def test_evidence_is_the_integral_over_the_parts():
    circuit, f = cc.LowPass(R=1000.0, C=1e-6), torch.tensor([100.0, 160.0, 400.0], dtype=torch.float64)
    data = cc.simulate(cc.LowPass(R=1000.0, C=1.15e-6), f, "magnitude", 0.02, seed=1)
    board, table, found = settled(circuit, data, ["wrong decade"])
    rng = np.random.default_rng(0)
    draws = np.exp(rng.standard_normal((200_000, 2)) * table.widths[0].numpy()) * table.centres[0].numpy()
    many = cc.LowPass(R=torch.tensor(draws[:, 0]), C=torch.tensor(draws[:, 1]))
    chi = ((many.magnitude(f).detach() - data.values) / 0.02).square().sum(-1)
    exact = math.log(float(torch.exp(-0.5 * chi).mean()))
    assert float(found.log_evidence[0]) == pytest.approx(exact, abs=0.02)


def test_an_open_or_shorted_part_by_its_limit_is_that_of_the_exact_circuit(built):
    circuits = [built]
    circuits += [cc.read_netlist(str(NETLISTS / f"{n}.cir")) for n in ("rlc", "twin_t", "sallen_key", "coupled_pair")]
    for circuit in circuits:
        low, high = circuit.span()
        f, full = cc.log_grid(15, low, high), None
        for name, unit in circuit.units().items():
            if unit in ("Ω", "F", "H") and "." not in name:
                full = circuit.magnitude(f).max()
                for kind, how in (("open", "open"), ("shorted", "short")):
                    exact = circuit.what_ifs(f, [Change(name, how)]).response.squeeze()
                    board = copy.deepcopy(circuit)
                    with torch.no_grad():
                        board.get_parameter(name).fill_(limit(unit, kind, low, high))
                    apart = (board.response(f) - exact).abs() / exact.abs().maximum(full)
                    assert float(apart.detach().max()) < 1e-5, (circuit.title, name, kind)


# boards of which the fault is known


@pytest.mark.parametrize("how", ["open", "short", "factor"])
def test_the_textbook_organ_names_exactly_what_acts_together(as_netlist, how):
    generator = seeded(5)
    for name in ALIKE:
        board = board_of(as_netlist, generator)
        change = Change(name, how, 10.0)
        level = board.what_ifs(F, [change]).response[0].abs()
        found = diagnose(paper(), reading(level, generator, NAMES))
        expected = {part for part, _ in DEAD} if (name, how) in DEAD else ALIKE[name]
        assert set(named(found)) == expected and found.explains and not found.certain
        assert "Cannot tell between" in found.verdict


def test_sixty_boards_with_parts_that_load_each_other(two_sections):
    generator, told, right, there = seeded(7), 0, 0, 0
    parts, kinds = ["R1", "C1", "R2", "C2", "R3"], ("value off", "wrong decade", "open", "shorted")
    for index in range(60):
        name, kind = parts[index % 5], kinds[index // 5 % 4]
        board = board_of(two_sections, generator, **({name: (2.5, 0.1)[index // 5 % 4]} if index // 5 % 4 < 2 else {}))
        level = board.magnitude(F)
        if kind in ("open", "shorted"):
            level = board.what_ifs(F, [Change(name, "open" if kind == "open" else "short")]).response[0].abs()
        found = diagnose(two_sections, reading(level, generator, ("a", "b")))
        there += name in named(found)
        if found.certain:
            told += 1
            right += named(found) == [name] and found.first.best.fault.kind in (kind, "value off")
    assert there >= 59 and told >= 30 and right >= 0.95 * told


def test_parts_of_the_organ_as_built_are_told_apart(built):
    for name, factor in (("R2", 2.5), ("C3", 0.1)):
        generator = seeded(3)
        board = board_of(built, generator, **{name: factor})
        found = diagnose(built, reading(board.magnitude(F), generator, NAMES))
        assert named(found) == [name] and found.certain


@pytest.mark.parametrize("seed", range(6))
def test_a_healthy_board_is_called_healthy(built, seed):
    for circuit in (paper(), built) if seed < 1 else (paper(),):
        generator = seeded(seed)
        board = board_of(circuit, generator)
        found = diagnose(circuit, reading(board.magnitude(F), generator, NAMES))
        assert found.healthy and named(found) == ["nothing wrong"] and found.verdict.startswith("Nothing wrong: ")


NOISES = {"response": 0.01, "magnitude": 0.01, "decibels": 0.1, "phase": 1.0, "led": 0.0}


@pytest.mark.parametrize("quantity", NOISES)
def test_every_quantity_finds_the_fault_and_the_healthy_board(quantity):
    f = cc.tones(150, seed=2) if quantity == "led" else F
    bad = diagnose(
        paper(), cc.simulate(cc.ColorOrgan(200.0, (20.0, 160.0), 33.0), f, quantity, NOISES[quantity], seed=1)
    )
    assert set(named(bad)) == {"band.R_low", "band.C_low"}
    assert bad.group[0].best.values[bad.first.parts[0]] == pytest.approx(
        20.0 if bad.first.parts[0] == "band.R_low" else 0.5e-6, rel=0.15
    )
    good = cc.simulate(cc.ColorOrgan(204.0, (39.0, 165.0), 32.5), f, quantity, NOISES[quantity], seed=1)
    assert diagnose(paper(), good).healthy


@pytest.mark.parametrize("noise", [0.0, 0.003, 0.03])
def test_noise_that_is_not_stated_is_estimated(noise):
    data = cc.simulate(cc.BandPass(R_low=41.0, R_high=158.0, C_high=1.05e-6), F, "magnitude", noise, seed=4)
    unknown = cc.Measurements(F, "magnitude", data.values)
    assert diagnose(cc.BandPass(R_low=40.0, R_high=160.0), unknown).healthy
    off = cc.simulate(cc.BandPass(R_low=41.0, R_high=520.0), F, "magnitude", noise, seed=4)
    found = diagnose(cc.BandPass(R_low=40.0, R_high=160.0), cc.Measurements(F, "magnitude", off.values))
    assert set(named(found)) == {"R_high", "C_high"}
    if noise:
        assert f"{noise:.1g}" in found.fit or float(found.fit.split()[-1]) == pytest.approx(noise, rel=0.25)


def test_two_swapped_parts_are_named_as_a_pair():
    swapped = cc.BandPass(R_low=1600.0, R_high=40.0, C_low=1e-6, C_high=1e-6)
    found = diagnose(cc.BandPass(R_low=40.0, R_high=1600.0), cc.simulate(swapped, F, "magnitude", 0.01))
    assert found.first.parts == ("R_low", "R_high") and found.certain
    assert found.first.best.text == "R_low and R_high swapped"


def test_two_faults_at_once_are_not_explained_by_one():
    two = cc.ColorOrgan(600.0, (40.0, 160.0), 100.0)
    found = diagnose(paper(), cc.simulate(two, F, "magnitude", 0.01))
    assert not found.explains and not found.certain and not found.healthy
    assert found.verdict.startswith("No single fault explains")
    unknown = cc.Measurements(F, "magnitude", cc.simulate(two, F, "magnitude", 0.01).values, outputs=NAMES)
    assert "with parts far beyond their tolerances" in diagnose(paper(), unknown).verdict


def test_a_part_that_the_output_does_not_see_is_said_to_hide():
    data = cc.simulate(paper(), F, "magnitude", 0.01).select(["low", "high"])
    found = diagnose(paper(), data)
    hidden = {"band.R_low", "band.R_high", "band.C_low", "band.C_high"}
    assert found.healthy and hidden <= {part for one in found.unseen for part in one.parts}
    assert not {("low.R",), ("high.C",)} & {one.parts for one in found.unseen}
    assert "might not show here" in found.verdict


def test_missing_readings_and_the_order_of_outputs_do_not_matter():
    data = cc.simulate(cc.ColorOrgan(200.0, (40.0, 500.0), 33.0), F, "magnitude", 0.01, seed=9)
    whole = diagnose(paper(), data)
    turned = diagnose(paper(), data.select(["high", "low", "band"]))
    for a, b in zip(whole.suspects[:4], turned.suspects[:4], strict=True):
        assert (a.name, a.probability) == (b.name, pytest.approx(b.probability, rel=1e-6))
    values = data.values.clone()
    values[0, :10] = torch.nan
    holes = cc.Measurements(F, "magnitude", values, data.sigma, NAMES)
    assert set(named(diagnose(paper(), holes))) == {"band.R_high", "band.C_high"}


def test_scaling_all_impedances_changes_no_probability():
    bad = cc.simulate(cc.BandPass(R_low=100.0, R_high=160.0), F, "magnitude", 0.01, seed=1)
    small = diagnose(cc.BandPass(R_low=40.0, R_high=160.0), bad)
    large = diagnose(cc.BandPass(R_low=4e4, R_high=1.6e5, C_low=1e-9, C_high=1e-9), bad)
    odds = {one.name: one.log_evidence for one in large.suspects}
    for one in small.suspects:
        assert odds[one.name] == pytest.approx(one.log_evidence, abs=1e-3) or one.log_evidence < -20


def test_a_part_known_to_the_point_is_told_from_its_partner():
    data = cc.simulate(cc.LowPass(R=1600.0), F, "magnitude", 0.01)
    assert set(named(diagnose(cc.LowPass(R=1000.0), data))) == {"R", "C"}
    only = diagnose(cc.LowPass(R=1000.0), data, suspects="R")
    assert named(only) == ["R"] and only.certain
    assert only.first.best.values["R"] == pytest.approx(1600.0, rel=0.12)  # C is within its 10 %


class Divider(cc.Circuit):
    components = {"top": OHM, "bottom": OHM, "C": FARAD}

    def transfer(self, f):
        top, bottom, C = self._boards(f)
        return bottom / (top + bottom + 2j * math.pi * f * C * top * bottom)


def test_a_circuit_of_ones_own_and_one_whose_parts_are_shared():
    circuit = Divider({"top": 1000.0, "bottom": 3000.0, "C": 1e-7})
    found = diagnose(circuit, cc.simulate(Divider({"top": 1000.0, "bottom": 3000.0, "C": 1e-8}), F, noise=0.01))
    assert named(found) == ["C"] and found.first.best.fault == Fault("wrong decade", ("C",), 0.1)
    C = torch.nn.Parameter(torch.tensor(1e-6, dtype=torch.float64), requires_grad=False)
    shared = cc.BandPass(R_low=40.0, R_high=160.0, C_low=C, C_high=C)
    other = cc.BandPass(R_low=40.0, R_high=160.0, C_low=3e-6, C_high=3e-6)
    assert named(diagnose(shared, cc.simulate(other, F, noise=0.01))) == ["C_low"]
    assert shared.C_low is shared.C_high


def test_the_circuit_stays_as_it_was(two_sections):
    before = {name: (id(p), p.item(), p.requires_grad) for name, p in two_sections.named_parameters()}
    diagnose(two_sections, reading(two_sections.magnitude(F), seeded(0), ("a", "b")))
    assert {name: (id(p), p.item(), p.requires_grad) for name, p in two_sections.named_parameters()} == before


# what is believed of the parts


def test_tolerances_by_name_beat_patterns_beat_kinds_beat_the_netlist(built):
    board = nominal_of(built, {"R3": 0.01, "C*": 0.2, "C": 0.3, "Xamp.R4": 0.02, "R": 0.03})
    t = {name: width * math.sqrt(3) for name, width in zip(board.names, board.widths.tolist(), strict=True)}
    assert t["R3"] == pytest.approx(0.01) and t["R1"] == pytest.approx(0.03) and t["C1"] == pytest.approx(0.2)
    assert t["Xamp.R4"] == pytest.approx(0.02) and "Xamp.R3" not in t
    plain = nominal_of(cc.read_netlist(str(NETLISTS / "twin_t.cir")))
    assert set(plain.names) == {*(f"R{i}" for i in range(1, 7)), *(f"C{i}" for i in range(1, 5))}
    assert plain.widths.tolist() == pytest.approx([0.01 / math.sqrt(3)] * 10)


def test_resistors_of_equal_value_are_no_pair():
    board = nominal_of(cc.BandPass(R_low=100.0, R_high=104.0))
    assert not [fault for fault in hypotheses(board, 1.0, 1e4).faults if fault.kind == "swapped"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"tolerances": {"R9": 0.1}}, UnknownName, "R9"),
        ({"tolerances": {"R": 5}}, OptionError, "0 to 1"),
        ({"suspects": ["X*"]}, UnknownName, "X*"),
        ({"kinds": ["burnt"]}, OptionError, "value off"),
        ({"threshold": -1.0}, OptionError, "zero or more"),
        ({"band": 0.0}, OptionError, "above zero"),
    ],
)
def test_options_that_cannot_be_followed(options, error, words):
    data = cc.simulate(cc.LowPass(R=1000.0), F)
    with pytest.raises(error, match=words.replace("*", r"\*")):
        diagnose(cc.LowPass(R=1000.0), data, **options)


def test_measurements_that_do_not_belong_to_the_circuit():
    organ, single = cc.simulate(paper(), F), cc.simulate(cc.LowPass(R=1000.0), F)
    with pytest.raises(ShapeError, match="choose with data.select"):
        diagnose(cc.LowPass(R=1000.0), organ)
    with pytest.raises(ShapeError, match="names out of low, band, high"):
        diagnose(paper(), single)
    with pytest.raises(ShapeError, match="single"):
        diagnose(cc.LowPass(R=[1000.0, 2000.0]), single)
    with pytest.raises(ShapeError, match="single one"):
        diagnose(cc.LowPass(R=1000.0), cc.simulate(cc.LowPass(R=[1e3, 2e3]), F))
    with pytest.raises(UnknownName, match="mid"):
        diagnose(paper(), cc.Measurements(F, "magnitude", organ.values[:1], outputs=("mid",)))


# on the command line


def test_the_command_says_what_it_found_and_writes_it(tmp_path, capsys):
    data = cc.simulate(cc.LowPass(R=4700.0, C=1e-8), F, noise=0.01)
    data.to_csv(tmp_path / "lp.csv")
    arguments = ["diagnose", str(tmp_path / "lp.csv"), "--circuit", "low-pass", "--nominal", "R=4k7", "C=100n"]
    assert cli.main([*arguments, "--suspect", "C", "--tolerance", "R=1%", "--json", str(tmp_path / "d.json")]) == 0
    assert "C = 10 nF in place of 100 nF: χ²" in capsys.readouterr().out
    found = json.loads((tmp_path / "d.json").read_text("utf-8"))
    assert found["group"] == ["C"] and found["certain"] and found["suspects"][0]["findings"][0]["factor"] == 0.1


def test_the_command_takes_a_netlist_and_its_outputs(tmp_path, capsys):
    netlist = str(NETLISTS / "rlc.cir")
    cc.simulate(cc.read_netlist(netlist, values={"C1": "10n"}), F, noise=0.01).to_csv(tmp_path / "rlc.csv")
    assert cli.main(["diagnose", str(tmp_path / "rlc.csv"), "--netlist", netlist, "--output", "V(out)/V(in)"]) == 0
    assert capsys.readouterr().out.count("C1 = 10 nF in place of 100 nF") == 2


def test_the_command_refuses_what_it_cannot_follow(tmp_path, capsys):
    cc.simulate(cc.LowPass(R=4700.0), F).to_csv(tmp_path / "lp.csv")
    assert cli.main(["diagnose", str(tmp_path / "lp.csv"), "--circuit", "low-pass"]) == 2
    assert "add --nominal R=…" in capsys.readouterr().err
    assert cli.main(["diagnose", str(tmp_path / "lp.csv"), "--circuit", "low-pass", "--nominal", "R=1k", "Q=3"]) == 2
    assert "no component 'Q'" in capsys.readouterr().err
    with pytest.raises(OptionError, match="5% or 0.05"):
        tolerances(["R=five"])
