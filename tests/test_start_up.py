"""What a fresh process loads: the start is kept quick by not loading, which a test can count where it cannot time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from circuits.commands import COMMANDS
from circuits.component import broadcast_shapes
from circuits.errors import ShapeError

ROOT = Path(__file__).parent.parent
SLOW = {"matplotlib", "scipy", "sympy", "mpmath", "pandas", "PIL", "IPython", "networkx", "schemdraw", "torch._dynamo"}
SHIPPED = {
    "leds": ("examples/data/organ_leds.csv",),
    "magnitudes": ("examples/data/low_pass_magnitude.csv", "--circuit", "low-pass"),
    "netlist": (
        *("examples/data/organ_bench.csv", "--netlist", "examples/netlists/organ.cir"),
        *("--learn", "R*", "--output", "V(low)/V(in)"),
    ),
}


def loaded(*arguments: str) -> set[str]:
    """Names of all modules that a fresh interpreter has loaded when it ends."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def above(names: set[str]) -> set[str]:
    """The same with the packages that hold them."""
    return {".".join(name.split(".")[: i + 1]) for name in names for i in range(name.count(".") + 1)}


def test_importing_circuits_adds_hardly_a_module_to_torch():
    added = loaded("-c", "import torch, circuits") - loaded("-c", "import torch")
    assert added == {"circuits"}


@pytest.mark.parametrize("arguments", SHIPPED.values(), ids=SHIPPED)
def test_a_fit_of_a_shipped_file_loads_nothing_that_it_does_not_use(arguments: tuple[str, ...]):
    assert above(loaded("-m", "circuits", "fit", *arguments)) & SLOW == set()


def test_a_command_loads_no_other_command():
    others = {f"circuits.commands.{module}" for module in COMMANDS.values() if module != "reading"}
    assert loaded("-m", "circuits", "read", "--help") & others == set()


def test_help_loads_little_of_the_standard_library():
    assert loaded("-m", "circuits", "--help") & {"inspect", "tempfile", "subprocess", "asyncio", "csv", "json"} == set()


@pytest.mark.parametrize("shapes", [(), ((),), ((3, 1), (4,)), ((2, 1, 5), (), (7, 1)), ((0,), (1,)), ((1, 3), (2, 1))])
def test_shapes_broadcast_as_torch_broadcasts_them(shapes):
    import torch

    assert broadcast_shapes(*shapes) == torch.broadcast_shapes(*shapes)


@pytest.mark.parametrize("shapes", [((3,), (4,)), ((0,), (2,)), ((2, 3), (3, 2))])
def test_shapes_that_do_not_broadcast_are_listed(shapes):
    with pytest.raises(ShapeError, match=r"do not broadcast: \(\d"):
        broadcast_shapes(*shapes)
