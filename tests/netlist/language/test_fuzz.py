"""Two fuzzers: whatever the parser is given, it answers soon, with a netlist or with a typed error that has a place."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from circuits.errors import NetlistError
from circuits.netlist.language import files, parse_netlist
from circuits.netlist.language.instances import LIBRARY
from netlist.language.fuzzing import INCLUDED, attempt, grammar, mutate
from netlist.language.spice import NothingPrinted, disagreements
from netlist.oracles.ngspice import needs_ngspice

COUNT = 2_000
SECONDS = 2.0  # each takes a few milliseconds; a busy machine must not fail the test
_ONLY_OURS = re.compile(r"CPE|WARBURG|^X.* m=2", re.IGNORECASE | re.MULTILINE)
EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "netlists").glob("*.cir"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a few files to include, and an alarm on every other one."""
    inside = tmp_path / "inside"
    inside.mkdir()
    for name, text in INCLUDED.items():
        (inside / name).write_text(text)
    (tmp_path / "secret").write_text("R1 a 0 1\n")
    read = files._bytes

    def watched(path: Path, most: int) -> bytes:
        assert path.is_relative_to(inside.resolve()), f"{path} was opened"
        return read(path, most)

    monkeypatch.setattr(files, "_bytes", watched)
    return inside


def test_netlists_by_the_grammar(folder: Path):
    outcomes = [attempt(grammar(Random(f"grammar {seed}")), folder) for seed in range(COUNT)]
    refused = Counter(outcome.message is not None for outcome in outcomes)
    assert max(outcome.seconds for outcome in outcomes) < SECONDS
    assert refused[False] > COUNT / 4  # else the grammar says little about what is right
    assert refused[True] > COUNT / 20


def test_netlists_that_were_mutated(folder: Path):
    texts = [path.read_text("utf-8") for path in EXAMPLES] + [grammar(Random(f"text {seed}")) for seed in range(40)]
    assert len(texts) > 45
    outcomes = [attempt(mutate(Random(f"mutation {seed}"), texts), folder) for seed in range(COUNT)]
    assert max(outcome.seconds for outcome in outcomes) < SECONDS
    assert len({outcome.message is None for outcome in outcomes}) == 2


@needs_ngspice
def test_ngspice_has_the_same_values_in_netlists_by_the_grammar(folder: Path):
    """Every value of every element, through parameters, functions and subcircuits; what only we have is left out."""
    compared, ran, wrong = 0, 0, {}
    library = "\n".join([line for line in LIBRARY.read_text("utf-8").splitlines() if line[:1] != "*"])
    for seed in range(150):
        text = grammar(Random(f"peer {seed}")).replace("Lb Lc", "Lb").replace(" tol=1%", "").replace("\n.end\n", "\n")
        if _ONLY_OURS.search(text):
            continue
        try:
            netlist = parse_netlist(text, folder=folder)
            found, differing = disagreements(netlist, f"{text}\n{library}", folder)
        except (NetlistError, NothingPrinted):  # a mistake on purpose, or a circuit that ngspice cannot solve
            continue
        compared, ran, wrong = (
            compared + found,
            ran + bool(found),
            {**wrong, **{f"{seed} {k}": v for k, v in differing.items()}},
        )
    assert wrong == {}
    assert ran > 50
    assert compared > 300
