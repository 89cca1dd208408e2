"""What the first lesson claims in numbers, against the package: the classroom's runs, the tugs of war, the limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import circuits as cc
import losses

LOW, BAND, HIGH = 198.944, (39.789, 159.155), 31.831
F = cc.tones(1000)
EVEN = cc.log_grid(20_001, 1.0, 1e6)
DRAWS = torch.stack([cc.tones(1000, seed=seed) for seed in range(40)])
MEASURED = cc.simulate(cc.LowPass(R=LOW), F)
HALF = 1 / math.sqrt(2)


def descend(board, data, loss, lr: float, steps: int = 100_000) -> cc.Fit:
    """The classroom's walk: raw ohms, plain descent, until loss or slope is below one millionth."""
    stop = cc.Stop(loss=1e-6, gradient=1e-6, steps=steps)
    return cc.fit(board, data, loss, method=cc.GradientDescent(lr), coordinates="linear", stop=stop, progress=False)


def ohms_squared(start: float, end: float) -> float:
    """∫ dR / L'(R) along the way: steps times learning rate."""
    boards = cc.LowPass(R=torch.linspace(end, start, 4001, dtype=torch.float64))
    (slope,) = torch.autograd.grad((boards(F) - MEASURED.values).square().mean(-1).sum(), boards.R)
    return torch.trapezoid(1 / slope, boards.R.detach()).item()


# walking down from magnitudes


@pytest.mark.parametrize(("lr", "published"), [(500.0, 18_108), (1000.0, 8_543)])
def test_the_classroom_arrives_and_the_integral_foretells_the_steps(lr: float, published: int):
    walk = descend(cc.LowPass(R=500.0), MEASURED, losses.Magnitude(), lr)
    assert (walk.reason, walk.converged) == ("loss", True)
    assert walk.values["R"].item() == pytest.approx(200, abs=0.5)
    assert walk.steps == pytest.approx(published, rel=0.1)  # other tones, drawn by others
    assert walk.steps == pytest.approx(ohms_squared(500.0, walk.values["R"].item()) / lr, rel=1e-3)


def test_what_counts_is_steps_times_learning_rate():
    """50 steps of 200 in one of 10,000: the published 49,260 and 86,021 steps, and 1302 Ω after 100,000 from 2000."""
    walk = descend(cc.LowPass(R=[500.0, 1000.0, 2000.0]), MEASURED, losses.Magnitude(), 10_000.0, steps=2000)
    assert walk.reason.tolist() == ["loss", "loss", "steps"]
    assert (50 * walk.steps[0]).item() == pytest.approx(49_260, rel=0.1)
    assert (50 * walk.steps[1]).item() == pytest.approx(86_021, rel=0.05)
    assert walk.values["R"][2].item() == pytest.approx(1302, rel=0.01)
    assert ohms_squared(2000.0, 200.42) / 200 > 200_000


def test_a_million_is_quick_and_three_million_never_settles():
    steps = {
        lr: descend(cc.LowPass(R=500.0), MEASURED, losses.Magnitude(), lr, steps=2000) for lr in (1e5, 1e6, 2e6, 3e6)
    }
    assert [steps[lr].steps for lr in (1e5, 1e6, 2e6)] == [88, 7, 17]
    wild = steps[3e6].history.of("R")[100:, 0]
    assert steps[3e6].reason == "steps" and wild.std() > 30


@pytest.mark.parametrize(("circuit", "R"), [(cc.LowPass, LOW), (cc.HighPass, HIGH)])
def test_the_limit_of_the_learning_rate_is_a_formula(circuit, R: float):
    limit = 4 * math.log(1e6) * R**2
    exact = cc.fit(circuit(R=1.2 * R), cc.simulate(circuit(R=R), EVEN), coordinates="linear")
    assert exact.convergence().stable_lr() == pytest.approx(limit, rel=1e-3)
    in_logarithms = cc.fit(circuit(R=1.2 * R), cc.simulate(circuit(R=R), EVEN))
    assert in_logarithms.convergence().stable_lr() == pytest.approx(4 * math.log(1e6), rel=1e-3)
    data = cc.simulate(circuit(R=R), EVEN[::10])
    calm = descend(circuit(R=1.1 * R), data, losses.Magnitude(), 0.9 * limit, steps=500)
    wild = descend(circuit(R=1.1 * R), data, losses.Magnitude(), 1.1 * limit, steps=500)
    assert calm.converged and not wild.converged


# the graph, by hand


def test_the_chain_rule_by_hand_is_autograd_and_stands_in_the_graph():
    R, C, tone = 500.0, 1e-6, 1000.0
    x = 2 * math.pi * tone * R * C
    h = math.hypot(x, 1)
    by_h = -1 / h**2
    by_x = by_h * x / h
    by_tau = by_x * 2 * math.pi * tone
    board = cc.LowPass(R=R)
    (by_R,) = torch.autograd.grad(board(tone), board.R)
    assert by_R.item() == pytest.approx(by_tau * C, rel=1e-14)
    dot = cc.draw_graph(board, tone, values=True, gradients=True).dot
    for number in (x, h, 1 / h, -by_h, -by_x, -by_tau):
        assert f"{number:.4g}" in dot, number


# tugs of war between lit and dark LEDs


def pulls(circuit) -> tuple[float, float, float]:
    """∫ over ln f of |H| s, and of s over lit and over dark tones, s being the size of d|H|/d ln R."""
    f = cc.log_grid(200_001, 1e-5, 1e11)
    share, jacobian = circuit.linearize(f, "magnitude", ["R"])
    s = (jacobian[0] * circuit.R.detach()).abs()
    lit = (share > HALF).to(s)
    return tuple(torch.trapezoid(part, f.log()).item() for part in (share * s, lit * s, (1 - lit) * s))


@pytest.mark.parametrize("circuit", [cc.LowPass(R=LOW), cc.HighPass(R=HIGH)])
def test_the_integrals_of_the_tug_of_war(circuit):
    total, lit, dark = pulls(circuit)
    assert total == pytest.approx(0.5, abs=1e-4)
    assert lit == pytest.approx(1 - HALF, abs=1e-4)
    assert dark == pytest.approx(HALF, abs=1e-4)
    assert (total - lit) / dark == pytest.approx(1 - HALF, abs=3e-4)


@pytest.mark.parametrize(("circuit", "R", "side"), [(cc.LowPass, LOW, 1), (cc.HighPass, HIGH, -1)])
@pytest.mark.parametrize(("threshold", "off"), [(HALF, 0.0), (HALF, 0.1), (HALF, 0.3), (0.6, 1 / 6), (0.5, 0.0)])
def test_the_model_stands_at_one_half_over_one_minus_off_where_the_led_goes_out(circuit, R, side, threshold, off):
    """m₀ = 1/(2(1 − off)) there, whatever the threshold; with off = 1 − 1/(2·threshold) it is the threshold."""
    seen = cc.Measurements(EVEN, "led", (circuit(R=R)(EVEN) > threshold).detach().double())
    found = cc.fit(circuit(R=500.0), seen, losses.ShiftedMSE(off=off)).values["R"].item()
    x_model, x_led = (math.sqrt(m**-2 - 1) for m in (1 / (2 * (1 - off)), threshold))
    assert found / R == pytest.approx((x_model / x_led) ** side, rel=0.004)


@pytest.mark.parametrize(
    ("circuit", "R", "off", "published"),
    [(cc.LowPass, LOW, 0.0, (324, 344)), (cc.LowPass, LOW, 0.3, (189, 202)), (cc.HighPass, HIGH, 0.3, (31, 34))],
)
def test_the_published_leds_lie_within_what_chance_does_to_forty_draws(circuit, R, off, published):
    seen = cc.simulate(circuit(R=[R] * 40), DRAWS, "led")
    found = cc.fit(circuit(R=[500.0] * 40), seen, losses.ShiftedMSE(off=off)).values["R"]
    assert found.min() < published[0] < published[1] < found.max()
    assert found.std() / found.mean() == pytest.approx(0.055, abs=0.02)


def test_the_likelihood_is_seven_times_closer_than_the_balance():
    seen = cc.simulate(cc.LowPass(R=[LOW] * 40), DRAWS, "led")

    def median_error(loss) -> float:
        return (cc.fit(cc.LowPass(R=[500.0] * 40), seen, loss).values["R"] / LOW - 1).abs().median().item()

    balanced, likely = median_error(losses.ShiftedMSE()), median_error(losses.LogisticLed())
    assert balanced == pytest.approx(0.035, abs=0.01)
    assert likely == pytest.approx(0.005, abs=0.002)


@pytest.mark.parametrize("count", [100, 1000])
def test_an_interval_is_two_gaps_wide_on_average(count: int):
    """The gap that holds a given point is on average twice as wide as the average gap."""
    f = torch.stack([cc.tones(count, seed=1000 + seed) for seed in range(80)])
    seen = cc.simulate(cc.LowPass(R=[LOW] * 80), f, "led")
    ends = cc.fit(cc.LowPass(R=[500.0] * 80), seen, history=False).intervals["R"]
    assert (ends[:, 1] / ends[:, 0]).log().mean().item() == pytest.approx(2 * math.log(1e6) / count, rel=0.3)


# the band-pass


def test_the_band_pass_from_near_and_from_afar():
    """The published 56,271 steps of 1000 from 900 Ω are here 5,627 of 10,000."""
    seen = cc.simulate(cc.BandPass(*BAND), F, "led")
    near = descend(cc.BandPass(200.0, 200.0), seen, losses.ShiftedMSE(off=0.3), 10_000.0)
    far = descend(cc.BandPass(900.0, 900.0), seen, losses.ShiftedMSE(off=0.3), 10_000.0)
    for name in ("R_low", "R_high"):
        assert far.values[name].item() == pytest.approx(near.values[name].item(), rel=1e-4)
    assert 10 * far.steps == pytest.approx(56_271, rel=0.25)
    assert far.steps > 9 * near.steps


def test_the_plain_far_away_is_flat():
    seen = cc.simulate(cc.BandPass(*BAND), F, "led")

    def slopes(start: float) -> Tensor:
        board = cc.BandPass(start, start)
        assert start < 500 or not (board(F) > HALF).any()
        loss = losses.ShiftedMSE(off=0.3)(board(F), seen.values)
        return torch.stack(torch.autograd.grad(loss, [board.R_low, board.R_high]))

    near, far, farther, farthest = (slopes(start) for start in (200.0, 900.0, 5000.0, 50_000.0))
    assert near.norm() > 10 * far.norm() > 100 * farther.norm()
    assert farthest[0] < 0 < farther[0] and farthest[0].abs() < 1e-7  # uphill, away from 40 Ω


def test_published_band_passes_lie_within_what_chance_does():
    seen = cc.simulate(cc.BandPass(*([R] * 40 for R in BAND)), DRAWS, "led")
    found = cc.fit(cc.BandPass([100.0] * 40, [100.0] * 40), seen, losses.ShiftedMSE(off=0.3)).values
    for name, low, high in (("R_low", 36, 41), ("R_high", 137, 150)):
        assert found[name].min() < low < high < found[name].max()


@pytest.mark.parametrize(
    ("ratio", "errors"), [(2.5, (0.364, -0.261)), (4.0, (0.021, -0.0165)), (10.0, (-0.006, 0.012))]
)
def test_no_dark_target_serves_every_band_pass_and_a_likelihood_does(ratio: float, errors: tuple[float, float]):
    truth = [1 / (2e-6 * math.pi * f) for f in (2000 * ratio**0.5, 2000 / ratio**0.5)]
    seen = cc.simulate(cc.BandPass(*truth), EVEN, "led")
    for loss, expected in ((losses.ShiftedMSE(), errors), (losses.LogisticLed(), (0.0, 0.0))):
        found = cc.fit(cc.BandPass(*truth), seen, loss).values
        for name, R, error in zip(("R_low", "R_high"), truth, expected, strict=True):
            assert found[name].item() / R - 1 == pytest.approx(error, abs=0.002)


def test_a_bode_elbow_rests_where_the_residuals_beyond_it_add_up_to_nothing():
    levels = cc.simulate(cc.BandPass(*BAND), cc.log_grid(4001, 1.0, 1e6), "decibels")
    lines = cc.fit(cc.BodeBandPass(100.0, 1e4), levels)

    def beyond(plot, elbow: float) -> float:
        return (plot.decibels(levels.f).detach() - levels.values)[levels.f > elbow].mean().item()

    too_high = beyond(cc.BodeBandPass(4000.0, 1000.0), 4000.0)
    assert too_high == pytest.approx(0.347, abs=0.001)
    assert 4000 * 10 ** (-too_high / 20) == pytest.approx(3843, abs=1)
    assert abs(beyond(lines.circuit, lines.values["f_low"].item())) < 1e-3


# the whole organ


def organ(low: float, band: tuple[float, float], high: float, boards: int | None = None) -> cc.ColorOrgan:
    many = (lambda R: R) if boards is None else (lambda R: [R] * boards)
    return cc.ColorOrgan(many(low), (many(band[0]), many(band[1])), many(high))


def test_the_classroom_stops_before_the_high_pass_arrives():
    """Published: 200, 36, 202 and 46 Ω. The walk passes there at step 4,500, where a step hardly changes the loss."""
    seen = cc.simulate(organ(LOW, BAND, HIGH), F, "led")
    loss = losses.ShiftedMSE(off=0.3)
    start = organ(200.0, (200.0, 200.0), 200.0)
    walk = descend(start, seen, loss, 500.0, steps=4600).history
    low, band_low, band_high, high = walk.values[4600, 0].tolist()
    assert (low, band_high, high) == pytest.approx((200, 202, 46), rel=0.02)
    assert 36 < band_low < 45
    assert 0 < walk.loss[4599, 0] - walk.loss[4600, 0] < 3e-6
    tenfold = descend(organ(200.0, (200.0, 200.0), 200.0), seen, loss, 5000.0)
    torch.testing.assert_close(tenfold.history.values[460, 0], walk.values[4600, 0], rtol=0.01, atol=0)
    assert tenfold.converged and tenfold.values["high.R"].item() == pytest.approx(34.4, abs=0.1)


def test_the_likelihood_over_sixty_draws():
    f = torch.stack([cc.tones(1000, seed=seed) for seed in range(60)])
    seen = cc.simulate(organ(LOW, BAND, HIGH, 60), f, "led")

    def left(loss) -> tuple[Tensor, int]:
        found = cc.fit(organ(500.0, (500.0, 500.0), 500.0, 60), seen, loss)
        truth = torch.tensor([LOW, *BAND, HIGH], dtype=torch.float64)
        errors = (torch.stack([found.values[name] for name in found.names], -1) / truth - 1).abs()
        return errors, int((~losses.LogisticLed().explained(found.circuit(f), seen.values)).sum())

    errors, wrong = left(losses.LogisticLed())
    assert wrong == 0
    assert errors.median(0).values.min() > 0.003 and errors.median(0).values.max() < 0.007
    assert errors.quantile(0.95) < 0.024 and errors.max() < 0.049
    assert 0 < left(losses.LogisticLed(sharpness=300.0))[1] < 30  # of 180,000
