"""The rules of the house, read from the source: which room may import which, and how a file is kept."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("circuits", "losses")
FILES = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
HEAVY = ("matplotlib", "ipywidgets", "IPython", "PIL", "schemdraw", "graphviz", "torchviz", "scipy", "pyarrow")
LIGHT = f"import sys; sys.exit(' '.join(name for name in {HEAVY!r} if name in sys.modules))"

FOUNDATION = {"circuits.errors", "circuits.notation", "circuits.files", "circuits.compiling"}
FORMULAS = {"torch", "circuits.functional", "circuits.circuit"} | FOUNDATION
CORE = FOUNDATION | {
    f"circuits.{path.stem}"
    for path in (ROOT / "circuits").glob("*.py")
    if path.stem not in ("__init__", "__main__", "cli")
}
FIT = {"torch", "numpy", "losses", "circuits.data", "circuits.fitting", "circuits.netlist"} | CORE
PICTURES = {"matplotlib", "ipywidgets", "IPython", "PIL", "schemdraw", "graphviz", "torchviz", "pygraphviz"}
# What a room may import beside the standard library and itself; the longest matching prefix decides.
ROOMS: dict[str, set[str]] = {
    "losses": {"torch"},
    "circuits": {"torch"} | CORE,  # a file of the core with no row of its own
    "circuits.errors": set(),
    "circuits.notation": {"circuits.errors"},
    "circuits.functional": {"torch"},
    "circuits.circuit": FORMULAS | {"circuits.component"},
    "circuits.filters": FORMULAS | {"circuits.component"},
    "circuits.bode": FORMULAS | {"circuits.component"},
    "circuits.color_organ": FORMULAS | {"circuits.component", "circuits.filters"},
    "circuits.netlist": FORMULAS | {"circuits.component", "numpy", "scipy"},
    # a netlist of a stock circuit needs to know what is in it
    "circuits.netlist.writing": FORMULAS
    | {"circuits.component", "circuits.filters", "circuits.bode", "circuits.color_organ", "circuits.netlist"},
    "circuits.catalogue": {"torch", "circuits.netlist"} | CORE,  # a fit in a file may be one of a netlist
    "circuits.data": {"torch", "numpy"} | FOUNDATION,
    # fitting chooses a default loss and knows circuits from other modules
    "circuits.fitting": {"torch", "numpy", "scipy", "tqdm", "tabulate", "losses", "circuits.data"}
    | {"circuits.circuit", "circuits.component", "circuits.catalogue"}
    | FOUNDATION,
    "circuits.fitting.streams": {"torch", "numpy", "losses", "pyarrow", "circuits.data", "circuits.fitting"}
    | {"circuits.circuit"}
    | FOUNDATION,
    "circuits.lab": FIT | {"tabulate"},
    "circuits.views": FIT | PICTURES | {"circuits.lab"},
}
# What shows itself looks up to the room of views: inside a method, when somebody is there to see it.
LOOKS_UP = {Path("circuits/circuit.py"), Path("circuits/fitting/shown.py")}
# The front door sees every room; the tests on what it loads are further below.
DOORS = {"circuits.__init__", "circuits.__main__", "circuits.cli"}
# Functions that take names which only the caller's circuit knows, and refuse the others with `UnknownName`.
OPEN_KEYWORDS: set[str] = set()


def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text("utf-8"), str(path), feature_version=(3, 10))


def module_name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def imports(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, anywhere in it, by absolute dotted name."""
    package = module_name(path).split(".")[:-1]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join(above + ([node.module] if node.module else []))
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield inner if is_module(inner) else source


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines below the signature and the docstring."""
    statements = function.body[1:] if ast.get_docstring(function) is not None else function.body
    end = statements[-1].end_lineno if statements else None
    return end - statements[0].lineno + 1 if end else 0


def within(name: str, rooms: set[str]) -> bool:
    return any(name == room or name.startswith(room + ".") for room in rooms)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


files = pytest.mark.parametrize("path", FILES, ids=str)


@files
def test_imports_stay_within_what_the_room_may_know(path: Path):
    name = module_name(path)
    if name in DOORS or name.startswith("circuits.commands"):
        return
    room = max((room for room in ROOMS if within(name, {room})), key=len)
    # the row "circuits" is for single files: a new folder is a new room and writes its own row
    assert room != "circuits" or len(path.parts) == 2, f"{path}: give this room a row in ROOMS"
    itself = set() if room == "circuits" else {room}
    allowed = ROOMS[room] | itself | set(sys.stdlib_module_names) | ({"circuits.views"} if path in LOOKS_UP else set())
    assert [found for found in imports(path) if not within(found, allowed)] == []


def test_losses_never_know_a_circuit():
    found = [(str(path), name) for path in FILES if path.parts[0] == "losses" for name in imports(path)]
    assert [pair for pair in found if within(pair[1], {"circuits"})] == []


@files
def test_no_module_shares_its_name_with_what_it_defines(path: Path):
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = {node.name for node in tree(path).body if isinstance(node, definitions)}
    assert path.stem not in names


@files
def test_no_public_function_swallows_unknown_keywords(path: Path):
    found = [
        f"{path.as_posix()}:{function.name}"
        for function in functions(path)
        if function.args.kwarg and (not function.name.startswith("_") or function.name == "__init__")
    ]
    assert [name for name in found if name not in OPEN_KEYWORDS] == []


@files
def test_files_are_short_and_finished(path: Path):
    text = (ROOT / path).read_text("utf-8")
    assert len(text.splitlines()) <= 400
    assert re.findall(r"\b(?:TODO|FIXME|XXX)\b", text) == []


@files
def test_function_bodies_are_short(path: Path):
    long = {function.name: body_lines(function) for function in functions(path) if body_lines(function) > 60}
    assert long == {}


@files
def test_nothing_is_checked_by_assert(path: Path):
    assert [node.lineno for node in ast.walk(tree(path)) if isinstance(node, ast.Assert)] == []


def test_no_folder_of_tests_stands_in_for_a_package():
    assert [name for name in PACKAGES if (ROOT / "tests" / name / "__init__.py").exists()] == []


@files
def test_every_module_says_what_it_is_for(path: Path):
    assert ast.get_docstring(tree(path))


def public_names() -> list[tuple[str, str]]:
    """List `(package, name)` for every name that a package's `__init__` promises."""
    packages = [module_name(path.parent) for path in FILES if path.name == "__init__.py"]
    modules = {name: importlib.import_module(name) for name in packages}
    return [(name, public) for name, module in modules.items() for public in getattr(module, "__all__", ())]


def test_each_package_lists_its_names():
    for package in PACKAGES:
        names = importlib.import_module(package).__all__
        assert len(names) == len(set(names)) > 0


def test_every_public_name_resolves_and_is_documented():
    undocumented = []
    for package, name in public_names():
        thing = getattr(importlib.import_module(package), name)
        own_words = inspect.getdoc(thing) and not str(thing.__doc__).startswith(f"{name}(")
        if (callable(thing) or isinstance(thing, ModuleType)) and not own_words:
            undocumented.append(f"{package}.{name}")
    assert undocumented == []


def test_no_public_name_hides_a_module():
    hidden = [
        f"{package}.{name}"
        for package, name in public_names()
        if is_module(f"{package}.{name}")
        and not isinstance(getattr(importlib.import_module(package), name), ModuleType)
    ]
    assert hidden == []


def test_an_unknown_public_name_is_an_attribute_error():
    for package in PACKAGES:
        with pytest.raises(AttributeError, match="no_such_thing"):
            _ = importlib.import_module(package).no_such_thing


@pytest.mark.parametrize("package", PACKAGES)
def test_import_is_silent_and_light(package: str):
    done = run("-c", f"import {package}\n{LIGHT}")
    assert (done.stdout, done.stderr.strip()) == ("", "")


def test_importing_the_rooms_of_a_fit_loads_nothing_to_draw_with():
    names = "ColorOrgan, LowPass, Measurements, fit, read, simulate"
    done = run("-c", f"from circuits import {names}\n{LIGHT}")
    assert (done.stdout, done.stderr.strip()) == ("", "")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fit",),
        ("read",),
        ("simulate",),
        ("graph",),
        ("schematic",),
        ("yield",),
        ("tune",),
        ("diagnose",),
        ("fit-many",),
    ],
    ids=" ".join,
)
def test_help_answers_without_torch(arguments: tuple[str, ...]):
    done = run("-X", "importtime", "-m", "circuits", *arguments, "--help")
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "usage" in done.stdout.lower()
    assert loaded & {"torch", "numpy", *HEAVY} == set()


def test_every_dependency_is_pinned():
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    listed = project["dependencies"] + sum(project["optional-dependencies"].values(), [])
    wanted = [name for name in listed if not name.startswith("ohmgrad[")]
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    pin = re.compile(r"[a-z0-9_-]+==[0-9.]+(; \w+ [<>=]+ '[^']+')?")
    assert [line for line in pins if not pin.fullmatch(line)] == []
    assert {re.split(r"[<>=]", name)[0] for name in wanted} <= {line.split("==")[0] for line in pins}
    assert "torch==2.13.0" in pins


def test_the_readme_prints_the_line_that_ci_runs():
    text = (ROOT / "README.md").read_text("utf-8")
    command = re.search(r"<!-- test-command -->\s*```\w*\n(.+?)```", text, re.DOTALL)
    assert command is not None
    assert "-c constraints.txt" in command[1]
    assert "pytest" in command[1]


def test_what_shows_itself_opens_the_room_of_views_only_when_asked():
    below = [p for p in FILES if p.parts[0] == "circuits" and p.parts[1] not in ("views", "lab", "commands")]
    doors = {Path("circuits/__init__.py"), Path("circuits/cli.py"), Path("circuits/__main__.py")}
    assert {p for p in below if any(within(name, {"circuits.views"}) for name in imports(p))} - doors == LOOKS_UP
    for path in LOOKS_UP:
        top = {node.module for node in tree(path).body if isinstance(node, ast.ImportFrom) and node.module}
        assert not any(within(name, {"circuits.views"}) for name in top)
