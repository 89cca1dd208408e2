"""Boards fitted by compiled code: the same numbers as torch's, for every circuit and loss that it serves."""

from __future__ import annotations

import math
import platform
import shutil

import numpy as np
import pytest
import torch

import circuits as cc
import losses
from circuits.component import FARAD, OHM
from circuits.fitting.many import boards as engine
from circuits.fitting.many import kernel as compiled
from circuits.fitting.methods import LevenbergMarquardt
from circuits.fitting.setup import make_problem

HAS_COMPILER = any(map(shutil.which, ("cc", "gcc", "clang")))
pytestmark = pytest.mark.skipif(not HAS_COMPILER, reason="NOT RUN: no C compiler (cc, gcc or clang)")
F = cc.log_grid(83, 20.0, 5e4)
COUNT = 12


def spread(low: float, high: float, seed: int) -> torch.Tensor:
    """Values of as many boards, evenly in their logarithm."""
    share = torch.rand(COUNT, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return low * (high / low) ** share


def boards(value: float) -> torch.Tensor:
    return torch.full((COUNT,), value, dtype=torch.float64)


class Organ(cc.Circuit):
    """A user's own: complex numbers, three outputs, nothing in closed form."""

    components = {"R1": OHM, "R2": OHM, "R3": OHM, "R4": OHM}
    outputs = ("low", "band", "high")

    def transfer(self, f):
        s = 2j * math.pi * f * 1e-6
        a, b, c, d = self._boards(f)
        return torch.stack([1 / (1 + s * a), s * c / ((1 + s * b) * (1 + s * c)), s * d / (1 + s * d)], -2)


class Ladder(cc.Circuit):
    """Two sections that load each other, by a product of 2 × 2 matrices."""

    components = {"R1": OHM, "C1": FARAD, "R2": OHM}

    def transfer(self, f):
        s = 2j * math.pi * f
        r1, c1, r2 = self._boards(f)
        one, none = torch.ones_like(s * c1), torch.zeros_like(s * c1)
        first = torch.stack([torch.stack([one + s * c1 * r1, r1 * one], -1), torch.stack([s * c1, one], -1)], -2)
        c2 = 1e-7 * one
        second = torch.stack([torch.stack([one + s * c2 * r2, r2 * one], -1), torch.stack([s * c2, one], -1)], -2)
        return 1 / ((first @ second)[..., 0, 0] + none)


NETLIST = """a filter that loads itself
V1 in 0 AC 1
R1 in mid 300
C1 mid 0 1u
L1 mid far 10m
R2 far out 100
E1 buffered 0 out 0 2
R3 buffered end 1k
C2 end 0 10n
R4 out 0 1k
.end"""


def netlist(**values: torch.Tensor) -> cc.Circuit:
    circuit = cc.read_netlist(NETLIST, output="V(end)", learn=[*values], batch=COUNT)
    with torch.no_grad():
        for name, value in values.items():
            circuit.get_parameter(name).copy_(value)
    return circuit


CIRCUITS = {
    "low-pass": (lambda: cc.LowPass(boards(500.0)), lambda: cc.LowPass(spread(50.0, 5e3, 1))),
    "high-pass": (lambda: cc.HighPass(boards(500.0)), lambda: cc.HighPass(spread(50.0, 5e3, 2))),
    "band-pass": (
        lambda: cc.BandPass(boards(60.0), boards(600.0)),
        lambda: cc.BandPass(spread(20.0, 60.0, 3), spread(400.0, 1500.0, 4)),
    ),
    "loaded": (
        lambda: cc.LoadedBandPass(boards(60.0), boards(600.0)),
        lambda: cc.LoadedBandPass(spread(20.0, 60.0, 3), spread(400.0, 1500.0, 4)),
    ),
    "organ": (
        lambda: cc.ColorOrgan(boards(500.0), (boards(60.0), boards(500.0)), boards(100.0)),
        lambda: cc.ColorOrgan(
            spread(100.0, 900.0, 5), (spread(20.0, 60.0, 6), spread(200.0, 900.0, 7)), spread(20.0, 90.0, 8)
        ),
    ),
    "own": (
        lambda: Organ({"R1": boards(500.0), "R2": boards(60.0), "R3": boards(500.0), "R4": boards(100.0)}),
        lambda: Organ(
            {"R1": spread(100.0, 900.0, 5), "R2": spread(20.0, 60.0, 6), "R3": spread(200.0, 900.0, 7)}
            | {"R4": spread(20.0, 90.0, 8)}
        ),
    ),
    "netlist": (
        lambda: netlist(R1=boards(300.0), R2=boards(100.0), C2=boards(1e-8)),
        lambda: netlist(R1=spread(200.0, 500.0, 9), R2=spread(60.0, 200.0, 10), C2=spread(5e-9, 3e-8, 11)),
    ),
    "ladder": (
        lambda: Ladder({"R1": boards(300.0), "C1": boards(2e-6), "R2": boards(3e3)}),
        lambda: Ladder({"R1": spread(200.0, 500.0, 9), "C1": spread(5e-7, 2e-6, 10), "R2": spread(1e3, 9e3, 11)}),
    ),
}
QUANTITIES = {
    "magnitude": (0.01, losses.Magnitude()),
    "decibels": (0.1, losses.Decibel()),
    "phase": (1.0, losses.Phase()),
    "response": (0.01, losses.Complex()),
    "relative": (0.01, losses.Relative()),
    "Huber": (0.01, losses.Huber(losses.Magnitude(), 0.015)),
    "Cauchy": (0.01, losses.Cauchy(losses.Magnitude(), 0.2)),
    "logistic": (0.0, losses.LogisticLed(sharpness=10.0)),
    "shifted": (0.0, losses.ShiftedMSE()),
    "sum": (0.01, 2 * losses.Magnitude() + losses.Huber(losses.Magnitude(), 0.05)),
}


def measured(truth: cc.Circuit, which: str, f: torch.Tensor = F) -> cc.Measurements:
    noise, loss = QUANTITIES[which]
    return cc.simulate(truth, f, loss.quantity, noise=noise, seed=3)


def kernel_for(problem, stop=None):
    method = LevenbergMarquardt()
    return engine.compiled(problem, method, stop or method.default_stop(torch.float64), problem.start(), True)


def compare(start, data, loss=None, *, rel=1e-9, **options):
    """Fit both ways and demand the same of every board; the compiled way has to have been taken."""
    runs, original = [], engine.Boards.run

    def counted(self, *arguments, **rest):
        runs.append(1)
        return original(self, *arguments, **rest)

    engine.Boards.run = counted
    try:
        quick = cc.fit(start(), data, loss, history=False, compile=True, **options)
    finally:
        engine.Boards.run = original
    assert runs
    slow = cc.fit(start(), data, loss, history=False, compile=False, **options)
    assert bool((quick.converged == slow.converged).all())
    assert quick.loss.numpy() == pytest.approx(slow.loss.numpy(), rel=1e-9, abs=1e-16)
    for name, values in slow.values.items():
        errors = slow.errors[name]
        # where a board tells little, its answer is as sharp as its noise allows: to a millionth of a standard error
        apart, allowed = (quick.values[name] - values).abs(), torch.maximum(rel * values, 1e-6 * errors)
        assert bool((apart <= allowed).all()), (name, (apart / values).max(), (apart / errors).max())
        assert quick.errors[name].numpy() == pytest.approx(errors.numpy(), rel=1e-5), name
    return quick, slow


@pytest.mark.parametrize("kind", CIRCUITS)
def test_it_looks_like_torch_at_every_circuit(kind: str):
    start, truth = CIRCUITS[kind]
    for which in ("magnitude", "response"):
        problem = make_problem(start(), measured(truth(), which), QUANTITIES[which][1])
        kernel = kernel_for(problem)
        assert kernel is not None  # which it is only where it is right to 1e-9
        compare(start, measured(truth(), which), QUANTITIES[which][1])


@pytest.mark.parametrize("which", QUANTITIES)
def test_it_knows_the_losses(which: str):
    start, truth = CIRCUITS["organ"]
    flat = which in ("logistic", "shifted")
    compare(start, measured(truth(), which), QUANTITIES[which][1], rel=1e-7 if flat else 1e-9)


@pytest.mark.parametrize("points", [1, 3, 7, 8, 9, 15, 16, 17, 31, 144, 150])
def test_any_number_of_points(points: int):
    """Those that fill no vector count, and the ones that fill it up do not."""
    start, truth = CIRCUITS["low-pass"]
    f = cc.log_grid(points, 100.0, 2e4) if points > 1 else torch.tensor([500.0], dtype=torch.float64)
    compare(start, measured(truth(), "magnitude", f), method="levenberg-marquardt")


def test_missing_values_and_sigmas_of_every_point():
    start, truth = CIRCUITS["organ"]
    whole = measured(truth(), "magnitude")
    values = whole.values.clone()
    values[:, 1, 5::9] = torch.nan
    values[3, 2, :40] = torch.nan
    sigma = torch.linspace(0.005, 0.02, len(F), dtype=torch.float64).expand(values.shape)
    compare(start, cc.Measurements(F, "magnitude", values, outputs=whole.outputs))
    compare(start, cc.Measurements(F, "magnitude", values, sigma, whole.outputs))
    compare(start, whole, losses.Magnitude(weights=torch.linspace(0, 2, len(F), dtype=torch.float64)))
    compare(
        start,
        measured(truth(), "response"),
        losses.Complex(sigma=torch.linspace(0.01, 0.02, len(F), dtype=torch.float64)),
    )


def test_frequencies_and_held_parts_of_every_board():
    f = F * spread(0.8, 1.2, 20).unsqueeze(-1)
    C = spread(5e-7, 2e-6, 21)
    data = cc.simulate(cc.LowPass(spread(50.0, 5e3, 22), C), f, noise=0.01, seed=1)
    compare(lambda: cc.LowPass(boards(500.0), C), data)


def test_ties_bounds_priors_and_linear_coordinates():
    start, truth = CIRCUITS["organ"]
    data = measured(truth(), "magnitude")
    compare(start, data, tied={"high.R": "band.R_low"})
    compare(start, data, bounds={"low.R": (200.0, 400.0), "band.R_high": (None, 500.0)})
    compare(start, data, coordinates={"high.R": "linear"})
    known = cc.Measurements(F, "magnitude", data.values, 0.01, data.outputs)
    compare(start, known, losses.Magnitude() + losses.Prior({"low.R": 300.0, "high.R": 50.0}, 0.02))


def test_leds_sharpen_board_by_board():
    start, truth = CIRCUITS["organ"]
    data = cc.simulate(truth(), cc.log_grid(200, 20.0, 5e4), "led")
    quick = cc.fit(start(), data, history=False, compile=True)
    assert bool(quick.explains.all())
    for name, value in truth().named_parameters():
        if name in quick.values:
            low, high = quick.intervals[name].unbind(-1)
            assert bool(((low <= value * (1 + 1e-9)) & (value <= high * (1 + 1e-9))).all())


@pytest.mark.parametrize(
    "stop",
    [
        cc.Stop(steps=3),
        cc.Stop(gradient=1e-4, steps=50),
        cc.Stop(loss=2e-3, steps=50),
        cc.Stop(step=1e-3, steps=50),
        cc.Stop(steps=0),
    ],
    ids=repr,
)
def test_stops_that_a_person_sets(stop: cc.Stop):
    """Single precision takes part only where nothing but the minimum is asked for."""
    start, truth = CIRCUITS["band-pass"]
    data = measured(truth(), "magnitude")
    if stop.steps == 0:
        quick = cc.fit(start(), data, history=False, compile=True, stop=stop)
        assert quick.values["R_low"].numpy() == pytest.approx(60.0) and (quick.reason == "steps").all()
        return
    quick, slow = compare(start, data, stop=stop)
    assert (quick.steps == slow.steps).all()


@pytest.mark.parametrize("way", ["compiled", "in torch", "one by one", "one with history"])
def test_the_step_that_is_solved_for_is_taken(way: str):
    """A fit that stops early, at a step of a fifth of a standard error, is off by far less than that step."""
    start, truth = CIRCUITS["organ"]
    data, early = measured(truth(), "magnitude"), cc.Stop(decrease=2e-4, steps=50)
    best = cc.fit(start(), data, history=False, compile=False)
    worst = 0.0
    if way in ("compiled", "in torch"):
        found = cc.fit(start(), data, history=False, compile=way == "compiled", stop=early)
        for name, values in best.values.items():
            worst = max(worst, float(((found.values[name] - values).abs() / best.errors[name]).max()))
    for board in range(COUNT) if way.startswith("one") else ():
        own = cc.Measurements(F, "magnitude", data.values[board], 0.01, data.outputs)
        history = way == "one with history"
        found = cc.fit(cc.ColorOrgan(500.0, (60.0, 500.0), 100.0), own, history=history, stop=early)
        for name, values in best.values.items():
            worst = max(worst, abs(found.values[name].item() - values[board].item()) / best.errors[name][board].item())
    assert worst < 0.02


def test_threads_change_nothing(monkeypatch):
    start, truth = CIRCUITS["organ"]
    data = measured(truth(), "magnitude")
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(engine, "_threads", lambda boards, numbers, threads=threads: threads)
        found.append(cc.fit(start(), data, history=False, compile=True))
    for name in found[0].values:
        assert torch.equal(found[0].values[name], found[1].values[name])


def test_a_board_does_not_feel_its_neighbours():
    """One by one, and in another order, to the last bit."""
    start, truth = CIRCUITS["organ"]
    data = measured(truth(), "magnitude")
    data = cc.Measurements(F, "magnitude", data.values, outputs=data.outputs)
    together = cc.fit(start(), data, history=False, compile=True)
    for board in (0, 7):
        own = cc.Measurements(F, "magnitude", data.values[board], outputs=data.outputs)
        alone = cc.fit(cc.ColorOrgan(500.0, (60.0, 500.0), 100.0), own, history=False, compile=True)
        for name in alone.values:
            assert alone.values[name].item() == together.values[name][board].item()


def test_single_precision_stays_single_and_sees_what_it_can():
    start, truth = CIRCUITS["organ"]
    data = measured(truth(), "magnitude")
    wide = cc.fit(start(), data, history=False, compile=True)
    narrow = cc.fit(start().float(), data.to(dtype=torch.float32), history=False, compile=True)
    for name, values in wide.values.items():
        assert narrow.values[name].dtype == torch.float32
        assert narrow.values[name].double().numpy() == pytest.approx(values.numpy(), rel=1e-5)


def test_a_start_that_is_nowhere_says_so():
    """A board that cannot even be computed ends as it began, and the others do not notice."""
    start, truth = CIRCUITS["low-pass"]
    data = measured(truth(), "magnitude")
    values = data.values.clone()
    values[4] = 1e308
    odd = cc.fit(
        start(), cc.Measurements(F, "magnitude", values), history=False, compile=True, method="levenberg-marquardt"
    )
    whole = cc.Measurements(F, "magnitude", data.values)
    plain = cc.fit(start(), whole, history=False, compile=True, method="levenberg-marquardt")
    assert odd.reason[4] == "not finite" and odd.values["R"][4].item() == pytest.approx(500.0)
    others = np.arange(COUNT) != 4
    assert torch.equal(odd.values["R"][others], plain.values["R"][others])


class Looks(cc.LowPass):
    """Its formula depends on a value, which Python looks at."""

    def _evaluate(self, f, quantity):
        return super()._evaluate(f, quantity) * (1.0 if float(self.R.reshape(-1)[0]) > 1.0 else 2.0)


class Unknown(cc.LowPass):
    """An operation that is not known."""

    def _evaluate(self, f, quantity):
        return torch.special.bessel_j0(0 * f) * super()._evaluate(f, quantity)


class Crooked(cc.LowPass):
    """What it says of one point alone, which is what is listened to, is not what it says of many."""

    def _evaluate(self, f, quantity):
        return super()._evaluate(f * (1.1 if f.shape[-1] == 1 else 1.0), quantity)


@pytest.mark.parametrize("circuit", [Looks, Unknown, Crooked], ids=lambda circuit: circuit.__name__)
def test_what_has_no_formula_is_fitted_all_the_same(circuit):
    data = cc.simulate(circuit(spread(50.0, 5e3, 1)), F, noise=0.01, seed=1)
    problem = make_problem(circuit(boards(500.0)), data)
    assert kernel_for(problem) is None
    found = cc.fit(circuit(boards(500.0)), data, history=False, compile=True)
    assert bool(found.converged.all())


def test_nothing_is_compiled_unasked_where_it_would_not_pay(monkeypatch):
    asked = []
    monkeypatch.setattr(engine, "kernel_of", lambda formula, may_compile: asked.append(may_compile))
    start, truth = CIRCUITS["organ"]
    data = measured(truth(), "magnitude")
    cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), F))
    cc.fit(start(), data, history=False)
    assert asked == []  # not even looked for
    monkeypatch.setattr(engine, "WORTH_A_LOOK", 0.0)
    cc.fit(start(), data, history=False)
    assert asked == [False]  # looked for, not compiled
    monkeypatch.setattr(engine, "WORTH_COMPILING", 0.0)
    cc.fit(start(), data, history=False)
    assert asked == [False, True]
    cc.fit(start(), data, history=False, compile=False)
    assert asked == [False, True]


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setenv("OHMGRAD_NATIVE", "0")
    start, truth = CIRCUITS["organ"]
    assert kernel_for(make_problem(start(), measured(truth(), "magnitude"))) is None


def test_ctrl_c_keeps_what_is_done(monkeypatch):
    start, truth = CIRCUITS["low-pass"]
    data = measured(truth(), "magnitude")
    monkeypatch.setattr(engine, "SLICE", 0.0)
    monkeypatch.setattr(engine, "LEAST_SLICE", 5)
    original, calls = engine.Kernel.run, []

    def interrupted(self, call):
        if call.steps and len(calls) == 1:
            raise KeyboardInterrupt
        calls.extend([1] if call.steps else [])
        original(self, call)

    monkeypatch.setattr(engine.Kernel, "run", interrupted)
    found = cc.fit(start(), data, history=False, compile=True)
    assert list(found.reason[:5]) == ["decrease"] * 5 and list(found.reason[5:]) == ["interrupted"] * 7
    assert found.values["R"][5:].numpy() == pytest.approx(500.0)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="NOT RUN: for processors of x86-64")
@pytest.mark.parametrize("narrower", ["-mno-avx512f", "-mno-avx"])
def test_a_lesser_processor_gives_the_same(narrower: str, tmp_path, monkeypatch):
    """Vectors of 4 numbers and of 2, and the mathematics of the plain C library."""
    monkeypatch.setenv("OHMGRAD_CACHE", str(tmp_path))
    monkeypatch.setenv("CC", f"cc {narrower}")
    monkeypatch.setattr(compiled, "_libraries", {})
    start, truth = CIRCUITS["organ"]
    compare(start, measured(truth(), "magnitude"))
    compare(start, measured(truth(), "decibels"), QUANTITIES["decibels"][1])
    compare(start, measured(truth(), "logistic"), QUANTITIES["logistic"][1], rel=1e-7)
    compare(*CIRCUITS["netlist"][:1], measured(CIRCUITS["netlist"][1](), "response"), QUANTITIES["response"][1])
