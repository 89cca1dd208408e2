"""Functions that a netlist defines by `.func`: put in place of their calls, with every limit watched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from circuits.errors import NetlistError
from circuits.netlist.expressions import FUNCTIONS, Call, Expression, Name, Number
from circuits.netlist.language.limits import MAX_DEPTH, MAX_NODES
from circuits.netlist.language.lines import Line

RANDOM = frozenset(["agauss", "gauss", "aunif", "unif", "limit"])
OPERATING = frozenset(["v", "i", "ddt", "idt"])


@dataclass(frozen=True)
class UserFunction:
    """`.func name(parameters) {body}`."""

    name: str
    parameters: tuple[str, ...]
    body: Expression
    line: Line


Lookup = Callable[[str], "UserFunction | None"]


def expand(expression: Expression, lookup: Lookup, line: Line, offset: int = 0) -> Expression:
    """The expression with every function that the netlist defines replaced by its body.

    Args:
        expression: as parsed.
        lookup: the netlist's function of a name in lower case, or None.
        line: where the expression stands, at `offset`, for messages.

    Raises:
        NetlistError: an unknown function, one with another number of arguments, one that needs itself, or an
            expression that becomes too large.
    """
    return _Expansion(lookup, line, offset).of(expression, {}, 0, ())[0]


class _Expansion:
    """One expansion; every tree comes with its size and depth, since shared parts grow faster than memory shows."""

    def __init__(self, lookup: Lookup, line: Line, offset: int):
        self.lookup, self.line, self.offset = lookup, line, offset

    def fault(self, message: str) -> NetlistError:
        return self.line.fault(message, self.offset)

    def of(
        self,
        expression: Expression,
        bound: dict[str, tuple[Expression, int, int]],
        depth: int,
        active: tuple[str, ...],
    ) -> tuple[Expression, int, int]:
        if isinstance(expression, Number):
            return expression, 1, 0
        if isinstance(expression, Name):
            tree, size, height = bound.get(expression.name.lower(), (expression, 1, 0))
        else:
            tree, size, height = self._call(expression, bound, depth, active)
        if size > MAX_NODES or depth + height > MAX_DEPTH:
            raise self.fault(
                f"with its functions the expression has more than {MAX_NODES} parts, or {MAX_DEPTH} within each other; "
                "divide it by .param"
            )
        return tree, size, height

    def _call(
        self,
        call: Call,
        bound: dict[str, tuple[Expression, int, int]],
        depth: int,
        active: tuple[str, ...],
    ) -> tuple[Expression, int, int]:
        if depth > MAX_DEPTH:
            raise self.fault(f"functions call each other more than {MAX_DEPTH} deep; use .param")
        arguments, size, height = [], 1, 0
        for argument in call.arguments:
            found = self.of(argument, bound, depth + 1, active)
            arguments.append(found)
            size, height = size + found[1], max(height, found[2] + 1)
        function = self.lookup(call.function)
        if function is None:
            known = FUNCTIONS.get(call.function)
            if known is None or known.arity != len(arguments):
                raise self._unknown(call.function, len(arguments))
            return Call(call.function, tuple(tree for tree, _, _ in arguments)), size, height
        if function.name in active:
            raise self.fault(f"function {function.name} needs itself: {' → '.join([*active, function.name])}; break it")
        if len(arguments) != len(function.parameters):
            raise self.fault(
                f"function {function.name} takes {len(function.parameters)} arguments, found {len(arguments)}; "
                f"it is {function.name}({', '.join(function.parameters)})"
            )
        inner = dict(zip((name.lower() for name in function.parameters), arguments, strict=True))
        return self.of(function.body, inner, depth + 1, (*active, function.name))

    def _unknown(self, name: str, given: int) -> NetlistError:
        if name in FUNCTIONS:
            return self.fault(f"{name} takes {FUNCTIONS[name].arity} arguments, found {given}; correct the call")
        if name in RANDOM:
            return self.fault(f"{name} draws random numbers; give the value, and its spread by @tol")
        if name in OPERATING:
            return self.fault(
                f"{name}(…) would make a value depend on a voltage or a current, which only linear elements may; "
                "use E, F, G or H"
            )
        known = ", ".join(sorted(key for key in FUNCTIONS if key.isidentifier()))
        return self.fault(f"no function {name!r}; known: {known}, and those that .func defines")
