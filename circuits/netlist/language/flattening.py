"""From definitions to one flat list of elements, every name with the path of its instances before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from circuits.netlist.elements import GROUND, KINDS, Element
from circuits.netlist.expressions import Call, Expression, Number, names
from circuits.netlist.language.algebra import ONE, constant, times
from circuits.netlist.language.cards import read_card
from circuits.netlist.language.definitions import Definition, Device, Instance, Quantity
from circuits.netlist.language.headings import is_ground
from circuits.netlist.language.limits import MAX_ELEMENTS, MAX_NESTING
from circuits.netlist.language.lines import Line
from circuits.netlist.language.notes import NONE, joined
from circuits.netlist.language.parameters import Parameters, Scope
from circuits.netlist.language.passives import Conditions

SOURCES = ("V", "I")
CONTROLLED_BY: Mapping[str, tuple[str, str]] = {
    "K": ("L", "inductor"),
    "F": ("V", "voltage source"),
    "H": ("V", "voltage source"),
}
MULTIPLIED: Mapping[str, Mapping[str, str]] = {
    "R": {"value": "/"},
    "L": {"value": "/"},
    "C": {"value": "*"},
    "G": {"value": "*"},
    "I": {"dc": "*", "ac": "*"},
    "CPE": {"q": "*"},
    "WARBURG": {"sigma": "/"},
    "WARBURG_OPEN": {"r": "/"},
    "WARBURG_SHORT": {"r": "/"},
    "V": {},
    "E": {},
    "K": {},
}
"""What `m=` of a subcircuit does to what is in it: m of them side by side. Kinds left out cannot be multiplied, since
ngspice would do something else to them."""


@dataclass(frozen=True)
class _Prepared:
    """The elements of a definition, and how many they become."""

    items: list[Device | Instance]
    count: int


class Flattener:
    """Puts a netlist together; `elements` and `parameters` are what comes of it."""

    def __init__(self, parameters: Parameters, conditions: Conditions, global_nodes: Mapping[str, str]):
        self.parameters, self.conditions, self.global_nodes = parameters, conditions, global_nodes
        self.elements: list[Element] = []
        self._prepared: dict[int, _Prepared] = {}
        self._names: dict[str, Line] = {}
        self._nodes: dict[str, tuple[Scope | None, Line]] = {}

    def flatten(self, root: Scope) -> None:
        """Put together all that the definition of this scope holds.

        Raises:
            NetlistError: a card that cannot be read, names that collide, or more of it than a netlist may have.
        """
        self._prepare(root.definition, ())
        self._fill(root)

    # first every definition once: its cards, and how many elements they become, before any is made

    def _prepare(self, definition: Definition, chain: tuple[Definition, ...]) -> _Prepared:
        known = self._prepared.get(id(definition))
        if known is not None:
            return known
        if len(definition.cards) > MAX_ELEMENTS:
            raise definition.cards[MAX_ELEMENTS].fault(f"a netlist of more than {MAX_ELEMENTS} elements; divide it")
        items = _items(definition, self.conditions)
        count = 0
        for item in items:
            count += 1
            if isinstance(item, Instance):
                count += self._prepare_called(item, (*chain, definition)).count
            if count > MAX_ELEMENTS:
                raise item.line.fault(f"{item.name}: with this the netlist has more than {MAX_ELEMENTS} elements")
        self._prepared[id(definition)] = _Prepared(items, count)
        return self._prepared[id(definition)]

    def _prepare_called(self, item: Instance, chain: tuple[Definition, ...]) -> _Prepared:
        if any(item.definition is one for one in chain):
            start = next(i for i, one in enumerate(chain) if one is item.definition)
            circle = " → ".join([one.name for one in (*chain[start:], item.definition)])
            raise item.line.fault(f"{item.name}: subcircuit {item.definition.name} contains itself: {circle}")
        if len(chain) > MAX_NESTING:
            raise item.line.fault(f"{item.name}: subcircuits within subcircuits more than {MAX_NESTING} deep")
        return self._prepare(item.definition, chain)

    # then every use

    def _fill(self, scope: Scope) -> None:
        for item in self._prepared[id(scope.definition)].items:
            if isinstance(item, Instance):
                self._fill(self._scope(item, scope))
            else:
                self._add(item, scope)

    def _scope(self, item: Instance, caller: Scope) -> Scope:
        inner = Scope(item.definition, f"{caller.path}{item.name}.", caller, item.values)
        self._claim(item.name, caller, item.line)
        for port, node in zip(item.definition.ports, item.nodes, strict=True):
            inner.nodes[port.lower()] = self._node(node, caller, item.line)
        inner.multiplier = caller.multiplier
        if item.multiplier is not None:
            if caller.multiplier is not None:
                raise item.line.fault(f"{item.name}: m within m, which ngspice reads otherwise; multiply the values")
            found = self._qualified(item.multiplier.expression, caller, item.line, item.multiplier.offset)
            inner.multiplier = None if found == ONE else found
        return inner

    def _add(self, item: Device, scope: Scope) -> None:
        """Make one element."""
        name = self._claim(item.name, scope, item.line)
        self._check_notes(item)
        values = {role: self._value(item, role, quantity, scope) for role, quantity in item.values.items()}
        nodes = tuple([self._node(node, scope, item.line) for node in item.nodes])
        controls = tuple([scope.path + control for control in item.controls])
        self.elements.append(Element(item.kind, name, nodes, values, controls, item.line.place()))

    def _value(self, item: Device, role: str, quantity: Quantity, scope: Scope) -> Expression:
        """The value of one role: its own parameter, or an expression over others, with its factors."""
        line, offset = item.line, quantity.offset
        kind = KINDS[item.kind]
        notes = joined(item.notes.get("", NONE), item.notes.get(role, NONE)) if item.notes else NONE
        found = self._qualified(quantity.expression, scope, line, offset)
        if not isinstance(found, Number):
            if notes:
                raise line.fault(f"{item.name} has no value of its own; annotate the parameters that it follows from")
        elif item.kind not in SOURCES and scope.definition.has_components:
            own = scope.path + (item.label or item.name) + (f".{role}" if len(kind.roles) > 1 else "")
            found = self.parameters.own(own, found.value, line, offset, notes)
        self.parameters.use(found, kind.roles[role], role not in kind.signed)
        for operator, factor in quantity.factors:
            found = _applied(operator, found, self._qualified(factor, scope, line, offset))
        if scope.multiplier is not None:
            found = self._multiplied(item, role, found, scope.multiplier)
        if not isinstance(found, Number):
            self.parameters.evaluate(found, line, offset, f"{item.name}: ")
        return found

    def _multiplied(self, item: Device, role: str, value: Expression, multiplier: Expression) -> Expression:
        if item.kind not in MULTIPLIED or item.is_multiplied:
            what = "an element with m of its own" if item.is_multiplied else f"a {KINDS[item.kind].title}"
            raise item.line.fault(f"{item.name}: {what} within m=, which ngspice reads otherwise; leave m out")
        operator = MULTIPLIED[item.kind].get(role)
        return value if operator is None else _applied(operator, value, multiplier)

    def _qualified(self, expression: Expression, scope: Scope, line: Line, offset: int) -> Expression:
        """An expression in full names; a constant as its number."""
        if isinstance(expression, Number):
            return expression
        if not names(expression):
            return Number(self.parameters.evaluate(expression, line, offset))
        return self.parameters.qualify(expression, scope, line, offset)

    def _claim(self, name: str, scope: Scope, line: Line) -> str:
        """The full name of an element or an instance, which nothing else may have."""
        full = scope.path + name
        self.parameters.spend(len(full), line)
        before = self._names.setdefault(full.lower(), line)
        if before is not line:
            raise line.fault(f"{full} is also the name of what {before.place()} becomes; rename one of the two")
        return full

    def _node(self, name: str, scope: Scope, line: Line) -> str:
        """The full name of a node."""
        key = name.lower()
        known = scope.nodes.get(key)
        if known is not None:
            return known
        owner: Scope | None = scope
        if is_ground(key):
            full, owner = GROUND, None
        elif key in self.global_nodes:
            full, owner = self.global_nodes[key], None
        else:
            full = scope.path + name
        self.parameters.spend(len(full), line)
        before = self._nodes.setdefault(full.lower(), (owner, line))
        if before[0] is not owner:
            raise line.fault(f"node {full} is also the name of another at {before[1].place()}; rename one of the two")
        scope.nodes[key] = full
        return full

    def _check_notes(self, item: Device) -> None:
        """Annotations must belong to something that has a value of its own."""
        for role in item.notes:
            if item.kind in SOURCES:
                raise item.line.fault(f"{item.name} is a source, whose values are no components; leave annotations out")
            if role and role not in item.values:
                raise item.line.fault(f"{item.name} has no {role} to annotate; it has {', '.join(item.values)}")


def _applied(operator: str, value: Expression, factor: Expression) -> Expression:
    """value·factor or value/factor; a number where both are."""
    if factor == ONE:
        return value
    found = times(value, factor) if operator == "*" else Call(operator, (value, factor))
    number = constant(found)
    return found if number is None or number != number else Number(number)


def _items(definition: Definition, conditions: Conditions) -> list[Device | Instance]:
    """The elements of a definition, every name once, and what they refer to under its name as written there."""
    items: list[Device | Instance] = []
    known: dict[str, Device | Instance] = {}
    for line in definition.cards:
        for item in read_card(line, definition, conditions):
            before = known.setdefault(item.name.lower(), item)
            if before is not item:
                raise line.fault(f"a second {item.name}, the first is at {before.line.place()}; rename one")
            items.append(item)
    return [
        replace(item, controls=tuple([_control(item, name, known) for name in item.controls]))
        if isinstance(item, Device) and item.controls
        else item
        for item in items
    ]


def _control(item: Device, name: str, known: Mapping[str, Device | Instance]) -> str:
    kind, title = CONTROLLED_BY[item.kind]
    found = known.get(name.lower())
    if not isinstance(found, Device) or found.kind != kind:
        raise item.line.fault(f"{item.name}: no {title} {name!r} beside it; name one of the same subcircuit")
    if kind == "L" and found.is_multiplied:
        raise item.line.fault(f"{item.name}: {found.name} has m=, which ngspice forgets here; give its value")
    return found.name
