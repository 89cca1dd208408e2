"""Start the workers of a fit as processes of this machine, wait for them, and never leave one behind."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch.distributed as dist
from torch import nn

from circuits.errors import OptionError, WorkerError
from circuits.fitting.fitter import HowToMove
from circuits.fitting.learnable import Fixed
from circuits.fitting.movement import Bounds, How
from circuits.fitting.setup import Data
from circuits.fitting.stopping import Stop
from circuits.fitting.workers import member
from circuits.fitting.workers.exchange import PATTERNS
from circuits.fitting.workers.sharded import shard_of
from circuits.fitting.workers.together import Together, Walked, Work, as_fit, state_work

CODE = "import sys; from circuits.fitting.workers.member import main; main(*sys.argv[1:])"
"""What a process runs: the package's own code, never the caller's script or notebook, which may start a fit itself."""

FORKS = sys.platform == "linux"
"""Whether one process loads torch and forks into all members; elsewhere each is started, and loads it, on its own."""

MOST = 64
POLL, GRACE = 0.005, 1.0
"""Seconds between two looks at the processes; and from the first failure to the end of all, so that the process whose
fault it was can still say so."""


def fit_with_workers(
    model: nn.Module,
    data: Data,
    loss: Any = None,
    *,
    workers: int = 4,
    exchange: str = "ring",
    method: HowToMove = "auto",
    coordinates: How = None,
    stop: Stop | None = None,
    bounds: Bounds = None,
    fixed: Fixed = None,
    tied: Mapping[str, str] | None = None,
    history: bool = True,
    timeout: float = 60.0,
) -> Together:
    """Fit with the data points spread over several processes of this machine, which add up their shares by messages.

    Every process takes the same steps; loss, gradient and curvature are sums over the data and come from the exchange.
    The result is the same as from one process, but for rounding and for the second look that `fit` may take from other
    starts. Boards of a batch are shared out point by point too: every worker sees all boards.

    Args:
        model, data, loss, method, coordinates, stop, bounds, fixed, tied, history: as in `circuits.fit`. They travel to
            other processes: functions and classes among them have to be in a file that can be imported.
        workers: processes with data, 1 to 64.
        exchange: "all-to-all", "server" (one more process) or "ring".
        timeout: seconds after which a process that is silent counts as lost.

    Raises:
        WorkerError: a worker died, raised or fell silent; the others are ended.
        OptionError: options that cannot be followed; besides those of `fit`, a stop by the clock or a loss without
            points. UnknownName: an unknown exchange.

    >>> import circuits as cc
    >>> board, data = cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5))
    >>> fit, traffic = fit_with_workers(board, data, workers=2)
    >>> round(fit.values["R"].item(), 6), int(traffic.messages.sum()) == traffic.expected().messages
    (200.0, True)
    """
    began = time.perf_counter()
    if dist.is_available() and dist.is_initialized():
        raise OptionError("a process group is running already; call fit_in_group in each of its processes instead")
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= MOST:
        raise OptionError(f"workers={workers!r}; expected a whole number from 1 to {MOST}")
    if not 0 < timeout < float("inf"):
        raise OptionError(f"timeout={timeout!r}; expected a positive number of seconds")
    options = {"coordinates": coordinates, "bounds": bounds, "fixed": fixed, "tied": tied}
    problem, work = state_work(model, data, loss, exchange, method, stop, options)
    processes = workers + PATTERNS[exchange].servers
    parts = [replace(work, problem=shard_of(problem, min(rank, workers), workers)) for rank in range(processes)]
    walked = run_group([_packed(part) for part in parts], timeout)
    return as_fit(model, data, problem, work, walked, began, history)


def _packed(work: Work) -> bytes:
    """The work of one process as bytes.

    Raises:
        OptionError: something that cannot leave this process.
    """
    advice = (
        "use named functions and classes from a file that can be imported, no lambda and nothing defined in a notebook"
    )
    try:
        packed = pickle.dumps(work)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise OptionError(f"this fit cannot be sent to another process ({error}); {advice}") from error
    if b"__main__" in packed:  # another process has another __main__, and would look there in vain
        raise OptionError(
            f"this fit cannot be sent to another process, since part of it is defined in __main__; {advice}"
        )
    return packed


@dataclass(frozen=True)
class Host:
    """A process that was started, and the members of the group that it is or has forked."""

    process: subprocess.Popen
    ranks: range
    folder: Path

    def code(self, rank: int) -> int | None:
        """How a member ended: its exit code, minus the number of a signal, or None while it runs."""
        ended = self.folder / f"ended-{rank}"
        if len(self.ranks) > 1 and ended.exists():
            return int(ended.read_text())
        return self.process.poll()

    def end(self) -> None:
        """Make sure that the process and all that it forked are gone."""
        if os.name == "posix":
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)  # it leads a session, and so a group, of its own
        elif self.process.poll() is None:
            self.process.kill()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()


def run_group(works: list[bytes], timeout: float) -> Walked:
    """Start the members of a group, one for each piece of work, and return what the first one found.

    Raises:
        WorkerError: one of them died, raised or fell silent.
    """
    count, hosts = len(works), []
    with tempfile.TemporaryDirectory(prefix="workers-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for rank, work in enumerate(works):
            (folder / f"work-{rank}").write_bytes(work)
        try:
            for ranks in [range(count)] if FORKS else [range(rank, rank + 1) for rank in range(count)]:
                hosts.append(Host(_start(folder, ranks, count, timeout), ranks, folder))
            codes = _codes_at_the_end(hosts)
            results = [_result(folder, rank) for rank in range(count)]
            failure = _failure(results, codes)
            if failure is not None:
                raise failure
            return results[0][1]
        finally:
            for host in hosts:
                host.end()


def _start(folder: Path, ranks: range, processes: int, timeout: float) -> subprocess.Popen:
    """Start a process for some members; its standard input stays open as long as this process lives."""
    paths = [os.path.abspath(path) for path in sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "OMP_NUM_THREADS": "1"}
    interface = loopback()
    if interface is not None:
        environment.setdefault("GLOO_SOCKET_IFNAME", interface)
    numbers = (ranks.start, ranks.stop, processes, timeout)
    with open(folder / f"said-{ranks.start}", "wb") as said:
        return subprocess.Popen(
            [sys.executable, "-c", CODE, str(folder), *map(str, numbers)],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            env=environment,
            start_new_session=os.name == "posix",
        )


def loopback() -> str | None:
    """The name of the interface on which a machine talks to itself, where the system tells: `lo` on Linux."""
    try:
        names = [name for _, name in socket.if_nameindex()]
    except (AttributeError, OSError):
        return None
    return next((name for name in names if name in ("lo", "lo0")), None)


def _codes_at_the_end(hosts: list[Host]) -> list[int | None]:
    """How each member ended: when all have, or a moment after the first that failed."""
    last = float("inf")
    while True:
        codes = [host.code(rank) for host in hosts for rank in host.ranks]
        if time.monotonic() >= last or all(code is not None for code in codes):
            return codes
        if last == float("inf") and any(codes):
            last = time.monotonic() + GRACE
        time.sleep(POLL)


def _result(folder: Path, rank: int) -> tuple[str, Any]:
    """What a member left, or the last line that was said when it left nothing."""
    path = folder / f"result-{rank}"
    if path.exists():
        return pickle.loads(path.read_bytes())
    said = [line for file in folder.glob("said-*") for line in file.read_text("utf-8", "replace").strip().splitlines()]
    return "died", said[-1] if said else ""


def _failure(results: list[tuple[str, Any]], codes: list[int | None]) -> Exception | None:
    """The error of the member whose fault it was: one that died before one that raised before one left alone."""
    count = len(results)
    for rank, (kind, said) in enumerate(results):
        code = codes[rank]
        if kind == "died" and code is not None:
            how = f"was ended by {_signal_name(-code)}" if code < 0 else f"ended with code {code}"
            tail = f" ({said})" if said and code > 0 else ""
            return WorkerError(f"worker {rank} of {count} {how}{tail}; the others were ended, nothing was fitted")
    for rank, (kind, said) in enumerate(results):
        if kind == member.RAISED:
            error, text = said
            return error or WorkerError(f"worker {rank} of {count} raised {text}; the others were ended")
    for rank, (kind, said) in enumerate(results):
        if kind == member.ALONE:
            return WorkerError(f"worker {rank} of {count} was left alone: {said}; the others were ended")
    return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
