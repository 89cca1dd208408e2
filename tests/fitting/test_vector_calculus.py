"""The derivatives that every lesson leans on, xᵀc, ‖x‖², Ax and xᵀAx, as the package's own Jacobian gives them."""

from __future__ import annotations

import pytest
import torch

import losses
from circuits.fitting.jacobian import module_jacobian
from circuits.fitting.setup import make_problem

G = torch.Generator().manual_seed(5)
A = torch.randn(4, 4, generator=G, dtype=torch.float64)
TALL = torch.randn(7, 4, generator=G, dtype=torch.float64)
WIDE = torch.randn(2, 4, generator=G, dtype=torch.float64)
C = torch.randn(4, generator=G, dtype=torch.float64)
X = torch.randn(4, generator=G, dtype=torch.float64)

RULES = {
    "xᵀc": (lambda x: (x @ C).unsqueeze(0), C.unsqueeze(0)),
    "‖x‖²": (lambda x: (x @ x).unsqueeze(0), 2 * X.unsqueeze(0)),
    "Ax, tall": (lambda x: TALL @ x, TALL),
    "Ax, wide": (lambda x: WIDE @ x, WIDE),
    "xᵀAx": (lambda x: (x @ A @ x).unsqueeze(0), X.unsqueeze(0) @ (A + A.T)),
}


def differences(function, x: torch.Tensor, h: float = 1e-5) -> torch.Tensor:
    steps = h * torch.eye(len(x), dtype=x.dtype)
    return torch.stack([(function(x + step) - function(x - step)) / (2 * h) for step in steps], -1)


@pytest.mark.parametrize("name", RULES)
def test_the_rule_is_what_autograd_and_differences_say(name):
    function, rule = RULES[name]
    # a value is a column here and a row in the books: derivative (outputs, inputs)
    _, jacobian = module_jacobian(lambda values: function(values[0]), X.unsqueeze(0))
    torch.testing.assert_close(jacobian.T, rule, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(differences(function, X), rule, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(torch.func.jacrev(function)(X), rule, rtol=1e-13, atol=1e-13)


def test_a_quadratic_form_sees_only_the_symmetric_part():
    odd = A - A.T
    _, jacobian = module_jacobian(lambda values: (values[0] @ odd @ values[0]).unsqueeze(0), X.unsqueeze(0))
    assert jacobian.abs().max() < 1e-14


def test_the_gradient_of_least_squares_follows_from_the_rules():
    """d/dx ‖Ax − y‖² = 2(Ax − y)ᵀA, which is what a fit of a linear layer walks along (divided by the points)."""
    y = torch.randn(7, 1, generator=G, dtype=torch.float64)
    layer = torch.nn.Linear(4, 1, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(X.unsqueeze(0))
    problem = make_problem(layer, (TALL, y), losses.Squared())
    _, gradient = problem.gradient(problem.start())
    torch.testing.assert_close(gradient, 2 * (TALL @ X - y[:, 0]).unsqueeze(0) @ TALL / 7)
