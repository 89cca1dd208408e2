"""KLU with refactorisation, in a loop of C that is compiled when the benchmark starts.

Only the loop is timed. What it is given is more than it could ask for: the analysis is done, the pivots are chosen
(at the middle frequency), the elements are added up into one conductance, capacitance and inverse inductance an entry
of the nodal matrix, the driven node is eliminated, and the compiler may use all that the processor has.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from netlist_peers.networks import Network, stamps

SOURCE = Path(__file__).with_name("klu_sweep.c")
INCLUDE = "/usr/include/suitesparse"
_kept = []


def library() -> ctypes.CDLL:
    """Compile the loop; `OSError` where compiler, header or library is missing (Debian: `libsuitesparse-dev`)."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise OSError("no C compiler was found")
    folder = tempfile.TemporaryDirectory()
    _kept.append(folder)  # the library lives in it until the process ends
    path = Path(folder.name) / "klu_sweep.so"
    command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", f"-I{INCLUDE}", str(SOURCE), "-o", str(path)]
    done = subprocess.run([*command, "-lklu"], capture_output=True, text=True)
    if done.returncode:
        raise OSError(done.stderr.strip().splitlines()[-1])
    loaded = ctypes.CDLL(str(path))
    loaded.sweep_new.restype = ctypes.c_void_p
    return loaded


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


class Klu:
    """The sweep of one network at frequencies `f`; `run()` gives its seconds and leaves the answer in `answer`."""

    def __init__(self, loop: ctypes.CDLL, net: Network, f: np.ndarray):
        from scipy.sparse import csc_matrix

        rows, columns, parts = stamps(net)
        n = net.nodes
        tables = [csc_matrix((part, (rows, columns)), (n, n + 1)) for part in parts]
        pattern = csc_matrix((np.ones(len(rows)), (rows, columns)), (n, n + 1))
        pattern.sort_indices()
        inner = pattern[:, :n].tocsc()
        self.column, self.row = inner.indptr.astype(np.int32), inner.indices.astype(np.int32)
        where = np.repeat(np.arange(n), np.diff(self.column))
        self.parts = np.ascontiguousarray([np.asarray(t[self.row, where]).ravel() for t in tables])
        self.at = pattern[:, [n]].tocsc().indices.astype(np.int32)
        self.right = np.ascontiguousarray([-np.asarray(t[self.at, n].todense()).ravel() for t in tables])
        self.w = np.ascontiguousarray(2 * np.pi * f)
        self.answer = np.zeros(len(f), complex)
        self.loop, self.output = loop, net.output - 1
        self.state = ctypes.c_void_p(loop.sweep_new(n, _pointer(self.column), _pointer(self.row)))
        if not loop.sweep_factor(self.state, _pointer(self.parts), ctypes.c_double(self.w[len(f) // 2])):
            raise RuntimeError(f"KLU could not factor {net.title}")

    def run(self) -> float:
        arrays = _pointer(self.right), _pointer(self.at), len(self.w), _pointer(self.w)
        began = time.process_time()
        good = self.loop.sweep_run(
            self.state, _pointer(self.parts), len(self.at), *arrays, self.output, _pointer(self.answer)
        )
        took = time.process_time() - began
        if not good:
            raise RuntimeError("KLU could not refactor: a pivot vanished")
        return took
