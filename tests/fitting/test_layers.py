"""Norms by layer: against sums written by hand, and the four initialisations of four hidden layers of 20."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import circuits as cc
import losses
from circuits.errors import OptionError, ShapeError
from circuits.fitting.theory.layers import layer_norms

F = cc.log_grid(64, 10.0, 1e6)
X = ((F.log10() - 3.5) / 1.5).unsqueeze(-1)
Y = cc.BandPass(R_low=39.789, R_high=159.155)(F).detach().unsqueeze(-1)
SIZES = (1, 20, 20, 20, 20, 1)
HIDDEN = ("1", "3", "5", "7")


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = []
    for inputs, outputs in zip(SIZES, SIZES[1:], strict=False):
        layers += [nn.Linear(inputs, outputs, dtype=torch.float64), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def drawn(kind: str, seed: int = 0) -> nn.Sequential:
    net = network(seed)
    for parameter in net.parameters():
        if kind == "he" and parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter, nonlinearity="relu")
        elif kind in ("zero", "he"):
            nn.init.zeros_(parameter)
        else:
            nn.init.uniform_(parameter, -float(kind), float(kind))
    return net


def trained(kind: str, steps: int = 300):
    return cc.fit(drawn(kind), (X, Y), method=cc.GradientDescent(lr=0.05), stop=cc.Stop(steps=steps))


def test_norms_are_those_of_a_network_worked_out_in_numpy():
    net = drawn("0.8")
    norms = layer_norms(net, X, Y)
    arrays = [p.detach().numpy() for p in net.parameters()]
    weights, biases = arrays[0::2], arrays[1::2]
    h, sums, outs = X.numpy(), [], [X.numpy()]
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        sums.append(h @ w.T + b)
        h = np.maximum(sums[-1], 0) if i < 4 else sums[-1]
        outs.append(h)
    back = 2 * (h - Y.numpy()) / len(Y)
    signals, gradients = {}, {}
    for i in range(4, -1, -1):
        if i < 4:
            signals[f"{2 * i + 1}"] = np.linalg.norm(back)
            back = back * (sums[i] > 0)
        signals[f"{2 * i}"] = np.linalg.norm(back)
        gradients[f"{2 * i}.weight"] = np.linalg.norm(back.T @ outs[i])
        gradients[f"{2 * i}.bias"] = np.linalg.norm(back.sum(0))
        back = back @ weights[i]
    assert norms.layers == tuple(str(i) for i in range(9))
    np.testing.assert_allclose(norms.signals, [signals[name] for name in norms.layers], rtol=1e-10)
    np.testing.assert_allclose(norms.gradients, [gradients[name] for name in norms.parameters], rtol=1e-10)
    np.testing.assert_allclose(norms.sizes, [np.linalg.norm(a) for a in arrays], rtol=1e-12)
    rms = [np.sqrt(np.mean(np.maximum(s, 0) ** 2)) for s in sums[:4]]
    np.testing.assert_allclose(norms.activations_of(HIDDEN), rms, rtol=1e-12)
    assert norms.loss == pytest.approx(np.mean((h - Y.numpy()) ** 2), rel=1e-12)


def test_nothing_is_left_behind_in_the_module():
    net = drawn("he")
    layer_norms(net, X, Y)
    assert all(p.grad is None for p in net.parameters())
    assert all(not part._forward_hooks for part in net.modules())


def test_zero_weights_have_zero_gradients_and_stay_zero():
    norms = layer_norms(drawn("zero"), X, Y)
    assert norms.gradients[:-1].abs().max() == 0
    found = trained("zero")
    moved = {name: value.abs().max().item() for name, value in found.values.items()}
    assert [name for name, size in moved.items() if size > 0] == ["8.bias"]
    # all that can be learned is the mean
    assert found.loss == pytest.approx(Y.var(correction=0).item(), rel=1e-6)


def test_small_weights_let_the_gradient_vanish():
    weights = layer_norms(drawn("0.03"), X, Y).gradient_of("weight")
    assert (weights.diff() > 0).all()
    assert weights[0] < 1e-4 * weights[-1]
    assert trained("0.03", 1000).loss > 0.99 * Y.var(correction=0).item()


def test_large_weights_let_everything_explode_until_no_number_is_left():
    norms = layer_norms(drawn("3"), X, Y)
    grown = norms.activations_of(HIDDEN)
    assert (grown[1:] > 3 * grown[:-1]).all()
    assert norms.gradient_of("weight").min() > 1e5
    found = trained("3")
    assert found.reason == "not finite"
    assert not found.converged
    assert not math.isfinite(found.history.loss[-1, 0].item())
    assert found.steps < 10
    # what is given back is the best finite state, not the wreck
    assert all(bool(value.isfinite().all()) for value in found.values.values())


def test_he_keeps_the_norms_and_learns():
    weights = torch.stack([layer_norms(drawn("he", seed), X, Y).activations_of(HIDDEN) for seed in range(200)])
    square = weights.square().mean(0)
    # E‖h‖² is the same in every layer: He et al., 2015
    torch.testing.assert_close(square[1:] / square[:-1], torch.ones(3).double(), rtol=0.15, atol=0)
    gradients = layer_norms(drawn("he"), X, Y).gradient_of("weight")
    assert gradients.max() < 6 * gradients.min()
    assert trained("he", 1000).loss < 0.1 * Y.var(correction=0).item()


RULES = {
    "±0.03": (lambda p: nn.init.uniform_(p, -0.03, 0.03), 0.03 * math.sqrt(20 / 6)),
    "±3": (lambda p: nn.init.uniform_(p, -3, 3), 3 * math.sqrt(20 / 6)),
    "±√0.3": (lambda p: nn.init.uniform_(p, -math.sqrt(0.3), math.sqrt(0.3)), 1.0),
    "He": (lambda p: nn.init.kaiming_normal_(p, nonlinearity="relu"), 1.0),
    "Glorot": (nn.init.xavier_normal_, math.sqrt(0.5)),
}


@pytest.mark.parametrize("name", RULES)
def test_a_layer_multiplies_the_gradient_by_the_root_of_half_its_width_times_the_variance(name):
    draw, expected = RULES[name]
    squares = []
    for seed in range(100):
        net = network(seed)
        for parameter in net.parameters():
            draw(parameter) if parameter.ndim > 1 else nn.init.zeros_(parameter)
        arriving = layer_norms(net, X, Y).signals_of(HIDDEN)
        squares.append((arriving / arriving[-1]).square())
    mean = torch.stack(squares).mean(0).sqrt()
    assert float(mean[0] / mean[-1]) ** (1 / 3) == pytest.approx(expected, rel=0.08)


def test_units_that_start_alike_stay_alike():
    net = network()
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.1 if parameter.ndim > 1 else 0.0)
    assert (layer_norms(net, X, Y).gradient_of("weight") > 0.1).all()
    found = cc.fit(net, (X, Y), method=cc.GradientDescent(lr=0.05), stop=cc.Stop(steps=200))
    first, second = found.values["0.weight"], found.values["2.weight"]
    assert (first - 0.1).abs().min() > 0.01  # they did move
    assert first.std() < 1e-12
    assert second.std() < 1e-12


def test_a_circuit_is_one_layer_and_its_relative_gradient_has_no_unit():
    f, truth = [100.0, 1000.0, 5000.0], cc.LowPass(R=200.0)
    y = truth(f).detach()
    x = 2 * math.pi * np.array(f) * 900.0 * 1e-6
    low = 1 / np.sqrt(1 + x**2)
    slope = np.mean(2 * (low - y.numpy()) * -(x**2) * low**3)  # dL/d ln R
    norms = layer_norms(cc.LowPass(R=900.0), f, y, losses.Magnitude())
    assert norms.layers == ("LowPass",)
    assert norms.parameters == ("R",)
    assert norms.relative.item() == pytest.approx(abs(slope), rel=1e-12)
    assert norms.gradients.item() == pytest.approx(abs(slope) / 900.0, rel=1e-12)


def test_the_gradient_of_a_circuit_vanishes_far_from_its_data():
    f = cc.log_grid(200, 100.0, 1e4)
    y = cc.LowPass(R=200.0)(f).detach()

    def pull(R):
        return layer_norms(cc.LowPass(R=R), f, y).relative.item()

    # dL/d ln R falls as R² towards small values and as 1/R towards large ones
    assert pull(1e-3) / pull(1e-2) == pytest.approx(0.01, rel=1e-3)
    assert pull(1e8) / pull(1e7) == pytest.approx(0.1, rel=1e-3)
    assert pull(1.0) < 0.01 * pull(500.0)
    assert pull(1e6) < 0.01 * pull(500.0)


def test_in_ohms_the_band_pass_at_900_ohms_stands_on_a_plain_that_logarithms_do_not_see():
    f = cc.tones(1000)
    y = cc.BandPass(R_low=39.789, R_high=159.155)(f).detach()
    far, near = (layer_norms(cc.BandPass(R_low=R, R_high=S), f, y) for R, S in ((900.0, 900.0), (50.0, 200.0)))
    low = far.parameters.index("R_low")
    assert far.loss > 50 * near.loss
    assert far.gradients[low] < 0.1 * near.gradients[low]  # per ohm
    assert far.relative[low] > near.relative[low]  # per percent


def test_on_the_plain_descent_stands_still_and_gauss_newton_walks_off():
    f = cc.log_grid(200, 100.0, 1e4)
    data = cc.Measurements(f, "magnitude", cc.LowPass(R=200.0)(f).detach())
    starts = torch.logspace(0, 6, 7, dtype=torch.float64)

    def ends(method, coordinates):
        stop = cc.Stop(steps=200)
        found = cc.fit(cc.LowPass(R=starts), data, method=method, coordinates=coordinates, stop=stop)
        return found.values["R"]

    in_ohms = ends(cc.GradientDescent(lr=1e4), "linear")
    assert in_ohms[-1].item() == pytest.approx(1e6, rel=1e-6)
    in_logarithms = ends(cc.GradientDescent(lr=5.0), "log")
    torch.testing.assert_close(in_logarithms[:6], torch.full((6,), 200.0).double(), rtol=1e-3, atol=0)
    assert in_logarithms[-1] > 1e5
    newton = ends(cc.LevenbergMarquardt(), "log")
    torch.testing.assert_close(newton, torch.full((7,), 200.0).double(), rtol=1e-6, atol=0)


def test_parts_are_heard_by_name_and_several_inputs_unpacked():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(1, 2), nn.Linear(1, 2)

        def forward(self, a, b):
            return self.left(a) * self.right(b)

    x = torch.ones(3, 1)
    norms = layer_norms(Two(), (x, x), torch.zeros(3, 2))
    assert norms.layers == ("left", "right")
    assert "left.weight" in str(norms)


def test_a_module_that_learns_nothing_is_refused():
    board = cc.LowPass(R=1.0)
    board.R.requires_grad_(False)
    with pytest.raises(OptionError, match="learns"):
        layer_norms(board, [1.0], [1.0])

    class Deaf(nn.Linear):
        def forward(self, input):  # the name that nn.Linear gives it
            return input

    with pytest.raises(OptionError, match="does not depend"):
        layer_norms(Deaf(1, 1), torch.ones(2, 1), torch.ones(2, 1))


def test_a_module_that_returns_no_tensor_is_refused():
    class Pair(nn.Linear):
        def forward(self, input):  # the name that nn.Linear gives it
            return super().forward(input), input

    with pytest.raises(ShapeError, match="tuple"):
        layer_norms(Pair(1, 1), torch.ones(2, 1), torch.ones(2, 1))
