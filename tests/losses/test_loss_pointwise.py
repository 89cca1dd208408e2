"""Every loss runs through one table: gradients, curvature, missing points, precision, transforms."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import losses
from losses import (
    Cauchy,
    Complex,
    Decibel,
    HardLed,
    HingeLed,
    Huber,
    LogisticLed,
    Magnitude,
    Phase,
    Prior,
    Relative,
    ShiftedMSE,
    Squared,
)

N = 12
SIGMA = torch.linspace(0.5, 2.0, N, dtype=torch.float64)
LOSSES = {
    "squared": Squared(),
    "magnitude": Magnitude(),
    "magnitude-sigma": Magnitude(sigma=0.1),
    "magnitude-sigmas": Magnitude(sigma=SIGMA),
    "decibel-weights": Decibel(weights=SIGMA),
    "complex": Complex(),
    "complex-sigmas": Complex(sigma=SIGMA),
    "relative": Relative(),
    "relative-sigmas": Relative(sigma=0.1 * SIGMA),
    "phase": Phase(),
    "phase-sigmas": Phase(sigma=10 * SIGMA),
    "shifted-mse": ShiftedMSE(),
    "shifted-mse-0": ShiftedMSE(off=0.0),
    "logistic-led": LogisticLed(),
    "logistic-led-sharp": LogisticLed(threshold=0.5, sharpness=80.0),
    "hinge-led": HingeLed(margin=0.1),
    "hard-led": HardLed(),
    "huber": Huber(Magnitude(), delta=0.3),
    "huber-complex": Huber(Complex(sigma=SIGMA), delta=0.4),
    "cauchy": Cauchy(Magnitude(sigma=SIGMA), scale=0.2),
    "scaled": 3 * Magnitude(sigma=0.5),
    "sum": Magnitude() + 0.5 * Huber(Squared(), 0.2) + Prior({"C": 1e-6}, 0.05),
    "sum-led": LogisticLed() + ShiftedMSE(),
}
TABLE = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
CURVED = {name: loss for name, loss in LOSSES.items() if loss.gauss_newton}
CURVED_TABLE = pytest.mark.parametrize("loss", CURVED.values(), ids=CURVED)


def case(loss, shape=(N,), dtype=torch.float64, seed=0):
    """Return a prediction and a target such as the quantity of the loss has them."""
    generator = torch.Generator().manual_seed(seed)
    prediction, target = torch.rand((2, *shape), generator=generator, dtype=torch.float64) + 0.05
    if loss.quantity == "led":
        target = (target > 0.55).double()
    if loss.quantity == "phase":
        prediction, target = 360 * prediction - 180, 360 * target - 180
    if loss.quantity == "response":
        prediction, target = torch.polar(prediction, 7 * target), torch.polar(target, 5 * prediction)
        dtype = dtype.to_complex()
    return prediction.to(dtype), target.to(dtype)


@TABLE
def test_forward_is_the_mean_of_the_points(loss):
    prediction, target = case(loss)
    points = loss.pointwise(prediction, target)
    assert points.shape == prediction.shape and not points.is_complex() and (points >= 0).all()
    torch.testing.assert_close(loss(prediction, target), points.mean(), rtol=1e-13, atol=0)


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "hard-led"])
def test_pointwise_passes_gradcheck(name):
    prediction, target = case(LOSSES[name])
    assert gradcheck(LOSSES[name].pointwise, (prediction.requires_grad_(), target))


@pytest.mark.parametrize("name", ["squared", "complex", "phase", "logistic-led", "huber", "cauchy", "shifted-mse"])
def test_pointwise_passes_gradgradcheck(name):
    prediction, target = case(LOSSES[name])
    assert gradgradcheck(LOSSES[name].pointwise, (prediction.requires_grad_(), target))


@CURVED_TABLE
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_d_is_the_gradient_that_autograd_finds(loss, dtype):
    prediction, target = case(loss, dtype=dtype)
    d, _ = loss.quadratic(prediction, target)
    free = prediction.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss.pointwise(free, target).sum(), free)
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    torch.testing.assert_close(d, gradient, rtol=tolerance, atol=tolerance)


@CURVED_TABLE
def test_quadratic_has_no_graph_and_a_curvature_that_is_not_negative(loss):
    prediction, target = case(loss)
    d, c = loss.quadratic(prediction.requires_grad_(), target)
    assert not d.requires_grad and d.shape == prediction.shape
    if isinstance(c, torch.Tensor):
        assert not c.requires_grad and not c.is_complex()
        assert torch.broadcast_shapes(c.shape, d.shape) == d.shape
    assert (torch.as_tensor(c) >= 0).all()


@pytest.mark.parametrize("loss", [Squared(), Magnitude(), Complex(), Phase(), ShiftedMSE()], ids=repr)
def test_the_unweighted_curvature_is_the_float_2(loss):
    c = loss.quadratic(*case(loss))[1]
    assert isinstance(c, float) and c == 2.0


@TABLE
@pytest.mark.parametrize("shape", [(N,), (3, N), (2, 3, N)])
def test_a_missing_point_has_no_value_and_no_gradient(loss, shape):
    prediction, target = case(loss, shape)
    target[..., 2:5] = torch.nan
    kept = [0, 1, *range(5, N)]
    free = prediction.clone().requires_grad_()
    value = loss(free, target)
    (gradient,) = torch.autograd.grad(value, free)
    assert torch.isfinite(value) and (gradient[..., 2:5] == 0).all() and torch.isfinite(gradient.abs()).all()
    filled = torch.where(torch.isnan(target), prediction, target) if loss.quantity != "led" else target.nan_to_num()
    expected = loss.pointwise(prediction, filled)[..., kept].mean()
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)


@TABLE
def test_a_prediction_that_went_wrong_at_a_missing_point_does_not_spoil_the_rest(loss):
    prediction, target = case(loss)
    target[3] = torch.nan
    prediction[3] = torch.nan
    free = prediction.clone().requires_grad_()
    with torch.autograd.set_detect_anomaly(True):
        (gradient,) = torch.autograd.grad(loss(free, target), free)
    assert torch.isfinite(gradient.abs()).all() and gradient[3] == 0


@TABLE
def test_nothing_measured_is_zero(loss):
    prediction, target = case(loss)
    free = prediction.clone().requires_grad_()
    value = loss(free, torch.full_like(target, torch.nan))
    (gradient,) = torch.autograd.grad(value, free)
    assert value == 0 and (gradient == 0).all()


def test_no_points_at_all_is_zero():
    assert Magnitude()(torch.zeros(0), torch.zeros(0)) == 0


@TABLE
def test_float32_stays_float32(loss):
    prediction, target = case(loss, dtype=torch.float32)
    assert loss(prediction, target).dtype == torch.float32
    assert loss.pointwise(prediction, target).dtype == torch.float32
    assert loss(prediction[:1].squeeze(0) if loss.sigma is None else prediction, target[:1].squeeze(0)).dtype == (
        torch.float32
    )
    if loss.gauss_newton:
        d, c = loss.quadratic(prediction, target)
        assert d.dtype == prediction.dtype
        assert isinstance(c, float) or c.dtype == torch.float32


@TABLE
def test_batch_equals_loop(loss):
    prediction, target = case(loss, (4, N))
    whole = loss.pointwise(prediction, target)
    for row in range(4):
        torch.testing.assert_close(whole[row], loss.pointwise(prediction[row], target[row]), rtol=0, atol=0)


@TABLE
def test_works_under_vmap_and_grad(loss):
    prediction, target = case(loss, (4, N))
    target[1, 3] = torch.nan
    value = torch.func.vmap(loss)(prediction, target)
    loop = torch.stack([loss(*pair) for pair in zip(prediction, target, strict=True)])
    torch.testing.assert_close(value, loop, rtol=1e-12, atol=1e-15)
    gradient = torch.func.vmap(torch.func.grad(loss))(prediction, target)
    free = prediction.clone().requires_grad_()
    (expected,) = torch.autograd.grad(sum(loss(*pair) for pair in zip(free, target, strict=True)), free)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.quantity != "response"])
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_forward_mode_agrees_with_backward_mode(name):
    prediction, target = case(LOSSES[name])
    tangent = torch.linspace(-1, 1, N, dtype=torch.float64)
    _, along = torch.func.jvp(lambda p: LOSSES[name](p, target), (prediction,), (tangent,))
    gradient = torch.func.grad(LOSSES[name])(prediction, target)
    torch.testing.assert_close(along, gradient @ tangent, rtol=1e-10, atol=1e-14)


@TABLE
def test_copies_and_pickles(loss):
    prediction, target = case(loss)
    for twin in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert repr(twin) == repr(loss)
        assert twin(prediction, target) == loss(prediction, target)


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.quantity == "led"])
def test_led_targets_may_be_booleans_or_integers(name):
    loss = LOSSES[name]
    prediction, target = case(loss)
    for kind in (torch.bool, torch.int64, torch.float32):
        torch.testing.assert_close(loss(prediction, target.to(kind)), loss(prediction, target), rtol=0, atol=0)
        torch.testing.assert_close(
            loss.pointwise(prediction, target.to(kind)), loss.pointwise(prediction, target), rtol=0, atol=0
        )


def test_counts_as_target_take_the_precision_of_the_prediction():
    assert Squared()(torch.ones(2), torch.tensor([1, 3])).dtype == torch.float32


def test_a_loss_is_moved_like_a_module():
    moved = Magnitude(sigma=SIGMA).to(torch.float32)
    assert moved.sigma.dtype == torch.float32
    assert Magnitude(sigma=SIGMA).state_dict() == {}, "what is known about the noise is no weight to be loaded"


def test_a_new_loss_needs_pointwise_alone():
    class Quartic(losses.Loss):
        def pointwise(self, prediction, target):
            return (prediction - target) ** 4

    loss = 2 * (Quartic() + Magnitude())
    p, t = torch.tensor([2.0, 1.0]), torch.tensor([1.0, math.nan])
    assert loss(p, t) == 4.0 and loss.quantity == "magnitude" and not loss.gauss_newton
    with pytest.raises(losses.LossError, match=r"Quartic\(\) has no Gauss-Newton curvature"):
        loss.quadratic(p, t)


@pytest.mark.parametrize("name", ["magnitude-sigmas", "complex-sigmas", "phase", "logistic-led", "hard-led", "sum"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_works_under_compile(name):
    prediction, target = case(LOSSES[name])
    target[2] = torch.nan
    compiled = torch.compile(LOSSES[name], backend="aot_eager", fullgraph=True)
    free, twin = prediction.clone().requires_grad_(), prediction.clone().requires_grad_()
    value, expected = compiled(free, target), LOSSES[name](twin, target)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    (gradient,), (reference,) = torch.autograd.grad(value, free), torch.autograd.grad(expected, twin)
    torch.testing.assert_close(gradient, reference, rtol=1e-12, atol=1e-15)
