"""What if a part were changed, open or shorted: the answers for every part from one factorisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.errors import NetlistError, OptionError, UnknownName
from circuits.netlist.answers.changes import Change, all_changes, altered, part_of
from circuits.netlist.answers.checks import check_solvable
from circuits.netlist.answers.impedances import MakeSystem
from circuits.netlist.answers.pencil import Values, free_values, known_values
from circuits.netlist.answers.woodbury import Entries, Solved, Update
from circuits.netlist.elements import Netlist
from circuits.netlist.expressions import names
from circuits.netlist.outputs import Output
from circuits.netlist.solver.system import System

ROUGH = 1e5
"""Where a change magnifies rounding more than this, the changed circuit is solved on its own."""


@dataclass(frozen=True)
class WhatIfs:
    """Responses `(*batch, m, k, n)` of k outputs after each of m changes alone, at f in hertz.

    NaN where the changed circuit has no single solution; `impossible` says why, by change.
    """

    changes: tuple[Change, ...]
    f: Tensor
    response: Tensor
    impossible: Mapping[Change, str]


def what_ifs(
    netlist: Netlist,
    f: Tensor,
    outputs: Sequence[Output],
    changes: Sequence[Change] | None = None,
    values: Values | None = None,
    *,
    make: MakeSystem = System,
) -> WhatIfs:
    """The response after every change, one at a time, without a new factorisation.

    One solve for each part that is concerned, with the factors of the circuit as it is; at the few frequencies where
    that would lose digits, as where nearly all the current went through the part that is opened, the changed circuit is
    solved. Known to autograd in values and f.

    Args:
        netlist: flattened.
        f: hertz, `(n,)` or `(*batch, n)`.
        outputs: resolved on the netlist.
        changes: what to try; `all_changes` where None.
        values: free parameters `(*batch)` by name; those of the netlist where None.
        make: how to make systems.

    Raises:
        UnknownName: a change of something that is not there.
        OptionError: an element that cannot be opened or shorted, a parameter that follows from others, or no outputs.

    >>> from circuits.netlist.elements import Element
    >>> from circuits.netlist.expressions import Number
    >>> from circuits.netlist.outputs import parse_output
    >>> source = {"dc": Number(0.0), "ac": Number(1.0), "phase": Number(0.0)}
    >>> divider = Netlist("", (
    ...     Element("V", "V1", ("in", "0"), source),
    ...     Element("R", "R1", ("in", "out"), {"value": Number(1e3)}),
    ...     Element("R", "R2", ("out", "0"), {"value": Number(1e3)}),
    ... ))
    >>> found = what_ifs(divider, torch.tensor([50.0]), [parse_output("V(out)")])
    >>> {str(change): H.real.item() for change, H in zip(found.changes, found.response[:, 0])}
    {'R1 open': 0.0, 'R1 shorted': 1.0, 'R2 open': 1.0, 'R2 shorted': 0.0}
    """
    changes = tuple(all_changes(netlist) if changes is None else changes)
    if not outputs:
        raise OptionError("what-ifs of no output; give at least one, such as parse_output('V(out)')")
    free = free_values(netlist, values)
    for change in changes:
        _check(netlist, free, change)
    f = (f.unsqueeze(0) if f.ndim == 0 else f).double()
    groups = [[output for output in outputs if not output.is_impedance]]
    groups = [group for group in groups if group] + [[output] for output in outputs if output.is_impedance]
    impossible: dict[Change, str] = {}
    found: dict[int, Tensor] = {}
    for group in groups:
        bench = _Bench(netlist, f, group, free, make)
        found |= {id(output): H for output, H in zip(group, bench.after(changes, impossible), strict=True)}
    response = torch.stack(torch.broadcast_tensors(*(found[id(output)] for output in outputs)), -2)
    return WhatIfs(changes, f, response, impossible)


class _Bench:
    """Some outputs that are read from one netlist."""

    def __init__(self, netlist: Netlist, f: Tensor, outputs: Sequence[Output], free: Values, make: MakeSystem):
        self.netlist, self.f, self.outputs, self.free, self.make = netlist, f, outputs, free, make
        self.currents = tuple(dict.fromkeys(name for output in outputs for name in output.currents))

    def after(self, changes: Sequence[Change], impossible: dict[Change, str]) -> list[Tensor]:
        """Each output after every change, `(*batch, m, n)`."""
        measured = self.outputs[0].measured_on(self.netlist)
        system = self.make(measured, currents=self.currents)
        made = system.formulation
        parts = [output.functionals(made) for output in self.outputs]
        solved = Solved(system, self.free, self.f, [one for part in parts for one in part])
        entries = Entries(measured, made, self.free, self.f)
        driving = {n for e in measured.elements if e.kind in "VI" for value in e.values.values() for n in names(value)}
        updates = [self._update(entries, driving, change) for change in changes]
        known = [i for i, update in enumerate(updates) if update is not None]
        H, rough = solved.changed([update for update in updates if update is not None])
        answers = dict(zip(known, zip(H, rough, strict=True), strict=True))
        rows = []
        for i, change in enumerate(changes):
            row, amplified = answers.get(i, (solved.H, torch.full_like(solved.H.real, torch.inf)))
            rows.append(self._exact(change, row, amplified, impossible))
        return self._combined(torch.stack(rows, -3) if rows else solved.H.unsqueeze(-3)[..., :0, :, :])

    def _combined(self, table: Tensor) -> list[Tensor]:
        """Outputs from their parts `(…, K, n)`."""
        outputs, start = [], 0
        for output in self.outputs:
            count = len(output.probes)
            outputs.append(output.combined(table[..., start : start + count, :]))
            start += count
        return outputs

    def _update(self, entries: Entries, driving: set[str], change: Change) -> Update | None:
        """How the matrix changes, None where the sources do as well."""
        if change.how == "short":
            return entries.wire(part_of(self.netlist, change.name).nodes)
        if change.how == "open":
            return entries.removal(part_of(self.netlist, change.name).name)
        if driving.intersection((change.name, *entries.followers[change.name])):
            return None
        return entries.revaluation(change.name, change.factor)

    def _exact(self, change: Change, row: Tensor, amplified: Tensor, impossible: dict[Change, str]) -> Tensor:
        """The same with the frequencies at which rounding was magnified solved for anew."""
        wrong = amplified > ROUGH
        if not bool(wrong.any()):
            return row
        n = row.shape[-1]
        lanes = wrong.reshape(-1, n).any(0).nonzero().squeeze(-1)
        changed = altered(self.netlist, change)
        try:
            driven = self.outputs[0].measured_on(changed)
            free = dict(self.free)
            if change.how == "factor":
                free[change.name] = free[change.name] * change.factor
            check_solvable(driven, known_values(driven, free))
        except NetlistError as error:
            impossible[change] = str(error)
            return torch.full_like(row, complex(torch.nan, torch.nan))
        system = self.make(driven, currents=self.currents)
        functionals = [one for output in self.outputs for one in output.functionals(system.formulation)]
        anew = system.response(free, self.f[..., lanes], functionals)
        return row.index_copy(-1, lanes, anew.expand(*row.shape[:-1], len(lanes)))


def _check(netlist: Netlist, free: Values, change: Change) -> None:
    if change.how != "factor":
        part_of(netlist, change.name)
    elif change.name not in free:
        if change.name in netlist.parameters:
            raise OptionError(f"{change.name} follows from other values; change one of those")
        raise UnknownName("free parameter", change.name, free)
