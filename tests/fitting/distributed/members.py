"""What the processes of the tests do: `torchrun members.py PART FOLDER` leaves what each found in the folder."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import circuits as cc
import losses
from circuits.component import OHM
from circuits.errors import OhmgradError
from circuits.fitting.distributed import Found, part_of
from circuits.fitting.distributed.group import place

RANK, SIZE = place()
Case = tuple[nn.Module, Any, Any, dict[str, Any]]
"""Module, data, loss and options: whatever `circuits.fit` takes."""


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ohms(boards: int, seed: int) -> torch.Tensor:
    return 50.0 + 300.0 * torch.rand(boards, generator=rng(seed), dtype=torch.float64)


class Divider(cc.Circuit):
    """A user's own circuit: a loaded low-pass."""

    components = {"R": OHM, "R_load": OHM}

    def transfer(self, f):
        low = torch.complex(torch.ones_like(f), f * self.R.unsqueeze(-1) / 1e5)
        return (self.R_load / (self.R + self.R_load)).unsqueeze(-1) / low


NETLIST = "two stages\nV1 in 0 AC 1\nR1 in a 300\nC1 a 0 1u\nR2 a out 500\nC2 out 0 100n\n.end\n"


def organs(start: float = 500.0) -> Case:
    truth = cc.ColorOrgan(low=ohms(37, 1), band=(ohms(37, 2), ohms(37, 3)), high=ohms(37, 4))
    data = cc.simulate(truth, cc.log_grid(30, 20.0, 2e4), noise=0.01)
    same = [start] * 37
    return cc.ColorOrgan(low=same, band=(same, same), high=same), data, None, {}


def table_of_boards() -> Case:
    data = cc.simulate(cc.LowPass(R=ohms(6, 5).reshape(2, 3)), cc.log_grid(40, 10.0, 1e5), "response", noise=0.01)
    fixed = {"C": torch.tensor([[1e-6, 1.1e-6, 1.2e-6], [0.9e-6, 0.8e-6, 1e-6]], dtype=torch.float64)}
    return cc.LowPass(R=[[500.0] * 3] * 2, C=[[2e-6] * 3] * 2), data, None, {"fixed": fixed}


def three_boards_one_table() -> Case:
    data = cc.simulate(cc.BandPass(R_low=39.8, R_high=159.2), cc.tones(200), noise=0.01, seed=3)
    return cc.BandPass(R_low=[500.0, 30.0, 300.0], R_high=[300.0, 90.0, 300.0]), data, None, {"starts": 4}


def boards_of_leds() -> Case:
    data = cc.simulate(cc.BandPass(R_low=ohms(5, 6) / 20, R_high=3 * ohms(5, 7)), cc.tones(120), "led")
    return cc.BandPass(R_low=[20.0] * 5, R_high=[800.0] * 5), data, losses.LogisticLed(), {}


def own_circuit() -> Case:
    data = cc.simulate(Divider({"R": ohms(9, 8), "R_load": 5 * ohms(9, 9)}), cc.log_grid(50, 10.0, 1e5), noise=0.001)
    return Divider({"R": [500.0] * 9, "R_load": [500.0] * 9}), data, None, {"bounds": {"R": (60.0, None)}}


def netlist() -> Case:
    truth, board = (cc.read_netlist(NETLIST, learn=("R1", "R2")) for _ in range(2))
    data = cc.simulate(truth, cc.log_grid(60, 10.0, 1e5), "decibels", noise=0.1)
    with torch.no_grad():
        board.R1.fill_(900.0)
    return board, data, None, {}


def with_prior() -> Case:
    data = cc.simulate(cc.BandPass(R_low=39.8, R_high=159.2), cc.tones(1001), noise=0.01)
    data.values[..., 3:40] = torch.nan
    loss = losses.Magnitude() + losses.Prior({"R_low": 42.0, "R_high": 150.0}, 0.05)
    return cc.BandPass(R_low=50.0, R_high=300.0), data, loss, {}


def robust() -> Case:
    data = cc.simulate(cc.BandPass(R_low=39.8, R_high=159.2), cc.tones(1001), noise=0.01)
    data.values[::50] += 0.2
    return cc.BandPass(R_low=50.0, R_high=300.0), data, losses.Huber(losses.Magnitude(), 1.5), {}


def points_of_leds() -> Case:
    data = cc.simulate(cc.ColorOrgan(low=198.9, band=(39.8, 159.2), high=31.8), cc.tones(300), "led")
    return cc.ColorOrgan(low=500.0, band=(500.0, 500.0), high=500.0), data, None, {}


def second_look() -> Case:
    data = cc.simulate(cc.BandPass(R_low=39.8, R_high=159.2), cc.tones(200), "response", noise=0.01)
    return cc.BandPass(R_low=4e4, R_high=0.3), data, None, {}


def two_points() -> Case:
    data = cc.Measurements([300.0, 3000.0], "magnitude", [0.9, 0.3], 0.02)
    return cc.LowPass(R=500.0), data, losses.Magnitude() + losses.Prior({"R": 150.0}, 0.2), {}


def module() -> Case:
    x = torch.randn(101, 3, dtype=torch.float64, generator=rng(1))
    y = (x @ torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)).unsqueeze(-1) + 0.3
    layer = nn.Linear(3, 1).double()
    with torch.no_grad():
        layer.weight.fill_(0.1)
        layer.bias.fill_(0.0)
    return layer, (x, y), None, {"method": cc.LBFGS()}


BOARDS: tuple[Callable[[], Case], ...] = (organs, table_of_boards, three_boards_one_table, boards_of_leds, own_circuit)
POINTS: tuple[Callable[[], Case], ...] = (
    organs,
    netlist,
    with_prior,
    robust,
    points_of_leds,
    second_look,
    two_points,
    module,
    three_boards_one_table,
)


def plain(found: Found) -> dict[str, Any]:
    names = ("values", "errors", "loss", "steps", "converged", "explains", "share", "processes")
    stored = {name: p.detach() for name, p in found.circuit.named_parameters(remove_duplicate=False)}
    kept = {name: getattr(found, name) for name in names}
    reason = found.reason if isinstance(found.reason, str) else found.reason.tolist()
    return {**kept, "reason": reason, "stored": stored, "bytes": found.messages.bytes, "sums": found.messages.sums}


def shared(share: str, make: Callable[[], Case]) -> dict[str, Any]:
    circuit, data, loss, options = make()
    return plain(cc.fit_distributed(circuit, data, loss, share=share, **options))


def own_boards() -> dict[str, Any]:
    circuit, data, loss, options = organs()
    mine = part_of(37)
    own = cc.ColorOrgan(low=[500.0] * 37, band=([500.0] * 37, [500.0] * 37), high=[500.0] * 37)
    for module in own.modules():
        for name, p in module._parameters.items():
            if p.ndim:
                module._parameters[name] = nn.Parameter(p.detach()[mine], p.requires_grad)
    sigma = data.sigma.expand(data.values.shape)[mine]
    part = cc.Measurements(data.f, data.quantity, data.values[mine], sigma, outputs=data.outputs)
    return plain(cc.fit_distributed(own, part, loss, given="part", **options))


def own_points(folder: Path, quantity: str) -> dict[str, Any]:
    f, values = (np.load(folder / f"{quantity}-{name}.npy", mmap_mode="r") for name in ("f", "values"))
    mine = part_of(len(f))
    part = cc.Measurements(torch.from_numpy(f[mine].copy()), quantity, torch.from_numpy(values[mine].copy()))
    return plain(cc.fit_distributed(cc.LowPass(R=500.0), part, given="part"))


class Raises(losses.Magnitude):
    def quadratic(self, prediction, target):
        if RANK == 1:
            raise ZeroDivisionError("the second process cannot count")
        return super().quadratic(prediction, target)


class Dies(losses.Magnitude):
    def quadratic(self, prediction, target):
        if RANK == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().quadratic(prediction, target)


class Sleeps(losses.Magnitude):
    def quadratic(self, prediction, target):
        if RANK == 1:
            time.sleep(2.0)
        return super().quadratic(prediction, target)


class AsksToStop(losses.Magnitude):
    """Ctrl-C in one of the processes alone."""

    looks = 0

    def quadratic(self, prediction, target):
        self.looks += 1
        if RANK == 1 and self.looks == 3:
            signal.raise_signal(signal.SIGINT)
        return super().quadratic(prediction, target)


def said(act: Callable[[], Any]) -> tuple[str, str]:
    try:
        act()
    except (OhmgradError, ArithmeticError) as error:
        return type(error).__name__, str(error)
    return "", "no error"


def answers(folder: Path) -> dict[str, Any]:
    found = {f"boards {make.__name__}": shared("boards", make) for make in BOARDS}
    found |= {f"points {make.__name__}": shared("points", make) for make in POINTS}
    found |= {f"own {quantity}": own_points(folder, quantity) for quantity in ("magnitude", "led")}
    return found | {"own boards": own_boards()}


def refusals(data: cc.Measurements) -> dict[str, tuple[str, str]]:
    other = cc.simulate(cc.LowPass(R=200.0), cc.log_grid(61, 10.0, 1e5), noise=0.01)
    lit = cc.Measurements(cc.log_grid(20, 10.0, 100.0), "led", torch.ones(20))
    here = RANK == 1
    board, fit = (lambda: cc.LowPass(R=500.0)), cc.fit_distributed
    with_gaps = cc.Measurements(data.f, "magnitude", torch.where(data.f > 1e3, torch.nan, data.values), data.sigma)
    bad = (torch.tensor([100.0, 200.0]), torch.tensor([1.0, 1.0 + here * 1j]) if here else torch.tensor([1.0, 0.9]))
    cases = {
        "circuits": lambda: fit(cc.HighPass(R=500.0) if here else board(), data),
        "values": lambda: fit(cc.LowPass(R=501.0 if here else 500.0), data),
        "shapes": lambda: fit(cc.LowPass(R=[500.0] * 3 if here else [500.0] * 2), data),
        "options": lambda: fit(board(), data, stop=cc.Stop(steps=5 if here else 6)),
        "lengths": lambda: fit(board(), other if here else data),
        "ways": lambda: fit(board(), data, share="bytes"),
        "bad data": lambda: fit(board(), (data.f, torch.full((60,), torch.nan)) if here else data, given="part"),
        "some missing": lambda: fit(board(), with_gaps if here else data, given="part"),
        "bad boards": lambda: fit(
            cc.LowPass(R=[500.0] * 2),
            cc.Measurements(data.f, "magnitude", data.values.expand(3 if here else 2, -1)),
            share="boards",
        ),
        "complex": lambda: fit(board(), bad, losses.Magnitude(), given="part"),
        "all lit": lambda: fit(board(), lit, given="part"),
        "nothing": lambda: fit(board(), (data.f, torch.full((60,), torch.nan)), given="part"),
        "raises": lambda: fit(board(), data, Raises()),
        "one number": lambda: fit(board(), data, lambda prediction, target: (prediction - target).abs().max()),
        "clock": lambda: fit(board(), data, stop=cc.Stop(time=1.0)),
        "one board": lambda: fit(board(), data, share="boards"),
    }
    found = {name: said(act) for name, act in cases.items()}
    interrupted = fit(cc.LowPass(R=5000.0), data, AsksToStop())
    found["asked to stop"] = interrupted.reason, str(interrupted.steps)
    found["again"] = "", f"{fit(board(), data).converged}"
    return found | {"sleeps": said(lambda: fit(board(), data, Sleeps(), timeout=1.0))}


def main(part: str, folder: Path) -> None:
    torch.set_num_threads(1)
    data = cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5), noise=0.01)
    if part == "dies first" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # so that this one can still say what it met
        torch.save(said(lambda: cc.fit_distributed(cc.LowPass(R=500.0), data, Dies())), folder / f"lost-{RANK}.pt")
        sys.exit(1)
    found: Any = answers(folder)
    if part == "dies first":
        found |= {"refusals": refusals(data)}
    torch.save(found, folder / f"found-{RANK}.pt")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
