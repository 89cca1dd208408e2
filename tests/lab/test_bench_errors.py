"""Errors that can be believed with nuisances on: coverage on many boards, and what is said where there can be none."""

import pytest
import torch

import circuits as cc
from circuits.lab import Bench

F = cc.log_grid(40, 20.0, 2e4)
BOARDS = 1500
NETLIST = "low-pass\nV1 in 0 AC 1\nR1 in out 500 ; @learn\nC1 out 0 1u ; @learn\n"


def coverage(values, truth, errors):
    return float(((values - truth).abs() < errors).double().mean())


@pytest.mark.parametrize("sigma", [None, 0.01])
def test_two_boards_in_three_lie_within_one_error(sigma):
    noise = 0.01 * torch.randn(BOARDS, len(F), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    seen = 1.07 * cc.LowPass(R=200.0)(F).detach() + noise
    found = cc.fit(Bench(cc.LowPass(R=[300.0] * BOARDS)), cc.Measurements(F, "magnitude", seen, sigma=sigma))
    for name, truth in (("R", 200.0), ("gain", 1.07)):
        assert coverage(found.values[name], truth, found.errors[name]) == pytest.approx(0.68, abs=0.04)


def test_the_same_with_a_delay_and_a_gain_of_each_output():
    organ = cc.ColorOrgan(200.0, (40.0, 160.0), 30.0)
    gains = torch.tensor([[1.1], [1.0], [0.9]], dtype=torch.float64)
    clean = gains * organ.response(F).detach() * torch.exp(-2j * torch.pi * F * 1e-6)
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(400, 3, len(F), 2, generator=generator, dtype=torch.float64)
    seen = clean + 0.01 * torch.view_as_complex(noise)
    boards = cc.ColorOrgan([300.0] * 400, ([50.0] * 400, [200.0] * 400), [40.0] * 400)
    bench = Bench(boards, gain=["low", "high"], delay=True)
    found = cc.fit(bench, cc.Measurements(F, "response", seen, outputs=organ.outputs))
    truth = {"low.R": 200.0, "band.R_low": 40.0, "band.R_high": 160.0, "high.R": 30.0}
    truth |= {"gain_low": 1.1, "gain_high": 0.9, "delay": 1e-6}
    shares = [coverage(found.values[name], value, found.errors[name]) for name, value in truth.items()]
    assert sum(shares) / len(shares) == pytest.approx(0.68, abs=0.04)


PRODUCTS = {
    "low": (lambda: cc.LowPass(R=300.0), {"R·C"}),
    "high": (lambda: cc.HighPass(R=300.0), {"R·C"}),
    "band": (lambda: cc.BandPass(300.0, 900.0), {"R_low·C_low", "R_high·C_high"}),
    "organ": (
        lambda: cc.ColorOrgan(200.0, (40.0, 160.0), 30.0),
        {"low.R·low.C", "band.R_low·band.C_low", "band.R_high·band.C_high", "high.R·high.C"},
    ),
    "netlist": (lambda: cc.read_netlist(NETLIST), {"R1·C1"}),
}


@pytest.mark.parametrize("quantity", ["magnitude", "decibels", "response"])
@pytest.mark.parametrize("bench", [None, {"gain": True}, {"gain": True, "delay": True}], ids=["plain", "gain", "delay"])
@pytest.mark.parametrize(("make", "products"), PRODUCTS.values(), ids=PRODUCTS)
def test_only_the_product_is_known_where_nothing_else_is(make, products, bench, quantity):
    circuit = make()
    data = cc.simulate(make(), F, quantity, noise=0.01)
    for name, parameter in circuit.named_parameters():
        if name.rpartition(".")[2].startswith("C"):
            parameter.requires_grad_(True)
    circuit = circuit if bench is None else Bench(circuit, **bench)
    verdict = cc.fit(circuit, data, history=False).identifiability
    assert {one.name for one in verdict.together} == products and not verdict.mingled
    assert ("gain" in verdict.determined) is (bench is not None)
    if bench is not None and "delay" in bench:
        assert ("delay" in verdict.determined) is (quantity == "response")


def test_a_gain_that_only_scales_a_product_is_named_with_it():
    """A high-pass far below its corner: |H| = g·2πfRC and no more."""
    circuit = cc.read_netlist("h\nV1 in 0 AC 1\nE1 x 0 in 0 {k}\nR1 x out 1k\nR2 out 0 1k\n.param k=0.5", learn="k")
    verdict = cc.fit(Bench(circuit), cc.simulate(circuit, F, noise=0.001), history=False).identifiability
    assert [one.name for one in verdict.together] == ["k·gain"]


def test_a_delay_of_nothing_does_not_hide_the_product():
    circuit = cc.LowPass(R=300.0)
    circuit.C.requires_grad_(True)
    verdict = cc.fit(Bench(circuit, delay=True), cc.simulate(cc.LowPass(R=200.0), F, "response")).identifiability
    assert [one.name for one in verdict.together] == ["R·C"] and verdict.determined == ("gain", "delay")
