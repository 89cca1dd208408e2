"""From ideal values to real parts: the set of parts whose response is nearest to the one that is wanted."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.data import Measurements
from circuits.errors import OptionError, UnknownName
from circuits.lab.parts.blocks import Group, groups_of
from circuits.lab.parts.branching import Places, Search
from circuits.lab.parts.combining import Together, best_together
from circuits.lab.parts.drawer import UNITS, Drawer, drawer_of
from circuits.lab.parts.pairing import Choices, choices_for
from circuits.lab.parts.snapped import Snapped, Swap, account_of
from circuits.lab.parts.wanted import Wanted, wanted_from

_TRIMMED = math.log(1e3)  # how far a trimmed component may go from its ideal value, either way
_MOST_BOXES = 50_000


def snap(
    circuit: Circuit,
    stock: str | os.PathLike[str] | Drawer,
    f: Tensor | Sequence[float] | None = None,
    *,
    target: Tensor | Measurements | None = None,
    quantity: str = "magnitude",
    parts: Iterable[str] | None = None,
    free: Iterable[str] = (),
    pairs: bool = False,
    most_boxes: int = _MOST_BOXES,
    exhaustive: int | None = None,
) -> Snapped:
    """Choose real parts so that the response of the whole comes nearest to the one that is wanted.

    The parts are chosen together, by the mean square of (response − wanted) over all outputs and frequencies: one value
    too high can make up for another too low, which rounding each alone never sees. Components that share no output
    are chosen apart, from one drawer all the same; a small problem is tried out, a large one searched by branch and
    bound, its bounds being the best response of continuous values within a box (see `circuits.lab.parts.branching`).

    Args:
        circuit: a single board with its ideal values; it is left as it is.
        stock: the name of a series such as "E12", a file of a drawer (`read_drawer`), or a `Drawer`.
        f: frequencies in hertz to compare at, `(n,)`.
        target: the wanted response, `(n,)` or `(k, n)`, or `Measurements`, which bring their own f; None takes the
            response of the circuit with its ideal values. NaN asks for nothing there.
        quantity: "magnitude", "decibels" or "response" (complex): what is compared.
        parts: names of the components to choose parts for; None takes every resistor, capacitor and inductor that
            learns. The others stay as they are.
        free: names of components that are trimmed to their best value for every set of parts, such as a trimmer.
        pairs: two parts in series or in parallel may stand in for one.
        most_boxes: of a search, for each block; an answer cut short says so.
        exhaustive: try out blocks with at most that many sets of parts; None decides.

    Raises:
        OptionError: nothing to choose, or a drawer that does not suffice. DataError: a drawer or a target that cannot
            be used. UnknownName: no such component, series or quantity. ShapeError: more than one board.

    >>> from circuits.filters import LowPass
    >>> snapped = snap(LowPass(R=198.9), "E12", torch.logspace(1, 5, 40))
    >>> snapped.swaps[0].choice.written, snapped.proven
    ('180 Ω', True)
    """
    drawer = drawer_of(stock)
    free = [free] if isinstance(free, str) else list(free)
    chosen = _to_choose(circuit, parts, free)
    f = None if f is None else torch.as_tensor(f, dtype=torch.float64)
    wanted = wanted_from(circuit, f, target, quantity, [*chosen, *free])
    chosen, free = _leaders(wanted.circuit, chosen), _leaders(wanted.circuit, free)
    groups = groups_of(wanted.circuit, wanted.f, [*chosen, *free])
    limits = {i: part.count for i, part in enumerate(drawer.parts) if part.count is not None}
    searches = [
        _search(wanted, group, free, drawer, pairs, limits, most_boxes, exhaustive) for group in groups if group.outputs
    ]
    together = best_together(searches, limits)
    if together.boards is None:
        raise _too_few(drawer, chosen, together)
    without = [name for group in groups if not group.outputs for name in group.names]
    return _account(wanted, drawer, free, searches, together, without)


def _to_choose(circuit: Circuit, parts: Iterable[str] | None, free: Sequence[str]) -> list[str]:
    """The components to find parts for.

    Raises:
        UnknownName: a name that is not there. OptionError: one that is no part, or none at all.
    """
    units, known = circuit.units(), dict(circuit.named_parameters(remove_duplicate=False))
    if parts is None:
        chosen = [n for n, p in known.items() if p.requires_grad and units.get(n) in UNITS and n not in free]
    else:
        chosen = [parts] if isinstance(parts, str) else list(parts)
    for name in (*chosen, *free):
        if name not in known:
            raise UnknownName("component", name, known)
    for name in chosen:
        if units.get(name) not in UNITS:
            raise OptionError(f"{name} is no resistor, capacitor or inductor; leave it out of parts")
        if name in free:
            raise OptionError(f"{name} is both to be chosen and free; a trimmed component needs no part")
    for name in free:
        if not circuit.kinds()[name].positive:
            raise OptionError(f"{name} may be negative, and is not trimmed here; leave it out of free")
    if not chosen:
        raise OptionError(f"nothing to choose parts for; name some of {', '.join(known)}")
    return chosen


def _leaders(circuit: Circuit, names: Sequence[str]) -> list[str]:
    """The names without those that show a Parameter that is there already."""
    known = dict(circuit.named_parameters(remove_duplicate=False))
    first = {id(parameter): name for name, parameter in circuit.named_parameters()}
    return list(dict.fromkeys(first[id(known[name])] for name in names))


def _search(
    wanted: Wanted,
    group: Group,
    free: Sequence[str],
    drawer: Drawer,
    pairs: bool,
    limits: Mapping[int, int],
    most: int,
    exhaustive: int | None,
) -> Search:
    """The search among the parts for one group of components."""
    block = wanted.block(group.names, group.outputs)
    ideal = block.model.values()[0]
    units, low, high = wanted.circuit.units(), ideal.log() - _TRIMMED, ideal.log() + _TRIMMED
    choices: list[Choices | None] = []
    for column, (name, copies) in enumerate(zip(block.names, block.copies(), strict=True)):
        found = None if name in free else choices_for(drawer, units[name], pairs, copies)
        if found is not None:
            low[column], high[column] = math.log(found.values[0]), math.log(found.values[-1])
        choices.append(found)
    places = Places(tuple(choices), tuple(block.copies()), tuple(low.tolist()), tuple(high.tolist()))
    return Search(block, places, limits, ideal, most, exhaustive)


def _too_few(drawer: Drawer, chosen: Sequence[str], together: Together) -> OptionError:
    if not together.proven:
        return OptionError(f"no set of parts for {', '.join(chosen)} found within the boxes allowed; raise most_boxes")
    return OptionError(
        f"{drawer.name} has not enough parts for {', '.join(chosen)}; add parts, allow pairs, or keep a component"
    )


def _account(
    wanted: Wanted,
    drawer: Drawer,
    free: Sequence[str],
    searches: Sequence[Search],
    together: Together,
    without: Sequence[str],
) -> Snapped:
    """What was chosen, put into a copy of the circuit."""
    board, units = copy.deepcopy(wanted.circuit), wanted.circuit.units()
    swaps, trimmed, nearest = [], {}, {}
    for search, chosen in zip(searches, together.boards or (), strict=True):
        picks, ideals = iter(chosen.picks), search.ideal.exp().tolist()
        for column, name in enumerate(search.block.names):
            board.get_parameter(name).data.fill_(chosen.values[column])
            choices = search.places.choices[column]
            if choices is None:
                trimmed[name] = (ideals[column], chosen.values[column])
                continue
            swaps.append(
                Swap(name, units[name], ideals[column], choices.choice(next(picks)), search.places.copies[column])
            )
            nearest[name] = float(
                choices.values[abs(torch.from_numpy(choices.values).log() - search.ideal[column]).argmin()]
            )
    order = [name for name, _ in board.named_parameters()]
    swaps.sort(key=lambda swap: order.index(swap.name))
    return account_of(wanted, board, drawer, tuple(swaps), trimmed, nearest, searches, together, tuple(without))
