"""The JAX libraries at the other end of a pipe: asked in turn with everybody else, in an interpreter of their own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

NETWORKS = ("circulax", "ParamRF (scattering)", "ParamRF (chain)", "JAX, ABCD by hand")
"""Those that put a circuit together from its parts, as against the formula of this one."""
WORKER = Path(__file__).with_name("jax_worker.py")


def jax_interpreter(given: str | None) -> str | None:
    """The interpreter to ask: the given one, that of `OHMGRAD_JAX_PYTHON`, or this one where it has JAX."""
    found = given or os.environ.get("OHMGRAD_JAX_PYTHON")
    return found or (sys.executable if importlib.util.find_spec("jax") else None)


class JaxPeers:
    """A worker, with the boards and frequencies of one case; a context."""

    def __init__(self, interpreter: str, case: dict[str, np.ndarray], threads: int = 1, worker: Path = WORKER):
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "case.npz"
        np.savez(path, **case)
        environment = {**os.environ, "JAX_PEERS_ONE_THREAD": "1" if threads == 1 else "0"}
        environment.pop("PYTHONPATH", None)
        self.worker = subprocess.Popen(
            [interpreter, str(worker), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        hello = self._read()
        self.version, self.compiling, self.failed = hello["jax"], hello["peers"], hello["failed"]

    def _read(self) -> dict:
        line = self.worker.stdout.readline()
        if not line:
            raise RuntimeError("the process of the JAX peers ended; what it said is above")
        return json.loads(line)

    def ask(self, peer: str, repeats: int = 1, shown: int = 0) -> dict:
        """Seconds of a call, and what it found: of so many boards where it finds one thing a board."""
        self.worker.stdin.write(json.dumps({"peer": peer, "repeats": repeats, "shown": shown}) + "\n")
        self.worker.stdin.flush()
        return self._read()

    def __enter__(self) -> JaxPeers:
        return self

    def __exit__(self, *_) -> None:
        self.worker.stdin.close()
        self.worker.wait(timeout=30)
        self.folder.cleanup()
