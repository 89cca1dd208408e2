"""Sums, weights, priors, stages and sigma: what a combination knows about its parts."""

from __future__ import annotations

import math

import pytest
import torch

from losses import (
    SHARPENING,
    Cauchy,
    HingeLed,
    Huber,
    LogisticLed,
    Loss,
    LossError,
    Magnitude,
    Prior,
    Scaled,
    ShiftedMSE,
    Squared,
    Sum,
)

P, T = torch.rand((2, 9), generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.1
C = Prior({"C": 1e-6}, 0.05)


def test_a_sum_adds_and_a_weight_multiplies():
    loss = 2 * Magnitude() + Huber(Magnitude(), 0.1) * 0.5
    expected = 2 * Magnitude()(P, T) + 0.5 * Huber(Magnitude(), 0.1)(P, T)
    torch.testing.assert_close(loss(P, T), expected, rtol=1e-14, atol=0)
    torch.testing.assert_close(loss.pointwise(P, T).mean(), expected, rtol=1e-14, atol=0)
    d, c = loss.quadratic(P, T)
    dh, ch = Huber(Magnitude(), 0.1).quadratic(P, T)
    torch.testing.assert_close(d, 4 * (P - T) + 0.5 * dh, rtol=1e-14, atol=0)
    torch.testing.assert_close(c, 4 + 0.5 * ch, rtol=1e-14, atol=0)


def test_sum_of_a_list():
    loss = sum([Magnitude(), Magnitude(), C])
    assert isinstance(loss, Loss) and loss(P, T) == 2 * Magnitude()(P, T) and loss.priors == (C,)
    assert sum([Magnitude()]).priors == ()
    assert sum([C, Prior({"R": 10.0}, 0.1), Magnitude()]).priors[0] is C


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (Magnitude(), "Magnitude()"),
        (Magnitude(sigma=0.01) + C, "Magnitude(sigma=0.01) + Prior(C=1e-06 ± 5%)"),
        (2 * (Magnitude() + C), "2 * Magnitude() + Prior(C=1e-06 ± 3.53553%)"),
        (2 * (3 * Magnitude()), "6 * Magnitude()"),
        (1 * Magnitude(), "Magnitude()"),
        (Magnitude(weights=torch.ones(3, 4)), "Magnitude(weights=<3×4 values>)"),
        (LogisticLed(), "LogisticLed()"),
        (
            LogisticLed(0.5, 80) + ShiftedMSE(0.3),
            "LogisticLed(threshold=0.5, sharpness=80) + ShiftedMSE(off=0.3)",
        ),
        (Cauchy(Magnitude(), 2), "Cauchy(Magnitude(), scale=2)"),
        (Prior({"R": torch.ones(3)}, 0.1), "Prior(R=<3 values> ± 10%)"),
    ],
    ids=str,
)
def test_it_reads_as_it_is_written(loss, text):
    assert repr(loss) == text


@pytest.mark.parametrize(
    ("loss", "quantity", "deviance", "gauss_newton", "priors"),
    [
        (Squared(), None, 1.0, True, 0),
        (Magnitude() + C, "magnitude", 1.0, True, 1),
        (C + Magnitude() + Prior({"R": 1.0}, 0.1), "magnitude", 1.0, True, 2),
        (2 * Magnitude() + C, "magnitude", None, True, 1),
        (Magnitude() + Squared(), "magnitude", None, True, 0),
        (LogisticLed() + C, "led", 2.0, True, 1),
        (LogisticLed() + HingeLed(), "led", None, False, 0),
        (ShiftedMSE(), "led", None, True, 0),
        (Huber(Magnitude(), 1.0), "magnitude", None, True, 0),
        (Magnitude(weights=2.0), "magnitude", 1.0, True, 0),
    ],
    ids=repr,
)
def test_what_a_loss_declares(loss, quantity, deviance, gauss_newton, priors):
    assert (loss.quantity, loss.deviance, loss.gauss_newton, len(loss.priors)) == (
        quantity,
        deviance,
        gauss_newton,
        priors,
    )


def test_stages_sharpen_and_walk_together():
    sharpened = [stage.sharpness for stage in LogisticLed().stages()]
    assert sharpened == list(SHARPENING) == [5, 20, 80, 300, 1000, 3000]
    assert LogisticLed()(P, T > 0.5) == LogisticLed(sharpness=5.0)(P, T > 0.5)
    assert all(stage.threshold == 0.4 for stage in LogisticLed(threshold=0.4).stages())
    for loss in (
        Magnitude(),
        Magnitude() + C,
        2 * Magnitude(),
        LogisticLed(sharpness=7),
        Huber(Magnitude(), 1),
    ):
        assert loss.stages() == (loss,)
    stages = (0.5 * LogisticLed() + ShiftedMSE() + C).stages()
    assert len(stages) == 6 and all(stage.priors == (C,) for stage in stages)
    assert [repr(stage) for stage in stages[:2]] == [
        f"0.5 * LogisticLed(sharpness={k}) + ShiftedMSE() + Prior(C=1e-06 ± 5%)" for k in (5, 20)
    ]
    assert stages[0](P, (T > 0.5).double()) != stages[5](P, (T > 0.5).double())


def test_sigma_from_the_data_is_used_by_whoever_has_none():
    sigma = torch.full((9,), 0.1, dtype=torch.float64)
    fresh = Magnitude()
    known = fresh.with_sigma(sigma)
    assert torch.equal(known.sigma, sigma) and fresh.sigma is None
    assert fresh(P, T) == Squared()(P, T), "the first is left as it was"
    torch.testing.assert_close(known(P, T), 100 * fresh(P, T), rtol=1e-12, atol=0)
    assert Magnitude(sigma=0.5).with_sigma(sigma).sigma == 0.5
    assert Magnitude(weights=0.5).with_sigma(sigma).sigma is None
    assert Magnitude().with_sigma(None).sigma is None
    for loss in (ShiftedMSE(), LogisticLed(), HingeLed()):
        assert loss.with_sigma(sigma) is loss and loss.sigma is None


def test_sigma_reaches_the_parts_of_a_combination():
    for loss in (2 * Magnitude(), Magnitude() + C, Huber(Magnitude(), 1.0), Cauchy(Squared(), 1.0)):
        known = loss.with_sigma(0.1)
        assert known.sigma == 0.1 and loss.sigma is None
        assert repr(known).replace("sigma=0.1", "") == repr(loss)
        assert known.priors == loss.priors and known(P, T) != loss(P, T)
    assert (Magnitude(sigma=0.1) + Magnitude(sigma=0.2)).sigma is None


def test_terms_are_the_losses_beneath():
    led, mse = LogisticLed(), ShiftedMSE()
    assert (2 * led + mse + C).terms() == (led, mse) and led.terms() == (led,)


def test_prior_is_a_normal_distribution_of_the_logarithm():
    prior = Prior({"C": 1e-6, "band.R_low": 40.0}, {"C": 0.05, "band.R_low": 0.2})
    values = {"C": torch.tensor(1.1e-6), "band.R_low": torch.tensor([39.0, 41.0]), "R": torch.tensor(1.0)}
    residuals = prior.residuals(values)
    assert set(residuals) == {"C", "band.R_low"}
    assert residuals["C"].item() == pytest.approx(math.log(1.1) / 0.05, rel=1e-5)
    expected = (math.log(1.1) / 0.05) ** 2 + sum((math.log(r / 40) / 0.2) ** 2 for r in (39, 41))
    assert prior(values).item() == pytest.approx(expected, rel=1e-5)
    nominal, value = torch.tensor(40.0).double(), torch.tensor(47.0).double()
    normal = torch.distributions.Normal(nominal.log(), 0.2)
    drop = -2 * (normal.log_prob(value.log()) - normal.log_prob(nominal.log()))
    assert Prior({"R": 40.0}, 0.2)({"R": value}).item() == pytest.approx(drop.item(), rel=1e-12)


def test_prior_keeps_precision_takes_boards_and_differentiates():
    boards = Prior({"R": torch.tensor([10.0, 20.0], dtype=torch.float64)}, 0.1)
    assert boards({"R": torch.tensor([10.0, 20.0])}).dtype == torch.float32
    assert boards({"R": torch.tensor([10.0, 20.0])}) == 0
    value = torch.tensor([11.0, 19.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda r: boards({"R": r}), (value,))
    single = Prior({"R": 10.0}, 0.1)
    each = torch.func.vmap(lambda r: single({"R": r}))(value.detach())
    assert each.tolist() == [single({"R": r}).item() for r in value.detach()]


def test_a_weight_on_a_prior_is_a_weight():
    value = {"C": torch.tensor(1.2e-6, dtype=torch.float64)}
    assert (3 * C)(value).item() == pytest.approx(3 * C(value).item(), rel=1e-12)
    assert (3 * (Magnitude() + C)).priors[0](value).item() == pytest.approx(3 * C(value).item(), rel=1e-12)


def test_a_loss_that_brings_its_own_prior_keeps_it():
    value = {"C": torch.tensor(1.2e-6, dtype=torch.float64)}
    (prior,) = (Scaled(Magnitude() + C, 2.0) + Magnitude()).priors
    assert prior(value).item() == pytest.approx(2 * C(value).item(), rel=1e-12)


def test_priors_alone_are_no_loss():
    with pytest.raises(LossError, match="compares nothing with the data; add a loss"):
        Sum(C, C)(P, T)
