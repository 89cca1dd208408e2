"""The compiled form of a formula, and the call of it on arrays."""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from circuits.compiling import BuildError, load_library
from circuits.fitting.many.emission import Written
from circuits.fitting.many.formula import Formula

OPTIONS = (("-DOHMGRAD_MVEC", "-lmvec", "-lm"), ("-lm",))
"""With the C library's vectors of logarithms where there are any."""
REASONS = ("running", "not finite", "gradient", "loss", "decrease", "step", "steps")
"""Names of the reasons that solver.c gives."""
MOST_LINES = 4000
"""Numbers of a formula above which a compiler takes too long over it."""
INTEGERS = "points boards single threads shared_f shared_t shared_w shared_count steps"
NUMBERS = "damping gradient_stop loss_stop decrease_stop step_stop"
ARRAYS = (
    "constants f t w count held low high prior_at prior_weight is_log t_single constants_single "
    "x loss gradient curvature spread taken reason"
)
PLACES = "next first last"

_libraries: dict[str, ctypes.CDLL | BuildError] = {}


class _Call(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_long) for name in INTEGERS.split()),
        *((name, ctypes.c_double) for name in NUMBERS.split()),
        *((name, ctypes.c_void_p) for name in ARRAYS.split()),
        *((name, ctypes.c_long) for name in PLACES.split()),
    ]


@dataclass(frozen=True)
class Kernel:
    """A compiled formula: `run` fits the boards of a `call`, which are given as arrays."""

    formula: Formula
    library: ctypes.CDLL
    constants: np.ndarray
    constants_single: np.ndarray

    def call(
        self,
        integers: Mapping[str, int],
        numbers: Mapping[str, float],
        arrays: Mapping[str, np.ndarray | None],
        first: int,
        last: int,
    ) -> ctypes.Structure:
        """The boards `first` … `last` − 1 as `struct call` of solver.c; who holds it has to hold the arrays."""
        call = _Call(first=first, last=last, **integers, **numbers)
        constants = {"constants": self.constants, "constants_single": self.constants_single}
        for name, array in {**arrays, **constants}.items():
            setattr(call, name, None if array is None else array.ctypes.data)
        return call

    def run(self, call: ctypes.Structure) -> None:
        """Fit the boards of a call.

        Raises:
            MemoryError: no room for the data of one board.
        """
        if self.library.ohmgrad_fit(ctypes.byref(call)):
            raise MemoryError("no memory for the data of one board; give fewer points a board")


def is_switched_off() -> bool:
    """Whether `OHMGRAD_NATIVE=0` forbids compiled code."""
    return os.environ.get("OHMGRAD_NATIVE", "") == "0"


def kernel_of(formula: Formula, *, may_compile: bool) -> Kernel | None:
    """The compiled formula; None where it would have to be compiled first and must not, or cannot be.

    What was compiled once is found again, in this process and in the next.
    """
    if is_switched_off():
        return None
    written = Written(formula)
    if written.size > MOST_LINES:
        return None
    known = _libraries.get(written.text)
    if known is None or (isinstance(known, BuildError) and may_compile and "not been compiled" in str(known)):
        known = _libraries[written.text] = _library(written.text, may_compile)
    if isinstance(known, BuildError):
        return None
    constants = np.array([*written.constants, 0.0])
    with np.errstate(over="ignore"):  # what is beyond single precision ends its walk, and double precision goes on
        return Kernel(formula, known, constants, constants.astype(np.float32))


def _library(text: str, may_compile: bool) -> ctypes.CDLL | BuildError:
    with tempfile.TemporaryDirectory(prefix="ohmgrad-") as folder:
        source = Path(folder) / "boards.c"
        source.write_text(text, "utf-8")
        try:
            return load_library(source, OPTIONS, only_cached=not may_compile)
        except BuildError as error:
            return error
