"""The comparator: a true 0/1 value, and a slope that is that of its mean under jitter, exact or sampled."""

from __future__ import annotations

import math

import pytest
import torch

from losses import HALF_POWER, HardLed

P = torch.tensor([0.2, 0.5, 0.68, 0.72, 0.9, 1.0], dtype=torch.float64).repeat(2)
LIT = torch.tensor([0.0, 1.0], dtype=torch.float64).repeat_interleave(6)


def slope_of(loss):
    p = P.clone().requires_grad_()
    return torch.autograd.grad(loss.pointwise(p, LIT).sum(), p)[0]


def slope_of_expectation(loss):
    p = P.clone().requires_grad_()
    return torch.autograd.grad(loss.expectation(p, LIT).sum(), p)[0]


def test_the_value_is_the_error_of_the_comparator():
    wrong = ((P > HALF_POWER) != (LIT > 0)).double()
    for loss in (HardLed(), HardLed(samples=3), HardLed(spread=5.0)):
        assert loss.pointwise(P, LIT).tolist() == wrong.tolist()
        assert loss(P, LIT) == wrong.mean()
    at = torch.tensor([HALF_POWER], dtype=torch.float64)
    assert HardLed()(at, torch.zeros_like(at)) == 0 and HardLed()(at, torch.ones_like(at)) == 1


@pytest.mark.parametrize("spread", [0.05, 0.3, 2.0])
def test_the_expectation_is_that_of_gaussian_jitter(spread):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((200_000, 1), generator=generator, dtype=torch.float64)
    jittered = P * torch.exp(spread * noise)
    share = ((jittered > HALF_POWER) != (LIT > 0)).double().mean(0)
    torch.testing.assert_close(HardLed(spread=spread).expectation(P, LIT), share, rtol=0, atol=5e-3)


@pytest.mark.parametrize("spread", [0.05, 0.3, 2.0])
def test_the_closed_slope_is_the_derivative_of_the_expectation(spread):
    loss = HardLed(spread=spread)
    torch.testing.assert_close(slope_of(loss), slope_of_expectation(loss), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("spread", [0.1, 0.3])
def test_the_score_function_is_unbiased(spread):
    loss, calls = HardLed(spread=spread, samples=64, seed=3), 1500
    slopes = torch.stack([slope_of(loss) for _ in range(calls)])
    error = slopes.std(0) / math.sqrt(calls)
    exact = slope_of_expectation(loss)
    assert (((slopes.mean(0) - exact).abs() < 4.5 * error) | (exact.abs() < 1e-3)).all()
    assert (error < 0.02 * exact.abs().max()).all(), "tight enough to see a bias"


def test_the_baseline_reduces_the_variance():
    spread, samples, u = 0.3, 8, torch.log(P / HALF_POWER)
    noise = torch.randn((100_000, 1), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    plain = (((u + spread * noise > 0) != (LIT > 0)).double() * noise / spread / P).var(0) / samples
    loss = HardLed(spread=spread, samples=samples)
    with_baseline = torch.stack([slope_of(loss) for _ in range(2000)]).var(0)
    likely_wrong = loss.expectation(P, LIT) > 0.4
    assert likely_wrong.sum() >= 6 and (with_baseline[likely_wrong] < 0.7 * plain[likely_wrong]).all()


def test_samples_are_seeded_and_fresh():
    first, again, other = (HardLed(samples=8, seed=seed) for seed in (5, 5, 6))
    one, two = slope_of(first), slope_of(first)
    assert not torch.equal(one, two), "each call draws anew"
    assert torch.equal(one, slope_of(again)) and torch.equal(two, slope_of(again))
    assert not torch.equal(one, slope_of(other))
    before = torch.random.get_rng_state()
    slope_of(first)
    assert torch.equal(before, torch.random.get_rng_state()), "the generator of torch is left alone"


def test_descent_on_the_comparator_explains_every_led():
    ln_f = torch.linspace(math.log(1.0), math.log(1e6), 400, dtype=torch.float64)

    def magnitude(ln_r):
        return torch.rsqrt(1 + torch.exp(2 * (ln_f + ln_r + math.log(2 * math.pi * 1e-6))))

    target = (magnitude(math.log(198.944)) > HALF_POWER).double()
    for samples in (None, 16):
        ln_r = torch.tensor(math.log(2000.0), dtype=torch.float64, requires_grad=True)
        assert not HardLed().explained(magnitude(ln_r), target).all()
        for spread in (0.3, 0.1, 0.03, 0.01):
            loss = HardLed(spread=spread, samples=samples)
            for _ in range(100):
                (gradient,) = torch.autograd.grad(loss(magnitude(ln_r), target), ln_r)
                ln_r = (ln_r - 10 * spread * gradient).detach().requires_grad_()
        assert loss(magnitude(ln_r), target) == 0.0
