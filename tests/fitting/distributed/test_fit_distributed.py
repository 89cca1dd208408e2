"""One fit in many processes: started by torchrun on this machine, every answer beside that of one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist

import circuits as cc
from circuits.errors import OptionError, UnknownName
from circuits.fitting.distributed import joined, part_of
from fitting.distributed import members

ROOT = Path(__file__).parents[3]
TIMEOUT = 120.0
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node")


def environment(**more: str) -> dict[str, str]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", **more}


def start(*arguments: str, env: dict[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [sys.executable, *arguments]
    return subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=env, start_new_session=True)


def finish(process: subprocess.Popen[str], seconds: float = TIMEOUT) -> str:
    """Wait for a process, and leave neither it nor what it started behind; one that hangs fails the test."""
    try:
        return process.communicate(timeout=seconds)[0]
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def torchrun(processes: int, part: str, folder: Path, *options: str) -> list[Any]:
    """What every process found, by its number."""
    script = str(Path(members.__file__))
    process = start(*TORCHRUN, str(processes), *options, script, part, str(folder), env=environment())
    said = finish(process)
    assert process.returncode == 0, said
    return [torch.load(folder / f"found-{rank}.pt", weights_only=False) for rank in range(processes)]


def save_points(folder: Path) -> None:
    """Two large tables of points, which every process reads its own rows of."""
    f = cc.log_grid(4001, 10.0, 1e5)
    for quantity in ("magnitude", "led"):
        noise = 0.01 if quantity == "magnitude" else 0.0
        data = cc.simulate(cc.LowPass(R=200.0), f, quantity, noise=noise)
        np.save(folder / f"{quantity}-f.npy", f.numpy())
        np.save(folder / f"{quantity}-values.npy", data.values.numpy())


def expected_points(folder: Path, quantity: str) -> cc.Fit:
    f, values = (torch.from_numpy(np.load(folder / f"{quantity}-{name}.npy")) for name in ("f", "values"))
    return cc.fit(cc.LowPass(R=500.0), cc.Measurements(f, quantity, values))


def alone(make: Callable[[], members.Case]) -> cc.Fit:
    circuit, data, loss, options = make()
    return cc.fit(circuit, data, loss, **options)


def same(what: str, found: dict[str, Any], fit: cc.Fit) -> None:
    """Everything that was found in many processes beside what one finds."""

    def close(name: str, one: Any, other: Any, rtol: float = 1e-10) -> None:
        message = f"{what}, {name}"
        one, other = torch.as_tensor(one), torch.as_tensor(other)
        torch.testing.assert_close(one, other, rtol=rtol, atol=1e-18, equal_nan=True, msg=lambda s: f"{message}: {s}")

    for name, value in fit.values.items():
        close(name, found["values"][name], value)
        if found["errors"]:
            close(f"error of {name}", found["errors"][name], fit.errors[name], 1e-8)
    close("loss", found["loss"], fit.loss)
    close("steps", found["steps"], fit.steps)
    close("explains", found["explains"], fit.explains)
    close("converged", found["converged"], fit.converged)
    assert found["reason"] == (fit.reason if isinstance(fit.reason, str) else fit.reason.tolist()), what
    if what != "own boards":
        for name, p in fit.circuit.named_parameters(remove_duplicate=False):
            close(f"{name} in the circuit", found["stored"][name], p.detach())


def check_answers(every: list[dict[str, Any]], folder: Path) -> None:
    wanted = {f"boards {make.__name__}": alone(make) for make in members.BOARDS}
    wanted |= {f"points {make.__name__}": alone(make) for make in members.POINTS}
    wanted |= {"own boards": wanted["boards organs"]}
    wanted |= {f"own {quantity}": expected_points(folder, quantity) for quantity in ("magnitude", "led")}
    for found in every:
        assert set(found) == set(wanted)
        for what, fit in wanted.items():
            same(what, found[what], fit)
            assert found[what]["processes"] == len(every)
            assert found[what]["share"] == ("boards" if "boards" in what.split() else "points")
        # 2p + 5 numbers a board travel once; at each step 1 + 1 + p + p(p + 1)/2 of them do
        most = -(-37 // len(every))
        assert 0 < found["boards organs"]["bytes"] - most * (2 * 4 + 5) * 8 < 2000
        assert found["own magnitude"]["sums"][(1 + 1 + 1 + 1) * 8] > found["own magnitude"]["steps"]


def test_four_processes_find_what_one_finds(tmp_path: Path):
    save_points(tmp_path)
    check_answers(torchrun(4, "answers", tmp_path), tmp_path)


REFUSALS = {
    "circuits": ("OptionError", "the processes disagree on the circuit: HighPass in process 1 of 2, and LowPass"),
    "values": ("OptionError", "the processes disagree on the values of the components"),
    "shapes": ("ShapeError", "'R': (3,)"),
    "options": ("OptionError", "the processes disagree on the option stop: Stop(steps=5) in process 1"),
    "lengths": (
        "ShapeError",
        "the processes disagree on the shape of the data: (1, 61) in process 1 of 2, and (1, 60)",
    ),
    "ways": ("UnknownName", "no way of sharing 'bytes'; known: boards, points"),
    "bad data": ("DataError", "every value is missing; expected at least one"),
    "some missing": ("", "no error"),
    "bad boards": ("ShapeError", "the values have shape"),
    "all lit": ("DataError", "every LED is lit"),
    "nothing": ("DataError", "every value is missing"),
    "one number": ("OptionError", "is one number for all data"),
    "clock": ("OptionError", "different steps"),
    "one board": ("OptionError", "share='boards' was given one board"),
    "asked to stop": ("interrupted", "1"),
    "again": ("", "True"),
    "sleeps": ("WorkerError", "lost another one"),
}
LOST = "process 0 of 2 lost another one, which died or was silent for too long, when they were to add up"


def test_two_processes_one_of_which_was_killed_find_what_one_finds_and_say_what_is_wrong_in_either(tmp_path: Path):
    """The second of them is killed at once; torchrun starts both again."""
    save_points(tmp_path)
    every = torchrun(2, "dies first", tmp_path, "--max-restarts", "1")
    kind, sentence = torch.load(tmp_path / "lost-0.pt")
    assert (kind, sentence[: len(LOST)]) == ("WorkerError", LOST) and not (tmp_path / "lost-1.pt").exists()
    first, second = (found.pop("refusals") for found in every)
    check_answers(every, tmp_path)
    for name, (kind, sentence) in REFUSALS.items():
        for found in (first, second):
            assert found[name][0] == kind, (name, found[name])
            assert sentence in found[name][1], (name, found[name])
    assert first["raises"] == (
        "WorkerError",
        "process 1 of 2 raised ZeroDivisionError: the second process cannot count",
    )
    assert second["raises"] == ("ZeroDivisionError", "the second process cannot count")
    assert first["complex"][0] == second["complex"][0] != "" and "(in process 1 of 2)" in first["complex"][1]


# without torchrun


def test_within_a_group_that_is_running_and_left_running(tmp_path: Path):
    dist.init_process_group("gloo", store=dist.FileStore(str(tmp_path / "meeting"), 1), rank=0, world_size=1)
    try:
        circuit, data, loss, options = members.organs()
        found = cc.fit_distributed(circuit, data, loss, **options)
        assert dist.is_initialized()
    finally:
        dist.destroy_process_group()
    same("a group of one", members.plain(found), alone(members.organs))


def test_one_process_says_what_it_found():
    circuit, data, loss, options = members.with_prior()
    text = str(cc.fit_distributed(circuit, data, loss, **options))
    assert "BandPass: 1 of 1 boards converged" in text and "R_low = " in text
    assert "points shared among one process" in text


@pytest.mark.parametrize("length", [0, 1, 7, 1000])
@pytest.mark.parametrize("size", [1, 3, 8])
def test_parts_cover_everything_once(length: int, size: int):
    rows = [list(range(length))[part_of(length, rank, size)] for rank in range(size)]
    assert sum(rows, []) == list(range(length))
    assert max(map(len, rows)) - min(map(len, rows)) <= 1


@pytest.mark.parametrize(
    ("name", "value"), [("RANK", "2"), ("RANK", "-1"), ("WORLD_SIZE", "two")], ids=["beyond", "below", "no number"]
)
def test_an_environment_that_makes_no_sense_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch):
    for known, text in {"RANK": "0", "WORLD_SIZE": "2", name: value}.items():
        monkeypatch.setenv(known, text)
    with pytest.raises(OptionError, match="expected what torchrun sets"):
        cc.fit_distributed(cc.LowPass(R=500.0), (torch.tensor([100.0]), torch.tensor([0.9])))


def test_options_that_cannot_be_followed():
    circuit, data, *_ = members.organs()
    with pytest.raises(OptionError, match="timeout"), joined(timeout=0.0):
        pass
    with pytest.raises(UnknownName, match="whole, part"):
        cc.fit_distributed(circuit, data, given="twice")
