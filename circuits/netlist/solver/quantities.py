"""The numbers q and z of the entries from the values of components: whole vectors at a time, with the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from circuits.component import broadcast_shapes
from circuits.netlist.elements import Netlist
from circuits.netlist.expressions import Name, Number, evaluate
from circuits.netlist.formulation import Formulation, Law
from circuits.netlist.laws import COMPLEX, REAL

Values = Mapping[str, Tensor]


class Quantities:
    """How q and z follow from the free parameters of a netlist.

    Most q are a value or its reciprocal: those are gathered from one stacked tensor. The others (mutual inductances,
    values that are expressions) are evaluated one by one.
    """

    def __init__(self, netlist: Netlist, made: Formulation):
        self.laws, self.complex_laws = made.real_laws, made.complex_laws
        self.free = [name for name, p in netlist.parameters.items() if isinstance(p.value, Number)]
        self._place = {name: i for i, name in enumerate(self.free)}
        self._derived = {name: p.value for name, p in netlist.parameters.items() if name not in self._place}
        direct = [i for i, law in enumerate(self.laws) if self._is_direct(law)]
        self._direct = torch.tensor(direct, dtype=torch.long)
        self._source = torch.tensor([self._place[self.laws[i].values[0].name] for i in direct], dtype=torch.long)  # type: ignore[union-attr]
        self._inverted = torch.tensor([self.laws[i].name == "reciprocal" for i in direct], dtype=torch.bool)
        self._others = [i for i in range(len(self.laws)) if i not in set(direct)]
        self._in_order = not self._others
        self._one_each = self._source.tolist() == [*range(len(self.free))]  # then nothing needs to be gathered

    def _is_direct(self, law: Law) -> bool:
        value = law.values[0]
        return law.name in ("direct", "reciprocal") and isinstance(value, Name) and value.name in self._place

    def real(self, values: Values) -> tuple[Tensor, torch.Size]:
        """q `(Q, *batch)` in double precision, and the shape of the batch."""
        tensors = [values[name] for name in self.free]
        batch = tensors[0].shape if tensors else torch.Size()
        if any(t.shape != batch for t in tensors):
            batch = broadcast_shapes(*(t.shape for t in tensors))
            tensors = [t.expand(batch) for t in tensors]
        if not tensors:
            return self._assembled({}, batch, torch.zeros(0, *batch, dtype=torch.float64)), batch
        stacked = torch.stack(tensors)
        stacked = stacked if stacked.dtype == torch.float64 else stacked.double()
        return self._assembled(values, batch, self._gathered(stacked)), batch

    def _gathered(self, stacked: Tensor) -> Tensor:
        source, inverted = self._source, self._inverted
        if stacked.device != source.device:
            source, inverted = source.to(stacked.device), inverted.to(stacked.device)
        chosen = stacked if self._one_each else stacked.index_select(0, source)
        inverted = inverted.reshape(-1, *[1] * (chosen.ndim - 1))
        # the reciprocal of a capacitance is thrown away, and may be infinite: its slope shall not meet a zero
        return torch.where(inverted, torch.where(inverted, chosen, 1.0).reciprocal(), chosen)

    def _assembled(self, values: Values, batch: torch.Size, gathered: Tensor) -> Tensor:
        if self._in_order:
            return gathered
        known = self.all_values(values)
        rows: list[Tensor] = [gathered[0]] * len(self.laws) if len(gathered) else [torch.zeros(batch)] * len(self.laws)
        for row, i in zip(gathered, self._direct.tolist(), strict=True):
            rows[i] = row
        for i in self._others:
            rows[i] = self._law(self.laws[i], known, gathered).expand(batch)
        return torch.stack(rows)

    def _law(self, law: Law, known: Mapping[str, Tensor | float], like: Tensor) -> Tensor:
        arguments = [_as_double(evaluate(value, known), like.device) for value in law.values]
        return REAL[law.name](*arguments)

    def all_values(self, values: Values) -> dict[str, Tensor | float]:
        """Free and derived parameters by name."""
        known: dict[str, Tensor | float] = dict(values)
        for name, expression in self._derived.items():
            known[name] = evaluate(expression, known)
        return known

    def complex(self, values: Values, f: Tensor, batch: torch.Size) -> Tensor:
        """z `(Z, *batch, n)`; f is `(n,)` or `(*batch, n)`."""
        shape = (*batch, f.shape[-1])
        if not self.complex_laws:
            return torch.zeros(0, *shape, dtype=torch.complex128, device=f.device)
        known = self.all_values(values)
        return torch.stack([self._complex_law(law, known, f).expand(shape) for law in self.complex_laws])

    def _complex_law(self, law: Law, known: Mapping[str, Tensor | float], f: Tensor) -> Tensor:
        arguments = [_as_double(evaluate(value, known), f.device).unsqueeze(-1) for value in law.values]
        return COMPLEX[law.name](f, *arguments).to(torch.complex128)

    # derivatives without a graph

    def rows(
        self, values: Values, f: Tensor, batch: torch.Size, wanted: Sequence[str], by_q: Tensor, by_z: Tensor
    ) -> Tensor:
        """Derivatives `(B, p, K, n)` by parameters from those by q `(B, Q, K, n)` and z `(B, Z, K, n)`."""
        boards, _, outputs, points = by_q.shape
        rows = by_q.new_zeros(boards, len(wanted), outputs, points)
        columns = {name: i for i, name in enumerate(wanted)}
        for j, i in enumerate(self._direct.tolist()):
            name = self.free[int(self._source[j])]
            if name in columns:
                value = values[name].detach().double().expand(batch).reshape(-1, 1, 1)
                rows[:, columns[name]] += by_q[:, i] * (-1 / value**2 if bool(self._inverted[j]) else 1.0)
        for i in self._others:
            self._add_law(rows, values, columns, self.laws[i], None, by_q[:, i], batch)
        grid = f if f.ndim == 1 else f.reshape(*batch, points)
        for i, law in enumerate(self.complex_laws):
            self._add_law(rows, values, columns, law, grid, by_z[:, i], batch)
        return rows

    def _add_law(self, rows, values, columns, law: Law, f: Tensor | None, slope: Tensor, batch: torch.Size) -> None:
        """Add slope · d(law)/d(parameter) for every wanted parameter; a complex law has one derivative a lane."""
        points = () if f is None else (f.shape[-1],)
        shape = torch.Size((*batch, *points))
        leaves = {
            name: values[name].detach().double().expand(batch).reshape((*batch, *[1] * len(points))).expand(shape)
            for name in self.free
        }
        moving = {name: leaves[name].clone().requires_grad_() for name in columns}
        with torch.enable_grad():
            known = self.all_values({**leaves, **moving})
            arguments = [_as_double(evaluate(value, known), slope.device) for value in law.values]
            made = REAL[law.name](*arguments) if f is None else COMPLEX[law.name](f, *arguments)
            made = made.expand(shape)
            if not made.requires_grad:
                return
            parts = [made.real, made.imag] if made.is_complex() else [made]
            found = [
                torch.autograd.grad(part.sum(), list(moving.values()), retain_graph=True, allow_unused=True)
                for part in parts
            ]
        for name, real, imaginary in zip(moving, found[0], found[-1], strict=True):
            if real is None and imaginary is None:
                continue
            real = torch.zeros_like(moving[name]) if real is None else real
            derivative = (
                real if f is None else torch.complex(real, torch.zeros_like(real) if imaginary is None else imaginary)
            )
            rows[:, columns[name]] += slope * derivative.reshape(-1, 1, *(points or (1,)))


def _as_double(value: Tensor | float, device: torch.device) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64, device=device)
