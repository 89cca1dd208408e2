"""Compiling C: the cache, who may write to it, what is damaged, and what happens without a compiler."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from circuits import compiling
from circuits.compiling import BuildError, cache_folder, find_compiler, library_name, load_library

ROOT = Path(__file__).parents[2]
COMPILER = next((found for found in map(shutil.which, compiling.COMPILERS) if found), None)
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="NOT RUN: no C compiler (cc, gcc or clang)")
SMALL = "int ohmgrad_run(const void *p, const char *c) { return p == c ? %d : -1; }\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and no compiler by name."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("OHMGRAD_CACHE", str(folder))
    monkeypatch.delenv("CC", raising=False)
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A kernel that takes no time to compile."""
    path = tmp_path / "small.c"
    path.write_text(SMALL % 7, "utf-8")
    return path


def answer(library: ctypes.CDLL) -> int:
    return library.ohmgrad_run(None, None)


def script(path: Path, body: str) -> str:
    """A compiler of our own making."""
    path.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
    path.chmod(0o755)
    return str(path)


def counting(folder: Path) -> tuple[str, Path]:
    """A compiler that keeps count of its runs."""
    count = folder / "count"
    return script(folder / "counting", f'echo run >> "{count}"\nexec "{COMPILER}" "$@"'), count


@needs_compiler
def test_it_is_compiled_once(source: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    compiler, count = counting(tmp_path)
    monkeypatch.setenv("CC", compiler)
    assert [answer(load_library(source)) for _ in range(3)] == [7, 7, 7]
    assert count.read_text().split() == ["run"]
    assert len([*cache.iterdir()]) == 1
    assert cache.stat().st_mode & 0o777 == 0o700


@needs_compiler
def test_another_source_or_compiler_is_another_library(source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    assert answer(load_library(source)) == 7
    source.write_text(SMALL % 8, "utf-8")
    assert answer(load_library(source)) == 8
    monkeypatch.setenv("CC", f"{COMPILER} -DOTHER")
    assert answer(load_library(source)) == 8
    monkeypatch.setattr(compiling, "_processor", lambda: "another processor")
    assert answer(load_library(source)) == 8
    assert len([*cache.iterdir()]) == 4


@needs_compiler
@pytest.mark.parametrize("damage", [b"", b"no library at all", None])
def test_a_damaged_library_is_built_anew(source: Path, cache: Path, damage: bytes | None):
    load_library(source)
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    path.unlink()  # this process has the old file open
    path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert answer(load_library(source)) == 7
    (path,) = cache.iterdir()
    assert path.read_bytes() == whole


@needs_compiler
def test_a_library_that_was_moved_in_place_of_another_is_not_loaded(source: Path, cache: Path):
    load_library(source)
    (seven,) = cache.iterdir()
    source.write_text(SMALL % 8, "utf-8")
    load_library(source)
    (eight,) = (path for path in cache.iterdir() if path != seven)
    os.replace(seven, eight)
    assert answer(load_library(source)) == 8


@needs_compiler
def test_a_folder_that_others_may_write_to_is_not_used(source: Path, cache: Path):
    cache.mkdir(mode=0o700)
    for mode in (0o770, 0o702, 0o777):
        cache.chmod(mode)
        assert cache_folder() is None
        assert answer(load_library(source)) == 7
    assert not [*cache.iterdir()]
    cache.chmod(0o755)
    assert cache_folder() == cache


@needs_compiler
def test_a_folder_of_somebody_else_is_not_used(source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    cache.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: cache.stat().st_uid + 1)
    assert cache_folder() is None
    assert answer(load_library(source)) == 7
    assert not [*cache.iterdir()]


@needs_compiler
def test_a_folder_that_cannot_be_made_is_done_without(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("", "utf-8")
    monkeypatch.setenv("OHMGRAD_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert cache_folder() is None
    assert answer(load_library(source)) == 7
    assert not [*tmp_path.glob("ohmgrad-*")]


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OHMGRAD_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "ohmgrad"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "ohmgrad"


def test_no_compiler(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="no C compiler .* install one"):
        load_library(source)
    monkeypatch.setenv("CC", "no-such-compiler -O1")
    with pytest.raises(BuildError, match="CC=no-such-compiler -O1 is not there"):
        load_library(source)


def test_a_compiler_is_looked_for_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    clang = script(tmp_path / "clang", "exit 0")
    assert find_compiler() == [clang]
    gcc = script(tmp_path / "gcc", "exit 0")
    assert find_compiler() == [gcc]
    monkeypatch.setenv("CC", "clang -m64")
    assert find_compiler() == [clang, "-m64"]


def test_a_compiler_that_fails(source: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for body, message in (
        ("echo out of order >&2; exit 3", "out of order"),
        ("exit 3", "it returned 3"),
        ("exit 0", "it returned 0"),
    ):
        monkeypatch.setenv("CC", script(tmp_path / "broken", body))
        with pytest.raises(BuildError, match=f"could not compile the kernel: {message}"):
            load_library(source)
        assert not [*cache.iterdir()]


def test_a_compiler_that_hangs(source: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiling, "PATIENCE", 0.2)
    monkeypatch.setenv("CC", script(tmp_path / "slow", "exec sleep 20"))
    with pytest.raises(BuildError, match="could not be run"):
        load_library(source)
    assert not [*cache.iterdir()]


def test_a_compiler_that_makes_no_library(source: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    body = 'while [ "$1" != -o ]; do shift; done\necho rubbish > "$2"'
    monkeypatch.setenv("CC", script(tmp_path / "odd", body))
    with pytest.raises(BuildError, match="cannot be loaded"):
        load_library(source)


@needs_compiler
def test_a_compiler_that_does_not_know_the_processor(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    body = f'for word in "$@"; do case "$word" in -m*) exit 1;; esac; done\nexec "{COMPILER}" "$@"'
    monkeypatch.setenv("CC", script(tmp_path / "plain", body))
    assert answer(load_library(source)) == 7


@needs_compiler
def test_a_name_does_not_change_by_itself(source: Path):
    compiler = find_compiler()
    assert library_name(source, compiler) == library_name(source, compiler)


def python(code: str, **environment: str) -> subprocess.Popen:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    inherited = {name: value for name, value in os.environ.items() if name != "OHMGRAD_NATIVE"}
    known = {**inherited, "PYTHONPATH": paths, **environment}
    return subprocess.Popen([sys.executable, "-c", code], env=known, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@needs_compiler
def test_several_processes_build_at_once(source: Path, cache: Path):
    code = (
        "from pathlib import Path; from circuits.compiling import load_library; "
        f"print(load_library(Path({str(source)!r})).ohmgrad_run(None, None))"
    )
    running = [python(code) for _ in range(4)]
    for one in running:
        out, err = one.communicate(timeout=120)
        assert (out.decode().strip(), err.decode()) == ("7", "")
    assert len([*cache.iterdir()]) == 1


WHY = "from circuits.netlist.solver import native; print(native.available(), native.why_not())"


@needs_compiler
def test_the_cache_forgets_what_is_not_used(source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiling, "MOST_KEPT", 3)
    load_library(source)
    first = next(cache.glob("kernel-*.so"))
    for age in range(4):
        (cache / f"kernel-old{age}-0.so").write_bytes(b"")
        os.utime(cache / f"kernel-old{age}-0.so", (1e9 + age, 1e9 + age))
    os.utime(first, (1e8, 1e8))  # the oldest, but it is asked for once more
    load_library(source)
    source.write_text(SMALL % 8, "utf-8")
    load_library(source)
    left = {path.name for path in cache.glob("kernel-*.so")}
    assert len(left) == 3 and first.name in left and "kernel-old3-0.so" in left


def test_it_can_be_switched_off(cache: Path):
    out, err = python(WHY, OHMGRAD_NATIVE="0").communicate(timeout=120)
    assert (out.decode().strip(), err.decode()) == ("False OHMGRAD_NATIVE=0 switches it off", "")
    assert not cache.exists()


def test_without_a_compiler_it_is_not_available(cache: Path, tmp_path: Path):
    out, err = python(WHY, PATH=str(tmp_path)).communicate(timeout=120)
    assert out.decode().startswith("False no C compiler")
    assert err.decode() == ""


def test_importing_compiles_nothing(cache: Path):
    code = "import circuits; from circuits.netlist.solver import engine, native; print('ready')"
    out, err = python(code).communicate(timeout=120)
    assert (out.decode().strip(), err.decode()) == ("ready", "")
    assert not cache.exists()


@needs_compiler
def test_the_kernel_itself_compiles_without_a_warning(tmp_path: Path):
    source = ROOT / "circuits" / "netlist" / "solver" / "kernel.c"
    command = [
        *find_compiler(),
        *compiling.FLAGS,
        "-Wall",
        "-Wextra",
        "-Werror",
        "-o",
        str(tmp_path / "k.so"),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
