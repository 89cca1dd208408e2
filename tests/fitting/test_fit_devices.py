"""A fit on another device: no operation mixes two devices, and the answers are those of the CPU."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

import circuits as cc
import losses
from circuits.component import OHM
from fitting.second_device import FAR, Far, SecondDevice, sent_there

F = cc.log_grid(60, 10.0, 1e5)
TRUE = torch.tensor([150.0, 200.0, 320.0], dtype=torch.float64)


class Divider(cc.Circuit):
    components = {"R": OHM, "R_load": OHM}

    def transfer(self, f):
        low = torch.complex(torch.ones_like(f), f * self.R.unsqueeze(-1) / 1e5)
        return (self.R_load / (self.R + self.R_load)).unsqueeze(-1) / low


def organs():
    data = cc.simulate(cc.ColorOrgan(low=TRUE, band=(TRUE / 4, TRUE), high=TRUE / 5), F, noise=0.01)
    return cc.ColorOrgan(low=[500.0] * 3, band=([500.0] * 3, [500.0] * 3), high=[500.0] * 3), data, {}


def one_board():
    return cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), F, noise=0.01), {}


def responses():
    data = cc.simulate(Divider({"R": TRUE, "R_load": 4 * TRUE}), F, "response", noise=0.01)
    data.values[0, :5] = complex("nan")
    return Divider({"R": [500.0] * 3, "R_load": [500.0] * 3}), data, {"bounds": {"R": (100.0, None)}}


def leds():
    data = cc.simulate(cc.ColorOrgan(low=198.9, band=(39.8, 159.2), high=31.8), cc.tones(200), "led")
    return cc.ColorOrgan(low=500.0, band=(500.0, 500.0), high=500.0), data, {}


def boards_of_leds():
    data = cc.simulate(cc.LowPass(R=TRUE), cc.tones(200), "led")
    return cc.LowPass(R=[500.0] * 3), data, {"starts": 3}


def with_prior():
    data = cc.simulate(cc.BandPass(R_low=39.8, R_high=159.2), F, noise=0.01)
    loss = losses.Magnitude() + losses.Prior({"R_low": 42.0}, 0.05)
    return cc.BandPass(R_low=50.0, R_high=300.0), data, {"loss": loss, "tied": {"C_high": "C_low"}}


def robust():
    data = cc.simulate(cc.BandPass(R_low=39.8, R_high=159.2), F, noise=0.01)
    return cc.BandPass(R_low=50.0, R_high=300.0), data, {"loss": losses.Huber(losses.Magnitude(), 1.5), "starts": 2}


def descent():
    board, data, _ = one_board()
    return board, data, {"method": cc.GradientDescent(lr=0.5), "coordinates": "log", "stop": cc.Stop(steps=30)}


def adam():
    board, data, _ = one_board()
    return board, data, {"method": torch.optim.Adam, "stop": cc.Stop(steps=10)}


def second_look():
    data = cc.simulate(cc.BandPass(R_low=39.8, R_high=159.2), cc.tones(200), "response", noise=0.01)
    return cc.BandPass(R_low=4e4, R_high=0.3), data, {}


def module():
    torch.manual_seed(0)
    x = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return nn.Linear(3, 1).double(), (x, x.sum(-1, keepdim=True) + 0.3), {}


def netlist():
    text = "low\nV1 in 0 AC 1\nR1 in out 300\nC1 out 0 1u\n.end\n"
    circuit = cc.read_netlist(text, learn=("R1",))
    data = cc.simulate(circuit, F, "decibels", noise=0.1)
    with torch.no_grad():
        circuit.R1.fill_(900.0)
    return circuit, data, {}


CASES: tuple[Callable, ...] = (
    organs,
    one_board,
    responses,
    leds,
    boards_of_leds,
    with_prior,
    robust,
    descent,
    adam,
    second_look,
    module,
    netlist,
)
cases = pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)


def compare(found: cc.Fit, here: cc.Fit, tolerance: float) -> None:
    close = torch.testing.assert_close
    for name, value in here.values.items():
        close(found.values[name].cpu(), value, rtol=tolerance, atol=0)
        close(found.errors[name].cpu(), here.errors[name], rtol=1e3 * tolerance, atol=1e-12, equal_nan=True)
    close(torch.as_tensor(found.loss).cpu(), torch.as_tensor(here.loss), rtol=tolerance, atol=1e-18)
    close(torch.as_tensor(found.converged).cpu(), torch.as_tensor(here.converged))
    close(torch.as_tensor(found.explains).cpu(), torch.as_tensor(here.explains))
    assert str(found).split() == str(here).split()


@cases
def test_nothing_mixes_two_devices(make: Callable):
    board, data, options = make()
    here = cc.fit(board, data, **options)
    with SecondDevice():
        board, data, options = make()
        found = cc.fit(sent_there(board), data, **options)
        assert all(value.device == FAR for value in found.values.values())
        compare(found, here, 1e-9)


def test_the_data_are_sent_once():
    with SecondDevice():
        board, data, _ = organs()
        cc.fit(sent_there(board), data)
        tables = [size for size in SecondDevice.arrivals if size >= len(F)]
    assert sorted(tables) == [len(F), data.values.numel()]  # and one number, the sigma of all


@pytest.mark.parametrize("share", ["boards", "points"])
def test_a_shared_fit_stays_on_its_device(share: str):
    board, data, _ = organs()
    here = cc.fit(board, data)
    with SecondDevice():
        board, data, _ = organs()
        found = cc.fit_distributed(sent_there(board), data, share=share)
        for name, value in here.values.items():
            assert found.values[name].device == FAR
            torch.testing.assert_close(found.values[name].cpu(), value, rtol=1e-9, atol=0)
            torch.testing.assert_close(found.errors[name].cpu(), here.errors[name], rtol=1e-6, atol=0)


def test_the_second_device_refuses_to_mix():
    with SecondDevice(), pytest.raises(RuntimeError, match="two devices"):
        Far(torch.ones(3)) + torch.ones(3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="NOT RUN: there is no CUDA device here")
@cases
def test_on_cuda_as_on_the_cpu(make: Callable):
    board, data, options = make()
    here = cc.fit(board, data, **options)
    board, data, options = make()
    found = cc.fit(board.to("cuda"), data, **options)
    assert all(value.is_cuda for value in found.values.values())
    compare(found, here, 1e-9)
