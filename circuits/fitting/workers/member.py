"""The members of a group that `fit_with_workers` starts: read the work from a file, do it, leave what came out."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import torch
import torch.distributed as dist

from circuits.errors import OhmgradError
from circuits.files import replace_file
from circuits.fitting.workers.together import walk_in_group
from circuits.fitting.workers.wire import Unreachable

DONE, RAISED, ALONE = "done", "raised", "alone"
"""What became of a process: it finished; it raised; it lost the others, which is somebody else's fault."""


def main(folder: str, first: str, last: str, processes: str, timeout: str) -> None:
    """Be the members `first` to `last` (not included) of the group whose files are in `folder`; never returns.

    One member is this process itself. Several are forked from it, once torch is loaded, which takes longer than
    anything else; how each of them ended is then written to `ended-<rank>`.
    """
    place, ranks = Path(folder), range(int(first), int(last))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, who ends everybody
    if len(ranks) == 1:
        _take_part(place, ranks[0], int(processes), float(timeout))
    children: dict[int, int] = {}
    for rank in ranks:
        child = os.fork()
        if child == 0:
            _take_part(place, rank, int(processes), float(timeout))
        children[child] = rank
    _end_with_the_parent()
    while children:
        child, status = os.wait()
        replace_file(place / f"ended-{children.pop(child)}", str(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _take_part(place: Path, rank: int, processes: int, timeout: float) -> NoReturn:
    """Do the work of one member, write `result-<rank>`, and end this process."""
    code = 1
    try:
        _end_with_the_parent()
        try:
            result = (DONE, _work(place, rank, processes, timeout))
        except Unreachable as error:
            result = (ALONE, str(error))
        except Exception as error:  # whatever it is, the parent says it
            result = (RAISED, (error if isinstance(error, OhmgradError) else None, f"{type(error).__name__}: {error}"))
        replace_file(place / f"result-{rank}", pickle.dumps(result))
        code = 0 if result[0] == DONE else 1
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        # not by the ordinary way out, on which gloo may wait for processes that are gone
        os._exit(code)


def _work(place: Path, rank: int, processes: int, timeout: float) -> Any:
    """Join the group, walk, and give back the outcome from the first process; the others have nothing to add."""
    torch.set_num_threads(1)
    work = pickle.loads((place / f"work-{rank}").read_bytes())
    store = dist.FileStore(str(place / "meeting"), processes)
    wait = timedelta(seconds=timeout)
    try:
        dist.init_process_group("gloo", store=store, rank=rank, world_size=processes, timeout=wait)
    except RuntimeError as error:
        raise Unreachable(f"process {rank} did not meet the others: {str(error).splitlines()[0]}") from error
    walked = walk_in_group(work)
    if rank:
        return None
    # the parent has the whole problem; from here it needs the loss of each stage, and nothing that is tied to the group
    parts = [replace(work.problem, loss=problem.loss) for problem in walked.found.problems]
    return replace(walked, found=replace(walked.found, problems=parts))


def _end_with_the_parent() -> None:
    """Leave at once when the parent's end of the standard input closes."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
