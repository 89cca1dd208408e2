"""How well the fitted curve is known: by hand, by many repetitions, and where nothing is known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

import circuits as cc
import losses

F = cc.log_grid(25, 10.0, 1e5)
AT = cc.log_grid(9, 30.0, 3e4)


def slope_at(fit, f=AT, board=0):
    """Derivative of the predictions at f by the values in SI units, `(p, points…)`, by autograd."""
    problem = fit.final_problem(board)
    model = replace(problem.model, f=f)
    values = problem.coordinates.values(fit.end[board : board + 1])
    table = torch.autograd.functional.jacobian(lambda v: model.predict(v).reshape(-1), values)
    return table[:, 0].T


def by_covariance(fit, slope, board=0):
    """√(gᵀ·Cov·g) with the covariance that a fit prints."""
    total = fit.covariance.reshape(-1, *fit.covariance.shape[-2:])[board]
    return torch.einsum("in,ij,jn->n", slope, total, slope).sqrt()


@pytest.mark.parametrize("coordinates", ["log", "linear"])
@pytest.mark.parametrize("make", [lambda: cc.LowPass(500.0), lambda: cc.BandPass(60.0, 200.0)])
def test_linear_propagation_by_hand(make, coordinates):
    truth = cc.LowPass(200.0) if isinstance(make(), cc.LowPass) else cc.BandPass(40.0, 150.0)
    fit = cc.fit(make(), cc.simulate(truth, F, noise=0.02), coordinates=coordinates)
    slope = slope_at(fit)
    torch.testing.assert_close(fit.standard_error(slope), by_covariance(fit, slope), rtol=1e-9, atol=1e-15)


def test_one_component_is_a_closed_form():
    fit = cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), F, noise=0.02))
    R, sigma = fit.values["R"], fit.errors["R"]
    x = 2 * math.pi * AT * R * 1e-6
    expected = sigma / R * x.square() * (1 + x.square()).pow(-1.5)
    torch.testing.assert_close(fit.standard_error(slope_at(fit)), expected, rtol=1e-9, atol=0)


def test_the_curves_of_many_repetitions_scatter_so_much():
    boards, sigma = 600, 0.02
    clean = cc.BandPass(40.0, 150.0)(F).detach()
    noise = torch.randn(boards, len(F), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    data = cc.Measurements(F, "magnitude", clean + sigma * noise, sigma=sigma)
    fit = cc.fit(cc.BandPass(torch.full((boards,), 60.0), torch.full((boards,), 200.0)), data)
    with torch.no_grad():
        scatter = fit.circuit(AT).std(0)
    one = cc.fit(cc.BandPass(60.0, 200.0), cc.Measurements(F, "magnitude", clean, sigma=sigma))
    ratio = one.standard_error(slope_at(one)) / scatter
    assert ((ratio - 1).abs() < 0.12).all()  # 600 repetitions know a deviation to 3 per cent


def test_a_product_is_known_although_neither_factor_is():
    board = cc.LowPass(500.0)
    board.C.requires_grad_()
    data = cc.simulate(cc.LowPass(200.0), F, noise=0.02)
    fit = cc.fit(board, data)
    assert torch.isinf(fit.errors["R"]) and torch.isinf(fit.errors["C"])
    alone = cc.fit(cc.LowPass(500.0), data)
    expected = alone.standard_error(slope_at(alone))
    torch.testing.assert_close(fit.standard_error(slope_at(fit)), expected, rtol=1e-5, atol=1e-12)
    eye = torch.eye(2, dtype=torch.float64)
    assert torch.isinf(fit.standard_error(eye)).all()  # either value on its own
    opposite = torch.stack([fit.values["R"], -fit.values["C"]]).unsqueeze(-1)
    assert torch.isinf(fit.standard_error(opposite)).all()  # the quotient, of which the data say nothing
    assert fit.standard_error(torch.zeros(2, 1, dtype=torch.float64)).item() == 0.0


def test_an_output_that_was_not_measured_is_not_known():
    data = cc.simulate(cc.ColorOrgan(199.0, (40.0, 159.0), 32.0), F, noise=0.02)
    values = data.values.clone()
    values[1] = math.nan
    fit = cc.fit(
        cc.ColorOrgan(500.0, (500.0, 500.0), 500.0),
        cc.Measurements(F, "magnitude", values, sigma=0.02, outputs=data.outputs),
    )
    error = fit.standard_error(slope_at(fit)).reshape(3, -1)
    assert torch.isfinite(error[0]).all() and torch.isfinite(error[2]).all()
    assert torch.isinf(error[1]).all()


def test_boards_have_their_own():
    truth, start = cc.LowPass([200.0, 900.0]), cc.LowPass([500.0, 500.0])
    fit = cc.fit(start, cc.simulate(truth, F, noise=0.02))
    for board in (0, 1):
        slope = slope_at(fit, board=board)
        expected = by_covariance(fit, slope, board)
        torch.testing.assert_close(fit.standard_error(slope, board), expected, rtol=1e-9, atol=0)
    assert not torch.allclose(by_covariance(fit, slope_at(fit, board=0), 0), by_covariance(fit, slope_at(fit), 1))


def test_tied_components_move_together():
    data = cc.simulate(cc.BandPass(100.0, 100.0), F, noise=0.02)
    fit = cc.fit(cc.BandPass(60.0, 60.0), data, tied={"R_high": "R_low"})
    slope = slope_at(fit)
    assert slope.shape == (1, len(AT))
    torch.testing.assert_close(fit.standard_error(slope), by_covariance(fit, slope), rtol=1e-9, atol=0)


def test_leds_that_bound_a_value_on_both_sides():
    fit = cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), F, "led"), losses.LogisticLed())
    low, high = fit.intervals["R"]
    slope = slope_at(fit)
    width = fit.standard_error(slope)
    assert torch.isfinite(width).all()
    R = fit.values["R"]
    expected = slope[0].abs() * R * math.log(high / low) / math.sqrt(12)
    torch.testing.assert_close(width, expected, rtol=1e-6, atol=1e-15)


def test_the_shape_follows_the_slope():
    fit = cc.fit(cc.LowPass(500.0), cc.simulate(cc.LowPass(200.0), F, noise=0.02))
    assert fit.standard_error(torch.ones(1, 3, 4, dtype=torch.float64)).shape == (3, 4)
