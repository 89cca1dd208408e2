"""Short names for terms that are used again or are long, so that every label stays short: `x = 2πf·R·C`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from circuits.views.graphs.operations import SQUARING
from circuits.views.graphs.terms import Term
from circuits.views.graphs.trace import FREQUENCY, Record, evaluated

REPEATED, SQUARED, LONG = 6, 5, 30
"""Characters above which a term gets a name: one that is used again, one under a square, and any."""

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_LETTERS = ("x", "a")  # of what depends on the frequency, and of what does not


@dataclass(frozen=True)
class Named:
    """The term of a record, and the name that others know it by, if it has one."""

    term: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} = {self.term}" if self.name else self.term


def name_terms(
    records: Sequence[Record], output: Record, given: Mapping[Record, str], taken: Collection[str] = ()
) -> dict[Record, Named]:
    """The term of every record, with names for those that are used again, squared or long.

    Args:
        records: in the order in which they were computed.
        output: what all is computed for; a use that does not lead to it does not count.
        given: names that are settled already.
        taken: names that nothing else may get.

    >>> R, f = Record("", text="R"), Record("", text="f")
    >>> x = Record("mul", [2.0, Record("mul", [f, R])])
    >>> H = Record("hypot", [x, 1.0])
    >>> records = [R, f, x.arguments[1], x, H]
    >>> [str(named) for named in name_terms(records, H, {}).values()]
    ['R', 'f', 'f·R', '2·f·R', '√(1+(2·f·R)²)']
    """
    used = reachable([output])
    uses = Counter(operand for record in used for operand in set(record.operands()))
    squared = {o for record in used if record.operation in SQUARING for o in record.operands()}
    moving: set[Record] = set()
    terms: dict[Record, Term] = {}
    chosen: list[Record] = []
    for record in records:
        if record.text == FREQUENCY or any(operand in moving for operand in record.operands()):
            moving.add(record)
        term = evaluated(record, terms)
        if record in given:
            term = Term.of(given[record])
        elif record is not output and _deserves_name(term, uses[record], record in squared):
            chosen.append(record)
            term = Term.of(f"x{len(chosen)}")
        terms[record] = term
    names = dict(given) | _series(chosen, moving, {*taken, *given.values()})
    return _final(records, names)


def reachable(outputs: Sequence[Record]) -> dict[Record, None]:
    """Everything that the outputs are computed from, and they themselves, in no order."""
    found, waiting = dict.fromkeys(outputs), [*outputs]
    while waiting:
        for operand in waiting.pop().operands():
            if operand not in found:
                found[operand] = None
                waiting.append(operand)
    return found


def _deserves_name(term: Term, uses: int, is_squared: bool) -> bool:
    length = len(str(term))
    if term.is_number or not uses or (term.is_single and str(term).isidentifier()):
        return False
    return length > LONG or (uses > 1 and length > REPEATED) or (is_squared and length > SQUARED)


def _series(chosen: Sequence[Record], moving: Collection[Record], taken: Collection[str]) -> dict[Record, str]:
    """x₁, x₂, … for what moves with the frequency and a₁, a₂, … for the rest; a single one has no number."""
    names: dict[Record, str] = {}
    for letter, is_moving in zip(_LETTERS, (True, False), strict=True):
        group = [record for record in chosen if (record in moving) == is_moving]
        numbered = [f"{letter}{str(i).translate(_SUBSCRIPTS)}" for i in range(1, len(group) + len(taken) + 1)]
        free = [name for name in ([letter] if len(group) == 1 else []) + numbered if name not in taken]
        names |= dict(zip(group, free, strict=False))
    return names


def _final(records: Sequence[Record], names: Mapping[Record, str]) -> dict[Record, Named]:
    """Terms in which the named ones appear by their names."""
    terms: dict[Record, Term] = {}
    found: dict[Record, Named] = {}
    for record in records:
        term = evaluated(record, terms)
        found[record] = Named(str(term), names.get(record, ""))
        terms[record] = Term.of(names[record]) if record in names else term
    return found
