"""Ridge in both forms, priors as rows of data, and a component's tolerance as one of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares, minimize
from torch import nn

import circuits as cc
import losses
from circuits.errors import OptionError, ShapeError
from circuits.fitting.theory.ridge import prior_rows, ridge_solution, with_prior


def problem(n: int, p: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(*s, generator=generator, dtype=torch.float64) for s in ((n, p), (n,)))


def covariance(p: int, seed: int = 0) -> torch.Tensor:
    a, _ = problem(p, p, seed + 100)
    return a @ a.T + 0.1 * torch.eye(p, dtype=torch.float64)


SHAPES = [(1, 1), (8, 3), (3, 8), (5, 5), (1, 6), (40, 2)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("penalty", [1e-6, 0.3, 50.0])
def test_both_forms_are_the_same_and_minimise(shape: tuple[int, int], penalty: float):
    x, y = problem(*shape)
    points, unknowns = (ridge_solution(x, y, penalty, form=form) for form in ("points", "unknowns"))
    torch.testing.assert_close(points, unknowns, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(ridge_solution(x, y, penalty), points, rtol=1e-7, atol=1e-9)
    a, b = x.numpy(), y.numpy()
    expected = np.linalg.inv(a.T @ a + penalty * np.eye(shape[1])) @ a.T @ b
    np.testing.assert_allclose(points.numpy(), expected, rtol=1e-5, atol=1e-8)

    def cost(w):
        return np.sum((b - a @ w) ** 2) + penalty * np.sum(w**2)

    found = minimize(cost, np.zeros(shape[1]), tol=1e-12)
    assert cost(points.numpy()) <= found.fun + 1e-9 * (1 + abs(found.fun))


def test_the_form_is_chosen_by_shape(monkeypatch):
    sizes = []
    original = torch.linalg.cholesky
    monkeypatch.setattr(torch.linalg, "cholesky", lambda a: sizes.append(len(a)) or original(a))
    for shape in ((1000, 3), (3, 1000)):
        ridge_solution(*problem(*shape), 1.0)
    assert sizes == [3, 3]


@pytest.mark.parametrize("p", [1, 2, 5])
def test_rows_whose_square_is_the_inverse_covariance(p: int):
    sigma = covariance(p)
    gamma = prior_rows(sigma)
    np.testing.assert_allclose((gamma.T @ gamma).numpy(), np.linalg.inv(sigma.numpy()), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_prior_is_extra_rows(shape: tuple[int, int]):
    """The most probable w, by least squares on the longer table and by the textbook's posterior mean."""
    x, y = problem(*shape)
    sigma = covariance(shape[1])
    mean, noise = torch.linspace(-1, 1, shape[1]).double(), torch.linspace(0.5, 2, shape[0]).double()
    rows, targets = with_prior(x, y, sigma, noise=noise, mean=mean)
    assert rows.shape == (shape[0] + shape[1], shape[1])
    found = torch.linalg.lstsq(rows, targets).solution.numpy()
    a, weight, inverse = x.numpy(), np.diag(noise.numpy() ** -2.0), np.linalg.inv(sigma.numpy())
    precision = a.T @ weight @ a + inverse
    expected = np.linalg.solve(precision, a.T @ weight @ y.numpy() + inverse @ mean.numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)

    def minus_two_log_density(w):
        return np.sum(((y.numpy() - a @ w) / noise.numpy()) ** 2) + (w - mean.numpy()) @ inverse @ (w - mean.numpy())

    for w in (found, found + 0.1, np.zeros(shape[1])):
        squares = np.sum((targets.numpy() - rows.numpy() @ w) ** 2)
        assert squares == pytest.approx(minus_two_log_density(w), rel=1e-8)


def test_the_same_width_in_every_direction_is_ridge():
    x, y = problem(8, 3)
    rows, targets = with_prior(x, y, 0.25 * torch.eye(3, dtype=torch.float64), noise=0.1)
    expected = ridge_solution(x, y, 0.1**2 / 0.25)
    torch.testing.assert_close(torch.linalg.lstsq(rows, targets).solution, expected, rtol=1e-9, atol=0)


def test_a_fit_of_the_longer_table_is_ridge():
    """`cc.fit` on X with the rows √λ·I and zeros below it."""
    x, y = problem(8, 3)
    rows = torch.cat([x, math.sqrt(0.7) * torch.eye(3, dtype=torch.float64)])
    layer = nn.Linear(3, 1, bias=False).double()
    nn.init.zeros_(layer.weight)
    cc.fit(layer, (rows, torch.cat([y, torch.zeros(3).double()]).unsqueeze(-1)))
    torch.testing.assert_close(layer.weight[0].detach(), ridge_solution(x, y, 0.7), rtol=1e-6, atol=1e-9)


def test_a_damped_step_of_a_fit_is_ridge():
    """Levenberg–Marquardt's damping is the penalty of a ridge regression of the residuals on the Jacobian."""
    data = cc.simulate(cc.BandPass(R_low=40.0, R_high=160.0), cc.log_grid(60, 10.0, 1e5))
    fit = cc.fit(cc.BandPass(R_low=80.0, R_high=300.0), data, method=cc.GradientDescent(1.0), stop=cc.Stop(steps=1))
    rows = fit.problem.rows(fit.start)
    damping, one = torch.tensor([[0.01]], dtype=torch.float64), torch.ones(1, 2, dtype=torch.float64)
    step, _ = rows.damped_step(damping, one, None)
    torch.testing.assert_close(step[0], ridge_solution(rows.jacobian, -rows.residual, 0.01), rtol=1e-10, atol=0)


F, NOISE, TOLERANCE, NOMINAL = cc.log_grid(200, 10.0, 1e5), 0.01, 0.05, 1.1e-6
DATA = cc.simulate(cc.LowPass(R=200.0), F, noise=NOISE, seed=1)


def board() -> cc.LowPass:
    circuit = cc.LowPass(R=500.0)
    circuit.C.requires_grad_()
    return circuit


def with_tolerance() -> cc.LowPass:
    circuit = board()
    cc.fit(circuit, DATA, losses.Magnitude() + losses.Prior({"C": NOMINAL}, TOLERANCE))
    return circuit


def test_a_tolerance_is_a_row_of_data_that_scipy_sees():
    """A capacitor's label, ln(C/1.1 µF) = 0 ± 5 %, as one more residual below the 200 of the sweep."""
    found = with_tolerance()
    f, y = F.numpy(), DATA.values.numpy()

    def residuals(v):
        x = 2 * math.pi * f * math.exp(v[0] + v[1])
        return np.append((1 / np.sqrt(1 + x**2) - y) / NOISE, (v[1] - math.log(NOMINAL)) / TOLERANCE)

    scipy = least_squares(residuals, [math.log(500.0), math.log(1e-6)], xtol=1e-14, ftol=1e-14, gtol=1e-14)
    assert (found.R.item(), found.C.item()) == pytest.approx(np.exp(scipy.x).tolist(), rel=1e-6)


def test_a_tolerance_is_a_row_of_data_that_a_fit_sees():
    """The same by `cc.fit` without any prior: a module that answers with the sweep and, below it, the label."""

    class WithLabel(nn.Module):
        def __init__(self):
            super().__init__()
            self.circuit = board()

        def forward(self, f):
            label = torch.log(self.circuit.C / NOMINAL) / TOLERANCE
            return torch.cat([self.circuit(f) / NOISE, label.reshape(1)])

    module = WithLabel()
    target = torch.cat([DATA.values / NOISE, torch.zeros(1, dtype=torch.float64)])
    log = {"circuit.R": "log", "circuit.C": "log"}
    cc.fit(module, (F, target), losses.Squared(sigma=1.0), coordinates=log)
    found = with_tolerance()
    assert module.circuit.R.item() == pytest.approx(found.R.item(), rel=1e-6)
    assert module.circuit.C.item() == pytest.approx(found.C.item(), rel=1e-6)


def test_the_rows_of_the_prior_at_the_fit():
    """`with_prior` on the linearised sweep has no step left to take where the fit with the prior has arrived."""
    found = with_tolerance()
    plain = cc.fit(board(), DATA, losses.Magnitude(), stop=cc.Stop(steps=1), method=cc.GradientDescent(1e-12))
    x = torch.stack([found.R.detach(), found.C.detach()]).log().unsqueeze(0)
    rows = plain.problem.rows(x)
    scale = math.sqrt(2 / len(F))  # a row of the fit is √(2/n) of one whose noise is 1
    jacobian, residual = rows.jacobian / scale, rows.residual / scale
    wide = 1e6  # nothing is known of R beforehand
    sigma = torch.diag(torch.tensor([wide, TOLERANCE], dtype=torch.float64) ** 2)
    to_nominal = torch.tensor([0.0, math.log(NOMINAL)], dtype=torch.float64) - x[0]
    longer = with_prior(jacobian, -residual, sigma, mean=to_nominal)
    step = torch.linalg.lstsq(*longer).solution
    assert step.abs().max().item() < 1e-6
    without = torch.linalg.lstsq(jacobian, -residual, driver="gelsd").solution
    assert without.abs().max().item() < 1e-6  # the sweep sees R·C only, and that has arrived
    assert x[0, 1].exp().item() == pytest.approx(NOMINAL, rel=1e-6)


def test_ridge_bad_input():
    x, y = problem(4, 2)
    with pytest.raises(ShapeError, match=r"\(4, 2\).*\(3,\)"):
        ridge_solution(x, y[:3], 1.0)
    with pytest.raises(OptionError, match="penalty=0"):
        ridge_solution(x, y, 0)
    with pytest.raises(OptionError, match="form='dual'"):
        ridge_solution(x, y, 1.0, form="dual")
    with pytest.raises(ShapeError, match=r"expected \(p, p\)"):
        prior_rows(x)
    with pytest.raises(OptionError, match="symmetric and positive"):
        prior_rows(torch.diag(torch.tensor([1.0, -1.0])))
    with pytest.raises(OptionError, match="symmetric and positive"):
        prior_rows(torch.tensor([[1.0, 0.5], [0.2, 1.0]]))
    with pytest.raises(ShapeError, match="prior on 3 unknowns; X has 2"):
        with_prior(x, y, covariance(3))
