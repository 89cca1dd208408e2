"""What a person says of a file's columns, where their names say too little: their roles and their units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from circuits.data.headers import Meaning, understand
from circuits.data.tabular import Table
from circuits.data.units import lookup
from circuits.errors import OptionError, UnknownName

LEVELS = ("magnitude", "decibels", "vout", "real", "imag")
ROLES = ("frequency", "magnitude", "decibels", "phase", "real", "imag", "vin", "vout", "led", "sigma")


@dataclass(frozen=True)
class Naming:
    """Roles and units given by hand; they go before what the names in the header say.

    Args:
        columns: the column's name, by role; see `ROLES`.
        units: the unit, such as "kHz", "rad" or "mVpp", by the column's name.

    Raises:
        UnknownName: a role that is not in the list.
        OptionError: a unit that is none.

    >>> Naming({"phase": "theta"}, {"theta": "rad"}).columns["phase"]
    'theta'
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for role in self.columns:
            if role not in ROLES:
                raise UnknownName("role", role, ROLES)
        for name, unit in self.units.items():
            if lookup(unit) is None:
                raise OptionError(
                    f"unit {unit!r} of {name!r} is not known; expected one such as Hz, dB, deg, rad or mV"
                )

    def __bool__(self) -> bool:
        """Whether anything was said."""
        return bool(self.columns or self.units)

    def meanings(self, table: Table) -> list[Meaning]:
        """What each name in the header means, after what was said by hand.

        A column that is given a role takes the place of every other column with that role.

        Raises:
            UnknownName: a column that the table does not have.
        """
        known = [understand(name) for name in table.names]
        return self.applied(table, known)

    def applied(self, table: Table, known: list[Meaning]) -> list[Meaning]:
        """The same of meanings that a reader found."""
        known = list(known)
        for name, unit in self.units.items():
            at = _position(table, name)
            known[at] = _in_unit(known[at], unit)
        chosen = {_position(table, name): role for role, name in self.columns.items()}
        taken = set(chosen.values()) | (set(LEVELS) if set(LEVELS) & set(chosen.values()) else set())
        for at, one in enumerate(known):
            if at in chosen:
                known[at] = _in_role(one, chosen[at])
            elif one.role in taken or (one.is_sigma and "sigma" in taken):
                known[at] = replace(one, role="unknown", output=one.name, is_sigma=False)
        return known


AS_NAMED = Naming()
"""Nothing said by hand: the header speaks for itself."""


def refuse(naming: Naming, source: str) -> None:
    """Refuse roles and units for a file whose format leaves no choice.

    Raises:
        OptionError: something was said by hand.
    """
    if naming:
        raise OptionError(f"a {source} says itself what its numbers are; leave out --column and --unit")


def _position(table: Table, name: str) -> int:
    """Where a column is: by its name, else by its name in any case."""
    if name in table.names:
        return table.names.index(name)
    found = [at for at, one in enumerate(table.names) if one.lower() == name.lower()]
    if len(found) != 1:
        raise UnknownName("column", name, table.names)
    return found[0]


def _in_unit(meaning: Meaning, name: str) -> Meaning:
    """A column in another unit; one of another kind gives it another role."""
    unit = lookup(name)
    kind = unit.kind if unit else ""
    role = meaning.role
    if kind in ("frequency", "decibels", "phase"):
        role = kind
    elif kind == "voltage":
        role = role if role in ("vin", "vout", "real", "imag") else "vout"
    elif role not in ("real", "imag"):
        role = "magnitude"
    output = "" if meaning.role == "unknown" else meaning.output
    return replace(meaning, unit=unit, role=meaning.role if meaning.is_sigma else role, output=output)


def _in_role(meaning: Meaning, role: str) -> Meaning:
    """A column in another role, keeping a unit that fits it."""
    if role == "sigma":
        return replace(meaning, role="unknown", is_sigma=True, output="")
    kinds = {"vin": "voltage", "vout": "voltage", "frequency": "frequency", "decibels": "decibels", "phase": "phase"}
    fits = meaning.unit is not None and meaning.unit.kind == kinds.get(role, "magnitude")
    return replace(meaning, role=role, unit=meaning.unit if fits else None, output="", is_sigma=False, certain=True)
