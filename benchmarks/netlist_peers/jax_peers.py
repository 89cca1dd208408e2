"""The JAX libraries at the other end of a pipe: asked in turn with everybody else, in an interpreter of their own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

NETWORKS = ("circulax", "ParamRF (scattering)", "ParamRF (chain)", "JAX, ABCD by hand")
"""Those that put a circuit together from its parts, as against the formula of this one."""
WORKER = Path(__file__).with_name("jax_worker.py")


class JaxPeers:
    """The worker, with the boards and frequencies of one case; a context."""

    def __init__(self, interpreter: str, case: dict[str, np.ndarray], threads: int = 1):
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "case.npz"
        np.savez(path, **case)
        environment = {**os.environ, "JAX_PEERS_ONE_THREAD": "1" if threads == 1 else "0"}
        environment.pop("PYTHONPATH", None)
        self.worker = subprocess.Popen(
            [interpreter, str(WORKER), str(path)],
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

    def ask(self, peer: str, repeats: int = 1) -> dict:
        """Seconds of a call, loss and gradient."""
        self.worker.stdin.write(json.dumps({"peer": peer, "repeats": repeats}) + "\n")
        self.worker.stdin.flush()
        return self._read()

    def __enter__(self) -> JaxPeers:
        return self

    def __exit__(self, *_) -> None:
        self.worker.stdin.close()
        self.worker.wait(timeout=30)
        self.folder.cleanup()
