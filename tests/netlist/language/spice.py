"""What the real ngspice makes of numbers, expressions and cards: many of them in one process."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from circuits.netlist.elements import Element, Netlist
from circuits.netlist.expressions import evaluate
from netlist.oracles.ngspice import NOT_RUN, PROGRAM


class NothingPrinted(Exception):
    """ngspice answered nothing at all; the message is what it said."""


def answers(deck: str, analysis: str, wanted: Sequence[str], beside: Path | None = None) -> dict[str, complex | None]:
    """Vectors after one analysis, None for what ngspice did not print; files are included from `beside`."""
    if PROGRAM is None:
        pytest.skip(NOT_RUN)
    prints = "".join(f"print {vector}\n" for vector in wanted)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "deck.cir")
        path.write_text(f"{deck}\n.control\nset numdgt=16\n{analysis}\n{prints}.endc\n.end\n", "utf-8")
        done = subprocess.run(
            [PROGRAM, "-n", "-b", str(path)],
            cwd=beside or folder,
            env={**os.environ, "HOME": folder},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    found: dict[str, complex | None] = {}
    for vector in wanted:
        match = re.search(rf"^{re.escape(vector)} = ([^\s,]+)(?:,(\S+))?$", done.stdout, re.MULTILINE)
        found[vector] = complex(float(match[1]), float(match[2] or 0)) if match else None
    if not any(value is not None for value in found.values()):
        raise NothingPrinted(done.stdout + done.stderr)
    return found


def numbers(values: Sequence[str], before: str = "") -> list[float | None]:
    """What each text is as the value of a current source."""
    cards = "".join(f"I{k} 0 n{k} DC {text}\nR{k} n{k} 0 1\n" for k, text in enumerate(values))
    found = answers(f"numbers\n{before}\n{cards}", "op", [f"v(n{k})" for k in range(len(values))])
    return [None if value is None else value.real for value in found.values()]


def impedances(cases: Sequence[str]) -> list[complex | None]:
    """The impedance at ω = 1 of what stands between node `n` and ground in each case, beside 1 TΩ.

    Names of elements, nodes and models of a case get a number of their own: `@` in it.
    """
    cards = "".join(
        f"I{k}z 0 n{k} DC 0 AC 1\nR{k}z n{k} 0 1e12\n{case.replace('@', str(k))}\n" for k, case in enumerate(cases)
    )
    sweep = "ac lin 1 0.15915494309189535 0.15915494309189535"
    return list(answers(f"impedances\n{cards}", sweep, [f"v(n{k})" for k in range(len(cases))]).values())


def parameter_values(netlist: Netlist) -> dict[str, float]:
    """Every parameter as the netlist gives it."""
    known: dict[str, float] = {}
    for name, parameter in netlist.parameters.items():
        known[name] = float(evaluate(parameter.value, known))
    return known


def value(netlist: Netlist, name: str, role: str = "value") -> float:
    """One value of an element."""
    return float(evaluate(by_name(netlist)[name].values[role], parameter_values(netlist)))


def by_name(netlist: Netlist) -> Mapping[str, Element]:
    return {element.name: element for element in netlist.elements}


QUANTITIES = {"R": ("resistance", "value"), "C": ("capacitance", "value"), "L": ("inductance", "value")}
QUANTITIES |= {"T": ("z0", "z0"), "V": ("acmag", "ac"), "I": ("acmag", "ac")}
QUANTITIES |= dict.fromkeys("EFGH", ("gain", "value"))
_FACTORS = re.compile(r"\b(m|scale|tc1|tce?|temp|dtemp)\s*=", re.IGNORECASE)


def disagreements(netlist: Netlist, text: str, folder: Path) -> tuple[int, dict[str, tuple[float, float]]]:
    """How many values of a flattened netlist ngspice could be asked for, and those that it has otherwise."""
    known = parameter_values(netlist)
    ours: dict[str, float] = {}
    for element in netlist.elements:
        if element.kind in QUANTITIES and not _FACTORS.search(element.place.text):  # ngspice keeps factors apart
            quantity, role = QUANTITIES[element.kind]
            path = element.name.lower().split(".")
            full = path[0] if len(path) == 1 else f"{path[-1][0]}.{'.'.join(path)}"
            found = float(evaluate(element.values[role], known))
            if found:  # a resistance of zero is 1 mΩ to ngspice
                ours[f"@{full}[{quantity}]"] = found
    theirs = answers(text, "op", list(ours), folder) if ours else {}
    pairs = [(key, ours[key], value.real) for key, value in theirs.items() if value is not None]
    return len(pairs), {key: (a, b) for key, a, b in pairs if abs(a - b) > 1e-14 * abs(a)}
