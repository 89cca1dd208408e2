"""Slopes where there are none: estimators against closed forms, and the fits that walk along them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import circuits as cc
import losses
from circuits.errors import OptionError, UnknownName
from circuits.fitting.estimators import (
    E12,
    E24,
    FiniteDifference,
    Levels,
    Reparameterised,
    ScoreFunction,
    StochasticRounding,
    StraightThrough,
    best_step,
    difference_error,
    objective_of,
    smoothed,
)
from circuits.fitting.methods.estimated_descent import EstimatedDescent
from circuits.fitting.setup import make_problem

MANY = 200_000
LEDS = cc.simulate(cc.LowPass(R=198.944), cc.tones(1000), "led")


class ZeroOne(losses.LedLoss):
    """The comparator as it is: no slope anywhere, not even a substitute."""

    def pointwise(self, prediction: Tensor, target: Tensor) -> Tensor:
        return (~self.explained(prediction, target)).to(prediction.dtype)


def place(value: float) -> Tensor:
    return torch.full((1, 1), value, dtype=torch.float64)


def phi(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def Phi(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))


# objective, its Gaussian smoothing, the slope of that, the mean of its own slope nearby
CLOSED = {
    "absolute": (
        lambda x: x[..., 0].abs(),
        lambda x, s: 2 * s * phi(x / s) + x * (2 * Phi(x / s) - 1),
        lambda x, s: 2 * Phi(x / s) - 1,
        lambda x, s: 2 * Phi(x / s) - 1,
    ),
    "square": (lambda x: x[..., 0] ** 2, lambda x, s: x * x + s * s, lambda x, s: 2 * x, lambda x, s: 2 * x),
    "step": (
        lambda x: (x[..., 0] > 0).double(),
        lambda x, s: Phi(x / s),
        lambda x, s: phi(x / s) / s,
        lambda x, s: 0.0,
    ),
    "cosine": (
        lambda x: torch.cos(3 * x[..., 0]),
        lambda x, s: math.exp(-4.5 * s * s) * math.cos(3 * x),
        lambda x, s: -3 * math.exp(-4.5 * s * s) * math.sin(3 * x),
        lambda x, s: -3 * math.exp(-4.5 * s * s) * math.sin(3 * x),
    ),
}


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize(("x", "sigma"), [(0.3, 0.5), (-0.7, 0.2), (0.1, 1.0)])
def test_smoothing_is_the_mean_under_gaussian_noise(name: str, x: float, sigma: float):
    objective, mean, _, _ = CLOSED[name]
    found = smoothed(objective, place(x).unsqueeze(0), sigma, samples=2**14).item()
    assert found == pytest.approx(mean(x, sigma), abs=2e-3)
    assert smoothed(objective, place(x).unsqueeze(0), 0.0).item() == objective(place(x)).item()


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("control", ["pairs", "baseline", "none"])
def test_the_score_function_has_the_slope_of_the_smoothed_objective_as_its_mean(name: str, control: str):
    objective, _, slope, _ = CLOSED[name]
    for x, sigma in ((0.3, 0.5), (-0.7, 0.2)):
        found = ScoreFunction(sigma, samples=MANY, control=control).gradient(objective, place(x)).item()
        assert found == pytest.approx(slope(x, sigma), abs=5 * 4.0 / math.sqrt(MANY) / sigma**0.5)


@pytest.mark.parametrize("name", CLOSED)
def test_the_reparameterised_estimator_has_the_mean_slope_which_is_nothing_for_a_step(name: str):
    objective, _, _, mean_slope = CLOSED[name]
    for x, sigma in ((0.3, 0.5), (-0.7, 0.2)):
        found = Reparameterised(sigma, samples=MANY).gradient(objective, place(x)).item()
        assert found == pytest.approx(mean_slope(x, sigma), abs=5 * 2.5 / math.sqrt(MANY) + 1e-12)
    if name == "step":
        assert found == 0.0


@pytest.mark.parametrize(
    ("estimator", "variance"),
    [  # of one estimate from n losses (slopes) of L = x² at x
        (
            lambda s, n, seed: ScoreFunction(s, n, seed, "none"),
            lambda x, s: (x**4 + 14 * x**2 * s**2 + 15 * s**4) / s**2,
        ),
        (lambda s, n, seed: ScoreFunction(s, n, seed, "pairs"), lambda x, s: 16 * x**2),
        (lambda s, n, seed: Reparameterised(s, n, seed), lambda x, s: 4 * s**2),
    ],
    ids=["score", "pairs", "reparameterised"],
)
@pytest.mark.parametrize("sigma", [0.3, 0.03])
def test_variances_are_those_of_the_closed_forms(estimator, variance, sigma: float):
    x, n = 0.7, 10
    drawn = [estimator(sigma, n, 7).gradient(CLOSED["square"][0], place(x), draw).item() for draw in range(4000)]
    found = torch.tensor(drawn, dtype=torch.float64)
    assert found.mean().item() == pytest.approx(2 * x, abs=5 * math.sqrt(variance(x, sigma) / n / len(drawn)))
    assert found.var().item() * n == pytest.approx(variance(x, sigma), rel=0.15)


def test_a_baseline_from_the_other_samples_has_no_bias_however_few_they_are():
    drawn = [
        ScoreFunction(0.3, 2, 3, "baseline").gradient(CLOSED["square"][0], place(0.7), i).item() for i in range(8000)
    ]
    found = torch.tensor(drawn, dtype=torch.float64)
    assert found.mean().item() == pytest.approx(1.4, abs=5 * found.std().item() / math.sqrt(len(drawn)))
    assert found.std().item() / math.sqrt(len(drawn)) < 0.05


def test_a_baseline_takes_away_what_all_losses_have_in_common():
    high = {c: ScoreFunction(0.1, 8, control=c).gradient(lambda x: x[..., 0] + 1e6, place(0.0)).item() for c in
            ("pairs", "baseline", "none")}  # fmt: skip
    low = {c: ScoreFunction(0.1, 8, control=c).gradient(lambda x: x[..., 0], place(0.0)).item() for c in high}
    assert high["pairs"] == pytest.approx(low["pairs"], abs=1e-6)
    assert high["baseline"] == pytest.approx(low["baseline"], abs=1e-6)
    assert abs(high["none"] - low["none"]) > 1e5


@pytest.mark.parametrize("h", [1.0, 0.1, 1e-3])
def test_a_central_difference_is_the_slope_of_the_mean_over_its_width(h: float):
    x = 0.4
    exact = -3 * math.sin(3 * x) * math.sin(3 * h) / (3 * h)
    assert FiniteDifference(h).gradient(CLOSED["cosine"][0], place(x)).item() == pytest.approx(exact, abs=1e-12)


def test_both_sides_of_the_error_of_a_difference():
    x = 0.4
    errors = {}
    for h in (1e-2, best_step(abs(math.cos(1.2)), 27 * math.sin(1.2)), 1e-10):
        found = FiniteDifference(h).gradient(CLOSED["cosine"][0], place(x)).item()
        truncation, rounding = difference_error(h, math.cos(3 * x), 27 * math.sin(3 * x))
        errors[h] = abs(found + 3 * math.sin(3 * x))
        assert errors[h] <= 1.01 * truncation + 4 * rounding
    wide, best, narrow = errors.values()
    assert wide == pytest.approx(difference_error(1e-2, 0, 27 * math.sin(1.2))[0], rel=1e-3)
    assert best < 1e-9 < narrow < wide
    for other in (0.3, 3.0):
        h = best_step(1.0, 1.0)
        assert sum(difference_error(h, 1.0, 1.0)) < sum(difference_error(other * h, 1.0, 1.0))


def test_smoothing_moves_the_minimum_and_the_more_the_wider_it_is():
    """x² + cos(3x + 1)/2: E is x² + σ² + exp(−9σ²/2) cos(3x + 1)/2, whose lowest point wanders to 0."""

    def objective(x: Tensor) -> Tensor:
        return x[..., 0] ** 2 + 0.5 * torch.cos(3 * x[..., 0] + 1)

    grid = torch.linspace(-2, 2, 4001, dtype=torch.float64).view(-1, 1, 1)
    lowest = []
    for sigma in (0.0, 0.3, 0.6, 1.2):
        found = grid[smoothed(objective, grid, sigma, samples=512).argmin()].item()
        exact = grid.flatten() ** 2 + 0.5 * math.exp(-4.5 * sigma**2) * torch.cos(3 * grid.flatten() + 1)
        assert found == pytest.approx(grid[exact.argmin()].item(), abs=0.02)
        lowest.append(abs(found))
    assert lowest == sorted(lowest, reverse=True) and lowest[0] > 0.45 and lowest[-1] < 0.05


def test_smoothing_moves_the_minimum_of_a_count_of_leds():
    """Tones to 2 kHz only: the count is |u| up to L = ln 2.5 and flat beyond, so that Φ((L−u)/σ) = 2Φ(−u/σ)."""
    f = cc.log_grid(1601, 1.0, 2000.0)
    data = cc.simulate(cc.LowPass(R=198.944), f, "led")
    problem = make_problem(cc.LowPass(R=198.944), data, ZeroOne())
    shift = torch.linspace(-0.2, 1.0, 121, dtype=torch.float64)
    places = (math.log(198.944) - shift).view(-1, 1, 1)
    length, moved = math.log(2000 / 800), []
    for sigma in (0.1, 0.5, 0.8):
        found = shift[smoothed(problem, places, sigma, samples=128).argmin()].item()
        low, high = -1.0, 3.0
        for _ in range(60):
            middle = (low + high) / 2
            rising = Phi((length - middle) / sigma) - 2 * Phi(-middle / sigma) > 0
            low, high = (low, middle) if rising else (middle, high)
        assert found == pytest.approx(low, abs=0.02)
        moved.append(found)
    assert moved[0] < 0.01 < moved[1] < moved[2]


def test_the_score_function_sees_a_hard_threshold_and_the_reparameterised_estimator_does_not():
    problem = make_problem(cc.LowPass(R=400.0), LEDS, ZeroOne())
    x = problem.start()
    # wrong are those between the corners, a share |ln 2|/ln 10⁶ of all; smoothed by σ ≪ ln 2, its slope is 1/ln 10⁶
    score = ScoreFunction(0.2, samples=4096).gradient(problem, x).item()
    assert score == pytest.approx(1 / math.log(1e6), rel=0.1)
    assert Reparameterised(0.2, samples=64).gradient(problem, x).item() == 0.0
    assert problem.gradient(x)[1].item() == 0.0
    assert FiniteDifference(1e-6).gradient(problem, x).item() == 0.0
    assert FiniteDifference(0.3).gradient(problem, x).item() == pytest.approx(1 / math.log(1e6), rel=0.1)


@pytest.mark.parametrize("control", ["pairs", "baseline"])
def test_a_hard_comparator_is_fitted_by_the_score_function(control: str):
    method = EstimatedDescent(lr=4.0, estimator=ScoreFunction(0.5, control=control), shrink=0.95)
    found = cc.fit(cc.LowPass(R=500.0), LEDS, ZeroOne(), method=method)
    assert found.loss == 0 and found.explains and found.reason == "step"
    assert found.values["R"].item() == pytest.approx(198.944, rel=0.02)


def test_the_reparameterised_walk_never_leaves_its_start_and_does_not_claim_to_have_arrived():
    method = EstimatedDescent(lr=4.0, estimator=Reparameterised(0.5, samples=4), shrink=0.95)
    found = cc.fit(cc.LowPass(R=500.0), LEDS, ZeroOne(), method=method, stop=cc.Stop(step=1e-4, steps=50))
    assert found.values["R"].item() == pytest.approx(500.0)
    assert not found.converged and found.reason == "steps" and found.misfit == "940 of 1000 LEDs explained"
    assert "depends on" not in str(found)  # the LEDs see R very well, though the loss has no slope


def test_several_starts_find_what_one_walk_misses():
    """A band-pass that is dark everywhere: nothing within reach lights an LED, and the walk stays on the plateau."""
    data = cc.simulate(cc.BandPass(R_low=39.789, R_high=159.155), cc.tones(300), "led")
    method = EstimatedDescent(lr=6.0, estimator=ScoreFunction(0.2, samples=16), shrink=0.93)
    one = cc.fit(cc.BandPass(R_low=3000.0, R_high=30.0), data, ZeroOne(), method=method)
    many = cc.fit(
        cc.BandPass(R_low=3000.0, R_high=30.0),
        data,
        ZeroOne(),
        method=method,
        starts=16,
        stop=cc.Stop(step=1e-3, steps=300),
    )
    assert one.loss > 0.05
    assert many.loss < 0.003
    assert many.values["R_low"].item() == pytest.approx(39.789, rel=0.05)


def test_boards_walk_as_they_would_alone_and_the_same_every_time():
    method = EstimatedDescent(lr=4.0, estimator=ScoreFunction(0.5, samples=16), shrink=0.95, momentum=0.5)
    stop = cc.Stop(steps=40)
    starts = [500.0, 90.0, 300.0]
    together = cc.fit(cc.LowPass(R=starts), LEDS, ZeroOne(), method=method, stop=stop)
    alone = [cc.fit(cc.LowPass(R=r), LEDS, ZeroOne(), method=method, stop=stop).values["R"].item() for r in starts]
    assert together.values["R"].tolist() == pytest.approx(alone, rel=1e-12)
    other = EstimatedDescent(lr=4.0, estimator=ScoreFunction(0.5, samples=16, seed=1), shrink=0.95, momentum=0.5)
    again = cc.fit(cc.LowPass(R=starts), LEDS, ZeroOne(), method=other, stop=stop)
    assert again.values["R"].tolist() != together.values["R"].tolist()


def test_on_a_smooth_loss_all_three_agree_with_autograd():
    data = cc.simulate(cc.BandPass(R_low=40.0, R_high=160.0), cc.log_grid(80, 10.0, 1e5))
    problem = make_problem(cc.BandPass(R_low=60.0, R_high=100.0), data)
    x = problem.start()
    exact = problem.gradient(x)[1]
    torch.testing.assert_close(FiniteDifference(1e-5).gradient(problem, x), exact, rtol=1e-7, atol=1e-10)
    for estimator in (ScoreFunction(1e-3, 4096), Reparameterised(1e-3, 64)):
        torch.testing.assert_close(estimator.gradient(problem, x), exact, rtol=0.1, atol=1e-4)


def test_a_plain_module_is_estimated_too_also_where_vmap_cannot_go():
    class Counts(nn.Module):
        def __init__(self, batchable: bool):
            super().__init__()
            self.w = nn.Parameter(torch.tensor([0.5, -0.25], dtype=torch.float64))
            self.batchable = batchable

        def forward(self, x: Tensor) -> Tensor:
            weight = self.w if self.batchable else self.w * float(self.w.detach()[0] < 100)
            return x @ weight

    x = torch.randn(30, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = []
    for batchable in (True, False):
        problem = make_problem(Counts(batchable), (x, x.sum(-1)))
        found.append(FiniteDifference(1e-4).gradient(problem, problem.start()))
        torch.testing.assert_close(found[-1], problem.gradient(problem.start())[1], rtol=1e-7, atol=1e-9)
    slopes = Reparameterised(1e-6, 4).gradient(problem, problem.start())
    torch.testing.assert_close(slopes, found[0], rtol=1e-4, atol=1e-6)


def test_batches_that_do_not_fit_into_memory_give_the_same(monkeypatch: pytest.MonkeyPatch):
    from circuits.fitting.estimators import objective

    data = cc.simulate(cc.LowPass(R=torch.tensor([200.0, 300.0, 400.0])), cc.log_grid(50, 10.0, 1e5))
    problem = make_problem(cc.LowPass(R=[500.0] * 3), data)
    places = problem.start() + torch.linspace(-1, 1, 7, dtype=torch.float64).view(-1, 1, 1)
    whole = objective_of(problem)(places)
    assert whole.shape == (7, 3)
    torch.testing.assert_close(whole[2], problem.losses(places[2]), rtol=1e-12, atol=0)
    monkeypatch.setattr(objective, "LARGEST", 200)
    torch.testing.assert_close(objective_of(problem)(places), whole, rtol=0, atol=0)


def test_levels_are_the_preferred_numbers_of_every_decade():
    values = torch.tensor([1e-9, 1.0, 1000.0, 999.999999999, 8.3, 195.0, 3.6e6], dtype=torch.float64)
    assert Levels().nearest(values).tolist() == pytest.approx([1e-9, 1.0, 1000.0, 1000.0, 8.2, 180.0, 3.9e6], rel=1e-12)
    assert Levels(E24).nearest(torch.tensor([199.0])).item() == 200.0
    low, high, share = Levels().around(torch.tensor([150.0, 195.0], dtype=torch.float64))
    assert (low.tolist(), high.tolist()) == ([150.0, 180.0], [180.0, 220.0])
    assert share.tolist() == pytest.approx([0.0, math.log(195 / 180) / math.log(220 / 180)])
    for number in E24:
        for power in (-9, -1, 0, 2, 6):
            near = torch.tensor([number * 10.0**power * 1.01], dtype=torch.float64)
            assert Levels(E24).nearest(near).item() == float(f"{number}e{power}")


def test_stochastic_rounding_has_the_slope_between_two_levels():
    data = cc.simulate(cc.LowPass(R=198.944), cc.log_grid(100, 10.0, 1e5))
    problem = make_problem(cc.LowPass(R=198.944), data)
    found = StochasticRounding().gradient(problem, problem.start()).item()
    ends = torch.tensor([180.0, 220.0], dtype=torch.float64).log()
    low, high = problem.losses(ends[:1].view(1, 1)).item(), problem.losses(ends[1:].view(1, 1)).item()
    assert found == pytest.approx((high - low) / (ends[1] - ends[0]).item(), rel=1e-9)


def test_stochastic_rounding_of_two_components_is_right_on_average():
    data = cc.simulate(cc.BandPass(R_low=40.0, R_high=160.0), cc.log_grid(60, 10.0, 1e5))
    problem = make_problem(cc.BandPass(R_low=44.0, R_high=130.0), data)
    x = problem.start()
    found = StochasticRounding(samples=20_000).gradient(problem, x)[0, 0].item()
    (low, high, _), (other_low, other_high, share) = (Levels().around(v) for v in torch.tensor([44.0, 130.0]).double())
    exact = 0.0
    for end, weight in ((other_low, 1 - share), (other_high, share)):
        pair = torch.stack([torch.stack([high, end]), torch.stack([low, end])]).log()
        both = [problem.losses(row.unsqueeze(0)).item() for row in pair]
        exact += float(weight) * (both[0] - both[1]) / float((high / low).log())
    assert found == pytest.approx(exact, rel=0.02)


def test_a_wide_score_function_looks_over_ripples_in_which_plain_descent_gets_stuck():
    """x²/20 + cos 3x, lowest where x/10 = 3 sin 3x next to ±π/3."""

    def ripples(x: Tensor) -> Tensor:
        return x[..., 0] ** 2 / 20 + torch.cos(3 * x[..., 0])

    lowest = math.pi / 3
    for _ in range(20):
        lowest -= (lowest / 10 - 3 * math.sin(3 * lowest)) / (0.1 - 9 * math.cos(3 * lowest))
    plain = wide = torch.linspace(-9, 9, 12, dtype=torch.float64).unsqueeze(1)
    slope, score = Reparameterised(sigma=1e-9, samples=1), ScoreFunction(sigma=2.0, samples=256)
    for step in range(300):
        plain = plain - 0.05 * slope.gradient(ripples, plain, step)
        wide = wide - 0.6 * 0.98**step * score.sharpened(0.98**step).gradient(ripples, wide, step)
    assert wide.abs().flatten().tolist() == pytest.approx([lowest] * 12, abs=0.01)
    assert len(set(plain.flatten().round(decimals=2).tolist())) == 10


def test_values_rounded_one_by_one_are_not_the_best_that_can_be_bought():
    data = cc.simulate(cc.LoadedBandPass(R_low=60.0, R_high=75.0), cc.log_grid(200, 10.0, 1e5))
    problem = make_problem(cc.LoadedBandPass(R_low=100.0, R_high=100.0), data)
    rounded = Levels().nearest(torch.tensor([[60.0, 75.0]], dtype=torch.float64))
    assert rounded.tolist() == [[56.0, 82.0]]
    levels = torch.tensor([n * d for d in (10.0, 100.0) for n in E12], dtype=torch.float64)
    pairs = torch.cartesian_prod(levels, levels)
    every = objective_of(problem)(pairs.log().unsqueeze(1)).flatten()
    assert pairs[every.argmin()].tolist() == [56.0, 68.0]
    assert problem.losses(rounded.log()).item() > 4.5 * every.min().item()
    walk = EstimatedDescent(lr=10.0, estimator=StraightThrough(), shrink=0.98)
    found = cc.fit(cc.LoadedBandPass(R_low=100.0, R_high=100.0), data, method=walk)
    assert found.loss == pytest.approx(every.min().item(), rel=1e-9)


@pytest.mark.parametrize("estimator", [StraightThrough(), StochasticRounding()], ids=["straight", "stochastic"])
def test_a_quantised_fit_ends_on_the_best_pair_of_preferred_values(estimator):
    data = cc.simulate(cc.BandPass(R_low=39.789, R_high=159.155), cc.tones(300))
    method = EstimatedDescent(lr=5.0, estimator=estimator, shrink=0.98)
    found = cc.fit(cc.BandPass(R_low=500.0, R_high=500.0), data, method=method)
    values = [found.values["R_low"].item(), found.values["R_high"].item()]
    assert values == pytest.approx([39.0, 150.0], rel=1e-9)
    levels = torch.tensor([n * d for d in (10.0, 100.0) for n in E12], dtype=torch.float64)
    places = torch.cartesian_prod(levels, levels).log().unsqueeze(1)
    exhaustive = objective_of(make_problem(cc.BandPass(R_low=1.0, R_high=1.0), data))(places)
    assert found.loss == pytest.approx(exhaustive.min().item(), rel=1e-9)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: ScoreFunction(0.0), OptionError),
        (lambda: ScoreFunction(samples=1), OptionError),
        (lambda: ScoreFunction(control="luck"), UnknownName),
        (lambda: Reparameterised(math.nan), OptionError),
        (lambda: FiniteDifference(-1.0), OptionError),
        (lambda: best_step(0.0, 1.0), OptionError),
        (lambda: Levels((1.0, 12.0)), OptionError),
        (lambda: Levels((2.0, 1.0)), OptionError),
        (lambda: smoothed(lambda x: x.sum(-1), place(0.0).unsqueeze(0), -1.0), OptionError),
        (lambda: EstimatedDescent(0.0, ScoreFunction()), OptionError),
        (lambda: EstimatedDescent(1.0, "score"), OptionError),
        (lambda: EstimatedDescent(1.0, ScoreFunction(), momentum=1.0), OptionError),
        (lambda: EstimatedDescent(1.0, ScoreFunction(), shrink=0.0), OptionError),
        (lambda: StochasticRounding(samples=0), OptionError),
        (lambda: StraightThrough().gradient(lambda x: x.sum(-1), place(1.0)), OptionError),
    ],
)
def test_settings_out_of_range_are_refused(make, error):
    with pytest.raises(error):
        make()


def test_negative_values_have_no_preferred_levels():
    layer = nn.Linear(1, 1).double()
    nn.init.constant_(layer.weight, -1.0)
    method = EstimatedDescent(1.0, StraightThrough())
    with pytest.raises(OptionError, match="not positive"):
        cc.fit(layer, (torch.ones(3, 1).double(), torch.ones(3, 1).double()), method=method)
