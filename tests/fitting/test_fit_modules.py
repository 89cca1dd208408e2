"""`fit` takes any module: linear regression, a small network, several inputs, several outputs, complex ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import circuits as cc
import losses

G = torch.Generator().manual_seed(0)
X = torch.randn(60, 3, generator=G, dtype=torch.float64)
Y = X @ torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64).T + 0.7
Y = Y + 0.1 * torch.randn(60, 1, generator=G, dtype=torch.float64)


def closed_form(x, y) -> tuple[torch.Tensor, torch.Tensor, float]:
    """(coefficients, covariance / s², s²) of y on [x, 1]."""
    table = torch.cat([x, torch.ones_like(x[:, :1])], 1)
    solution = torch.linalg.lstsq(table, y).solution
    variance = (table @ solution - y).square().sum().item() / (len(y) - table.shape[1])
    return solution[:, 0], torch.linalg.inv(table.T @ table), variance


@pytest.mark.parametrize("method", ["auto", "lbfgs", cc.GradientDescent(0.3), lambda x: torch.optim.Adam(x, lr=0.1)])
def test_a_linear_layer_is_linear_regression(method):
    layer = nn.Linear(3, 1).double()
    stop = cc.Stop(gradient=1e-10, steps=20_000) if method not in ("auto", "lbfgs") else None
    found = cc.fit(layer, (X, Y), method=method, stop=stop)
    expected, inverse, variance = closed_form(X, Y)
    assert found.converged
    torch.testing.assert_close(layer.weight[0].detach(), expected[:3], rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(layer.bias.detach(), expected[3:], rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(found.covariance, inverse * variance, rtol=1e-6, atol=1e-12)
    errors = torch.cat([found.errors["weight"].flatten(), found.errors["bias"]])
    torch.testing.assert_close(errors, (inverse * variance).diagonal().sqrt(), rtol=1e-6, atol=0)
    assert found.values["weight"].shape == (1, 3) == found.errors["weight"].shape
    assert found.names == ("weight[0,0]", "weight[0,1]", "weight[0,2]", "bias[0]")


def test_a_known_sigma_makes_the_errors_absolute():
    _, inverse, _ = closed_form(X, Y)
    found = cc.fit(nn.Linear(3, 1).double(), (X, Y), losses.Squared(sigma=0.1))
    torch.testing.assert_close(found.covariance, inverse * 0.01, rtol=1e-9, atol=0)


def test_weights_are_relative():
    weights = torch.linspace(0.1, 2, 60, dtype=torch.float64).unsqueeze(-1)
    root = weights.sqrt()
    table = torch.cat([X, torch.ones_like(X[:, :1])], 1) * root
    solution = torch.linalg.lstsq(table, Y * root).solution
    variance = (table @ solution - Y * root).square().sum() / 56
    for scale in (1.0, 100.0):
        layer = nn.Linear(3, 1).double()
        found = cc.fit(layer, (X, Y), losses.Squared(weights=weights * scale))
        torch.testing.assert_close(layer.weight[0].detach(), solution[:3, 0], rtol=1e-9, atol=0)
        expected = torch.linalg.inv(table.T @ table) * variance
        torch.testing.assert_close(found.covariance, expected, rtol=1e-8, atol=1e-14)


def test_the_same_by_a_plain_function_has_the_sandwich():
    """H⁻¹ M H⁻¹ n/(n − p), with M from each point's own gradient (White's robust errors)."""
    found = cc.fit(nn.Linear(3, 1).double(), (X, Y), lambda p, t: (p - t).square().mean())
    expected, inverse, _ = closed_form(X, Y)
    table = torch.cat([X, torch.ones_like(X[:, :1])], 1)
    residual = table @ expected.unsqueeze(-1) - Y
    robust = inverse @ (table.T @ (table * residual.square())) @ inverse * (60 / 56)
    torch.testing.assert_close(found.covariance, robust, rtol=1e-5, atol=1e-10)


@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.MSELoss(reduction="sum"), losses.Squared(), None], ids=repr)
def test_mean_squared_error_by_any_name_is_least_squares(loss):
    found = cc.fit(nn.Linear(3, 1).double(), (X, Y), loss)
    expected, inverse, variance = closed_form(X, Y)
    torch.testing.assert_close(found.values["weight"][0], expected[:3], rtol=1e-9, atol=0)
    torch.testing.assert_close(found.covariance, inverse * variance, rtol=1e-8, atol=1e-14)
    assert found.steps <= 6


@pytest.mark.parametrize("width", [4, 16])
def test_a_small_network_by_auto(width: int):
    torch.manual_seed(0)
    x = torch.linspace(-2, 2, 200, dtype=torch.float64).unsqueeze(-1)
    network = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, 1)).double()
    found = cc.fit(network, (x, torch.sin(2 * x)), stop=cc.Stop(decrease=1e-10, loss=1e-6, steps=300))
    assert found.loss < 1e-3 and found.explains
    assert all(isinstance(p, nn.Parameter) for p in network.parameters())
    assert len(found.names) == sum(p.numel() for p in network.parameters())
    assert "… and" in str(found) or width == 4


def test_a_network_too_wide_for_a_jacobian_goes_by_gradients():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(1, 700), nn.Tanh(), nn.Linear(700, 1))
    x = torch.linspace(-1, 1, 30).unsqueeze(-1)
    found = cc.fit(network, (x, x**2), stop=cc.Stop(loss=1e-3, steps=200))
    assert isinstance(found.method, cc.LBFGS) and found.loss <= 1e-3


def test_a_network_in_training_mode_keeps_its_mode_and_buffers():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)).double().train()
    network.register_buffer("seen", torch.tensor(3.0))
    cc.fit(network, (X, Y), stop=cc.Stop(steps=3))
    assert network.training and network.seen.item() == 3.0
    assert all(p.grad is None for p in network.parameters())


class TwoInputs(nn.Module):
    """y = a·x + b·z, with a flag that is no tensor."""

    def __init__(self):
        super().__init__()
        self.a, self.b = (nn.Parameter(torch.tensor(v, dtype=torch.float64)) for v in (1.0, 1.0))

    def forward(self, x, z, flip):
        return self.a * x + self.b * z if not flip else self.a * z + self.b * x


@pytest.mark.parametrize(("flip", "a"), [(False, 3.0), (True, -2.0)])
def test_several_inputs_are_unpacked(flip: bool, a: float):
    module = TwoInputs()
    x, z = X[:, 0], X[:, 1]
    cc.fit(module, ((x, z, flip), 3 * x - 2 * z))
    assert module.a.item() == pytest.approx(a)


class Tone(nn.Module):
    """y = A e^{iωt}: a complex prediction, its two parameters real."""

    def __init__(self, A: float, w: float):
        super().__init__()
        self.A, self.w = (nn.Parameter(torch.tensor(v, dtype=torch.float64)) for v in (A, w))

    def forward(self, t):
        return self.A * torch.exp(1j * self.w * t)


def test_a_module_may_predict_complex_numbers():
    t = torch.linspace(0, 1, 40, dtype=torch.float64)
    module = Tone(1.0, 2.0)
    found = cc.fit(module, (t, Tone(3.0, 2.5)(t).detach()))
    assert (module.A.item(), module.w.item()) == pytest.approx((3.0, 2.5), rel=1e-9)
    assert found.converged


def test_errors_of_complex_predictions_cover_the_truth():
    t, inside = torch.linspace(0, 1, 12, dtype=torch.float64), 0
    for seed in range(150):
        noise = torch.randn(12, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        target = Tone(3.0, 2.5)(t).detach() + 0.1 * torch.view_as_complex(noise)
        found = cc.fit(Tone(2.5, 2.4), (t, target))
        inside += abs(found.values["A"].item() - 3.0) <= found.errors["A"].item()
    assert inside / 150 == pytest.approx(0.68, abs=0.1)


class Cube(torch.autograd.Function):
    """x³ by a backward pass that cannot be differentiated again."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        return 3 * ctx.saved_tensors[0] ** 2 * g


class Cubed(nn.Module):
    """y = (a·x)³ + b·x, the cube only once differentiable, and the line as often as one likes."""

    def __init__(self, line: bool):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
        self.b = nn.Parameter(torch.tensor(0.0, dtype=torch.float64), requires_grad=line)

    def forward(self, x):
        return Cube.apply(self.a * x) + self.a * x + self.b * x**2


@pytest.mark.parametrize("line", [False, True])
def test_an_operation_that_is_only_once_differentiable(line: bool):
    module, x = Cubed(line), X[:, 0]
    found = cc.fit(module, (x, (2 * x) ** 3 + 2 * x))
    assert module.a.item() == pytest.approx(2.0)
    assert found.converged and found.steps < 20


def test_missing_targets_of_a_module_are_left_out():
    y = Y.clone()
    y[::4] = torch.nan
    keep = ~y[:, 0].isnan()
    holes, fewer = nn.Linear(3, 1).double(), nn.Linear(3, 1).double()
    a, b = cc.fit(holes, (X, y)), cc.fit(fewer, (X[keep], y[keep]))
    torch.testing.assert_close(holes.weight, fewer.weight, rtol=1e-9, atol=0)
    torch.testing.assert_close(a.covariance, b.covariance, rtol=1e-8, atol=1e-14)


def test_measurements_serve_a_module_as_well():
    class MyLowPass(nn.Module):
        def __init__(self):
            super().__init__()
            self.R = nn.Parameter(torch.tensor(500.0, dtype=torch.float64))

        def forward(self, f):
            return cc.functional.low_pass_magnitude(f, self.R, 1e-6)

    data = cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5), noise=0.01)
    found, board = cc.fit(MyLowPass(), data), cc.fit(cc.LowPass(R=500.0), data)
    assert found.values["R"].item() == pytest.approx(board.values["R"].item(), rel=1e-6)
    assert found.errors["R"].item() == pytest.approx(board.errors["R"].item(), rel=1e-4)


def test_a_shared_layer_is_one_parameter():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(1, 1, bias=False).double()
            self.second = self.first

        def forward(self, x):
            return self.second(self.first(x))

    module = Twice()
    with torch.no_grad():
        module.first.weight.fill_(1.0)
    found = cc.fit(module, (X[:, :1], 9 * X[:, :1]))
    assert found.names == ("first.weight[0,0]",)
    assert module.second.weight.item() == pytest.approx(3.0)


def test_parts_of_a_module_held_fixed():
    layer = nn.Linear(3, 1).double()
    weight = layer.weight.detach().clone()
    found = cc.fit(layer, (X, Y), fixed=["weight"])
    assert torch.equal(layer.weight, weight) and list(found.values) == ["bias"]
    assert layer.bias.item() == pytest.approx((Y - X @ weight.T).mean().item())


def test_integer_inputs_stay_integers():
    table = nn.Embedding(4, 1).double()
    index = torch.tensor([0, 1, 2, 3, 0, 1])
    target = torch.tensor([1.0, 2.0, 3.0, 4.0, 1.0, 2.0], dtype=torch.float64).unsqueeze(-1)
    cc.fit(table, (index, target))
    torch.testing.assert_close(table.weight[:, 0].detach(), torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64))
