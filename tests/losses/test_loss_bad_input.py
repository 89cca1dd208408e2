"""Every bad input gets one clear LossError; and losses by name, and out of any function."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

import losses
from losses import (
    Cauchy,
    Complex,
    Decibel,
    HardLed,
    HingeLed,
    Huber,
    LogisticLed,
    LossError,
    Magnitude,
    Phase,
    Prior,
    Relative,
    Scalar,
    ShiftedMSE,
    Squared,
    as_loss,
    by_name,
)

P, T = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 5.0])
Z = torch.ones(3, dtype=torch.complex128)
NAN, INF = float("nan"), float("inf")

BAD = [
    (lambda: Magnitude(sigma=0.1, weights=1.0), "both sigma and weights are given; expected one"),
    (lambda: Magnitude(sigma=0.0), "sigma holds 0.0; expected finite numbers above 0"),
    (lambda: Magnitude(sigma=torch.tensor([1.0, -2.0])), "sigma holds -2.0"),
    (lambda: Decibel(sigma=[1.0, NAN]), "sigma holds nan"),
    (lambda: Decibel(sigma=INF), "sigma holds inf"),
    (lambda: Phase(sigma="wide"), "sigma is 'wide'; expected a number"),
    (lambda: Complex(sigma=Z), "sigma is complex; expected real"),
    (lambda: Squared(weights=-1.0), "weights holds -1.0; expected finite numbers of at least 0"),
    (lambda: Magnitude().with_sigma(-1.0), "sigma holds -1.0"),
    (lambda: ShiftedMSE(off=1.0), "off is 1.0; expected a finite number of at least 0 and below 1"),
    (lambda: ShiftedMSE(off=-0.1), "off is -0.1"),
    (lambda: ShiftedMSE(off=NAN), "off is nan"),
    (lambda: LogisticLed(threshold=0), "threshold is 0; expected a finite number above 0"),
    (lambda: LogisticLed(sharpness=-5), "sharpness is -5"),
    (lambda: LogisticLed(sharpness=INF), "sharpness is inf"),
    (lambda: LogisticLed(threshold="half"), "threshold is 'half'"),
    (lambda: HingeLed(margin=-1), "margin is -1"),
    (lambda: HardLed(spread=0), "spread is 0"),
    (lambda: HardLed(samples=1), "samples is 1; expected a whole number of at least 2"),
    (lambda: HardLed(samples=1.5), "samples is 1.5"),
    (lambda: Huber(Magnitude(), delta=0), "delta is 0; expected a finite number above 0"),
    (lambda: Cauchy(Magnitude(), scale=NAN), "scale is nan"),
    (
        lambda: Huber(LogisticLed(), 1.0),
        r"Huber wraps a least-squares loss, such as Magnitude\(\); given Logistic",
    ),
    (lambda: Cauchy(2, 1.0), "Cauchy wraps a least-squares loss"),
    (lambda: Prior({}, 0.1), "nominal is {}; expected values by component name"),
    (lambda: Prior(1e-6, 0.1), "nominal is 1e-06"),
    (lambda: Prior({"C": 0.0}, 0.1), "the nominal value of C is 0.0"),
    (lambda: Prior({"C": torch.tensor([1.0, -1.0])}, 0.1), "the nominal value of C holds -1.0"),
    (lambda: Prior({"C": 1.0}, 0.0), "the tolerance of C is 0.0"),
    (lambda: Prior({"C": 1.0}, "5%"), "the tolerance of C is '5%'"),
    (lambda: Prior({"C": 1.0, "R": 1.0}, {"C": 0.1}), "R is given a nominal value or a tolerance"),
    (lambda: Prior({"C": 1.0}, 0.1)({"R": P}), "the prior names 'C', no component here; known: R"),
    (lambda: Prior({"R": 1.0}, 0.1)({"R": 2.0}), "R is 2.0; expected a tensor"),
    (lambda: Prior({"R": 1.0}, 0.1)({"R": torch.tensor([1.0, -2.0])}), r"R is \[1.0, -2.0\].*above 0"),
    (lambda: Prior({"R": 1.0}, 0.1)({"R": torch.tensor(NAN)}), "R is nan"),
    (lambda: Magnitude() + Decibel(), r"Magnitude\(\) \+ Decibel\(\) mixes magnitude and decibels"),
    (lambda: Squared() + Magnitude() + LogisticLed(), "mixes magnitude and led"),
    (lambda: -1 * Magnitude(), "the weight of a loss is -1.0|the weight of a loss is -1;"),
    (lambda: 0 * Magnitude(), "the weight of a loss is 0"),
    (lambda: NAN * Prior({"C": 1.0}, 0.1), "the weight of a prior is nan"),
    (lambda: Magnitude()(P, T[:2]), r"the target has shape \(2,\), the prediction \(3,\)"),
    (lambda: Magnitude()(P, T[:, None]), r"the target has shape \(3, 1\), the prediction \(3,\)"),
    (lambda: Magnitude()(P[:, None], T), r"the target has shape \(3,\), the prediction \(3, 1\)"),
    (lambda: Magnitude()(Z, T), "Magnitude compares magnitude, a real number; the prediction is complex"),
    (lambda: LogisticLed()(Z, T), "LogisticLed compares led, a real number"),
    (lambda: Magnitude()([1.0], T), "the prediction of Magnitude is a list; expected a tensor"),
    (lambda: Magnitude()(P, 1.0), "the target of Magnitude is a float; expected a tensor"),
    (lambda: HingeLed().quadratic(P, T), r"HingeLed\(\) has no Gauss-Newton curvature; use a method"),
    (lambda: HardLed().quadratic(P, T), "has no Gauss-Newton curvature"),
    (
        lambda: by_name("magnitud"),
        "no loss 'magnitud'; known: squared, magnitude, decibel, complex, relative, phase, shifted",
    ),
    (lambda: as_loss(None), "the loss is None; expected one of losses"),
    (lambda: as_loss("magnitude"), "the loss is 'magnitude'"),
    (lambda: as_loss(Magnitude), r"the loss is the class Magnitude; expected an object, Magnitude\(\)"),
    (lambda: as_loss(Prior({"C": 1.0}, 0.1)), r"compares nothing with the data; add it to a loss"),
    (lambda: as_loss(nn.MSELoss(reduction="none")), "returns one number a point; expected a scalar"),
    (lambda: as_loss(nn.L1Loss(reduction="none")), "returns one number a point"),
    (
        lambda: Scalar(lambda p, t: p - t)(P, T),
        r"returned a tensor of shape \(3,\); expected one real number",
    ),
    (lambda: Scalar(lambda p, t: 1.0)(P, T), "returned 1.0; expected one real number"),
    (lambda: Scalar(nn.L1Loss()).pointwise(P, T), "does not say what one point costs"),
    (lambda: Scalar(nn.L1Loss()).quadratic(P, T), "has no Gauss-Newton curvature"),
]


@pytest.mark.parametrize(("act", "message"), BAD, ids=[message[:50] for _, message in BAD])
def test_bad_input_gets_one_clear_error(act, message):
    with pytest.raises(LossError, match=message) as caught:
        act()
    assert "\n" not in str(caught.value)


def test_a_loss_error_is_a_value_error():
    assert issubclass(LossError, ValueError)


@pytest.mark.parametrize("other", [3, None, "Magnitude()", nn.MSELoss()], ids=str)
def test_only_losses_and_priors_are_added(other):
    for part in (Magnitude(), Prior({"C": 1.0}, 0.1)):
        with pytest.raises(TypeError):
            part + other
        with pytest.raises(TypeError):
            other + part
    with pytest.raises(TypeError):
        Magnitude() * "2"


def test_every_name_makes_its_loss():
    kinds = [Squared, Magnitude, Decibel, Complex, Relative, Phase, ShiftedMSE, LogisticLed, HingeLed, HardLed]
    assert [type(by_name(name)) for name in losses.NAMES] == kinds
    assert by_name("magnitude") is not by_name("magnitude")


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_mse_is_understood_as_least_squares(reduction):
    assert type(as_loss(nn.MSELoss(reduction=reduction))) is Squared


def test_any_function_serves():
    mine = Magnitude()
    assert as_loss(mine) is mine
    for function in (nn.L1Loss(), nn.functional.l1_loss, lambda p, t: (p - t).abs().mean()):
        loss = as_loss(function)
        assert isinstance(loss, Scalar) and not loss.gauss_newton and loss.quantity is None and loss.deviance is None
        assert loss(P, T) == nn.L1Loss()(P, T)
        assert (2 * loss + Squared())(P, T) == 2 * nn.L1Loss()(P, T) + Squared()(P, T)
    assert as_loss(lambda p, t: (p - t).abs().sum().reshape(1))(P, T).shape == ()


def test_a_function_sees_only_what_is_present():
    loss, free = as_loss(nn.L1Loss()), P.clone().requires_grad_()
    value = loss(free, torch.tensor([0.0, NAN, 0.0]))
    assert value == 2.0
    assert torch.autograd.grad(value, free)[0].tolist() == [0.5, 0.0, 0.5]


def test_a_function_works_under_transforms():
    batch = torch.stack([P, 2 * P])
    loss = as_loss(nn.L1Loss())
    assert torch.func.vmap(loss, (0, None))(batch, T).tolist() == [loss(row, T).item() for row in batch]
    targets = torch.stack([T, T + 1])
    each = [loss(*pair).item() for pair in zip(batch, targets, strict=True)]
    assert torch.func.vmap(loss)(batch, targets).tolist() == each
    assert torch.func.grad(loss)(P, T).tolist() == torch.func.grad(nn.L1Loss())(P, T).tolist()


def test_the_import_knows_torch_alone():
    code = (
        "import sys, torch\nbefore = {name.partition('.')[0] for name in sys.modules}\nimport losses\n"
        "after = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(after - before - set(sys.stdlib_module_names)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "['losses']"


def test_every_public_name_has_a_docstring_with_an_example():
    for name in losses.__all__:
        thing = getattr(losses, name)
        if callable(thing) and not issubclass(type(thing), type(Exception)) or isinstance(thing, type):
            assert thing.__doc__ and thing.__doc__ is not nn.Module.__doc__, name
    without = [
        name
        for name in losses.__all__
        if isinstance(getattr(losses, name), type) and ">>>" not in getattr(losses, name).__doc__
    ]
    assert set(without) <= {"LossError", "LeastSquares", "LedLoss"}, "these two show it in their methods"
