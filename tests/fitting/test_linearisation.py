"""Features against finite differences, their SVD against NumPy, and both against what a fit says about its data."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import circuits as cc
import losses
from circuits.errors import OptionError, ShapeError, UnknownName
from circuits.fitting.setup import make_problem
from circuits.fitting.theory.linearisation import Features, features, problem_features

F = cc.log_grid(80, 10.0, 1e6)


def freed(circuit: cc.Circuit) -> cc.Circuit:
    return circuit.requires_grad_(True)


def small_network(*sizes: int, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(inputs, outputs, dtype=torch.float64), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def by_differences(module: nn.Module, predict, *, relative: bool) -> np.ndarray:
    """∂ŷ/∂θ, or by the logarithms, by central differences of every element of every learnable parameter."""
    columns = []
    for parameter in module.parameters():
        if not parameter.requires_grad:
            continue
        flat = parameter.detach().reshape(-1)
        for i in range(len(flat)):
            value = flat[i].item()
            h = 1e-6 * (abs(value) if relative else 1.0)
            ends = []
            for sign in (1, -1):
                flat[i] = value + sign * h
                ends.append(predict().detach().reshape(-1).clone())
            flat[i] = value
            columns.append(((ends[0] - ends[1]) / (2 * h) * (value if relative else 1.0)).numpy())
    return np.stack(columns, -1)


CIRCUITS = {
    "low-pass": lambda: cc.LowPass(R=200.0),
    "loaded band-pass": lambda: freed(cc.LoadedBandPass(R_low=40.0, R_high=160.0)),
    "organ": lambda: cc.ColorOrgan(low=200.0, band=(40.0, 160.0), high=30.0),
    "Bode": lambda: cc.BodeBandPass(f_low=4000.0, f_high=1000.0),
}


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize("quantity", ["magnitude", "decibels"])
def test_features_of_a_circuit_are_differences_by_its_logarithms(name, quantity):
    circuit = CIRCUITS[name]()
    phi = features(circuit, F, quantity)
    expected = by_differences(circuit, lambda: circuit.predict(F, quantity), relative=True)
    np.testing.assert_allclose(phi.table, expected, rtol=1e-5, atol=1e-7)


def test_features_of_a_complex_response_are_pairs_of_numbers():
    phi = features(cc.LowPass(R=200.0), F, "response")
    x = 2 * math.pi * F.numpy() * 200e-6
    exact = -1j * x / (1 + 1j * x) ** 2  # dH/d ln R
    np.testing.assert_allclose(
        phi.table[:, 0].reshape(-1, 2).numpy(), np.stack([exact.real, exact.imag], -1), atol=1e-14
    )


def test_features_of_a_network_are_differences_by_its_weights():
    net = small_network(1, 4, 3, 1)
    x = torch.linspace(-1, 1, 30, dtype=torch.float64).unsqueeze(-1)
    phi = features(net, x)
    np.testing.assert_allclose(phi.table, by_differences(net, lambda: net(x), relative=False), atol=1e-8)
    assert phi.names[:2] == ("0.weight[0,0]", "0.weight[1,0]")


def test_linear_coordinates_are_derivatives_by_ohms():
    circuit = cc.LowPass(R=200.0)
    by_log, by_ohm = (features(circuit, F, coordinates=how).table for how in ("log", "linear"))
    torch.testing.assert_close(by_log, by_ohm * 200.0)


def test_the_decomposition_is_that_of_numpy():
    phi = features(cc.ColorOrgan(low=200.0, band=(40.0, 160.0), high=30.0), F)
    np.testing.assert_allclose(phi.singular_values, np.linalg.svd(phi.table.numpy(), compute_uv=False), rtol=1e-12)
    eye = torch.eye(4, dtype=torch.float64)
    torch.testing.assert_close(phi.principal.T @ phi.principal, eye)
    torch.testing.assert_close(phi.directions.T @ phi.directions, eye)
    again = phi.principal * phi.singular_values @ phi.directions.T
    torch.testing.assert_close(again, phi.table)
    assert (phi.directions.gather(0, phi.directions.abs().argmax(0, keepdim=True)) > 0).all()


FITTED = {
    "magnitudes": (lambda: cc.LowPass(R=500.0), "magnitude", None),
    "complex": (lambda: freed(cc.BandPass(R_low=50.0, R_high=150.0)), "response", None),
    "decibels with σ": (lambda: cc.LoadedBandPass(R_low=50.0, R_high=150.0), "decibels", losses.Decibel(sigma=0.1)),
    "a prior": (
        lambda: freed(cc.LowPass(R=500.0)),
        "magnitude",
        losses.Magnitude(0.01) + losses.Prior({"C": 1e-6}, 0.1),
    ),
}


@pytest.mark.parametrize("name", FITTED)
def test_singular_values_squared_are_the_eigenvalues_of_the_information_of_a_fit(name):
    make, quantity, loss = FITTED[name]
    circuit = make()
    problem = make_problem(circuit, cc.simulate(make(), F, quantity, noise=0.02, seed=1), loss)
    x = problem.start() + 0.1
    phi = problem_features(problem, x)
    curvature = problem.quadratic(x).curvature[0]
    eigenvalues = np.linalg.eigvalsh(curvature.numpy())[::-1].copy()
    largest = eigenvalues[0]
    np.testing.assert_allclose(phi.singular_values**2, eigenvalues, rtol=1e-9, atol=1e-13 * largest)


def test_weights_of_the_fit_features_are_those_of_the_mean_square():
    circuit = cc.BandPass(R_low=50.0, R_high=150.0)
    problem = make_problem(circuit, cc.simulate(cc.BandPass(R_low=40.0, R_high=160.0), F))
    weighted = problem_features(problem, problem.start()).table
    torch.testing.assert_close(weighted, features(circuit, F).table * math.sqrt(2 / len(F)))


def test_a_network_has_the_information_of_its_features_too():
    x = torch.linspace(-1, 1, 30, dtype=torch.float64).unsqueeze(-1)
    net = small_network(1, 4, 1)
    problem = make_problem(net, (x, x.sin()))
    phi = problem_features(problem, problem.start())
    torch.testing.assert_close(phi.table, features(net, x).table * math.sqrt(2 / 30))
    eigenvalues = torch.linalg.eigvalsh(problem.quadratic(problem.start()).curvature[0]).flip(0)
    torch.testing.assert_close(phi.singular_values**2, eigenvalues, rtol=1e-8, atol=1e-12)


def test_the_covariance_of_a_fit_is_the_inverse_of_its_features():
    circuit = cc.LoadedBandPass(R_low=50.0, R_high=150.0)
    data = cc.simulate(cc.LoadedBandPass(R_low=40.0, R_high=160.0), F, "magnitude", noise=0.01, seed=4)
    found = cc.fit(circuit, data, losses.Magnitude(sigma=0.01))
    phi = problem_features(found.final_problem(), found.end)
    inverse = phi.directions / phi.singular_values**2 @ phi.directions.T * (2 / len(F))
    values = torch.stack(list(found.values.values()))
    torch.testing.assert_close(found.covariance, inverse * values.unsqueeze(-1) * values, rtol=1e-8, atol=0)


def test_of_a_free_low_pass_only_the_product_is_seen():
    circuit = freed(cc.LowPass(R=200.0))
    phi = features(circuit, F)
    assert phi.rank == 1
    assert phi.singular_values[1] < 1e-15 * phi.singular_values[0]
    assert phi.combination(0) == pytest.approx({"R": math.sqrt(0.5), "C": math.sqrt(0.5)})
    unseen = phi.combination(1)
    assert unseen["R"] == pytest.approx(-unseen["C"])
    verdict = cc.fit(circuit, cc.simulate(cc.LowPass(R=300.0), F)).identifiability
    assert [one.name for one in verdict.together] == ["R·C"]


def test_of_a_loaded_band_pass_three_combinations_are_seen_and_the_impedance_level_is_not():
    circuit = freed(cc.LoadedBandPass(R_low=40.0, R_high=160.0))
    for quantity in ("magnitude", "response"):
        phi = features(circuit, F, quantity)
        assert phi.rank == 3
        hidden = phi.directions[:, 3]
        # all resistors up and all capacitors down by one factor change nothing: R ↦ aR, C ↦ C/a
        torch.testing.assert_close(hidden / hidden[0], torch.tensor([1.0, 1.0, -1.0, -1.0]).double())
    found = cc.fit(circuit, cc.simulate(cc.LoadedBandPass(R_low=42.0, R_high=150.0), F, "response"))
    assert len(found.identifiability.together) == 3


def test_filters_that_share_nothing_share_no_principal_feature():
    phi = features(cc.ColorOrgan(low=198.944, band=(39.789, 159.155), high=31.831), F)
    assert phi.rank == 4
    owners = torch.tensor([0, 1, 1, 2])
    for k in range(4):
        share = torch.zeros(3).double().index_add_(0, owners, phi.directions[:, k].square())
        assert share.max().item() == pytest.approx(1, abs=1e-12)
    band = [k for k in range(4) if abs(phi.combination(k)["band.R_low"]) > 0.1]
    # opposite moves change the width of the band and weigh more than equal ones, which shift it
    signs = [phi.combination(k)["band.R_low"] * phi.combination(k)["band.R_high"] for k in band]
    assert signs[0] < 0 < signs[1]


def test_three_tones_spread_over_the_corners_see_hundreds_of_times_more():
    circuit = cc.BandPass(R_low=39.789, R_high=159.155)
    near, spread = (
        features(circuit, three).singular_values[-1] for three in ([100.0, 200.0, 300.0], [500.0, 2000.0, 8000.0])
    )
    assert spread > 300 * near


def test_two_corners_close_together_are_told_apart_only_by_what_lies_between():
    def smallest(ratio: float) -> float:
        phi = features(cc.Bode(poles=[1000.0, 1000.0 * ratio]), F, "decibels", fixed=["gain"])
        return (phi.singular_values[1] / phi.singular_values[0]).item()

    ratios = [smallest(ratio) for ratio in (1.0, 1.5, 3.0, 30.0)]
    assert ratios[0] < 1e-15
    assert sorted(ratios) == ratios
    # a step function of height 20/ln 10 each: the Gram matrix is n₂ of both, n₁ − n₂ of the first alone
    n = [(corner < F).sum().item() for corner in (1000.0, 3000.0)]
    gram = (20 / math.log(10)) ** 2 * np.array([[n[0], n[1]], [n[1], n[1]]])
    low, high = np.linalg.eigvalsh(gram)
    assert ratios[2] == pytest.approx(math.sqrt(low / high), rel=1e-9)


def test_a_change_along_the_features_is_least_squares():
    phi = features(small_network(1, 4, 1), torch.linspace(-1, 1, 30, dtype=torch.float64).unsqueeze(-1))
    target = torch.linspace(0, 1, 30, dtype=torch.float64).square()
    cut = float(phi.singular_values[5] / phi.singular_values[0]) * 0.99
    expected = np.linalg.lstsq(phi.table.numpy(), target.numpy(), rcond=cut)[0]
    np.testing.assert_allclose(phi.change(target, 6), expected, rtol=1e-8)
    left = (target - phi.table @ phi.change(target)).square().sum() / target.square().sum()
    assert phi.captured(target)[-1].item() == pytest.approx(1 - left.item(), abs=1e-9)
    two = phi.table @ phi.change(target, 2)
    assert phi.captured(target)[1].item() == pytest.approx((two @ two / (target @ target)).item(), rel=1e-9)


def test_a_gauss_newton_step_is_a_change_along_the_features():
    circuit = cc.BandPass(R_low=50.0, R_high=150.0)
    data = cc.simulate(cc.BandPass(R_low=40.0, R_high=160.0), F)
    phi = features(circuit, F)
    change = phi.change(data.values - circuit(F).detach())
    problem = make_problem(circuit, data)
    at = problem.quadratic(problem.start())
    expected = -torch.linalg.solve(at.curvature, at.gradient.unsqueeze(-1)).flatten()
    torch.testing.assert_close(change, expected, rtol=1e-8, atol=0)


def test_a_small_change_is_what_the_model_does():
    circuit = cc.BandPass(R_low=50.0, R_high=150.0)
    before, phi, delta = circuit(F).detach(), features(circuit, F), 1e-5
    after = cc.BandPass(R_low=50.0 * math.exp(delta), R_high=150.0 * math.exp(-delta))(F).detach()
    step = torch.tensor([delta, -delta], dtype=torch.float64)
    torch.testing.assert_close(after - before, phi.table @ step, rtol=0, atol=1e-9)


def test_principal_features_go_on_into_another_range():
    net = small_network(1, 6, 1)
    here, there = (torch.linspace(*ends, 40, dtype=torch.float64).unsqueeze(-1) for ends in ((-1, 1), (1, 3)))
    phi = features(net, here)
    torch.testing.assert_close(phi.continued(phi, 5), phi.principal[:, :5], rtol=1e-8, atol=1e-8)
    target = here.flatten().sin()
    other = features(net, there)
    along = phi.principal[:, :5].T @ target
    torch.testing.assert_close(other.table @ phi.change(target, 5), phi.continued(other, 5) @ along)


LOW, HIGH = cc.log_grid(60, 10.0, 1e4), cc.log_grid(60, 1e4, 1e6)
TRUTH = cc.BandPass(R_low=39.789, R_high=159.155)


def decades(f: torch.Tensor) -> torch.Tensor:
    return ((f.log10() - 2.5) / 1.5).unsqueeze(-1)


def relu_network(*sizes: int, seed: int = 0, bias: float = 1.0) -> nn.Sequential:
    """He's weights, and biases that spread the elbows."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(inputs, outputs, dtype=torch.float64), nn.ReLU()]
    net = nn.Sequential(*layers[:-1])
    for parameter in net.parameters():
        if parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter, nonlinearity="relu")
        else:
            nn.init.uniform_(parameter, -bias, bias)
    return net


SHALLOW, DEEP = (1, 60, 1), (1, 20, 20, 20, 20, 1)


@pytest.mark.parametrize("sizes", [SHALLOW, DEEP], ids=["shallow", "deep"])
def test_without_biases_a_relu_network_of_any_depth_has_four_features(sizes):
    """Every elbow lies at zero: what can be added is x and 1, each on one side of it and on the other."""
    net = relu_network(*sizes, bias=0.0)
    phi = features(net, decades(LOW))
    assert phi.rank == 4
    x = decades(LOW).flatten()
    for made in (x.relu(), (-x).relu(), (x > 0).double(), (x < 0).double()):
        assert phi.captured(made)[-1].item() == pytest.approx(1, abs=1e-9)
    assert features(relu_network(*sizes), decades(LOW)).rank > 20


@pytest.mark.parametrize("seed", [0, 1])
def test_training_leaves_the_features_of_a_wide_layer_and_turns_those_of_a_deep_network(seed):
    x, y = decades(LOW), TRUTH(LOW).detach().unsqueeze(-1)
    kept = []
    for sizes in (SHALLOW, DEEP):
        net = relu_network(*sizes, seed=seed)
        before = features(net, x)
        assert before.shared(before, 6) == pytest.approx(1)
        found = cc.fit(net, (x, y), method=cc.GradientDescent(lr=0.05), stop=cc.Stop(steps=1500))
        assert found.loss < 0.02 * y.var().item()
        kept.append(before.shared(features(net, x), 6))
    assert kept[0] > kept[1] + 0.02, kept


@pytest.mark.parametrize("sizes", [SHALLOW, DEEP], ids=["shallow", "deep"])
def test_features_of_a_network_say_nothing_of_an_unseen_range_and_those_of_a_circuit_do(sizes):
    y, unseen = TRUTH(LOW).detach(), TRUTH(HIGH).detach()
    net = relu_network(*sizes)
    here, there = features(net, decades(LOW)), features(net, decades(HIGH))
    start, beyond = (net(decades(f)).detach().flatten() for f in (LOW, HIGH))
    change = here.change(y - start, 10)
    seen_error = (start + here.table @ change - y).square().mean()
    unseen_error = (beyond + there.table @ change - unseen).square().mean()
    assert unseen_error > 100 * seen_error
    assert unseen_error > 3 * unseen.square().mean()
    circuit = cc.BandPass(R_low=100.0, R_high=100.0)
    cc.fit(circuit, (LOW, y))
    torch.testing.assert_close(circuit(HIGH).detach(), unseen, rtol=1e-6, atol=0)


def test_a_range_far_below_a_corner_hardly_sees_it():
    circuit = cc.BandPass(R_low=39.789, R_high=159.155)
    below, whole = features(circuit, cc.log_grid(60, 10.0, 300.0)), features(circuit, F)
    ratio = [phi.singular_values[0] / phi.singular_values[-1] for phi in (below, whole)]
    assert ratio[0] > 400
    assert ratio[1] < 2
    assert abs(below.combination(1)["R_low"]) > 0.999  # the low-pass at 4 kHz is what is hardly seen


def test_bad_input_is_refused_in_one_sentence():
    with pytest.raises(ShapeError, match="single board"):
        features(cc.LowPass(R=[1.0, 2.0]), F)
    with pytest.raises(UnknownName, match="quantity"):
        features(cc.LowPass(R=1.0), F, "loudness")
    with pytest.raises(UnknownName, match="component"):
        features(cc.LowPass(R=1.0), F, fixed=["L"])
    with pytest.raises(OptionError, match="nothing to fit"):
        features(cc.LowPass(R=1.0), F, fixed=["R"])
    phi = features(cc.LowPass(R=1.0), F)
    with pytest.raises(ShapeError, match="3 numbers"):
        phi.change(torch.ones(3))
    with pytest.raises(OptionError, match="rank 1"):
        phi.change(torch.ones(80), count=2)
    with pytest.raises(ShapeError, match="the same 1"):
        phi.continued(features(cc.BandPass(), F))
    with pytest.raises(ShapeError, match="the same 80"):
        phi.shared(features(cc.LowPass(R=1.0), F[:3]), 1)
    with pytest.raises(cc.OhmgradError, match="positive"):
        features(cc.LowPass(R=1.0), [0.0, 1.0])


def test_what_is_unseen_captures_nothing():
    # the second left singular vector of two equal columns is arbitrary, and no change of the values makes it
    phi = Features(("R", "C"), torch.tensor([[1.0, 1.0], [0.0, 0.0]], dtype=torch.float64))
    captured = phi.captured(torch.tensor([1.0, 3.0], dtype=torch.float64))
    torch.testing.assert_close(captured, torch.tensor([0.1, 0.1], dtype=torch.float64))


def test_features_that_see_nothing_have_rank_zero():
    phi = Features(("a",), torch.zeros(4, 1))
    assert phi.rank == 0
    assert phi.change(torch.ones(4)).tolist() == [0.0]


def test_a_fit_tells_the_features_of_the_board_that_is_asked_for():
    truth = cc.BandPass([40.0, 60.0], [160.0, 300.0])
    found = cc.fit(cc.BandPass([100.0] * 2, [100.0] * 2), cc.simulate(truth, cc.log_grid(80, 10.0, 1e5), noise=0.01))
    for board in (0, 1):
        phi = found.features(board)
        curvature = found.final_problem(board).quadratic(found.end[board : board + 1]).curvature[0]
        torch.testing.assert_close(phi.table.T @ phi.table, curvature, rtol=1e-10, atol=0)
        assert str(phi).startswith("2 of 2 combinations of R_low, R_high can be seen in 80 numbers")
    assert not torch.allclose(found.features(0).singular_values, found.features(1).singular_values)
