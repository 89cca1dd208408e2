"""The native executor: a `Plan` carried out by `kernel.c`, which is compiled at first use.

Arrays are NumPy, C-contiguous, float64 and complex128: q `(Q, B)`, f `(n,)` or `(B, n)`, z `(Z, B, n)`. `flagged`
`(B, n)` tells lanes that need pivoting: they are zero in what comes back and have no part in sums. What is computed
does not depend on the number of threads, to the last bit.

`OHMGRAD_NATIVE=0` in the environment switches the kernel off; `circuits.compiling` says where it is kept.
"""

from __future__ import annotations

import ctypes
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from circuits.compiling import BuildError, load_library
from circuits.errors import OhmgradError, ShapeError
from circuits.netlist.solver.plan import Plan
from circuits.netlist.solver.program import Program

SOURCE = Path(__file__).with_name("kernel.c")
NUMBERS = (
    "mode threads boards points boards_per_task points_per_task first last shared_f want_f transposed rhs_count "
    "rhs_board_stride rhs_point_stride past_caches"
)
ARRAYS = "q f z g rhs h by_q by_z by_f x flagged"
"""The members of `Call` in kernel.c, in their order."""

_FORWARD, _GRADIENT, _JACOBIAN, _SOLVE = range(4)
_PACK = struct.Struct(f"{len(NUMBERS.split()) + len(ARRAYS.split())}q").pack
_WORTH_A_THREAD = 100e3
"""Nanoseconds of work below which another thread costs more than it saves."""
_UNINTERRUPTED = 250e6
"""Nanoseconds of work after which Python gets a chance to see an interrupt."""
_PAST_CACHES = 1 << 20
"""Bytes of a Jacobian from which it is written past the caches."""


class _Kernel(NamedTuple):
    run: Callable[[int, bytes], int]
    lanes: int  # of a block


_lock = threading.Lock()
_kernels: list[_Kernel | str] = []  # the one kernel, or why there is none, once that is known
_programs: WeakKeyDictionary[Plan, Program] = WeakKeyDictionary()


def available() -> bool:
    """Whether there is a kernel; compiles it when asked for the first time.

    >>> available() or bool(why_not())
    True
    """
    return not isinstance(_kernel(), str)


def why_not() -> str:
    """Why there is no kernel; nothing where there is one."""
    kernel = _kernel()
    return kernel if isinstance(kernel, str) else ""


def forward(
    plan: Plan, q: np.ndarray, f: np.ndarray, z: np.ndarray, *, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs `(B, K, n)`, and the flagged lanes."""
    call = _Call(plan, q, f, z)
    H = np.empty((call.boards, plan.n_out, call.points), complex)
    call.run(_FORWARD, threads, h=H)
    return call.silenced(H), call.flagged


def gradient(
    plan: Plan, q: np.ndarray, f: np.ndarray, z: np.ndarray, G: np.ndarray, want_f: bool = False, *, threads: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
    """Gradients of a real loss with dL = Re Σ conj(G)·dH, G being `(B, K, n)`.

    By q `(Q, B)`, by z `(Z, B, n)` as torch counts it (the conjugate of dL/dz), by f `(B, n)` or None; the flagged
    lanes.
    """
    call = _Call(plan, q, f, z)
    _expect("G", G, complex, (call.boards, plan.n_out, call.points))
    by_q = np.empty((call.chunks, plan.n_q, call.boards))
    by_z = np.empty((plan.n_z, call.boards, call.points), complex)
    by_f = np.empty((call.boards, call.points)) if want_f else None
    call.run(_GRADIENT, threads, g=G, by_q=by_q, by_z=by_z, by_f=by_f)
    return by_q[0] if call.chunks == 1 else by_q.sum(0), by_z, by_f, call.flagged


def jacobian(
    plan: Plan, q: np.ndarray, f: np.ndarray, z: np.ndarray, *, threads: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Outputs `(B, K, n)`, their derivatives by q `(B, Q, K, n)` and by z `(B, Z, K, n)`, and the flagged lanes."""
    call = _Call(plan, q, f, z)
    H = np.empty((call.boards, plan.n_out, call.points), complex)
    by_q = _aligned((call.boards, plan.n_q, plan.n_out, call.points))
    by_z = _aligned((call.boards, plan.n_z, plan.n_out, call.points))
    call.run(_JACOBIAN, threads, h=H, by_q=by_q, by_z=by_z, past_caches=by_q.nbytes + by_z.nbytes >= _PAST_CACHES)
    return call.silenced(H), call.silenced(by_q), call.silenced(by_z), call.flagged


def solve(
    plan: Plan,
    q: np.ndarray,
    f: np.ndarray,
    z: np.ndarray,
    rhs: np.ndarray,
    transposed: bool = False,
    *,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """x `(B, R, unknowns, n)` with A x = rhs, or Aᵀ x = rhs, rails at zero volts; the flagged lanes.

    rhs is complex, `(B or 1, R, unknowns, n or 1)`: all R are solved with one elimination.
    """
    call = _Call(plan, q, f, z)
    _expect("rhs", rhs, complex, (None, None, plan.n, None))
    boards, count, _, points = rhs.shape
    if boards not in (1, call.boards) or points not in (1, call.points):
        raise ShapeError(f"rhs has shape {rhs.shape}; expected {call.boards} or 1 boards and {call.points} or 1 points")
    x = np.empty((call.boards, count, plan.n, call.points), complex)
    board_stride = 0 if boards == 1 else count * plan.n * points
    layout = (int(transposed), count, board_stride, int(points > 1))
    call.run(_SOLVE, threads, rhs=rhs, x=x, layout=layout)
    return call.silenced(x), call.flagged


class _Call:
    """What all four have in common: shapes, tasks and the flags.

    A task is some points of one board, or all points of several: many points fill blocks of lanes best a board at a
    time. Tasks depend on the shapes alone, never on the threads.
    """

    def __init__(self, plan: Plan, q: np.ndarray, f: np.ndarray, z: np.ndarray):
        kernel = _kernel()
        if isinstance(kernel, str):
            raise OhmgradError(f"there is no native kernel ({kernel}); use the torch executor")
        _expect("q", q, float, (plan.n_q, None))
        _expect("f", f, float, (None,) if f.ndim == 1 else (q.shape[1], None))
        self.boards, self.points = boards, points = q.shape[1], f.shape[-1]
        _expect("z", z, complex, (plan.n_z, boards, points))
        self.program = _programs.get(plan) or _programs.setdefault(plan, Program(plan))
        self.inputs = q, f, z
        self.flagged = np.empty((boards, points), bool)
        self._run, lanes = kernel
        blocks = -(-points // lanes)
        self.chunks, self.boards_per_task, self.points_per_task = 1, 1, max(points, 1)
        if points >= 8 * lanes or points == blocks * lanes or boards == 1:
            if boards < 32:
                self.chunks = max(min(blocks // 2, -(-64 // max(boards, 1))), 1)
                self.points_per_task = max(-(-blocks // self.chunks) * lanes, 1)
                self.chunks = max(-(-points // self.points_per_task), 1)
        else:
            self.boards_per_task = lanes * -(-16 // max(points, 1))
        self.tasks = -(-boards // self.boards_per_task) * self.chunks
        self.any_flagged = False

    def run(
        self,
        mode: int,
        threads: int,
        *,
        g: np.ndarray | None = None,
        rhs: np.ndarray | None = None,
        h: np.ndarray | None = None,
        by_q: np.ndarray | None = None,
        by_z: np.ndarray | None = None,
        by_f: np.ndarray | None = None,
        x: np.ndarray | None = None,
        layout: tuple[int, int, int, int] = (0, 0, 0, 0),
        past_caches: bool = False,
    ) -> None:
        """Do all tasks, in slices between which an interrupt is seen.

        Raises:
            MemoryError: no room for the numbers of a block.
        """
        if not self.flagged.size:
            if by_q is not None:
                by_q[:] = 0
            return
        q, f, z = self.inputs
        work = self.program.cost * self.flagged.size * (1 if mode == _FORWARD else 2 + layout[1])
        slices = min(max(int(work / _UNINTERRUPTED), 1), self.tasks)
        threads = max(min(threads, int(work / slices / _WORTH_A_THREAD), self.tasks), 1)
        addresses = [_address(array) for array in (q, f, z, g, rhs, h, by_q, by_z, by_f, x, self.flagged)]
        shape = self.boards, self.points, self.boards_per_task, self.points_per_task
        options = f.ndim == 1, by_f is not None, *layout, past_caches
        for part in range(slices):
            tasks = part * self.tasks // slices, (part + 1) * self.tasks // slices
            packed = _PACK(mode, threads, *shape, *tasks, *options, *addresses)
            status = self._run(self.program.address, packed)
            if status < 0:
                raise MemoryError("no memory for the elimination of a netlist; give fewer threads")
            self.any_flagged |= status > 0

    def silenced(self, values: np.ndarray) -> np.ndarray:
        """Values `(B, …, n)` with zeros for flagged lanes."""
        if self.any_flagged:
            values.swapaxes(1, -1)[self.flagged] = 0
        return values


def _kernel() -> _Kernel | str:
    if not _kernels:
        with _lock:
            if not _kernels:
                _kernels.append(_found_kernel())
    return _kernels[0]


def _found_kernel() -> _Kernel | str:
    if os.environ.get("OHMGRAD_NATIVE", "") == "0":
        return "OHMGRAD_NATIVE=0 switches it off"
    try:
        library = load_library(SOURCE)
    except BuildError as error:
        return str(error)
    library.ohmgrad_run.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return _Kernel(library.ohmgrad_run, library.ohmgrad_lanes())


def _expect(name: str, array: np.ndarray, dtype: type, shape: tuple[int | None, ...]) -> None:
    """The kernel reads memory as it is told to: nothing else may come in.

    Raises:
        ShapeError: another type, shape or order.
    """
    if array.dtype == dtype and array.ndim == len(shape) and array.flags.c_contiguous:
        for wanted, size in zip(shape, array.shape, strict=True):
            if wanted is not None and wanted != size:
                break
        else:
            return
    sizes = ", ".join("any" if size is None else str(size) for size in shape)
    raise ShapeError(f"{name} is {array.dtype} {array.shape}; expected {dtype.__name__} ({sizes}) without gaps")


def _address(array: np.ndarray | None) -> int:
    """Where an array lies; several times quicker than `array.ctypes.data` wherever a buffer may be written."""
    if array is None or not array.size:
        return 0
    if array.flags.writeable:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]  # an array is a buffer
    return array.ctypes.data


def _aligned(shape: tuple[int, ...]) -> np.ndarray:
    """An empty complex array that begins at a multiple of 64 bytes, as writing past the caches needs."""
    count = int(np.prod(shape, dtype=np.int64))
    space = np.empty(count + 4, complex)
    start = -_address(space) % 64 // 16
    return space[start : start + count].reshape(shape)
