"""The value of every loss against a closed form, NumPy, or the loss of torch that says the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from losses import (
    HALF_POWER,
    Cauchy,
    Complex,
    Decibel,
    HingeLed,
    Huber,
    LogisticLed,
    Magnitude,
    Phase,
    Relative,
    ShiftedMSE,
    Squared,
)

GENERATOR = torch.Generator().manual_seed(1)
P, T = torch.rand((2, 50), generator=GENERATOR, dtype=torch.float64) + 0.01
LIT = (T > 0.5).double()
U = torch.log(P / HALF_POWER)


def close(given, expected, tolerance=1e-12):
    torch.testing.assert_close(given, torch.as_tensor(expected, dtype=given.dtype), rtol=tolerance, atol=1e-15)


@pytest.mark.parametrize("kind", [Squared, Magnitude, Decibel])
def test_least_squares_is_what_torch_calls_mse(kind):
    close(kind()(P, T), torch.nn.MSELoss()(P, T))
    sigma = 0.1 + T
    close(kind(sigma=sigma).pointwise(P, T), (P.numpy() - T.numpy()) ** 2 / sigma.numpy() ** 2)
    close(kind(weights=T).pointwise(P, T), T.numpy() * (P.numpy() - T.numpy()) ** 2)


def test_residuals_square_to_the_loss():
    sigma = 0.1 + T
    for loss in (Magnitude(), Magnitude(sigma=sigma), Magnitude(weights=2.0), Phase(sigma=3.0)):
        close(loss.residuals(P, T).square(), loss.pointwise(P, T))
    z, y = torch.polar(P, 9 * T), torch.polar(T, 5 * P)
    loss = Complex(sigma=sigma)
    assert loss.residuals(z, y).is_complex()
    close(loss.residuals(z, y).abs().square(), loss.pointwise(z, y))


def test_complex_is_the_squared_distance():
    z, y = torch.polar(P, 9 * T), torch.polar(T, 5 * P)
    close(Complex(sigma=0.5).pointwise(z, y), np.abs(z.numpy() - y.numpy()) ** 2 / 0.25)


def test_relative_is_the_squared_distance_by_the_modulus_of_what_was_measured():
    z, y = torch.polar(P, 9 * T), torch.polar(T, 5 * P)
    close(Relative().pointwise(z, y), np.abs(z.numpy() - y.numpy()) ** 2 / np.abs(y.numpy()) ** 2)
    close(Relative().pointwise(z * y, y), np.abs(z.numpy() - 1) ** 2)
    weighed = Complex(sigma=0.02 * y.abs())
    close(Relative(sigma=0.02).pointwise(z, y), weighed.pointwise(z, y))
    for mine, theirs in zip(Relative(sigma=0.02).quadratic(z, y), weighed.quadratic(z, y), strict=True):
        close(mine, theirs)


def test_relative_ignores_a_target_of_zero_and_yields_to_a_sigma_that_was_measured():
    z, y = torch.tensor([1.0 + 1.0j, 3.0 + 0.0j]), torch.tensor([0.0j, 2.0 + 0.0j])
    assert Relative().pointwise(z, y).tolist() == [0.0, 0.25]
    assert all(torch.isfinite(part).all() for part in Relative().quadratic(z, y))
    assert repr(Relative().with_sigma(0.5)) == "Complex(sigma=0.5)"
    assert repr(Relative(sigma=0.01).with_sigma(0.5)) == "Relative(sigma=0.01)"


@pytest.mark.parametrize(
    ("prediction", "target", "difference"),
    [
        (10.0, 350.0, 20.0),
        (350.0, 10.0, -20.0),
        (-179.0, 179.0, 2.0),
        (90.0, -90.0, -180.0),
        (-90.0, 90.0, -180.0),
        (725.0, 0.0, 5.0),
        (0.0, 1085.0, -5.0),
        (0.0, 0.0, 0.0),
        (1e-13, 0.0, 1e-13),
    ],
)
def test_phase_goes_the_short_way_round(prediction, target, difference):
    p, t = torch.tensor([prediction], dtype=torch.float64), torch.tensor([target], dtype=torch.float64)
    assert Phase().residuals(p, t).item() == difference
    assert Phase().quadratic(p, t)[0].item() == 2 * difference


def test_gaussian_likelihood_is_the_deviance():
    sigma = 0.1 + T
    loss = Magnitude(sigma=sigma)
    log_density = torch.distributions.Normal(P, sigma).log_prob(T)
    constant = -2 * torch.distributions.Normal(T, sigma).log_prob(T)
    close(loss.deviance * loss.pointwise(P, T) + constant, -2 * log_density)


@pytest.mark.parametrize("k", [0.5, 5.0, 80.0])
def test_logistic_led_is_what_torch_calls_bce_with_logits(k):
    loss = LogisticLed(sharpness=k)
    expected = functional.binary_cross_entropy_with_logits(k * U, LIT, reduction="none")
    torch.testing.assert_close(loss.pointwise(P, LIT), expected, rtol=1e-12, atol=1e-14)
    on, off = P**k, HALF_POWER**k
    likelihood = torch.where(LIT > 0, on, off) / (on + off)
    torch.testing.assert_close(
        loss.deviance * loss.pointwise(P, LIT), -2 * torch.log(likelihood), rtol=1e-10, atol=1e-13
    )


@pytest.mark.parametrize("k", [0.5, 5.0, 80.0])
def test_logistic_curvature_is_the_exact_gauss_newton_one(k):
    # The loss is convex in u, and u is the inner function: c = (∂u/∂p)² · ∂²loss/∂u².
    loss = LogisticLed(sharpness=k)
    u = U.clone().requires_grad_()
    outer = functional.binary_cross_entropy_with_logits(k * u, LIT, reduction="sum")
    (first,) = torch.autograd.grad(outer, u, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), u)
    c = loss.quadratic(P, LIT)[1] * P**2 / k**2
    torch.testing.assert_close(c, second / k**2, rtol=1e-12, atol=1e-15)
    # Fisher's information, the mean of d² over both states, is the same number.
    s = torch.sigmoid(k * U)
    information = (
        s * loss.quadratic(P, torch.ones_like(P))[0] ** 2 + (1 - s) * loss.quadratic(P, torch.zeros_like(P))[0] ** 2
    )
    torch.testing.assert_close(c, information * P**2 / k**2, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("loss", [Squared(), Magnitude(sigma=0.3), Decibel(weights=T), ShiftedMSE()], ids=repr)
def test_least_squares_curvature_is_the_exact_second_derivative(loss):
    target = LIT if loss.quantity == "led" else T
    p = P.clone().requires_grad_()
    (first,) = torch.autograd.grad(loss.pointwise(p, target).sum(), p, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), p)
    close(second, torch.as_tensor(loss.quadratic(P, target)[1]).expand_as(second))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("k", [None, 5.0, 3000.0])
@pytest.mark.parametrize("magnitude", [0.0, 1e-300, 1e-40, 1e-10, HALF_POWER, 1.0, 1e6])
def test_logistic_led_is_finite_wherever_a_magnitude_can_be(dtype, k, magnitude):
    loss = LogisticLed(sharpness=k)
    target = torch.tensor([0.0, 1.0], dtype=dtype)
    p = torch.full((2,), magnitude, dtype=dtype, requires_grad=True)
    value = loss(p, target)
    (gradient,) = torch.autograd.grad(value, p)
    d, c = loss.quadratic(p, target)
    for tensor in (value, gradient, d, c):
        assert torch.isfinite(tensor).all()
    assert gradient[0] >= 0 >= gradient[1], "lit pulls up, dark pulls down"


def test_lifting_a_magnitude_off_zero_costs_no_digits():
    p = torch.logspace(-12, 3, 50, dtype=torch.float64)
    close(LogisticLed().log_ratio(p), np.log(p.numpy() / HALF_POWER), 1e-14)


def test_logistic_led_pulls_even_a_magnitude_of_zero():
    p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(LogisticLed()(p, torch.ones(1, dtype=torch.float64)), p)
    assert gradient < 0


def test_hinge_led_is_what_torch_calls_a_margin_ranking_loss():
    for margin in (0.0, 0.2):
        expected = functional.margin_ranking_loss(U, torch.zeros_like(U), 2 * LIT - 1, margin, reduction="none")
        close(HingeLed(margin=margin).pointwise(P, LIT), expected)


def test_hinge_led_without_margin_is_zero_exactly_when_all_is_explained():
    loss = HingeLed()
    assert loss(P, (P > HALF_POWER).double()) == 0
    assert ((loss.pointwise(P, LIT) == 0) == loss.explained(P, LIT)).all()


@pytest.mark.parametrize("delta", [0.05, 0.3, 2.0])
def test_huber_is_twice_what_torch_calls_huber(delta):
    close(Huber(Magnitude(), delta).pointwise(P, T), 2 * torch.nn.HuberLoss("none", delta=delta)(P, T))
    sigma = 0.1 + T
    scaled = 2 * torch.nn.HuberLoss("none", delta=delta)((P - T) / sigma, torch.zeros_like(P))
    close(Huber(Magnitude(sigma=sigma), delta).pointwise(P, T), scaled)


def test_cauchy_is_the_logarithm_of_the_square():
    s = 0.2
    close(Cauchy(Decibel(), s).pointwise(P, T), s**2 * np.log1p((P.numpy() - T.numpy()) ** 2 / s**2))


def test_robust_losses_are_least_squares_for_a_good_point_and_pull_less_on_a_bad_one():
    target = torch.zeros(2, dtype=torch.float64)
    prediction = torch.tensor([1e-4, 100.0], dtype=torch.float64)
    plain, _ = Magnitude().quadratic(prediction, target)
    huber, _ = Huber(Magnitude(), 1.0).quadratic(prediction, target)
    cauchy, _ = Cauchy(Magnitude(), 1.0).quadratic(prediction, target)
    close(huber, [plain[0].item(), 2.0])
    close(cauchy, [plain[0].item() / (1 + 1e-8), 200 / 10001])


@pytest.mark.parametrize("sigma", [None, 0.5])
def test_robust_curvature_is_reweighted_least_squares(sigma):
    # A weight of 1 up to delta and of delta/|r| beyond (Huber), of 1/(1 + r²/s²) everywhere (Cauchy).
    least_squares, r = Magnitude(sigma), (P - T) / (sigma or 1.0)
    scale = 2 / (sigma or 1.0) ** 2
    close(Huber(least_squares, 0.3).quadratic(P, T)[1], scale * torch.clamp(0.3 / r.abs(), max=1.0))
    close(Cauchy(least_squares, 0.3).quadratic(P, T)[1], scale / (1 + r**2 / 0.09))


def test_robust_gradients_are_finite_where_the_fit_is_perfect():
    for loss in (Huber(Magnitude(), 0.1), Cauchy(Magnitude(), 0.1), Huber(Complex(), 0.1)):
        p = torch.zeros(2, dtype=torch.complex128 if loss.quantity == "response" else torch.float64)
        p.requires_grad_()
        (first,) = torch.autograd.grad(loss(p, torch.zeros_like(p)), p, create_graph=True)
        (second,) = torch.autograd.grad(first.abs().square().sum(), p)
        assert (first == 0).all() and torch.isfinite(second.abs()).all()


def test_led_losses_say_what_they_explain():
    p = torch.tensor([0.8, 0.8, 0.6, 0.6, HALF_POWER, HALF_POWER, 0.95], dtype=torch.float64)
    t = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, math.nan], dtype=torch.float64)
    expected = [True, False, False, True, False, True, True]
    for loss in (ShiftedMSE(), LogisticLed(), HingeLed()):
        assert loss.explained(p, t).tolist() == expected
        assert ((loss.margins(p, t)[:4] > 0) == loss.explained(p, t)[:4]).all()
    assert LogisticLed(threshold=0.9).explained(p, t).tolist() == [
        False,
        True,
        False,
        True,
        False,
        True,
        True,
    ]
    close(LogisticLed(threshold=0.4).margins(p[:2], t[:2]), [math.log(2), -math.log(2)])


LN_X = torch.linspace(-18, 18, 400_000, dtype=torch.float64)
STEP = (LN_X[1] - LN_X[0]).item()
X = torch.exp(LN_X)
LOW = torch.rsqrt(1 + X**2)


def test_the_integrals_that_make_the_balanced_target():
    slope = X**2 * LOW**3  # −∂|H|/∂ln x of a low-pass
    lit = LOW > HALF_POWER
    assert (X**2 * LOW**4).sum().item() * STEP == pytest.approx(0.5, abs=1e-6)
    assert slope[lit].sum().item() * STEP == pytest.approx(1 - HALF_POWER, abs=1e-4)
    assert slope[~lit].sum().item() * STEP == pytest.approx(HALF_POWER, abs=1e-4)


@pytest.mark.parametrize(
    ("filter_", "off", "ratio"),
    [
        ("low", 1 - HALF_POWER, 1.0),
        ("high", 1 - HALF_POWER, 1.0),
        ("low", 0.0, math.sqrt(3)),
        ("high", 0.0, 1 / math.sqrt(3)),
    ],
)
def test_shifted_mse_is_balanced_where_theory_says(filter_, off, ratio):
    loss, ln_ratio = ShiftedMSE(off=off), math.log(ratio)
    lit = ((LOW > HALF_POWER) if filter_ == "low" else (X > 1)).double()

    def push(ln_r):
        ln_r = torch.tensor(ln_r, dtype=torch.float64, requires_grad=True)
        low = torch.rsqrt(1 + torch.exp(2 * (LN_X + ln_r)))
        magnitude = low if filter_ == "low" else torch.exp(LN_X + ln_r) * low
        return torch.autograd.grad(loss(magnitude, lit), ln_r)[0].item()

    scale = abs(push(ln_ratio + 0.5))
    assert abs(push(ln_ratio)) < 1e-4 * scale, "balanced there"
    assert push(ln_ratio - 0.01) < 0 < push(ln_ratio + 0.01), "and it is a minimum"
