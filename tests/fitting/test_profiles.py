"""Profile-likelihood intervals: against closed forms, against brute force, and by how often they hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq, least_squares, minimize
from scipy.stats import chi2, t
from torch import nn

import circuits as cc
import losses
from circuits.errors import OptionError, UnknownName
from circuits.fitting.profiling.roots import crossings


class Line(nn.Module):
    """a + b·x, whose profile is a parabola."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.0, dtype=torch.float64))
        self.b = nn.Parameter(torch.tensor(0.0, dtype=torch.float64))

    def forward(self, x):
        return self.a + self.b * x


def noisy(circuit, n=60, sigma=0.02, seed=1, known=True, quantity="magnitude"):
    generator = torch.Generator().manual_seed(seed)
    data = cc.simulate(circuit, cc.log_grid(n, 10.0, 1e5), quantity, sigma, generator)
    return data if known else cc.Measurements(data.f, data.quantity, data.values, outputs=data.outputs)


def test_of_a_straight_line_is_the_interval_of_student():
    rng = np.random.default_rng(3)
    x = rng.normal(size=12)
    y = 1.5 - 0.7 * x + 0.3 * rng.normal(size=12)
    design = np.stack([np.ones_like(x), x], 1)
    best, total = np.linalg.lstsq(design, y, rcond=None)[:2]
    size = np.sqrt(total[0] / 10 * np.diag(np.linalg.inv(design.T @ design)))
    fit = cc.fit(Line(), (torch.tensor(x), torch.tensor(y)))
    for level in (0.6827, 0.95):
        found = fit.profile_intervals(level)
        for i, name in enumerate("ab"):
            wide = t.ppf(0.5 + level / 2, 10) * size[i]
            assert found[name].tolist() == pytest.approx([best[i] - wide, best[i] + wide], rel=1e-7)


def brute_force(predict, sigma, y, best, column, rise):
    """Ends by scipy: one coordinate held, the others minimised anew, and the crossing found by bisection."""

    def total(x):
        return (((predict(x) - y) / sigma) ** 2).sum()

    def profile(value):
        free = [i for i in range(len(best)) if i != column]

        def residual(part):
            x = np.array(best, dtype=float)
            x[column], x[free] = value, part
            return (predict(x) - y) / sigma

        if not free:
            return (residual([]) ** 2).sum()
        return 2 * least_squares(residual, np.array(best)[free], xtol=1e-15, ftol=1e-15, gtol=1e-15).cost

    lowest, ends = total(np.array(best)), []
    for sign in (-1, 1):
        far = 0.01
        while profile(best[column] + sign * far) - lowest < rise:
            far *= 2
        ends.append(brentq(lambda v: profile(v) - lowest - rise, best[column], best[column] + sign * far, xtol=1e-13))
    return [math.exp(end) for end in ends]


def band_pass(f):
    w = 2 * math.pi * f * 1e-6
    return lambda x: np.abs(1 / (1 + 1j * w * np.exp(x[0]))) * np.abs(1 - 1 / (1 + 1j * w * np.exp(x[1])))


@pytest.mark.parametrize("known", [True, False])
def test_of_a_curved_model_is_what_brute_force_finds(known):
    data = noisy(cc.BandPass(R_low=40.0, R_high=160.0), n=25, sigma=0.05, known=known)
    fit = cc.fit(cc.BandPass(R_low=80.0, R_high=100.0), data)
    f, y, best = data.f.numpy(), data.values.numpy(), fit.end[0].tolist()
    predict = band_pass(f)
    variance = 0.05**2 if known else ((predict(best) - y) ** 2).sum() / (25 - 2)
    rise = chi2.ppf(0.95, 1) if known else t.ppf(0.975, 23) ** 2
    found = fit.profile_intervals(0.95)
    for column, name in enumerate(fit.names):
        expected = brute_force(predict, math.sqrt(variance), y, best, column, rise)
        assert found[name].tolist() == pytest.approx(expected, rel=1e-6)
        wald = fit.values[name] + torch.tensor([-2.0, 2.0]) * fit.errors[name]
        assert (found[name] - wald).abs().max() > 0.01 * fit.errors[name]


def test_many_boards_are_what_each_is_alone():
    data = noisy(cc.BandPass(R_low=[40.0, 55.0, 30.0], R_high=[160.0, 300.0, 90.0]), n=30, sigma=0.03)
    together = cc.fit(cc.BandPass(R_low=[80.0] * 3, R_high=[100.0] * 3), data).profile_intervals(0.95)
    for board in range(3):
        one = cc.Measurements(data.f, data.quantity, data.values[board], torch.tensor(0.03, dtype=torch.float64))
        alone = cc.fit(cc.BandPass(R_low=80.0, R_high=100.0), one).profile_intervals(0.95)
        for name, ends in alone.items():
            assert together[name].shape == (3, 2)
            assert together[name][board].tolist() == pytest.approx(ends.tolist(), rel=1e-9)


@pytest.mark.parametrize("known", [True, False])
def test_holds_the_truth_as_often_as_it_says(known):
    boards = 600
    data = noisy(cc.BandPass(R_low=[40.0] * boards, R_high=[160.0] * boards), n=12, sigma=0.05, seed=5, known=known)
    fit = cc.fit(cc.BandPass(R_low=[50.0] * boards, R_high=[130.0] * boards), data, history=False)
    for name, ends in fit.profile_intervals(0.6827).items():
        truth = {"R_low": 40.0, "R_high": 160.0}[name]
        inside = ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).double().mean()
        assert 0.64 < inside < 0.72


def test_what_the_data_do_not_tell_apart_has_no_ends():
    circuit = cc.LowPass(R=500.0)
    circuit.C.requires_grad_(True)
    fit = cc.fit(circuit, noisy(cc.LowPass(R=200.0)))
    assert {name: ends.tolist() for name, ends in fit.profile_intervals().items()} == {
        "R": [0.0, math.inf],
        "C": [0.0, math.inf],
    }


def test_a_bound_ends_it_and_passes_on_to_what_hangs_together_with_it():
    circuit = cc.LowPass(R=500.0)
    circuit.C.requires_grad_(True)
    data = noisy(cc.LowPass(R=200.0), n=200, sigma=1e-3)
    found = cc.fit(circuit, data, bounds={"C": (0.9e-6, 1.2e-6)}).profile_intervals(0.95)
    assert found["C"].tolist() == pytest.approx([0.9e-6, 1.2e-6], rel=1e-12)
    low, high = cc.fit(cc.LowPass(R=500.0), data).profile_intervals(0.95)["R"].tolist()
    assert found["R"].tolist() == pytest.approx([low / 1.2, high / 0.9], rel=1e-6)


def test_a_prior_counts_as_a_measurement():
    circuit = cc.LowPass(R=500.0)
    circuit.C.requires_grad_(True)
    data = noisy(cc.LowPass(R=200.0), n=40, sigma=0.01)
    fit = cc.fit(circuit, data, losses.Magnitude() + losses.Prior({"C": 1e-6}, 0.05))
    found, rise = fit.profile_intervals(0.95), chi2.ppf(0.95, 1)
    w, y = 2 * math.pi * data.f.numpy(), data.values.numpy()

    def total(x):
        data_part = ((np.abs(1 / (1 + 1j * w * np.exp(x[0] + x[1]))) - y) / 0.01) ** 2
        named = {"C": torch.tensor([math.exp(x[1])], dtype=torch.float64)}
        return data_part.sum() + float(fit.problem.loss.priors[0].residuals(named)["C"].square())

    best = fit.end[0].tolist()
    for i, name in enumerate(fit.names):
        other = 1 - i
        for end in found[name].log().tolist():
            held = [0.0, 0.0]

            def along(v, i=i, other=other, end=end, held=held):
                held[i], held[other] = end, v[0]
                return total(held)

            least = minimize(along, [best[other]], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-11}).fun
            assert least - total(best) == pytest.approx(rise, rel=1e-5)


def test_leds_of_a_known_jitter():
    f = cc.log_grid(400, 100.0, 1e4)
    u = -0.5 * torch.log1p((2 * math.pi * f * 200e-6) ** 2) + math.log(2) / 2
    chance = torch.sigmoid(8.0 * u)
    lit = (torch.rand(400, generator=torch.Generator().manual_seed(2), dtype=torch.float64) < chance).double()
    fit = cc.fit(cc.LowPass(R=300.0), cc.Measurements(f, "led", lit), losses.LogisticLed(sharpness=8.0))

    def deviance(log_r):
        u = -0.5 * np.log1p((2 * math.pi * f.numpy() * 1e-6 * math.exp(log_r)) ** 2) + math.log(2) / 2
        return 2 * np.logaddexp(0, -8.0 * u * (2 * lit.numpy() - 1)).sum()

    best, rise = fit.end.item(), chi2.ppf(0.6827, 1)
    for end, sign in zip(fit.profile_intervals(0.6827)["R"].tolist(), (-1, 1), strict=True):
        assert deviance(math.log(end)) - deviance(best) == pytest.approx(rise, rel=1e-6)
        assert sign * (math.log(end) - best) > 0


def test_held_and_tied_components_and_one_board_with_its_own_capacitor():
    truth = cc.BandPass(R_low=[40.0, 40.0], R_high=[40.0, 40.0], C_low=[1e-6, 2e-6])
    data = noisy(truth, n=40, sigma=0.02)
    start = cc.BandPass(R_low=[80.0] * 2, R_high=[80.0] * 2, C_low=[1e-6, 2e-6])
    fit = cc.fit(start, data, tied={"R_high": "R_low"})
    found = fit.profile_intervals()
    assert list(found) == ["R_low"]
    w = 2 * math.pi * data.f.numpy()
    for board, capacity in enumerate((1e-6, 2e-6)):

        def predict(x, capacity=capacity):
            r = np.exp(x[0])
            return np.abs(1 / (1 + 1j * w * r * capacity)) * np.abs(1 - 1 / (1 + 1j * w * r * 1e-6))

        y, best = data.values[board].numpy(), [fit.end[board].item()]
        expected = brute_force(predict, 0.02, y, best, 0, chi2.ppf(0.95, 1))
        assert found["R_low"][board].tolist() == pytest.approx(expected, rel=1e-6)


def test_data_that_are_met_exactly_leave_no_room_only_where_the_noise_is_estimated():
    data = noisy(cc.LowPass(R=200.0), sigma=0.0, known=False)
    low, high = cc.fit(cc.LowPass(R=500.0), data).profile_intervals()["R"].tolist()
    assert (low, high) == pytest.approx((200.0, 200.0), rel=1e-9)


def test_the_line_rises_as_its_ends_say_and_carries_the_others_along():
    fit = cc.fit(cc.BandPass(R_low=80.0, R_high=100.0), noisy(cc.BandPass(R_low=40.0, R_high=160.0), sigma=0.05))
    ends = fit.profile_intervals(0.95)["R_low"]
    line = fit.profile("R_low", points=ends.tolist())
    assert line.rise.tolist() == pytest.approx([chi2.ppf(0.95, 1)] * 2, rel=1e-6)
    assert (line.name, line.unit) == ("R_low", "Ω")
    assert torch.equal(line.values, line.others["R_low"])
    spread = fit.profile("R_low")
    assert len(spread.values) == 41
    assert bool((spread.rise >= -1e-9).all())
    at = fit.problem.coordinates.from_values(torch.stack([spread.others[n] for n in fit.names], -1))
    gradient = torch.cat([fit.final_problem().gradient(row.unsqueeze(0))[1] for row in at])
    assert gradient[:, 1].abs().max() < 1e-5 * gradient[:, 0].abs().max()


def test_what_is_asked_for_wrongly_is_said():
    fit = cc.fit(cc.LowPass(R=500.0), noisy(cc.LowPass(R=200.0)))
    with pytest.raises(OptionError, match="between 0 and 1"):
        fit.profile_intervals(95)
    with pytest.raises(UnknownName, match="known: R"):
        fit.profile_intervals(names=["C"])
    with pytest.raises(OptionError, match="two or more"):
        fit.profile("R", points=1)
    with pytest.raises(OptionError, match="above zero"):
        fit.profile("R", points=[-1.0, 2.0])
    hinge = cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), cc.tones(80), "led"), losses.HingeLed())
    with pytest.raises(OptionError, match="no likelihood"):
        hinge.profile_intervals()


def test_crossings_of_functions_that_are_no_lines():
    reach = torch.full((5,), 50.0, dtype=torch.float64)
    wanted = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0], dtype=torch.float64)

    def height(d, rows):
        curves = [d**3, d.exp() - 1, torch.where(d < 3, 0.0, torch.inf), 4 * torch.tanh(d) * 0.9, torch.log1p(d) * 5]
        return torch.stack(curves)[rows, torch.arange(len(rows))] / wanted[rows] - 1

    found = crossings(height, torch.full_like(reach, 1e-3), reach)
    assert found[:3].tolist() == pytest.approx([1.0, math.log(3.0), 3.0], rel=1e-9)
    assert math.isinf(found[3])
    assert found[4].item() == pytest.approx(math.e - 1, rel=1e-9)


def test_the_command_prints_the_interval_that_was_asked_for(capsys):
    from circuits.cli import main

    file = "examples/data/low_pass_magnitude.csv"
    assert main(["fit", file, "--circuit", "low-pass", "--profile", "95"]) == 0
    said = capsys.readouterr().out
    fit = cc.fit(cc.LowPass(R=500.0), cc.read(file))
    low, high = fit.profile_intervals(0.95)["R"].tolist()
    assert "95 % by profile likelihood" in said
    line = said[said.index("95 % by profile") :].splitlines()[2]
    ends = [float(word) for word in line.replace("Ω", "").split()[1::2]]
    assert ends == pytest.approx([low, high], rel=0.02)  # the command also fits a gain
    assert main(["fit", file, "--circuit", "low-pass", "--profile", "200"]) == 2
    assert "between 0 and 100 %" in capsys.readouterr().err
