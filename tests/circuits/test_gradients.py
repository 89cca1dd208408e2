"""First and second derivatives: right everywhere, finite even where f is no frequency any more."""

import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from circuits import functional

VIEWS = ("", "_magnitude", "_decibels", "_phase", "_group_delay")
SECTIONS = {"low_pass": 1, "high_pass": 1, "band_pass": 2, "band_pass_loaded": 2}
RC = [name + view for name in SECTIONS for view in VIEWS]
BODE = ["bode" + view for view in VIEWS]


def components_of(name, *values):
    """R and C, or R_low, R_high, C_low, C_high."""
    filter = max((f for f in SECTIONS if name.startswith(f)), key=len)
    return values[:1] + values[2:3] if SECTIONS[filter] == 1 else values


def leaves(values, dtype=torch.float64):
    return [torch.tensor(v, dtype=dtype, requires_grad=True) for v in values]


@pytest.mark.parametrize("name", RC)
@pytest.mark.parametrize(
    "values",
    [
        (1.3, 0.8, 0.7, 1.9),
        (0.5, 1.0, 1.0, 1.0),  # the loading's branch point
        (1.0, 1.0, 1.0, 1.0),  # 1/(2π) Hz is the corner itself
    ],
)
def test_derivatives_of_the_filters(name, values):
    f = torch.tensor([0.004, 1 / (2 * math.pi), 0.31, 9.0], dtype=torch.float64, requires_grad=True)
    inputs = (f, *leaves(components_of(name, *values)))
    function = getattr(functional, name)
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


@pytest.mark.parametrize("name", BODE)
def test_derivatives_of_the_straight_lines(name):
    f = torch.tensor([0.03, 0.5, 1.7, 80.0], dtype=torch.float64, requires_grad=True)
    inputs = (f, *leaves((1.5, 1.0, 7.0, 3.0, 0.2)))

    def plot(f, gain, pole, pole2, zero, corner):
        return getattr(functional, name)(f, gain, [pole, pole2], [zero], [corner])

    assert gradcheck(plot, inputs)
    if name != "bode_decibels":  # autograd sees a constant where the second derivative is identically zero
        assert gradgradcheck(plot, inputs)


# R_low, R_high, C_low, C_high as far out as values go whose derivatives are numbers at all
EXTREMES = [
    (1e3, 1e3, 1e-6, 1e-6),
    (1e-6, 1e12, 1e-15, 1.0),
    (1e12, 1e-6, 1.0, 1e-15),
    (1e12, 1e12, 1.0, 1.0),
    (1e-6, 1e-6, 1e-12, 1e-12),
]
LIMITS = {
    torch.float64: (0.0, 5e-324, 1e-300, 1e-3, 1e9, 1e300, 1.7e308),
    torch.float32: (0.0, 1e-45, 1e-30, 1e9, 1e38, 3e38),
}


def first_and_second(outputs, inputs):
    """Derivatives of the sum, and of the sum of each derivative."""
    total = torch.view_as_real(outputs).sum() if outputs.is_complex() else outputs.sum()
    first = torch.autograd.grad(total, inputs, create_graph=True, materialize_grads=True)
    second = [
        g
        for derivative in first
        if derivative.requires_grad
        for g in torch.autograd.grad(derivative, inputs, retain_graph=True, materialize_grads=True)
    ]
    return [*first, *second]


@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@pytest.mark.parametrize("name", RC)
def test_the_filters_stay_finite_at_the_ends_of_the_number_line(name, dtype):
    extremes = EXTREMES if dtype == torch.float64 else EXTREMES[:1]
    for values in extremes:
        for frequency in LIMITS[dtype]:
            inputs = leaves((frequency, *components_of(name, *values)), dtype)
            outputs = getattr(functional, name)(*inputs)
            found = first_and_second(outputs, inputs)
            assert all(torch.isfinite(x).all() for x in (outputs, *found)), (
                frequency,
                values,
                outputs,
                found,
            )
            assert outputs.dtype in (dtype, torch.complex64 if dtype == torch.float32 else torch.complex128)


@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@pytest.mark.parametrize("name", BODE)
def test_the_straight_lines_stay_finite_at_the_ends_of_the_number_line(name, dtype):
    for frequency in LIMITS[dtype]:
        f, gain, pole, zero, corner = inputs = leaves((frequency, 2.0, 1e3, 1e4, 10.0), dtype)
        outputs = getattr(functional, name)(f, gain, [pole], [zero], [corner])
        found = first_and_second(outputs, inputs)
        assert all(torch.isfinite(x).all() for x in (outputs, *found)), (frequency, outputs, found)


def test_the_slopes_at_the_ends_are_the_true_ones():
    R, C = 1000.0, 1e-6
    f, r = leaves((0.0, R))
    (by_f,) = torch.autograd.grad(functional.high_pass_magnitude(f, r, C), f)
    assert by_f.item() == pytest.approx(2 * math.pi * R * C, rel=1e-14)
    (by_f,) = torch.autograd.grad(functional.low_pass_phase(f, r, C), f)
    assert by_f.item() == pytest.approx(-360 * R * C, rel=1e-14)
    f, r = leaves((1e130, R))
    (by_r,) = torch.autograd.grad(functional.low_pass_decibels(f, r, C), r)
    assert by_r.item() == pytest.approx(-20 / math.log(10) / R, rel=1e-14)


@pytest.mark.parametrize("dtype", LIMITS, ids=str)
def test_a_passed_signal_has_no_slope(dtype):
    """Far above the corner a high-pass does not depend on R, although 1/x³ is no number there any more."""
    for x in (1e3, 1e8, 1e15, 1e30):
        f, r = leaves((x, 1 / (2 * math.pi)), dtype)
        (by_r,) = torch.autograd.grad(functional.high_pass_magnitude(f, r, 1.0), r)
        assert abs(by_r.item() * r.item() - x / (1 + x * x) ** 1.5) < 2 * torch.finfo(dtype).eps
