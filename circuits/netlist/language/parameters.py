"""Parameters of a flattened netlist: found by name where they are used, ordered, and given their units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from circuits.errors import NetlistError
from circuits.netlist.elements import Parameter, Place
from circuits.netlist.expressions import Call, Expression, Name, Number, evaluate, names
from circuits.netlist.language.assignments import Assignment
from circuits.netlist.language.definitions import Definition
from circuits.netlist.language.functions import expand
from circuits.netlist.language.limits import MAX_SIZE
from circuits.netlist.language.lines import Line
from circuits.netlist.language.notes import Notes, joined

_NODE = 50


@dataclass(eq=False)
class Scope:
    """One use of a definition: where its names are looked up, and then in that of its caller, as ngspice does.

    `path` goes before the names of what is in it; `values` were passed by the caller and hold in the caller's names.
    """

    definition: Definition
    path: str = ""
    caller: Scope | None = None
    values: Mapping[str, Assignment] = field(default_factory=dict)
    multiplier: Expression | None = None
    nodes: dict[str, str] = field(default_factory=dict)
    made: dict[str, str | None] = field(default_factory=dict)
    """Full names of parameters, by name in lower case; None while one is being made."""

    def owner(self, name: str) -> Scope | None:
        """The use that has a parameter of this name in lower case: this one, or the nearest above it."""
        scope: Scope | None = self
        while scope is not None and name not in scope.definition.parameters:
            scope = scope.caller
        return scope


@dataclass(eq=False)
class Draft:
    """A parameter, before it is known what it is used for."""

    name: str
    value: Expression
    place: Place
    line: Line
    offset: int
    notes: Notes
    units: set[str] = field(default_factory=set)
    can_be_zero: bool = False


class Parameters:
    """All parameters made so far, each after those that it depends on, and their `values`."""

    def __init__(self) -> None:
        self.drafts: dict[str, Draft] = {}
        self.values: dict[str, float] = {}
        self._places: dict[str, Line] = {}
        self._trees: dict[int, tuple[Assignment, Expression]] = {}
        self._left = MAX_SIZE

    def spend(self, size: int, line: Line) -> None:
        """Count the size of what is made.

        Raises:
            NetlistError: it is more than a netlist may have.
        """
        self._left -= size
        if self._left < 0:
            raise line.fault(f"with this the flattened netlist has names and expressions beyond {MAX_SIZE} characters")

    def own(self, name: str, value: float, line: Line, offset: int, notes: Notes) -> Name:
        """The parameter that is an element's own value; a card of several elements has one for all."""
        before = self.drafts.get(name)
        if before is None or before.line is not line:
            self._add(name, Number(value), line, offset, notes)
        return Name(name)

    def qualify(self, expression: Expression, scope: Scope, line: Line, offset: int) -> Expression:
        """An expression as it stands in a definition, in full names; all that it depends on is made.

        Raises:
            NetlistError: an unknown parameter, or one that depends on itself.
        """
        full: dict[str, str] = {}
        for name in names(expression):
            key = name.lower()
            owner = scope.owner(key)
            if owner is None:
                raise _unknown(name, line, offset)
            made = owner.made.get(key)
            full[name] = made if made is not None else self._make(owner, key)
        return self._renamed(expression, full, line)

    def number(self, expression: Expression, scope: Scope, line: Line, offset: int) -> float:
        """The value of an expression with all parameters as the netlist gives them.

        Raises:
            NetlistError: as `qualify`, or a value that is not finite.
        """
        return self.evaluate(self.qualify(expression, scope, line, offset), line, offset)

    def evaluate(self, expression: Expression, line: Line, offset: int, what: str = "") -> float:
        """The value of an expression over full names, and an error that says where it stands."""
        try:
            return float(evaluate(expression, self.values))
        except NetlistError as error:
            raise line.fault(f"{what}{error}", offset) from None

    def use(self, expression: Expression, unit: str, can_be_zero: bool) -> None:
        """Note that an element has this value: a parameter that is all of it has its unit."""
        if isinstance(expression, Name):
            draft = self.drafts[expression.name]
            draft.units.add(unit)
            draft.can_be_zero |= can_be_zero

    def finished(self, used: Iterable[Expression]) -> dict[str, Parameter]:
        """The parameters that these expressions depend on."""
        wanted = {name for expression in used for name in names(expression)}
        for name, draft in reversed(self.drafts.items()):
            if name in wanted:
                wanted.update(names(draft.value))
                if isinstance(draft.value, Name):
                    target = self.drafts[draft.value.name]
                    target.units |= draft.units
                    target.can_be_zero |= draft.can_be_zero
        return {name: self._finished(draft) for name, draft in self.drafts.items() if name in wanted}

    def _finished(self, draft: Draft) -> Parameter:
        value, notes = self.values[draft.name], draft.notes
        inferred = next(iter(draft.units)) if len(draft.units) == 1 else ""
        return Parameter(
            draft.name,
            draft.value,
            unit=inferred if notes.unit is None else notes.unit,
            positive=value > 0 or (value == 0 and draft.can_be_zero),
            tolerance=notes.tolerance,
            low=notes.low,
            high=notes.high,
            learn=notes.learn,
            place=draft.place,
        )

    # making one, and first all that it depends on

    def _make(self, scope: Scope, key: str) -> str:
        """Make a parameter; without recursion, since a chain of them may be as long as the netlist."""
        waiting = [(scope, key)]
        while waiting:
            owner, one = waiting[-1]
            if owner.made.get(one):
                waiting.pop()
                continue
            found = owner.values.get(one) or owner.definition.parameters[one]
            needed = self._needed(owner, one, found)
            if one in owner.made:  # here for the second time: all that it needs is made
                owner.made[one] = self._finish(owner, one, found, needed)
                continue
            owner.made[one] = None
            for other in needed.values():
                if other[1] in other[0].made and other[0].made[other[1]] is None:
                    raise _circle(found, other, waiting)
                waiting.append(other)
        return str(scope.made[key])

    def _tree(self, owner: Scope, key: str, found: Assignment) -> Expression:
        """The expression of an assignment with the netlist's functions in it; what was passed has them already."""
        if key in owner.values:
            return found.expression
        known = self._trees.get(id(found))
        if known is None:
            tree = expand(found.expression, owner.definition.function, found.line, found.offset)
            known = self._trees[id(found)] = (found, tree)
        return known[1]

    def _needed(self, owner: Scope, key: str, found: Assignment) -> dict[str, tuple[Scope, str]]:
        """What an assignment mentions, by name, and the use that has it."""
        home = owner.caller if key in owner.values else owner
        needed = {}
        for name in names(self._tree(owner, key, found)):
            other_key = name.lower()
            start = owner.caller if other_key == key else home  # a value of its own name is the caller's
            other = start.owner(other_key) if start is not None else None
            if other is None:
                raise _unknown(name, found.line, found.offset)
            needed[name] = (other, other_key)
        return needed

    def _finish(self, owner: Scope, key: str, found: Assignment, needed: dict[str, tuple[Scope, str]]) -> str:
        full = {name: str(other.made[other_key]) for name, (other, other_key) in needed.items()}
        written = self._tree(owner, key, found)
        if isinstance(written, Name) and key in owner.values and not found.notes:
            return full[written.name]  # passed on as it is: one parameter, whatever it is called on the way
        tree = self._renamed(written, full, found.line)
        if not needed:
            tree = Number(self.evaluate(tree, found.line, found.offset, f"{found.name}: "))
        default = owner.definition.parameters[key]
        notes = joined(default.notes, found.notes) if isinstance(tree, Number) else found.notes
        name = owner.path + default.name
        self._add(name, tree, found.line, found.offset, notes)
        return name

    def _add(self, name: str, value: Expression, line: Line, offset: int, notes: Notes) -> None:
        before = self._places.get(name.lower())
        if before is not None:
            raise line.fault(f"{name} is also a parameter of {before.place()}; rename one of the two", offset)
        if notes and not isinstance(value, Number):
            raise line.fault(f"{name} follows from others and has no tolerance or bounds of its own", offset)
        self._places[name.lower()] = line
        self.spend(len(name), line)
        self.drafts[name] = Draft(name, value, line.place(offset), line, offset, notes)
        is_number = isinstance(value, Number)
        self.values[name] = value.value if is_number else self.evaluate(value, line, offset, f"{name}: ")
        if notes:
            _check(name, self.values[name], notes, line, offset)

    def _renamed(self, expression: Expression, full: Mapping[str, str], line: Line) -> Expression:
        """An expression with other names in it."""
        if isinstance(expression, Name):
            self.spend(_NODE, line)
            return Name(full[expression.name])
        if isinstance(expression, Number):
            return expression
        self.spend(_NODE, line)
        arguments = []
        for argument in expression.arguments:
            arguments.append(self._renamed(argument, full, line))
        return Call(expression.function, tuple(arguments))


def _check(name: str, value: float, notes: Notes, line: Line, offset: int) -> None:
    """Bounds that hold the value that the netlist gives."""
    low = notes.low if notes.low is not None else value
    high = notes.high if notes.high is not None else value
    if not low <= value <= high or (low == high and notes.low is not None and notes.high is not None):
        raise line.fault(f"{name} = {value:g} does not lie between its bounds {low:g} and {high:g}; widen them", offset)


def _unknown(name: str, line: Line, offset: int) -> NetlistError:
    return line.fault(f"{name[:80]!r} is neither a number nor a parameter here; define it by .param", offset)


def _circle(found: Assignment, back: tuple[Scope, str], waiting: list[tuple[Scope, str]]) -> NetlistError:
    """An error that shows how a parameter comes back to itself."""
    way: dict[tuple[int, str], str] = {}
    for scope, key in reversed(waiting):
        if key in scope.made and scope.made[key] is None:
            way.setdefault((id(scope), key), scope.path + scope.definition.parameters[key].name)
            if scope is back[0] and key == back[1]:
                break
    shown = list(way.values())[::-1]
    shown = shown if len(shown) <= 8 else [*shown[:4], "…", *shown[-3:]]
    return found.line.fault(f"parameters depend on themselves: {' → '.join([*shown, shown[0]])}", found.offset)
