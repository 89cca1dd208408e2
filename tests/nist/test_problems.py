"""The problems are read as NIST states them: the certified values give the certified sums and errors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nist.problems import MODELS, NAMES, Problem, load


def residuals_and_jacobian(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return residuals (n,) and d prediction / d parameter (n, p) at the certified values."""
    model = problem.at(problem.values)

    def predict(values: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(model, values, (problem.x,))

    values = {name: value.detach() for name, value in model.named_parameters()}
    columns = torch.func.jacrev(predict)(values)
    return predict(values) - problem.y, torch.stack([columns[name] for name in problem.values], -1)


def test_all_twenty_seven_are_there():
    assert len(NAMES) == 27
    assert set(NAMES) == set(MODELS)
    levels = [load(name).difficulty for name in NAMES]
    assert [levels.count(level) for level in ("lower", "average", "higher")] == [8, 11, 8]


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"Lanczos1"}))
def test_certified_values_give_the_certified_sum_of_squares(name: str):
    problem = load(name)
    residuals, _ = residuals_and_jacobian(problem)
    assert residuals.square().sum().item() == pytest.approx(problem.rss, rel=1e-9)


def test_lanczos1_leaves_only_the_rounding_of_its_certified_values():
    residuals, _ = residuals_and_jacobian(load("Lanczos1"))
    assert residuals.abs().max().item() < 1e-10


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"Lanczos1"}))
def test_certified_values_give_the_certified_standard_errors(name: str):
    problem = load(name)
    residuals, jacobian = residuals_and_jacobian(problem)
    scale = jacobian.norm(dim=0)
    inverse = torch.linalg.inv(torch.linalg.qr(jacobian / scale).R)
    errors = (residuals.square().sum() / problem.dof).sqrt() * inverse.norm(dim=1) / scale
    assert errors.tolist() == pytest.approx(list(problem.errors.values()), rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("start", [0, 1])
def test_every_start_is_a_module_of_scalar_float64_parameters(name: str, start: int):
    problem = load(name)
    model = problem.module(start)
    assert {key: value.item() for key, value in model.named_parameters()} == problem.starts[start]
    assert all(value.shape == () and value.dtype == torch.float64 for value in model.parameters())
    assert model(problem.x).shape == problem.y.shape
    assert model(problem.x).isfinite().all()


def test_nelson_has_two_predictors_and_a_logarithm():
    problem = load("Nelson")
    assert problem.x.shape == (128, 2)
    assert problem.y[0].exp().item() == pytest.approx(15.0)
