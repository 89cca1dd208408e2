"""Yield: against loops, closed forms and exhaustive search."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

import circuits as cc
from circuits.errors import OptionError, UnknownName
from circuits.lab.production import allocation, centring, deciding, specifications, tolerances, yields
from circuits.lab.production.specifications import Specification
from circuits.lab.production.tolerances import Tolerances

C = 1e-6
INF = math.inf
ORGAN = (198.944, (39.789, 159.155), 31.831)
PARTS = {"R": 0.05, "C": 0.10}


def organ() -> cc.ColorOrgan:
    return cc.ColorOrgan(*ORGAN)


def table(circuit: cc.Circuit, n: int = 60, seed: int = 0, away: float = 0.12) -> Specification:
    """What the nominal board shows, without the tones near a corner."""
    tones = cc.simulate(circuit, cc.tones(n, 10.0, 100e3, seed), "led")
    values = tones.values.clone()
    corners = [float(f.detach()) for f in circuit.cutoffs().values()]
    values[..., [min(abs(math.log(f / c)) for c in corners) < away for f in tones.f.tolist()]] = math.nan
    return specifications.leds_as_limits(cc.Measurements(tones.f, "led", values, outputs=tones.outputs))


def loop(spec: Specification, boards: np.ndarray) -> np.ndarray:
    """Which boards of the organ pass, one by one, as anybody would write it."""
    f, lower, upper = spec.f.numpy(), spec.lower.numpy(), spec.upper.numpy()
    passes = []
    for low_R, low_C, band_R1, band_R2, band_C1, band_C2, high_R, high_C in boards:
        x = 2 * np.pi * f * low_R * low_C
        low = 1 / np.sqrt(1 + x**2)
        x, y = 2 * np.pi * f * band_R1 * band_C1, 2 * np.pi * f * band_R2 * band_C2
        band = 1 / np.sqrt(1 + x**2) * y / np.sqrt(1 + y**2)
        x = 2 * np.pi * f * high_R * high_C
        rows = np.stack([low, band, x / np.sqrt(1 + x**2)])
        passes.append(((rows >= lower) & (rows <= upper)).all())
    return np.array(passes)


# the yield


def test_the_yield_of_the_color_organ_is_that_of_a_loop_over_the_same_boards():
    circuit, spec = organ(), table(organ(), 200)
    parts = tolerances.tolerances_of(circuit, PARTS)
    boards = ((1 + parts.deviations(3000, seed=5)) * tolerances.checked(circuit, parts)).numpy()
    passes = loop(spec, boards)
    assert 0.2 < passes.mean() < 0.99
    found = yields.estimate_yield(circuit, spec, parts, boards=3000, seed=5)
    assert found.passed == passes.sum()
    assert yields.estimate_yield(circuit, spec, parts, boards=3000, seed=5, every=True).passed == passes.sum()


def test_the_yield_of_one_even_part_is_a_ratio_of_lengths():
    x = 2 * math.pi * 1000 * 159.155 * C
    limits = [1 / math.sqrt(1 + (x * edge) ** 2) for edge in (1.02, 0.97)]
    spec = Specification([1000.0], "magnitude", limits[:1], limits[1:])
    found = yields.estimate_yield(cc.LowPass(159.155), spec, Tolerances({"R": 0.05}, "uniform"), boards=40_000)
    assert abs(found.share - 0.5) < 4 * found.error
    assert found.interval[0] < 0.5 < found.interval[1]
    assert dict(found.failing)["1 kHz"] == pytest.approx(1 - found.share)


def test_a_netlist_has_the_yield_of_the_circuit_that_it_is():
    netlist = cc.read_netlist("rc\nV1 in 0 AC 1\nR1 in out 200 tol=5%\nC1 out 0 1u tol=10%\n")
    spec = Specification([500.0, 1000.0], "decibels", [-1.8, -INF], [INF, -4.0])
    mine = yields.estimate_yield(netlist, spec, tolerances.tolerances_of(netlist), boards=2000)
    stock = yields.estimate_yield(cc.LowPass(200.0), spec, Tolerances(PARTS), boards=2000)
    assert 100 < mine.passed < 1900
    assert mine.passed == stock.passed


def test_limits_may_be_on_phase():
    spec = Specification([800.0], "phase", [-46.0], [-44.0])
    found = yields.estimate_yield(cc.LowPass(198.944), spec, Tolerances(PARTS), boards=1000)
    x = (1 + Tolerances(PARTS).deviations(1000)).prod(1).numpy() * (2 * np.pi * 800 * 198.944 * C)
    assert found.passed == (np.abs(np.degrees(np.arctan(x)) - 45) <= 1).sum()


@pytest.mark.parametrize("name", ["low-pass", "high-pass", "band-pass", "loaded-band-pass", "color-organ"])
@pytest.mark.parametrize("seed", range(4))
def test_the_limits_that_decide_stand_for_all(name, seed):
    makers = {
        "low-pass": lambda: cc.LowPass(200.0),
        "high-pass": lambda: cc.HighPass(200.0),
        "band-pass": lambda: cc.BandPass(150.0, 400.0),
        "loaded-band-pass": lambda: cc.LoadedBandPass(150.0, 1500.0),
        "color-organ": organ,
    }
    circuit = makers[name]()
    f = cc.log_grid(15, 20.0, 20e3)
    generator = torch.Generator().manual_seed(seed)
    nominal = circuit.decibels(f).detach()
    shape = nominal.shape
    room = 1.5 * torch.rand(2, *shape, generator=generator, dtype=torch.float64)
    there = torch.rand(2, *shape, generator=generator) < 0.6
    lower = torch.where(there[0], nominal - room[0], -INF)
    upper = torch.where(there[1], nominal + room[1], INF)
    spec = Specification(f, "decibels", lower, upper, circuit.outputs)
    parts = tolerances.tolerances_of(circuit, PARTS)
    pruned, whole = deciding.checks_of(circuit, spec), deciding.checks_of(circuit, spec, every=True)
    assert deciding.numbers_of(pruned) <= deciding.numbers_of(whole)
    values = (1 + 2 * parts.deviations(4000)) * tolerances.checked(circuit, parts)
    passes = [yields.judged(circuit, parts.names, values, checks) for checks in (pruned, whole)]
    assert torch.equal(*passes)
    assert bool(passes[0].any())


@pytest.mark.parametrize("pattern", ["".join(p) for p in itertools.product("10-", repeat=5)])
def test_no_pattern_of_leds_is_judged_otherwise_by_what_decides(pattern):
    if not set(pattern) & set("10"):
        return
    f = [200.0, 500.0, 1000.0, 2000.0, 5000.0]
    states = [{"1": 1.0, "0": 0.0, "-": math.nan}[letter] for letter in pattern]
    spec = specifications.leds_as_limits(cc.Measurements(f, "led", states), threshold=0.6)
    boards = torch.exp(4 * torch.rand(300, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 2)
    for circuit in (cc.BandPass(80.0, 320.0), cc.LowPass(160.0), cc.HighPass(160.0)):
        names = [name for name, _ in circuit.named_parameters() if name.startswith("R")]
        values = boards[:, : len(names)] * 160
        verdicts = [
            yields.judged(circuit, names, values, deciding.checks_of(circuit, spec, every)) for every in (False, True)
        ]
        assert torch.equal(*verdicts)


def test_few_of_two_hundred_tones_decide():
    assert deciding.numbers_of(deciding.checks_of(organ(), table(organ(), 200))) == 8


def test_what_a_part_costs_is_the_yield_without_its_tolerance():
    circuit, spec = organ(), table(organ(), 200)
    parts = tolerances.tolerances_of(circuit, PARTS)
    base = yields.estimate_yield(circuit, spec, parts, boards=2000)
    costs = yields.yield_costs(circuit, spec, parts, boards=2000)
    assert [cost.gain for cost in costs] == sorted((cost.gain for cost in costs), reverse=True)
    for cost in costs:
        perfect = Tolerances({**parts.sizes, cost.name: 0.0})
        without = yields.estimate_yield(circuit, spec, perfect, boards=2000)
        assert cost.yield_if_perfect == pytest.approx(without.share, abs=1e-12)
        assert cost.gain == pytest.approx(without.share - base.share, abs=1e-12)
    assert costs[0].gain > 3 * costs[0].error > 0


def test_the_interval_of_a_yield_is_wilsons():
    for passed in (0, 3, 500, 1000):
        found = yields.Yield(passed, 1000, ()).interval
        theirs = stats.binomtest(passed, 1000).proportion_ci(method="wilson")
        assert found == pytest.approx((theirs.low, theirs.high), abs=1e-12)


# centring


def test_centring_finds_the_best_of_a_grid():
    spec, parts = Specification([1000.0, 2000.0], "magnitude", [0.68, -INF], [INF, 0.47]), Tolerances(PARTS)
    start = cc.LowPass(120.0)
    found = centring.centre(start, spec, parts, seed=2)
    grid = [yields.estimate_yield(cc.LowPass(R), spec, parts, boards=4000).share for R in np.arange(130, 180, 1.0)]
    assert found.before.share < 0.5 < 0.6 < max(grid)
    assert found.after.share > max(grid) - 0.02
    assert start.R.item() == 120.0


def test_centring_finds_its_way_from_where_no_board_passes():
    start = cc.ColorOrgan(150.0, (60.0, 120.0), 45.0)
    found = centring.centre(start, table(organ(), 200), tolerances.tolerances_of(start, PARTS), boards=1000)
    assert found.before.share == 0
    assert found.after.share > 0.95
    assert set(found.values) == {"low.R", "band.R_low", "band.R_high", "high.R"}
    check = cc.ColorOrgan(
        found.values["low.R"], (found.values["band.R_low"], found.values["band.R_high"]), found.values["high.R"]
    )
    again = yields.estimate_yield(
        check, table(organ(), 200), tolerances.tolerances_of(check, PARTS), boards=20_000, seed=1
    )
    assert again.passed == found.after.passed


def test_centring_moves_what_is_named_in_a_netlist():
    netlist = cc.read_netlist("rc\nV1 in 0 AC 1\nR1 in out 150 tol=5%\nC1 out 0 1u tol=10%\n")
    spec = Specification([500.0, 1000.0], "decibels", [-1.9, -INF], [INF, -3.6])
    found = centring.centre(netlist, spec, tolerances.tolerances_of(netlist), ["R1"], boards=500, verified=4000)
    assert found.after.share > found.before.share + 0.3
    with pytest.raises(UnknownName):
        centring.centre(netlist, spec, tolerances.tolerances_of(netlist), ["R9"])


# the cheapest tolerances

PRICES = {
    "low.R": {0.01: 3.0, 0.05: 1.0},
    "band.R_low": {0.01: 3.0, 0.05: 1.0, 0.10: 0.5},
    "band.R_high": {0.01: 3.0, 0.05: 1.0, 0.10: 0.5},
    "band.C_low": {0.02: 20.0, 0.05: 9.0, 0.10: 4.0, 0.20: 2.0},
    "band.C_high": {0.02: 20.0, 0.05: 9.0, 0.10: 4.0, 0.20: 2.0},
}


@pytest.mark.parametrize("wanted", [0.6, 0.9, 0.97])
def test_the_cheapest_choice_is_that_of_exhaustive_search(wanted):
    circuit, spec, rest = organ(), table(organ(), 100), Tolerances({"low.C": 0.1, "high.R": 0.05, "high.C": 0.1})
    found = allocation.cheapest_tolerances(circuit, spec, PRICES, wanted, tolerances=rest, boards=400, verified=2000)
    reached = []
    for grades in itertools.product(*PRICES.values()):
        choice = dict(zip(PRICES, grades, strict=True))
        price = math.fsum(PRICES[name][grade] for name, grade in choice.items())
        if price <= found.price + 1e-9:
            sizes = {**choice, **rest.sizes}
            share = yields.estimate_yield(circuit, spec, Tolerances(sizes), boards=400).share
            if share >= wanted - 1e-12:
                reached.append(price)
    assert min(reached) == pytest.approx(found.price)
    assert found.searched >= wanted
    assert abs(found.verified.share - found.searched) < 0.06


def test_every_choice_comes_once_and_by_rising_price():
    choices = list(allocation.by_price(PRICES))
    assert len(choices) == 2 * 3 * 3 * 4 * 4 == len({tuple(choice.values()) for _, choice in choices})
    assert [price for price, _ in choices] == sorted(price for price, _ in choices)


def test_a_yield_out_of_reach_is_said():
    spec = Specification([1000.0], "magnitude", [0.70], [0.71])
    with pytest.raises(OptionError, match="tightest of all"):
        allocation.cheapest_tolerances(cc.LowPass(159.155), spec, {"C": {0.05: 1.0, 0.10: 0.5}}, 0.9)


@pytest.mark.parametrize(
    ("prices", "wanted"), [({}, 0.9), ({"C": {}}, 0.9), ({"C": {0.1: -1.0}}, 0.9), ({"C": {1.0: 1.0}}, 0.9)]
)
def test_prices_that_there_cannot_be_are_refused(prices, wanted):
    with pytest.raises(OptionError):
        allocation.cheapest_tolerances(cc.LowPass(1e3), Specification([1.0], "magnitude", [0.5], [1.0]), prices, wanted)
