"""Names of a netlist as names of a circuit: where each component hangs, and what a person means by a name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TypeGuard

from circuits.errors import OptionError, UnknownName
from circuits.netlist.elements import Netlist
from circuits.netlist.expressions import Expression, Name, Number, names

MOST = 40
"""Names that an error lists at most."""


def paths_of(names: Iterable[str], reserved: Collection[str]) -> dict[str, str]:
    """Where each name hangs in the tree of modules, as a dotted path.

    A path is the name itself. What a circuit needs for itself (`phase`, `half`), or what two would share, gets an
    underscore behind it; an empty part of a path becomes an underscore; a subcircuit is spelled as where it first
    occurs.

    >>> paths_of(["R1", "X1.R2", "x1.C3", "phase", "T1.z0", "T1"], {"phase"})
    {'R1': 'R1', 'X1.R2': 'X1.R2', 'x1.C3': 'X1.C3', 'phase': 'phase_', 'T1.z0': 'T1.z0', 'T1': 'T1_'}
    """
    names = list(names)
    taken: dict[str, set[str]] = {}
    spelled: dict[tuple[str, str], str] = {}
    paths = {}

    def claimed(owner: str, part: str) -> str:
        part = part or "_"
        while part in reserved or part in taken.setdefault(owner, set()):
            part += "_"
        taken[owner].add(part)
        return part

    owners: dict[str, str] = {}
    for name in names:
        owner = ""
        for part in name.split(".")[:-1]:
            key = (owner, part.casefold())
            if key not in spelled:
                spelled[key] = claimed(owner, part)
            owner = f"{owner}.{spelled[key]}".removeprefix(".")
        owners[name] = owner
    for name in names:
        owner = owners[name]
        paths[name] = f"{owner}.{claimed(owner, name.rpartition('.')[2])}".removeprefix(".")
    return paths


class Index:
    """Finds what a name means, in upper or lower case, by its name in the netlist or in the circuit.

    Args:
        netlist: whose names they are.
        paths: the path of every component by its name in the netlist.
    """

    def __init__(self, netlist: Netlist, paths: Mapping[str, str]):
        self.netlist, self.paths = netlist, dict(paths)
        self.name_of = {path: name for name, path in paths.items()}
        self.components = {path.casefold(): name for name, path in paths.items()}
        self.components.update({name.casefold(): name for name in paths})
        self.parameters = {name.casefold(): name for name in netlist.parameters}
        self.values = {
            key.casefold(): value
            for e in netlist.elements
            for role, value in e.values.items()
            for key in ([e.name, f"{e.name}.{role}"] if len(e.values) == 1 else [f"{e.name}.{role}"])
        }

    def expression(self, name: str) -> Expression:
        """What a name stands for: a parameter, or the expression that is the value of an element.

        Raises:
            UnknownName: no such name; the message lists those there are.
        """
        key = name.casefold()
        if key in self.components:
            return Name(self.components[key])
        if key in self.parameters:
            return Name(self.parameters[key])
        if key in self.values:
            return self.values[key]
        raise UnknownName("component", name, listed(name, [*self.paths.values(), *self._derived()]))

    def _derived(self) -> list[str]:
        return [name for name, p in self.netlist.parameters.items() if not isinstance(p.value, Number)]

    def free(self, name: str) -> str:
        """The free parameter of a name, under which the netlist has it.

        Raises:
            UnknownName: no such name. OptionError: a value that follows from others; the message names them.
        """
        expression = self.expression(name)
        if isinstance(expression, Name) and isinstance(self.netlist.parameters[expression.name].value, Number):
            return expression.name
        sources = sorted(self.sources(expression))
        if not sources:
            raise OptionError(f"{name} is a fixed number of the netlist; give it as a .param to learn or change it")
        raise OptionError(f"{name} follows from {', '.join(sources)}; name {'it' if len(sources) == 1 else 'those'}")

    def sources(self, expression: Expression) -> set[str]:
        """The free parameters that an expression follows from."""
        found: set[str] = set()
        for name in names(expression):
            value = self.netlist.parameters[name].value
            found |= {name} if isinstance(value, Number) else self.sources(value)
        return found

    def matching(self, pattern: str) -> list[str]:
        """The free parameters that a name or a glob such as `R*` or `X1.C?` means.

        Raises:
            UnknownName: nothing matches. OptionError: nothing but values that follow from others.
        """
        if not any(letter in pattern for letter in "*?["):
            return [self.free(pattern)]
        known = {**self.components, **{key: value.name for key, value in self.values.items() if self._is_free(value)}}
        found = [name for key, name in known.items() if fnmatchcase(key, pattern.casefold())]
        if found:
            return list(dict.fromkeys(found))
        for key in (*self.parameters, *self.values):
            if fnmatchcase(key, pattern.casefold()):
                self.free(key)
        raise UnknownName("component like", pattern, listed(pattern, list(self.paths.values())))

    def _is_free(self, expression: Expression) -> TypeGuard[Name]:
        """Whether an expression is a component and nothing more."""
        return isinstance(expression, Name) and expression.name in self.paths


def listed(name: str, known: list[str]) -> list[str]:
    """All the names, or of very many those closest."""
    if len(known) <= MOST:
        return known
    from difflib import get_close_matches  # where it fails: building a circuit needs none of it

    return [*(get_close_matches(name, known, 8, 0.4) or known[:8]), f"… ({len(known)} in all)"]
