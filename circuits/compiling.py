"""Compiling C at first use, into a private folder where the next process finds it.

A library is named for everything that it depends on (source, flags, compiler, processor) and for its own content, so
that a home shared by different machines holds one each, and a damaged file is seen before it is loaded.
"""

from __future__ import annotations

import ctypes
import hashlib
import itertools
import os
import platform
import shlex
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

COMPILERS = ("cc", "gcc", "clang")
FLAGS = (
    *("-O3", "-std=gnu11", "-fPIC", "-shared", "-pthread"),
    # sums of products may be fused and no error number is kept; NaN and infinity stay what they are
    *("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros"),
)
OWN_PROCESSOR = (("-march=native",), ("-mcpu=native",), ())
"""Ways to ask for the processor at hand, tried in turn."""
MOST_KEPT = 200
"""Libraries that the cache holds; those that have not been used for longest go."""
PATIENCE = 120.0
"""Seconds after which a compiler is given up."""


class BuildError(Exception):
    """Why there is no kernel, in one sentence; never seen by a user, since torch does the work then."""


Options = Sequence[Sequence[str]]


def load_library(source: Path, options: Options = ((),), *, only_cached: bool = False) -> ctypes.CDLL:
    """The compiled kernel, from the cache where it is there.

    Args:
        source: a file of C.
        options: further options of the compiler, such as libraries: the first that work.
        only_cached: compile nothing.

    `CC` names the compiler (else cc, gcc or clang), `OHMGRAD_CACHE` the folder (else `ohmgrad` in `XDG_CACHE_HOME` or
    `~/.cache`). Where the folder is not ours alone or cannot be written, a temporary one serves this process.

    Raises:
        BuildError: no compiler, one that fails, a library that cannot be loaded, or one that is not in the cache.
    """
    if os.name != "posix" or struct.calcsize("P") != 8:
        raise BuildError("the kernel is for POSIX systems of 64 bits")
    compiler = find_compiler()
    name = library_name(source, compiler, options)
    folder = cache_folder()
    if folder is not None:
        try:
            found = _cached(folder, name)
            if found or not only_cached:
                return found or ctypes.CDLL(str(_compile(source, compiler, folder, name, options)))
        except OSError:  # a folder that fills up, or from which nothing may be run
            pass
    if only_cached:
        raise BuildError("it has not been compiled yet")
    with tempfile.TemporaryDirectory(prefix="ohmgrad-") as private:
        try:
            return ctypes.CDLL(str(_compile(source, compiler, Path(private), name, options)))
        except OSError as error:
            raise BuildError(f"the compiled kernel cannot be loaded: {error}") from error


def find_compiler() -> list[str]:
    """The command that `CC` gives, or the first compiler on the path.

    Raises:
        BuildError: there is none.
    """
    given = shlex.split(os.environ.get("CC", ""))
    for command in [given] if given else [[name] for name in COMPILERS]:
        found = shutil.which(command[0])
        if found:
            return [found, *command[1:]]
    missing = f"the compiler CC={' '.join(given)} is not there" if given else "no C compiler (cc, gcc or clang)"
    raise BuildError(f"{missing}; install one, for instance gcc")


def library_name(source: Path, compiler: Sequence[str], options: Options = ((),)) -> str:
    """A name for what this compiler makes of the source on this machine."""
    program = os.stat(compiler[0])
    identity = (*compiler, os.path.realpath(compiler[0]), program.st_size, program.st_mtime_ns)
    system = (platform.system(), platform.machine(), _c_library(), _processor())
    content = repr((source.read_bytes(), FLAGS, OWN_PROCESSOR, options, identity, system))
    return f"kernel-{hashlib.sha256(content.encode()).hexdigest()[:24]}"


def cache_folder() -> Path | None:
    """Our folder for compiled code, made where it is missing; None where others could put something into it."""
    given = os.environ.get("OHMGRAD_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = Path(given) if given else Path(base) / "ohmgrad"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError:
        return None
    is_ours = status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return folder if is_ours and os.access(folder, os.W_OK | os.X_OK) else None


def _cached(folder: Path, name: str) -> ctypes.CDLL | None:
    """A library of this name whose content is what it was; others are thrown away."""
    for path in sorted(folder.glob(f"{name}-*.so")):
        if path.stem == f"{name}-{_digest(path)}":
            try:
                os.utime(path)  # it is of use
                return ctypes.CDLL(str(path))
            except OSError:
                pass
        path.unlink(missing_ok=True)
    return None


def _compile(source: Path, compiler: Sequence[str], folder: Path, name: str, options: Options) -> Path:
    """Compile to a temporary name and move the whole library into place."""
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".compiling-", suffix=".so")
    os.close(handle)
    try:
        _run_compiler(source, compiler, temporary, options)
        os.chmod(temporary, 0o700)
        path = folder / f"{name}-{_digest(Path(temporary))}.so"
        os.replace(temporary, path)
        _forget_old(folder)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return path


def _forget_old(folder: Path) -> None:
    """Take away what has not been used for longest; a process that has it loaded keeps it."""
    try:
        paths = sorted(folder.glob("kernel-*.so"), key=lambda path: path.stat().st_mtime)
        for path in paths[:-MOST_KEPT]:
            path.unlink(missing_ok=True)
    except OSError:  # another process does the same
        pass


def _run_compiler(source: Path, compiler: Sequence[str], target: str, options: Options) -> None:
    message = ""
    for own, more in itertools.product(OWN_PROCESSOR, options):
        command = [*compiler, *FLAGS, *own, "-o", target, str(source), *more]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise BuildError(f"{compiler[0]} could not be run: {error}") from error
        if done.returncode == 0 and os.path.getsize(target):
            return
        message = message or (done.stderr.strip() or done.stdout.strip() or f"it returned {done.returncode}")
    raise BuildError(f"{' '.join(compiler)} could not compile the kernel: {message.splitlines()[0]}")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:24]


def _c_library() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):  # not everywhere is there such a name
        return platform.release() if sys.platform == "darwin" else ""


def _processor() -> str:
    """What tells one kind of processor from another: a library may use all that this one can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor()
    kept = ("model name", "flags", "features", "cpu part", "cpu implementer", "isa")
    return "\n".join(sorted({line for line in lines if line.split(":")[0].strip().lower() in kept}))
