"""Names as SPICE wants them: an element's letter first, no dots, no two alike in lower case."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from circuits.netlist.expressions import FUNCTIONS

# what ngspice takes for something else than a parameter, beside its functions
RESERVED = frozenset({"time", "temper", "hertz", "ac", "gauss", "agauss", "unif", "aunif", "limit", *FUNCTIONS})


def element_names(elements: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A name for every element, by the name that it has.

    Its letter comes first, then the path of its subcircuits, joined by underscores; a name that is fine stays itself.

    Args:
        elements: letter and name of each.

    >>> element_names([("R", "R1"), ("R", "X1.R2"), ("C", "low.C"), ("R", "band.R_low"), ("E", "buffer")])
    {'R1': 'R1', 'X1.R2': 'RX1_2', 'low.C': 'Clow', 'band.R_low': 'Rband_low', 'buffer': 'Ebuffer'}
    """
    elements = list(elements)
    fine = {name for letter, name in elements if _spelled(letter, name) == name}
    taken = {name.lower() for name in fine}
    return {name: name if name in fine else _unique(_spelled(letter, name), taken) for letter, name in elements}


def parameter_names(names: Iterable[str], taken: Collection[str] = ()) -> dict[str, str]:
    """A name for every parameter, by the name that it has; none is that of a function of ngspice.

    >>> parameter_names(["w", "X1.gbw", "X1_gbw", "log"])
    {'w': 'w', 'X1.gbw': 'X1_gbw_2', 'X1_gbw': 'X1_gbw', 'log': 'log_'}
    """
    names = list(names)
    fine = {name for name in names if _plain(name) == name and name.lower() not in RESERVED}
    used = {name.lower() for name in (*fine, *taken)}
    found = {}
    for name in names:
        spelled = _plain(name)
        spelled += "_" if spelled.lower() in RESERVED else ""
        found[name] = name if name in fine else _unique(spelled, used)
    return found


def _spelled(letter: str, name: str) -> str:
    *path, leaf = name.split(".")
    if leaf[:1].lower() == letter.lower():
        letter, leaf = leaf[:1], leaf[1:]
    joined = "_".join([*path, leaf.lstrip("_") if path else leaf])
    return letter + _plain(joined).removesuffix("_" if path and not leaf else "")


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _unique(name: str, taken: set[str]) -> str:
    """The name, or with the first number behind it that nobody has; it is taken from then on."""
    found, number = name, 2
    while found.lower() in taken:
        found, number = f"{name}_{number}", number + 1
    taken.add(found.lower())
    return found
