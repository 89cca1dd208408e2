"""Second opinions: the pattern of residuals, fits in other quantities, weights, other minima, and files together."""

from dataclasses import replace

import pytest
import torch

import circuits as cc
import losses
from circuits.errors import DataError, OptionError, ShapeError, UnknownName
from circuits.lab import Bench, Joint, compare_quantities, fit_jointly, join, residual_pattern, weigh

F = cc.log_grid(60, 10.0, 1e5)


# residuals


def test_noise_passes_and_a_wrong_circuit_does_not():
    alarms = 0
    for seed in range(40):
        data = cc.simulate(cc.LowPass(R=200.0), F, "response", noise=0.01, seed=seed)
        alarms += not residual_pattern(cc.fit(cc.LowPass(R=500.0), data, history=False)).is_noise
    assert alarms == 0
    wrong = cc.fit(cc.BandPass(500.0, 500.0), cc.simulate(cc.LoadedBandPass(200.0, 400.0), F, noise=0.005))
    pattern = residual_pattern(wrong)
    assert not pattern.is_noise and pattern.longest >= 8 and F[0] <= pattern.low < pattern.high <= F[-1]
    assert "points in a row lie" in str(pattern)


def test_runs_are_counted_as_wald_and_wolfowitz_do():
    signs = torch.tensor([1.0, 1, -1, -1, -1, 1, -1, 1, 1, 1, -1, -1], dtype=torch.float64)
    board = cc.LowPass(R=200.0)
    board.C.requires_grad_(True)
    f = cc.log_grid(12, 10.0, 1e5)
    data = cc.Measurements(f.flip(0), "magnitude", (board(f).detach() + 1e-3 * signs).flip(0), sigma=1e-3)
    fixed = cc.fit(board, data, stop=cc.Stop(steps=0))
    pattern = residual_pattern(fixed)
    mean, variance = 2 * 6 * 6 / 12 + 1, 72 * (72 - 12) / (144 * 11)
    assert pattern.runs == 6 and pattern.expected == mean
    assert pattern.deviations == pytest.approx((mean - 6) / variance**0.5)
    assert (pattern.longest, pattern.sign) == (3, -1) and pattern.low == f[2]
    assert pattern.worst_size == pytest.approx(1.0, rel=1e-6)


def test_nothing_is_said_of_leds_or_of_exact_data():
    exact = cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), F))
    assert residual_pattern(exact) is None
    assert residual_pattern(cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), F, "led"))) is None


# quantities


def test_fits_of_clean_noise_agree_and_of_a_bent_scale_do_not():
    board = Bench(cc.LowPass(R=500.0))
    truth = cc.LowPass(R=200.0)
    several = [cc.simulate(truth, F[:40], "response", noise=0.003, seed=seed) for seed in range(10)]
    assert sum(not compare_quantities(board, one).agree for one in several) <= 1
    data = several[2]
    found = compare_quantities(board, data)
    assert list(found.fits) == ["response", "magnitude", "decibels", "phase"]
    assert board.R.item() == 500.0  # the circuit is left alone
    bent = replace(data, values=data.values + 0.05, sigma=None)  # as a leak from input to output does
    found = compare_quantities(board, bent)
    assert not found.agree and any(one.component == "R" for one in found.disagreements)
    assert "disagree beyond their errors" in str(found)
    with pytest.raises(OptionError, match="cannot compare fits of led"):
        compare_quantities(board, cc.simulate(board, F, "led"))


# weights


def test_weights_are_what_they_are_called():
    data = cc.Measurements([1.0, 2.0, 3.0], "magnitude", [0.5, 0.05, float("nan")], sigma=0.01)
    _, loss = weigh(data, "modulus")
    assert loss.weights[:2].tolist() == pytest.approx([4.0, 400.0])
    assert weigh(data, "unit")[0].sigma is None and weigh(data, "sigma")[0] is data
    assert isinstance(weigh(cc.Measurements([1.0], "response", [1j]), "modulus")[1], losses.Relative)
    with pytest.raises(OptionError, match="no modulus"):
        weigh(cc.Measurements([1.0], "phase", [1.0]), "modulus")
    with pytest.raises(OptionError, match="no uncertainty"):
        weigh(cc.Measurements([1.0], "phase", [1.0]), "sigma")
    with pytest.raises(UnknownName):
        weigh(data, "loud")


# other minima


def test_twins_are_named_and_valleys_are_not():
    text = "two\nV1 in 0 AC 1\nR1 in a 1k\nC1 a 0 1u\nE1 b 0 a 0 1\nR2 b out 100\nC2 out 0 1u"
    net = cc.read_netlist(text, learn="R*")
    notes = cc.fit(net, cc.simulate(cc.read_netlist(text), F), starts=20).notes
    assert len(notes) == 1 and notes[0].startswith("another minimum fits as well: R1 = ")
    valley = cc.LowPass(R=500.0)
    valley.C.requires_grad_(True)
    assert cc.fit(valley, cc.simulate(cc.LowPass(R=200.0), F, noise=0.01), starts=20).notes == ()
    assert cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), F), starts=20).notes == ()


# together


def test_joined_measurements_are_nan_where_nothing_was_measured():
    low = cc.Measurements([100.0, 1e3], "magnitude", [0.9, 0.5], sigma=0.1)
    high = cc.Measurements([1e3, 1e4], "decibels", [[-20.0, 0.0], [-3.0, -6.0]], sigma=0.2, outputs=("a", "b"))
    both = join({"low": low, "high": high})
    assert both.outputs == ("low", "high.a", "high.b") and both.f.tolist() == [100.0, 1e3, 1e4]
    assert both.values[0, :2].tolist() == [0.9, 0.5] and both.values[1, 1].item() == pytest.approx(0.1)
    assert both.values.isnan().tolist() == [[False, False, True], [True, False, False], [True, False, False]]
    with pytest.raises(DataError):
        join({"low": low, "phase": cc.Measurements([1.0], "phase", [1.0])})
    with pytest.raises(OptionError, match="nothing to join"):
        join({})


def test_the_jacobian_of_a_joint_circuit_is_that_of_autograd():
    from circuits.circuit import point_is_a_board

    joint = Joint(
        {"low": Bench(cc.LowPass(R=[300.0, 400.0])), "organ": cc.ColorOrgan(200.0, (40.0, 160.0), 30.0)}, shared=[]
    )
    names = [name for name, _ in joint.named_parameters(remove_duplicate=False)]
    for quantity in ("response", "decibels"):
        for found, expected in zip(
            joint.linearize(F, quantity, names), point_is_a_board(joint, F, quantity, names), strict=True
        ):
            assert found.shape == expected.shape and torch.allclose(found, expected, rtol=1e-8, atol=1e-10)


def test_shared_components_are_one_and_each_file_weighs_by_its_own_noise():
    low = replace(cc.simulate(cc.LowPass(R=200.0), F, noise=0.1, seed=1), sigma=None)
    high = replace(cc.simulate(cc.HighPass(R=200.0), F[10:], noise=0.001, seed=2), sigma=None)
    boards = {"low": Bench(cc.LowPass(R=300.0)), "high": Bench(cc.HighPass(R=100.0))}
    found = fit_jointly(boards, {"low": low, "high": high}, shared=["R", "C"])
    alone = cc.fit(Bench(cc.HighPass(R=100.0)), high)
    assert found.names == ("low.R", "low.gain", "high.gain")
    assert boards["high"].inner.R is boards["low"].R
    assert float(found.errors["low.R"]) == pytest.approx(float(alone.errors["R"]), rel=0.1)
    assert float(found.errors["low.gain"]) > 20 * float(found.errors["high.gain"])


def test_what_cannot_be_shared_is_said():
    members = {"low": cc.LowPass(R=1.0), "band": cc.BandPass(1.0, 1.0)}
    with pytest.raises(UnknownName, match="component that two circuits share"):
        Joint(members, shared=["R"])
    with pytest.raises(ShapeError, match="one shape"):
        Joint({"a": cc.LowPass(R=1.0), "b": cc.LowPass(R=[1.0, 2.0])}, shared=["R"])
    with pytest.raises(UnknownName, match="no measurement and circuit called"):
        fit_jointly({"a": cc.LowPass(R=1.0)}, {"b": cc.simulate(cc.LowPass(R=1.0), F)}, shared=[])
