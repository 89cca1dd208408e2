"""ngspice as a shared library, so that only the run of a sweep is timed, without the start of a process.

Its traps: a second analysis of one circuit in one process may be wrong, so the circuit is read anew before every run,
outside of the time; whoever runs it compares what it found (`Ngspice.output`) with another solver; it may change the
number of OpenMP threads, so the caller sets that again. No callback is given for data: Python would be called at every
point.
"""

from __future__ import annotations

import ctypes
import time

import numpy as np

LIBRARY = "libngspice.so.0"


class _Complex(ctypes.Structure):
    _fields_ = [("real", ctypes.c_double), ("imaginary", ctypes.c_double)]


class _Vector(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("flags", ctypes.c_short),
        ("real", ctypes.POINTER(ctypes.c_double)),
        ("complex", ctypes.POINTER(_Complex)),
        ("length", ctypes.c_int),
    ]


_SAID = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p)
_LEAVES = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_bool, ctypes.c_bool, ctypes.c_int, ctypes.c_void_p)


class Ngspice:
    """The library; `OSError` where it is not installed (Debian: `libngspice0`)."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.library = ctypes.CDLL(LIBRARY)
        self.library.ngGet_Vec_Info.restype = ctypes.POINTER(_Vector)
        self.library.ngGet_Vec_Info.argtypes = [ctypes.c_char_p]
        self._said = _SAID(self._hear)
        self._leaves = _LEAVES(lambda *_: 0)
        self.library.ngSpice_Init(self._said, None, self._leaves, None, None, None, None)
        self._command("set num_threads=1")
        self.loaded = False

    def _hear(self, text: bytes, *_) -> int:
        self.said.append(text.decode("utf-8", "replace"))
        return 0

    def _command(self, text: str) -> None:
        if self.library.ngSpice_Command(text.encode()):
            raise RuntimeError(f"ngspice refused {text!r}: " + " | ".join(self.said[-4:]))

    def load(self, netlist: str, keep: str) -> None:
        """Read a netlist in place of the one before; only the vector `keep` is stored by a run."""
        if self.loaded:
            self._command("destroy all")
            self._command("remcirc")
        self.said.clear()
        lines = netlist.splitlines()
        lines.insert(-1, f".save {keep}")
        table = (ctypes.c_char_p * (len(lines) + 1))(*[line.encode() for line in lines], None)
        if self.library.ngSpice_Circ(table):
            raise RuntimeError("ngspice could not read the netlist: " + " | ".join(self.said[-4:]))
        self.loaded = True

    def run(self) -> float:
        """Run the analyses of the netlist; seconds."""
        began = time.process_time()
        refused = self.library.ngSpice_Command(b"run")
        took = time.process_time() - began
        if refused or any("rror" in line for line in self.said):
            raise RuntimeError("ngspice: " + " | ".join(self.said[-4:]))
        return took

    def output(self, name: str) -> np.ndarray:
        """A vector of the last run, complex."""
        vector = self.library.ngGet_Vec_Info(name.encode())
        if not vector:
            raise RuntimeError(f"ngspice has no vector {name!r}: " + " | ".join(self.said[-4:]))
        found = vector.contents
        if found.complex:
            numbers = ctypes.cast(found.complex, ctypes.POINTER(ctypes.c_double))
            pairs = np.ctypeslib.as_array(numbers, (found.length, 2))
            return pairs[:, 0] + 1j * pairs[:, 1]
        return np.ctypeslib.as_array(found.real, (found.length,)).astype(complex)

    def frequencies(self) -> np.ndarray:
        """Those of the last sweep."""
        return self.output("frequency").real.copy()
