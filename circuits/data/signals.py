"""Which columns belong together: for every output its level, phase, parts, voltages or light."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from circuits.data import columns, labels, text
from circuits.data.columns import Column
from circuits.data.headers import Meaning
from circuits.data.tabular import Table
from circuits.errors import DataError

MEASURED = ("magnitude", "decibels", "phase", "real", "imag", "vout")
_OUTPUT = re.compile(r"(low|band|mid|high|bass|treble)([ _-]?pass)?|(out|output|ch|channel|filter|led|board)[ _]?\d+")


@dataclass
class Signals:
    """Columns by output and role, what was decided on the way, and the names that were not used."""

    outputs: dict[str, dict[str, Column]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def gather(table: Table, meanings: list[Meaning], axis: int, quantity: str | None) -> Signals:
    """Sort the columns of a table by output and role.

    A column that its name does not explain is understood by what it holds: labels make an LED table; one
        column of
    numbers is a ratio, or decibels where it is negative; columns named like outputs are several of them.

    Raises:
        DataError: nothing measured, or no way to tell what.
    """
    signals = Signals()
    named = {i: one for i, one in enumerate(meanings) if i != axis and one.name}
    sigmas = {i: one for i, one in named.items() if one.is_sigma}
    known = {i: one for i, one in named.items() if not one.is_sigma}
    known = _settle_voltages(table, known, signals.notes)
    known = _settle_ratios(table, known, signals.notes)
    lit = _lights(table, known, quantity)
    if not lit and not any(one.role in MEASURED for one in known.values()):
        known = _settle_unknown(table, known, signals.notes)
    pairs = _pair(sigmas, {i: one for i, one in known.items() if one.role in (*MEASURED, "vin")})
    for index, meaning in known.items():
        if index in lit:
            lamp = replace(meaning, role="led")
            _add(signals, lamp, Column(lamp, columns.lights(table, index)))
        elif meaning.role in (*MEASURED, "vin"):
            sigma = next(((i, sigmas[i]) for i, value in pairs.items() if value == index), None)
            _add(signals, meaning, _column(table, index, meaning, sigma, signals.notes))
        else:
            signals.ignored.append(meaning.name)
    signals.ignored += [one.name for i, one in sigmas.items() if i not in pairs]
    _share_input(signals)
    _join_unnamed_phase(signals.outputs)
    return signals


def _settle_voltages(table: Table, known: dict[int, Meaning], notes: list[str]) -> dict[int, Meaning]:
    """An output voltage is one only beside an input voltage; alone it is a level or an unknown."""
    vin = [i for i, one in known.items() if one.role == "vin"]
    vout = [i for i, one in known.items() if one.role == "vout"]
    if vin and vout:
        return known
    if vin:
        others = [i for i, one in known.items() if one.role == "unknown" and columns.is_numeric(table, i)]
        if len(others) == 1 and not any(one.role in MEASURED for one in known.values()):
            return {**known, others[0]: replace(known[others[0]], role="vout", output="")}
        return known | {i: replace(known[i], role="unknown", output=known[i].name) for i in vin}
    if any(one.role in MEASURED and one.role not in ("vout", "phase") for one in known.values()):
        return known | {i: replace(known[i], role="unknown") for i in vout}
    volts = [i for i in vout if known[i].unit is not None]
    if volts:
        named = ", ".join(repr(known[i].name) for i in volts)
        notes.append(f"no input voltage column, so {named} is read as the ratio to an input of 1 V")
    plain = {i: replace(known[i], role="unknown", output=known[i].name) for i in vout if i not in volts}
    return known | plain | {i: replace(known[i], role="magnitude") for i in volts}


def _settle_ratios(table: Table, known: dict[int, Meaning], notes: list[str]) -> dict[int, Meaning]:
    """A gain without a unit that is mostly negative, and below -1, can only be decibels."""
    settled = dict(known)
    for i, one in known.items():
        if one.role == "magnitude" and one.unit is None and columns.is_numeric(table, i):
            values = columns.numbers(table, i)
            if np.nanmedian(values) < 0 and np.nanmin(values) < -1:
                settled[i] = replace(one, role="decibels")
                notes.append(f"{one.name!r} is read as decibels since it is negative")
    return settled


def _lights(table: Table, known: dict[int, Meaning], quantity: str | None) -> list[int]:
    """The columns of LED labels: those named so, and the unexplained ones when together they look so."""
    named = [i for i, one in known.items() if one.role == "led"]
    measured = any(one.role in MEASURED for one in known.values())
    if quantity != "led" and (measured or quantity is not None):
        return []
    unknown = [
        i
        for i, one in known.items()
        if one.role == "unknown" and (columns.is_numeric(table, i) or columns.is_blank(table, i))
    ]
    cells = [cell for i in unknown for cell in table.column(i)]
    return sorted(named + (unknown if labels.look_like_labels(cells, table.decimal_comma) else []))


def _settle_unknown(table: Table, known: dict[int, Meaning], notes: list[str]) -> dict[int, Meaning]:
    """Levels in columns whose names do not say so: one column of numbers, or several named as outputs."""
    numeric = [i for i, one in known.items() if one.role in ("unknown", "led") and columns.is_numeric(table, i)]
    names = ", ".join(repr(known[i].name) for i in numeric)
    if not numeric:
        raise _nothing_measured(table, known)
    if len(numeric) > 1:
        unclear = [known[i].name for i in numeric if not _OUTPUT.fullmatch(known[i].output.lower())]
        if unclear:
            raise DataError(
                f"cannot tell what {names} hold; name each for what it is: magnitude, magnitude_db, "
                "phase_deg, vin, vout, or low_magnitude for one output of several"
            )
    negative = any(bool((columns.numbers(table, i) < 0).any()) for i in numeric)
    role = "decibels" if negative else "magnitude"
    is_volts = any(unit is not None and unit.kind == "voltage" for unit in (known[i].unit for i in numeric))
    reason = "since some are negative" if negative else "to an input of 1 V" if is_volts else "(no unit was given)"
    kind = "decibels" if negative else "magnitude ratio"
    notes.append(f"{names} {'is' if len(numeric) == 1 else 'are'} read as {kind} {reason}")
    return known | {i: replace(known[i], role=role) for i in numeric}


def _nothing_measured(table: Table, known: dict[int, Meaning]) -> DataError:
    """Why nothing was measured: no column beside the frequency, or one full of text."""
    for i, one in known.items():
        if not columns.is_blank(table, i):
            row = next(row for row, cell in enumerate(table.column(i)) if not text.missing(cell))
            return DataError(
                f"line {table.numbers[row]}: text {table.rows[row][i]!r} in column {one.name!r}; "
                f"expected a number, or one of two states: {labels.EXPECTED}"
            )
    return DataError("a frequency column and nothing measured beside it; expected one such as magnitude or led")


def _pair(sigmas: dict[int, Meaning], values: dict[int, Meaning]) -> dict[int, int]:
    """For each column of uncertainty the column it speaks of."""
    pairs: dict[int, int] = {}
    for index, sigma in sigmas.items():
        target = _target(index, sigma, {i: one for i, one in values.items() if i not in pairs.values()})
        if target is not None:
            pairs[index] = target
    return pairs


def _target(index: int, sigma: Meaning, values: dict[int, Meaning]) -> int | None:
    """The same role and output; else a level of that output; else, for a bare name, the nearest column."""
    same = [i for i, one in values.items() if one.output == sigma.output]
    exact = [i for i in same if values[i].role == sigma.role]
    if exact or sigma.role == "frequency":
        return _nearest(index, exact)
    if sigma.role in ("magnitude", "vout"):
        return _nearest(index, [i for i in same if values[i].role in ("magnitude", "decibels")])
    if sigma.role == "unknown" and sigma.output:
        named = [i for i, one in values.items() if sigma.output.lower() in one.name.lower()]
        return _nearest(index, same or named)
    return _nearest(index, list(values)) if sigma.role == "unknown" else None


def _nearest(index: int, candidates: Iterable[int]) -> int | None:
    """The last candidate to the left, else the first to the right."""
    return min(candidates, key=lambda i: (i > index, abs(i - index)), default=None)


def _column(table: Table, index: int, meaning: Meaning, sigma: tuple[int, Meaning] | None, notes: list[str]) -> Column:
    """A column in our unit with its uncertainty; what was assumed about it goes to the notes."""
    values = columns.numbers(table, index) * meaning.factor
    spread = None if sigma is None else columns.uncertainty(table, sigma[0], meaning, values, sigma[1])
    if meaning.role == "vin" and (values == 0).any():
        line = table.numbers[int(np.argmax(values == 0))]
        raise DataError(f"line {line}: input voltage zero in column {meaning.name!r}; expected one to divide by")
    present = values[~np.isnan(values)]
    middle = float(np.median(present)) if present.size else 0.0
    if meaning.role == "phase" and meaning.unit is None:
        doubt = "; if it is in radians, name it phase_rad" if np.abs(present).max(initial=0.0) <= np.pi else ""
        notes.append(f"{meaning.name!r} has no unit and is taken as degrees{doubt}")
    if meaning.role == "decibels" and re.search("attenuation|loss", meaning.name.lower()) and middle > 0:
        notes.append(f"{meaning.name!r} is positive attenuation, so its sign is turned")
        values = -values
    return Column(meaning, values, spread)


def _add(signals: Signals, meaning: Meaning, column: Column) -> None:
    """Put a column in its place; two for one place are refused."""
    place = signals.outputs.setdefault(meaning.output, {})
    if meaning.role in place:
        both = f"{place[meaning.role].name!r} and {meaning.name!r}"
        raise DataError(f"{both} both say {meaning.role}; keep one, or put the output's name before each")
    place[meaning.role] = column


def _share_input(signals: Signals) -> None:
    """One input voltage serves every output voltage that has none of its own."""
    shared = signals.outputs.get("", {}).get("vin")
    for name, place in signals.outputs.items():
        if name and shared is not None and "vout" in place:
            place.setdefault("vin", shared)
    if shared is not None and len(signals.outputs) > 1 and signals.outputs[""].keys() == {"vin"}:
        del signals.outputs[""]


def _join_unnamed_phase(outputs: dict[str, dict[str, Column]]) -> None:
    """A phase without an output's name belongs to the only level there is, and the other way round."""
    if len(outputs) == 2 and "" in outputs:
        other = next(name for name in outputs if name)
        if (outputs[""].keys() == {"phase"}) != (outputs[other].keys() == {"phase"}):
            outputs[""] = {**outputs.pop(other), **outputs[""]}
