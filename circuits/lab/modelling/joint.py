"""Several files, one fit: measurements of the same board side by side, with the components that they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.component import broadcast_shapes
from circuits.data import Measurements
from circuits.errors import OptionError, ShapeError, UnknownName
from circuits.fitting import Fit, fit
from circuits.fitting.setup import DEFAULT_LOSS
from circuits.fitting.starts import Starts
from circuits.lab.modelling.bench import Bench

SETTLED, ROUNDS = 0.01, 6
"""Change of the weights below which they have settled, and how often they are estimated at most."""


def join(parts: Mapping[str, Measurements]) -> Measurements:
    """Several measurements as one, at all their frequencies; what was not measured there is NaN.

    Args:
        parts: by name, each with frequencies `(n,)`. A part of one unnamed output gives an output of that name, one of
            named outputs gives `name.output`. All are taken as the quantity of the first.

    Raises:
        OptionError: nothing to join, or frequencies that differ from board to board.
        DataError: a quantity that cannot be had from another. ShapeError: batches of boards that differ.

    >>> low = Measurements([100.0, 1e3], "magnitude", [0.99, 0.6])
    >>> high = Measurements([1e3, 1e4], "magnitude", [0.2, 0.9], sigma=0.01)
    >>> both = join({"low": low, "high": high})
    >>> both.outputs, both.f.tolist(), both.values.isnan().sum().item()
    (('low', 'high'), [100.0, 1000.0, 10000.0], 2)
    """
    if not parts:
        raise OptionError("nothing to join; give at least one measurement by name")
    quantity = next(iter(parts.values())).quantity
    data = {name: one.as_quantity(quantity) for name, one in parts.items()}
    wrong = next((name for name, one in data.items() if one.f.ndim > 1), None)
    if wrong is not None:
        raise OptionError(f"{wrong} has frequencies of shape {tuple(data[wrong].f.shape)}; expected one row for all")
    f = torch.cat([one.f for one in data.values()]).unique()
    batches = {one.batch_shape for one in data.values()}
    if len(batches) > 1:
        raise ShapeError(
            f"boards of shapes {', '.join(str(tuple(b)) for b in batches)}; expected the same of each part"
        )
    rows = [_spread(_rows(one, one.values), one, f, torch.nan) for one in data.values()]
    known = all(one.sigma is not None for one in data.values())
    spreads = [_spread(_rows(one, _sigma(one)), one, f, 1.0) for one in data.values()] if known else []
    names = [n for name, one in data.items() for n in ([f"{name}.{o}" for o in one.outputs] or [name])]
    meta = {"files": [one.meta.get("file", name) for name, one in data.items()]}
    said = "; ".join(f"{name}: {one.understood or one.describe()}" for name, one in data.items())
    sigma = torch.cat(spreads, -2) if known else None
    return Measurements(f, quantity, torch.cat(rows, -2), sigma, tuple(names), meta, said)


def _sigma(one: Measurements) -> Tensor:
    return torch.ones_like(one.values.real) if one.sigma is None else one.sigma.expand(one.values.shape)


def _rows(one: Measurements, table: Tensor) -> Tensor:
    """A table with a row for every output, also where that is a single one."""
    return table if one.outputs else table.unsqueeze(-2)


def _spread(rows: Tensor, one: Measurements, f: Tensor, filler: float) -> Tensor:
    """The rows at frequencies f; a frequency measured twice keeps its last value where it has one."""
    wide = rows.new_full((*rows.shape[:-1], len(f)), filler)
    for i, place in enumerate(torch.searchsorted(f, one.f).tolist()):
        column = rows[..., i]
        wide[..., place] = torch.where(column.isnan(), wide[..., place], column)
    return wide


class Joint(Circuit):
    """Circuits side by side, `(*batch, k, n)`, in which components of the same name are the same part.

    A component that is shared has one Parameter in all members that have it; it is listed under the first of them.

    Args:
        members: circuits by name; one of a single output gives an output of its name, others `name.output`.
        shared: names of components, or globs such as `*`, that are the same part wherever they occur.

    Raises:
        OptionError: no member. UnknownName: a shared name that fewer than two members have.
        ShapeError: a shared component that has different shapes.

    >>> from circuits.filters import HighPass, LowPass
    >>> both = Joint({"low": LowPass(R=500.0), "high": HighPass(R=200.0)}, shared=["C"])
    >>> both.outputs, [name for name, _ in both.named_parameters()]
    (('low', 'high'), ['low.R', 'low.C', 'high.R'])
    """

    def __init__(self, members: Mapping[str, Circuit], shared: Iterable[str]):
        super().__init__()
        if not members:
            raise OptionError("no circuit to fit jointly; give at least one by name")
        self._members = tuple(members)
        for name, circuit in members.items():
            self.add_module(name, circuit)
        for pattern in shared:
            _share(members, pattern)
        named = [[f"{name}.{o}" for o in circuit.outputs] or [name] for name, circuit in members.items()]
        self.outputs = tuple(output for outputs in named for output in outputs)

    def _circuits(self) -> list[Circuit]:
        modules: dict[str, Any] = self._modules
        return [modules[name] for name in self._members]

    def transfer(self, f: Tensor) -> Tensor:
        """Complex responses of all members."""
        return self._evaluate(f, "response")

    def _evaluate(self, f: Tensor, quantity: str) -> Tensor:
        along = -2 if f.ndim else -1
        parts = [_as_rows(c, c.predict(f, quantity), along) for c in self._circuits()]
        return torch.cat(_alike(parts, along), along)

    def has_slopes(self, quantity: str) -> bool:
        """Where all members have."""
        return all(circuit.has_slopes(quantity) for circuit in self._circuits())

    def _linearize(self, f: Tensor, quantity: str, names: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Of every member by its own components; it does not depend on those of the others."""
        known = {*dict(self.named_parameters(remove_duplicate=False))}
        for name in names:
            if name not in known:
                raise UnknownName("component", name, self.units())
        parts, jacobians = [], []
        for member, circuit in zip(self._members, self._circuits(), strict=True):
            own = [name for name in names if name.startswith(f"{member}.")]
            view, slopes = circuit.linearize(f, quantity, [name[len(member) + 1 :] for name in own])
            parts.append(_as_rows(circuit, view, -2))
            slopes = slopes if circuit.outputs else slopes.unsqueeze(-2)
            zero = torch.zeros_like(parts[-1])
            rows = dict(zip(own, slopes.unbind(-3), strict=True))
            jacobians.append([rows.get(name, zero) for name in names])
        prediction = torch.cat(_alike(parts, -2), -2)
        if not names:
            return prediction, prediction.unsqueeze(-3).narrow(-3, 0, 0)
        rows = [torch.cat(_alike(list(row), -2), -2) for row in zip(*jacobians, strict=True)]
        return prediction, torch.stack(rows, -3)


def _as_rows(circuit: Circuit, view: Tensor, along: int) -> Tensor:
    return view if circuit.outputs else view.unsqueeze(along)


def _alike(parts: list[Tensor], along: int) -> list[Tensor]:
    """Tables whose batches are of one shape, since a member that all boards share has none of its own."""
    tail = -along
    batch = broadcast_shapes(*(part.shape[:-tail] for part in parts))
    return [part.expand(*batch, *part.shape[-tail:]) for part in parts]


def _share(members: Mapping[str, Circuit], pattern: str) -> None:
    """Give all members that have components of this name the Parameters of the first."""
    holders: dict[str, list[str]] = {}
    for member, circuit in members.items():
        own = circuit.nuisances if isinstance(circuit, Bench) else ()
        for name, _ in circuit.named_parameters(remove_duplicate=False):
            if fnmatchcase(name, pattern) and name not in own:
                holders.setdefault(name, []).append(member)
    twice = {name: owners for name, owners in holders.items() if len(owners) > 1}
    if not twice:
        raise UnknownName("component that two circuits share", pattern, _common(members))
    for name, owners in twice.items():
        first = members[owners[0]].get_parameter(name)
        for member in owners[1:]:
            _place(members[member], name, first, member)


def _place(circuit: Circuit, name: str, parameter: torch.nn.Parameter, member: str) -> None:
    own = circuit.get_parameter(name)
    if own.shape != parameter.shape:
        shapes = f"{tuple(own.shape)} in {member} and {tuple(parameter.shape)} before"
        raise ShapeError(f"{name} has shape {shapes}; a shared component needs one shape")
    path, _, leaf = name.rpartition(".")
    circuit.get_submodule(path)._parameters[leaf] = parameter
    if isinstance(circuit, Bench):
        _place(circuit.inner, name, parameter, member)


def _common(members: Mapping[str, Circuit]) -> list[str]:
    names = [name for circuit in members.values() for name, _ in circuit.named_parameters(remove_duplicate=False)]
    return sorted({name for name in names if names.count(name) > 1})


def fit_jointly(
    circuits: Mapping[str, Circuit],
    data: Mapping[str, Measurements],
    *,
    shared: Iterable[str],
    starts: Starts = None,
    seed: int = 0,
) -> Fit:
    """Fit several measurements at once, with components that they share, each weighed by its own noise.

    Least squares in the measured quantity. Where no σ is known, the noise of each output is estimated from its
    residuals, s² = Σr²/(n(1 − p/N)), and the fit repeated with these weights until they settle (feasible generalised
    least squares: A. Zellner, 1962).

    Args:
        circuits: by name. data: measurements by the same names.
        shared: names or globs of the components that are the same part in all circuits that have them.
        starts, seed: as for `fit`.

    Raises:
        UnknownName: data of no circuit, a circuit without data, or a component that is not shared.
        As `fit` and `join`.

    >>> import circuits as cc
    >>> board = {"low": cc.LowPass(R=300.0), "high": cc.HighPass(R=300.0)}
    >>> data = {"low": cc.simulate(cc.LowPass(R=200.0), cc.log_grid(40, 10.0, 1e5)),
    ...         "high": cc.simulate(cc.HighPass(R=200.0), cc.log_grid(30, 100.0, 1e4))}
    >>> result = fit_jointly(board, data, shared=["R", "C"])
    >>> round(result.values["low.R"].item(), 6), len(result.names)
    (200.0, 1)
    """
    for name in (*data, *circuits):
        if name not in circuits or name not in data:
            raise UnknownName("measurement and circuit called", name, [n for n in circuits if n in data])
    return fit_balanced(Joint(circuits, shared), join({name: data[name] for name in circuits}), starts, seed)


def fit_balanced(circuit: Circuit, data: Measurements, starts: Starts = None, seed: int = 0) -> Fit:
    """Fit a circuit of several outputs, each weighed by the noise that its own residuals show; see `fit_jointly`.

    >>> import circuits as cc
    >>> data = join({"low": cc.simulate(cc.LowPass(R=200.0), [100.0, 1e3, 1e4])})
    >>> fit_balanced(cc.ColorOrgan(300.0, (40.0, 160.0), 30.0), data).explains
    True
    """
    result = fit(circuit, data, starts=starts, seed=seed)
    if data.sigma is not None or data.quantity == "led" or circuit.batch_shape or len(data.outputs) < 2:
        return result
    weights = torch.ones(len(circuit.outputs), 1, dtype=torch.float64)
    kind: Any = type(DEFAULT_LOSS[data.quantity])
    for _ in range(ROUNDS):
        fresh = _weights(result)
        if float((fresh / weights - 1).abs().max()) < SETTLED:
            break
        weights = fresh
        result = fit(circuit, data, kind(weights=weights), seed=seed)
    return result


def _weights(result: Fit) -> Tensor:
    """Inverse variance of every output, relative to their mean; those without data, or without noise, as the others."""
    problem = result.problem
    plain: Any = DEFAULT_LOSS[result.data.quantity]
    with torch.no_grad():
        prediction = problem.board_first(problem.predict(result.end))
        difference = plain.residuals(prediction, problem.target)[0]
    present = torch.ones_like(difference.real) if problem.present is None else problem.present[0]
    squares = (difference.abs().square() * present).sum(-1)
    counts = present.sum(-1) * (1 - len(result.names) / max(float(problem.numbers), 1.0))
    variance = squares / counts.clamp_min(1e-9)
    usable = (counts > 0) & (variance > 1e-24)
    middle = variance[usable].log().mean().exp() if bool(usable.any()) else variance.new_tensor(1.0)
    return (middle / torch.where(usable, variance, middle)).unsqueeze(-1)
