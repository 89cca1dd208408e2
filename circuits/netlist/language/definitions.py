"""What was written, before any of it is put together: a netlist and its subcircuits as definitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from circuits.netlist.expressions import Expression
from circuits.netlist.language.assignments import Assignment
from circuits.netlist.language.functions import UserFunction
from circuits.netlist.language.lines import Line
from circuits.netlist.language.notes import Notes


@dataclass(frozen=True)
class Model:
    """`.model name kind (values)`; only those of resistors, capacitors and inductors are ever looked into."""

    name: str
    kind: str
    line: Line


@dataclass(eq=False)
class Definition:
    """A subcircuit, or the whole netlist, which is one without a name.

    Names are keys in lower case. `cards` are its elements as lines, `parent` the definition that it stands in.
    `has_components` is False for those of the shipped library, whose inner values nobody can change.
    """

    name: str
    line: Line
    ports: tuple[str, ...] = ()
    parent: Definition | None = None
    has_components: bool = True
    formals: list[str] = field(default_factory=list)
    parameters: dict[str, Assignment] = field(default_factory=dict)
    functions: dict[str, UserFunction] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    cards: list[Line] = field(default_factory=list)

    def function(self, name: str) -> UserFunction | None:
        """The function of this name in lower case, here or in what surrounds it."""
        return self.functions.get(name) or (self.parent.function(name) if self.parent else None)

    def find_model(self, name: str) -> tuple[Model, Definition] | None:
        """The model of this name in lower case, and where it is defined."""
        if name in self.models:
            return self.models[name], self
        return self.parent.find_model(name) if self.parent else None

    def has_parameter(self, name: str) -> bool:
        """Whether a parameter of this name in lower case is defined here or in what surrounds it."""
        return name in self.parameters or (self.parent is not None and self.parent.has_parameter(name))

    def subcircuit(self, name: str) -> Definition | None:
        """The subcircuit of this name in lower case, here or in what surrounds it."""
        return self.definitions.get(name) or (self.parent.subcircuit(name) if self.parent else None)


@dataclass(frozen=True)
class Quantity:
    """A value as written on a card, and what it is multiplied with or divided by before the circuit sees it."""

    expression: Expression
    offset: int = 0
    factors: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True)
class Device:
    """An element of a definition: `nodes` and `controls` by their names there, a value for each role of its kind.

    `label` is the name of its own parameter, where that is not the element's.
    """

    kind: str
    name: str
    nodes: tuple[str, ...]
    values: Mapping[str, Quantity]
    line: Line
    controls: tuple[str, ...] = ()
    notes: Mapping[str, Notes] = field(default_factory=dict)
    is_multiplied: bool = False
    label: str = ""


@dataclass(frozen=True)
class Instance:
    """A subcircuit put to use: `definition` is what its name means where it stands."""

    name: str
    nodes: tuple[str, ...]
    definition: Definition
    values: Mapping[str, Assignment]
    line: Line
    multiplier: Quantity | None = None


@dataclass(frozen=True)
class Settings:
    """What holds for a whole netlist: temperatures in °C, global nodes, the sweep's words."""

    temperature: Assignment | None = None
    nominal: Assignment | None = None
    sweep: Line | None = None
    title: str | None = None
    global_nodes: Mapping[str, str] = field(default_factory=dict)
