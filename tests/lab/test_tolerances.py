"""How parts scatter, and what Monte Carlo, first order and the worst case say of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

import circuits as cc
from circuits.errors import ComponentError, OptionError, ShapeError, UnknownName
from circuits.lab.production import answers, extremes, sampling, tolerances
from circuits.lab.production.tolerances import Tolerances

C = 1e-6
NETLIST = "driven\nV1 in 0 AC 1\nL1 in a 10m tol=5%\nC1 a out 100n tol=10%\nR1 out 0 100 tol=1%\n"


def low_pass(x):
    return 1 / np.sqrt(1 + x**2)


# the draws


@pytest.mark.parametrize(
    ("distribution", "law"),
    [("gaussian", stats.truncnorm(-3, 3, scale=1 / 3)), ("uniform", stats.uniform(-1, 2))],
)
def test_draws_follow_the_law_that_is_named(distribution, law):
    parts = Tolerances({"R": 0.05}, distribution)
    z = parts.deviations(50_000, seed=4)[:, 0].numpy() / 0.05
    assert stats.kstest(z, law.cdf).pvalue > 1e-3
    assert parts.sigmas.item() == pytest.approx(0.05 * law.std(), rel=1e-9)
    assert np.abs(z).max() <= 1


def test_the_size_of_a_block_changes_nothing():
    square = torch.tensor([[1.0, 0.5], [0.5, 1.0]])
    parts = Tolerances({"R": 0.05}, measured={"C": [0.1, -0.1, 0.02]}, correlation=square)
    whole = parts.deviations(1000, seed=7)
    assert torch.equal(torch.cat([*parts.blocks(1000, 37, seed=7)]), whole)
    assert not torch.equal(parts.deviations(1000, seed=8), whole)


def test_measured_parts_are_drawn_as_they_were_found():
    found = [0.03, -0.01, 0.0, 0.05]
    drawn = Tolerances({}, measured={"R": found}).deviations(40_000)[:, 0]
    for value in found:
        assert (drawn == value).double().mean().item() == pytest.approx(0.25, abs=0.01)


def test_a_correlation_is_that_of_the_parts():
    parts = Tolerances({"R": 0.05, "C": 0.10, "L": 0.10}, correlation=[[1, 0.8, 0], [0.8, 1, 0], [0, 0, 1]])
    seen = torch.corrcoef(parts.deviations(100_000).T)
    assert seen[0, 1].item() == pytest.approx(0.8, abs=0.01)
    assert abs(seen[0, 2].item()) < 0.015
    alike = Tolerances({"R": 0.05, "C": 0.10}, "uniform", correlation=[[1, 1], [1, 1]]).deviations(100)
    assert torch.allclose(alike[:, 1], 2 * alike[:, 0])


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Tolerances({"R": 1.0}), OptionError),
        (lambda: Tolerances({"R": math.nan}), OptionError),
        (lambda: Tolerances({"R": -0.1}), OptionError),
        (lambda: Tolerances({"R": 0.1}, "triangular"), UnknownName),
        (lambda: Tolerances({"R": 0.1}, measured={"R": [0.1]}), OptionError),
        (lambda: Tolerances({}, measured={"R": []}), ComponentError),
        (lambda: Tolerances({}, measured={"R": [-1.5]}), ComponentError),
        (lambda: Tolerances({"R": 0.1, "C": 0.1}, correlation=[[1.0]]), ShapeError),
        (lambda: Tolerances({"R": 0.1, "C": 0.1}, correlation=[[1, 2], [2, 1]]), OptionError),
        (lambda: Tolerances({"R": 0.1, "C": 0.1}, correlation=[[1, 0.5], [0.4, 1]]), OptionError),
        (lambda: tolerances.checked(cc.LowPass(1e3), Tolerances({"R9": 0.1})), UnknownName),
        (lambda: tolerances.checked(cc.LowPass([1e3, 2e3]), Tolerances({"R": 0.1})), ShapeError),
        (lambda: tolerances.checked(cc.LowPass(1e3), Tolerances({})), OptionError),
        (lambda: tolerances.tolerances_of(cc.LowPass(1e3)), OptionError),
        (lambda: tolerances.tolerances_of(cc.LowPass(1e3), {"X": 0.1}), UnknownName),
        (lambda: sampling.monte_carlo(cc.LowPass(1e3), Tolerances({"R": 0.1}), [1.0], "response"), OptionError),
        (lambda: answers.answer_of(cc.read_netlist(NETLIST)), OptionError),
    ],
)
def test_what_cannot_be_is_refused(make, error):
    with pytest.raises(error):
        make()


def test_a_name_counts_more_than_a_glob_and_that_more_than_a_letter():
    organ = cc.ColorOrgan(200.0, (40.0, 160.0), 32.0)
    sizes = tolerances.tolerances_of(organ, {"high.R": 0.01, "R": 0.05, "C": 0.1, "band.*": 0.2}).sizes
    assert (sizes["low.R"], sizes["high.R"], sizes["low.C"], sizes["band.R_low"]) == (0.05, 0.01, 0.1, 0.2)


def test_a_netlist_knows_its_tolerances():
    parts = tolerances.tolerances_of(cc.read_netlist(NETLIST), {"r1": 0.02})
    assert dict(parts.sizes) == {"L1": 0.05, "C1": 0.10, "R1": 0.02}


# Monte Carlo


def test_monte_carlo_is_what_a_loop_over_the_same_boards_finds():
    parts, f = Tolerances({"R": 0.05, "C": 0.10}), np.array([100.0, 800.0, 3000.0])
    boards = parts.deviations(3000, seed=3).numpy()
    rows = np.array([low_pass(2 * np.pi * f * 200 * (1 + r) * C * (1 + c)) for r, c in boards])
    found = sampling.monte_carlo(cc.LowPass(200.0), parts, f, boards=3000, seed=3)
    for mine, theirs in zip(
        (found.mean, found.sigma, found.low, found.high),
        (rows.mean(0), rows.std(0), rows.min(0), rows.max(0)),
        strict=True,
    ):
        assert mine.numpy() == pytest.approx(theirs, rel=1e-10)
    lit = sampling.monte_carlo(cc.LowPass(200.0), parts, f, "led", boards=3000, seed=3)
    assert lit.mean.numpy() == pytest.approx((rows > 0.5**0.5).mean(0), abs=1e-12)
    corners = sampling.monte_carlo(cc.LowPass(200.0), parts, boards=3000, seed=3)
    expected = 1 / (2 * np.pi * 200 * C * (1 + boards).prod(1))
    assert (corners.mean.item(), corners.high.item()) == pytest.approx((expected.mean(), expected.max()), rel=1e-10)


def test_every_output_has_its_numbers():
    organ = cc.ColorOrgan(200.0, (40.0, 160.0), 32.0)
    found = sampling.monte_carlo(organ, tolerances.tolerances_of(organ, {"R": 0.05}), [100.0, 9e3], "led", boards=100)
    assert found.labels == ("low 100 Hz", "low 9 kHz", "band 100 Hz", "band 9 kHz", "high 100 Hz", "high 9 kHz")
    assert found.mean.tolist() == [1, 0, 0, 0, 0, 1]


# first order and worst case


@pytest.mark.parametrize("quantity", ["magnitude", "decibels"])
def test_rss_and_worst_case_are_those_of_theory_on_the_low_pass(quantity):
    f = torch.tensor([100.0, 800.0, 4000.0], dtype=torch.float64)
    x = (2 * np.pi * f * 200 * C).numpy()
    slope = -(x**2) / (1 + x**2) ** 1.5 if quantity == "magnitude" else -20 / math.log(10) * x**2 / (1 + x**2)
    found = extremes.first_order(cc.LowPass(200.0), Tolerances({"R": 0.05, "C": 0.10}), f, quantity)
    assert found.rss.numpy() == pytest.approx(np.abs(slope) * math.hypot(0.05, 0.10), rel=1e-12)
    assert found.worst.numpy() == pytest.approx(np.abs(slope) * 0.15, rel=1e-12)
    third = stats.truncnorm(-3, 3).std() / 3
    assert found.sigma.numpy() == pytest.approx(third * found.rss.numpy(), rel=1e-9)
    ends = extremes.worst_case(cc.LowPass(200.0), Tolerances({"R": 0.05, "C": 0.10}), f, quantity)
    view = (lambda y: 20 * np.log10(y)) if quantity == "decibels" else (lambda y: y)
    assert ends.low.numpy() == pytest.approx(view(low_pass(x * 1.05 * 1.10)), rel=1e-12)
    assert ends.high.numpy() == pytest.approx(view(low_pass(x * 0.95 * 0.90)), rel=1e-12)
    assert bool(ends.is_vertex.all())


def test_first_order_meets_monte_carlo_where_tolerances_are_small():
    circuit, f = cc.read_netlist(NETLIST), [4000.0, 6000.0]
    parts = Tolerances(
        {"L1": 1e-3, "C1": 2e-3, "R1": 1e-3}, "uniform", correlation=[[1, 0.6, 0], [0.6, 1, 0], [0, 0, 1]]
    )
    first, drawn = extremes.first_order(circuit, parts, f), sampling.monte_carlo(circuit, parts, f, boards=20_000)
    assert first.sigma.numpy() == pytest.approx(drawn.sigma.numpy(), rel=0.03)


def test_corners_have_a_worst_case():
    organ = cc.ColorOrgan(200.0, (40.0, 160.0), 32.0)
    parts = tolerances.tolerances_of(organ, {"R": 0.05, "C": 0.10})
    found = extremes.worst_case(organ, parts)
    nominal = torch.stack([*organ.cutoffs().values()]).detach()
    assert torch.allclose(found.low, nominal / (1.05 * 1.10))
    assert torch.allclose(found.high, nominal / (0.95 * 0.90))
    assert torch.allclose(extremes.first_order(organ, parts).worst, 0.15 * nominal)


def test_the_worst_case_of_a_netlist_is_the_worst_of_all_corners_of_the_box():
    circuit, f = cc.read_netlist(NETLIST), np.array([2000.0, 3500.0, 8000.0])
    found = extremes.worst_case(circuit, tolerances.tolerances_of(circuit), f)
    signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1)
    L, cap, R = (np.array([[10e-3], [100e-9], [100.0]]) * (1 + np.array([[0.05], [0.10], [0.01]]) * signs))[..., None]
    w = 2 * np.pi * f
    corners = np.abs(R / (R + 1j * w * L + 1 / (1j * w * cap)))
    assert found.low.numpy() == pytest.approx(corners.min(0), rel=1e-9)
    assert found.high.numpy() == pytest.approx(corners.max(0), rel=1e-9)


def test_a_resonance_is_highest_inside_the_box():
    circuit = cc.read_netlist(NETLIST)
    at = 1 / (2 * math.pi * math.sqrt(10e-3 * 100e-9))
    found = extremes.worst_case(circuit, tolerances.tolerances_of(circuit), [at, 1.03 * at], boards=1)
    assert found.high.numpy() == pytest.approx([1.0, 1.0], abs=1e-5)
    assert found.is_vertex.tolist() == [False, False]


def test_several_outputs_are_those_of_one_at_a_time():
    text, f = (
        "ladder\nV1 in 0 AC 1\nR1 in a 1k tol=5%\nC1 a 0 1u tol=10%\nR2 a b 1k tol=5%\nC2 b 0 1u tol=10%\n",
        [90.0, 200.0],
    )
    both = cc.read_netlist(text, output=["V(a)", "V(b)"])
    single = [cc.read_netlist(text, output=output) for output in ("V(a)", "V(b)")]
    parts = tolerances.tolerances_of(both)
    for ask in (extremes.worst_case, sampling.monte_carlo):
        together, apart = ask(both, parts, f, boards=200), [ask(one, parts, f, boards=200) for one in single]
        assert torch.allclose(together.low, torch.cat([one.low for one in apart]), rtol=1e-9)
        assert torch.allclose(together.high, torch.cat([one.high for one in apart]), rtol=1e-9)
    slopes = [extremes.first_order(one, parts, f).changes for one in single]
    assert torch.allclose(extremes.first_order(both, parts, f).changes, torch.cat(slopes, -1))


def test_a_circuit_in_single_precision_is_judged_in_it():
    circuit = cc.LowPass(torch.tensor(200.0, dtype=torch.float32), torch.tensor(1e-6, dtype=torch.float32))
    parts = Tolerances({"R": 0.05, "C": 0.10})
    mine, double = (sampling.monte_carlo(one, parts, [800.0], boards=500) for one in (circuit, cc.LowPass(200.0)))
    assert circuit.R.dtype == torch.float32
    assert torch.allclose(mine.sigma, double.sigma, rtol=1e-4)
    assert torch.allclose(extremes.worst_case(circuit, parts, [800.0]).low, double.low.new_tensor([0.6526]), atol=1e-4)


def test_no_drawn_board_lies_outside_the_worst_case():
    circuit, f = cc.LoadedBandPass(1000.0, 2000.0), cc.log_grid(15, 10.0, 10e3)
    parts = tolerances.tolerances_of(circuit, {"R": 0.10, "C": 0.20}, "uniform")
    worst, drawn = extremes.worst_case(circuit, parts, f), sampling.monte_carlo(circuit, parts, f, boards=5000)
    assert bool((worst.low <= drawn.low).all() and (worst.high >= drawn.high).all())
    assert bool((worst.high - worst.low < 1.5 * (drawn.high - drawn.low)).all())


def test_a_part_shared_under_two_names_is_one_part():
    shared = torch.nn.Parameter(torch.tensor(200.0, dtype=torch.float64))
    circuit = cc.BandPass(shared, shared)
    f, parts = [500.0, 1000.0], Tolerances({"R_low": 0.05})
    found = sampling.monte_carlo(circuit, parts, f, boards=200).sigma
    R = 200 * (1 + parts.deviations(200).numpy())
    x = 2 * np.pi * np.array(f) * R * C
    assert found.numpy() == pytest.approx((x / (1 + x**2)).std(0), rel=1e-9)
