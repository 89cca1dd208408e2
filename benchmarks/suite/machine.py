"""The machine that figures were measured on, as far as it says what it is."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "lmfit",
    "impedance",
    "scikit-rf",
    "jax",
    "jaxopt",
    "optimistix",
    "circulax",
    "paramrf",
)
ASK = "import importlib.metadata as m, json; print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
ROOT = Path(__file__).parents[2]


def describe() -> dict[str, str]:
    """Processor, cores, caches, memory, system, Python, compiler and packages."""
    found = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "caches": _caches(),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}, {platform.machine()}",
        "Python": platform.python_version(),
        "compiler": _compiler(),
    }
    return found | _versions()


def commit() -> str:
    """The commit, with a mark where files differ from it."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        return "unknown"

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "circuits", "losses", "benchmarks/*.py")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")


def _versions() -> dict[str, str]:
    """Of the packages here, and of those that only the interpreter of the JAX peers has."""
    other = os.environ.get("OHMGRAD_JAX_PYTHON")
    there = json.loads(subprocess.run([other, "-c", ASK], capture_output=True, text=True).stdout) if other else {}
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            version = there.get(package)
            found[package] = f"{version} (in an interpreter of its own)" if version else "not there"
    return found


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def _processor() -> str:
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            kind = next((one for one in _lines("/proc/cpuinfo") if one.startswith("flags")), "")
            wide = "AVX-512" if "avx512f" in kind else "AVX2" if "avx2" in kind else ""
            return ", ".join(part for part in (line.split(":", 1)[1].strip(), wide) if part)
    return _sysctl("machdep.cpu.brand_string") or platform.processor() or platform.machine()


def _caches() -> str:
    found = []
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ("".join(_lines(str(folder / name))) for name in ("level", "type", "size"))
        if size and kind != "Instruction":
            found.append(f"L{level} {size.replace('K', ' kB')}")
    return ", ".join(found) or "unknown"


def _memory() -> str:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal"):
            return f"{int(line.split()[1]) / 2**20:.0f} GB"
    size = _sysctl("hw.memsize")
    return f"{int(size) / 2**30:.0f} GB" if size else "unknown"


def _compiler() -> str:
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            done = subprocess.run([name, "--version"], capture_output=True, text=True)
            return done.stdout.splitlines()[0] if done.stdout else name
    return "none"


def _sysctl(name: str) -> str:
    if not shutil.which("sysctl"):
        return ""
    return subprocess.run(["sysctl", "-n", name], capture_output=True, text=True).stdout.strip()
