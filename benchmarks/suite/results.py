"""Results of runs: one record a benchmark, kept in a file from which page, plot and comparison are made."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from reporting import Figure


@dataclass
class Record:
    """What one benchmark said, when, of which commit, and how it ended."""

    name: str
    date: str
    commit: str
    seconds: float
    ended: str = "well"
    quick: bool = False
    figures: list[Figure] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def figures_of(path: Path) -> tuple[list[Figure], list[str]]:
    """What a benchmark wrote of itself; a figure that is said twice counts as said last."""
    found: dict[str, Figure] = {}
    absent: list[str] = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        said = json.loads(line)
        if "figure" in said:
            one = Figure(**said["figure"])
            found[one.name] = one
        else:
            absent.append(f"{said['absent']} ({said['how']})")
    return list(found.values()), list(dict.fromkeys(absent))


def load(path: Path) -> tuple[dict[str, str], dict[str, Record]]:
    """Machine and records of a file; nothing where there is none."""
    if not path.exists():
        return {}, {}
    stored = json.loads(path.read_text("utf-8"))
    records = {
        one["name"]: Record(**{**one, "figures": [Figure(**figure) for figure in one["figures"]]})
        for one in stored["benchmarks"]
    }
    return stored["machine"], records


def save(path: Path, machine: dict[str, str], records: dict[str, Record]) -> None:
    """Write the file whole or not at all."""
    write_json(path, {"machine": machine, "benchmarks": [asdict(one) for one in records.values()]})


def write_json(path: Path, content: Any) -> None:
    """Write JSON whole or not at all."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)
