"""Many workers: sums by messages, their counts against the formulas, the same fit as alone, and no process left."""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

import circuits as cc
import failing_losses
import losses
from circuits.errors import OptionError, UnknownName, WorkerError
from circuits.fitting.estimators import ScoreFunction
from circuits.fitting.history import Recorder
from circuits.fitting.methods.estimated_descent import EstimatedDescent
from circuits.fitting.minimisation import Plan, choose_method, minimise
from circuits.fitting.progress import Bar
from circuits.fitting.setup import make_problem
from circuits.fitting.version_space import explains_every_led
from circuits.fitting.workers import PATTERNS, fit_in_group, fit_with_workers, launch, shard_of
from circuits.fitting.workers.wire import Wire

DATA = cc.simulate(cc.BandPass(R_low=39.789, R_high=159.155), cc.tones(1001), noise=0.01)
LEDS = cc.simulate(cc.ColorOrgan(low=198.9, band=(39.8, 159.2), high=31.8), cc.tones(400), "led")
patterns = pytest.mark.parametrize("pattern", PATTERNS)


class Threads(Wire):
    """The same wire between threads of this process: queues in place of sockets."""

    def __init__(self, rank: int, processes: int, queues: dict):
        super().__init__(rank, processes)
        self.queues = queues

    def swap(self, out, sizes, like):
        for other, row in out.items():
            if len(row):
                self.messages[other] += 1
                self.numbers[other] += len(row)
                self.queues[self.rank, other].put(row.clone())
        return {
            source: self.queues[source, self.rank].get(timeout=20) if size else like.new_empty(0)
            for source, size in sizes.items()
        }


def in_threads(pattern: str, workers: int, work) -> tuple[list, list[Wire]]:
    """Call work(rank, exchange) for every process of a pattern, each in a thread."""
    processes = workers + PATTERNS[pattern].servers
    queues = {(a, b): queue.Queue() for a in range(processes) for b in range(processes)}
    wires = [Threads(rank, processes, queues) for rank in range(processes)]
    results = [None] * processes

    def run(rank: int) -> None:
        results[rank] = work(rank, PATTERNS[pattern](wires[rank]))

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(result is not None for result in results)
    return results, wires


# the three patterns


@patterns
@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("p", [1, 3, 8, 21])
def test_every_process_has_the_same_sum_for_the_messages_that_the_formula_counts(pattern: str, workers: int, p: int):
    rows = torch.randn(workers, p, dtype=torch.float64, generator=torch.Generator().manual_seed(p))
    sums, wires = in_threads(pattern, workers, lambda rank, ex: ex.sum(rows[rank] if rank < workers else rows[0] * 0))
    for total in sums:
        torch.testing.assert_close(total, rows.sum(0), rtol=1e-12, atol=1e-12)
        assert torch.equal(total, sums[0])
    cost = PATTERNS[pattern].cost(workers, p)
    assert sum(int(wire.messages.sum()) for wire in wires) == cost.messages
    assert sum(int(wire.numbers.sum()) for wire in wires) == cost.numbers
    assert all(int(wire.messages[wire.rank]) == 0 for wire in wires)


@pytest.mark.parametrize("n", [2, 4, 8])
def test_the_costs_are_those_of_the_table(n: int):
    p = 1000 * n
    to_all, server, ring = (PATTERNS[name].cost(n, p) for name in ("all-to-all", "server", "ring"))
    assert (to_all.messages, to_all.numbers) == (n * (n - 1), n * (n - 1) * p)
    assert (server.messages, server.numbers) == (2 * n, 2 * n * p)
    assert (ring.messages, ring.numbers) == (2 * n * (n - 1), 2 * n * (n - 1) * p // n)


def test_few_numbers_go_to_everybody_at_once_and_many_around_the_ring():
    latency, rate, n = 1e-4, 1.25e8, 16

    def quickest(p: int) -> str:
        return min(PATTERNS, key=lambda name: PATTERNS[name].cost(n, p).seconds(latency, rate))

    assert [quickest(p) for p in (5, 10**7)] == ["all-to-all", "ring"]
    # where the two take the same time: λ + (n − 1)p·8/β = 2(n − 1)(λ + 8p/nβ)
    same = (2 * (n - 1) - 1) * latency / ((n - 1) * (1 - 2 / n) * 8 / rate)
    assert [quickest(int(same * share)) for share in (0.9, 1.1)] == ["all-to-all", "ring"]
    assert PATTERNS["ring"].cost(n, 16).seconds(1.0, float("inf")) == 2 * (n - 1)


# a problem in parts

PROBLEMS = {
    "magnitudes": (lambda: cc.BandPass(R_low=500.0, R_high=300.0), DATA, None),
    "response": (
        lambda: cc.LowPass(R=500.0),
        cc.simulate(cc.LowPass(R=200.0), cc.log_grid(11, 10.0, 1e5), "response", noise=0.01),
        None,
    ),
    "prior": (
        lambda: cc.BandPass(R_low=50.0, R_high=300.0),
        DATA,
        losses.Magnitude() + losses.Prior({"R_low": 42.0, "R_high": 150.0}, 0.05),
    ),
    "robust": (lambda: cc.BandPass(R_low=50.0, R_high=300.0), DATA, losses.Huber(losses.Magnitude(), 1.5)),
    "LEDs": (lambda: cc.ColorOrgan(low=500.0, band=(500.0, 500.0), high=500.0), LEDS, None),
    "two points for three": (
        lambda: cc.LowPass(R=500.0),
        cc.Measurements([300.0, 3000.0], "magnitude", [0.9, 0.3], 0.02),
        losses.Magnitude() + losses.Prior({"R": 150.0}, 0.2),
    ),
}


@patterns
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_parts_add_up_to_the_whole(pattern: str, name: str):
    make, data, loss = PROBLEMS[name]
    whole = make_problem(make(), data, loss)
    x = whole.start() + 0.1

    def work(rank: int, exchange):
        part = replace(pickle.loads(pickle.dumps(shard_of(whole, min(rank, 3), 3))), exchange=exchange)
        return part.losses(x), *part.gradient(x), part.quadratic(x)

    for loss_alone, loss_too, gradient, model in in_threads(pattern, 3, work)[0]:
        expected = whole.quadratic(x)
        for found in (loss_alone, loss_too, model.loss):
            torch.testing.assert_close(found, expected.loss, rtol=1e-12, atol=0)
        for found in (gradient, model.gradient):
            torch.testing.assert_close(found, expected.gradient, rtol=1e-9, atol=1e-13)
        torch.testing.assert_close(model.curvature, expected.curvature, rtol=1e-9, atol=1e-13)


METHODS = {
    "auto": None,
    "descent": cc.GradientDescent(0.5, momentum=0.3),
    "signs": cc.SignDescent(0.3, 0.5),
    "LBFGS": cc.LBFGS(),
    "Adam": cc.TorchOptimiser(torch.optim.Adam),
    "score": EstimatedDescent(1.0, ScoreFunction(0.1, 8), shrink=0.9),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("boards", [1, 3])
def test_every_method_walks_the_same_path_in_parts(method: str, boards: int):
    truth = torch.tensor([200.0, 150.0, 300.0][:boards]).squeeze()
    data = cc.simulate(cc.LowPass(R=truth), cc.log_grid(50, 10.0, 1e5), noise=0.01)
    data.values[..., :5] = torch.nan
    if boards > 1:
        data.values[-1, 3:9] = torch.nan  # boards of differing numbers of points
    whole = make_problem(cc.LowPass(R=500.0 if boards == 1 else [500.0] * boards), data, losses.Magnitude(sigma=1.0))
    chosen = METHODS[method] or choose_method(whole)
    stop = cc.Stop(steps=25)

    def walk(problem):
        recorder = Recorder(boards, problem.model.names)
        plan = Plan(chosen, stop, Bar(False, None))
        found = minimise(problem, problem.start().unsqueeze(0), plan, recorder)
        return found.outcome, recorder.history(problem.coordinates)

    def work(rank: int, exchange):
        return walk(replace(pickle.loads(pickle.dumps(shard_of(whole, min(rank, 4), 4))), exchange=exchange))

    outcome, history = walk(whole)
    for found, path in in_threads("ring", 4, work)[0]:
        torch.testing.assert_close(path.values, history.values, rtol=1e-9, atol=0)
        torch.testing.assert_close(found.loss, outcome.loss, rtol=1e-9, atol=0)
        assert found.steps.tolist() == outcome.steps.tolist()


def test_one_led_that_one_worker_cannot_explain_is_known_to_all():
    whole = make_problem(cc.LowPass(R=200.0), cc.simulate(cc.LowPass(R=200.0), cc.tones(100), "led"))
    right, wrong = whole.start(), whole.start()
    while bool(whole.explained(whole.predict(wrong)).all()):
        wrong = wrong + 1e-3
    assert int((~whole.explained(whole.predict(wrong))).sum()) == 1

    def work(rank: int, exchange):
        part = replace(pickle.loads(pickle.dumps(shard_of(whole, min(rank, 3), 3))), exchange=exchange)
        return [bool(explains_every_led(part, x)) for x in (right, wrong)]

    assert in_threads("server", 3, work)[0] == [[True, False]] * 4


def test_shards_differ_by_one_point_at_most_and_lose_none():
    problem = make_problem(cc.BandPass(R_low=500.0, R_high=300.0), DATA)
    parts = [shard_of(problem, i, 4) for i in range(4)]
    assert [part.target.shape[-1] for part in parts] == [251, 250, 250, 250]
    together = torch.cat([part.model.f for part in parts]).sort().values
    assert torch.equal(together, DATA.f.sort().values)
    assert shard_of(problem, 4, 4).is_idle


# the same with processes


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch):
    """Every process that a test started; none of them is left."""
    processes: list[subprocess.Popen] = []
    start = launch._start

    def noting(*arguments):
        processes.append(start(*arguments))
        return processes[-1]

    monkeypatch.setattr(launch, "_start", noting)
    yield processes
    assert all(process.returncode is not None for process in processes)
    # a killed process takes a moment to be gone
    until(lambda: not any(running_in_group(process.pid) for process in processes), seconds=10.0)


def running_in_group(leader: int) -> list[int]:
    """Processes of a group that have not ended, where the system has a table of them."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = status.read_text().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue
        if int(group) == leader and state not in "ZX":
            found.append(int(status.parent.name))
    return found


def same(fit, alone, tolerance: float = 1e-9) -> None:
    for name, value in alone.values.items():
        torch.testing.assert_close(fit.values[name], value, rtol=tolerance, atol=0)
    torch.testing.assert_close(torch.as_tensor(fit.loss), torch.as_tensor(alone.loss), rtol=tolerance, atol=1e-18)
    assert torch.equal(torch.as_tensor(fit.steps), torch.as_tensor(alone.steps))


@pytest.mark.parametrize(("pattern", "workers"), [("all-to-all", 2), ("server", 4), ("ring", 4)])
def test_processes_find_what_one_finds_and_send_what_the_formula_says(pattern: str, workers: int, started):
    board = cc.BandPass(R_low=500.0, R_high=300.0)
    fit, traffic = fit_with_workers(board, DATA, workers=workers, exchange=pattern)
    alone = cc.fit(cc.BandPass(R_low=500.0, R_high=300.0), DATA, method=cc.LevenbergMarquardt(), history=True)
    same(fit, alone)
    torch.testing.assert_close(fit.history.values, alone.history.values, rtol=1e-9, atol=0)
    assert board.R_low.item() == fit.values["R_low"].item() and str(fit) == str(alone)
    sums = {6: fit.steps + 1}  # loss, two derivatives, three of the four curvatures; at the start and after each step
    assert dict(traffic.sums) == sums
    expected, n, p = traffic.expected(), workers, 6
    table = {"all-to-all": (n * (n - 1), p), "server": (2 * n, p), "ring": (2 * n * (n - 1), p / n)}
    messages, size = table[pattern]
    assert int(traffic.messages.sum()) == sums[6] * messages == expected.messages
    assert traffic.bytes == sums[6] * messages * size * 8
    assert len(started) == (1 if launch.FORKS else workers + (pattern == "server"))
    assert f"{expected.messages} messages" in str(traffic)


def test_leds_in_stages_and_a_batch_of_boards(started):
    organ = lambda: cc.ColorOrgan(low=[500.0, 90.0], band=([500.0] * 2, [500.0] * 2), high=[500.0] * 2)  # noqa: E731
    fit, traffic = fit_with_workers(organ(), LEDS, workers=2)
    same(fit, cc.fit(organ(), LEDS, method=cc.LevenbergMarquardt(), history=True))
    assert bool(fit.converged.all()) and fit.misfit == ["1200 of 1200 LEDs explained"] * 2
    assert int(traffic.messages.sum()) == traffic.expected().messages > 0


def test_a_plain_module(started):
    x = torch.randn(31, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    data = (x, (x @ torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)).unsqueeze(-1) + 0.3)
    torch.manual_seed(0)
    layer = nn.Linear(3, 1).double()
    other = pickle.loads(pickle.dumps(layer))
    fit, traffic = fit_with_workers(layer, data, workers=2, exchange="server")
    same(fit, cc.fit(other, data, method=cc.LBFGS()), 1e-6)
    assert set(traffic.sums) == {5} and layer.bias.item() == pytest.approx(0.3, abs=1e-6)


@pytest.mark.parametrize(
    ("loss", "timeout", "message"),
    [
        (failing_losses.Dies(), 30.0, "worker 1 of 2 was ended by SIGKILL"),
        (failing_losses.Raises(), 30.0, "worker 1 of 2 raised ZeroDivisionError: the second worker cannot count"),
        (failing_losses.Stops(), 2.0, "was left alone"),
    ],
    ids=["dies", "raises", "stops"],
)
def test_a_worker_that_fails_is_one_clear_error(loss, timeout: float, message: str, started):
    board = cc.BandPass(R_low=500.0, R_high=300.0)
    with pytest.raises(WorkerError, match=message):
        fit_with_workers(board, DATA, loss, workers=2, timeout=timeout)
    assert board.R_low.item() == 500.0
    assert len(started) == (1 if launch.FORKS else 2)


def test_where_nothing_forks_every_member_is_started_alone(started, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(launch, "FORKS", False)
    fit, traffic = fit_with_workers(cc.BandPass(R_low=500.0, R_high=300.0), DATA, workers=2)
    same(fit, cc.fit(cc.BandPass(R_low=500.0, R_high=300.0), DATA, method=cc.LevenbergMarquardt()))
    assert len(started) == 2 and int(traffic.messages.sum()) == traffic.expected().messages


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no table of processes to look at")
def test_workers_end_with_the_process_that_started_them(tmp_path: Path):
    """In a script without `if __name__ == "__main__"`, too."""
    script = tmp_path / "endless.py"
    script.write_text(
        "import circuits as cc\n"
        "from circuits.fitting.workers import fit_with_workers, launch\n"
        "start = launch._start\n"
        "def noting(*arguments):\n"
        "    process = start(*arguments)\n"
        "    print(process.pid, flush=True)\n"
        "    return process\n"
        "launch._start = noting\n"
        "data = cc.simulate(cc.LowPass(R=200.0), cc.tones(10), noise=0.1)\n"
        "method = cc.GradientDescent(1e-9)\n"
        "fit_with_workers(cc.LowPass(R=500.0), data, workers=2, method=method, stop=cc.Stop(steps=10**9))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    with parent, parent.stdout:
        leader = int(parent.stdout.readline())
        until(lambda: len(running_in_group(leader)) >= 3 or not launch.FORKS)
        parent.kill()
    until(lambda: not running_in_group(leader))


def until(happens: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something that has to happen."""
    last = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < last, "it never happened"
        time.sleep(0.05)


def test_within_a_group_that_is_running(tmp_path: Path):
    board = cc.BandPass(R_low=500.0, R_high=300.0)
    with pytest.raises(OptionError, match="no process group is running"):
        fit_in_group(board, DATA)
    dist.init_process_group("gloo", store=dist.FileStore(str(tmp_path / "meeting"), 1), rank=0, world_size=1)
    try:
        fit, traffic = fit_in_group(board, DATA)
        with pytest.raises(OptionError, match="fit_in_group"):
            fit_with_workers(board, DATA)
        with pytest.raises(OptionError, match="needs a worker"):
            fit_in_group(board, DATA, exchange="server")
    finally:
        dist.destroy_process_group()
    same(fit, cc.fit(cc.BandPass(R_low=500.0, R_high=300.0), DATA, method=cc.LevenbergMarquardt()))
    assert int(traffic.messages.sum()) == 0


def local_loss() -> losses.Loss:
    class Local(losses.Magnitude):
        """Another process has no way to find this class."""

    return Local()


def distance(prediction: Tensor, target: Tensor) -> Tensor:
    return (prediction - target).abs().max()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"workers": 0}, OptionError, "workers=0"),
        ({"workers": 2.0}, OptionError, "workers=2.0"),
        ({"workers": 1000}, OptionError, "1 to 64"),
        ({"exchange": "gossip"}, UnknownName, "all-to-all, server, ring"),
        ({"stop": cc.Stop(time=1.0)}, OptionError, "different steps"),
        ({"loss": distance}, OptionError, "one number for all data"),
        ({"loss": local_loss()}, OptionError, "cannot be sent to another process"),
        ({"method": lambda x: torch.optim.Adam(x)}, OptionError, "cannot be sent to another process"),
        ({"method": "magic"}, UnknownName, "magic"),
        ({"timeout": 0.0}, OptionError, "timeout"),
        ({"fixed": ["R_low", "R_high"]}, OptionError, "nothing to fit"),
    ],
    ids=lambda part: str(part)[:30],
)
def test_what_cannot_be_followed_is_refused_before_a_process_starts(options, error, message, started):
    with pytest.raises(error, match=message):
        fit_with_workers(cc.BandPass(R_low=500.0, R_high=300.0), DATA, **options)
    assert started == []


def test_what_a_notebook_defines_is_refused_before_a_process_starts(started, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(failing_losses.Raises, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "Raises", failing_losses.Raises, raising=False)
    with pytest.raises(OptionError, match="nothing defined in a notebook"):
        fit_with_workers(cc.BandPass(R_low=500.0, R_high=300.0), DATA, failing_losses.Raises())
    assert started == []


class Sum(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(8, 1, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.w * x.sum()


def test_rows_of_a_plain_module_do_not_add_up_and_some_inputs_cannot_be_cut():
    x = torch.randn(8, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    problem = make_problem(nn.Linear(2, 1).double(), (x, x[:, :1]))
    part = shard_of(problem, 0, 2)
    assert part.target.shape == (1, 4, 1)
    with pytest.raises(OptionError, match="row by row"):
        part.rows(problem.start())
    with pytest.raises(OptionError, match="cannot be shared out"):
        shard_of(make_problem(Sum(), (x[:3], x[:, :1])), 0, 2)
