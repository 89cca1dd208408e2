"""`loss_over` is the loss itself, point by point; how it is evaluated in blocks must not show."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

import circuits as cc
import losses
from circuits.errors import OptionError, UnknownName
from circuits.fitting import landscape
from circuits.fitting.landscape import loss_over

F = cc.log_grid(17, 10.0, 1e5)


def freed(circuit, *names):
    for name in names:
        dict(circuit.named_parameters())[name].requires_grad_()
    return circuit


CIRCUITS = {
    "low-pass": (lambda: freed(cc.LowPass(300.0), "C"), ("R", "C")),
    "high-pass": (lambda: freed(cc.HighPass(300.0), "C"), ("C", "R")),
    "band-pass": (lambda: cc.BandPass(60.0, 200.0), ("R_low", "R_high")),
    "loaded band-pass": (lambda: freed(cc.LoadedBandPass(60.0, 200.0), "C_low"), ("R_high", "C_low")),
    "Bode band-pass": (lambda: cc.BodeBandPass(4000.0, 900.0), ("f_low", "f_high")),
    "organ, one filter": (lambda: cc.ColorOrgan(300.0, (60.0, 200.0), 50.0), ("band.R_high", "band.R_low")),
    "organ, two filters": (lambda: cc.ColorOrgan(300.0, (60.0, 200.0), 50.0), ("low.R", "band.R_low")),
    "organ, the outer filters": (lambda: cc.ColorOrgan(300.0, (60.0, 200.0), 50.0), ("high.R", "low.R")),
}
QUANTITIES = ("magnitude", "decibels", "phase", "response", "led")
ONE_STEP = {"stop": cc.Stop(steps=1)}


def measured(circuit, quantity, f=F, missing=False, noise=0.0):
    with torch.no_grad():
        other = type(circuit)()
        for own, part in zip(other.parameters(), circuit.parameters(), strict=True):
            own.copy_(part * 0.7)
    data = cc.simulate(other, f, quantity, noise)
    values = data.values.clone()
    if quantity == "led":  # a band whose peak lies below the threshold, or is missing, would be dark throughout
        values[..., len(f) // 2] = 1.0
        values[..., 0] = 0.0
    if missing:
        values[..., 2::5] = math.nan
    return cc.Measurements(data.f, quantity, values, sigma=data.sigma, outputs=data.outputs)


def around(fit, name, n):
    """Values around the fitted one, the fitted one itself not among them."""
    value = float(dict(zip(fit.names, fit._table[0], strict=True))[name])
    return value * torch.logspace(-0.7, 0.9, n, dtype=fit.end.dtype)


def point_by_point(problem, x, names, grids):
    """What `problem.losses` says at every point, one call each."""
    values = problem.coordinates.values(x)
    columns = [problem.model.names.index(name) for name in names]
    found = []
    for chosen in itertools.product(*grids):
        table = values.clone()
        for column, value in zip(columns, chosen, strict=True):
            table[0, column] = value
        found.append(problem.losses(problem.coordinates.from_values(table))[0].detach())
    return torch.stack(found).reshape([len(grid) for grid in grids])


def check(fit, names, *, rtol=1e-12, x=None):
    x = fit.start if x is None else x
    for chosen in (names, names[::-1], names[:1], names[1:]):
        grids = [around(fit, name, n) for name, n in zip(chosen, (5, 4), strict=False)]
        problem = fit.final_problem()
        found = loss_over(problem, x, chosen, grids)
        expected = point_by_point(problem, x, chosen, grids)
        assert found.shape == expected.shape and found.dtype == expected.dtype
        assert expected.std() > 1e-6 * expected.mean()  # the loss does depend on them
        torch.testing.assert_close(found, expected, rtol=rtol, atol=rtol * float(expected.max()) * 1e-2)


PAIRS = [  # a Bode asymptote has no phase
    (n, q) for n in CIRCUITS for q in QUANTITIES if n != "Bode band-pass" or q not in ("phase", "response")
]


@pytest.mark.parametrize(("name", "quantity"), PAIRS)
def test_the_surface_is_the_loss_point_by_point(name, quantity):
    make, names = CIRCUITS[name]
    circuit = make()
    check(cc.fit(circuit, measured(circuit, quantity), **ONE_STEP), names)


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("name", ["band-pass", "organ, one filter", "organ, two filters"])
def test_missing_points_and_sigma(name, quantity):
    circuit = CIRCUITS[name][0]()
    noise = 0.0 if quantity == "led" else 0.1
    check(cc.fit(circuit, measured(circuit, quantity, missing=True, noise=noise), **ONE_STEP), CIRCUITS[name][1])


def test_an_output_that_was_not_measured():
    circuit = cc.ColorOrgan(300.0, (60.0, 200.0), 50.0)
    data = measured(circuit, "magnitude")
    values = data.values.clone()
    values[1] = math.nan
    fit = cc.fit(circuit, cc.Measurements(F, "magnitude", values, outputs=data.outputs), **ONE_STEP)
    check(fit, ("low.R", "high.R"))


LOSSES = {
    "prior": losses.Magnitude(sigma=0.1) + losses.Prior({"low.R": 100.0, "band.R_low": 40.0}, 0.2),
    "weights a point": losses.Magnitude(weights=torch.rand(3, 17, generator=torch.Generator().manual_seed(0)).double()),
    "Huber": losses.Huber(losses.Magnitude(sigma=0.05)),
    "Cauchy": losses.Cauchy(losses.Magnitude(sigma=0.05)),
    "scaled": 3.0 * losses.Magnitude(),
    "scalar": lambda prediction, target: (prediction - target).abs().max() + (prediction * target).mean(),
    "scalar that branches": lambda p, t: (
        (p - t).abs().mean() if float(p.detach().mean()) > 0.3 else (p - t).square().mean()
    ),
}
ORGAN_PAIRS = [("low.R", "band.R_low"), ("band.R_low", "band.R_high")]


@pytest.mark.parametrize("names", ORGAN_PAIRS, ids=" ".join)
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_kind_of_loss(loss, missing, names):
    circuit = cc.ColorOrgan(300.0, (60.0, 200.0), 50.0)
    check(cc.fit(circuit, measured(circuit, "magnitude", missing=missing), LOSSES[loss], **ONE_STEP), names)


@pytest.mark.parametrize("loss", [losses.LogisticLed(), losses.ShiftedMSE(), losses.HingeLed(), losses.HardLed()])
def test_led_losses_as_they_stand_in_the_last_stage(loss):
    circuit = cc.ColorOrgan(300.0, (60.0, 200.0), 50.0)
    fit = cc.fit(circuit, measured(circuit, "led", cc.log_grid(60, 10.0, 1e5)), loss)
    check(fit, ("band.R_low", "band.R_high"))


@pytest.mark.parametrize("coordinates", ["log", "linear"])
def test_coordinates_do_not_matter(coordinates):
    circuit = cc.BandPass(60.0, 200.0)
    check(cc.fit(circuit, measured(circuit, "magnitude"), coordinates=coordinates, **ONE_STEP), ("R_low", "R_high"))


def test_tied_components_move_together_and_answer_to_both_names():
    circuit = cc.ColorOrgan(300.0, (60.0, 200.0), 50.0)
    fit = cc.fit(circuit, measured(circuit, "magnitude"), tied={"high.R": "band.R_low"}, **ONE_STEP)
    assert "high.R" not in fit.names
    check(fit, ("band.R_low", "band.R_high"))
    problem, grid = fit.final_problem(), torch.tensor([20.0, 50.0], dtype=torch.float64)
    assert torch.equal(loss_over(problem, fit.end, "high.R", grid), loss_over(problem, fit.end, "band.R_low", grid))
    with pytest.raises(OptionError, match="move as one"):
        loss_over(problem, fit.end, ["high.R", "band.R_low"], [grid, grid])


def test_float32_stays_float32():
    circuit = cc.BandPass(60.0, 200.0).to(torch.float32)
    fit = cc.fit(circuit, cc.simulate(cc.BandPass(40.0, 150.0), F), **ONE_STEP)
    assert loss_over(fit.final_problem(), fit.start, "R_low", [10.0, 20.0]).dtype == torch.float32
    check(fit, ("R_low", "R_high"), rtol=2e-5)


def test_boards_of_a_batch_one_at_a_time():
    boards = cc.BandPass([60.0, 80.0, 100.0], [200.0, 300.0, 400.0])
    data = cc.simulate(cc.BandPass([40.0, 50.0, 60.0], [150.0, 100.0, 120.0]), F)
    fit = cc.fit(boards, data, **ONE_STEP)
    alone = cc.fit(cc.BandPass(100.0, 400.0), cc.Measurements(F, "magnitude", data.values[2]), **ONE_STEP)
    grids = [torch.tensor([30.0, 60.0, 90.0]), torch.tensor([100.0, 200.0])]
    found = loss_over(fit.final_problem(2), fit.end[2:3], ["R_low", "R_high"], grids)
    torch.testing.assert_close(found, loss_over(alone.final_problem(), alone.end, ["R_low", "R_high"], grids))


class Curve(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor([2.0, 0.5], dtype=torch.float64))
        self.b = nn.Parameter(torch.tensor(0.1, dtype=torch.float64))

    def forward(self, x):
        return self.a[0] * torch.exp(-self.a[1] * x) + self.b


class Branching(Curve):
    def forward(self, x):
        return super().forward(x) if float(self.b.detach()) > 0.2 else self.a.sum() * x


X = torch.linspace(0, 3, 20, dtype=torch.float64)


@pytest.mark.parametrize("module", [Curve, Branching])
@pytest.mark.parametrize("loss", [None, lambda p, t: (p - t).abs().mean()])
def test_plain_modules(module, loss):
    stop = None if loss is None else cc.Stop(steps=3)
    fit = cc.fit(module(), (X, 1.3 * torch.exp(-2 * X) + 0.3), loss, stop=stop)
    check(fit, ("a[0]", "b"), x=fit.end)
    assert fit.names == ("a[0]", "a[1]", "b")


def test_blocks_leave_no_seams(monkeypatch):
    circuit = cc.ColorOrgan(300.0, (60.0, 200.0), 50.0)
    fit = cc.fit(circuit, measured(circuit, "magnitude", missing=True), **ONE_STEP)
    problem = fit.final_problem()
    grids = [around(fit, "low.R", 23), around(fit, "band.R_low", 31)]
    whole = loss_over(problem, fit.end, ["low.R", "band.R_low"], grids)
    monkeypatch.setattr(landscape, "BLOCK", 500)
    torch.testing.assert_close(loss_over(problem, fit.end, ["low.R", "band.R_low"], grids), whole, rtol=1e-13, atol=0)


def calls_of(fit, names, sides):
    """Predictions asked of the circuit for a grid of so many points."""
    asked = []
    circuit = type(fit.circuit)
    original = circuit.predict

    def counting(self, *given):
        asked.append(1)
        return original(self, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(circuit, "predict", counting)
        loss_over(fit.final_problem(), fit.end, names, [around(fit, *pair) for pair in zip(names, sides, strict=True)])
    return len(asked)


@pytest.mark.parametrize("name", ["low-pass", "band-pass", "organ, one filter", "organ, two filters"])
def test_predictions_do_not_grow_with_the_grid(name):
    circuit = CIRCUITS[name][0]()
    fit = cc.fit(circuit, measured(circuit, "magnitude"), **ONE_STEP)
    names = CIRCUITS[name][1]
    few = calls_of(fit, names, (3, 3))
    assert calls_of(fit, names, (40, 40)) == few <= 12
    numbers = 400 * 400 * fit.problem.target.numel()
    assert calls_of(fit, names, (400, 400)) <= few + 8 * numbers / landscape.BLOCK


def test_the_result_has_no_graph_and_leaves_the_circuit_as_it_was():
    circuit = cc.BandPass(60.0, 200.0)
    fit = cc.fit(circuit, measured(circuit, "magnitude"))
    before = circuit.R_low.clone()
    assert not loss_over(fit.final_problem(), fit.end, "R_low", [10.0, 1000.0]).requires_grad
    assert torch.equal(circuit.R_low, before) and isinstance(circuit.R_low, nn.Parameter)


def test_grids_may_be_lists_arrays_or_tensors():
    fit = cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), F))
    expected = loss_over(fit.final_problem(), fit.end, "R", torch.tensor([100.0, 300.0]))
    for grid in ([100.0, 300.0], np.array([100.0, 300.0]), [[100.0, 300.0]], (100, 300), [np.array([100.0, 300.0])]):
        assert torch.equal(loss_over(fit.final_problem(), fit.end, ["R"], grid), expected)


def _band():
    return cc.fit(cc.BandPass(60.0, 200.0), cc.simulate(cc.BandPass(40.0, 150.0), F), **ONE_STEP)


def _boards():
    return cc.fit(cc.LowPass([60.0, 200.0]), cc.simulate(cc.LowPass([40.0, 150.0]), F), **ONE_STEP)


LINE = (X.unsqueeze(-1).float(), X.unsqueeze(-1).float())
BAD = {
    "unknown": (_band, ["R9"], [[1.0]], UnknownName, "'R9'.*R_low, R_high"),
    "fixed": (_band, ["C_low"], [[1.0]], OptionError, "C_low is held fixed at 1 µF.*requires_grad_"),
    "none": (_band, [], [], OptionError, "0 components"),
    "three": (_band, ["R_low", "R_high", "C_low"], [[1.0]] * 3, OptionError, "3 components"),
    "twice": (_band, ["R_low", "R_low"], [[1.0]] * 2, OptionError, "two different components"),
    "one grid for two": (_band, ["R_low", "R_high"], [[1.0]], OptionError, "1 grids for 2"),
    "empty grid": (_band, ["R_low"], [[]], OptionError, "at least one"),
    "negative ohms": (_band, ["R_low"], [[1.0, -1.0]], OptionError, "grid of R_low expects positive, finite"),
    "NaN": (_band, ["R_low"], [[math.nan]], OptionError, "finite"),
    "several boards": (_boards, ["R"], [[1.0]], OptionError, "2 boards; expected one"),
    "a plain module": (lambda: cc.fit(nn.Linear(1, 1), LINE), ["slope"], [[1.0]], UnknownName, "weight"),
    "fixed in a module": (
        lambda: cc.fit(nn.Linear(1, 1), LINE, fixed=["bias"]),
        ["bias[0]"],
        [[1.0]],
        OptionError,
        "held",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    make, names, grids, error, said = BAD[case]
    fit = make()
    with pytest.raises(error, match=said):
        loss_over(fit.problem, fit.end, names, grids)
